import { parseJson, utf8Decode } from '../bytes/index.ts';
import type { Log, RecordResult } from '../log/index.ts';
import {
  type FoundRecord,
  findRecord,
  type ImportFormat,
  type Mapping,
  mapRecord,
  mapUnmapped,
  recordDigest,
} from './map-record.ts';
import { listOf, objectOf } from './record.ts';

/** One line of a file that is being imported. */
export interface ImportLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Set where the line was longer than the reader keeps. */
  readonly tooLong?: boolean;
}

/** A record that could not be taken, even as `import.unmapped`: the id it has is another event's, or it is unreadable. */
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
  readonly refused: RefusedRecord[];
  /** Of those taken: too large to keep whole, so the event has only the original's digest. */
  originalsLeftOut: number;
  /** Why records were unmapped, and how many for each reason. */
  readonly reasons: Map<string, number>;
}

/** What {@link importRecords} may be told. */
export interface ImportOptions {
  readonly format: ImportFormat;
  /** Called after each window with the number of records done. */
  readonly onProgress?: (records: number) => void;
}

/** Events handed to the log at once. */
const windowEvents = 1024;

interface Pending {
  readonly line: number;
  readonly record: FoundRecord;
  readonly occurrence: number;
  readonly mapping: Mapping;
}

/**
 * Imports every record of `groups` into `log`, in order. A record that the log's rules refuse goes in once more, as
 * `import.unmapped` with the reason, so that nothing is skipped; what even that cannot save is listed by its line.
 */
export async function importRecords(
  log: Log,
  groups: AsyncIterable<readonly ImportLine[]>,
  { format, onProgress }: ImportOptions,
): Promise<ImportReport> {
  const report: ImportReport = {
    imported: 0,
    repeated: 0,
    unmapped: 0,
    refused: [],
    originalsLeftOut: 0,
    reasons: new Map(),
  };
  const tally = new Tally(report, (await log.checkpoint()).size);
  const seen = new Map<string, number>();
  let window: Pending[] = [];
  let done = 0;
  const settle = async (): Promise<void> => {
    await recordWindow(log, window, format, tally);
    done += window.length;
    window = [];
    onProgress?.(done);
  };
  for await (const lines of groups) {
    for (const line of lines) {
      for (const record of recordsOf(line, format, report)) {
        const digest = recordDigest(record);
        const occurrence = seen.get(digest) ?? 0;
        seen.set(digest, occurrence + 1);
        const mapping = mapRecord(format, record, occurrence);
        window.push({ line: line.number, record, occurrence, mapping });
        if (window.length === windowEvents) await settle();
      }
    }
  }
  await settle();
  return report;
}

/** The records of one line: a file that CloudTrail delivers is one line, `{"Records": […]}`. */
function recordsOf(line: ImportLine, format: ImportFormat, report: ImportReport): FoundRecord[] {
  if (line.tooLong === true) {
    report.refused.push({
      line: line.number,
      code: 'line_too_long',
      message: 'The line is too long to be read.',
    });
    return [];
  }
  let text: string;
  try {
    text = utf8Decode(line.bytes);
  } catch {
    report.refused.push({ line: line.number, code: 'malformed_utf8', message: 'The line is not UTF-8.' });
    return [];
  }
  const found = format === 'cloudtrail' && text.includes('"Records"') ? deepRecord(text) : findRecord(text);
  const records = objectOf(found.value)?.['Records'];
  if (format !== 'cloudtrail' || !Array.isArray(records)) return [found];
  return listOf(records).map((value) => ({ text: JSON.stringify(value), value }));
}

/** A record inside `Records` may be as deep as one of its own line, so the envelope may be two deeper. */
function deepRecord(text: string): FoundRecord {
  try {
    return { text, value: parseJson(text, { maxDepth: 34 }) };
  } catch {
    return findRecord(text);
  }
}

async function recordWindow(
  log: Log,
  window: readonly Pending[],
  format: ImportFormat,
  tally: Tally,
): Promise<void> {
  if (window.length === 0) return;
  const results = await log.recordMany(window.map(({ mapping }) => mapping.event));
  const again: Pending[] = [];
  results.forEach((result, place) => {
    const pending = window[place];
    if (pending === undefined) return;
    if (result.ok || !isRefusedEvent(result.error) || pending.mapping.unmapped !== undefined) {
      tally.count(pending, result);
    } else {
      again.push({
        ...pending,
        mapping: mapUnmapped(format, pending.record, pending.occurrence, result.error.message),
      });
    }
  });
  if (again.length > 0) await recordWindow(log, again, format, tally);
}

/** Whether the rules of events refused it; anything else (a conflict, a full disk) no other event can cure. */
function isRefusedEvent(error: Error): boolean {
  return error.name === 'EventError';
}

/** Counts results. New events get ever higher indexes, so an index that is not higher is a repeat's. */
class Tally {
  readonly #report: ImportReport;
  #next: number;

  constructor(report: ImportReport, size: number) {
    this.#report = report;
    this.#next = size;
  }

  count({ line, mapping }: Pending, result: RecordResult): void {
    const report = this.#report;
    if (!result.ok) {
      if (isFinal(result.error)) throw result.error;
      const { code } = result.error as { code?: unknown };
      report.refused.push({ line, code: String(code ?? 'unknown'), message: result.error.message });
      return;
    }
    if (mapping.originalLeftOut) report.originalsLeftOut += 1;
    if (result.receipt.index < this.#next) {
      report.repeated += 1;
      return;
    }
    this.#next = result.receipt.index + 1;
    if (mapping.unmapped === undefined) report.imported += 1;
    else {
      report.unmapped += 1;
      report.reasons.set(mapping.unmapped, (report.reasons.get(mapping.unmapped) ?? 0) + 1);
    }
  }
}

/** Whether the log itself failed, so that going on would only refuse every line that follows. */
function isFinal(error: Error): boolean {
  return error.name === 'LogError' && (error as { code?: unknown }).code !== 'id_conflict';
}
