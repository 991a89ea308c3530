import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { base64Decode, parseJson } from '../../bytes/index.ts';
import { isLogError, type Log, walkTree } from '../../log/index.ts';
import { type Base, Continuation, NOTHING, rangeOf } from '../../monitor/index.ts';
import { replaceFile } from '../../platform/index.ts';
import type { AuditSummary } from '../../wire/index.ts';
import type { Audited } from './audits.ts';

/** What a server remembers of its audits of one log. */
export interface Remembered extends Audited {
  /** The compact range of the entries that were authenticated. */
  readonly base?: Base;
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
      if (remembered.base !== undefined) rangeOf(remembered.base);
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
  readonly findings: AuditSummary['findings'];
  /** All that is authenticated now; absent where something was found. */
  readonly base?: Base;
}

/**
 * Reads the entries behind those that are remembered, and compares what the two give together with the signed root: so the
 * log continues what was authenticated, and what is new is what was signed. Nothing older is read.
 */
export async function extend(log: Log, { base = NOTHING }: Remembered): Promise<Extended> {
  const { size, root } = await log.checkpoint();
  if (size < base.size) {
    const message = `The log has ${size} entries; an earlier audit saw ${base.size}.`;
    return { size, findings: [{ code: 'rolled_back', message, index: size }] };
  }
  const continuation = new Continuation(base);
  for await (const next of untilHole(walkTree(log.reader, base.size, size))) {
    if ('hash' in next) continuation.pass(next);
    else continuation.take(next);
  }
  const continued = continuation.conclude({ size, root: base64Decode(root) });
  const findings = continued.findings.map(({ code, message, from }) => ({ code, message, index: from }));
  return {
    size,
    findings,
    ...(findings.length === 0 && continued.base !== undefined && { base: continued.base }),
  };
}

/** Entries up to the first that is missing: that is a finding, and no failure of the audit. */
async function* untilHole<Next>(entries: AsyncIterable<Next>): AsyncGenerator<Next> {
  try {
    yield* entries;
  } catch (error) {
    if (!isLogError(error, 'log_damaged')) throw error;
  }
}
