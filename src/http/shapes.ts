import { scopes } from '../wire/index.ts';
import type { Schema } from './route.ts';

/*
 * The shapes of answers, as `src/wire` has them for TypeScript, for everybody else: `/openapi.json` shows them, and a test
 * compares them with what the routes really answer. Nothing that is not listed is in an answer.
 */

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const count: Schema = { type: 'integer', minimum: 0 };
const hash: Schema = {
  type: 'string',
  pattern: '^[A-Za-z0-9+/]{43}=$',
  description: '32 bytes, standard base64.',
};
const base64: Schema = { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$' };
const time: Schema = {
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
  description: 'RFC 3339, UTC, to the millisecond.',
};
const note: Schema = { type: 'string', description: 'A signed note (c2sp.org/tlog-checkpoint).' };
const logName: Schema = { type: 'string', pattern: '^(_[a-z0-9-]{1,62}|[a-z0-9][a-z0-9-]{0,62})$' };
const anything: Schema = {};

const list = (items: Schema): Schema => ({ type: 'array', items });

/** An object of these fields and no others; names that end in `?` may be missing. */
function object(fields: Readonly<Record<string, Schema>>, open = false): Schema {
  const named = Object.entries(fields).map(([name, schema]) => ({
    name: name.replace(/\?$/, ''),
    isRequired: !name.endsWith('?'),
    schema,
  }));
  return {
    type: 'object',
    required: named.filter(({ isRequired }) => isRequired).map(({ name }) => name),
    properties: Object.fromEntries(named.map(({ name, schema }) => [name, schema])),
    additionalProperties: open,
  };
}

/** A name among {@link shapes}. */
export type ShapeName = keyof typeof shapes;

/** Points to a shape. */
export function shape(name: ShapeName): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

const to = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const party = object({ type: text, id: text }, true);
const tally = list(object({ value: text, count }));

const eventShapes = {
  Bytes: object({ entry: base64, disclosures: list(text) }),
  Event: object({
    index: count,
    id: text,
    occurredAt: time,
    recordedAt: time,
    action: text,
    outcome: { enum: ['success', 'failure', 'denied', 'unknown'] },
    'severity?': { enum: ['info', 'low', 'medium', 'high', 'critical'] },
    actor: party,
    targets: list(party),
    'correlationId?': text,
    'causationId?': text,
    'reason?': text,
    'error?': { type: 'object' },
    'changes?': list(anything),
    'context?': { type: 'object' },
    'labels?': { type: 'object' },
    'metadata?': anything,
    source: object({
      service: text,
      instance: text,
      seq: { type: ['integer', 'null'], minimum: 0 },
      'version?': text,
      'credential?': text,
    }),
    'seals?': list(object({ path: text, subjects: list(text) })),
    withheld: list(object({ path: text, 'name?': text, digest: text, subjects: list(text) })),
    'unknown?': { type: 'object' },
    'leafHash?': { ...hash, description: 'SHA-256 of the leaf, standard base64. Not in an export.' },
    'bytes?': to('Bytes'),
  }),
  EventPage: object({ events: list(to('Event')), 'next?': text, complete: count, size: count }),
  Receipt: object({
    id: text,
    index: count,
    leafHash: hash,
    'checkpoint?': { ...note, description: 'Of a single event; many share the one beside their results.' },
    'proof?': { type: 'string', description: 'A .tlog-proof file (c2sp.org/tlog-proof).' },
    'bytes?': to('Bytes'),
  }),
  RecordAnswer: object({
    results: list({
      oneOf: [
        object({ ok: { const: true }, receipt: to('Receipt') }),
        object({ ok: { const: false }, problem: to('Problem') }),
      ],
    }),
    'checkpoint?': note,
  }),
  Stats: object({
    total: count,
    complete: count,
    size: count,
    byAction: tally,
    byActor: tally,
    byOutcome: tally,
    bucketMs: { type: 'number', minimum: 0 },
    buckets: list(object({ from: time, count, unsuccessful: count })),
    'from?': time,
    'to?': time,
    isExact: flag,
  }),
};

const logShapes = {
  Log: object({
    name: logName,
    origin: text,
    vkey: text,
    size: count,
    root: hash,
    checkpoint: note,
    isPublic: flag,
  }),
  LogKeys: object({
    vkey: text,
    rootVkey: { type: ['string', 'null'] },
    entries: list(object({ index: count, entry: text })),
  }),
  LogList: object({ logs: list(to('Log')), 'unreadable?': list(logName), 'next?': logName }),
  Audit: object({
    startedAt: time,
    finishedAt: time,
    depth: { enum: ['whole', 'incremental'] },
    size: count,
    isIntact: flag,
    findings: list(object({ code: text, message: text, 'index?': count })),
    'overdue?': list(object({ code: text, message: text })),
  }),
  Tier: object({
    origin: text,
    size: count,
    root: hash,
    at: time,
    layers: list(
      object({
        name: { enum: ['chained', 'signed', 'witnessed', 'time-stamped', 'published', 'locked'] },
        holds: flag,
        says: text,
      }),
    ),
    'witnessed?': object({ size: count, names: list(text), ageMs: count }),
    stamped: list(object({ authority: text, size: count, time, ageMs: count, isVerified: flag })),
    published: list(
      object({
        url: text,
        size: count,
        at: time,
        'retainUntil?': time,
        'seen?': object({ size: count, 'lockedUntil?': time }),
        'problem?': text,
      }),
    ),
    contradictions: list(text),
    warnings: list(text),
    exposure: list(
      object({
        who: text,
        can: text,
        answeredBy: text,
        unseen: text,
        answered: { enum: ['whole', 'part', 'none'] },
        isAnswered: flag,
      }),
    ),
  }),
  Verification: object({
    size: count,
    checkpoint: note,
    'lastWhole?': to('Audit'),
    'last?': to('Audit'),
    isRunning: flag,
    gaps: list(
      object({
        service: text,
        instance: text,
        kind: { enum: ['seq', 'heartbeat'] },
        'missingFrom?': count,
        'missingTo?': count,
        since: time,
      }),
    ),
    tier: to('Tier'),
  }),
};

/** What a request that takes two people says of itself. */
const request = {
  id: text,
  basis: text,
  requestId: text,
  state: { enum: ['pending', 'approved', 'due', 'blocked', 'done', 'cancelled'] },
  requestedBy: text,
  requestedAt: time,
  'approvedBy?': text,
  'approvedAt?': time,
  'dueAt?': time,
  'endedAt?': time,
  'why?': text,
  'index?': count,
  'values?': count,
};

const rules = list(object({ match: text, keep: text }));

const entryKeeping: Schema = { enum: ['keep', 'archived', 'delete'] };

const erasureShapes = {
  Erasure: object({ ...request, subject: text }),
  Retention: object({
    rules,
    entries: entryKeeping,
    'index?': count,
    'at?': time,
    'pending?': object({ rules, entries: entryKeeping, index: count, notBefore: time }),
    changes: list(to('RetentionChange')),
    'appliedAt?': time,
  }),
  RetentionChange: object({ ...request, rules, 'entries?': entryKeeping }),
  ErasureList: object({ erasures: list(to('Erasure')) }),
  Hold: object({
    name: text,
    index: count,
    at: time,
    'subject?': text,
    'actor?': text,
    'target?': text,
    'from?': time,
    'to?': time,
    'query?': text,
  }),
  HoldList: object({ holds: list(to('Hold')) }),
};

const scopeList = list({ enum: [...scopes] });

const key = {
  id: { type: 'string', pattern: '^[0-9a-f]{12}$' },
  name: text,
  scopes: scopeList,
  'log?': logName,
  service: text,
  createdAt: time,
  'createdBy?': text,
  'expiresAt?': time,
  'lastUsedAt?': time,
  'revokedAt?': time,
};

const doorShapes = {
  Key: object(key),
  KeyCreated: object({
    ...key,
    key: { type: 'string', pattern: '^ind_[0-9a-f]{12}_[A-Za-z0-9_-]{49}$' },
  }),
  KeyList: object({ keys: list(to('Key')) }),
  Session: object({
    kind: { enum: ['session', 'key', 'viewer-token'] },
    name: text,
    scopes: scopeList,
    'log?': logName,
    'filter?': text,
    'expiresAt?': time,
    'sentences?': { type: 'object', additionalProperties: text },
  }),
  Link: object({ url: text, expiresAt: time }),
  ViewerToken: object({
    token: { type: 'string', pattern: '^indv_[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$' },
    expiresAt: time,
  }),
  Problem: object({
    type: text,
    title: text,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: text,
    code: { type: 'string', pattern: '^[a-z][a-z_]*$' },
    'pointer?': text,
    'hint?': text,
    'retryable?': flag,
    'requestId?': text,
  }),
  Alive: object({ status: { const: 'alive' } }),
  Readiness: object({
    status: { enum: ['ready', 'not ready'] },
    'reasons?': list(text),
    'audit?': object({ logs: count, brokenLogs: count, isIntact: flag, oldestAt: time, newestAt: time }),
  }),
};

/** Every shape, by name: the components of `/openapi.json`. */
export const shapes = { ...eventShapes, ...logShapes, ...erasureShapes, ...doorShapes } satisfies Readonly<
  Record<string, Schema>
>;
