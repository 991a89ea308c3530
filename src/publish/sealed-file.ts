import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
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

/** Most bytes of a file of disclosures: 256 entries with 128 KiB each, and what stands between them. */
export const SEALED_FILE_BYTES_MAX = 64 * 1024 * 1024;

/** What such a file begins with. */
const MAGIC = utf8Encode('indelible-sealed/v1\n');

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const NO_SALT = new Uint8Array(0);

/** Of what a group is bound to, as much goes into its keys. */
const INFO_BYTES_MAX = 1024;

/** One disclosure and where it belongs. */
export interface SealedText {
  /** The entry's place in its bundle, 0 to 255. */
  readonly offset: number;
  /** Its place among the entry's disclosures. */
  readonly position: number;
  readonly text: string;
}

/** The disclosures of a bundle that belong to the same subjects, as they lie in a file. */
export interface SealedGroup {
  /** Whose they are, sorted. */
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
 * Encrypts the disclosures of some subjects under the keys of all of them, so that without any one of the keys nothing of it is
 * read (spec/archive.md). The nonce follows from the plaintext and the key: the same values give the same bytes, however often they are
 * published, and two different texts never share a nonce but by the chance of 2^-96.
 */
export function sealGroup(
  path: string,
  subjects: readonly string[],
  keys: readonly Uint8Array[],
  texts: readonly SealedText[],
): SealedGroup {
  const plain = encodeTexts(texts);
  const about = aboutGroup(path, subjects);
  const { cipherKey, nonceKey } = deriveKeys(keys, about);
  const nonce = createHmac('sha256', nonceKey).update(plain).digest().subarray(0, NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', cipherKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(about);
  const box = concatBytes(cipher.update(plain), cipher.final(), cipher.getAuthTag());
  return { subjects, nonce, box };
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

/** The bytes of a file. The inverse of {@link parseSealedFile}. */
export function formatSealedFile(groups: readonly SealedGroup[]): Uint8Array {
  const named = groups.map((group) => ({ ...group, names: utf8Encode(namesOf(group.subjects)) }));
  const length = named.reduce((sum, { names, box }) => sum + 8 + names.length + NONCE_BYTES + box.length, 0);
  const writer = new ByteWriter(MAGIC.length + length);
  writer.put(MAGIC);
  for (const { names, nonce, box } of named) {
    writer.number(names.length);
    writer.put(names);
    writer.put(nonce);
    writer.number(box.length);
    writer.put(box);
  }
  return writer.bytes;
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
 * The keys are handed over as key objects: given bytes, Node first tries them for one, by an error that it throws and catches, which takes
 * longer than what is done with the key.
 */
function deriveKeys(
  keys: readonly Uint8Array[],
  about: Uint8Array,
): { cipherKey: KeyObject; nonceKey: KeyObject } {
  const secret = createSecretKey(concatBytes(...keys));
  const info = about.subarray(0, INFO_BYTES_MAX);
  const derived = new Uint8Array(hkdfSync('sha256', secret, NO_SALT, info, 2 * KEY_BYTES));
  return {
    cipherKey: createSecretKey(derived.subarray(0, KEY_BYTES)),
    nonceKey: createSecretKey(derived.subarray(KEY_BYTES)),
  };
}

/** Lent out by {@link encodeTexts} until it is called again; most groups fit. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

function encodeTexts(texts: readonly SealedText[]): Uint8Array {
  const lengths = texts.map(({ text }) => utf8Length(text));
  const length = lengths.reduce((sum, bytes) => sum + 12 + bytes, 0);
  const plain = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const [n, { offset, position, text }] of texts.entries()) {
    plain.writeUInt32BE(offset, at);
    plain.writeUInt32BE(position, at + 4);
    plain.writeUInt32BE(lengths[n]!, at + 8);
    plain.write(text, at + 12);
    at += 12 + lengths[n]!;
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

/** Writes one after the other; numbers are 32 bits, big-endian. */
class ByteWriter {
  readonly bytes: Uint8Array;
  #at = 0;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
  }

  number(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.bytes[this.#at++] = value >>> shift;
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }
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
