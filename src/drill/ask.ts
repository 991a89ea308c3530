import { VerificationError } from '../bytes/index.ts';
import { verifyLog } from '../log/index.ts';
import { isLogError } from '../store/index.ts';
import type { Finding } from '../verify/index.ts';

/** What the verifier is told beforehand. */
export interface Knowledge {
  /** The log's real key: a verifier pins it, and does not take the one that it finds. */
  readonly vkey: string;
  readonly held: readonly string[] | undefined;
  /** Whether to compare the search index too. */
  readonly index: boolean;
  /** Entries of the log, roughly: a small one is not worth starting threads for. */
  readonly size: number;
}

/** What the verifier said. */
export interface Answer {
  readonly caught: boolean;
  readonly by: string;
  readonly words: string;
}

/** Codes that a row names; more would not tell more. */
const codesMax = 3;
/** Logs smaller than this are read on this thread. */
const smallEntries = 20_000;

/** What follows from a change that another finding names: an entry is malformed because its column was changed. */
const consequences: ReadonlySet<string> = new Set([
  'entry_malformed',
  'time_backwards',
  'id_mismatch',
  'search_differs',
]);

/**
 * Orders findings: causes before consequences, and of each what says most closely where it is. Hashes tell where and not
 * what, so of two that are as close, the one that is not about a tile comes first.
 */
function moreTelling(a: Finding, b: Finding): number {
  const rank = ({ code }: Finding): number => (consequences.has(code) ? 1 : 0);
  const ofTile = ({ code }: Finding): number => (code === 'tile_mismatch' ? 1 : 0);
  return rank(a) - rank(b) || a.to - a.from - (b.to - b.from) || ofTile(a) - ofTile(b);
}

/** Asks the verifier that everybody uses about the log in `dir`. */
export async function ask(dir: string, { vkey, held, index, size }: Knowledge): Promise<Answer> {
  try {
    const report = await verifyLog(dir, {
      vkey,
      index,
      ...(held === undefined ? {} : { held }),
      ...(size < smallEntries ? { threads: 0 } : {}),
    });
    const findings = report.findings.toSorted(moreTelling);
    const [first] = findings;
    if (first === undefined) return { caught: false, by: '', words: report.anchored };
    const codes = [...new Set(findings.map(({ code }) => code))];
    return { caught: true, by: codes.slice(0, codesMax).join(', '), words: first.message };
  } catch (error) {
    // A verifier that refuses to go on has noticed too.
    if (!(error instanceof VerificationError) && !isLogError(error)) throw error;
    return { caught: true, by: error.code, words: error.message };
  }
}
