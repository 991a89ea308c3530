import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { auditHono } from 'indelible/hono';
import { expectRecorded, openMemoryLog } from 'indelible/testing';
import { type AppOptions, frameworkSuite } from './framework-suite.ts';

frameworkSuite('Hono', async (options: AppOptions) => {
  const app = new Hono();
  app.use(
    auditHono({
      ...options,
      actor: (c) => {
        const user = c.req.header('x-user');
        return user === undefined ? undefined : { type: 'user', id: user };
      },
    }),
  );
  const orgs = new Hono();
  orgs.post('/invoices/:id', async (c) => {
    await c.req.json();
    await sleep(10);
    await c.var.audit.record({ action: 'invoice.voided' });
    return c.json({}, 201);
  });
  orgs.get('/invoices/:id', (c) => c.text('here'));
  app.route('/orgs/:org', orgs);
  app.post('/denied', (c) => c.text('no', 403));
  app.post('/healthy', (c) => c.text('yes'));
  app.post('/broken', () => {
    throw new Error('secret-detail');
  });
  app.onError((_error, c) => c.text('broken', 500));
  app.post('/moved', (c) => c.redirect('/elsewhere', 303));
  app.post('/streamed', (c) =>
    c.body(
      Readable.toWeb(
        Readable.from(['one ', 'two ', 'three'].map((part) => Buffer.from(part))),
      ) as ReadableStream,
    ),
  );
  app.post('/slow', async (c) => {
    await sleep(1000);
    return c.text('late');
  });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  if (!server.listening) await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
});

test('a handler that throws what is no error fails on the record, too', async () => {
  const log = await openMemoryLog();
  const app = new Hono();
  app.use(auditHono({ log, calls: {} }));
  app.post('/odd', () => {
    throw 'a text';
  });
  await assert.rejects(async () => app.request('/odd', { method: 'POST' }), /a text/);
  await expectRecorded(log, {
    action: 'api.called',
    outcome: 'failure',
    metadata: { route: '/odd', status: 500 },
  });
  await log.close();
});
