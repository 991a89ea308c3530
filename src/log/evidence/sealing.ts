import { utf8Encode, VerificationError } from '../../bytes/index.ts';
import { openNote, parseVerifierKey, type VerifierKey } from '../../note/index.ts';
import { LogError } from '../../store/index.ts';
import type { KeyHistory } from '../log-timeline.ts';

/**
 * Who may bind a file that is made under a checkpoint: a key that signs the log at its size. Where the log's key is replaced meanwhile,
 * or was before, the file would bear the note of a key that none of its entries names.
 */
export class Sealing {
  readonly #keys: readonly VerifierKey[];

  private constructor(keys: readonly VerifierKey[]) {
    this.#keys = keys;
  }

  /** Throws `LogError` `evidence_outdated` where no key of that size signs now. */
  static under(size: number, { keys }: KeyHistory): Sealing {
    const signing = keys.filter(({ first, last = size }) => first <= size && size <= last);
    if (!signing.some(({ last }) => last === undefined)) throw outdated();
    return new Sealing(signing.map(({ vkey }) => parseVerifierKey(vkey)));
  }

  /** The note, where one of those keys has signed it. Throws `LogError` `evidence_outdated`. */
  check(note: string): string {
    try {
      openNote(utf8Encode(note), this.#keys);
      return note;
    } catch (error) {
      if (error instanceof VerificationError && error.code === 'signature_unknown') throw outdated();
      throw error;
    }
  }
}

function outdated(): LogError {
  return new LogError(
    'evidence_outdated',
    'the key of the log was replaced behind the checkpoint that this is made under',
    {
      retryable: true,
      hint: 'make it again, under the newest checkpoint',
    },
  );
}
