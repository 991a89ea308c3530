import { equalBytes, VerificationError } from '../bytes/index.ts';
import { type Entry, erasureOf, openEntry, parseEntry } from '../event/index.ts';
import { TILE_WIDTH } from '../merkle/index.ts';
import {
  isLogError,
  LogError,
  NOBODY,
  type PutResult,
  type StoredEntry,
  type SubjectKeys,
  type TileStore,
} from '../store/index.ts';
import { keysOf } from './disclosure-reading.ts';
import type { DisclosureSink } from './publisher.ts';
import {
  namesOf,
  openGroup,
  parseSealedFile,
  SEALED_FILE_BYTES_MAX,
  type SealedGroup,
  type SealedText,
  sealedPath,
  sealFile,
} from './sealed-file.ts';

/** The disclosures of some entries that belong to the same subjects. */
interface Share {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly texts: SealedText[];
}

/**
 * The sealed values of a log in its archive: for each bundle a file, in which the values of each set of subjects are encrypted under
 * the keys of all of them. Erasures are applied in the log's order: what has been erased is not written again.
 */
export class DisclosureArchive implements DisclosureSink {
  readonly #store: TileStore;
  readonly #keys: SubjectKeys;
  /** Bundles are sealed one after the other: a key is destroyed before anything behind its erasure is sealed. */
  #before: Promise<void> = Promise.resolve();
  /** Entries are read while the bundle before is sealed, and no sooner: they are many times what is waited for. */
  #begun: Promise<void> = Promise.resolve();

  constructor(store: TileStore, keys: SubjectKeys) {
    this.#store = store;
    this.#keys = keys;
  }

  async put(
    { index, width }: { readonly index: number; readonly width: number },
    entries: () => Promise<readonly StoredEntry[]>,
  ): Promise<PutResult> {
    const path = sealedPath(index, width);
    // Of what it was made of nothing is kept while it becomes durable, which takes long, and many files at once.
    const bytes = await this.#sealed(path, index * TILE_WIDTH, entries);
    try {
      return await this.#store.putImmutable(path, bytes);
    } catch (error) {
      if (!isLogError(error, 'archive_conflict') || !(await this.#holds(path, bytes, entries))) throw error;
      return 'present';
    }
  }

  /** The file of a bundle, in its turn. */
  #sealed(path: string, begin: number, entries: () => Promise<readonly StoredEntry[]>): Promise<Uint8Array> {
    const begun = Promise.withResolvers<void>();
    const reading = this.#begun.then(entries);
    this.#begun = begun.promise;
    // Awaited when its turn comes; a failure before that must not be nobody's.
    reading.catch(() => {});
    const sealing = this.#before.then(async () => {
      const stored = await reading.finally(begun.resolve);
      // The next bundle is asked for before this thread is busy with this one.
      await begun.promise;
      return this.#seal(path, begin, stored);
    });
    this.#before = sealing.then(ignore, ignore);
    return sealing;
  }

  #seal(path: string, begin: number, entries: readonly StoredEntry[]): Uint8Array {
    const shares = sharesOf(entries, (subject, below) => this.#keys.destroy([subject], below));
    const wanted = shares.flatMap(({ subjects, texts }) =>
      (subjects.length === 0 ? [NOBODY] : subjects).map((subject) => ({
        subject,
        index: begin + texts.at(-1)!.offset,
      })),
    );
    const keyOf = this.#keys.keysFor(wanted);
    const groups = shares.flatMap(({ subjects, texts }) => {
      const kept = texts.filter(
        ({ offset }) => keysOf(subjects, (subject) => keyOf(subject, begin + offset)) !== undefined,
      );
      if (kept.length === 0) return [];
      const keys = keysOf(subjects, (subject) => keyOf(subject, begin + kept[0]!.offset))!;
      return [{ subjects, keys, texts: kept }];
    });
    return sealFile(path, groups);
  }

  /**
   * Whether what is there already holds what is to be written. There may be more: values that nobody can read any more, since the keys
   * of their subjects were destroyed, and values that the log has removed since, by its policy of retention for one, which are those
   * of its entries all the same. What can be read and is anything else is an alarm.
   */
  async #holds(
    path: string,
    bytes: Uint8Array,
    entries: () => Promise<readonly StoredEntry[]>,
  ): Promise<boolean> {
    const there = await this.#store.read(path, SEALED_FILE_BYTES_MAX);
    const present = there === undefined ? undefined : groupsIn(there);
    if (present === undefined) return false;
    const wanted = new Map(parseSealedFile(bytes).map((group) => [namesOf(group.subjects), group]));
    const others: { readonly name: string; readonly text: SealedText }[] = [];
    for (const found of present) {
      const name = namesOf(found.subjects);
      const group = wanted.get(name);
      wanted.delete(name);
      const keys = keysOf(found.subjects, (subject) => this.#keys.find(subject));
      const texts = keys && openGroup(path, found, keys);
      if (texts === undefined || (group !== undefined && equalBytes(found.box, group.box))) continue;
      const missing = new Set(group && openGroup(path, group, keys!)?.map(placeOf));
      others.push(...texts.filter((text) => !missing.delete(placeOf(text))).map((text) => ({ name, text })));
      if (missing.size > 0) return false;
    }
    if (wanted.size > 0) return false;
    if (others.length === 0) return true;
    const byOffset = new Map((await entries()).map((stored) => [stored.index % TILE_WIDTH, stored]));
    return others.every(({ name, text }) => isValueOf(byOffset.get(text.offset), name, text));
  }
}

