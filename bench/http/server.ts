/** The server of the HTTP scenarios: `indelible/http` on a data directory, as `indelible serve` has it, without its lines. */
import { createHandler, type Handler, type Listening, listen } from 'indelible/http';
import type { ServeTask, Serving, Usage } from './served.ts';

let handler: Handler | undefined;
let server: Listening | undefined;

process.on('message', async (message: ServeTask | 'usage') => {
  if (message === 'usage') {
    const { user, system } = process.cpuUsage();
    const usage: Usage = { rssMb: process.resourceUsage().maxRSS / 1024, cpuMs: (user + system) / 1000 };
    process.send!(usage);
    return;
  }
  // One key carries the whole load here; the limit of requests a second is not what is measured.
  handler = createHandler({ data: message.data, rate: { perSecond: 1e6, burst: 1e6 } });
  await handler.desk.ensureLog('main');
  const { key } = await handler.desk.createKey({ name: 'bench', scopes: ['write', 'read'] });
  server = await listen(handler, { port: 0, host: '127.0.0.1' });
  process.send!({ port: server.port, key } satisfies Serving);
});

process.once('disconnect', async () => {
  await server?.close(1000);
  await handler?.close();
});
