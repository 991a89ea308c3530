// An Express 5 application that records who did what: its own events, and every call that changes something.
//
//     node examples/capture-express.ts data/audit 4040
//
// What the log cannot take now waits in a spool beside it, and is delivered later.

import type { AddressInfo } from 'node:net';
import express from 'express';
import { openLog } from 'indelible';
import { auditExpress } from 'indelible/express';
import { openRecorder } from 'indelible/recorder';

const [dir = 'data/audit', port = '4040'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/audit' } });
const recorder = await openRecorder(log, { spool: `${dir}.spool` });

const app = express();
app.use(
  auditExpress<express.Request>({
    log: recorder,
    // Whoever your authentication has found: asked anew at each event.
    actor: (request) =>
      request.get('x-user') === undefined ? undefined : { type: 'user', id: request.get('x-user')! },
    calls: { body: ['reason'], skip: ['/health'] },
  }),
);
app.use(express.json());
app.post('/invoices/:id/void', async (request, response) => {
  await request.audit.record({
    action: 'invoice.voided',
    targets: [{ type: 'invoice', id: request.params.id }],
  });
  response.status(201).json({ voided: request.params.id });
});

const server = app.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await recorder.close();
  await log.close();
});
