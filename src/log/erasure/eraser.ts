import { createHash } from 'node:crypto';
import {
  type Actor,
  coveredByHold,
  type Draft,
  type ErasureAccount,
  erasedEvent,
  holdsAfter,
  type PlacedHold,
  parseEntry,
  prunedAction,
  removalOf,
} from '../../event/index.ts';
import {
  type HeadTransaction,
  LogError,
  type LogReader,
  type StoredEntry,
  type Withdrawal,
} from '../../store/index.ts';
import type { Intake, TakenIn } from '../commit.ts';
import type { Pending } from './pending.ts';
import { type ErasedBefore, type Found, open, SCAN_ENTRIES, type Scan, Scanner, without } from './scan.ts';
import type { Unfinished } from './scour.ts';

/** An erasure as it is asked of the writer. Plain data, so that it crosses threads. */
export interface ErasureOrder {
  readonly subject: string;
  readonly basis: string;
  readonly requestId: string;
  readonly approvedBy: readonly string[];
  readonly actor?: Actor;
  /** What was found in the first `size` entries. */
  readonly size: number;
  readonly scan: Scan;
  /** How long readers of the files are waited for, milliseconds. */
  readonly filesWaitMs?: number;
}

/** The steps of an erasure at which a test may die; between `pending` and `recorded` lies the commit of its entry. */
export type ErasureStep = 'found' | 'withdrawn' | 'pending' | 'recorded' | 'unindexed' | 'scoured';

/** What an erasure has taken away. */
export type Taken = Pick<ErasureAccount, 'values' | 'entries' | 'digest'>;

/** What an intake of an erasure works with. */
export interface EraserParts {
  readonly pending: Pending;
  /** The id of the entry that records it. */
  readonly id: string;
  readonly ownDraft: (event: object) => Draft;
  readonly at: (step: ErasureStep) => void | Promise<void>;
}

/**
 * One erasure, as an intake of the commit path: what it removes, and the `log.erased` entry that says so, are one transaction. So
 * there is no moment at which a value is missing and nothing says why, nor one at which the record is there and the values are.
 *
 * If we die before COMMIT returns, nothing has happened, and `erasing.json` names an entry that is not in the log: whoever opens the
 * log next forgets it. If we die after, values and salts are out of the log for every reader, and the files may still hold their
 * bytes: whoever opens the log next finds the entry, and scours them.
 */
export class ErasureIntake implements Intake {
  readonly #order: ErasureOrder;
  readonly #parts: EraserParts;
  /** What it took, and below which index; known after `take`. */
  taken: (Taken & { readonly below: number }) | undefined;
  /** A record from before that covers all: then nothing was there to take, and nothing is recorded. */
  before: ErasedBefore | undefined;

  constructor(order: ErasureOrder, parts: EraserParts) {
    this.#order = order;
    this.#parts = parts;
  }

  async take(transaction: HeadTransaction): Promise<readonly TakenIn[]> {
    const { subject, basis, requestId, approvedBy, actor } = this.#order;
    const { pending, id, ownDraft, at } = this.#parts;
    const below = transaction.taken?.size ?? 0;
    // What was recorded since the log was looked through, a hold perhaps, is looked through now that nobody else can write.
    const { scan: given } = this.#order;
    const scan: Scan = { ...given, found: [...given.found], holds: [...given.holds] };
    const scanner = new Scanner(subject);
    for (let from = this.#order.size; from < below; from += SCAN_ENTRIES) {
      scanner.scan(await transaction.readEntries(from, Math.min(from + SCAN_ENTRIES, below)), scan);
    }
    await at('found');
    if (scan.erased !== undefined && !(await isAnyThere(transaction, scan.found))) {
      this.before = scan.erased;
      return [];
    }
    this.before = undefined;
    const taken = await withdraw(transaction, scan.found, holdsAfter(scan.holds));
    await at('withdrawn');
    this.taken = { ...taken, below };
    pending.add(id);
    await at('pending');
    const account = { ...taken, basis, requestId, approvedBy };
    const event = erasedEvent({ subject, below, account, ...(actor && { actor }) });
    return [{ draft: ownDraft({ ...event, id }) }];
  }

  settle(): void {}
}

/** Takes the values out. Throws `LogError` `held`: the caller rolls everything back. */
export async function withdraw(
  transaction: HeadTransaction,
  found: readonly Found[],
  holds: readonly PlacedHold[],
): Promise<Taken> {
  const hash = createHash('sha256');
  let values = 0;
  await transaction.withdraw([]);
  let entries = 0;
  for await (const window of windowsOf(transaction, found)) {
    const withdrawals: Withdrawal[] = [];
    for (const { index, digests, entry } of window) {
      if (holds.length > 0) refuseHeld(entry, digests, holds);
      const { kept, gone } = without(entry.disclosures, digests);
      if (gone.length === 0) continue;
      withdrawals.push({ index, disclosures: kept });
      entries += 1;
      values += gone.length;
      for (const digest of gone) hash.update(`${digest}\n`);
    }
    if (withdrawals.length > 0) await transaction.withdraw(withdrawals);
  }
  return { values, entries, digest: hash.digest('base64url') };
}

/** Whether any of these values is still there. */
async function isAnyThere(transaction: HeadTransaction, found: readonly Found[]): Promise<boolean> {
  for await (const window of windowsOf(transaction, found)) {
    if (window.some(({ entry, digests }) => without(entry.disclosures, digests).gone.length > 0)) return true;
  }
  return false;
}

/** What was found, with its entries as they are now, in windows that are read at once. */
async function* windowsOf(
  transaction: HeadTransaction,
  found: readonly Found[],
): AsyncGenerator<(Found & { readonly entry: StoredEntry })[]> {
  for (let start = 0; start < found.length; ) {
    const first = found[start]!.index;
    let end = start + 1;
    while (end < found.length && found[end]!.index < first + SCAN_ENTRIES) end += 1;
    const stored = new Map<number, StoredEntry>();
    for (const one of await transaction.readEntries(first, found[end - 1]!.index + 1))
      stored.set(one.index, one);
    yield found.slice(start, end).flatMap((one) => {
      const entry = stored.get(one.index);
      return entry === undefined ? [] : [{ ...one, entry }];
    });
    start = end;
  }
}

/** Throws `LogError` `held` where a hold covers one of these values of an entry. */
export function refuseHeld(
  stored: StoredEntry,
  digests: readonly string[],
  holds: readonly PlacedHold[],
): void {
  const { event, fields } = open(stored).opened;
  for (const { digest, subjects } of fields) {
    const hold = digests.includes(digest) ? coveredByHold(holds, event, subjects) : undefined;
    if (hold === undefined) continue;
    throw new LogError(
      'held',
      `the hold ${hold.name} covers a value in entry ${stored.index} that would be erased`,
      {
        hint: 'nothing was erased; whoever placed the hold can release it',
      },
    );
  }
}

/** Which of these entries are in the log, and whose values below where each says were erased; '' where it says so of no subject. */
export async function recorded(reader: LogReader, ids: readonly string[]): Promise<Unfinished[]> {
  const found: Unfinished[] = [];
  for (const [id, index] of await reader.findIds(ids)) {
    const [stored] = await reader.readEntries(index, index + 1);
    if (stored === undefined) continue;
    const entry = parseEntry(stored.entry);
    if (entry.action === prunedAction) {
      found.push({ id, subject: '', below: index });
      continue;
    }
    const removal = removalOf(entry, index);
    if ('rules' in removal) found.push({ id, subject: '', below: index });
    else found.push({ id, subject: removal.subject, below: Math.min(removal.below, index) });
  }
  return found;
}
