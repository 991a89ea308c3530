// The server in a Fastify 5 application.
//
//     node examples/fastify.ts data/server 4040
//
// In a scope of its own, where Fastify parses no bodies: the server reads them itself, within its own limits.

import { fastify } from 'fastify';
import { createHandler, toNodeListener } from 'indelible/http';

const [data = 'data/server', port = '4040'] = process.argv.slice(2);
const audit = createHandler({ data });
await audit.desk.ensureLog('main');

const app = fastify();
app.get('/hello', async () => 'hello');
app.register(async (scope) => {
  const listener = toNodeListener(audit);
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
  scope.all('/*', (request, reply) => {
    reply.hijack();
    void listener(request.raw, reply.raw);
  });
});
app.addHook('onClose', () => audit.close());

console.log(await app.listen({ port: Number(port), host: '127.0.0.1' }));

process.once('SIGTERM', () => app.close());
