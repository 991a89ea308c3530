import { existsSync } from 'node:fs';
import { misuse, utf8Encode, VerificationError } from '../bytes/index.ts';
import type { ForkedFrom } from '../event/index.ts';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import { type AuditDepth, type AuditReport, keyTimeline, openBelieved } from '../verify/index.ts';
import type { Created } from './create.ts';
import { type LogPaths, logPaths } from './paths.ts';
import { Reader } from './reader.ts';
import { nobodyElse } from './signed-head.ts';

/** What is known of a log that cannot go on. */
export interface LeftOfLog extends ForkedFrom {
  readonly personalIds: 'refuse' | 'allow' | 'pseudonymise';
}

/**
 * Reads what is left of a log in a folder, without changing anything: how far it goes, and the last checkpoint that its mark remembers,
 * where that is further. Throws `LogError` `log_missing`, `head_invalid`, `log_damaged`.
 */
export function readLeft(dir: string, places: { readonly mark?: string | undefined } = {}): LeftOfLog {
  const paths = logPaths(dir, places);
  if (!existsSync(paths.database)) throw new LogError('log_missing', `there is no log at ${paths.dir}`);
  const reader = Reader.open(paths.database);
  try {
    const { origin, personalIds } = reader.genesis;
    const { size, root, note } = reader.checkpoint();
    const { entries } = reader.keys();
    const [first, ...changes] = entries;
    const seen = lastSeen(paths, (text) => {
      const timeline = keyTimeline(first!.entry, changes);
      return openBelieved(utf8Encode(text), { policy: nobodyElse, timeline }, { revoked: true }).checkpoint
        .size;
    });
    const isFurther = seen !== undefined && seen.size >= size && seen.note !== note;
    const left = { origin, personalIds, size, root, checkpoint: note };
    return isFurther ? { ...left, lastSeen: seen.note } : left;
  } finally {
    reader.close();
  }
}

/** What the mark remembers, where it is a checkpoint of the log's. */
function lastSeen(
  { mark }: LogPaths,
  sizeOf: (note: string) => number,
): { readonly note: string; readonly size: number } | undefined {
  if (!existsSync(mark)) return undefined;
  const note = readTextFile(mark, NOTE_BYTES_MAX);
  try {
    return { note, size: sizeOf(note) };
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** How a log is made that takes the place of another. */
export interface ForkOptions {
  /** Its name, which must be another: one name is one history. */
  readonly origin: string;
  readonly rootVkey?: string | undefined;
  readonly service?: string | undefined;
  /** Where the mark of the old log lies; a sibling of its folder by default. */
  readonly mark?: string | undefined;
}

/** Makes a log: `makeLog`, handed in because it stands above. */
export type Make = (
  dir: string,
  making: {
    readonly origin: string;
    readonly rootVkey?: string | undefined;
    readonly personalIds: LeftOfLog['personalIds'];
    readonly forkedFrom: ForkedFrom;
  },
  open: { readonly service?: string },
) => Promise<Created>;

/** What came of {@link forkWith}. */
export interface Forked {
  readonly left: LeftOfLog;
  readonly created: Created;
  /** What `verify` finds in the old log, but for that it goes less far than its mark remembers. */
  readonly findings: AuditReport['findings'];
}

/** Audits the old log: the tree alone, or every entry. */
export type AuditLeft = (depth: AuditDepth) => Promise<Pick<AuditReport, 'findings'>>;

/**
 * {@link LeftOfLog} of the log in `dir`, and a new log in `to` that says that it takes its place. The folder `dir` stays as it is. Throws
 * `LogError` `log_damaged` where the tree that lies there does not give the root that the new log would name.
 */
export async function forkWith(
  { make, audit }: { readonly make: Make; readonly audit: AuditLeft },
  { dir, to }: { readonly dir: string; readonly to: string },
  { origin, rootVkey, service, mark }: ForkOptions,
): Promise<Forked> {
  const left = readLeft(dir, { mark });
  if (left.origin === origin)
    throw misuse('range', 'option_invalid', `a log that takes the place of ${origin} needs another origin`);
  if ((await audit('tree')).findings.some(({ code }) => code === 'root_mismatch')) {
    throw new LogError('log_damaged', `the tree in ${dir} does not give the root that its key signed`, {
      hint: 'run verify, and restore the log first: a new one would name what nobody can prove',
    });
  }
  const { findings } = await audit('full');
  const { personalIds, ...forkedFrom } = left;
  const created = await make(
    to,
    { origin, rootVkey, personalIds, forkedFrom },
    service === undefined ? {} : { service },
  );
  return { left, created, findings: findings.filter(({ code }) => code !== 'rolled_back') };
}
