import { VerificationError } from '../../bytes/index.ts';
import {
  type Entry,
  type Erasure,
  isPastRetention,
  openEntry,
  parseEntry,
  type RetentionRecord,
  removalOf,
} from '../../event/index.ts';
import type { StoredEntry } from '../../store/index.ts';

/** Records of one kind that may cover an entry, by rising index. Entries are asked about by rising index, too. */
interface Waiting<T> {
  readonly records: { readonly index: number; readonly said: T }[];
  /** Those before it cover no entry that is still to come. */
  passed: number;
}

/**
 * Which of a log's records concern the selected entries: of a sealed value that is gone, the first erasure of its subject and the
 * first application of retention that cover it; and what is missing of their sources. Every other record is of somebody else.
 */
export class ConcerningRecords {
  readonly #erasures = new Map<string, Waiting<Erasure>>();
  readonly #retention: Waiting<RetentionRecord>['records'] = [];
  readonly #byAction = new Map<string, Waiting<RetentionRecord>>();
  readonly #gaps = new Map<string, number[]>();
  readonly #concerning = new Set<number>();

  /** The indexes of those that concern the entries that were seen. */
  get indexes(): number[] {
    return [...this.#concerning];
  }

  /** Adds a record. By rising index, and before the entries. What cannot be read as a record covers nothing. */
  add({ index, entry: bytes }: StoredEntry): void {
    const entry = parseEntry(bytes);
    if (entry.action === 'log.source_gap') {
      const { service, instance } = (entry['metadata'] ?? {}) as { service?: unknown; instance?: unknown };
      const key = `${instance}\n${service}`;
      this.#gaps.set(key, [...(this.#gaps.get(key) ?? []), index]);
      return;
    }
    const said = readRemoval(entry, index);
    if (said === undefined) return;
    if ('rules' in said) {
      this.#retention.push({ index, said });
      return;
    }
    const known = this.#erasures.get(said.subject) ?? { records: [], passed: 0 };
    known.records.push({ index, said });
    this.#erasures.set(said.subject, known);
  }

  /** A selected entry. By rising index. */
  saw({ index, entry: bytes, disclosures }: StoredEntry): void {
    const entry = parseEntry(bytes);
    const key = `${entry.source.instance}\n${entry.source.service}`;
    for (const gap of this.#gaps.get(key) ?? []) this.#concerning.add(gap);
    this.#gaps.delete(key);
    const gone = openEntry(entry, disclosures, index).fields.filter(
      ({ disclosure }) => disclosure === undefined,
    );
    if (gone.length === 0) return;
    for (const subject of new Set(gone.flatMap(({ subjects }) => subjects))) {
      const erasures = this.#erasures.get(subject);
      if (erasures !== undefined) this.#keep(erasures, ({ below }) => index < below);
    }
    const { action, recordedAt } = entry;
    const retention = this.#byAction.get(action) ?? { records: this.#retention, passed: 0 };
    this.#byAction.set(action, retention);
    this.#keep(retention, (said) => isPastRetention(said, { action, index, recordedAt }));
  }

  /** Keeps the first record that covers an entry: one that does not reach it reaches none behind it. */
  #keep<T>(waiting: Waiting<T>, covers: (said: T) => boolean): void {
    const { records } = waiting;
    while (waiting.passed < records.length && !covers(records[waiting.passed]!.said)) waiting.passed += 1;
    const first = records[waiting.passed];
    if (first !== undefined) this.#concerning.add(first.index);
  }
}

function readRemoval(entry: Entry, index: number): Erasure | RetentionRecord | undefined {
  try {
    return removalOf(entry, index);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}
