import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';

const http = createGraphiQLFetcher({
  url: '/graphql',
  headers: { Accept: 'application/graphql-response+json' },
  enableIncrementalDelivery: false,
});

const socketUrl = new URL('/graphql', window.location.href);
socketUrl.protocol = socketUrl.protocol.replace('http', 'ws');

// A websocket of its own for each subscription: a browser sends no headers with it, so the token goes with its init.
function follow(operation, headers) {
  const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  return createClient({ url: socketUrl.href, connectionParams: { authorization }, retryAttempts: 0 }).iterate(operation);
}

// The operation of that name, else the only one; null of a text that has several, or that only the server can complain of.
function chosen(query, name) {
  try {
    const document = parse(query);
    return getOperationAST(document, name) ?? getOperationAST(document);
  } catch {
    return null;
  }
}

// GraphiQL reads the editor a moment after each change and until then tells the name and document it held before, so the
// text alone decides what is run.
export function fetcher({ query, variables, operationName }, options) {
  const operation = chosen(query, operationName);
  const request = { query, variables, operationName: operation?.name?.value };
  const headers = options?.headers;
  return operation?.operation === 'subscription' ? follow(request, headers) : http(request, { headers });
}
