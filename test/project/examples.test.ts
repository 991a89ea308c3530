// Every example is run, and does what it is an example of.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { type Log, openLog } from 'indelible';
import { createHandler, type Handler, ServerKeys } from 'indelible/http';
import { databaseOf, migrate } from 'indelible/postgres';
import { expectRecorded } from 'indelible/testing';
import { verifyProof } from 'indelible/verify';
import type { LogSummary, ReceiptWire } from 'indelible/wire';
import { startHandler, startListening } from '../http/server.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { generatePrisma } from '../support/prisma.ts';
import { run, scratchFolder } from './scratch.ts';
import { projectRoot } from './source-tree.ts';

const frameworks = ['express', 'fastify', 'hono', 'node-http'];
const capturing = ['express', 'fastify', 'hono', 'node-http', 'nestjs'];
const others = ['client', 'next-route', 'capture-next-route'];
const orms = ['drizzle', 'kysely', 'prisma'];
/** What each prints. */
const auth: Readonly<Record<string, readonly string[]>> = {
  'better-auth': [
    'user.created success',
    'user.signed_in success',
    'user.sign_in_failed denied',
    'user.signed_in success',
    'role.assigned success',
  ],
  'auth-js': ['user.sign_in_failed denied', 'user.signed_in success'],
  passport: ['user.sign_in_failed denied', 'user.signed_in success', 'user.signed_out success'],
};
const inTransactions = ['pg', 'postgres', 'drizzle', 'kysely', 'prisma'];

type Ask = (request: Request) => Promise<Response>;

/** A data directory with a key that may write and read. */
async function dataWithKey(context: TestContext): Promise<{ data: string; key: string }> {
  const data = path.join(scratchFolder(context), 'data');
  const handler = createHandler({ data });
  const { key } = await handler.desk.createKey({ name: 'example', scopes: ['write', 'read'] });
  await handler.close();
  return { data, key };
}

/** Records an event over HTTP, fetches its proof, and verifies it. */
async function recordAndProve(ask: Ask, origin: string, key: string): Promise<void> {
  const authorization = `Bearer ${key}`;
  const get = (target: string) => ask(new Request(`${origin}${target}`, { headers: { authorization } }));
  const recorded = await ask(
    new Request(`${origin}/v1/logs/main/events`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 'e-1', action: 'doc.read', actor: { type: 'user', id: 'u_1' } }),
    }),
  );
  assert.equal(recorded.status, 201, await recorded.clone().text());
  const receipt = (await recorded.json()) as ReceiptWire;
  const { vkey } = (await (await get('/v1/logs/main')).json()) as LogSummary;
  const proof = new Uint8Array(await (await get('/v1/logs/main/events/e-1/proof')).arrayBuffer());
  const entry = new Uint8Array(await (await get('/v1/logs/main/events/e-1/entry')).arrayBuffer());
  assert.equal(verifyProof({ proof, entry, policy: { vkey } }).index, receipt.index);
  assert.equal((await get('/v1/logs/nobody/events')).status, 404);
}

/** The first line that a process prints. */
async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line;
  throw new Error('it printed nothing');
}

