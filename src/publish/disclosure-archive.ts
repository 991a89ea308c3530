import { equalBytes, VerificationError } from '../bytes/index.ts';
import { openEntry } from '../event/index.ts';
import { TILE_WIDTH } from '../merkle/index.ts';
import {
  isLogError,
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
} from './sealed-file.ts';
import { type Sealer, SealerHere } from './sealer.ts';
import { ownEntry, owners } from './sealing.ts';

/**
 * The sealed values of a log in its archive: for each bundle a file, in which the values of each set of subjects are encrypted under
 * the keys of all of them. Erasures are applied in the log's order: what has been erased is not written again.
 */
export class DisclosureArchive implements DisclosureSink {
  readonly #store: TileStore;
  readonly #keys: SubjectKeys;
  readonly #sealer: Sealer;
  /**
   * Bundles are sealed in the log's order: a key is destroyed before anything behind its erasure is sealed. The next is handed over while
   * one is sealed, and read no sooner: entries are many times what is waited for.
   */
  #handedOver: Promise<void> = Promise.resolve();
  #sealedBefore: Promise<void> = Promise.resolve();
  #sealedLast: Promise<void> = Promise.resolve();

  constructor(store: TileStore, keys: SubjectKeys, sealer: Sealer = new SealerHere(keys)) {
    this.#store = store;
    this.#keys = keys;
    this.#sealer = sealer;
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
      const file = { path, begin: index * TILE_WIDTH, bytes };
      if (!isLogError(error, 'archive_conflict') || !(await this.#holds(file, entries))) throw error;
      return 'present';
    }
  }

  /** The file of a bundle, in its turn. */
  #sealed(path: string, begin: number, entries: () => Promise<readonly StoredEntry[]>): Promise<Uint8Array> {
    const reading = Promise.all([this.#handedOver, this.#sealedBefore]).then(entries);
    // Handed over as soon as it is read, and not looked at again: none of it grows old in the heap.
    const sealing = reading.then((stored) => this.#sealer.seal({ path, begin, entries: stored }));
    this.#handedOver = reading.then(ignore, ignore);
    this.#sealedBefore = this.#sealedLast;
    this.#sealedLast = sealing.then(ignore, ignore);
    return sealing;
  }

  /**
   * Whether what is there already holds what is to be written. There may be more: values that nobody can read any more, since the keys
   * of their subjects were destroyed, and values that the log has removed since, by its policy of retention for one, which are those
   * of its entries all the same. What can be read and is anything else is an alarm, and so is what should be readable and is not: who
   * writes there first needs no key to name a group.
   */
  async #holds(
    { path, begin, bytes }: { readonly path: string; readonly begin: number; readonly bytes: Uint8Array },
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
      // Gone since, or gone with others that nobody could read any more.
      if (keys === undefined || (group !== undefined && isSame(found, group))) continue;
      const texts = openGroup(path, found, keys);
      if (texts === undefined) {
        if (group === undefined && this.#wasDestroyed(found.subjects, begin)) continue;
        return false;
      }
      const missing = new Set(group && openGroup(path, group, keys)?.map(placeOf));
      others.push(...texts.filter((text) => !missing.delete(placeOf(text))).map((text) => ({ name, text })));
      if (missing.size > 0) return false;
    }
    if (wanted.size > 0) return false;
    if (others.length === 0) return true;
    const byOffset = new Map((await entries()).map((stored) => [stored.index % TILE_WIDTH, stored]));
    return others.every(({ name, text }) => isValueOf(byOffset.get(text.offset), name, text));
  }

  /** Whether the key that one of the subjects had for entries from `begin` on was destroyed: what it has now opens later ones only. */
  #wasDestroyed(subjects: readonly string[], begin: number): boolean {
    return subjects.some((subject) => begin < this.#keys.destroyedBelow(subject));
  }
}

function isSame(one: SealedGroup, other: SealedGroup): boolean {
  return equalBytes(one.nonce, other.nonce) && equalBytes(one.box, other.box);
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
  const { fields } = openEntry(ownEntry(stored), [text], stored.index);
  return fields.some(({ subjects, disclosure }) => disclosure === 0 && namesOf(owners(subjects)) === name);
}
