import { misuse } from '../../bytes/index.ts';
import {
  type Actor,
  type EntryKeeping,
  entryKeepings,
  loosens,
  type PolicyChanging,
  policyComplaint,
  shortens,
} from '../../event/index.ts';
import { checkApprovers } from '../erasure/index.ts';

/** How long a policy that keeps values for a shorter time waits before it is in force, milliseconds: 72 hours. */
export const RETENTION_DELAY_MS_DEFAULT = 72 * 3_600_000;

/** Nothing waits longer, milliseconds: 10 years. */
const DELAY_MS_MAX = 10 * 366 * 86_400_000;

/** How a policy is set. */
export interface RetentionSetOptions {
  /** Who sets it; the log itself by default. */
  readonly by?: Actor;
  /** Sealed, and never erased. */
  readonly reason?: string;
  /** Who approved it: ids of two different people at least, where values are kept for a shorter time. In the open for ever. */
  readonly approvedBy?: readonly string[];
  /** How long a policy that shortens waits, milliseconds. Default {@link RETENTION_DELAY_MS_DEFAULT}. */
  readonly delayMs?: number;
  /**
   * What becomes of the bytes of entries that have passed the longest period of the policy: kept, pruned when an archive holds them, or
   * pruned. As it is, by default; a log that never said so keeps them.
   */
  readonly entries?: EntryKeeping;
}

const names = ['by', 'reason', 'approvedBy', 'delayMs', 'entries'];

/** Refuses what is no policy. Throws a misuse `option_invalid`. */
export function checkPolicy(policy: unknown): void {
  const complaint = policyComplaint(policy);
  if (complaint !== undefined) throw misuse('type', 'option_invalid', complaint);
}

/**
 * What a change of the policy is recorded with. Throws a misuse `option_unknown`, `option_invalid`: also where it shortens, and
 * fewer than two different people approved it.
 */
export function changingOf(
  {
    from,
    to,
    after,
    entries,
  }: Pick<PolicyChanging, 'from' | 'to' | 'after'> & Required<Pick<PolicyChanging, 'entries'>>,
  options: RetentionSetOptions,
  now: number,
): PolicyChanging {
  for (const name of Object.keys(options)) {
    if (!names.includes(name))
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  const { by, reason, approvedBy, delayMs = RETENTION_DELAY_MS_DEFAULT } = options;
  if (!Number.isSafeInteger(delayMs) || delayMs < 0 || delayMs > DELAY_MS_MAX)
    throw misuse(
      'range',
      'option_invalid',
      'delayMs must be a whole number of milliseconds, 10 years at most',
    );
  if (!entryKeepings.includes(entries.to))
    throw misuse('range', 'option_invalid', `entries must be one of ${entryKeepings.join(', ')}`);
  const isShorter = shortens(from, to) || loosens(entries.from, entries.to);
  if (isShorter || approvedBy !== undefined)
    checkApprovers(approvedBy ?? [], 'keeping values for a shorter time');
  return {
    ...{ from, to, after, entries },
    ...(by !== undefined && { actor: by }),
    ...(reason !== undefined && { reason }),
    ...(approvedBy !== undefined && { approvedBy: [...approvedBy] }),
    ...(isShorter && delayMs > 0 && { notBefore: new Date(now + delayMs).toISOString() }),
  };
}
