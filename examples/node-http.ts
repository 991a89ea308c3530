// The server in a plain `node:http` server, beside whatever else that answers.
//
//     node examples/node-http.ts data/server 4040

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHandler, toNodeListener } from 'indelible/http';

const [data = 'data/server', port = '4040'] = process.argv.slice(2);
const audit = createHandler({ data });
await audit.desk.ensureLog('main');

const listener = toNodeListener(audit);
const server = createServer((request, response) => {
  if (request.url === '/hello') response.end('hello');
  else void listener(request, response);
});

server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await audit.close();
});
