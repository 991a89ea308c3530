// Who is who: better-auth on the application's database, with the plugin that records sign-ins.

import { createHash, randomBytes } from 'node:crypto';
import { betterAuth } from 'better-auth';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { and, eq } from 'drizzle-orm';
import { auditPlugin } from 'indelible/better-auth';
import type { AuditLog } from 'indelible/recorder';
import * as store from './store.ts';

/** Somebody who is signed in. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly tenant: string;
  readonly role: store.Role;
}

/** Makes better-auth. Its endpoints are called by this application alone and never mounted: `tenant` and `role` are ours to say. */
export function openAccounts(options: { db: store.Db; log: AuditLog; origin: string; secret: string }) {
  const { db, log, origin, secret } = options;
  return betterAuth({
    baseURL: origin,
    secret,
    database: drizzleAdapter(db, { provider: 'sqlite', schema: store }),
    emailAndPassword: { enabled: true, minPasswordLength: 12 },
    user: {
      additionalFields: {
        tenant: { type: 'string', required: true },
        role: { type: 'string', required: true },
      },
    },
    logger: { disabled: true },
    plugins: [auditPlugin({ recorder: log })],
  });
}

export type Accounts = ReturnType<typeof openAccounts>;

/** Whose session a request has. */
export async function personOf(accounts: Accounts, headers: Headers): Promise<Person | undefined> {
  const found = await accounts.api.getSession({ headers });
  return found === null ? undefined : (found.user as unknown as Person);
}

/** Makes the secret of an invitation's link, of which the database keeps the digest alone. */
export async function invite(
  db: store.Db,
  invitation: { id: string; tenant: string; email: string },
): Promise<string> {
  const secret = randomBytes(32).toString('base64url');
  await db.insert(store.invitations).values({ ...invitation, digest: digestOf(secret) });
  return secret;
}

/** The invitation of a link's secret. */
export async function invitationOf(db: store.Db, secret: string) {
  const [found] = await db
    .select()
    .from(store.invitations)
    .where(eq(store.invitations.digest, digestOf(secret)));
  return found;
}

/** The members of a tenant, or the one of them that is asked for. */
export async function membersOf(db: store.Db, tenant: string, id?: string): Promise<Person[]> {
  const { user } = store;
  const within = eq(user.tenant, tenant);
  return db
    .select()
    .from(user)
    .where(id === undefined ? within : and(within, eq(user.id, id)));
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
