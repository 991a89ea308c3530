import { utf8Decode, utf8Encode } from '../../bytes/index.ts';
import { tokenize } from '../../event/index.ts';

/**
 * Longest term that the index holds, bytes; longer words are cut, here and in a query alike. A cut word finds more than it
 * should, and what is found is held against the event itself: a term may say too much, never too little.
 */
export const TERM_BYTES_MAX = 64;

/** What a term that is no word says of an event: the letter that stands behind {@link MARK}. */
export const marks = {
  action: 'c',
  actor: 'a',
  actorType: 'y',
  ip: 'i',
  outcome: 'o',
  severity: 's',
  service: 'v',
  correlation: 'k',
  target: 't',
  targetType: 'u',
} as const;

/** A kind of mark. */
export type Mark = keyof typeof marks;

/** Marks begin with it; words, which hold letters and digits only, never do. */
export const MARK = '_';

const SPACE = 0x20;
const MARK_UNIT = MARK.charCodeAt(0);
const ASCII_END = 0x80;

/** What each ASCII character becomes within a word; 0 where it stands between words. */
const folded = new Uint8Array(ASCII_END);
for (let unit = 0; unit < ASCII_END; unit += 1) {
  if (/[a-z0-9]/i.test(String.fromCharCode(unit)))
    folded[unit] = String.fromCharCode(unit).toLowerCase().charCodeAt(0);
}

/**
 * Gathers the terms of one event as the bytes that FTS5 is given. The same buffer serves one event after the other:
 * making a string of them, to be copied twice on its way into SQLite, took a fifth of the time of indexing.
 */
export class Terms {
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** Forgets everything. */
  clear(): void {
    this.#length = 0;
  }

  /** The terms, a space behind each. Valid until the next call of any method. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds the words of a text: the tokens that `tokenize` finds in it, each cut to {@link TERM_BYTES_MAX}. */
  words(text: string): void {
    this.#reserve(text.length + 1);
    const begin = this.#length;
    const bytes = this.#bytes;
    let length = begin;
    let start = begin;
    for (let position = 0; position < text.length; position += 1) {
      const unit = text.charCodeAt(position);
      if (unit >= ASCII_END) {
        this.#length = begin;
        this.#foreignWords(text);
        return;
      }
      const letter = folded[unit]!;
      if (letter !== 0) {
        if (length - start < TERM_BYTES_MAX) bytes[length++] = letter;
      } else if (length > start) {
        bytes[length++] = SPACE;
        start = length;
      }
    }
    if (length > start) bytes[length++] = SPACE;
    this.#length = length;
  }

  /** Adds a mark. Characters that FTS5 would take for a separator become {@link MARK}, letters become small. */
  mark(kind: Mark, text: string): void {
    this.#append(markOf(kind, text));
  }

  #foreignWords(text: string): void {
    for (const token of tokenize(text)) this.#append(token);
  }

  #append(term: string): void {
    const bytes = cut(utf8Encode(term));
    this.#reserve(bytes.length + 1);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    this.#bytes[this.#length++] = SPACE;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + more));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

/** The term that stands for a mark. */
export function markOf(kind: Mark, text: string): string {
  return MARK + marks[kind] + text.toLowerCase().replace(/[^a-z0-9\u0080-\uffff]/g, MARK);
}

/** A term as the index holds it: at most {@link TERM_BYTES_MAX} bytes of whole characters. */
export function cutTerm(term: string): string {
  return term.length * 3 <= TERM_BYTES_MAX ? term : utf8Decode(cut(utf8Encode(term)));
}

function cut(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= TERM_BYTES_MAX) return bytes;
  let end = TERM_BYTES_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}
