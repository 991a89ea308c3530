/**
 * better-auth: sign-ins, passwords, second factors, sessions, roles, bans, impersonation and organizations, from a plugin.
 *
 *     const auth = betterAuth({ plugins: [admin(), twoFactor(), auditPlugin({ recorder: audit })] });
 *
 * It listens where better-auth itself lets others in: after each endpoint that is named in `better-auth-events.ts`, whether it
 * succeeded or not, and after rows of users and sessions were written or removed. It comes last in `plugins`, since a second factor
 * takes back the sign-in of the first. No password, token, code or cookie is ever read into an event. docs/auth.md has the table.
 */

import { misuse } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import { recordAuth } from './auth-recording.ts';
import {
  type Call,
  deletedSession,
  type EndpointFacts,
  eventsOfEndpoint,
  isMapped,
  type Row,
} from './better-auth-events.ts';
import { checkKnownOptions } from './known-options.ts';
import { checkRecorder, type OnUnrecorded, type Recorder } from './recording.ts';

export type { OnUnrecorded, Recorder } from './recording.ts';

/** What the integrations of auth libraries have in common. */
export interface AuditPluginOptions {
  /** Where to record. */
  readonly recorder: Recorder;
  /**
   * Called where something could not be recorded, instead of failing the request. A change of roles, permissions or API keys fails the
   * request all the same. Default: every request fails that cannot be recorded, though what it did is done.
   */
  readonly onError?: OnUnrecorded;
}

/** A plugin of better-auth, as far as its type asks for one: its hooks are none of a caller's business. */
export interface AuditPlugin {
  readonly id: 'indelible';
}

/** The module of better-auth that reads sessions; loaded where it is needed, since it is the application's. */
const apiModule = 'better-auth/api';

/** What of better-auth's context is used. */
interface HookContext {
  readonly path?: string;
  readonly body?: Row;
  readonly params?: Row;
  readonly headers?: Headers;
  readonly context: {
    readonly returned?: unknown;
    readonly session?: { readonly user: Row; readonly session: Row } | null;
    readonly newSession?: { readonly user: Row; readonly session: Row } | null;
    readonly adapter: {
      findOne(query: { model: string; where: { field: string; value: unknown }[] }): Promise<Row | null>;
    };
    readonly internalAdapter: {
      findUserByEmail(email: string): Promise<{ readonly user: Row } | null>;
      findUserById(id: string): Promise<Row | null>;
      findVerificationValue(identifier: string): Promise<Row | null>;
    };
  };
}

type Session = HookContext['context']['session'];

interface BetterAuthApi {
  createAuthMiddleware(work: (context: unknown) => Promise<Session>): (given: object) => Promise<Session>;
  getSessionFromCtx(context: unknown): Promise<Session>;
}

type Facts = Pick<EndpointFacts, 'session' | 'before'>;

/**
 * The plugin. Throws misuse `option_unknown`, `option_invalid`; when better-auth starts, `option_invalid` where the plugin of second
 * factors stands after it.
 */
export function auditPlugin(options: AuditPluginOptions): AuditPlugin {
  checkKnownOptions(options, ['recorder', 'onError']);
  checkRecorder(options.recorder);
  const record = (events: readonly AuditEvent[]): Promise<void> =>
    recordAuth(options.recorder, events, options.onError);
  // What was known before an endpoint ran, until it has run; by better-auth's own object for the call.
  const known = new WeakMap<object, Facts>();
  const plugin = {
    id: 'indelible' as const,
    init: ({ options: { plugins = [] } }: { options: { plugins?: { id: string }[] } }) => {
      checkOrder(plugins.map(({ id }) => id));
      return { options: { databaseHooks: databaseHooks(record) } };
    },
    hooks: {
      before: [
        {
          matcher: ({ path }: HookContext) => path !== undefined && isMapped(path),
          handler: async (given: HookContext) => {
            known.set(given.context, await factsBefore(given));
            return {};
          },
        },
      ],
      after: [
        {
          matcher: ({ path }: HookContext) => path !== undefined && isMapped(path),
          handler: async (given: HookContext) => {
            const before = known.get(given.context) ?? { session: undefined, before: {} };
            await record(eventsOfEndpoint(await callOf(given, before)));
            return {};
          },
        },
      ],
    },
  };
  return plugin;
}

function checkOrder(ids: readonly string[]): void {
  if (ids.indexOf('two-factor') <= ids.indexOf('indelible')) return;
  throw misuse('type', 'option_invalid', 'auditPlugin must stand after twoFactor in plugins: put it last');
}

/** Who is signed in, and what stands where the endpoint is about to write. */
async function factsBefore(given: HookContext): Promise<Facts> {
  const { body = {}, path = '', context } = given;
  const session = context.session ?? (await sessionOf(given));
  const find = (model: string, value: unknown): Promise<Row | null> =>
    context.adapter.findOne({ model, where: [{ field: 'id', value }] });
  const before: Record<string, Row | null> = {};
  if (path.startsWith('/admin/') && body['userId'] !== undefined)
    before['user'] = await find('user', body['userId']);
  if (path === '/organization/update-member-role') before['member'] = await find('member', body['memberId']);
  if (path === '/reset-password' && typeof body['token'] === 'string') {
    before['verification'] = await context.internalAdapter.findVerificationValue(
      `reset-password:${body['token']}`,
    );
  }
  return { session: session ?? undefined, before };
}

/** The session of a request, as better-auth itself reads it. */
async function sessionOf(given: HookContext): Promise<Session> {
  const { createAuthMiddleware, getSessionFromCtx } = (await import(apiModule)) as BetterAuthApi;
  const read = createAuthMiddleware(async (context) => getSessionFromCtx(context).catch(() => null));
  return read({ ...given, returnHeaders: false });
}

async function callOf(given: HookContext, facts: Facts): Promise<Call> {
  const { body = {}, path = '', params, headers, context } = given;
  const attempted = [body['email'], body['username'], body['phoneNumber']].find(
    (name) => typeof name === 'string',
  );
  const email = typeof body['email'] === 'string' ? body['email'] : undefined;
  const user = email === undefined ? undefined : (await context.internalAdapter.findUserByEmail(email))?.user;
  return {
    path,
    body,
    provider: typeof params?.['id'] === 'string' ? params['id'] : undefined,
    returned: context.returned,
    newSession: context.newSession ?? undefined,
    attempted: attempted as string | undefined,
    attemptedUser: user,
    userAgent: headers?.get('user-agent') ?? undefined,
    ...facts,
    session: facts.session ?? context.session ?? undefined,
  };
}

/** Rows that better-auth writes or removes from more than one endpoint, or from code of the application's. */
function databaseHooks(record: (events: readonly AuditEvent[]) => Promise<void>): object {
  const actorIn = (context: HookContext | null | undefined, user: Row) => {
    const by = context?.context.session?.user ?? user;
    return { type: 'user', id: String(by['id']) };
  };
  const userEvent =
    (action: string) =>
    async (user: Row, context?: HookContext | null): Promise<void> => {
      const { id, email, name } = user;
      const target = { type: 'user', id: String(id), email: String(email ?? ''), name: String(name ?? '') };
      await record([{ action, actor: actorIn(context, user), targets: [target] }]);
    };
  return {
    user: { create: { after: userEvent('user.created') }, delete: { after: userEvent('user.deleted') } },
    session: {
      delete: {
        after: async (session: Row, context?: HookContext | null): Promise<void> => {
          const by = context?.context.session?.user;
          await record(deletedSession(session, context?.path, by));
        },
      },
    },
  };
}
