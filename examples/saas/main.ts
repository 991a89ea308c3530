// A small application for several tenants, and its audit log.
//
//     node examples/saas/main.ts [folder] [port]
//
// The application listens on one port, the server of its logs on another: as app.example.com and audit.example.com would.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import { openAccounts } from './accounts.ts';
import { createApp } from './app.ts';
import { openAudit } from './audit.ts';
import { openStore } from './store.ts';

const [folder = 'data/saas', port = '4050'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const store = openStore(path.join(folder, 'app.db'));
const audit = await openAudit(folder, store.db);

const logs = new Hono();
logs.all('*', (c) => audit.handler(c.req.raw, { address: getConnInfo(c).remote.address }));
const logServer = serve({
  fetch: logs.fetch,
  port: port === '0' ? 0 : Number(port) + 1,
  hostname: '127.0.0.1',
});
const auditOrigin = `http://127.0.0.1:${await portOf(logServer)}`;

let app = new Hono();
const server = serve({
  fetch: (request, env) => app.fetch(request, env),
  port: Number(port),
  hostname: '127.0.0.1',
});
const origin = `http://127.0.0.1:${await portOf(server)}`;
const accounts = openAccounts({
  db: store.db,
  log: audit.log,
  origin,
  secret: secretOf(path.join(folder, 'app.secret')),
});
app = createApp({ db: store.db, accounts, audit, origin, auditOrigin });

console.log(origin);
console.log(
  `Every log, once, within 15 minutes: ${audit.handler.desk.createLink(auditOrigin, ['read', 'audit'])}`,
);

process.once('SIGTERM', stop);
process.once('SIGINT', stop);

async function stop(): Promise<void> {
  server.close();
  logServer.close();
  await audit.close();
  store.close();
}

/** What signs the cookies of sessions: made once. */
function secretOf(file: string): string {
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}

async function portOf(listening: ReturnType<typeof serve>): Promise<number> {
  if (!listening.listening) await new Promise((resolve) => listening.once('listening', resolve));
  return (listening.address() as { port: number }).port;
}
