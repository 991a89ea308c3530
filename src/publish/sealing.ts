import { VerificationError } from '../bytes/index.ts';
import { type Entry, erasureOf, openEntry, parseEntry } from '../event/index.ts';
import { TILE_WIDTH } from '../merkle/index.ts';
import { LogError, NOBODY, type StoredEntry, type SubjectKeys } from '../store/index.ts';
import { keysOf } from './disclosure-reading.ts';
import { namesOf, type SealedText, sealFile } from './sealed-file.ts';

/** A bundle that is to be sealed; plain data, so that it crosses to a thread. */
export interface SealRequest {
  /** The path of its file: what is encrypted is bound to it. */
  readonly path: string;
  /** The index of its first entry. */
  readonly begin: number;
  readonly entries: readonly StoredEntry[];
}

/**
 * Makes the file with the disclosures of a bundle, under keys that are made where there were none. Erasures among its entries destroy
 * theirs before any is used: bundles are sealed in the log's order. Throws `LogError` `log_damaged`, `io_failed`.
 */
export function sealBundle({ path, begin, entries }: SealRequest, subjectKeys: SubjectKeys): Uint8Array {
  const shares = sharesOf(entries, (subject, below) => subjectKeys.destroy([subject], below));
  const wanted = shares.flatMap(({ subjects, texts }) =>
    (subjects.length === 0 ? [NOBODY] : subjects).map((subject) => ({
      subject,
      index: begin + texts.at(-1)!.offset,
    })),
  );
  const keyOf = subjectKeys.keysFor(wanted);
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

/** The disclosures of some entries that belong to the same subjects. */
interface Share {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly texts: SealedText[];
}

/** Whose a value is, each once, sorted. */
export function owners(subjects: readonly string[]): string[] {
  return [...new Set(subjects)].sort();
}

/** An entry of the log's own. Throws `LogError` `log_damaged` where it is none. */
export function ownEntry({ entry, index }: StoredEntry): Entry {
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
    const entry = ownEntry(stored);
    if (entry.action === 'log.erased') {
      const { subject, below } = wellFormed(index, () => erasureOf(entry));
      erased(subject, Math.min(below, index));
    }
    if (disclosures.length === 0) continue;
    const { fields } = wellFormed(index, () => openEntry(entry, disclosures, index));
    for (const { subjects: named, disclosure } of fields) {
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
