// What this application records, and where: a log for each tenant, and one of the platform for whoever belongs to none.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eq } from 'drizzle-orm';
import { defineEvents } from 'indelible/catalogue';
import { AuditClient } from 'indelible/client';
import { type ContextualEvent, currentActor } from 'indelible/context';
import { createHandler, type Handler } from 'indelible/http';
import {
  type AuditLog,
  openRecorder,
  type Recorded,
  type Recorder,
  type RecordOptions,
} from 'indelible/recorder';
import { z } from 'zod';
import { type Db, roles, tenants, user } from './store.ts';

/** The events of this application. Those of signing in are better-auth's, from the plugin. */
export const events = defineEvents({
  'user.invited': {
    targets: ['invitation'],
    sentence: '{actor} invited {target}',
    description: 'The owner made a link by which somebody joins the tenant.',
  },
  'role.assigned': {
    targets: ['user'],
    metadata: z.object({ role: z.enum(roles) }),
    sentence: '{actor} gave a new role to {target}',
    description: 'Somebody may do other things than before.',
    critical: true,
  },
  'invoice.voided': {
    targets: ['invoice'],
    sentence: '{actor} voided the invoice {target}',
    description: 'An invoice is void from here on.',
    critical: true,
  },
  'audit_log.opened': {
    sentence: '{actor} opened the audit log',
    description: 'The owner looked at what everybody did.',
  },
});

/** The log of the platform: sign-ins by nobody that is known. */
const platform = 'platform';

/** Where the parts of a running audit are found. */
export interface Audit {
  /** The server, to be mounted. */
  readonly handler: Handler;
  /** Records into the log of the tenant whose member acts. */
  readonly log: AuditLog;
  /** The same, for the events of the catalogue alone. */
  readonly record: ReturnType<typeof events.bind<AuditLog>>['record'];
  /** Makes a log for a new tenant, and answers its verifier key. */
  createLog(tenant: string): Promise<string>;
  /** A token for the viewer in a page of `origin`: it reads this tenant's log, and no other. */
  viewerToken(tenant: string, origin: string): Promise<string>;
  close(): Promise<void>;
}

/** Opens the server with its logs. `data` is its folder; the application's key and spools lie beside it. */
export async function openAudit(folder: string, db: Db): Promise<Audit> {
  const handler = createHandler({ data: path.join(folder, 'audit'), sentences: events.sentences });
  const key = await keyOf(handler, path.join(folder, 'audit.key'));
  const fetcher: typeof fetch = (input, init) => handler(new Request(input, init));
  const ask = async (target: string, init: RequestInit = {}): Promise<Record<string, string>> => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const answer = await fetcher(`http://localhost${target}`, { ...init, headers });
    if (!answer.ok) throw new Error(`${target}: ${answer.status}`);
    return (await answer.json()) as Record<string, string>;
  };
  const createLog = async (tenant: string): Promise<string> => {
    await handler.desk.ensureLog(tenant);
    return (await ask(`/v1/logs/${tenant}`))['vkey']!;
  };
  if ((await db.select().from(tenants).where(eq(tenants.id, platform))).length === 0) {
    const vkey = await createLog(platform);
    await db.insert(tenants).values({ id: platform, name: 'The platform', vkey });
  }
  const log = new TenantLogs(
    db,
    (tenant, vkey) => {
      const state = path.join(folder, 'state', tenant);
      mkdirSync(state, { recursive: true });
      // The server may just as well be another machine: then `url` is its address, and `fetch` is left out.
      return new AuditClient({
        ...{ url: 'http://localhost', log: tenant, key, vkey, fetch: fetcher },
        ...{ state: path.join(state, 'seen'), retryMs: 1000, heartbeatMs: 0 },
      });
    },
    path.join(folder, 'state'),
  );
  return {
    handler,
    log,
    record: events.bind<AuditLog>(log).record,
    createLog,
    viewerToken: async (tenant, origin) => {
      const body = JSON.stringify({ log: tenant, origins: [origin] });
      return (await ask('/v1/viewer-tokens', { method: 'POST', body }))['token']!;
    },
    close: async () => {
      await log.close();
      await handler.close();
    },
  };
}

/** The application's key at the server: made once, and kept where only its owner can read it. */
async function keyOf({ desk }: Handler, file: string): Promise<string> {
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { key } = await desk.createKey({ name: 'saas', scopes: ['write', 'read'] });
  writeFileSync(file, key, { mode: 0o600 });
  chmodSync(file, 0o600);
  return key;
}

interface Open {
  readonly client: AuditClient;
  readonly recorder: Recorder;
}

/** One log to those who record: an event goes to the tenant of whoever acts. */
class TenantLogs implements AuditLog {
  /** What cannot be recorded now is spooled, unless the catalogue calls it critical: then its request fails. */
  readonly canSpool = true;
  readonly #db: Db;
  readonly #connect: (tenant: string, vkey: string) => AuditClient;
  readonly #spools: string;
  readonly #open = new Map<string, Promise<Open>>();

  constructor(db: Db, connect: (tenant: string, vkey: string) => AuditClient, spools: string) {
    this.#db = db;
    this.#connect = connect;
    this.#spools = spools;
  }

  async record(event: ContextualEvent, options?: RecordOptions): Promise<Recorded> {
    const actor = event.actor ?? currentActor();
    const [person] =
      actor?.type === 'user' ? await this.#db.select().from(user).where(eq(user.id, actor.id)) : [];
    const { recorder } = await this.#logOf(person?.tenant ?? platform);
    if (actor === undefined || person === undefined) return recorder.record(event, options);
    const { name, email } = person;
    return recorder.record({ ...event, actor: { ...actor, name, email } }, options);
  }

  async close(): Promise<void> {
    for (const opening of this.#open.values()) {
      const { client, recorder } = await opening;
      await recorder.close();
      await client.close();
    }
  }

  #logOf(tenant: string): Promise<Open> {
    const open = this.#open.get(tenant) ?? this.#openLog(tenant);
    this.#open.set(tenant, open);
    open.catch(() => this.#open.delete(tenant));
    return open;
  }

  async #openLog(tenant: string): Promise<Open> {
    const [row] = await this.#db.select().from(tenants).where(eq(tenants.id, tenant));
    if (row === undefined) throw new Error('no such tenant');
    const client = this.#connect(tenant, row.vkey);
    const spool = path.join(this.#spools, tenant, 'spool');
    const recorder = await openRecorder(client, { spool, actions: events.onFailure });
    return { client, recorder };
  }
}
