import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { base64Decode, base64Encode, parseJson } from '../../bytes/index.ts';
import { openEntry, parseEntry } from '../../event/index.ts';
import { isLogError, type Log, type StoredEntry } from '../../log/index.ts';
import { hashLeaf, Range } from '../../merkle/index.ts';
import { replaceFile } from '../../platform/index.ts';
import type { AuditSummary } from '../../wire/index.ts';
import type { Audited } from './audits.ts';

/** What a server remembers of its audits of one log. */
export interface Remembered extends Audited {
  /** The compact range of the entries that were authenticated. */
  readonly base?: { readonly size: number; readonly hashes: readonly string[] };
}

const SUFFIX = '.audit.json';

const ABOUT =
  'What this server remembers of its own audits. It is no evidence: whoever can write here can change it. Whole audits read the log itself, and hold what stands here against it.';

/** Keeps them beside the logs: `<name>.audit.json`. */
export class AuditMemory {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The logs that something is remembered of, and that are still there. */
  names(): string[] {
    return readdirSync(this.#dir)
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .filter((name) => existsSync(join(this.#dir, name, 'log.db')));
  }

  /** What is remembered; nothing where the file cannot be read as it was written. */
  load(name: string): Remembered {
    const path = this.#pathOf(name);
    if (!existsSync(path)) return {};
    try {
      const written = parseJson(readFileSync(path, 'utf8')) as unknown as Remembered & {
        readonly about: string;
      };
      const { about, ...remembered } = written;
      if (remembered.base !== undefined) rangeOf(remembered);
      return about === ABOUT ? remembered : {};
    } catch {
      return {};
    }
  }

  save(name: string, remembered: Remembered): void {
    replaceFile(this.#pathOf(name), `${JSON.stringify({ about: ABOUT, ...remembered })}\n`, 0o600);
  }

  #pathOf(name: string): string {
    return join(this.#dir, name + SUFFIX);
  }
}

/** What came of reading on from where an earlier audit stood. */
export interface Extended {
  readonly size: number;
  readonly range: Range;
  readonly findings: AuditSummary['findings'];
}

/**
 * Hashes the entries behind those that are remembered, and compares what the two give together with the signed root: so the
 * log continues what was authenticated, and what is new is what was signed. Nothing older is read.
 */
export async function extend(log: Log, remembered: Remembered): Promise<Extended> {
  const { size, root } = await log.checkpoint();
  const range = rangeOf(remembered);
  const from = range.end;
  if (size < from) {
    const message = `The log has ${size} entries; an earlier audit saw ${from}.`;
    return { size, range, findings: [{ code: 'rolled_back', message, index: size }] };
  }
  const findings: { code: string; message: string; index: number }[] = [];
  let before = '';
  for await (const { index, entry, disclosures } of untilHole(log.entries({ from, to: size }))) {
    range.append(hashLeaf(entry));
    try {
      const parsed = parseEntry(entry);
      // Fixed-width UTC: the order of the texts is that of the times.
      if (parsed.recordedAt < before) {
        const message = `Entry ${index} says that it was recorded before the one in front of it.`;
        findings.push({ code: 'time_backwards', message, index });
      }
      before = parsed.recordedAt;
      const [problem] = openEntry(parsed, disclosures, index).problems;
      if (problem !== undefined)
        findings.push({ code: 'disclosure_altered', message: problem.message, index });
    } catch (error) {
      findings.push({ code: 'entry_malformed', message: (error as Error).message, index });
    }
  }
  if (range.end !== size) {
    findings.push({ code: 'index_gap', message: `Entry ${range.end} is missing.`, index: range.end });
  } else if (base64Encode(range.root()) !== root) {
    const message = `The entries from ${from} on, behind those audited before, do not give the root that is signed.`;
    findings.push({ code: 'root_mismatch', message, index: from });
  }
  return { size, range, findings };
}

/** Entries up to the first that is missing: that is a finding, and no failure of the audit. */
async function* untilHole(entries: AsyncIterable<StoredEntry>): AsyncGenerator<StoredEntry> {
  try {
    yield* entries;
  } catch (error) {
    if (!isLogError(error, 'log_damaged')) throw error;
  }
}

/** A range as it is remembered. */
export function baseOf(range: Range): NonNullable<Remembered['base']> {
  return { size: range.end, hashes: range.hashes.map((hash) => base64Encode(hash)) };
}

function rangeOf({ base }: Remembered): Range {
  if (base === undefined) return Range.empty(0);
  return Range.from({ begin: 0, end: base.size, hashes: base.hashes.map((text) => base64Decode(text)) });
}
