// examples/saas in a real Chromium: two tenants, a failed sign-in, a refused action, a role, a void invoice; then what the viewer of
// the operator and the embedded one of a tenant say of it, what is out of reach, and `indelible verify`.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before, type TestContext } from 'node:test';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { program } from '../cli/cli-process.ts';
import { run } from '../project/scratch.ts';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';
import { launch, openWindow, picture } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const password = 'correct horse battery';

/** The application as a process of its own. */
async function startApp(context: TestContext) {
  const data = path.join(temporaryFolder(context), 'saas');
  const child = spawn(process.execPath, ['examples/saas/main.ts', data, '0'], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  context.after(() => void child.kill('SIGKILL'));
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  while (!/open\?link=\S+\n/.test(said)) {
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    assert.equal(child.exitCode, null, said);
  }
  const [origin = ''] = said.split('\n');
  const link = /http\S+\/open\?link=\S+/.exec(said)![0];
  const stop = async (): Promise<void> => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  };
  return { data, origin, link, said: () => said, stop };
}

async function fill(page: Page, fields: Record<string, string>, button: string): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await page.getByRole('button', { name: button, exact: true }).click();
}

const signUp = async (page: Page, origin: string, name: string, company: string): Promise<void> => {
  await page.goto(`${origin}/sign-up`);
  const email = `${name.toLowerCase()}@example.com`;
  await fill(
    page,
    { Company: company, 'Your name': name, 'E-mail': email, Password: password },
    'Open the account',
  );
  await page.getByRole('heading', { name: 'Invoices' }).waitFor();
};

