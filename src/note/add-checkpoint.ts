import {
  base64Decode,
  base64Encode,
  misuse,
  parseDecimal,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { HASH_BYTES, type Hash } from '../merkle/index.ts';
import { readWithin } from './malformed.ts';
import { NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, type NoteSignature, parseSignatureLine } from './note.ts';

/** Hashes of one consistency proof (c2sp.org/tlog-witness): a tree of 2^63 leaves needs no more. */
export const WITNESS_HASHES_MAX = 63;

/** What a log asks of a witness: to cosign a checkpoint that continues the last one that it cosigned. */
export interface AddCheckpoint {
  /** The size up to which the log believes that the witness has seen it; 0 for never. */
  readonly oldSize: number;
  /** The proof that the tree of `oldSize` is the beginning of the checkpoint's (RFC 6962, section 2.1.2). */
  readonly proof: readonly Hash[];
  /** The signed checkpoint: a note. */
  readonly note: Uint8Array;
}

/** The body of `POST /add-checkpoint` (c2sp.org/tlog-witness), the inverse of `parseAddCheckpoint`. */
export function formatAddCheckpoint({ oldSize, proof, note }: AddCheckpoint): Uint8Array {
  if (!Number.isSafeInteger(oldSize) || oldSize < 0)
    throw misuse('range', 'size_out_of_range', 'The old size is a whole number, 0 or more.');
  const lines = [`old ${oldSize}`, ...proof.map(base64Encode), '', utf8Decode(note)];
  return utf8Encode(lines.join('\n'));
}

/**
 * Reads the body of `POST /add-checkpoint`, strictly; the note itself is not looked into. Throws
 * `malformed_witness_request`.
 */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  if (bytes.length > NOTE_BYTES_MAX) throw malformed(`It has more than ${NOTE_BYTES_MAX} bytes.`);
  const text = readWithin(code, 'The request', () => utf8Decode(bytes));
  const end = text.indexOf('\n\n');
  if (end < 0) throw malformed('No empty line separates the proof from the checkpoint.');
  const [first, ...hashes] = text.slice(0, end).split('\n');
  if (first?.startsWith('old ') !== true) throw malformed('It does not begin with the old size.');
  if (hashes.length > WITNESS_HASHES_MAX)
    throw malformed(`A proof has at most ${WITNESS_HASHES_MAX} hashes.`);
  return {
    oldSize: readWithin(code, 'The old size', () => parseDecimal(first.slice('old '.length))),
    proof: hashes.map(parseHash),
    note: utf8Encode(text.slice(end + 2)),
  };
}

/**
 * Reads what a witness answers: signature lines, each with its newline, one at least. Nothing is verified. Throws
 * `malformed_note`.
 */
export function parseSignatureLines(bytes: Uint8Array): NoteSignature[] {
  const text = readWithin('malformed_note', 'The answer', () => utf8Decode(bytes));
  const lines = text.endsWith('\n') ? text.slice(0, -1).split('\n') : [];
  if (lines.length === 0 || lines.length > NOTE_SIGNATURES_MAX) {
    throw new VerificationError('malformed_note', 'The answer is not made of signature lines.');
  }
  return lines.map(parseSignatureLine);
}

const code = 'malformed_witness_request';

function parseHash(line: string): Hash {
  const hash = readWithin(code, 'A hash of the proof', () => base64Decode(line));
  if (hash.length !== HASH_BYTES) throw malformed(`A hash has ${HASH_BYTES} bytes.`);
  return hash;
}

function malformed(message: string): VerificationError {
  return new VerificationError(code, `This is not a request to a witness. ${message}`);
}
