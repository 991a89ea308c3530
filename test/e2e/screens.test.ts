// The other screens, each against the real server: live tail, counts, integrity, exports.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { after, before, type TestContext } from 'node:test';
import type { Verification } from 'indelible/wire';
import type { Browser, Page } from 'playwright-core';
import { indelible } from '../cli/cli-process.ts';
import { type Served, serve } from '../support/served.ts';
import { launch, openWindow, picture } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const ada = { type: 'user', id: 'u_ada', name: 'Ada Example' };

async function open(context: TestContext, server: Served): Promise<{ page: Page; troubles: string[] }> {
  const { page, troubles } = await openWindow(browser, context);
  await page.goto(server.link);
  await page.getByRole('link', { name: 'Integrity' }).waitFor();
  return { page, troubles };
}

test('an event that is recorded while the page is open appears in it, and is verified', async (context) => {
  const server = await serve(context);
  await server.record({ id: 'e-1', action: 'user.signed_in', actor: ada });
  const { page, troubles } = await open(context, server);
  await page.getByText('user.signed_in').waitFor();
  await page.evaluate(() => document.body.setAttribute('data-same-page', ''));
  await page.getByRole('button', { name: 'Live' }).click();
  await page.locator('.live.live[aria-pressed="true"]:not(.connecting, .waiting)').waitFor();
  await server.record({ id: 'e-2', action: 'invoice.approved', actor: ada });
  const row = page.getByRole('row').filter({ hasText: 'invoice.approved' });
  await row.locator('.badge.sealed').waitFor();
  assert.equal(await page.locator('body[data-same-page]').count(), 1);
  await picture(page, 'e2e-live');
  assert.deepEqual(troubles, []);
});

test('the histogram counts what was recorded, and brushing it narrows the time', async (context) => {
  const server = await serve(context);
  // Bars begin at round hours: the two oldest lie so far apart that each has its own at any time of day.
  const hours = [0, 1, 2, 30, 60];
  const at = (hour: number): string => new Date(Date.now() - hour * 3_600_000).toISOString();
  await server.record(
    ...hours.map((hour, position) => ({
      ...{ id: `h-${position}`, action: 'user.signed_in', actor: ada, occurredAt: at(hour) },
      outcome: hour === 30 ? 'denied' : 'success',
    })),
  );
  const { page, troubles } = await open(context, server);
  const bars = page.getByRole('slider', { name: /^Events over time/ });
  await bars.waitFor();
  const titles = await bars.locator('title').allTextContents();
  assert.ok(titles.some((title) => title.endsWith('1 not successful')));
  const filled = titles.flatMap((title, at) => (title.startsWith('0 ') ? [] : [at]));
  assert.ok(titles.length > 10, 'the hours of nothing are there, too');
  const { x, y, width } = (await bars.boundingBox())!;
  const middleOf = (bar: number): number => x + (width * (bar + 0.5)) / titles.length;
  await page.mouse.move(middleOf(filled[0]!), y + 20);
  await page.mouse.down();
  await page.mouse.move(middleOf(filled[1]!), y + 20, { steps: 4 });
  await page.mouse.up();
  await page.getByRole('button', { name: /^Remove the filter before:/ }).waitFor();
  await page.getByText(/^2 events · /).waitFor();
  assert.match(page.url(), /q=after/);
  await page.getByRole('row').filter({ hasText: 'user.signed_in' }).nth(2).waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('row').filter({ hasText: 'user.signed_in' }).count(), 2);
  await page.getByRole('button', { name: 'Clear all' }).click();
  await bars.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: /^Remove the filter before:/ }).waitFor();
  assert.deepEqual(troubles, []);
});

test("the integrity page tells the server's audit apart from its own check, and who could still do what", async (context) => {
  const server = await serve(context);
  await server.record({ id: 'e-1', action: 'user.signed_in', actor: ada });
  await server.post('/v1/logs/main/verification', {});
  const { page, troubles } = await open(context, server);
  await page.getByRole('link', { name: 'Integrity' }).click();
  await page.getByRole('heading', { name: 'What this browser found' }).waitFor();
  const audit = page.getByText('Last whole audit').locator('..');
  await audit.getByText('Intact').waitFor();
  await page.getByText('No source has a gap').waitFor();
  const exposure = page.getByRole('table').filter({ hasText: 'whoever holds the signing key' });
  const report = await fetch(`${server.url}/v1/logs/main/verification`, {
    headers: { authorization: `Bearer ${server.key}` },
  });
  const { layers, exposure: rows } = ((await report.json()) as Verification).tier;
  const openCount = rows.filter(({ answered }) => answered === 'none').length;
  assert.ok(openCount > 0);
  assert.equal(await exposure.getByText('Open', { exact: true }).count(), openCount);
  const partCount = rows.filter(({ answered }) => answered === 'part').length;
  assert.ok(partCount > 0, 'the disk: mark and audit');
  assert.equal(await exposure.getByText('In part', { exact: true }).count(), partCount);
  for (const { who, unseen } of rows)
    await exposure.getByRole('row').filter({ hasText: who }).getByText(unseen).last().waitFor();
  const vouchers = page.getByRole('table').filter({ hasText: 'time-stamped' }).filter({ hasText: 'chained' });
  for (const { says } of layers) await vouchers.getByText(says).waitFor();
  assert.equal(await vouchers.getByText('Yes', { exact: true }).count(), 2, 'chained and signed');
  await page.getByText('nobody outside of the operator vouches').waitFor();
  assert.deepEqual(troubles, []);
});

