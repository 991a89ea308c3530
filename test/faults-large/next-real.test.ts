// A real Next.js: an application with a route handler and a server action, built and started, without a network. It takes half a
// minute, most of which is its compiler's.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { openLog } from 'indelible';
import { expectRecorded } from 'indelible/testing';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';

const files: Readonly<Record<string, string>> = {
  'package.json': '{ "name": "app", "private": true, "type": "module" }',
  'next.config.mjs': "export default { serverExternalPackages: ['indelible'] };",
  'app/layout.jsx':
    'export default function Layout({ children }) { return <html lang="en"><body>{children}</body></html>; }',
  'app/sent/page.jsx': 'export default function Page() { return <p>sent</p>; }',
  'app/page.jsx': `
    import { sendInvoice } from './actions.js';
    export default function Page() {
      return <form action={sendInvoice}><input name="id" /><input name="reason" /><button>Send</button></form>;
    }`,
  'audit.js': `
    import { openLog } from 'indelible';
    import { auditNext } from 'indelible/next';
    import { headers } from 'next/headers';
    // Opened at the first event: a build loads this file too.
    const open = () => (globalThis.auditLog ??= openLog(process.env.AUDIT_DIR, { createIfMissing: { origin: 'example.com/audit' } }));
    export const log = { record: async (event) => (await open()).record(event) };
    export const audit = auditNext({
      log, headers, trustedProxies: 1, calls: { body: ['reason'] },
      actor: (given) => given.get('x-user') === null ? undefined : { type: 'user', id: given.get('x-user') },
    });`,
  'app/invoices/[id]/void/route.js': `
    import { audit, log } from '../../../../audit.js';
    export const POST = audit.route('/invoices/[id]/void', async (_request, { params }) => {
      const { id } = await params;
      await log.record({ action: 'invoice.voided', targets: [{ type: 'invoice', id }] });
      return Response.json({ voided: id }, { status: 201 });
    });`,
  'app/actions.js': `
    'use server';
    import { redirect } from 'next/navigation';
    import { audit, log } from '../audit.js';
    const sending = audit.action('sendInvoice', async (form) => {
      await log.record({ action: 'invoice.sent', targets: [{ type: 'invoice', id: String(form.get('id')) }] });
      redirect('/sent');
    });
    export async function sendInvoice(form) { return sending(form); }`,
};

/** The application in a folder of its own: this package as npm would install it, the others by links to ours. */
function application(folder: string): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text.trim());
  }
  const packages = path.join(folder, 'node_modules');
  mkdirSync(path.join(packages, 'indelible'), { recursive: true });
  for (const name of readdirSync(path.join(projectRoot, 'node_modules'))) {
    if (name.startsWith('.') || name === 'indelible') continue;
    symlinkSync(path.join(projectRoot, 'node_modules', name), path.join(packages, name));
  }
  for (const name of ['package.json', 'dist']) {
    cpSync(path.join(projectRoot, name), path.join(packages, 'indelible', name), { recursive: true });
  }
}

test('Next.js builds and serves a route handler and a server action that record', async (context) => {
  const folder = temporaryFolder(context);
  application(folder);
  const next = path.join(folder, 'node_modules/next/dist/bin/next');
  const dir = path.join(folder, 'audit');
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', AUDIT_DIR: dir };
  // Turbopack does not follow links out of the folder, of which this one is full.
  const built = spawnSync(process.execPath, [next, 'build', '--webpack'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  assert.equal(built.status, 0, built.stdout + built.stderr);
  assert.equal(existsSync(dir), false, 'a build records nothing');

  const server = spawn(process.execPath, [next, 'start', '-p', '0', '-H', '127.0.0.1'], { cwd: folder, env });
  context.after(() => void server.kill('SIGKILL'));
  let said = '';
  server.stderr.resume();
  server.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  while (!/Ready in/.test(said)) await once(server.stdout, 'data');
  const origin = /http:\/\/127\.0\.0\.1:\d+/.exec(said)![0];
  const headers = {
    'x-user': 'u_1',
    'x-forwarded-for': '198.51.100.1, 203.0.113.9',
    'user-agent': 'suite/1',
  };
  const answer = await fetch(`${origin}/invoices/in_7/void`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: '{"reason":"twice"}',
  });
  assert.deepEqual([answer.status, await answer.json()], [201, { voided: 'in_7' }]);
  // As a browser without scripts sends it.
  const [action] = /\$ACTION_ID_[0-9a-f]+/.exec(await (await fetch(origin)).text())!;
  const form = new FormData();
  for (const [name, value] of Object.entries({ [action]: '', id: 'in_8', reason: 'due' }))
    form.set(name, value);
  const sent = await fetch(origin, { method: 'POST', headers, body: form, redirect: 'manual' });
  assert.deepEqual([sent.status, sent.headers.get('location')], [303, '/sent']);
  const exit = once(server, 'exit');
  server.kill('SIGTERM');
  await exit;

  await using log = await openLog(dir, { readOnly: true });
  const expected = {
    actor: 'user/u_1',
    outcome: 'success',
    context: { ip: '203.0.113.9', userAgent: 'suite/1' },
  } as const;
  await expectRecorded(log, { action: 'invoice.voided', targets: ['invoice/in_7'], ...expected });
  await expectRecorded(log, { action: 'invoice.sent', targets: ['invoice/in_8'], ...expected });
  for (const [route, status, reason] of [
    ['/invoices/[id]/void', 201, 'twice'],
    ['sendInvoice', 303, 'due'],
  ] as const) {
    const metadata = { route, status, body: { reason } };
    await expectRecorded(log, { action: 'api.called', metadata, ...expected }, { times: 1 });
  }
});