/** The page as a person at a desk and one with a telephone see it; and what axe has to say. */
async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [1280, 375]) {
      await page.setViewportSize({ width, height: 800 });
      const isWider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(isWider, false, `${name} is wider than ${width}`);
      await picture(page, `saas-${name}-${width}-${colorScheme}`);
    }
    // By the protocol of the browser's tools, which no policy of the page's stands in the way of.
    await page.evaluate(axe.source);
    const found = await page.evaluate(async () => {
      const { axe: inPage } = globalThis as unknown as { axe: typeof axe };
      const { violations } = await inPage.run({ exclude: ['indelible-viewer'] });
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    });
    assert.deepEqual(found, [], `${name} in ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 800 });
}

/** The line of the list that has a text; open, with its sentence and its badge. */
async function mustSay(page: Page, action: string, sentence: string | RegExp): Promise<void> {
  await page.getByRole('row').filter({ hasText: action }).first().click();
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByRole('heading', { name: sentence }).waitFor();
  await drawer.getByText('Sealed', { exact: true }).waitFor();
}

const tenantsIn = (data: string): { acme: string; birch: string } => {
  const names = readdirSync(path.join(data, 'audit/logs'));
  const find = (word: string) => names.find((name) => name.startsWith(word))!;
  return { acme: find('acme'), birch: find('birch') };
};

test('the story of two tenants, as the pages, the viewers and verify tell it', async (context) => {
  const app = await startApp(context);
  const { page: ada, troubles } = await openWindow(browser, context);
  const { page: ben } = await openWindow(browser, context);
  const { page: cleo, troubles: hers } = await openWindow(browser, context);

  await ada.goto(app.origin);
  await ada.getByRole('heading', { name: 'Sign in' }).waitFor();
  await look(ada, 'sign-in');
  await signUp(ada, app.origin, 'Ada', 'Acme & Sons');
  await ada.getByRole('button', { name: 'Sign out' }).click();
  await fill(ada, { 'E-mail': 'ada@example.com', Password: 'wrong horse wrong' }, 'Sign in');
  await ada.getByRole('alert').getByText('belong together').waitFor();
  await fill(ada, { 'E-mail': 'ada@example.com', Password: password }, 'Sign in');
  await look(ada, 'invoices');
  const lumen = ada.getByRole('listitem').filter({ hasText: 'Lumen Studio' });
  const stillOpen = await lumen.locator('code').textContent();
  await ada.getByRole('link', { name: 'People' }).click();
  await fill(ada, { 'E-mail': 'ben@example.com' }, 'Make a link');
  const invitation = (await ada.locator('#link').textContent())!.trim();
  await ben.goto(invitation);
  await fill(ben, { 'Your name': 'Ben', Password: password }, 'Join');

  // A member may not, and is told so.
  const firstInvoice = ben.getByRole('listitem').filter({ hasText: 'Harbour Bakery' });
  const voidIt = async (): Promise<void> => {
    await firstInvoice.getByRole('textbox').fill('Sent twice.');
    await firstInvoice.getByRole('button', { name: 'Void' }).click();
  };
  await voidIt();
  await ben.getByRole('heading', { name: 'You may not void invoices' }).waitFor();
  await look(ben, 'denied');
  await ada.goto(`${app.origin}/people`);
  await ada.getByLabel('Role of Ben').selectOption('accountant');
  await fill(ada, { 'Why Ben gets this role': 'Keeps the books.' }, 'Change');
  await ada
    .getByRole('listitem')
    .filter({ hasText: 'ben@example.com' })
    .locator('.state')
    .getByText('accountant')
    .waitFor();
  await look(ada, 'people');
  await ben.goto(app.origin);
  await voidIt();
  await firstInvoice.locator('.state').getByText('void').waitFor();
  await ben.getByRole('button', { name: 'Sign out' }).click();
  await signUp(cleo, app.origin, 'Cleo', 'Birch Ltd');

  const { acme, birch } = tenantsIn(app.data);
  await context.test('the embedded viewer of a tenant shows theirs, verified, and nothing else', async () => {
    await ada.getByRole('link', { name: 'Audit log' }).click();
    await ada
      .getByRole('row')
      .filter({ hasText: 'invoice.voided' })
      .first()
      .locator('.badge.sealed')
      .waitFor();
    await look(ada, 'audit');
    await mustSay(ada, 'role.assigned', 'Ada gave a new role to Ben.');
    assert.equal(await ada.getByText('Cleo').count(), 0);
    await cleo.getByRole('link', { name: 'Audit log' }).click();
    await cleo.getByRole('row').filter({ hasText: 'user.signed_in' }).first().waitFor();
    const text = await cleo.locator('indelible-viewer').evaluate(({ shadowRoot }) => shadowRoot!.textContent);
    assert.match(text, /Cleo/);
    assert.doesNotMatch(text, /Ada|Ben|invoice\.voided/);
    assert.deepEqual([...troubles, ...hers], []);
  });

  await context.test("another tenant's events, invoices and people are out of reach", async () => {
    const viewer = cleo.locator('indelible-viewer');
    const server = new URL((await cleo.locator('script').getAttribute('src'))!).origin;
    const headers = { authorization: `Bearer ${await viewer.getAttribute('token')}`, origin: app.origin };
    const get = (target: string) => fetch(`${server}${target}`, { headers });
    assert.equal((await get(`/v1/logs/${birch}/events`)).status, 200);
    for (const target of ['', '/events', '/checkpoint', '/tile/0/000', '/export']) {
      assert.equal((await get(`/v1/logs/${acme}${target}`)).status, 404, target);
    }
    assert.equal((await get('/v1/logs/platform/events')).status, 404);
    assert.notEqual((await fetch(`${server}/v1/logs/${acme}/events`)).status, 200, 'without a token');
    const elsewhere = { ...headers, origin: 'http://evil.example' };
    assert.notEqual((await fetch(`${server}/v1/logs/${birch}/events`, { headers: elsewhere })).status, 200);
    await viewer.evaluate((element, log) => element.setAttribute('log', log), acme);
    await cleo
      .getByText(/not found|no such|404|There is no/i)
      .first()
      .waitFor();
    assert.equal(await cleo.getByText('invoice.voided').count(), 0);
    const cookie = (await cleo.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const post = (target: string, form: Record<string, string>, origin = app.origin) =>
      fetch(`${app.origin}${target}`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie, origin },
        body: new URLSearchParams(form),
      });
    assert.equal((await post(`/invoices/${stillOpen}/void`, { reason: 'hers' })).status, 404);
    assert.equal(
      (await post('/people/invite', { email: 'x@example.com' }, 'http://evil.example')).status,
      403,
    );
  });

  await context.test('the viewer of the operator tells the story in sentences, each verified', async () => {
    const { page, troubles: theirs } = await openWindow(browser, context);
    await page.goto(app.link);
    await page.getByRole('link', { name: 'Integrity' }).waitFor();
    await page.goto(`${new URL(page.url()).origin}/#/${acme}`);
    await mustSay(page, 'invoice.voided', /^Ben voided the invoice in_[0-9a-f]{8}\.$/);
    const drawer = page.getByRole('complementary', { name: 'Event' });
    await drawer.locator('blockquote').getByText('Sent twice.').waitFor();
    await picture(page, 'saas-operator');
    await mustSay(page, 'role.assigned', 'Ada gave a new role to Ben.');
    await mustSay(page, 'user.sign_in_failed', 'Ada tried to sign in (denied).');
    await mustSay(page, 'user.invited', 'Ada invited ben@example.com.');
    await mustSay(page, 'user.signed_out', 'Ben signed out.');
    await page.goto(`${new URL(page.url()).origin}/#/${acme}?q=outcome%3Adenied%20action%3Ainvoice.voided`);
    await mustSay(page, 'invoice.voided', /^Ben voided the invoice in_[0-9a-f]{8} \(denied\)\.$/);
    await page.goto(`${new URL(page.url()).origin}/#/${birch}`);
    await mustSay(page, 'user.signed_in', 'Cleo signed in.');
    assert.deepEqual(theirs, []);
  });

  await context.test('verify passes for each log, by the key that the application keeps', async () => {
    await app.stop();
    for (const name of [acme, birch, 'platform']) {
      const folder = path.join(app.data, 'audit/logs', name);
      const vkey = readFileSync(path.join(folder, 'log.vkey'), 'utf8').trim();
      const verified = run(process.execPath, [program, 'verify', folder, '--vkey', vkey], projectRoot);
      assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    }
  });
});
