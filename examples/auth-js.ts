// Sign-ins of Auth.js in a log, from the handler of @auth/core that its frameworks wrap.
//
//     node examples/auth-js.ts audit

import { Auth, type AuthConfig } from '@auth/core';
import Credentials from '@auth/core/providers/credentials';
import { openLog } from 'indelible';
import { auditAuth } from 'indelible/auth-js';

const [dir = 'audit'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/auth' }, warn: () => {} });
const config: AuthConfig = auditAuth(
  {
    basePath: '/auth',
    secret: 'an example, and no secret at all',
    trustHost: true,
    logger: { error() {} },
    providers: [
      Credentials({
        credentials: { username: {}, password: {} },
        authorize: ({ password }) => (password === 'correct horse' ? { id: 'u_1', name: 'Ada' } : null),
      }),
    ],
  },
  { recorder: log },
);

const origin = 'http://localhost:3000/auth';
const csrf = await Auth(new Request(`${origin}/csrf`), config);
const { csrfToken } = (await csrf.json()) as { csrfToken: string };
const cookie = csrf.headers
  .getSetCookie()
  .map((line) => line.split(';')[0])
  .join('; ');
for (const password of ['wrong horse', 'correct horse']) {
  const body = new URLSearchParams({ csrfToken, username: 'ada', password });
  await Auth(
    new Request(`${origin}/callback/credentials`, { method: 'POST', headers: { cookie }, body }),
    config,
  );
}

const lines: string[] = [];
for await (const event of log.query('-action:log.* -action:source.*'))
  lines.unshift(`${event.action} ${event.outcome}`);
console.log(lines.join('\n'));
await log.close();
