/**
 * The application of the capture scenario: Express 5 with one route. `listen` starts it bare; a folder named `context` with the
 * middleware that sets the context; one named `calls` with every call recorded.
 */
import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import express from 'express';
import { type Log, openLog } from 'indelible';
import { auditExpress } from 'indelible/express';
import { openRecorder, type Recorder } from 'indelible/recorder';
import type { ServeTask, Serving, Usage } from './served.ts';

let log: Log | undefined;
let recorder: Recorder | undefined;
let server: Server | undefined;

process.on('message', async (message: ServeTask | 'listen' | 'usage') => {
  if (message === 'usage') {
    const { user, system } = process.cpuUsage();
    const usage: Usage = { rssMb: process.resourceUsage().maxRSS / 1024, cpuMs: (user + system) / 1000 };
    process.send!(usage);
    return;
  }
  const app = express();
  if (message !== 'listen') {
    mkdirSync(message.data, { recursive: true });
    log = await openLog(join(message.data, 'log'), {
      createIfMissing: { origin: 'example.com/bench' },
      warn: () => {},
    });
    recorder = await openRecorder(log, { spool: join(message.data, 'spool') });
    const actor = { type: 'user', id: 'u_42' };
    const calls = basename(message.data) === 'calls' ? { calls: {} } : {};
    app.use(auditExpress({ log: recorder, actor: () => actor, ...calls }));
  }
  app.post('/invoices/:id', (_request, response) => void response.status(201).json({ ok: true }));
  server = app.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server!.address() as AddressInfo).port, key: 'none' } satisfies Serving);
  });
});

process.once('disconnect', async () => {
  server?.close();
  server?.closeAllConnections();
  await recorder?.close();
  await log?.close();
});
