import { LogError } from '../../store/index.ts';
import { EVIDENCE_BYTES_MAX, EVIDENCE_INFLATED_BYTES_MAX, EVIDENCE_LIST_MAX } from '../../verify/index.ts';

/** How large a file may become: what its verifiers refuse is not written. */
export interface Limits {
  /** In bytes. */
  readonly file: number;
  /** In bytes, of all its blocks once they are inflated. */
  readonly inflated: number;
}

/** The limits of the format (spec/evidence.md). */
const limits: Limits = { file: EVIDENCE_BYTES_MAX, inflated: EVIDENCE_INFLATED_BYTES_MAX };

/** Counts a file while it is written. Its methods throw `LogError` `evidence_too_large`. */
export class Room {
  readonly #limits: Limits;
  #file = 0;
  #inflated = 0;

  constructor(within: Limits = limits) {
    this.#limits = within;
  }

  /** A piece of the file. Answers it. */
  take(piece: string): string {
    this.#file += Buffer.byteLength(piece, 'utf8');
    if (this.#file > this.#limits.file) throw tooLarge(`one file has at most ${this.#limits.file} bytes`);
    return piece;
  }

  /** A block of so many bytes once it is inflated. */
  inflate(bytes: number): void {
    this.#inflated += bytes;
    if (this.#inflated > this.#limits.inflated)
      throw tooLarge(`the entries of one file have at most ${this.#limits.inflated} bytes`);
  }
}

/** Answers a list that stands in a file. Throws `LogError` `evidence_too_large` where no verifier reads one so long. */
export function listed<T extends readonly unknown[]>(list: T, what: string): T {
  if (list.length > EVIDENCE_LIST_MAX)
    throw tooLarge(`one file holds at most ${EVIDENCE_LIST_MAX} ${what}, and this needs ${list.length}`);
  return list;
}

/** What is thrown where one file cannot hold what was asked for. */
export function tooLarge(what: string): LogError {
  return new LogError('evidence_too_large', what, {
    hint: 'make several, each of a range of times or indexes',
  });
}
