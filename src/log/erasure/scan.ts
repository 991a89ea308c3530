import { canonicalString, VerificationError } from '../../bytes/index.ts';
import {
  digestDisclosure,
  type Entry,
  type HoldChange,
  holdChangeOf,
  type OpenedEntry,
  openEntry,
  type PolicyChange,
  parseEntry,
  policyChangeOf,
  removalOf,
} from '../../event/index.ts';
import { LogError, type StoredEntry } from '../../store/index.ts';

/** Entries that are looked through at once. */
export const SCAN_ENTRIES = 2048;

/** Of entries that decide what may be removed: their actions, as canonical JSON begins them. */
const ruling = ['"action":"log.hold_', '"action":"log.config_changed"'] as const;

/** Values of one subject beside one entry: the digests of disclosures that are there. Plain data. */
export interface Found {
  readonly index: number;
  readonly digests: readonly string[];
}

/** What a look through entries has found. Plain data, so that it crosses threads. */
export interface Scan {
  readonly found: Found[];
  /** Entries that name the subject at all, with values of theirs or without. */
  readonly named: number[];
  readonly holds: HoldChange[];
  readonly policies: PolicyChange[];
  /** The last entry that has a value of theirs, there or not; -1 where none has. */
  lastOwned: number;
  /** A record of their erasure that covers every value of theirs: there is nothing left to erase, nor to record. */
  erased?: ErasedBefore | undefined;
}

/** An erasure that the log has a record of: the entry that says so, and the index below which it reaches. */
export interface ErasedBefore {
  readonly index: number;
  readonly below: number;
}

/** A look at no entry yet. */
export function emptyScan(): Scan {
  return { found: [], named: [], holds: [], policies: [], lastOwned: -1 };
}

/**
 * Looks through entries for the values of a subject, and for what is said of holds and of retention. Every entry is looked at, never an index: what
 * an index forgot would stay. An entry that does not hold the subject's id anywhere in its bytes has no value of theirs, since whose
 * a value is follows from those bytes alone; that is what makes it fast.
 *
 * Throws `LogError` `log_damaged` where an entry that names the subject cannot be read: whose its values are, nobody can tell then.
 */
export class Scanner {
  readonly #subject: string | undefined;
  readonly #mark: string | undefined;

  /** Without a subject only holds and policies are looked for. */
  constructor(subject?: string) {
    this.#subject = subject;
    // As canonical JSON writes it, without the quotes: it stands alone as an id, and behind a slash as a subject.
    this.#mark = subject && canonicalString(subject.slice(subject.indexOf('/') + 1)).slice(1, -1);
  }

  /** Looks through some entries. */
  scan(entries: readonly StoredEntry[], into: Scan = emptyScan()): Scan {
    for (const stored of entries) {
      const bytes = Buffer.from(stored.entry.buffer, stored.entry.byteOffset, stored.entry.length);
      const isOwn = bytes.includes('"action":"log.') && ruling.some((action) => bytes.includes(action));
      if (!isOwn && (this.#mark === undefined || !bytes.includes(this.#mark))) continue;
      this.#look(stored, into);
    }
    return into;
  }

  #look(stored: StoredEntry, into: Scan): void {
    const { entry, opened } = open(stored);
    const change = holdChangeOf(entry, opened.event);
    if (change !== undefined) into.holds.push(change);
    const policy = policyChangeOf(entry, stored.index);
    if (policy !== undefined) into.policies.push(policy);
    const subject = this.#subject;
    if (subject === undefined) return;
    const owned = opened.fields.filter(({ subjects }) => subjects.includes(subject));
    const digests = owned.filter(({ disclosure }) => disclosure !== undefined).map(({ digest }) => digest);
    if (digests.length > 0) into.found.push({ index: stored.index, digests });
    if (owned.length > 0) into.lastOwned = stored.index;
    this.#lookForRecord(stored.index, entry, into);
    if (owned.length > 0 || parties(opened).includes(subject)) into.named.push(stored.index);
  }

  /** Notes a record of the subject's erasure, the first that covers all, and forgets it where a later entry has values again. */
  #lookForRecord(index: number, entry: Entry, into: Scan): void {
    if (into.erased !== undefined && into.lastOwned >= into.erased.below) into.erased = undefined;
    const below = entry.action === 'log.erased' ? reachOf(entry, index, this.#subject) : undefined;
    if (below !== undefined && below > into.lastOwned) into.erased ??= { index, below };
  }
}

/** Below which index a record of an erasure reaches; undefined where it is another subject's, or says nothing that could be read. */
function reachOf(entry: Entry, index: number, subject: string | undefined): number | undefined {
  try {
    const removal = removalOf(entry, index);
    if ('rules' in removal || removal.subject !== subject) return undefined;
    return Math.min(removal.below, index);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return undefined;
  }
}

/** What stays of an entry's disclosures without those of these digests, however often they are there; and how many went. */
export function without(
  disclosures: readonly string[],
  digests: readonly string[],
): { readonly kept: string[]; readonly gone: string[] } {
  const kept: string[] = [];
  const gone: string[] = [];
  for (const text of disclosures) {
    const digest = text.isWellFormed() ? digestDisclosure(text) : '';
    if (digests.includes(digest)) gone.push(digest);
    else kept.push(text);
  }
  return { kept, gone };
}

/** An entry with its disclosures joined. Throws `LogError` `log_damaged`. */
export function open(stored: StoredEntry): { entry: ReturnType<typeof parseEntry>; opened: OpenedEntry } {
  try {
    const entry = parseEntry(stored.entry);
    return { entry, opened: openEntry(entry, stored.disclosures, stored.index) };
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new LogError('log_damaged', `entry ${stored.index} cannot be read: ${cause.message}`, {
      cause,
      hint: 'run verify: it names everything that was changed',
    });
  }
}

function parties({ event }: OpenedEntry): string[] {
  const { actor, targets } = event;
  const all = [actor, ...targets, ...(actor.onBehalfOf === undefined ? [] : [actor.onBehalfOf])];
  return all.map(({ type, id }) => `${type}/${id}`);
}
