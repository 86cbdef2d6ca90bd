// Opens the page at /graphql in Chromium and works with it: a query, a mutation, a subscription that stays open.
// Prints one JSON object: what was answered, every address that was asked for, and every complaint of the browser.
import { chromium } from 'playwright-core';

const [origin, executablePath, profile] = process.argv.slice(2);
const QUIET =
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking ' +
  '--disable-component-update --disable-sync';

const browser = await chromium.launchPersistentContext(profile, { executablePath, args: QUIET.split(' ') });
const seen = { addresses: [], complaints: [], events: [] };
try {
  const page = await browser.newPage();
  page.on('request', (request) => seen.addresses.push(request.url()));
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  page.on('console', (line) => line.type() === 'error' && seen.complaints.push(line.text()));
  page.on('websocket', (socket) => {
    seen.addresses.push(socket.url());
    socket.on('framereceived', ({ payload }) => {
      const message = JSON.parse(payload);
      if (message.type === 'next') seen.events.push(message.payload.data.challengeEvents.name);
      if (message.type === 'error') seen.complaints.push(payload);
    });
  });
  await page.goto(`${origin}/graphql`);
  await open(page, 'CLIENT query');
  seen.query = await run(page);
  await open(page, 'MANAGER subscription');
  const opened = page.waitForEvent('websocket');
  await page.locator('.graphiql-execute-button').click();
  await opened;
  await page.locator('.graphiql-response', { hasText: 'connected, waiting for events' }).waitFor();

  const other = await browser.newPage();
  await other.goto(`${origin}/graphql`);
  await open(other, 'CLIENT mutation');
  await other.locator('section[aria-label="Variables"]:visible', { hasText: 'idempotencyKey' }).waitFor();
  seen.mutation = await run(other);
  await until(() => seen.events.includes('prop.purchase.active'));
  await page.locator('.graphiql-response', { hasText: 'prop.' }).waitFor();
  await page.locator('.graphiql-execute-button').click();

  const stranger = await browser.newPage();
  await stranger.goto(`${origin}/graphql`);
  await stranger.locator('.examples input').fill('pd_unknown');
  await open(stranger, 'MANAGER subscription');
  await stranger.locator('.graphiql-execute-button').click();
  await stranger.locator('.graphiql-response', { hasText: '4403' }).waitFor();
  seen.refused = await stranger.locator('.graphiql-response').innerText();

  await page.locator('button[aria-label="Show Documentation Explorer"]').click();
  await page.locator('.graphiql-doc-explorer a', { hasText: 'Query' }).click();
  await page.getByText('All read operations.').waitFor();
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));

// What follows comes at once, before GraphiQL has read the editor.
async function open(page, example) {
  await page.locator(`[data-example="${example}"]`).click();
  await page.locator('.graphiql-execute-button:not([disabled])').waitFor();
}

// Runs what is in the editor; its answer, once it stands in the page, too.
async function run(page) {
  const answered = page.waitForResponse((response) => {
    return response.request().method() === 'POST' && !response.request().postData().includes('IntrospectionQuery');
  });
  await page.locator('.graphiql-execute-button').click();
  const answer = await (await answered).json();
  await page.locator('.graphiql-response', { hasText: '"data"' }).waitFor();
  return answer;
}

async function until(holds) {
  const deadline = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`it did not happen; seen so far: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
