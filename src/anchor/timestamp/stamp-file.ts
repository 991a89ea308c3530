import {
  base64Decode,
  base64Encode,
  canonicalize,
  type JsonObject,
  parseCanonicalJson,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../../bytes/index.ts';
import { entriesPath, parseEntriesPath } from '../../merkle/index.ts';
import type { StampedCheckpoint } from '../anchor-rows.ts';
import { TOKEN_BYTES_MAX } from './token.ts';

/** Most bytes of a published time-stamp: a token of 131,072 in base64, and as much as that again for its note. */
export const STAMP_FILE_BYTES_MAX = 262_144;

/** Published time-stamps have numbers below this. */
export const STAMP_NUMBERS_MAX = 1_000_000_000;

/** A time-stamp as it is published. */
export type PublishedStamp = Pick<StampedCheckpoint, 'authority' | 'note' | 'token'>;

const FOLDER = 'timestamps/';
const BUNDLES = 'tile/entries/';

const authorityPattern = /^[a-z0-9][a-z0-9._-]{0,47}$/;

/** Where the time-stamp with this number lies, below a log's prefix: `timestamps/000`, `timestamps/x001/234` (c2sp.org/tlog-tiles). */
export function stampPath(number: number): string {
  return entriesPath(number).replace(BUNDLES, FOLDER);
}

/** The number that a path names, in the one spelling that it has. Throws `malformed_tile_path`. */
export function parseStampPath(path: string): number {
  const { index, width } = parseEntriesPath(path.replace(FOLDER, BUNDLES));
  if (index < STAMP_NUMBERS_MAX && stampPath(index) === path && width === 256) return index;
  throw new VerificationError('malformed_tile_path', 'No time-stamp has this path.');
}

/**
 * The file of a time-stamp: one line of canonical JSON (RFC 8785), as evidence carries it. Undefined where what is kept is none: a name
 * that no authority can have, a note that is no text, more bytes than {@link STAMP_FILE_BYTES_MAX}. The inverse of {@link parseStampFile}.
 */
export function formatStampFile({ authority, note, token }: PublishedStamp): Uint8Array | undefined {
  if (!authorityPattern.test(authority) || token.length === 0 || token.length > TOKEN_BYTES_MAX)
    return undefined;
  const bytes = utf8Encode(
    `${canonicalize({ authority, checkpoint: textOf(note), token: base64Encode(token) })}\n`,
  );
  return bytes.length > STAMP_FILE_BYTES_MAX || textOf(note) === '' ? undefined : bytes;
}

/** What a file of a time-stamp holds. Nothing of it is believed. Throws `malformed_timestamp`. */
export function parseStampFile(bytes: Uint8Array): PublishedStamp {
  if (bytes.length > STAMP_FILE_BYTES_MAX) throw malformed(`it has more than ${STAMP_FILE_BYTES_MAX} bytes`);
  try {
    const text = utf8Decode(bytes);
    if (!text.endsWith('\n')) throw malformed('it is cut off, or has something behind its last line');
    const members = (parseCanonicalJson(text.slice(0, -1)) ?? {}) as JsonObject;
    const { authority, checkpoint, token } = members;
    const isStamp =
      typeof checkpoint === 'string' && typeof token === 'string' && typeof authority === 'string';
    if (!isStamp || Object.keys(members).length !== 3)
      throw malformed('it has other members than a time-stamp');
    if (!authorityPattern.test(authority)) throw malformed('no authority has such a name');
    return { authority, note: utf8Encode(checkpoint), token: base64Decode(token) };
  } catch (error) {
    if (!(error instanceof VerificationError) || error.code === 'malformed_timestamp') throw error;
    throw malformed(error.message.replace(/\.$/, ''));
  }
}

/** The text of a note; empty where it is none. */
function textOf(note: Uint8Array): string {
  try {
    return utf8Decode(note);
  } catch (error) {
    if (error instanceof VerificationError) return '';
    throw error;
  }
}

function malformed(why: string): VerificationError {
  return new VerificationError('malformed_timestamp', `The file of a time-stamp is none: ${why}.`);
}
