/**
 * Auth.js (`@auth/core`, and with it `next-auth` and its kin): sign-ins, failed ones where it tells of them, sign-outs, users and accounts.
 *
 *     const config = auditAuth({ providers: [GitHub], … }, { recorder: audit });
 *     const response = await Auth(request, config);
 *
 * Auth.js has events for what succeeds. Of what fails, a wrapper sees a Credentials provider that knows nobody, and the `signIn` callback
 * that says no; an error of a provider's own reaches its logger alone. docs/auth.md has the table.
 */

import type { Actor, AuditEvent } from '../event/index.ts';
import { recordAuth } from './auth-recording.ts';
import { checkKnownOptions } from './known-options.ts';
import { checkRecorder, type OnUnrecorded, type Recorder } from './recording.ts';

export type { OnUnrecorded, Recorder } from './recording.ts';

/** How Auth.js is recorded. */
export interface AuditAuthOptions {
  /** Where to record. */
  readonly recorder: Recorder;
  /** The credential that names who tries to sign in. Default: `username`, else `email`. Its value is sealed. */
  readonly nameField?: string;
  /**
   * Called where something could not be recorded. Default: a sign-in with tokens fails; all else Auth.js ends
   * all the same, and its logger has the error.
   */
  readonly onError?: OnUnrecorded;
}

interface User {
  readonly id?: string;
  readonly email?: string | null;
  readonly name?: string | null;
}

interface Account {
  readonly provider?: string;
}

type Events = Readonly<Record<string, ((message: never) => unknown) | undefined>>;

interface Config {
  readonly providers: readonly unknown[];
  readonly events?: Events;
  readonly callbacks?: Readonly<Record<string, unknown>>;
  readonly session?: { readonly strategy?: string };
  readonly adapter?: unknown;
}

type RecordEvents = (...events: AuditEvent[]) => Promise<void>;

/** The configuration with recording added; its own events and callbacks are called as before. Throws misuse `option_unknown`, `option_invalid`. */
export function auditAuth<C extends { providers: unknown[] }>(config: C, options: AuditAuthOptions): C {
  checkKnownOptions(options, ['recorder', 'nameField', 'onError']);
  checkRecorder(options.recorder);
  const record: RecordEvents = (...events) => recordAuth(options.recorder, events, options.onError);
  const { providers, events = {}, callbacks = {}, session, adapter } = config as unknown as Config;
  // Auth.js logs what an event throws, and goes on. What the token of a session throws ends the sign-in.
  const inToken = (session?.strategy ?? (adapter === undefined ? 'jwt' : 'database')) === 'jwt';
  const signIn = callbacks['signIn'] as SignInCallback | undefined;
  const wrapped = {
    ...config,
    providers: providers.map((provider) => withFailures(provider, options.nameField, record)),
    events: withEvents(events, inToken ? { ...eventsOf, signIn: () => undefined } : eventsOf, record),
    callbacks: {
      ...callbacks,
      ...(signIn === undefined ? {} : { signIn: withRefusals(signIn, record) }),
      ...(inToken ? { jwt: withSignIns(callbacks['jwt'] as TokenCallback | undefined, record) } : {}),
    },
  };
  return wrapped as C;
}

interface SignedIn {
  readonly user: User;
  readonly account?: Account | null;
  readonly isNewUser?: boolean;
}

type EventsOf = Readonly<Record<string, (message: never) => AuditEvent | undefined>>;

const eventsOf = {
  signIn: ({ user, account, isNewUser }: SignedIn): AuditEvent => ({
    action: 'user.signed_in',
    actor: personOf(user),
    metadata: { provider: account?.provider ?? 'unknown', isNewUser: isNewUser === true },
  }),
  signOut: (message: {
    session?: { userId?: string } | null;
    token?: { sub?: string } | null;
  }): AuditEvent => {
    const id = message.session?.userId ?? message.token?.sub;
    return { action: 'user.signed_out', actor: id === undefined ? nobody : { type: 'user', id } };
  },
  createUser: ({ user }: { user: User }): AuditEvent => aboutUser('user.created', user),
  updateUser: ({ user }: { user: User }): AuditEvent => aboutUser('user.updated', user),
  linkAccount: ({ user, account }: { user: User; account: Account }): AuditEvent => ({
    ...aboutUser('user.updated', user),
    metadata: { linked: account.provider ?? 'unknown' },
  }),
} as const;

