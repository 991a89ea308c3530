import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify from 'fastify';
import { auditFastify } from 'indelible/fastify';
import { type AppOptions, frameworkSuite } from './framework-suite.ts';

frameworkSuite('Fastify 5', async (options: AppOptions) => {
  const app = fastify({ forceCloseConnections: true });
  await app.register(auditFastify, {
    ...options,
    actor: (request) => {
      const user = request.headers['x-user'];
      return typeof user === 'string' ? { type: 'user', id: user } : undefined;
    },
  });
  await app.register(
    async (orgs) => {
      orgs.post('/invoices/:id', async (request, reply) => {
        await sleep(10);
        await request.audit.record({ action: 'invoice.voided' });
        return reply.code(201).send({});
      });
      orgs.get('/invoices/:id', async () => 'here');
    },
    { prefix: '/orgs/:org' },
  );
  app.post('/denied', async (_request, reply) => reply.code(403).send('no'));
  app.post('/healthy', async () => 'yes');
  app.post('/broken', async () => {
    throw new Error('secret-detail');
  });
  app.post('/moved', async (_request, reply) => reply.redirect('/elsewhere', 303));
  app.post('/streamed', async (_request, reply) => reply.send(Readable.from(['one ', 'two ', 'three'])));
  app.post('/slow', async () => {
    await sleep(1000);
    return 'late';
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url, close: () => app.close() };
});
