import { inspect } from 'node:util';

/** Fields that hold something else each time, and what stands for them. */
const byName: Readonly<Record<string, string>> = {
  occurredAt: '<time>',
  recordedAt: '<time>',
  durationMs: '<duration>',
  leafHash: '<hash>',
  checkpoint: '<checkpoint>',
  note: '<checkpoint>',
  proof: '<proof>',
  root: '<hash>',
  nonce: '<nonce>',
  vkey: '<key>',
};

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)/g;

/**
 * An event, a receipt, or anything that holds some, with placeholders for what is another each time: times, hashes, checkpoints,
 * durations; UUIDs, digests, trace and span ids as `<id 1>`, `<id 2>`, so that what was the same is still seen to be.
 */
export function stable(value: unknown): unknown {
  const ids = new Map<string, string>();
  const numbered = (id: string): string => {
    if (!ids.has(id)) ids.set(id, `<id ${ids.size + 1}>`);
    return ids.get(id)!;
  };
  const walk = (inner: unknown, name: string): unknown => {
    if (inner instanceof Uint8Array) return '<bytes>';
    if (Array.isArray(inner)) return inner.map((element) => walk(element, ''));
    if (typeof inner === 'object' && inner !== null && !(inner instanceof Date)) {
      const entries = Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1));
      return Object.fromEntries(entries.map(([key, field]) => [key, walk(field, key)]));
    }
    if (Object.hasOwn(byName, name) && inner !== undefined) return byName[name];
    if (inner instanceof Date) return '<time>';
    if (typeof inner !== 'string') return inner;
    if (/^(?:traceId|spanId|digest)$/.test(name)) return numbered(inner);
    return inner.replaceAll(uuid, numbered).replaceAll(time, '<time>');
  };
  return walk(value, '');
}

/** A snapshot as text: for `snapshot.setDefaultSnapshotSerializers([serializeSnapshot])` of `node:test`. */
export function serializeSnapshot(value: unknown): string {
  return inspect(stable(value), { depth: 32, sorted: true, breakLength: 100, maxStringLength: null });
}

/** For `expect.addSnapshotSerializer(snapshotSerializer)` of Vitest and Jest: takes events, receipts, and lists of them. */
export const snapshotSerializer = Object.freeze({
  test: (value: unknown): boolean =>
    Array.isArray(value) ? value.length > 0 && value.every(isOurs) : isOurs(value),
  serialize: (value: unknown): string => serializeSnapshot(value),
});

/** Whether a value is an event as read back, or a receipt. */
function isOurs(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const has = (...names: string[]): boolean => names.every((name) => Object.hasOwn(value, name));
  return has('action', 'actor', 'recordedAt', 'source') || has('id', 'index', 'leafHash', 'checkpoint');
}
