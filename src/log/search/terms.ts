import { utf8Decode } from '../../bytes/index.ts';
import { TOKEN_LENGTH_MAX, tokenize } from '../../event/index.ts';

/**
 * Terms that are no words: they say of a field what words, which stand anywhere in an event, cannot. The letter stands behind
 * {@link MARK}, and behind it the number of a name in the dictionary, or a text.
 */
const letters = {
  action: 'c',
  actor: 'a',
  actorType: 'y',
  ip: 'i',
  outcome: 'o',
  severity: 's',
  source: 'v',
  target: 't',
  targetType: 'u',
} as const;

/** A kind of mark. */
export type Mark = keyof typeof letters;

/** Marks begin with it; words, which hold letters and digits only, never do. */
const MARK = '_';

/**
 * Longest mark, bytes; longer ones are cut, here and in a query alike. A cut mark finds more than it should, and what is found
 * is held against the event itself: the index may say too much, never too little.
 */
const MARK_BYTES_MAX = 64;

const SPACE = 0x20;
const utf8 = new TextEncoder();
const ASCII_END = 0x80;

/** What each ASCII character becomes within a word; 0 where it stands between words. The same as `tokenize` does. */
const folded = Uint8Array.from({ length: ASCII_END }, (_, unit) => {
  const character = String.fromCharCode(unit);
  return /[a-zA-Z0-9]/.test(character) ? character.toLowerCase().charCodeAt(0) : 0;
});

/**
 * Gathers the terms of one event as the bytes that FTS5 is given, a space behind each. One buffer serves event after event:
 * strings, which would be copied twice on their way into SQLite, took a fifth of the time of indexing.
 */
export class Terms {
  #bytes = new Uint8Array(4096);
  #length = 0;

  /** Forgets everything. */
  clear(): void {
    this.#length = 0;
  }

  /** All terms. Valid until the next call of any method. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Adds the words of a text, or of the part of it from `begin` to `end`: the tokens that `tokenize` finds there. */
  words(text: string, begin = 0, end = text.length): void {
    this.#reserve(end - begin + 1);
    const bytes = this.#bytes;
    let length = this.#length;
    let start = length;
    for (let position = begin; position < end; position += 1) {
      const unit = text.charCodeAt(position);
      if (unit >= ASCII_END) {
        for (const token of tokenize(text.slice(begin, end))) this.#append(token);
        return;
      }
      const letter = folded[unit]!;
      if (letter !== 0) {
        if (length - start < TOKEN_LENGTH_MAX) bytes[length++] = letter;
      } else if (length > start) {
        bytes[length++] = SPACE;
        start = length;
      }
    }
    if (length > start) bytes[length++] = SPACE;
    this.#length = length;
  }

  /** Adds a mark with a text. */
  mark(kind: Mark, text: string): void {
    this.#append(textMark(kind, text));
  }

  /** Adds a mark with the number of a name in the dictionary. */
  markId(kind: Mark, id: number): void {
    this.#append(idMark(kind, id));
  }

  #append(term: string): void {
    this.#reserve(3 * term.length + 1);
    const bytes = this.#bytes;
    let length = this.#length;
    for (let position = 0; position < term.length; position += 1) {
      const unit = term.charCodeAt(position);
      if (unit >= ASCII_END) {
        length = this.#length + utf8.encodeInto(term, bytes.subarray(this.#length)).written;
        break;
      }
      bytes[length++] = unit;
    }
    bytes[length++] = SPACE;
    this.#length = length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * (this.#length + more));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

/**
 * ASCII characters that FTS5 is told to take for parts of a term, beside letters and digits: a mark then says exactly what it
 * stands for, but for capitals. Words hold none of them.
 */
export const TERM_CHARACTERS = '!#$%&()*+,-./:;<=>?@[\\]^_`{|}~';

/** What still would end a term. */
const ends = /[\0-\x20"'\x7f]/g;

/** The term for a text. */
export function textMark(kind: Mark, text: string): string {
  const term = MARK + letters[kind] + text.replaceAll(ends, MARK);
  // Three bytes for a UTF-16 unit is the most that UTF-8 takes.
  return term.length * 3 <= MARK_BYTES_MAX ? term : cutMark(term);
}

/** A target as its mark names it: the id first, so that the beginning of one term finds it whatever its type is. */
export function targetName(type: string, id: string): string {
  return `${id}/${type}`;
}

/** The term for a name in the dictionary. */
export function idMark(kind: Mark, id: number): string {
  return MARK + letters[kind] + id.toString(36);
}

function cutMark(term: string): string {
  const bytes = utf8.encode(term);
  if (bytes.length <= MARK_BYTES_MAX) return term;
  let end = MARK_BYTES_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1;
  return utf8Decode(bytes.subarray(0, end));
}
