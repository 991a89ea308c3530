import { equalBytes } from '../bytes/index.ts';
import { erasureOf, openEntry, parseEntry } from '../event/index.ts';
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
  formatSealedFile,
  namesOf,
  openGroup,
  parseSealedFile,
  SEALED_FILE_BYTES_MAX,
  type SealedGroup,
  type SealedText,
  sealedPath,
  sealGroup,
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
  #before: Promise<unknown> = Promise.resolve();
  /** Entries are read one bundle ahead of the sealing, and no further: they are many times what is waited for. */
  #read: Promise<unknown> = Promise.resolve();

  constructor(store: TileStore, keys: SubjectKeys) {
    this.#store = store;
    this.#keys = keys;
  }

  async put(
    { index, width }: { readonly index: number; readonly width: number },
    entries: () => Promise<readonly StoredEntry[]>,
  ): Promise<PutResult> {
    const path = sealedPath(index, width);
    const reading = this.#read.then(entries);
    // Awaited when its turn comes; a failure before that must not be nobody's.
    this.#read = reading.catch(() => {});
    const sealing = this.#before.then(async () => {
      const shares = sharesOf(await reading, (subject, below) => this.#keys.destroy([subject], below));
      return this.#seal(path, index * TILE_WIDTH, shares);
    });
    this.#before = sealing.catch(() => {});
    const groups = await sealing;
    try {
      return await this.#store.putImmutable(path, formatSealedFile(groups));
    } catch (error) {
      if (!isLogError(error, 'archive_conflict') || !(await this.#holds(path, groups))) throw error;
      return 'present';
    }
  }

  #seal(path: string, begin: number, shares: readonly Share[]): SealedGroup[] {
    const wanted = shares.flatMap(({ subjects, texts }) =>
      (subjects.length === 0 ? [''] : subjects).map((subject) => ({
        subject,
        index: begin + texts.at(-1)!.offset,
      })),
    );
    const keyOf = this.#keys.keysFor(wanted);
    return shares.flatMap(({ subjects, texts }) => {
      const kept = texts.filter(
        ({ offset }) => keysOf(subjects, (subject) => keyOf(subject, begin + offset)) !== undefined,
      );
      if (kept.length === 0) return [];
      const keys = keysOf(subjects, (subject) => keyOf(subject, begin + kept[0]!.offset))!;
      return [sealGroup(path, subjects, keys, kept)];
    });
  }

  /**
   * Whether what is there already holds what is to be written, but for what nobody can read any more: values of subjects whose keys
   * were destroyed since. What can be read and is different is an alarm.
   */
  async #holds(path: string, groups: readonly SealedGroup[]): Promise<boolean> {
    const bytes = await this.#store.read(path, SEALED_FILE_BYTES_MAX);
    if (bytes === undefined) return false;
    const wanted = new Map(groups.map((group) => [namesOf(group.subjects), group]));
    for (const found of parseSealedFile(bytes)) {
      const group = wanted.get(namesOf(found.subjects));
      const keys = keysOf(found.subjects, (subject) => this.#keys.find(subject));
      const isReadable = keys !== undefined && openGroup(path, found, keys) !== undefined;
      if (isReadable && (group === undefined || !equalBytes(found.box, group.box))) return false;
      wanted.delete(namesOf(found.subjects));
    }
    return wanted.size === 0;
  }
}

/** The disclosures of entries by whose they are, sorted by their names. `erased` hears of the erasures among them, before any is used. */
function sharesOf(
  entries: readonly StoredEntry[],
  erased: (subject: string, below: number) => void,
): Share[] {
  const shares = new Map<string, Share>();
  for (const { index, entry: bytes, disclosures } of entries) {
    const entry = parseEntry(bytes);
    if (entry.action === 'log.erased') {
      const { subject, below } = erasureOf(entry);
      erased(subject, Math.min(below, index));
    }
    if (disclosures.length === 0) continue;
    for (const { subjects: owners, disclosure } of openEntry(entry, disclosures, index).fields) {
      if (disclosure === undefined) continue;
      const subjects = [...new Set(owners)].sort();
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
