import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './page.css';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
import { EXAMPLES, examples } from './examples.jsx';
import { fetcher } from './fetcher.js';
import { headersFor } from './tokens.js';

const first = examples.find((example) => example.role === 'MANAGER' && example.kind === 'query');

createRoot(document.getElementById('page')).render(
  <GraphiQL
    fetcher={fetcher}
    plugins={[EXAMPLES, HISTORY_PLUGIN]}
    visiblePlugin={EXAMPLES}
    defaultQuery={first.query}
    defaultHeaders={headersFor('MANAGER')}
    defaultEditorToolsVisibility="headers"
    shouldPersistHeaders={false}
  />,
);
