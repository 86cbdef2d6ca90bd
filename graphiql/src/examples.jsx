import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useState } from 'react';
import { areOffered, headersFor, type } from './tokens.js';

const ROLES = ['MANAGER', 'CLIENT', 'TRADER', 'FEED', 'ADMIN'];
const KINDS = ['query', 'mutation', 'subscription'];

const files = import.meta.glob('../operations/*/*', { query: '?raw', import: 'default', eager: true });

function example(role, kind) {
  const place = `../operations/${role.toLowerCase()}/${kind}`;
  const query = files[`${place}.graphql`];
  if (query === undefined) return [];
  const title = /(?:query|mutation|subscription) (\w+)/.exec(query)[1];
  return [{ role, kind, title, query, variables: files[`${place}.json`] ?? '' }];
}

export const examples = ROLES.flatMap((role) => KINDS.flatMap((kind) => example(role, kind)));

function Examples() {
  const actions = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const headerEditor = useGraphiQL((state) => state.headerEditor);
  const responseEditor = useGraphiQL((state) => state.responseEditor);
  const areReady = queryEditor && variableEditor && headerEditor && responseEditor;
  const [token, setToken] = useState('');

  function change(event) {
    setToken(event.target.value);
    type(event.target.value);
    headerEditor?.setValue(headersFor(''));
  }

  function open({ role, query, variables }) {
    actions.addTab();
    queryEditor.setValue(query);
    variableEditor.setValue(variables.replace('NOW', new Date().toISOString()));
    headerEditor.setValue(headersFor(role));
    document.querySelector(`.graphiql-editors button[data-name="${variables ? 'variables' : 'headers'}"]`)?.click();
  }

  return (
    <section aria-label="Examples" className="examples">
      <label>
        Token
        <input
          type="password"
          autoComplete="off"
          value={token}
          placeholder={areOffered ? 'the sample tokens, by role' : 'pd_...'}
          onChange={change}
        />
      </label>
      {ROLES.map((role) => (
        <div key={role}>
          <h3>{role}</h3>
          {examples
            .filter((one) => one.role === role)
            .map((one) => (
              <button
                key={one.kind}
                type="button"
                disabled={!areReady}
                data-example={`${role} ${one.kind}`}
                onClick={() => open(one)}
              >
                {one.title} <small>{one.kind}</small>
              </button>
            ))}
        </div>
      ))}
    </section>
  );
}

function Icon() {
  return (
    <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M5 4h9M5 8h9M5 12h9M1.5 4h.01M1.5 8h.01M1.5 12h.01" strokeLinecap="round" />
    </svg>
  );
}

export const EXAMPLES = { title: 'Examples', icon: Icon, content: Examples };
