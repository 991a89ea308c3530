import { VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { SealedField } from './open.ts';
import { isPastRetention, type RetentionRecord, retentionOf } from './retention.ts';
import { subjectText } from './rules.ts';

/** The record of an erasure: it covers exactly this subject's values, in entries below that index. */
export interface Erasure {
  readonly subject: string;
  readonly below: number;
}

/** A record of why sealed values are not there: somebody was erased, or a period has passed. */
export type Removal = Erasure | RetentionRecord;

/** The actions of the entries that record a {@link Removal}. */
export const removalActions = ['log.erased', 'log.retention_applied'] as const;

/**
 * What became of a sealed value: `present`; `erased`, with a record that says so; or `missing` without one,
 * which is an alarm.
 */
export type Verdict = 'present' | 'erased' | 'missing';

/**
 * Judges one sealed value by the records of erasures and of retention. A value of several subjects says something about each,
 * so the erasure of any one of them takes it. The log's own values belong to nobody and are never erased.
 */
export function judge(field: SealedField, removals: Iterable<Removal>): Verdict {
  if (field.disclosure !== undefined) return 'present';
  for (const removal of removals) if (covers(removal, field)) return 'erased';
  return 'missing';
}

function covers(removal: Removal, field: SealedField): boolean {
  if ('rules' in removal) return isPastRetention(removal, field);
  return field.index < removal.below && field.subjects.includes(removal.subject);
}

/** What an entry records of why values are not there: one of the {@link removalActions}. Throws `malformed_entry` for any other. */
export function removalOf(entry: Entry, index: number): Removal {
  return entry.action === 'log.retention_applied' ? retentionOf(entry, index) : erasureOf(entry);
}

/**
 * The erasure that a `log.erased` entry records. Throws `malformed_entry` for any other entry, or one that
 * does not say.
 */
export function erasureOf(entry: Entry): Erasure {
  const data = entry['metadata'];
  if (entry.action === 'log.erased' && typeof data === 'object' && data !== null && !Array.isArray(data)) {
    const { subject, below } = data as { subject?: unknown; below?: unknown };
    if (typeof subject === 'string' && subjectText.test(subject) && isIndex(below)) return { subject, below };
  }
  throw new VerificationError(
    'malformed_entry',
    'The entry records no erasure: it names no subject and index.',
    {
      pointer: '/metadata',
    },
  );
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
