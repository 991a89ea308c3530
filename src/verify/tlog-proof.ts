import {
  base64Decode,
  base64Encode,
  misuse,
  parseDecimal,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { HASH_BYTES, type Hash, SIZE_MAX } from '../merkle/index.ts';
import { NOTE_BYTES_MAX, parseCheckpoint, parseNote } from '../note/index.ts';

/** The first line of a proof file: its format and version. */
const HEADER = 'c2sp.org/tlog-proof@v1';

/** How many hashes a path through the largest tree has. */
export const PROOF_HASHES_MAX = 63;

/** How many bytes of extra data a proof may carry. */
export const PROOF_EXTRA_BYTES_MAX = 1024 * 1024;

/**
 * How large a proof file may be, in bytes: the largest note, the longest path, and the extra data in base64.
 */
export const PROOF_BYTES_MAX = NOTE_BYTES_MAX + 4 * 1024 + Math.ceil(PROOF_EXTRA_BYTES_MAX / 3) * 4;

/** The claim that an entry is in a log, with all that is needed to check it but the entry and the key. */
export interface Proof {
  /** The entry's place in the log, from 0. */
  readonly index: number;
  /** The path from the leaf's sibling up to the child of the root. */
  readonly hashes: readonly Hash[];
  /** The signed checkpoint that the path leads to, verbatim, with any cosignatures. */
  readonly checkpoint: string;
  /** Anything the application likes to send along. Nothing vouches for it. */
  readonly extra?: Uint8Array;
}

/** A proof as a file (`.tlog-proof`), the inverse of `parseProof`. */
export function formatProof({ index, hashes, checkpoint, extra }: Proof): string {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw misuse('range', 'index_out_of_range', `An index is a whole number from 0 to ${SIZE_MAX - 1}.`);
  }
  if (hashes.length > PROOF_HASHES_MAX || hashes.some((hash) => hash.length !== HASH_BYTES)) {
    throw misuse(
      'range',
      'hashes_mismatch',
      `A path is at most ${PROOF_HASHES_MAX} hashes of ${HASH_BYTES} bytes.`,
    );
  }
  const lines = [
    HEADER,
    ...(extra === undefined ? [] : [`extra ${base64Encode(extra)}`]),
    `index ${index}`,
    ...hashes.map(base64Encode),
  ];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/**
 * Reads a proof file (c2sp.org/tlog-proof), strictly: lines end in a newline alone, numbers have no leading
 * zeros, base64 is canonical, and writing the proof again gives the same bytes. It believes nothing:
 * `verifyProof` does the checking. Whoever reads many proofs under one checkpoint hands in the text of it, once it has been
 * read. Throws `malformed_proof`.
 */
export function parseProof(bytes: Uint8Array, known?: string): Proof {
  if (bytes.length > PROOF_BYTES_MAX) throw malformed(`It has more than ${PROOF_BYTES_MAX} bytes.`);
  const text = within('The file', () => utf8Decode(bytes));
  // The path has no empty line and the checkpoint comes behind the first one, whatever empty lines it holds
  // itself.
  const split = text.indexOf('\n\n');
  if (split < 0) throw malformed('No empty line separates the path from the checkpoint.');
  const checkpoint = text.slice(split + 2);
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== HEADER) throw malformed(`Its first line is not ${HEADER}.`);
  const extra = lines[0]?.startsWith('extra ') ? readExtra(lines.shift()!.slice('extra '.length)) : undefined;
  const index = readIndex(lines.shift());
  if (lines.length > PROOF_HASHES_MAX) throw malformed(`Its path has more than ${PROOF_HASHES_MAX} hashes.`);
  const hashes = lines.map(readHash);
  if (checkpoint !== known) {
    within('The checkpoint', () => parseCheckpoint(parseNote(utf8Encode(checkpoint)).text));
  }
  return { index, hashes, checkpoint, ...(extra !== undefined && { extra }) };
}

function readExtra(text: string): Uint8Array {
  if (text === '') throw malformed('Its line of extra data is empty; without data, there is no such line.');
  const extra = within('The extra data', () => base64Decode(text));
  if (extra.length > PROOF_EXTRA_BYTES_MAX)
    throw malformed(`More than ${PROOF_EXTRA_BYTES_MAX} bytes of extra data.`);
  return extra;
}

function readIndex(line: string | undefined): number {
  if (!line?.startsWith('index ')) throw malformed('The line of the index is missing or out of place.');
  return within('The index', () => parseDecimal(line.slice('index '.length)));
}

function readHash(line: string): Hash {
  const hash = within('The path', () => base64Decode(line));
  if (hash.length === HASH_BYTES) return hash;
  throw malformed(`A line of its path has ${hash.length} bytes instead of ${HASH_BYTES}.`);
}

/** Reports what a reader of a part complains about as a complaint about the proof. */
function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new VerificationError(
      'malformed_proof',
      `This is not a proof. ${what}: ${cause.message}`,
      cause.details,
      {
        cause,
      },
    );
  }
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_proof', `This is not a proof. ${message}`);
}
