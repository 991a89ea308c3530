// Every screen, light and dark, wide and as narrow as a phone, under axe-core's rules for WCAG 2.2 AA.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import test, { after, before } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { type Served, serve } from '../support/served.ts';
import { launch, openWindow, picture } from './browser.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The narrowest that WCAG 2.2 asks for (1.4.10, reflow). */
const NARROW_PX = 320;

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const ada = { type: 'user', id: 'u_ada', name: 'Ada Example' };
const events = [
  {
    id: 'a-1',
    action: 'user.signed_in',
    actor: ada,
    context: { ip: '203.0.113.7', userAgent: 'Mozilla/5.0' },
  },
  {
    id: 'a-2',
    action: 'role.assigned',
    actor: ada,
    severity: 'high',
    targets: [{ type: 'user', id: 'u_ben', name: 'Ben Example', href: 'https://example.com/users/u_ben' }],
    changes: [
      { path: '/role', from: 'reader', to: 'administrator' },
      { path: '/limits/an-attribute-with-a-rather-long-name', to: 'x'.repeat(120) },
    ],
    reason: 'She stands in for somebody who is away.',
    metadata: { nested: { list: [1, 2, { deep: true }] } },
  },
  {
    id: 'a-3',
    action: 'data.exported',
    actor: { type: 'service', id: 'a-service-with-an-identifier-that-does-not-want-to-end-0123456789' },
    outcome: 'denied',
    severity: 'critical',
    error: { code: 'FORBIDDEN', message: 'Not allowed.' },
  },
];

/** Each screen, and what shows that it is there. */
const screens: Readonly<Record<string, (page: Page, server: Served) => Promise<void>>> = {
  events: async (page) => {
    await page.getByRole('row').filter({ hasText: 'role.assigned' }).locator('.badge.sealed').waitFor();
  },
  'an event': async (page, { url }) => {
    await page.goto(`${url}/#/main?event=a-2`);
    await page.getByRole('complementary', { name: 'Event' }).getByText('Sealed', { exact: true }).waitFor();
  },
  'a search without an answer': async (page, { url }) => {
    await page.goto(`${url}/#/main?q=action%3Anothing.of_the_kind`);
    await page
      .getByText(/No event/)
      .first()
      .waitFor();
  },
  'the timeline of somebody': async (page, { url }) => {
    await page.goto(`${url}/#/main/entity/${encodeURIComponent('user/u_ada')}`);
    await page
      .getByRole('heading', { name: /Ada Example/, level: 1 })
      .first()
      .waitFor();
  },
  integrity: async (page) => {
    await page.getByRole('link', { name: 'Integrity' }).click();
    await page
      .getByRole('heading', { name: /could still/i })
      .first()
      .waitFor();
  },
  privacy: async (page) => {
    await page.getByRole('link', { name: 'Privacy' }).click();
    await page.getByText('No hold is in force.').waitFor();
  },
  logs: async (page) => {
    await page.getByRole('link', { name: 'Logs', exact: true }).click();
    await page.getByRole('heading', { name: 'Logs' }).waitFor();
  },
  keys: async (page) => {
    await page.getByRole('link', { name: 'Keys' }).click();
    await page.getByRole('heading', { name: 'API keys' }).waitFor();
  },
  'the export dialog': async (page) => {
    await page.getByRole('row').filter({ hasText: 'role.assigned' }).waitFor();
    await page.getByRole('button', { name: /Export/ }).click();
    await page.getByRole('dialog').waitFor();
  },
  help: async (page) => {
    await page.getByRole('row').filter({ hasText: 'role.assigned' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
  },
};

async function broken(page: Page): Promise<string[]> {
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: { run(of: Document, options: object): Promise<AxeResults> } }).axe.run(
      document,
      {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
      },
    ),
  );
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join(' | ')}`,
  );
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`in the ${colorScheme}, no screen breaks a rule, nor is wider than a phone`, async (context) => {
    const server = await serve(context);
    await server.record(...events);
    const { page, troubles } = await openWindow(browser, context);
    await page.emulateMedia({ colorScheme });
    await page.goto(server.link);
    await page.getByRole('link', { name: 'Integrity' }).waitFor();
    const found: string[] = [];
    for (const [name, go] of Object.entries(screens)) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.goto(`${server.url}/#/main`);
      await page.reload();
      await go(page, server);
      await page.evaluate(`${axe}; undefined`);
      for (const width of [1280, NARROW_PX]) {
        await page.setViewportSize({ width, height: 900 });
        for (const problem of await broken(page)) found.push(`${name}, ${width} px: ${problem}`);
        const needed = await page.evaluate(() => document.documentElement.scrollWidth);
        if (needed > width) found.push(`${name}: ${needed} px wide in ${width} px`);
        await picture(page, `a11y-${colorScheme}-${width}-${name.replaceAll(' ', '-')}`);
      }
    }
    assert.deepEqual(found, []);
    assert.deepEqual(troubles, []);
  });
}
