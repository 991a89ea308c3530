// The viewer in a real Chromium on a real server: record, see, open, verify; tamper, and see it broken.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { after, before } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { serve } from '../support/served.ts';
import { launch, openWindow, picture } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const person = (id: string, name: string) => ({ type: 'user', id, name });

/** A morning at an invented company. */
const morning = [
  {
    id: 'e-1',
    action: 'user.signed_in',
    actor: person('u_ada', 'Ada Example'),
    context: { ip: '203.0.113.7' },
  },
  {
    ...{ id: 'e-2', action: 'role.assigned', actor: person('u_ada', 'Ada Example'), severity: 'high' },
    targets: [person('u_ben', 'Ben Example')],
    changes: [{ path: '/role', from: 'viewer', to: 'owner' }],
    reason: 'Covers for Chi this week.',
  },
  { id: 'e-3', action: 'data.exported', actor: person('u_ben', 'Ben Example'), outcome: 'denied' },
];

/** Changes an entry in the database of a running server. */
function tamper(data: string, id: string): number {
  const database = new DatabaseSync(path.join(data, 'logs/main/log.db'), { timeout: 10_000 });
  for (const { name } of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) {
    database.exec(`DROP TRIGGER "${name}"`);
  }
  const { idx } = database.prepare('SELECT idx FROM ids WHERE id = ?').get(id) as { idx: number };
  const changed = database
    .prepare(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'u_ben', 'u_bob') AS BLOB) WHERE idx = ?",
    )
    .run(idx);
  assert.equal(changed.changes, 1);
  database.close();
  return idx;
}

test('record, see it, open it, verify it; tamper with the database, and see it broken', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  const { page, troubles } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page.getByText('role.assigned').click();
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByRole('heading', { name: 'Ada Example gave a role to Ben Example.' }).waitFor();
  await drawer.getByText('Sealed', { exact: true }).waitFor();
  await drawer.locator('.step.yes').nth(2).waitFor();
  assert.equal(await drawer.locator('.step.yes').count(), 3);
  await drawer.locator('blockquote').getByText('Covers for Chi this week.').waitFor();
  await picture(page, 'e2e-sealed');

  const index = tamper(server.data, 'e-2');
  await page.keyboard.press('v');
  await drawer.getByText(`Broken at index ${index}`, { exact: true }).waitFor();
  await page.getByRole('banner').getByText('Broken').waitFor();
  await picture(page, 'e2e-broken');
  assert.deepEqual(troubles, []);
});

test('a page that is opened after the newest entries were changed says which one is broken', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  // Once a search covers them, the server has hashed the entries as they were recorded.
  const headers = { authorization: `Bearer ${server.key}` };
  const found = await fetch(`${server.url}/v1/logs/main/events`, { headers });
  const { complete, size } = (await found.json()) as { complete: number; size: number };
  assert.equal(complete, size);
  const index = tamper(server.data, 'e-2');
  await server.record({ action: 'user.signed_out', actor: person('u_ada', 'Ada Example') });
  const { page } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page.getByRole('alert').getByText(`Broken at index ${index}.`).waitFor();
  await page.getByRole('row').filter({ hasText: 'role.assigned' }).locator('.badge.broken').waitFor();
  await page.getByRole('row').filter({ hasText: 'data.exported' }).locator('.badge.sealed').waitFor();
  await picture(page, 'e2e-broken-fresh');
});

test('the key is pinned at the first visit, and the checkpoint remembered; no event is', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  const { page } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page.getByRole('link', { name: 'Integrity' }).click();
  await page.getByText('this was the first checkpoint that this browser saw').waitFor();
  await server.record({ action: 'user.signed_out', actor: person('u_ada', 'Ada Example') });
  await page.reload();
  await page.getByText(/the checkpoint of \d+ entries that this browser saw/).waitFor();
  const kept = await page.evaluate(() => Object.entries(localStorage).flat().join(' '));
  assert.match(kept, /"vkey"/);
  assert.doesNotMatch(kept, /u_ada|Example|signed_in|e-1/);
  await picture(page, 'e2e-integrity');
});

test('another key than the pinned one is an alarm', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  const { page } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page
    .getByRole('banner')
    .getByText(/Sealed/)
    .waitFor();
  await page.evaluate(() => {
    const name = Object.keys(localStorage).find((key) => key.endsWith('main key'))!;
    const vkey = 'other.example/log+1a7e9a1c+AQOhB7/zcFvQG9sFQGzFTLHhSaOvv7wQbvbLtIEyV8OJ';
    localStorage.setItem(name, JSON.stringify({ vkey, origin: 'given', at: '2026-01-01T00:00:00Z' }));
  });
  await page.reload();
  await doesNotHold(page);
});

