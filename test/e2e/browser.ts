// A real Chromium, and a real server for it to look at.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import sparticuz from '@sparticuz/chromium';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';

const SERVER_START_MS = 30_000;

/** A server of its own for one test, with an empty log `main`. */
export interface Served {
  readonly url: string;
  readonly data: string;
  readonly key: string;
  /** Opens the viewer, once. */
  readonly link: string;
  record(...events: readonly object[]): Promise<void>;
  post(path: string, body: object): Promise<Record<string, unknown>>;
}

/** Starts `indelible serve` as a process, and reads from its output what a person would. */
export async function serve(context: TestContext): Promise<Served> {
  const data = path.join(temporaryFolder(context), 'data');
  const args = [path.join(projectRoot, 'dist/cli/main.js'), 'serve', '--data', data, '--port', '0'];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  context.after(() => stop(server));
  const text = await outputWith(server, /Key [^\n]*ind_\S+\n/);
  const link = /http\S+\/open\?link=\S+/.exec(text)![0];
  const key = /ind_[A-Za-z0-9_-]+/.exec(text)![0];
  const url = new URL(link).origin;
  const post = async (route: string, body: object): Promise<Record<string, unknown>> => {
    const answer = await fetch(`${url}${route}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const value = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
  };
  const record = async (...events: readonly object[]): Promise<void> => {
    const { results } = await post('/v1/logs/main/events', events);
    const refused = (results as { ok: boolean }[]).filter(({ ok }) => !ok);
    if (refused.length > 0) throw new Error(JSON.stringify(refused));
  };
  return { url, data, key, link, record, post };
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
}

function outputWith(server: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const fail = (): void => reject(new Error(`the server did not start:\n${text}`));
    const timer = setTimeout(fail, SERVER_START_MS);
    const read = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      clearTimeout(timer);
      resolve(text);
    };
    server.stdout?.on('data', read);
    server.stderr?.on('data', read);
    server.once('exit', fail);
  });
}

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
  context.setDefaultTimeout(10_000);
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
