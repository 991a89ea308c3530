/** The baseline: bare `node:http`, which takes the body and answers 201 with the bytes of a receipt. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Serving } from './served.ts';

const receipt = JSON.stringify({
  id: 'x'.repeat(36),
  index: 1,
  leafHash: 'x'.repeat(44),
  checkpoint: 'x'.repeat(200),
});

const server = createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => {
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(receipt);
  });
});

process.once('message', () => {
  server.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server.address() as AddressInfo).port, key: 'none' } satisfies Serving);
  });
});

process.once('disconnect', () => {
  server.close();
  server.closeAllConnections();
});
