// The server in an Express 5 application.
//
//     node examples/express.ts data/server 4040
//
// It stands before any body parser, since it reads bodies itself, within its own limits.

import type { AddressInfo } from 'node:net';
import express from 'express';
import { createHandler, toNodeListener } from 'indelible/http';

const [data = 'data/server', port = '4040'] = process.argv.slice(2);
const audit = createHandler({ data });
await audit.desk.ensureLog('main');

const app = express();
app.get('/hello', (_request, response) => void response.send('hello'));
app.use(toNodeListener(audit));

const server = app.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await audit.close();
});
