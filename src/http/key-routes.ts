import { type ApiKeyRequest, type KeyList, type Scope, scopes } from '../wire/index.ts';
import { requireScopes } from './api-keys.ts';
import type { Foundation } from './foundation.ts';
import { notFound, ProblemError } from './problem.ts';
import type { Call, Caller, Route, Schema } from './route.ts';
import { shape } from './shapes.ts';

const BODY_BYTES_MAX = 16_384;

const requestSchema: Schema = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'scopes'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 128 },
    scopes: { type: 'array', minItems: 1, maxItems: 6, uniqueItems: true, items: { enum: [...scopes] } },
    log: { type: 'string', pattern: '^[a-z0-9][a-z0-9-]{0,62}$' },
    service: { type: 'string', minLength: 1, maxLength: 128 },
    expiresAt: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$' },
  },
};

/** Routes that make, list and revoke API keys. A caller who is bound to one log sees and makes keys of that log alone. */
export function keyRoutes(house: Foundation): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/keys',
      operationId: 'listKeys',
      summary: 'The API keys, without their secrets.',
      access: ['admin'],
      answers: {
        200: {
          description: 'All keys, revoked ones too.',
          schema: shape('KeyList'),
        },
      },
      handle: async ({ caller }) => {
        const list: KeyList = { keys: house.keys.list(caller!.log) };
        return Response.json(list);
      },
    },
    {
      method: 'POST',
      path: '/v1/keys',
      operationId: 'createKey',
      summary: 'Makes an API key. The answer is the only time that it is shown.',
      access: ['admin'],
      body: { contentTypes: ['application/json'], bytesMax: BODY_BYTES_MAX, schema: requestSchema },
      answers: { 201: { description: 'The key.', schema: shape('KeyCreated') } },
      handle: (call) => createKey(house, call),
    },
    {
      method: 'DELETE',
      path: '/v1/keys/{key}',
      operationId: 'revokeKey',
      summary: 'Revokes an API key, and every session, link and token that it gave out, at once.',
      access: ['admin'],
      answers: { 204: { description: 'Nobody is recognised by it any more.' } },
      handle: (call) => revokeKey(house, call),
    },
  ];
}

async function createKey(house: Foundation, { body, caller, peer }: Call): Promise<Response> {
  const request = (await body.json()) as ApiKeyRequest;
  const log = requireReach(caller!, request.log);
  requireScopes(request.scopes);
  requireHeld(caller!, request.scopes);
  if (log !== undefined && !(await house.logs.names()).includes(log)) throw notFound();
  const { key, ...described } = house.keys.create(log === undefined ? request : { ...request, log }, caller);
  try {
    await house.serverLog.administered(
      'api_key.created',
      caller,
      { type: 'api-key', id: described.id, name: described.name },
      peer,
      { scopes: described.scopes, ...(log === undefined ? {} : { log }) },
    );
  } catch (error) {
    // A key that no entry speaks of is no key.
    house.keys.revoke(described.id);
    throw error;
  }
  return Response.json({ ...described, key }, { status: 201 });
}

async function revokeKey(house: Foundation, { params, caller, peer }: Call): Promise<Response> {
  const found = house.keys.find(params['key']!);
  if (found === undefined || (caller!.log !== undefined && found.log !== caller!.log)) throw notFound();
  // Revoked first: a log that cannot be written must not keep a stolen key alive.
  house.keys.revoke(found.id);
  await house.serverLog.administered(
    'api_key.revoked',
    caller,
    { type: 'api-key', id: found.id, name: found.name },
    peer,
  );
  return new Response(null, { status: 204 });
}

/** The log that a credential made by this caller is bound to. Throws `not_found` for another than the caller's own. */
export function requireReach(caller: Caller, log: string | undefined): string | undefined {
  if (caller.log === undefined) return log;
  if (log !== undefined && log !== caller.log) throw notFound();
  return caller.log;
}

/** What an administrator does not give away without holding it: the two halves of the right to erase. */
const heldToGive: ReadonlySet<Scope> = new Set(['privacy', 'approve']);

/**
 * An administrator who holds neither half of the right to erase makes keys for neither, and who holds one makes keys for
 * that one: no chain of requests leads from one hand to both. The first key of each half comes from the operator, by
 * `indelible api-key create` on the machine.
 */
function requireHeld(caller: Caller, wanted: readonly Scope[]): void {
  const missing = wanted.find((scope) => heldToGive.has(scope) && !caller.scopes.has(scope));
  if (missing === undefined) return;
  throw new ProblemError(403, 'forbidden', `Only who holds the scope ${missing} gives it to another key.`, {
    pointer: '/scopes',
    hint: 'ask who holds it, or the operator: indelible api-key create, on the machine of the server',
  });
}
