import type { Actor, AuditEvent, Change, EventContext, Outcome, Target } from '../event/index.ts';
import { compact } from './names.ts';

/** A row of better-auth's, or a body of a request. */
export type Row = Readonly<Record<string, unknown>>;

/** What was known before an endpoint ran. */
export interface EndpointFacts {
  readonly session: { readonly user: Row; readonly session: Row } | undefined;
  readonly before: Readonly<Record<string, Row | null>>;
}

/** One endpoint that has run, with what is needed to say what it did. Nothing of `body` is recorded but what the table below names. */
export interface Call extends EndpointFacts {
  readonly path: string;
  readonly body: Row;
  /** The provider of a social sign-in. */
  readonly provider: string | undefined;
  readonly returned: unknown;
  readonly newSession: { readonly user: Row; readonly session: Row } | undefined;
  /** The name with which somebody tried to sign in, and whose it is, if anybody's. */
  readonly attempted: string | undefined;
  readonly attemptedUser: Row | undefined;
  readonly userAgent: string | undefined;
}

type Told = Omit<AuditEvent, 'actor'> & { readonly actor?: Actor };
type Tell = (call: Call) => Told | undefined;

/** Somebody who is not known: a sealed value about them is erased with `anonymous/unknown`. */
export const anonymous: Actor = Object.freeze({ type: 'anonymous', id: 'unknown' });

const user = (row: Row | undefined | null): Target | undefined =>
  row?.['id'] === undefined ? undefined : { type: 'user', id: String(row['id']) };
const thing = (type: string, id: unknown): Target[] =>
  typeof id === 'string' || typeof id === 'number' ? [{ type, id: String(id) }] : [];
const rowOf = (value: unknown): Row => (typeof value === 'object' && value !== null ? (value as Row) : {});

/** What endpoints do that somebody who is signed in calls: `user` is whom it concerns. */
const endpoints: Readonly<Record<string, Tell>> = {
  '/change-password': (call) => ({ action: 'password.changed', targets: self(call) }),
  '/set-password': (call) => ({ action: 'password.changed', targets: self(call) }),
  '/admin/set-user-password': ({ body }) => ({
    action: 'password.changed',
    targets: thing('user', body['userId']),
  }),
  '/request-password-reset': (call) => ({ action: 'password.reset_requested', ...attempt(call) }),
  '/reset-password': ({ before }) => {
    const target = thing('user', before['verification']?.['value']);
    return { action: 'password.reset', actor: target[0] ?? anonymous, targets: target };
  },
  '/two-factor/enable': (call) => ({
    action: 'mfa.enrolled',
    targets: self(call),
    metadata: { method: methodOf(call.body['method'], 'totp'), confirmed: call.body['method'] === 'otp' },
  }),
  '/two-factor/disable': (call) => ({ action: 'mfa.removed', targets: self(call) }),
  '/two-factor/verify-totp': (call) => secondFactor(call, 'totp'),
  '/two-factor/verify-otp': (call) => secondFactor(call, 'otp'),
  '/two-factor/verify-backup-code': (call) => secondFactor(call, 'backup_code'),
  '/two-factor/generate-backup-codes': (call) => ({
    action: 'mfa.enrolled',
    targets: self(call),
    metadata: { method: 'backup_code', confirmed: true },
  }),
  '/admin/set-role': (call) =>
    roles(call, call.before['user'], call.body['role'], thing('user', call.body['userId'])),
  '/admin/update-user': (call) => {
    const role = rowOf(call.body['data'])['role'];
    const target = thing('user', call.body['userId']);
    return role === undefined
      ? { action: 'user.updated', targets: target }
      : roles(call, call.before['user'], role, target);
  },
  '/admin/ban-user': ({ body }) => ({
    action: 'user.locked',
    targets: thing('user', body['userId']),
    ...(typeof body['banReason'] === 'string' ? { reason: body['banReason'] } : {}),
  }),
  '/admin/unban-user': ({ body }) => ({ action: 'user.unlocked', targets: thing('user', body['userId']) }),
  '/admin/impersonate-user': ({ body }) => ({
    action: 'user.impersonated',
    targets: thing('user', body['userId']),
  }),
  '/admin/stop-impersonating': ({ session }) => {
    const by = session?.session['impersonatedBy'];
    const actor = thing('user', by)[0];
    return {
      action: 'user.impersonation_ended',
      ...(actor === undefined ? {} : { actor }),
      targets: targetOf(session?.user),
    };
  },
  '/organization/create': ({ returned, session }) => ({
    action: 'role.assigned',
    targets: [...targetOf(session?.user), ...thing('organization', rowOf(returned)['id'])],
    changes: [{ path: '/roles', to: ['owner'] }],
  }),
  '/organization/invite-member': ({ body, returned }) => ({
    action: 'user.invited',
    targets: [
      ...thing('invitation', rowOf(returned)['id']).map((target) => ({
        ...target,
        email: String(body['email'] ?? ''),
      })),
      ...thing('organization', rowOf(returned)['organizationId'] ?? body['organizationId']),
    ],
    metadata: { roles: rolesOf(body['role']) },
  }),
  '/organization/accept-invitation': ({ returned, session }) => {
    const member = rowOf(rowOf(returned)['member']);
    return {
      action: 'role.assigned',
      targets: [...targetOf(session?.user), ...thing('organization', member['organizationId'])],
      changes: [{ path: '/roles', to: rolesOf(member['role']) }],
    };
  },
  '/organization/update-member-role': (call) => {
    const member = { ...call.before['member'], ...rowOf(call.returned) } as Row;
    const targets = [...thing('user', member['userId']), ...thing('organization', member['organizationId'])];
    return roles(call, call.before['member'], call.body['role'], targets);
  },
  '/organization/remove-member': ({ returned }) => leaving(rowOf(rowOf(returned)['member'])),
  '/organization/leave': ({ returned }) => leaving(rowOf(returned)),
  '/organization/create-role': (call) => permission(call),
  '/organization/update-role': (call) => permission(call),
  '/organization/delete-role': (call) => permission(call),
  '/api-key/create': ({ returned }) => ({
    action: 'api_key.created',
    targets: thing('api_key', rowOf(returned)['id']),
  }),
  '/api-key/update': ({ body }) => ({
    action: 'permission.changed',
    targets: thing('api_key', body['keyId']),
  }),
  '/api-key/delete': ({ body }) => ({ action: 'api_key.revoked', targets: thing('api_key', body['keyId']) }),
  '/sso/register': ({ body }) => ({
    action: 'sso.configured',
    targets: thing('sso_provider', body['providerId']),
  }),
  '/sso/delete-provider': ({ body }) => ({
    action: 'sso.disabled',
    targets: thing('sso_provider', body['providerId']),
  }),
};

