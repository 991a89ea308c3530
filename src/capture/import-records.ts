import { hexEncode, JSON_DEPTH_MAX, parseJson, sha256, utf8Decode } from '../bytes/index.ts';
import type { Log } from '../log/index.ts';
import {
  type FoundRecord,
  findRecord,
  type ImportFormat,
  type Mapping,
  mapRecord,
  mapUnmapped,
  mapUnread,
  Occurrences,
  type UnreadRecord,
} from './map-record.ts';
import { listOf, objectOf } from './record.ts';

/** One line of a file that is being imported. */
export interface ImportLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Set where the line was longer than the reader keeps. */
  readonly tooLong?: boolean;
  /** Then, if the reader knows: how many bytes it had, and their SHA-256 in hexadecimal. */
  readonly digest?: UnreadRecord['digest'];
}

/** A record that could not be taken, even as `import.unmapped`: the id it has is another event's. */
export interface RefusedRecord {
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** What an import did. Every record is counted exactly once in the first four. */
export interface ImportReport {
  /** Events that were new. */
  imported: number;
  /** Records that the log had already. */
  repeated: number;
  /** New events of the action `import.unmapped`: no rule fitted, the original is kept. */
  unmapped: number;
  /** Records that were not taken; `onRefused` was told each. */
  refused: number;
  /** Of those taken: too large to keep whole, or unreadable, so the event has only the original's digest. */
  originalsLeftOut: number;
  /** Why records were unmapped, and how many for each reason; beyond a hundred, under one heading. */
  readonly reasons: Record<string, number>;
}

/** What {@link importRecords} may be told. */
export interface ImportOptions {
  readonly format: ImportFormat;
  /** Called after each window with the number of records done. */
  readonly onProgress?: (records: number) => void;
  /** Called for each record that was refused. */
  readonly onRefused?: (record: RefusedRecord) => void;
}

/** Different reasons that a report tells apart. */
const reasonsMax = 100;
const otherReasons = 'other reasons';

/** Events handed to the log at once. */
const windowEvents = 1024;
/** Characters of their records, which are kept until they are recorded. */
const windowCharacters = 16 * 1024 * 1024;

interface Pending {
  readonly line: number;
  /** Undefined where the line could not be read. */
  readonly record: FoundRecord | undefined;
  readonly mapping: Mapping;
}

/**
 * Imports every record of `groups` into `log`, in order. A record that the log's rules refuse goes in once more behind
 * its window, as `import.unmapped` with the reason, so that nothing is skipped; so does a line that cannot be read, by its digest. What
 * even that cannot save is told to `onRefused` with its line. One window is on its way to the disk while the next is being mapped.
 */
export async function importRecords(
  log: Log,
  groups: AsyncIterable<readonly ImportLine[]>,
  options: ImportOptions,
): Promise<ImportReport> {
  const run = new ImportRun(log, options, (await log.checkpoint()).size);
  let window: Pending[] = [];
  let characters = 0;
  for await (const lines of groups) {
    for (const line of lines) {
      for (const pending of run.map(line)) {
        window.push(pending);
        characters += pending.record?.text.length ?? 0;
        if (window.length < windowEvents && characters < windowCharacters) continue;
        await run.take(window);
        window = [];
        characters = 0;
      }
    }
  }
  await run.take(window);
  return run.end();
}

class ImportRun {
  readonly #log: Log;
  readonly #options: ImportOptions;
  readonly #occurrences = new Occurrences();
  readonly #report: ImportReport = {
    imported: 0,
    repeated: 0,
    unmapped: 0,
    refused: 0,
    originalsLeftOut: 0,
    reasons: {},
  };
  /** New events get ever higher indexes, so an index below this one is a repeat's. */
  #next: number;
  #done = 0;
  #underway: Promise<void> = Promise.resolve();

  constructor(log: Log, options: ImportOptions, size: number) {
    this.#log = log;
    this.#options = options;
    this.#next = size;
  }

