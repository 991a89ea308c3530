import { base64Decode, base64Encode, misuse, parseDecimal, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES, type Hash, SIZE_MAX } from '../merkle/index.ts';
import { readWithin } from './malformed.ts';

/** What a log says about itself: under this name, with this many entries, the tree has this root. */
export interface Checkpoint {
  /** The name of the log, unique in the world: a URL without its scheme, by convention. */
  readonly origin: string;
  /** How many entries the log has. */
  readonly size: number;
  /** The root hash of the tree over those entries. */
  readonly root: Hash;
  /** Further lines, which mean nothing to us. An ML-DSA cosignature does not cover them. */
  readonly extensions: readonly string[];
}

/** The ASCII control characters, newline included: none may stand inside a line of a checkpoint. */
const control = /[\u0000-\u001f]/;

/**
 * The text of a checkpoint, the inverse of `parseCheckpoint`: origin, size, root in base64, extension lines.
 * There is no time in it: time comes from cosignatures, timestamps and entries.
 */
export function formatCheckpoint(checkpoint: {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  readonly extensions?: readonly string[];
}): string {
  const { origin, size, root, extensions = [] } = checkpoint;
  for (const line of [origin, ...extensions]) {
    if (line === '' || control.test(line) || !line.isWellFormed()) {
      throw misuse(
        'type',
        'checkpoint_line_invalid',
        'An origin or extension line is one line of text, not empty.',
      );
    }
  }
  if (!Number.isSafeInteger(size) || size < 0) {
    throw misuse('range', 'size_out_of_range', `The size of a log is a whole number from 0 to ${SIZE_MAX}.`);
  }
  if (root.length !== HASH_BYTES)
    throw misuse('type', 'hash_length_invalid', `A root hash has ${HASH_BYTES} bytes.`);
  return [origin, size, base64Encode(root), ...extensions, ''].join('\n');
}

/**
 * Reads the text of a checkpoint (c2sp.org/tlog-checkpoint), strictly: no leading zeros, canonical base64, 32
 * bytes of root, no empty lines, a last newline, so that writing it again gives the same text. Sizes above
 * 2^53 − 1 are refused, never rounded. Throws `malformed_checkpoint`.
 */
export function parseCheckpoint(text: string): Checkpoint {
  if (!text.endsWith('\n')) throw malformed('It does not end in a newline.');
  const lines = text.slice(0, -1).split('\n');
  const [origin, size, root, ...extensions] = lines;
  if (origin === undefined || size === undefined || root === undefined)
    throw malformed('It has fewer than three lines.');
  if (lines.some((line) => line === '' || control.test(line))) {
    throw malformed('A line of it is empty or holds a control character.');
  }
  const checkpoint = {
    origin,
    size: readWithin('malformed_checkpoint', 'The size', () => parseDecimal(size)),
    root: readWithin('malformed_checkpoint', 'The root', () => base64Decode(root)),
    extensions,
  };
  if (checkpoint.root.length !== HASH_BYTES)
    throw malformed(`Its root hash does not have ${HASH_BYTES} bytes.`);
  return checkpoint;
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_checkpoint', `This is not a checkpoint. ${message}`);
}
