// A server of bare node:http that records who did what: its own events, and every call that changes something.
//
//     node examples/capture-node-http.ts data/audit 4040
//
// Node has no routes, so the application says which pattern takes a request.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openLog } from 'indelible';
import { auditNode } from 'indelible/node';

const [dir = 'data/audit', port = '4040'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/audit' } });

const path = /^\/invoices\/([^/]+)\/void$/;
const audit = auditNode({
  log,
  route: ({ url = '' }) => (path.test(url) ? '/invoices/:id/void' : undefined),
  actor: ({ headers }) =>
    typeof headers['x-user'] === 'string' ? { type: 'user', id: headers['x-user'] } : undefined,
  calls: {},
});

const server = createServer(
  audit(async (request, response) => {
    const [, id] = path.exec(request.url ?? '') ?? [];
    if (id === undefined) return response.writeHead(404).end();
    await request.audit.record({ action: 'invoice.voided', targets: [{ type: 'invoice', id }] });
    return response.writeHead(201).end(JSON.stringify({ voided: id }));
  }),
);
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

process.once('SIGTERM', async () => {
  server.close();
  await log.close();
});
