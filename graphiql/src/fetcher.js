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

export function fetcher(operation, options) {
  const document = options?.documentAST ?? parse(operation.query);
  const kind = getOperationAST(document, operation.operationName ?? undefined)?.operation;
  return kind === 'subscription' ? follow(operation, options?.headers) : http(operation, options);
}
