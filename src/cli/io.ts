import type { Readable } from 'node:stream';
import { type ExitStatus, exitStatus } from './exit.ts';
import { Output } from './output.ts';

/** What a command talks to: its input, stdout for results, stderr for words, and the status it ends with. */
export interface Io {
  readonly stdin: Readable;
  /** Results, and nothing else: what a script reads. */
  readonly out: Output;
  /** Words for people: progress, warnings, refusals. */
  readonly words: Output;
  status: ExitStatus;
}

/** The streams of this process. */
export function processIo(): Io {
  return {
    stdin: process.stdin,
    out: new Output(process.stdout),
    words: new Output(process.stderr),
    status: exitStatus.done,
  };
}
