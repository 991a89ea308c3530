// A real Chromium.

import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import sparticuz from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { projectRoot } from '../project/source-tree.ts';

/** The Chromium of this machine, or the one from npm. */
async function executable(): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      try {
        accessSync(path.join(folder, name), constants.X_OK);
        return path.join(folder, name);
      } catch {
        // Not here.
      }
    }
  }
  return sparticuz.executablePath();
}

/** A browser for the tests of one file. */
export async function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: await executable(), args: ['--no-sandbox'] });
}

/** A window that keeps count of everything that should not happen in it. */
export interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Scripts that failed, and what the content security policy refused. */
  readonly troubles: string[];
}

/** A window of its own, with an empty profile. */
export async function openWindow(browser: Browser, test: TestContext, options: object = {}): Promise<Window> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  test.after(() => context.close());
  // How long is waited for what has to come: a machine that is busy with other tests takes its time.
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  await context.exposeBinding('reportTrouble', (_, text: string) => void troubles.push(text));
  await context.addInitScript(() => {
    const report = (globalThis as unknown as { reportTrouble(text: string): void }).reportTrouble;
    document.addEventListener('securitypolicyviolation', (event) => {
      report(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  page.on('pageerror', (error) => troubles.push(`script: ${error.message}`));
  page.on('dialog', (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, context, troubles };
}

/** Keeps a picture for a person to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = path.join(projectRoot, 'test-artifacts');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
