// A Hono application that records who did what: its own events, and every call that changes something.
//
//     node examples/capture-hono.ts data/audit 4040

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { openLog } from 'indelible';
import { auditHono } from 'indelible/hono';

const [dir = 'data/audit', port = '4040'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/audit' } });

const app = new Hono();
app.use(
  auditHono({
    log,
    actor: (c) =>
      c.req.header('x-user') === undefined ? undefined : { type: 'user', id: c.req.header('x-user')! },
    calls: { body: ['reason'], skip: ['/health'] },
  }),
);
app.post('/invoices/:id/void', async (c) => {
  const id = c.req.param('id');
  await c.var.audit.record({ action: 'invoice.voided', targets: [{ type: 'invoice', id }] });
  return c.json({ voided: id }, 201);
});

const server = serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' }, (info) => {
  console.log(`http://127.0.0.1:${info.port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await log.close();
});
