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

const WAITING = { status: 'connected, waiting for events' };

// What a subscription failed with, as GraphQL shows errors: those of the operation, or why the websocket was closed.
function failure(error) {
  if (Array.isArray(error)) return { errors: error };
  if (typeof error?.code === 'number') {
    const message = `The server closed the connection: ${error.reason || 'it gave no reason'}`;
    return { errors: [{ message, extensions: { code: error.code, reason: error.reason } }] };
  }
  return { errors: [{ message: error?.message ?? 'The websocket could not be opened.' }] };
}

// A websocket of its own for each subscription: a browser sends no headers with it, so the token goes with its init.
// No generator: GraphiQL ends a subscription by return(), for which a generator would first await its next event.
function follow(operation, headers) {
  const authorization = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  let acknowledge;
  const acknowledged = new Promise((resolve) => (acknowledge = resolve)).then(() => true);
  const client = createClient({
    url: socketUrl.href,
    connectionParams: { authorization },
    retryAttempts: 0,
    on: { connected: acknowledge },
  });
  const events = client.iterate(operation);
  let event = events.next(); // opens the connection
  let hasSaid = false;
  let hasFailed = false;

  async function next() {
    if (hasFailed) return { done: true, value: undefined };
    if (!hasSaid) {
      hasSaid = true;
      const arrived = event.then(() => false, () => false);
      if (await Promise.race([acknowledged, arrived])) return { done: false, value: WAITING };
    }
    try {
      const result = await event;
      if (!result.done) event = events.next();
      return result;
    } catch (error) {
      hasFailed = true;
      return { done: false, value: failure(error) };
    }
  }

  return { next, return: () => events.return(), [Symbol.asyncIterator]: () => ({ next, return: () => events.return() }) };
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
