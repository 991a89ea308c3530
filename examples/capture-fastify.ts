// A Fastify 5 application that records who did what: its own events, and every call that changes something.
//
//     node examples/capture-fastify.ts data/audit 4040
//
// Without a spool an answer waits until its call is recorded.

import fastify from 'fastify';
import { openLog } from 'indelible';
import { auditFastify } from 'indelible/fastify';

const [dir = 'data/audit', port = '4040'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/audit' } });

const app = fastify({ forceCloseConnections: true });
await app.register(auditFastify, {
  log,
  actor: ({ headers }) =>
    typeof headers['x-user'] === 'string' ? { type: 'user', id: headers['x-user'] } : undefined,
  calls: { body: ['reason'], skip: ['/health'] },
});
app.post<{ Params: { id: string } }>('/invoices/:id/void', async (request, reply) => {
  await request.audit.record({
    action: 'invoice.voided',
    targets: [{ type: 'invoice', id: request.params.id }],
  });
  return reply.code(201).send({ voided: request.params.id });
});

console.log(await app.listen({ port: Number(port), host: '127.0.0.1' }));

process.once('SIGTERM', async () => {
  await app.close();
  await log.close();
});
