import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import { auditExpress } from 'indelible/express';
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