/** Endpoints whose success is a new session. */
const signInPath =
  /^\/(?:sign-in\/|sign-up\/email$|callback\/|oauth2\/callback\/|magic-link\/verify$|phone-number\/verify$|one-tap\/callback$|siwe\/verify$|sso\/(?:saml2\/)?callback)/;

/** Whether an endpoint is one that events are made of. */
export function isMapped(path: string): boolean {
  return endpoints[path] !== undefined || signInPath.test(path);
}

/** What an endpoint did, or was refused to do. */
export function eventsOfEndpoint(call: Call): AuditEvent[] {
  const failure = failureOf(call.returned);
  const tell = endpoints[call.path];
  if (tell === undefined) return signIn(call, failure);
  const told = tell(call);
  if (told === undefined) return [];
  const context = contextOf(call);
  const actor = told.actor ?? targetOf(call.session?.user)[0] ?? anonymous;
  const refused = failure === undefined ? {} : { outcome: failure.outcome, error: failure.error };
  const { changes, ...rest } = told;
  // What was asked for and refused changed nothing.
  const kept = failure === undefined && changes !== undefined ? { changes } : {};
  return [{ ...rest, ...kept, ...refused, actor, ...(context === undefined ? {} : { context }) }];
}

/** A session that was removed: signed out, revoked, or given up for another by the library itself. */
export function deletedSession(session: Row, path: string | undefined, by: Row | undefined): AuditEvent[] {
  const owner = String(session['userId']);
  const target: Target = { type: 'session', id: String(session['id']) };
  if (path === '/sign-out') {
    return [{ action: 'user.signed_out', actor: { type: 'user', id: owner }, targets: [target] }];
  }
  if (path !== undefined && rotates.test(path)) return [];
  const actor =
    by?.['id'] === undefined ? { type: 'user', id: owner } : { type: 'user', id: String(by['id']) };
  return [{ action: 'session.revoked', actor, targets: [target, { type: 'user', id: owner }] }];
}

/** Endpoints that remove a session only to put another in its place, or that a first factor alone had made. */
const rotates =
  /^\/(?:two-factor\/|sign-in\/|callback\/|magic-link\/|get-session$|update-session$|admin\/(?:stop-)?impersonat)/;

function signIn(call: Call, failure: Failure | undefined): AuditEvent[] {
  const method = call.provider ?? /^\/(?:sign-in\/)?([a-z0-9-]+)/.exec(call.path)?.[1] ?? 'unknown';
  const context = contextOf(call);
  const shared = { metadata: { method }, ...(context === undefined ? {} : { context }) };
  const signedIn = targetOf(call.newSession?.user)[0];
  if (signedIn !== undefined) {
    return [{ action: 'user.signed_in', actor: signedIn, targets: sessionTarget(call), ...shared }];
  }
  if (rowOf(call.returned)['twoFactorRedirect'] === true) {
    return [{ action: 'mfa.challenged', ...withActor(attempt(call)), ...shared }];
  }
  // A sign-up that waits for a verified address, or a social sign-in that is sent on to its provider, is neither.
  if (failure === undefined || call.path === '/sign-up/email') return [];
  const { outcome, error } = failure;
  const { metadata, ...who } = attempt(call);
  const tried = { ...shared.metadata, ...rowOf(metadata) } as Record<string, string>;
  return [{ action: 'user.sign_in_failed', outcome, error, ...withActor(who), ...shared, metadata: tried }];
}