function ignore(): void {}

/** The groups of a file; undefined where it is none. */
function groupsIn(bytes: Uint8Array): SealedGroup[] | undefined {
  try {
    return parseSealedFile(bytes);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** A value and its entry; its place among the entry's values is another once one before it has been removed. */
function placeOf({ offset, text }: SealedText): string {
  return `${offset} ${text}`;
}

/** Whether an entry has sealed this very value, for these subjects. */
function isValueOf(stored: StoredEntry | undefined, name: string, { text }: SealedText): boolean {
  if (stored === undefined) return false;
  const { fields } = openEntry(parsed(stored), [text], stored.index);
  return fields.some(({ subjects, disclosure }) => disclosure === 0 && namesOf(owners(subjects)) === name);
}

/** Whose a value is, each once, sorted. */
function owners(subjects: readonly string[]): string[] {
  return [...new Set(subjects)].sort();
}

/** An entry of the log's own. Throws `LogError` `log_damaged` where it is none. */
function parsed({ entry, index }: StoredEntry): Entry {
  return wellFormed(index, () => parseEntry(entry));
}

function wellFormed<Result>(index: number, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new LogError('log_damaged', `entry ${index} is not one of this log: ${cause.message}`, {
      cause,
      hint: 'run verify: it names everything that was changed',
    });
  }
}

/** The disclosures of entries by whose they are, sorted by their names. `erased` hears of the erasures among them, before any is used. */
function sharesOf(
  entries: readonly StoredEntry[],
  erased: (subject: string, below: number) => void,
): Share[] {
  const shares = new Map<string, Share>();
  for (const stored of entries) {
    const { index, disclosures } = stored;
    const entry = parsed(stored);
    if (entry.action === 'log.erased') {
      const { subject, below } = wellFormed(index, () => erasureOf(entry));
      erased(subject, Math.min(below, index));
    }
    if (disclosures.length === 0) continue;
    for (const { subjects: named, disclosure } of openEntry(entry, disclosures, index).fields) {
      if (disclosure === undefined) continue;
      const subjects = owners(named);
      const name = namesOf(subjects);
      let share = shares.get(name);
      if (share === undefined) {
        share = { name, subjects, texts: [] };
        shares.set(name, share);
      }
      share.texts.push({ offset: index % TILE_WIDTH, position: disclosure, text: disclosures[disclosure]! });
    }
  }
  return [...shares.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}
