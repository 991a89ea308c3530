import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { auditExpress } from 'indelible/express';
import { openMemoryLog, recordedEvents } from 'indelible/testing';
import { type AppOptions, frameworkSuite } from './framework-suite.ts';

frameworkSuite('Express 5', async (options: AppOptions) => {
  const app = express();
  app.use(
    auditExpress<express.Request>({
      ...options,
      actor: (request) => {
        const user = request.get('x-user');
        return user === undefined ? undefined : { type: 'user', id: user };
      },
    }),
  );
  app.use(express.json());
  const invoices = express.Router();
  invoices.post('/invoices/:id', async (request, response) => {
    await sleep(10);
    await request.audit.record({ action: 'invoice.voided' });
    response.status(201).json({});
  });
  invoices.get('/invoices/:id', (_request, response) => void response.send('here'));
  // The organisation's parameter is of a router above, which does not hand it on.
  app.use('/orgs/:org', invoices);
  app.post('/denied', (_request, response) => void response.status(403).send('no'));
  app.post('/healthy', (_request, response) => void response.send('yes'));
  app.post('/broken', () => {
    throw new Error('secret-detail');
  });
  app.post('/moved', (_request, response) => response.redirect(303, '/elsewhere'));
  app.post('/streamed', async (_request, response) => {
    for (const part of ['one ', 'two ', 'three']) {
      response.write(part);
      await sleep(5);
    }
    response.end();
  });
  app.post('/slow', async (_request, response) => {
    await sleep(1000);
    response.send('late');
  });
  app.use((_error: unknown, _request: express.Request, response: express.Response, _next: unknown) => {
    response.status(500).send('broken');
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
});

test('what a request records is its own, also in a callback that another request waits for; no route tells a value', async (t) => {
  const log = await openMemoryLog();
  const app = express();
  const actor = (request: express.Request) => ({ type: 'user', id: request.get('x-user') ?? 'nobody' });
  app.use(auditExpress<express.Request>({ log, actor, calls: { record: 'all' } }));
  // As a connection that requests share: whoever comes second answers both, within his own request.
  const shared = new EventEmitter();
  const router = express.Router();
  router.get('/wait', (request, response) => {
    shared.once('go', async () => {
      await request.audit.record({ action: 'invoice.voided' });
      response.send('voided');
    });
    shared.emit('waiting');
  });
  router.get('/go', (_request, response) => {
    shared.emit('go');
    response.send('gone');
  });
  app.use('/reset-:token', router);
  const server = app.listen(0, '127.0.0.1');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await log.close();
  });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reset-hunter2hunter2`;
  const waiting = once(shared, 'waiting');
  const first = fetch(`${url}/wait`, { headers: { 'x-user': 'ada' } });
  await waiting;
  await fetch(`${url}/go`, { headers: { 'x-user': 'bob' } });
  await (await first).text();
  const events = await recordedEvents(log);
  const told = events.map(({ action, actor: by, metadata }) => [
    action,
    by.id,
    (metadata as { readonly route?: string } | undefined)?.route,
  ]);
  assert.deepEqual(told.sort(), [
    ['api.called', 'ada', '/reset-:token/wait'],
    ['api.called', 'bob', '/reset-:token/go'],
    ['invoice.voided', 'ada', undefined],
  ]);
  assert.doesNotMatch(JSON.stringify(events), /hunter2/);
});
