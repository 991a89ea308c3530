import { concatBytes, VerificationError } from '../../bytes/index.ts';

/** Deepest nesting of anything that a time-stamping authority sends. */
const DEPTH_MAX = 32;

/** Most elements in it: a chain of certificates has a few hundred. */
const ELEMENTS_MAX = 20_000;

const BOOLEAN = 0x01;
const INTEGER = 0x02;

/** The identifier octet of a SEQUENCE. */
export const SEQUENCE = 0x30;

/** The identifier octet of an OCTET STRING. */
export const OCTETS = 0x04;

/** The identifier octet of `[0]`, constructed. */
export const TAGGED_0 = 0xa0;

/** Tag and length of an element, and where its content lies. */
interface Header {
  readonly tag: number;
  readonly isConstructed: boolean;
  readonly begin: number;
  readonly end: number;
}

/** An element of ASN.1, as it is encoded. */
export interface Element {
  /** The identifier octet: class, constructed or not, number. */
  readonly tag: number;
  /** The element itself, tag and length included. */
  readonly bytes: Uint8Array;
  /** What lies behind tag and length. */
  readonly content: Uint8Array;
  /** What a constructed element holds; of others, nothing. */
  readonly parts: readonly Element[];
}

/**
 * Takes apart what is one whole element in DER (X.690 section 10), and refuses indefinite or long-winded lengths, bytes left over,
 * elements that overlap. Two encodings never mean one thing, and whatever parses it afterwards cannot be led astray by its shape.
 * Throws `malformed_timestamp`.
 */
export function readDer(bytes: Uint8Array, what: string): Element {
  let left = ELEMENTS_MAX;
  const read = (begin: number, end: number, depth: number): Element[] => {
    if (depth > DEPTH_MAX) throw malformed(what, 'it is nested too deep');
    const elements: Element[] = [];
    for (let at = begin; at < end; ) {
      left -= 1;
      if (left < 0) throw malformed(what, 'it has too many elements');
      const header = headerAt(bytes, at, what);
      if (header.end > end) throw malformed(what, 'an element reaches beyond the one that holds it');
      if (!header.isConstructed) checkContent(bytes, header, what);
      elements.push({
        tag: header.tag,
        bytes: bytes.subarray(at, header.end),
        content: bytes.subarray(header.begin, header.end),
        parts: header.isConstructed ? read(header.begin, header.end, depth + 1) : [],
      });
      at = header.end;
    }
    return elements;
  };
  const [element, ...others] = read(0, bytes.length, 1);
  if (element === undefined) throw malformed(what, 'it is empty');
  if (others.length > 0) throw malformed(what, 'bytes are left over');
  return element;
}

/** An element of this tag around what is given. */
export function wrapDer(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...contents);
  return concatBytes(new Uint8Array([tag, ...lengthBytes(content.length)]), content);
}

/** A SEQUENCE of what is given. */
export function wrapSequence(...contents: readonly Uint8Array[]): Uint8Array {
  return wrapDer(SEQUENCE, ...contents);
}

/** The error for bytes of somebody else that are not what they should be. */
export function malformed(what: string, why: string, cause?: unknown): VerificationError {
  return new VerificationError(
    'malformed_timestamp',
    `${what} cannot be read: ${why}.`,
    {},
    cause === undefined ? undefined : { cause },
  );
}

function headerAt(bytes: Uint8Array, at: number, what: string): Header {
  const tag = bytes[at]!;
  // Numbers above 30 take more bytes; nothing that is read here has one.
  if (tag % 32 === 31) throw malformed(what, 'it has a tag that is unknown here');
  const first = bytes[at + 1];
  if (first === undefined) throw malformed(what, 'it is cut off');
  const count = first < 0x80 ? 0 : first - 0x80;
  if (first === 0x80 || count > 3) throw malformed(what, 'it has a length that DER does not have');
  let length = count === 0 ? first : 0;
  for (let offset = 0; offset < count; offset += 1) length = length * 256 + (bytes[at + 2 + offset] ?? 0);
  const begin = at + 2 + count;
  if (begin + length > bytes.length) throw malformed(what, 'it is cut off');
  if (count > 0 && 2 + count !== 1 + lengthBytes(length).length) {
    throw malformed(what, 'it has a length that DER does not have');
  }
  return { tag, isConstructed: Math.floor(tag / 32) % 2 === 1, begin, end: begin + length };
}

/** What DER says of the content of the elements that have a second spelling in BER. */
function checkContent(bytes: Uint8Array, { tag, begin, end }: Header, what: string): void {
  const [first, second] = [bytes[begin], bytes[begin + 1]];
  if (tag === BOOLEAN && (end - begin !== 1 || (first !== 0 && first !== 0xff))) {
    throw malformed(what, 'it has a boolean that DER does not have');
  }
  if (tag !== INTEGER) return;
  const isPadded =
    end - begin > 1 && ((first === 0 && second! < 0x80) || (first === 0xff && second! >= 0x80));
  if (end === begin || isPadded) throw malformed(what, 'it has a number that DER does not have');
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 + bytes.length, ...bytes];
}