for (const name of frameworks) {
  test(`examples/${name}.ts serves a log among other things, and stops`, async (context) => {
    const { data, key } = await dataWithKey(context);
    const child = spawn(process.execPath, [`examples/${name}.ts`, data, '0'], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    context.after(() => child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    const origin = await firstLine(child);
    assert.equal(await (await fetch(`${origin}/hello`)).text(), 'hello');
    await recordAndProve(fetch, origin, key);
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
    using keys = new ServerKeys(data);
    assert.ok(keys.list().some(({ lastUsedAt }) => lastUsedAt !== undefined));
  });
}

/** What an application has recorded of one call by u_1: its own event, and the call. */
async function mustHaveRecorded(log: Log, route: string, context: Record<string, string>): Promise<void> {
  const expected = { actor: 'user/u_1', context };
  await expectRecorded(
    log,
    { action: 'invoice.voided', targets: ['invoice/in_7'], ...expected },
    { times: 1 },
  );
  const metadata = { route, status: 201 };
  await expectRecorded(
    log,
    { action: 'api.called', metadata, outcome: 'success', ...expected },
    { times: 1 },
  );
}

for (const name of capturing) {
  test(`examples/capture-${name}.ts records who did what, and stops`, async (context) => {
    const dir = path.join(scratchFolder(context), 'audit');
    const child = spawn(process.execPath, [`examples/capture-${name}.ts`, dir, '0'], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    context.after(() => child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    const url = `${await firstLine(child)}/invoices/in_7/void`;
    const headers = { 'content-type': 'application/json', 'x-user': 'u_1', 'user-agent': 'suite/1' };
    const answer = await fetch(url, { method: 'POST', headers, body: '{"reason":"twice"}' });
    assert.deepEqual([answer.status, await answer.json()], [201, { voided: 'in_7' }]);
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
    await using log = await openLog(dir, { readOnly: true });
    await mustHaveRecorded(log, '/invoices/:id/void', { ip: '127.0.0.1', userAgent: 'suite/1' });
  });
}

test('examples/capture-next-route.ts records who did what, as a route handler of Next.js', async (context) => {
  process.env['AUDIT_DIR'] = path.join(scratchFolder(context), 'audit');
  const { POST } = await import('../../examples/capture-next-route.ts');
  const { auditLog } = globalThis as { auditLog?: Promise<Log> };
  context.after(async () => (await auditLog)?.close());
  const headers = { 'x-user': 'u_1', 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };
  const request = new Request('http://localhost:3000/invoices/in_7/void', { method: 'POST', headers });
  const answer = await POST(request, { params: Promise.resolve({ id: 'in_7' }) });
  assert.deepEqual([answer.status, await answer.json()], [201, { voided: 'in_7' }]);
  await mustHaveRecorded((await auditLog)!, '/invoices/[id]/void', { ip: '203.0.113.9' });
});

const inOrders = [
  ...inTransactions.map((library) => ({
    name: `in-transaction-${library}`,
    library,
    prints: 'order 7 is paid, entry 2\n',
  })),
  ...orms.map((library) => ({
    name: library,
    library,
    prints: 'record.updated [{"from":"open","path":"/state","to":"paid"}]\n',
  })),
];

for (const { name, library, prints } of inOrders) {
  test(`examples/${name}.ts records with the transaction`, {
    skip: whyNoPostgres() ?? false,
  }, async (context) => {
    const url = await (await testServer()).database();
    const pool = poolOf(url, 1);
    await migrate(databaseOf(pool));
    await pool.query(
      "CREATE TABLE orders (id integer PRIMARY KEY, state text); INSERT INTO orders VALUES (7, 'open')",
    );
    const dir = path.join(scratchFolder(context), 'audit');
    const model = 'model orders {\n  id    Int     @id\n  state String?\n}\n';
    const more = library === 'prisma' ? [generatePrisma(scratchFolder(context), model)] : [];
    const file = path.join(projectRoot, `examples/${name}.ts`);
    const ran = run(process.execPath, [file, url, dir, ...more], projectRoot);
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.stdout, prints);
    assert.deepEqual((await pool.query('SELECT state FROM orders')).rows, [{ state: 'paid' }]);
    await pool.end();
  });
}

for (const [name, lines] of Object.entries(auth)) {
  test(`examples/${name}.ts records who signs in`, (context) => {
    const dir = path.join(scratchFolder(context), 'audit');
    const ran = run(process.execPath, [path.join(projectRoot, `examples/${name}.ts`), dir], projectRoot);
    assert.equal(ran.status, 0, ran.stderr);
    assert.deepEqual(ran.stdout.trimEnd().split('\n'), lines);
  });
}

test('examples/next-route.ts answers as a route handler of Next.js', async (context) => {
  const { data, key } = await dataWithKey(context);
  process.env['AUDIT_DATA'] = data;
  const route = (await import('../../examples/next-route.ts')) as Readonly<Record<'GET' | 'POST', Ask>>;
  const { auditServer } = globalThis as { auditServer?: Promise<Handler> };
  context.after(async () => (await auditServer)?.close());
  const ask: Ask = (request) => route[request.method as 'GET' | 'POST'](request);
  await recordAndProve(ask, 'http://localhost:3000', key);
});

test('examples/client.ts records, verifies and finds', async (context) => {
  const server = await startHandler(context);
  await server.handler.desk.ensureLog('main');
  const { url } = await startListening(context, server);
  const key = await server.key(['write', 'read'], 'main');
  const { vkey } = (await (await server.ask('GET', '/v1/logs/main', { key })).json()) as LogSummary;
  const child = spawn(process.execPath, ['examples/client.ts', url, key, vkey], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => child.kill('SIGKILL'));
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  assert.deepEqual(await once(child, 'close'), [0, null]);
  assert.match(
    printed,
    /^recorded as entry \d+, verified under localhost\/main\n\S+Z user\/u_42 document\.deleted\n$/,
  );
});

test('examples/saas starts over an empty folder, and again over what it left, and stops', async (context) => {
  const folder = path.join(scratchFolder(context), 'saas');
  for (const _ of ['new', 'again']) {
    const child = spawn(process.execPath, ['examples/saas/main.ts', folder, '0'], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    context.after(() => child.kill('SIGKILL'));
    const exit = once(child, 'exit');
    const origin = await firstLine(child);
    const page = await fetch(origin);
    assert.deepEqual([page.status, new URL(page.url).pathname], [200, '/sign-in']);
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'/);
    child.kill('SIGTERM');
    assert.deepEqual(await exit, [0, null]);
  }
});

test('every example is among those that are run', (context) => {
  const folders = globSync('examples/*/', { cwd: projectRoot }).map((folder) => path.basename(folder));
  assert.deepEqual(folders, ['saas'], 'test/e2e/saas.test.ts walks through it');
  const found = globSync('examples/*.ts', { cwd: projectRoot }).map((file) => path.basename(file, '.ts'));
  assert.deepEqual(
    found.sort(),
    [
      ...frameworks,
      ...others,
      ...capturing.map((name) => `capture-${name}`),
      ...Object.keys(auth),
      ...inOrders.map(({ name }) => name),
    ].sort(),
  );
  const refused = run(
    process.execPath,
    [path.join(projectRoot, 'examples/client.ts')],
    scratchFolder(context),
  );
  assert.notEqual(refused.status, 0);
  assert.match(refused.stderr, /usage: node examples\/client\.ts/);
});