function aboutUser(action: string, user: User): AuditEvent {
  return { action, actor: personOf(user), targets: [personOf(user)] };
}

type TokenCallback = (message: { token: unknown; trigger?: string } & SignedIn) => unknown;

/** A callback for tokens that records the sign-in before anybody gets the token. */
function withSignIns(callback: TokenCallback | undefined, record: RecordEvents): TokenCallback {
  return async (message) => {
    const token = callback === undefined ? message.token : await callback(message);
    const signsIn = message.trigger === 'signIn' || message.trigger === 'signUp';
    if (signsIn && token !== null) await record(eventsOf.signIn(message));
    return token;
  };
}

function withEvents(events: Events, eventOf: EventsOf, record: RecordEvents): Events {
  const wrapped = Object.entries(eventOf).map(([name, make]) => [
    name,
    async (message: never): Promise<void> => {
      await events[name]?.(message);
      const event = make(message);
      if (event !== undefined) await record(event);
    },
  ]);
  return { ...events, ...Object.fromEntries(wrapped) };
}

type SignInCallback = (message: { user?: User; account?: Account | null }) => unknown;

/** A `signIn` callback whose refusals are told. */
function withRefusals(callback: SignInCallback, record: RecordEvents): SignInCallback {
  return async (message) => {
    const answer = await callback(message);
    if (answer !== false) return answer;
    await record({
      action: 'user.sign_in_failed',
      outcome: 'denied',
      actor: message.user === undefined ? nobody : personOf(message.user),
      metadata: { provider: message.account?.provider ?? 'unknown' },
    });
    return answer;
  };
}

type Authorize = (credentials: Readonly<Record<string, unknown>>, request: Request) => unknown;

interface CredentialsProvider {
  readonly id?: string;
  readonly type?: string;
  readonly options?: { readonly authorize?: Authorize };
}

/** A Credentials provider that tells of whom it did not let in; any other provider as it is. */
function withFailures(given: unknown, nameField: string | undefined, record: RecordEvents): unknown {
  const provider = (typeof given === 'function' ? (given as () => unknown)() : given) as CredentialsProvider;
  const authorize = provider?.options?.authorize;
  if (provider?.type !== 'credentials' || authorize === undefined) return given;
  const failed = async (credentials: Readonly<Record<string, unknown>>, request: Request): Promise<void> => {
    const attempted =
      nameField === undefined ? (credentials['username'] ?? credentials['email']) : credentials[nameField];
    const userAgent = request.headers.get('user-agent');
    await record({
      action: 'user.sign_in_failed',
      outcome: 'denied',
      actor: nobody,
      ...(userAgent === null ? {} : { context: { userAgent: userAgent.toWellFormed() } }),
      metadata: {
        provider: provider.id ?? 'credentials',
        ...(typeof attempted === 'string' ? { attempted: attempted.toWellFormed().slice(0, 500) } : {}),
      },
    });
  };
  const told: Authorize = async (credentials, request) => {
    let user: unknown;
    try {
      user = await authorize(credentials, request);
    } catch (error) {
      await failed(credentials, request);
      throw error;
    }
    if (user === null || user === undefined) await failed(credentials, request);
    return user;
  };
  return { ...provider, options: { ...provider.options, authorize: told } };
}

const nobody: Actor = Object.freeze({ type: 'anonymous', id: 'unknown' });

function personOf({ id, email, name }: User): Actor {
  if (id === undefined) return nobody;
  return {
    type: 'user',
    id,
    ...(typeof email === 'string' ? { email } : {}),
    ...(typeof name === 'string' ? { name } : {}),
  };
}