  /** The records of a line, mapped. */
  *map(line: ImportLine): Generator<Pending> {
    const { format } = this.#options;
    const text = this.#textOf(line);
    if (typeof text !== 'string') {
      if (text !== undefined) {
        const mapping = mapUnread(format, text, this.#occurrences);
        yield { line: line.number, record: undefined, mapping };
      }
      return;
    }
    for (const record of recordsOf(text, format)) {
      yield { line: line.number, record, mapping: mapRecord(format, record, this.#occurrences) };
    }
  }

  /** Records a window as soon as the one before it is done; resolves when it is on its way. */
  async take(window: readonly Pending[]): Promise<void> {
    await this.#underway;
    this.#underway = this.#record(window).then(() => {
      this.#done += window.length;
      this.#options.onProgress?.(this.#done);
    });
    // It is awaited with the next window, but perhaps only after it has failed.
    this.#underway.catch(() => undefined);
  }

  /** Waits for the last window. */
  async end(): Promise<ImportReport> {
    await this.#underway;
    return this.#report;
  }

  /** The text of a line; where there is none, what is known of it; nothing where even its digest is not, and it is refused. */
  #textOf({ number, bytes, tooLong, digest }: ImportLine): string | UnreadRecord | undefined {
    if (tooLong === true) {
      const reason = 'the line is longer than a record can be read';
      if (digest !== undefined) return { reason, digest };
      this.#refuse(number, 'event_too_large', reason);
      return undefined;
    }
    try {
      return utf8Decode(bytes);
    } catch {
      const known = { bytes: bytes.length, sha256: hexEncode(sha256(bytes)) };
      return { reason: 'the line is not UTF-8', digest: known };
    }
  }

  async #record(window: readonly Pending[]): Promise<void> {
    if (window.length === 0) return;
    const results = await this.#log.recordMany(window.map(({ mapping }) => mapping.event));
    const again: Pending[] = [];
    for (const [place, { line, record, mapping }] of window.entries()) {
      const result = results[place];
      if (result === undefined) continue;
      if (result.ok) this.#count(mapping, result.receipt.index);
      // The rules of events refused it. Anything else (a conflict, a full disk) no other event can cure.
      else if (result.error.name === 'EventError' && record !== undefined && mapping.unmapped === undefined) {
        const { format } = this.#options;
        again.push({
          line,
          record,
          mapping: mapUnmapped(format, record, this.#occurrences, result.error.message),
        });
      } else if (isFinal(result.error)) throw result.error;
      else this.#refuse(line, String((result.error as { code?: unknown }).code), result.error.message);
    }
    await this.#record(again);
  }

  #count({ unmapped, originalLeftOut }: Mapping, index: number): void {
    const report = this.#report;
    if (originalLeftOut) report.originalsLeftOut += 1;
    if (index < this.#next) {
      report.repeated += 1;
      return;
    }
    this.#next = index + 1;
    if (unmapped === undefined) {
      report.imported += 1;
      return;
    }
    report.unmapped += 1;
    const { reasons } = report;
    const known = Object.hasOwn(reasons, unmapped) || Object.keys(reasons).length < reasonsMax;
    const reason = known ? unmapped : otherReasons;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }

  #refuse(line: number, code: string, message: string): void {
    this.#report.refused += 1;
    this.#options.onRefused?.({ line, code, message });
  }
}

/** The records of one line: a file that CloudTrail delivers is one line, `{"Records": […]}`. */
function recordsOf(text: string, format: ImportFormat): FoundRecord[] {
  if (format !== 'cloudtrail' || !text.includes('"Records"')) return [findRecord(text)];
  const found = deepRecord(text);
  const records = objectOf(found.value)?.['Records'];
  return Array.isArray(records)
    ? listOf(records).map((value) => ({ text: JSON.stringify(value), value }))
    : [found];
}

/** A record inside `Records` may be as deep as one of its own line, so the envelope may be two deeper. */
function deepRecord(text: string): FoundRecord {
  try {
    return { text, value: parseJson(text, { maxDepth: JSON_DEPTH_MAX + 2 }) };
  } catch {
    return findRecord(text);
  }
}

/** Whether the log itself failed, so that going on would only refuse every line that follows. */
function isFinal(error: Error): boolean {
  return error.name === 'LogError' && (error as { code?: unknown }).code !== 'id_conflict';
}
