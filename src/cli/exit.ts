import { CommanderError } from 'commander';
import { type Output, ReaderGone } from './output.ts';
import { type Shown, show } from './terminal.ts';

/** What the shell is told. Scripts may rely on these four. */
export const exitStatus = {
  /** The command did what it says. */
  done: 0,
  /** The evidence does not hold: a finding, a proof that does not verify, an attack that went unseen. */
  evidence: 1,
  /** The command was used wrongly, or a line of its input was refused. */
  misuse: 2,
  /** The operation failed: a missing log, a full disk, an unreadable file. */
  failed: 3,
} as const;

/** One value of {@link exitStatus}. */
export type ExitStatus = (typeof exitStatus)[keyof typeof exitStatus];

/** A misuse that the command line itself notices. */
export class UsageError extends TypeError {
  override readonly name = 'UsageError';
  readonly code = 'usage';
}

interface Coded {
  readonly code?: unknown;
  readonly hint?: unknown;
  readonly pointer?: unknown;
}

/** Which of the three kinds of error this is, as an exit status. Undefined for what nobody foresaw: a bug. */
export function statusOf(error: unknown): ExitStatus | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitStatus.done : exitStatus.misuse;
  const { code } = error as Coded;
  if (typeof code !== 'string') return undefined;
  if (error.name === 'VerificationError') return exitStatus.evidence;
  if (error.name === 'LogError') return exitStatus.failed;
  // Node's own system errors carry an errno: ENOENT, EACCES, ENOSPC.
  if (typeof (error as NodeJS.ErrnoException).errno === 'number') return exitStatus.failed;
  if (error instanceof TypeError || error instanceof RangeError) {
    return code.startsWith('ERR_') ? undefined : exitStatus.misuse;
  }
  return code.startsWith('ERR_SQLITE') ? exitStatus.failed : undefined;
}

/** The words for an error: its message, its code, where it points, what to do. */
export function wordsFor(error: Error): Shown {
  const { code, hint, pointer } = error as Coded;
  let words = show`${error.message}`;
  if (typeof pointer === 'string' && pointer !== '' && !error.message.includes(pointer)) {
    words = show`${words}, at ${pointer}`;
  }
  if (typeof code === 'string' && code !== 'usage') words = show`${words} (${code})`;
  if (typeof hint === 'string' && !error.message.includes(hint)) words = show`${words}. ${hint}`;
  return words;
}

/** Says on stderr what went wrong and returns the exit status. */
export async function reportFailure(error: unknown, words: Output): Promise<ExitStatus> {
  if (error instanceof ReaderGone) return exitStatus.done;
  const status = statusOf(error);
  // Commander has printed its own words.
  if (error instanceof CommanderError) return status ?? exitStatus.misuse;
  // Where stderr cannot be written either, the status has to say it alone.
  try {
    if (status !== undefined)
      await words.line(show`${words.paint('red', 'indelible:')} ${wordsFor(error as Error)}`);
    else {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      await words.line(
        show`${words.paint('red', 'indelible:')} this is a bug in indelible, please report it`,
      );
      for (const line of stack.split('\n')) await words.line(show`${line}`);
    }
  } catch {}
  return status ?? exitStatus.failed;
}
