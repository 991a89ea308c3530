// Random events and filters out of few words, so that they meet.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { StoredEntry } from 'indelible';
import {
  type AuditEvent,
  entryText,
  type Filter,
  openEntry,
  parseEntry,
  prepareEvent,
  type RecordedEvent,
  sealDraft,
} from 'indelible/event';

/** The time around which things happen. */
export const NOON = Date.UTC(2026, 4, 4, 12);

const actions = ['role.granted', 'role.revoked', 'roles.listed', 'user.signed_in', 'doc.read'];
const types = ['user', 'us', 'service', 'doc'];
const ids = [
  'u_1',
  'u_12',
  'user/u_1',
  'Ünal',
  'a b',
  "o'neil",
  'x'.repeat(90),
  'U_1',
  'doc',
  '\u{10ffff}',
  '42',
];
const ips = ['10.0.0.1', '10.0.0.12', '2001:db8::1', '203.0.113.9'];
const texts = [
  'granted for the audit',
  'Grant of café rights',
  'CAFÉ au lait',
  'cafe-au-lait 42',
  'ΟΔΟΣ and Οδός',
  'x'.repeat(80),
  'tab\tand "quotes" \\ back',
  'straße ﬁne №5',
  'नमस्ते दुनिया',
  'emoji 👍 ok',
  '10.0.0.1',
  '',
  'a',
];

const someText = fc.constantFrom(...texts);
const party = fc.record(
  { type: fc.constantFrom(...types), id: fc.constantFrom(...ids), name: someText, email: someText },
  { requiredKeys: ['type', 'id'] },
);
const value = fc.oneof(
  someText,
  fc.constantFrom(0, -1.5, 42, 1e21, 5e-7, true, null),
  fc.record({
    ip: someText,
    deep: fc.array(fc.oneof(someText, fc.integer({ min: 0, max: 50 })), { maxLength: 3 }),
  }),
);

const anyFields = fc.record(
  {
    action: fc.constantFrom(...actions),
    actor: fc
      .tuple(party, fc.option(party, { nil: undefined }))
      .map(([actor, onBehalfOf]) => (onBehalfOf === undefined ? actor : { ...actor, onBehalfOf })),
    targets: fc.array(party, { maxLength: 3 }),
    outcome: fc.constantFrom('success', 'failure', 'denied', 'unknown'),
    severity: fc.constantFrom('info', 'high', 'critical'),
    occurredAt: fc.integer({ min: -50, max: 50 }).map((minutes) => new Date(NOON + minutes * 60_000)),
    correlationId: fc.constantFrom('job-1', 'job-12', 'Job:1'),
    reason: someText,
    context: fc.record(
      {
        ip: fc.constantFrom(...ips),
        sessionId: fc.constantFrom('s-1', 's-12', 'Σ-ΣΑΣ'),
        requestId: someText,
        userAgent: someText,
      },
      { requiredKeys: [] },
    ),
    error: fc.record({ code: someText, message: someText }, { requiredKeys: [] }),
    changes: fc.array(fc.record({ path: fc.constant('/role'), from: value, to: value }), { maxLength: 2 }),
    labels: fc.dictionary(fc.constantFrom('team', 'ip'), someText),
    metadata: value,
  },
  { requiredKeys: ['action', 'actor'] },
);

/** An event that a log takes; some of its values stand in the open. */
export const anyEvent: fc.Arbitrary<AuditEvent> = fc
  .tuple(anyFields, fc.subarray(['reason', 'context', 'metadata', 'error', 'labels']))
  .map(([fields, clear]) => ({
    ...fields,
    clear: clear.filter((name) => Object.hasOwn(fields, name)).map((name) => `/${name}`),
  }));

