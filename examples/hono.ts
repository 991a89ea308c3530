// The server in a Hono application.
//
//     node examples/hono.ts data/server 4040
//
// A `Request` does not say who sent it; the second argument does, and the server counts wrong credentials by it.

import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import { createHandler } from 'indelible/http';

const [data = 'data/server', port = '4040'] = process.argv.slice(2);
const audit = createHandler({ data });
await audit.desk.ensureLog('main');

const app = new Hono();
app.get('/hello', (context) => context.text('hello'));
app.all('*', (context) => audit(context.req.raw, { address: getConnInfo(context).remote.address }));

const server = serve({ fetch: app.fetch, port: Number(port), hostname: '127.0.0.1' }, (info) => {
  console.log(`http://127.0.0.1:${info.port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await audit.close();
});
