import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import {
  canonicalString,
  concatBytes,
  equalBytes,
  utf8Decode,
  utf8Encode,
  utf8Length,
  VerificationError,
} from '../bytes/index.ts';
import { entriesPath } from '../merkle/index.ts';
import { hkdfSha256, hmacSha256 } from '../platform/index.ts';

/** Most bytes of a file of disclosures: 256 entries with 128 KiB each, and what stands between them. */
export const SEALED_FILE_BYTES_MAX = 64 * 1024 * 1024;

/** What such a file begins with. */
const MAGIC = utf8Encode('indelible-sealed/v1\n');

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Of what a group is bound to, as much goes into its keys. */
const INFO_BYTES_MAX = 1024;

/** Bytes before each text of a group: its offset, its position, its length. */
const TEXT_HEAD_BYTES = 12;

/** One disclosure and where it belongs. */
export interface SealedText {
  /** The entry's place in its bundle, 0 to 255. */
  readonly offset: number;
  /** Its place among the entry's disclosures. */
  readonly position: number;
  readonly text: string;
}

/** The disclosures of a bundle that belong to the same subjects. */
export interface PlainGroup {
  /** Whose they are, sorted. */
  readonly subjects: readonly string[];
  /** The key of each. */
  readonly keys: readonly Uint8Array[];
  readonly texts: readonly SealedText[];
}

/** The same as it lies in a file. */
export interface SealedGroup {
  readonly subjects: readonly string[];
  readonly nonce: Uint8Array;
  /** Ciphertext and tag. */
  readonly box: Uint8Array;
}

/** The path of the file with the disclosures of a bundle: that of the bundle, in a folder of its own. */
export function sealedPath(index: number, width: number): string {
  return entriesPath(index, width).replace('tile/entries/', 'disclosures/');
}

/**
 * The file with the disclosures of a bundle, each group encrypted under the keys of all its subjects, so that without any one of the
 * keys nothing of it is read (spec/archive.md). The nonce follows from the plaintext and the key: the same values give the same bytes,
 * however often they are published, and two different texts never share a nonce but by the chance of 2^-96.
 *
 * All of it is written into one piece of memory: a bundle has hundreds of groups, and of what lies there for each one by itself until the
 * file is durable, the heap would grow. The inverse of {@link parseSealedFile}, but for the encryption.
 */
export function sealFile(path: string, groups: readonly PlainGroup[]): Uint8Array {
  const measured = groups.map((group) => ({ ...group, ...lengthsOf(group) }));
  const length = measured.reduce(
    (sum, { names, plain }) => sum + names + NONCE_BYTES + plain + TAG_BYTES + 8,
    0,
  );
  const file = Buffer.allocUnsafeSlow(MAGIC.length + length);
  file.set(MAGIC);
  let at = MAGIC.length;
  for (const { subjects, keys, texts, names, plain } of measured) {
    at = file.writeUInt32BE(names, at);
    at += file.write(namesOf(subjects), at);
    const boxAt = at + NONCE_BYTES + 4;
    file.writeUInt32BE(plain + TAG_BYTES, boxAt - 4);
    const encoded = encodeTexts(texts, plain);
    const about = aboutGroup(path, subjects);
    const { cipherKey, nonceKey } = deriveKeys(keys, about);
    const nonce = hmacSha256(nonceKey, encoded).subarray(0, NONCE_BYTES);
    file.set(nonce, at);
    const cipher = createCipheriv('aes-256-gcm', cipherKey, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(about);
    file.set(cipher.update(encoded), boxAt);
    // Of a stream cipher, nothing is left to come.
    cipher.final();
    file.set(cipher.getAuthTag(), boxAt + plain);
    at = boxAt + plain + TAG_BYTES;
  }
  return new Uint8Array(file.buffer);
}

/** Bytes of the names of a group's subjects, and of its plaintext. */
function lengthsOf({ subjects, texts }: PlainGroup): { readonly names: number; readonly plain: number } {
  return {
    names: utf8Length(namesOf(subjects)),
    plain: texts.reduce((sum, { text }) => sum + TEXT_HEAD_BYTES + utf8Length(text), 0),
  };
}

/** The disclosures of a group; undefined where these are not its keys, or it was changed. */
export function openGroup(
  path: string,
  { subjects, nonce, box }: SealedGroup,
  keys: readonly Uint8Array[],
): SealedText[] | undefined {
  const about = aboutGroup(path, subjects);
  const { cipherKey } = deriveKeys(keys, about);
  const decipher = createDecipheriv('aes-256-gcm', cipherKey, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(about);
  const end = box.length - TAG_BYTES;
  decipher.setAuthTag(box.subarray(end));
  const plain = decipher.update(box.subarray(0, end));
  try {
    return decodeTexts(concatBytes(plain, decipher.final()));
  } catch {
    return undefined;
  }
}

/** The groups of a file. Throws `VerificationError` `malformed_disclosure`. */
export function parseSealedFile(bytes: Uint8Array): SealedGroup[] {
  if (bytes.length < MAGIC.length || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) throw malformed();
  const reader = new ByteReader(bytes, MAGIC.length);
  const groups: SealedGroup[] = [];
  while (!reader.atEnd) {
    const names = utf8Decode(reader.take(reader.number()));
    const subjects = names === '' ? [] : names.split('\n');
    const nonce = reader.take(NONCE_BYTES);
    const box = reader.take(reader.number());
    if (box.length < TAG_BYTES) throw malformed();
    groups.push({ subjects, nonce, box });
  }
  return groups;
}

/** A subject holds no control characters, so that a newline between them makes their list unambiguous. */
export function namesOf(subjects: readonly string[]): string {
  return subjects.join('\n');
}

/** What a group is bound to: moved to another file, or given to others, it does not open. */
function aboutGroup(path: string, subjects: readonly string[]): Uint8Array {
  return utf8Encode(`indelible-sealed/v1\n${path}\n${subjects.map(canonicalString).join(',')}`);
}

/**
 * The key of the cipher is handed over as a key object: given bytes, Node first tries them for one, by an error that it throws and
 * catches, which takes longer than what is done with the key.
 */
function deriveKeys(
  keys: readonly Uint8Array[],
  about: Uint8Array,
): { readonly cipherKey: KeyObject; readonly nonceKey: Uint8Array } {
  const [cipherKey, nonceKey] = hkdfSha256(keys, about.subarray(0, INFO_BYTES_MAX));
  return { cipherKey: createSecretKey(cipherKey), nonceKey };
}

/** Lent out by {@link encodeTexts} until it is called again; most groups fit. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

function encodeTexts(texts: readonly SealedText[], length: number): Uint8Array {
  const plain = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const { offset, position, text } of texts) {
    plain.writeUInt32BE(offset, at);
    plain.writeUInt32BE(position, at + 4);
    const written = plain.write(text, at + TEXT_HEAD_BYTES);
    plain.writeUInt32BE(written, at + 8);
    at += TEXT_HEAD_BYTES + written;
  }
  return plain;
}

function decodeTexts(plain: Uint8Array): SealedText[] {
  const reader = new ByteReader(plain, 0);
  const texts: SealedText[] = [];
  while (!reader.atEnd) {
    const [offset, position] = [reader.number(), reader.number()];
    texts.push({ offset, position, text: utf8Decode(reader.take(reader.number())) });
  }
  return texts;
}

class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(): number {
    if (this.#at + 4 > this.#bytes.length) throw malformed();
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  take(count: number): Uint8Array {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

function malformed(): VerificationError {
  return new VerificationError(
    'malformed_disclosure',
    'The file of disclosures is none, or ends within one.',
  );
}
