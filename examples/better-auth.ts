// Sign-ins, roles and bans of better-auth in a log of their own, embedded in the application.
//
//     node examples/better-auth.ts audit
//
// It keeps users in memory, signs one up, fails to sign in, signs in, gives a role, and prints what the log has.

import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { admin } from 'better-auth/plugins';
import { openLog } from 'indelible';
import { auditPlugin } from 'indelible/better-auth';

const [dir = 'audit'] = process.argv.slice(2);
const log = await openLog(dir, { createIfMissing: { origin: 'example.com/auth' }, warn: () => {} });
const tables: Record<string, { role?: string }[]> = { user: [], session: [], account: [], verification: [] };
const auth = betterAuth({
  baseURL: 'http://localhost:3000',
  secret: 'an example, and no secret at all',
  database: memoryAdapter(tables),
  emailAndPassword: { enabled: true },
  logger: { disabled: true },
  plugins: [admin(), auditPlugin({ recorder: log })], // last: a second factor takes back the sign-in of the first
});

const ada = { email: 'ada@example.com', password: 'correct horse', name: 'Ada' };
const { user } = await auth.api.signUpEmail({ body: ada });
await auth.api.signInEmail({ body: { ...ada, password: 'wrong horse' } }).catch(() => {});
tables['user']![0]!.role = 'admin';
const { headers } = await auth.api.signInEmail({ body: ada, returnHeaders: true });
const cookie = headers.getSetCookie()[0]!.split(';')[0]!;
await auth.api.setRole({ body: { userId: user.id, role: 'user' }, headers: new Headers({ cookie }) });

const lines: string[] = [];
for await (const event of log.query('-action:log.* -action:source.*'))
  lines.unshift(`${event.action} ${event.outcome}`);
console.log(lines.join('\n'));
await log.close();