const prefix = fc.boolean();
const word = fc.oneof(
  fc.record({ field: fc.constant('action'), value: fc.constantFrom(...actions, 'role.', 'r', ''), prefix }),
  fc.record({ field: fc.constant('outcome'), value: fc.constantFrom('success', 'denied', 'un', ''), prefix }),
  fc.record({ field: fc.constant('severity'), value: fc.constantFrom('high', 'low', 'c', ''), prefix }),
  fc.record({
    field: fc.constant('source'),
    value: fc.constantFrom('api', 'worker', 'ap', 'wor', ''),
    prefix,
  }),
  fc.record({
    field: fc.constant('correlation'),
    value: fc.constantFrom('job-1', 'Job:1', 'job', ''),
    prefix,
  }),
  fc.record({ field: fc.constant('ip'), value: fc.constantFrom(...ips, '10.', '10.0.', ''), prefix }),
  fc.record({
    field: fc.constant('session'),
    value: fc.constantFrom('s-1', 's-12', 's', 'Σ-ΣΑΣ', 'Σ-Σ', ''),
    prefix,
  }),
  fc.record({
    field: fc.constant('request'),
    value: fc.constantFrom(...texts, 'caf', 'café', 'gran'),
    prefix,
  }),
  fc.record({
    field: fc.constant('id'),
    value: fc.constantFrom('id-1', 'id-12', 'id', 'nobody', ''),
    prefix,
  }),
);
const tokens = fc.constantFrom(
  ...[
    ['audit'],
    ['cafe'],
    ['cafe', 'au', 'lait'],
    ['οδος'],
    ['10', '0'],
    ['42'],
    ['x'.repeat(64)],
    ['gran'],
    ['au', 'la'],
  ],
  ...[
    ['नमस्ते'],
    ['a'],
    [''],
    ['not a word'],
    ['1'],
    ['1e'],
    ['id', '7'],
    ['ﬁ'],
    ['role'],
    ['strasse'],
    ['straße'],
  ],
);
const time = fc
  .integer({ min: -60, max: 60 })
  .map((minutes) => new Date(NOON + minutes * 60_000).toISOString());
const leaf = fc.oneof(
  word.map((fields) => ({ kind: 'word', ...fields })),
  fc.record({
    kind: fc.constant('party'),
    field: fc.constantFrom('actor', 'target'),
    value: fc.oneof(
      fc.constantFrom(...ids, '', 'u_', 'us', 'user/', 'us/u', 'd', 'do', 'doc/', 'x'.repeat(70)),
      fc
        .tuple(fc.constantFrom(...types), fc.constantFrom(...ids, 'u_', 'U'))
        .map(([type, id]) => `${type}/${id}`),
    ),
    prefix,
  }),
  fc.record({ kind: fc.constant('text'), tokens, prefix }),
  fc.record({ kind: fc.constantFrom('after', 'before'), time }),
);

/** Any filter, also such as no query is parsed into. */
export const anyFilter = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    tie('filter').map((filter) => ({ kind: 'not', filter })),
    fc.array(tie('filter'), { maxLength: 3 }).map((filters) => ({ kind: 'all', filters })),
    fc.array(tie('filter'), { maxLength: 3 }).map((filters) => ({ kind: 'any', filters })),
  ),
})).filter as fc.Arbitrary<Filter>;

/** The entries that a log makes of events, as it stores them, from the index `from` on. */
export function entriesOf(events: readonly AuditEvent[], from = 0): StoredEntry[] {
  return events.map((event, position) => {
    const index = from + position;
    const draft = prepareEvent(event, {
      id: `id-${index}`,
      occurredAt: new Date(NOON + index * 1000).toISOString(),
      now: NOON + 86_400_000,
      source: { service: index % 3 === 0 ? 'worker' : 'api', instance: 'instance', seq: index },
      personalIds: 'allow',
    });
    const sealed = sealDraft(draft, salts(index));
    const entry = new TextEncoder().encode(entryText(sealed, new Date(NOON + index).toISOString()));
    return { index, entry, disclosures: sealed.disclosures };
  });
}

/** Salts and nonces that are the same in every process, and fit for nothing but tests. */
function salts(seed: number): (bytes: number) => Uint8Array {
  let drawn = 0;
  return (bytes) => {
    drawn += 1;
    return createHash('shake256', { outputLength: bytes }).update(`${seed}/${drawn}`).digest();
  };
}

/** An entry as readers see it. */
export function eventOf({ index, entry, disclosures }: StoredEntry): RecordedEvent {
  return openEntry(parseEntry(entry), disclosures, index).event;
}

/** A log of `count` sign-ins, each with words of its own; always the same. */
export function signIns(count: number, from = 0): StoredEntry[] {
  const events = Array.from({ length: count }, (_, position) => ({
    action: 'user.signed_in',
    actor: { type: 'user', id: `u_${(from + position) % 7}` },
    outcome: (from + position) % 10 === 0 ? ('failure' as const) : ('success' as const),
    reason: `word${from + position}`,
    metadata: createHash('sha256')
      .update(`${from + position}`)
      .digest('hex')
      .replace(/.{8}/g, '$&-'),
  }));
  return entriesOf(events, from);
}