test('with the keyboard alone: search, move, open, step, verify, copy, help, close', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  const permissions = ['clipboard-read', 'clipboard-write'];
  const { page, troubles } = await openWindow(browser, context, { permissions });
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page.getByText('role.assigned').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('outc');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.keyboard.type('den');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Remove the filter outcome:denied' }).waitFor();
  assert.match(page.url(), /q=outcome%3Adenied/);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByText('data.exported').first().waitFor();
  const said = page.getByRole('status');
  await page.keyboard.press('v');
  await said.getByText(/^Verified in this browser: sealed, \d+ entries\.$/).waitFor();
  await page.keyboard.press('c');
  await said.getByText('Copied a link to what is shown.').waitFor();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, page.url());
  assert.match(link, /q=outcome%3Adenied&event=/);
  const before = await drawer.getByRole('heading').first().textContent();
  await page.keyboard.press('j');
  await page.keyboard.press('k');
  assert.equal(await drawer.getByRole('heading').first().textContent(), before);
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  assert.deepEqual(troubles, []);
});

/** The alarm over everything. */
async function doesNotHold(page: Page): Promise<void> {
  await page.getByText('This log does not hold.').first().waitFor();
}

/** What people have tried elsewhere. */
const payloads = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  '<svg onload=alert(1)>',
  'javascript:alert(1)//\'"`',
  '{{constructor.constructor("alert(1)")()}}',
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '\u202e<b>dlrow</b>',
];

test('attack 27 and 28: markup in every field is text, and no link leads out', async (context) => {
  const server = await serve(context);
  const bad = (position: number): object => {
    const text = payloads[position]!;
    const party = (id: string) => ({
      type: 'user',
      id,
      name: text,
      href: `javascript:alert(${position})`,
      [text]: text,
    });
    return {
      ...{ id: `x-${position}`, action: 'record.updated', actor: party('u_1'), targets: [party('u_2')] },
      ...{ outcome: 'failure', severity: 'critical', reason: text, error: { code: text, message: text } },
      ...{ changes: [{ path: `/${text}`, from: text, to: { [text]: text } }], labels: { label: text } },
      ...{ context: { ip: text, userAgent: text, [text]: text }, metadata: { [text]: [text] } },
      correlationId: `c-${position}`,
    };
  };
  await server.record(...payloads.map((_, position) => bad(position)));
  const { page, troubles } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  for (const position of payloads.keys()) {
    await page.goto(`${server.url}/#/main?event=x-${position}`);
    await page.getByRole('complementary', { name: 'Event' }).getByText('Sealed', { exact: true }).waitFor();
    await page.getByText(/^Raw entry/).click();
  }
  await page.goto(
    `${server.url}/#/main/entity/${encodeURIComponent('user/u_1')}?q=${encodeURIComponent(payloads[0]!)}`,
  );
  await page.getByText('record.updated').first().waitFor();
  await picture(page, 'e2e-markup');
  assert.equal(await page.locator('a[href^="javascript:"], iframe, img, script:not([src])').count(), 0);
  assert.deepEqual(troubles, []);
});

test('embedded in a page of another origin, with a token and a filter that it cannot leave', async (context) => {
  const server = await serve(context);
  await server.record(...morning);
  const summary = await fetch(`${server.url}/v1/logs/main`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  const { vkey } = (await summary.json()) as { vkey: string };
  let body = '';
  const host = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end(body);
  });
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  context.after(() => host.close());
  const origin = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
  const request = { log: 'main', filter: 'actor:user/u_ada', origins: [origin] };
  const { token } = await server.post('/v1/viewer-tokens', request);
  body = `<!doctype html><h1>Settings</h1><script type="module" src="${server.url}/embed.js"></script>
    <indelible-viewer log="main" token="${token}" vkey="${vkey}"></indelible-viewer>`;
  const { page, troubles } = await openWindow(browser, context);
  // What the browser keeps of the server's own page must not stand in the way of the embedded one.
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  await page.getByRole('row').filter({ hasText: 'role.assigned' }).locator('.badge.sealed').waitFor();
  await page.goto(origin);
  await page.getByText('role.assigned').click();
  await page.getByRole('complementary', { name: 'Event' }).getByText('Sealed', { exact: true }).waitFor();
  assert.equal(await page.getByText('data.exported').count(), 0);
  await picture(page, 'e2e-embedded');
  assert.deepEqual(troubles, []);
  const addresses = await page.evaluate(() =>
    performance.getEntriesByType('resource').map(({ name }) => name),
  );
  assert.ok(
    addresses.every((address) => !address.includes(String(token))),
    'a token stands in an address',
  );
});
