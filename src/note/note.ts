import {
  base64Decode,
  base64Encode,
  concatBytes,
  misuse,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { verifySignature } from './cosignature.ts';
import { isKeyName } from './key-name.ts';
import { readWithin } from './malformed.ts';
import type { Signer } from './signer.ts';
import { publicKeyText, type VerifierKey } from './verifier-key.ts';

/** How large a note may be, in bytes: room for a hundred ML-DSA signatures and a long text. */
export const NOTE_BYTES_MAX = 1024 * 1024;

/**
 * How many signature lines a note may have, unknown ones included. C2SP wants 16 accepted; Go stops at 100,
 * as we do.
 */
export const NOTE_SIGNATURES_MAX = 100;

/** The shortest signature that is one: four bytes of key id, and something. Go's limit, not C2SP's. */
const SIGNATURE_BYTES_MIN = 5;

const KEY_ID_BYTES = 4;

/** What begins a signature line: an em dash and a space. */
const LINE_PREFIX = '— ';

/** The ASCII control characters but newline: no note may hold one. */
const control = /[\u0000-\u0009\u000b-\u001f]/;

/** One signature line, as it was read: nobody has verified it yet. */
export interface NoteSignature {
  /** Whose key, says the line. */
  readonly name: string;
  /** Which key of that name, says the line. */
  readonly keyId: number;
  /** The signature's bytes after the key id; their form depends on the key's type. */
  readonly signature: Uint8Array;
  /** The whole line, without its newline. */
  readonly line: string;
}

/** A note taken apart. Its text is not to be believed before `openNote` has verified a signature. */
export interface Note {
  /** The signed text, with its last newline. */
  readonly text: string;
  /** The signature lines, in their order. */
  readonly signatures: readonly NoteSignature[];
}

/** A signature that verified. */
export interface VerifiedSignature {
  readonly key: VerifierKey;
  /**
   * When the cosigner signed, in POSIX seconds; absent for a plain signature. Up to 2^63 − 1, hence a bigint.
   */
  readonly timestamp?: bigint;
}

/** A note of which at least one signature verified. */
export interface OpenedNote {
  readonly text: string;
  /** The signatures of known keys, each key once. All of them verified: one that fails refuses the note. */
  readonly verified: readonly VerifiedSignature[];
  /** The lines of keys we do not know, without exact repetitions. They say nothing. */
  readonly unknown: readonly NoteSignature[];
}

/**
 * Signs `text`, which ends in a newline, and writes the note: the text, an empty line, one signature line for
 * each signer.
 */
export function signNote(text: string, signers: readonly Signer[]): Uint8Array {
  if (!text.endsWith('\n') || control.test(text)) {
    throw misuse(
      'type',
      'note_text_invalid',
      'The text of a note ends in a newline and has no other control characters.',
    );
  }
  if (signers.length === 0) throw misuse('range', 'signers_missing', 'A note is signed by at least one key.');
  const message = utf8Encode(text);
  // Named one by one: a signer may be an instance of a class, whose properties a spread would not see.
  const lines = signers.map((signer) => {
    const { name, keyId } = signer;
    return formatSignatureLine({ name, keyId, signature: signer.sign(message) });
  });
  return concatBytes(message, utf8Encode(`\n${lines.join('\n')}\n`));
}

/** A note as bytes, the inverse of `parseNote`. */
export function formatNote({ text, signatures }: Note): Uint8Array {
  return utf8Encode(`${text}\n${signatures.map(({ line }) => `${line}\n`).join('')}`);
}

/** A signature as a line of a note, without its newline: em dash, name, base64 of key id and signature. */
export function formatSignatureLine({ name, keyId, signature }: Omit<NoteSignature, 'line'>): string {
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(bytes.buffer).setUint32(0, keyId);
  bytes.set(signature, KEY_ID_BYTES);
  return `${LINE_PREFIX}${name} ${base64Encode(bytes)}`;
}

/**
 * A note with further signature lines under it, in their order; what stands there already is not repeated.
 * Nothing is verified. Throws `malformed_note`, also where they become too many.
 */
export function withSignatures(bytes: Uint8Array, lines: readonly string[]): Uint8Array {
  const { text, signatures } = parseNote(bytes);
  const known = new Set(signatures.map(({ line }) => line));
  const added = [...new Set(lines)].filter((line) => !known.has(line)).map(parseSignatureLine);
  if (signatures.length + added.length > NOTE_SIGNATURES_MAX) {
    throw malformed(`It would have more than ${NOTE_SIGNATURES_MAX} signature lines.`);
  }
  return formatNote({ text, signatures: [...signatures, ...added] });
}

/**
 * Takes a note apart, without verifying anything. Every byte is accounted for: `formatNote` gives them back.
 * The text may hold empty lines, so the signatures begin after the *last* one. Throws `malformed_note`.
 */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > NOTE_BYTES_MAX) throw malformed(`A note has at most ${NOTE_BYTES_MAX} bytes.`);
  const whole = readWithin('malformed_note', 'The note', () => utf8Decode(bytes));
  if (control.test(whole)) throw malformed('It holds a control character.');
  const split = whole.lastIndexOf('\n\n');
  if (split < 0) throw malformed('No empty line separates its text from its signatures.');
  const block = whole.slice(split + 2);
  if (!block.endsWith('\n')) throw malformed('Its signature lines do not end in a newline.');
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > NOTE_SIGNATURES_MAX)
    throw malformed(`It has more than ${NOTE_SIGNATURES_MAX} signature lines.`);
  return { text: whole.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

/**
 * Opens a note: verifies every signature that one of `keys` has made, and returns the text that they vouch
 * for.
 *
 * The rules are those of c2sp.org/signed-note. A line whose name and key id are unknown is ignored; a line of
 * a known key that fails to verify refuses the whole note (`signature_invalid`); a note without any known
 * signature is refused (`signature_unknown`). Of several lines by one key the first counts, and only that
 * one.
 *
 * `keys` must name each key once: two keys with one name and id, or one public key under two names, make it
 * unclear who signed, and are refused as `key_ambiguous`.
 */
export function openNote(bytes: Uint8Array, keys: readonly VerifierKey[]): OpenedNote {
  const known = indexKeys(keys);
  const { text, signatures } = parseNote(bytes);
  const verified = new Map<VerifierKey, VerifiedSignature>();
  const unknown = new Map<string, NoteSignature>();
  for (const signature of signatures) {
    const key = known.get(identity(signature));
    if (key === undefined) {
      unknown.set(signature.line, signature);
    } else if (!verified.has(key)) {
      verified.set(key, { key, ...verifySignature(key, text, signature.signature) });
    }
  }
  if (verified.size === 0) {
    throw new VerificationError('signature_unknown', 'No signature on this note is by a key that we know.', {
      signedBy: signatures.map(({ name }) => name),
      known: keys.map(({ name }) => name),
    });
  }
  return { text, verified: [...verified.values()], unknown: [...unknown.values()] };
}

/**
 * The keys by what a signature line says of them. Refuses a set in which a line, or a public key, could mean
 * two signers.
 */
function indexKeys(keys: readonly VerifierKey[]): ReadonlyMap<string, VerifierKey> {
  const byIdentity = new Map<string, VerifierKey>();
  const materials = new Set<string>();
  for (const key of keys) {
    const material = publicKeyText(key);
    if (byIdentity.has(identity(key)) || materials.has(material)) {
      throw new VerificationError('key_ambiguous', `The key ${key.text} stands twice among the known keys.`, {
        name: key.name,
      });
    }
    byIdentity.set(identity(key), key);
    materials.add(material);
  }
  return byIdentity;
}

/** A name has no spaces, so that name, space and key id are unambiguous. */
function identity({ name, keyId }: { readonly name: string; readonly keyId: number }): string {
  return `${name} ${keyId}`;
}

/** Reads one signature line, without its newline, without verifying anything. Throws `malformed_note`. */
export function parseSignatureLine(line: string): NoteSignature {
  const space = line.indexOf(' ', LINE_PREFIX.length);
  if (!line.startsWith(LINE_PREFIX) || space < 0) throw malformed('A line among the signatures is none.');
  const name = line.slice(LINE_PREFIX.length, space);
  if (!isKeyName(name)) throw malformed('A signature line has no valid key name.');
  const bytes = readWithin('malformed_note', 'A signature', () => base64Decode(line.slice(space + 1)));
  if (bytes.length < SIGNATURE_BYTES_MIN) throw malformed('A signature is too short to be one.');
  const keyId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return { name, keyId, signature: bytes.slice(KEY_ID_BYTES), line };
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_note', `This is not a signed note. ${message}`);
}
