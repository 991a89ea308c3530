// A file of evidence in real browsers, from the disk, without a network.

import assert from 'node:assert/strict';
import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import { createLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import { cosignerKeyFromSeed, keyTypes, parseCosignerKey, parseNote } from 'indelible/note';
import type { Browser } from 'playwright-core';
import { indelible } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { policyText } from '../support/witness-process.ts';
import { launch, openWindow, picture } from './browser.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const witness = parseCosignerKey(
  cosignerKeyFromSeed('w1.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1)),
);

/** Evidence of a log in which every text is an attack on the page; cosigned, and stamped by somebody whom no page can judge. */
async function page(t: TestContext, events = 30): Promise<{ file: string; vkey: string }> {
  const folder = temporaryFolder(t);
  const dir = path.join(folder, 'audit');
  const log = await createLog(dir, { origin: 'example.com/page', heartbeatMs: 0, warn: () => {} });
  const payload = '</template><script>document.title="owned"</script><img src=x onerror=alert(1)>&lt;';
  await log.recordMany(
    Array.from({ length: events }, (_, index) => ({
      id: `e-${index}`,
      action: 'role.assigned',
      actor: { type: 'user', id: `u_${index % 3}`, name: payload },
      targets: [{ type: 'user', id: 'u_9' }],
      changes: [{ path: '/role', from: 'member', to: payload }],
      reason: index % 100 === 7 ? 'needle in the stack' : 'none',
    })),
  );
  const { vkey } = log;
  const { size, note } = await log.checkpoint();
  await log.close();
  writeFileSync(path.join(dir, 'policy'), policyText(vkey, [{ vkey: witness.key.text }], 1));
  const store = AnchorStore.open(path.join(dir, 'anchors.db'));
  const published = { size, note: utf8Encode(note), at: 0 };
  store.addSignatures(published, [
    witness.cosign(parseNote(published.note).text, BigInt(Math.floor(Date.now() / 1000))),
  ]);
  store.putTimestamp({ ...published, authority: '<b>tsa', token: Uint8Array.of(0x30, 0) });
  store.close();
  const file = path.join(folder, 'case.html');
  const made = indelible(['evidence', '--log', dir, '--query', '', '--reveal', 'all', '--out', file]);
  assert.equal(made.status, 0, made.stderr);
  return { file, vkey };
}

describe('a page of evidence, offline', () => {
  let browser: Browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  test('it checks itself, shows, searches, opens an event, and asks the network for nothing', async (t) => {
    const { file, vkey } = await page(t);
    const { page: tab, context, troubles } = await openWindow(browser, t, { offline: true });
    const asked: string[] = [];
    context.on('request', (request) => asked.push(request.url()));
    await tab.goto(pathToFileURL(file).href);
    await tab.locator('.verdict.open').waitFor();
    assert.match((await tab.textContent('#verdict')) ?? '', /Consistent with the key inside/);
    // First of all it says that it cannot vouch for itself.
    assert.match((await tab.textContent('main section')) ?? '', /A file cannot vouch for itself/);
    assert.equal(await tab.title(), 'Evidence: example.com/page');
    assert.equal(await tab.locator('tbody tr').count(), 31);
    const told = (await tab.textContent('.verdict .pairs')) ?? '';
    assert.match(
      told,
      /witnessed31 entries, by witnesses of the policy inside, which is the operator’s own statement/,
    );
    assert.match(told, /cosigned byw1\.example\+\S+ at 20\d\d-\d\d-\d\dT[\d:]+\.000Z/);
    assert.match(
      told,
      /1 carried, not checked here: <b>tsa up to 31 entries\. .*indelible verify FILE --tsa-ca .*openssl ts -verify/,
    );
    assert.ok(told.includes(`key of the log${vkey} signs from 0 entries on`), told);
    assert.match(told, /found3\d match the query/);
    await tab.fill('#search', 'needle stack');
    await tab.locator('tbody tr').nth(1).waitFor({ state: 'detached' });
    await tab.locator('button.open').first().click();
    await tab.locator('tr.detail').waitFor();
    assert.match(
      (await tab.textContent('tr.detail')) ?? '',
      /before: "?member[\s\S]*after: [\s\S]*owned[\s\S]*Proof/,
    );
    await picture(tab, 'evidence');
    await tab.fill('#vkey', vkey);
    await tab.getByRole('button', { name: 'Check under this key' }).click();
    await tab.locator('.verdict.good').waitFor();
    await tab.fill('#vkey', vkey.replace('example.com/page', 'example.com/other'));
    await tab.getByRole('button', { name: 'Check under this key' }).click();
    await tab.getByRole('alert').filter({ hasText: /\S/ }).waitFor();
    assert.deepEqual(asked, [pathToFileURL(file).href]);
    assert.deepEqual(troubles, []);
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`for a screen reader, on a phone, and printed: ${colorScheme}`, async (t) => {
      const { file } = await page(t);
      const { page: tab, troubles } = await openWindow(browser, t, { offline: true, colorScheme });
      await tab.goto(pathToFileURL(file).href);
      await tab.locator('.verdict.open').waitFor();
      await tab.locator('button.open').first().click();
      await tab.locator('tr.detail').waitFor();
      await tab.evaluate(`${axe}; undefined`);
      for (const width of [1440, 320]) {
        await tab.setViewportSize({ width, height: 900 });
        const { violations } = await tab.evaluate(() =>
          (globalThis as unknown as { axe: { run(of: Document): Promise<AxeResults> } }).axe.run(document),
        );
        assert.deepEqual(
          violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`),
          [],
          `${width} px`,
        );
        const needed = await tab.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(needed <= width, `${needed} px wide in ${width} px`);
      }
      await tab.emulateMedia({ media: 'print' });
      assert.ok(await tab.locator('.instructions').isVisible());
      assert.ok(await tab.locator('#verdict').isVisible());
      assert.equal(await tab.locator('tbody tr:not(.detail):visible').count(), 31);
      assert.deepEqual(troubles, []);
    });
  }

  test('on paper is every row that the search finds, with its details', async (t) => {
    const { file } = await page(t, 230);
    const { page: tab, troubles } = await openWindow(browser, t, { offline: true });
    await tab.goto(pathToFileURL(file).href);
    await tab.locator('.verdict.open').waitFor();
    const drawn = (): Promise<number[]> =>
      tab.evaluate(() =>
        ['tbody tr:not(.detail)', 'tr.detail'].map((of) => document.querySelectorAll(of).length),
      );
    assert.deepEqual(await drawn(), [200, 0]);
    // What stands there once the page itself has heard that it is printed.
    await tab.evaluate(() => {
      const noted = globalThis as unknown as { printed: string[] };
      noted.printed = [];
      addEventListener('beforeprint', () => {
        const details = [...document.querySelectorAll('tr.detail')].map((row) => row.textContent);
        noted.printed.push(`${document.querySelectorAll('tbody tr:not(.detail)').length} ${details.length}`);
        if (!details.every((words) => /SHA-256 of its bytes/.test(words)))
          noted.printed.push('without a proof');
      });
    });
    const pages = async (): Promise<number> =>
      (await tab.pdf()).toString('latin1').match(/\/Type\s*\/Page\b/g)!.length;
    const all = await pages();
    await tab.fill('#search', 'needle');
    await tab.locator('tbody tr').nth(3).waitFor({ state: 'detached' });
    const some = await pages();
    const printed = await tab.evaluate(() => (globalThis as unknown as { printed: string[] }).printed);
    assert.deepEqual(printed, ['231 231', '3 3']);
    assert.ok(all > 30 && some < 10, `${all} and ${some} pages`);
    assert.deepEqual(await drawn(), [3, 0]);
    await tab.fill('#search', '');
    await tab.locator('tbody tr').nth(199).waitFor();
    assert.deepEqual(await drawn(), [200, 0]);
    assert.deepEqual(troubles, []);
  });

  test('one byte that was changed: it is refused', async (t) => {
    const { file } = await page(t);
    const bytes = readFileSync(file);
    const at = bytes.indexOf('"made":{"at":"20') + 14;
    bytes[at] = '3'.charCodeAt(0);
    writeFileSync(file, bytes);
    const { page: tab, troubles } = await openWindow(browser, t, { offline: true });
    await tab.goto(pathToFileURL(file).href);
    await tab.locator('.verdict.bad').waitFor();
    assert.match((await tab.textContent('.findings')) ?? '', /evidence_altered/);
    assert.deepEqual(troubles, []);
    assert.equal(indelible(['verify', file]).status, 1);
  });

  test('a program that was changed does not run; the command line knows the page no more', async (t) => {
    const { file, vkey } = await page(t);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('Verified under the key', 'verified under the key'));
    const { page: tab } = await openWindow(browser, t, { offline: true });
    await tab.goto(pathToFileURL(file).href);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await tab.locator('.verdict').count(), 0);
    const { status, stdout } = indelible(['verify', file, '--vkey', vkey]);
    assert.equal(status, 1);
    assert.match(stdout, /page_unknown/);
  });
});

test('the page in Firefox, from the disk', { skip: whyNoFirefox(), timeout: 120_000 }, async (t) => {
  const { file } = await page(t);
  const puppeteer = (await import('puppeteer-core')).default;
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: firefox()!, headless: true });
  t.after(() => browser.close());
  const tab = await browser.newPage();
  await tab.goto(pathToFileURL(file).href);
  await tab.waitForSelector('.verdict.open', { timeout: 60_000 });
  const verdict = await tab.$eval('#verdict', (heading) => heading.textContent);
  assert.match(verdict ?? '', /Consistent with the key inside/);
  assert.equal((await tab.$$('tbody tr')).length, 31);
});

function firefox(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders
    .flatMap((folder) => ['firefox-esr', 'firefox'].map((name) => path.join(folder, name)))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function whyNoFirefox(): string | false {
  return firefox() === undefined ? 'there is no Firefox here (Debian: firefox-esr)' : false;
}
