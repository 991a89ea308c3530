// The client in a real browser, out of the files that are published: behind an application that passes calls on to the server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, request as passOn } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test, { after, before, type TestContext } from 'node:test';
import type { Browser } from 'playwright-core';
import { projectRoot } from '../project/source-tree.ts';
import { type Served, serve } from '../support/served.ts';
import { launch, openWindow } from './browser.ts';

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const { imports } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8')) as {
  imports: Record<string, { default: string }>;
};

/** What a bundler for the browser would do with the names of modules. */
const importMap = {
  imports: {
    ...Object.fromEntries(
      Object.entries(imports).flatMap(([name, { default: file }]) =>
        file === undefined ? [] : [[name, file.slice(1)]],
      ),
    ),
    'indelible/client': '/dist/client/index.js',
    '@noble/': '/node_modules/@noble/',
  },
};

/** An application: a page, the published files, and the server's API under its own origin. It holds the key, the page does not. */
async function application(context: TestContext, { url, key }: Served): Promise<string> {
  const server = createServer((request, response) => {
    const target = request.url ?? '/';
    if (target.startsWith('/v1/') || target.startsWith('/logs/')) {
      const { origin: _, referer: __, host: ___, ...headers } = request.headers;
      const sent = { ...headers, authorization: `Bearer ${key}` };
      const asked = passOn(`${url}${target}`, { method: request.method, headers: sent }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      asked.on('error', () => response.destroy());
      request.pipe(asked);
    } else if (target === '/') {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(
        `<!doctype html><title>An application</title><script type="importmap">${JSON.stringify(importMap)}</script>`,
      );
    } else if (/^\/(dist|node_modules\/@noble)\/[\w./-]+\.js$/.test(target) && !target.includes('..')) {
      response.setHeader('content-type', 'text/javascript; charset=utf-8');
      response.end(readFileSync(path.join(projectRoot, target)));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('records, reads, proves and verifies in a page, and keeps the checkpoint between visits', async (context) => {
  const server = await serve(context);
  const headers = { authorization: `Bearer ${server.key}` };
  const { vkey } = (await (await fetch(`${server.url}/v1/logs/main`, { headers })).json()) as {
    vkey: string;
  };
  const origin = await application(context, server);
  const { page, troubles } = await openWindow(browser, context);
  await page.goto(origin);
  const visit = (trusted: string) =>
    page.evaluate(async (key) => {
      // Resolved by the page's import map, not by this file.
      const name = 'indelible/client';
      const { AuditClient } = (await import(name)) as typeof import('indelible/client');
      const state = {
        checkpoints: {
          read: () => localStorage.getItem('checkpoint') ?? undefined,
          write: (note: string, before: string | undefined) => {
            if ((localStorage.getItem('checkpoint') ?? undefined) !== before) return false;
            localStorage.setItem('checkpoint', note);
            return true;
          },
        },
      };
      const log = new AuditClient({
        url: location.origin,
        key: 'ind_held-by-the-application',
        vkey: key,
        state,
        heartbeatMs: 0,
      });
      try {
        const receipt = await log.record({
          action: 'document.signed',
          actor: { type: 'user', id: 'u_42', email: 'jane@example.com' },
        });
        const event = await log.get(receipt.id);
        const found: string[] = [];
        for await (const { action } of log.query('actor:user/u_42')) found.push(action);
        const { proof } = await log.prove(receipt);
        return { index: receipt.index, email: event?.actor['email'], found, proof: proof.split('\n')[0] };
      } catch (error) {
        return { code: (error as { code?: string }).code };
      } finally {
        await log.close();
      }
    }, trusted);
  const first = await visit(vkey);
  assert.equal(first.email, 'jane@example.com');
  assert.deepEqual(first.found, ['document.signed']);
  assert.equal(first.proof, 'c2sp.org/tlog-proof@v1');
  const kept = await page.evaluate(() => localStorage.getItem('checkpoint'));
  assert.match(kept ?? '', /^localhost\/main\n/);
  await page.reload();
  assert.equal((await visit(vkey)).found?.length, 2);
  // Another key of the same name: nothing that this server signs is believed.
  const other = await serve(context);
  const theirs = (await (
    await fetch(`${other.url}/v1/logs/main`, { headers: { authorization: `Bearer ${other.key}` } })
  ).json()) as { vkey: string };
  await page.evaluate(() => localStorage.clear());
  assert.ok(['signature_unknown', 'signature_invalid'].includes((await visit(theirs.vkey)).code ?? ''));
  assert.deepEqual(troubles, []);
});
