import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditedRequest, auditNode } from 'indelible/node';
import { type AppOptions, frameworkSuite } from './framework-suite.ts';

const invoice = /^\/orgs\/[^/]+\/invoices\/[^/]+$/;
const plain = ['/denied', '/healthy', '/broken', '/moved', '/streamed', '/slow'];

function routeOf({ url = '' }: { readonly url?: string }): string | undefined {
  const path = url.split('?')[0]!;
  return invoice.test(path) ? '/orgs/:org/invoices/:id' : plain.find((one) => one === path);
}

async function read(request: AuditedRequest & { body?: unknown }): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  request.body = text === '' ? undefined : JSON.parse(text);
}

frameworkSuite('node:http', async (options: AppOptions) => {
  const audit = auditNode({
    ...options,
    route: routeOf,
    actor: (request) => {
      const user = request.headers['x-user'];
      return typeof user === 'string' ? { type: 'user', id: user } : undefined;
    },
  });
  const listener = audit(async (request, response) => {
    const route = routeOf(request);
    if (route?.startsWith('/orgs') && request.method === 'POST') {
      await read(request);
      await sleep(10);
      await request.audit.record({ action: 'invoice.voided' });
      response.writeHead(201).end();
    } else if (route?.startsWith('/orgs')) response.end('here');
    else if (route === '/denied') response.writeHead(403).end('no');
    else if (route === '/healthy') response.end('yes');
    else if (route === '/broken') response.writeHead(500).end('broken');
    else if (route === '/moved') {
      response.statusCode = 303;
      response.setHeader('location', '/elsewhere');
      response.end();
    } else if (route === '/streamed') {
      for (const part of ['one ', 'two ', 'three']) {
        response.write(part);
        await sleep(5);
      }
      response.end();
    } else if (route === '/slow') {
      await sleep(1000);
      response.end('late');
    } else response.writeHead(404).end();
  });
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
});
