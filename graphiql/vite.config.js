import { defineConfig } from 'vite';
import { licenses } from './licenses.js';

const BUILT = process.env.GRAPHIQL_BUILT ?? '../app/graphiql';
const { workers, page } = licenses(`${BUILT}/licenses.md`);

// Everything the page needs is built into app/graphiql, which the server serves at /graphiql/.
export default defineConfig({
  base: '/graphiql/',
  publicDir: false,
  plugins: [page],
  oxc: { jsx: { runtime: 'automatic' } },
  worker: { format: 'es', plugins: () => [workers] },
  build: {
    outDir: BUILT,
    emptyOutDir: true,
    target: 'es2022',
    license: { fileName: 'licenses.md' },
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 8192,
  },
});
