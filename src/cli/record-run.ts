import { type JsonValue, parseJson, utf8Decode } from '../bytes/index.ts';
import { EventError, type Log, LogError, type Receipt, type RecordResult } from '../log/index.ts';
import { exitStatus, wordsFor } from './exit.ts';
import type { Io } from './io.ts';
import type { InputLine } from './lines.ts';
import { ReaderGone } from './output.ts';
import { group, Progress } from './progress.ts';
import { safeJson, show } from './terminal.ts';

/** Why a line is refused unread. */
const tooLongError = new EventError('event_too_large', '', {
  rule: 'is longer than any event can be, however it is written',
  hint: 'Record less of it, or a digest and a reference.',
});

/** One line on its way: its event, or why it has none. */
type Parsed =
  | { readonly number: number; readonly event: JsonValue }
  | { readonly number: number; readonly error: Error };

/** Records windows of lines, several at once, and prints their receipts in the order of the lines. */
export class RecordRun {
  readonly #io: Io;
  readonly #log: Log;
  readonly #progress: Progress;
  #printed: Promise<void> = Promise.resolve();
  #recorded = 0;
  #refused = 0;

  constructor(io: Io, log: Log) {
    this.#io = io;
    this.#log = log;
    this.#progress = new Progress(io.words, 'recording');
  }

  /** Records one window. Receipts are printed after those of every earlier window, and after they are durable. */
  async take(lines: readonly InputLine[]): Promise<void> {
    const parsed = lines.map(parseLine);
    const events = parsed.flatMap((line) => ('event' in line ? [line.event] : []));
    const results = this.#log.recordMany(events as never[]);
    const before = this.#printed;
    this.#printed = (async () => {
      const answers = (await results)[Symbol.iterator]();
      await before;
      await this.#print(parsed, answers);
    })();
    await this.#printed;
  }

  async #print(parsed: readonly Parsed[], answers: Iterator<RecordResult>): Promise<void> {
    // Receipts go out together: a write for each would spend more time in the kernel than recording does.
    let receipts: Receipt[] = [];
    const acknowledge = async (): Promise<void> => {
      await this.#acknowledge(receipts);
      receipts = [];
    };
    for (const line of parsed) {
      const answer = 'error' in line ? undefined : (answers.next().value as RecordResult);
      if (answer?.ok === true) {
        receipts.push(answer.receipt);
        continue;
      }
      await acknowledge();
      const error = 'error' in line ? line.error : (answer as { readonly error: Error }).error;
      if (isFinal(error)) throw error;
      await this.#refuse(line.number, error);
    }
    await acknowledge();
    this.#progress.at(this.#recorded);
  }

  async #acknowledge(receipts: readonly Receipt[]): Promise<void> {
    if (receipts.length === 0) return;
    try {
      await this.#io.out.write(receipts.map((receipt) => `${safeJson(receipt)}\n`).join(''));
    } catch (cause) {
      if (!(cause instanceof ReaderGone)) throw cause;
      throw new LogError('io_failed', `nobody reads the receipts any more, after ${this.#recorded} of them`, {
        cause,
        hint: 'what was read so far may be recorded; repeat it with the same ids to have the receipts',
      });
    }
    this.#recorded += receipts.length;
  }

  async #refuse(number: number, error: Error): Promise<void> {
    this.#refused += 1;
    this.#progress.end();
    await this.#io.words.line(show`line ${number}: ${wordsFor(error)}`);
  }

  /** Says what was refused, when everything is done. */
  async end(): Promise<void> {
    this.#progress.end();
    if (this.#refused === 0) return;
    this.#io.status = exitStatus.misuse;
    await this.#io.words.line(show`${group(this.#recorded)} recorded, ${group(this.#refused)} refused`);
  }
}

function parseLine({ number, bytes, tooLong }: InputLine): Parsed {
  if (tooLong) return { number, error: tooLongError };
  try {
    return { number, event: parseJson(utf8Decode(bytes)) };
  } catch (error) {
    return { number, error: error as Error };
  }
}

/** Whether the log itself failed, so that no later line can succeed. */
function isFinal(error: Error): boolean {
  return error.name === 'LogError' && (error as { code?: unknown }).code !== 'id_conflict';
}
