import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'license'];
const MODULE = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/;

// Vite writes down the licences of what the page bundles. These two add what it leaves out: the packages that are in the
// workers alone, and what the editor itself has taken from others.
export function licenses(file) {
  const inWorkers = new Set();
  const workers = {
    name: 'licenses-of-workers',
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        for (const id of Object.keys(chunk.modules ?? {})) {
          const name = MODULE.exec(id)?.[1];
          if (name) inWorkers.add(name);
        }
      }
    },
  };
  const page = {
    name: 'licenses-of-the-rest',
    closeBundle() {
      const listed = readFileSync(file, 'utf8');
      for (const name of [...inWorkers].sort()) {
        if (!listed.includes(`## ${name} - `)) appendFileSync(file, entry(name));
      }
      const notices = readFileSync('node_modules/monaco-editor/ThirdPartyNotices.txt', 'utf8');
      appendFileSync(file, `\n## What monaco-editor contains\n\n${notices.replaceAll('\r\n', '\n')}`);
    },
  };
  return { workers, page };
}

function entry(name) {
  const folder = join('node_modules', name);
  const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const text = FILES.map((one) => join(folder, one)).find((path) => existsSync(path));
  return `\n## ${name} - ${version} (${license})\n\n${text ? readFileSync(text, 'utf8') : ''}`;
}
