// Follows challenge events and tells each as a line of JSON, once and in order, however often the server is lost.
//
//   npm ci
//   PROPDESK_TOKEN=pd_... node subscriber.mjs [cursor]
//
// A client of graphql-ws retries by itself, but would subscribe with the cursor it began with. So each connection is
// one subscription here, and the next begins after the last event that has been told.

import { createClient } from "graphql-ws";
import WebSocket from "ws";

const url = process.env.PROPDESK_URL ?? "ws://127.0.0.1:8000/graphql";
const token = process.env.PROPDESK_TOKEN ?? "";
const retryMs = [100, 200, 500, 1000, 2000, 5000];
const giveUp = new Set([4400, 4403, 4406]); // coming again does not help: docs/errors.md
const transient = new Set(["UNAVAILABLE", "BUSY"]); // the database is away, or too much is under way
const query = `subscription ($after: String) {
  challengeEvents(after: $after) { cursor position number name marketTime challengeId payload }
}`;

let after = process.argv[2] ?? "0"; // keep it where it outlives the process
let failures = 0;

const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
  retryAttempts: 0,
  keepAlive: 10_000, // a connection that is silently gone is noticed
});

while (true) {
  try {
    for await (const result of client.iterate({ query, variables: { after } })) {
      if (result.errors) throw result.errors;
      const event = result.data.challengeEvents;
      console.log(JSON.stringify({ event }));
      after = event.cursor;
      failures = 0;
    }
  } catch (error) {
    const refused = Array.isArray(error) && !error.every((one) => transient.has(one.extensions?.code));
    if (refused || giveUp.has(error?.code)) {
      console.error(refused ? JSON.stringify(error) : `closed with ${error.code}: ${error.reason}`);
      process.exit(1); // CURSOR_EXPIRED, among others: read the state anew, and subscribe without a cursor
    }
  }
  const pause = retryMs[Math.min(failures++, retryMs.length - 1)];
  await new Promise((resume) => setTimeout(resume, pause * (0.5 + Math.random())));
}