function secondFactor(call: Call, method: string): Told {
  const failed = failureOf(call.returned) !== undefined;
  const metadata = { method, confirmed: true };
  if (failed) return { action: 'mfa.failed', targets: self(call), metadata: { method } };
  if (call.session !== undefined) return { action: 'mfa.enrolled', targets: self(call), metadata };
  const actor = targetOf(call.newSession?.user)[0] ?? anonymous;
  return {
    action: 'user.signed_in',
    actor,
    targets: sessionTarget(call),
    metadata: { method, secondFactor: true },
  };
}

/** Who tried: the user whose name it is, or nobody known, with the name sealed as theirs. */
function attempt({ attempted, attemptedUser }: Call): Pick<Told, 'actor' | 'targets' | 'metadata'> {
  const known = user(attemptedUser);
  const metadata = attempted === undefined ? {} : { metadata: { attempted } };
  return { actor: known ?? anonymous, targets: known === undefined ? [] : [known], ...metadata };
}

function withActor(
  who: Pick<Told, 'actor' | 'targets' | 'metadata'>,
): Pick<AuditEvent, 'actor' | 'targets' | 'metadata'> {
  return { ...who, actor: who.actor ?? anonymous };
}

function roles(call: Call, before: Row | null | undefined, after: unknown, targets: readonly Target[]): Told {
  const was = rolesOf(before?.['role']);
  const is = rolesOf(after);
  const changes: Change[] = [{ path: '/roles', from: was, to: is }];
  const added = is.some((role) => !was.includes(role)) || failureOf(call.returned) !== undefined;
  return {
    action: added || is.length >= was.length ? 'role.assigned' : 'role.removed',
    targets,
    changes,
    metadata: { roles: is },
  };
}

function leaving(member: Row): Told {
  return {
    action: 'role.removed',
    targets: [...thing('user', member['userId']), ...thing('organization', member['organizationId'])],
    changes: [{ path: '/roles', from: rolesOf(member['role']) }],
  };
}

function permission({ path, body, session }: Call): Told {
  const named = [body['role'], body['roleName'], body['roleId']].find((name) => typeof name === 'string');
  const organization = body['organizationId'] ?? session?.session['activeOrganizationId'];
  return {
    action: 'permission.changed',
    targets: [...thing('role', named), ...thing('organization', organization)],
    metadata: {
      change: path.slice('/organization/'.length, -'-role'.length),
      permission: permissionsOf(body['permission'] ?? rowOf(body['data'])['permission']),
    },
  };
}

/** Rights as better-auth takes them: resources with lists of actions. */
function permissionsOf(value: unknown): Record<string, string[]> {
  const entries = Object.entries(rowOf(value)).map(([name, actions]) => [name, rolesOf(actions)] as const);
  return Object.fromEntries(entries);
}

/** Roles as better-auth keeps them: a text with commas, or a list. */
function rolesOf(value: unknown): string[] {
  const list = Array.isArray(value)
    ? (value as unknown[])
    : typeof value === 'string'
      ? value.split(',')
      : [];
  return list.filter((role) => typeof role === 'string').map((role) => role.trim());
}

function self({ session }: Call): Target[] {
  return targetOf(session?.user);
}

function targetOf(row: Row | undefined): Target[] {
  const target = user(row);
  return target === undefined ? [] : [target];
}

function sessionTarget({ newSession }: Call): Target[] {
  return thing('session', newSession?.session['id']);
}

function methodOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

interface Failure {
  readonly outcome: Outcome;
  readonly error: { readonly code: string; readonly message: string };
}

/** What an endpoint threw, or undefined where it did not. A redirect is a failure where it leads to an error. */
function failureOf(returned: unknown): Failure | undefined {
  const { statusCode, body, headers } = rowOf(returned);
  if (typeof statusCode !== 'number') return undefined;
  if (statusCode < 400) {
    const location = headers instanceof Headers ? headers.get('location') : null;
    const code = location === null ? undefined : /[?&]error=([A-Za-z0-9_-]+)/.exec(location)?.[1];
    return code === undefined
      ? undefined
      : { outcome: 'failure', error: { code, message: 'sent back with an error' } };
  }
  const { code, message } = rowOf(body);
  return {
    outcome: statusCode === 401 || statusCode === 403 ? 'denied' : 'failure',
    error: {
      code: String(code ?? statusCode),
      message: String(message ?? '')
        .slice(0, 500)
        .toWellFormed(),
    },
  };
}

function contextOf({ newSession, session, userAgent }: Call): EventContext | undefined {
  const of = newSession?.session ?? session?.session;
  const context = compact({
    ip: textOf(of?.['ipAddress']),
    userAgent: userAgent?.toWellFormed(),
    sessionId: textOf(of?.['id']),
  });
  return Object.keys(context).length === 0 ? undefined : context;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
