// Signing in by a provider, with a real browser that goes there and comes back.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { after, before } from 'node:test';
import type { Browser } from 'playwright-core';
import { CLIENT_ID, CLIENT_SECRET, startProvider } from '../http/openid-provider.ts';
import { temporaryFolder } from '../support/folders.ts';
import { serve } from '../support/served.ts';
import { launch, openWindow, picture } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

test('the button leads to the provider and back to the place in the viewer where it was pressed', async (context) => {
  const provider = await startProvider(context);
  const secret = path.join(temporaryFolder(context), 'secret');
  writeFileSync(secret, CLIENT_SECRET);
  const server = await serve(context, {
    flags: [
      ...['--oidc-issuer', provider.issuer, '--oidc-client-id', CLIENT_ID],
      ...['--oidc-client-secret-file', secret, '--oidc-grant', 'groups=auditors:read,audit@main'],
    ],
  });
  await server.record({ id: 'e-1', action: 'role.assigned', actor: { type: 'user', id: 'u_ada' } });
  const { page, troubles } = await openWindow(browser, context);
  await page.goto(`${server.url}/#/main?q=action%3Arole.*&event=e-1`);
  await page.getByText('You are not signed in.').waitFor();
  await picture(page, 'e2e-sign-in');
  await page.getByRole('link', { name: /^Sign in with/ }).click();
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByText('Sealed', { exact: true }).waitFor();
  assert.match(page.url(), /#\/main\?q=action%3Arole\.\*&event=e-1$/);
  assert.ok(provider.asked.some((line) => line.startsWith('POST /token')));
  // What is searched for is in nobody's log.
  assert.ok(!provider.asked.some((line) => line.includes('role')));
  assert.equal(await page.getByRole('link', { name: 'Keys' }).count(), 0, 'an auditor has no keys to manage');
  assert.deepEqual(troubles, []);
});

test('whom no grant fits is told so, and stays outside', async (context) => {
  const provider = await startProvider(context, { claims: (claims) => ({ ...claims, groups: ['guests'] }) });
  const secret = path.join(temporaryFolder(context), 'secret');
  writeFileSync(secret, CLIENT_SECRET);
  const server = await serve(context, {
    flags: [
      ...['--oidc-issuer', provider.issuer, '--oidc-client-id', CLIENT_ID],
      ...['--oidc-client-secret-file', secret, '--oidc-grant', 'groups=auditors:read,audit@main'],
    ],
  });
  const { page } = await openWindow(browser, context);
  await page.goto(server.url);
  const link = page.getByRole('link', { name: /^Sign in with/ });
  const answered = page.waitForResponse((response) => response.url().includes('/sign-in/callback'));
  await link.click();
  assert.equal((await answered).status(), 403);
  await picture(page, 'e2e-sign-in-refused');
  const cookies = await page.context().cookies(server.url);
  assert.ok(!cookies.some(({ name }) => name === '__Host-indelible'), 'no session was opened');
});