test('the export dialog downloads what the list is about, as JSON lines and as CSV', async (context) => {
  const server = await serve(context);
  await server.record(
    { id: 'e-1', action: 'user.signed_in', actor: ada },
    { id: 'e-2', action: 'role.assigned', actor: { ...ada, name: '=1+1' } },
  );
  const { page, troubles } = await open(context, server);
  const search = page.getByRole('combobox', { name: 'Search events' });
  await search.fill('action:role.*');
  await search.press('Enter');
  await page.getByText(/^1 event · /).waitFor();
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Export' });
  const download = async (): Promise<{ name: string; text: string }> => {
    const started = page.waitForEvent('download');
    await dialog.getByRole('link', { name: 'Download' }).click();
    const file = await started;
    return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
  };
  const lines = await download();
  assert.equal(lines.name, 'main.jsonl');
  assert.deepEqual(
    lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).id),
    ['e-2'],
  );
  await picture(page, 'e2e-export');
  await dialog.getByText('CSV').click();
  const table = await download();
  assert.equal(table.name, 'main.csv');
  assert.match(table.text, /e-2/);
  assert.doesNotMatch(table.text, /e-1|(^|[,"])=1\+1/m);
  assert.deepEqual(troubles, []);
});

test('Logs and Keys keep the chosen log in their address; nothing of the page is wider than a phone', async (context) => {
  const server = await serve(context);
  await server.post('/v1/logs', { name: 'second' });
  const { page, troubles } = await open(context, server);
  await page.getByRole('combobox', { name: 'Log', exact: true }).selectOption('second');
  await page.getByRole('link', { name: 'Keys' }).click();
  await page.getByRole('heading', { name: 'API keys' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'API keys' }).waitFor();
  assert.equal(await page.getByRole('combobox', { name: 'Log', exact: true }).inputValue(), 'second');
  await page.setViewportSize({ width: 390, height: 844 });
  for (const name of ['Events', 'Integrity', 'Logs', 'Keys']) {
    await page.getByRole('link', { name, exact: true }).click();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 390, `${name} is ${width} wide`);
    await picture(page, `e2e-narrow-${name.toLowerCase()}`);
  }
  assert.deepEqual(troubles, []);
});

test('an erasure is listed with how it stands, a hold is placed and released, and erased values bear a badge', async (context) => {
  const server = await serve(context);
  await server.record(
    { id: 'p-1', action: 'user.signed_in', actor: ada },
    { id: 'p-2', action: 'user.left', actor: ada },
  );
  const { page, troubles } = await open(context, server);
  await page.goto(`${server.url}/#/main/privacy`);
  await page.getByText('No hold is in force.').waitFor();
  await page.getByText('None was asked for.').waitFor();
  await page.getByLabel('Name', { exact: true }).fill('case-17');
  await page.getByLabel('Subject', { exact: true }).fill('user/u_ada');
  await page.getByRole('button', { name: 'Place hold' }).click();
  const hold = page.getByRole('row').filter({ hasText: 'case-17' });
  await hold.getByText('subject user/u_ada').waitFor();
  await hold.getByRole('button', { name: 'Release case-17' }).click();
  await page.getByText('No hold is in force.').waitFor();
  await picture(page, 'e2e-privacy');
  const erase = ['erase', '--log', `${server.data}/logs/main`, '--subject', 'user/u_ada'];
  const done = indelible([...erase, '--basis', 'gdpr-17', '--request', 'R-1', '--approved-by', 'p_1,p_2']);
  assert.equal(done.status, 0, done.stderr);
  await page.goto(`${server.url}/#/main`);
  await page.reload();
  const row = page.getByRole('row').filter({ hasText: 'user.signed_in' });
  await row.locator('.badge.erased').waitFor();
  assert.equal(await row.getByText('Ada Example').count(), 0);
  assert.deepEqual(troubles, []);
});
