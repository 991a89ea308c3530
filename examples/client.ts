// Records at a server, from any process that has an API key and the log's verifier key.
//
//     node examples/client.ts http://127.0.0.1:4040 ind_… example.com/main+…
//
// The verifier key is what makes this worth more than a POST: take it from somewhere else than the server.

import { AuditClient } from 'indelible/client';

const [url, key, vkey] = process.argv.slice(2);
if (url === undefined || key === undefined || vkey === undefined) {
  throw new Error('usage: node examples/client.ts <address of the server> <API key> <verifier key>');
}

await using log = new AuditClient({ url, key, vkey, version: '1.0.0' });

const receipt = await log.record({
  action: 'document.deleted',
  actor: { type: 'user', id: 'u_42', email: 'jane@example.com' },
  targets: [{ type: 'doc', id: '9' }],
  outcome: 'success',
});
console.log(`recorded as entry ${receipt.index}, verified under ${receipt.checkpoint.split('\n')[0]}`);

for await (const { occurredAt, action, actor } of log.query('target:doc/9', { limit: 5 })) {
  console.log(`${occurredAt} ${actor.type}/${actor.id} ${action}`);
}
