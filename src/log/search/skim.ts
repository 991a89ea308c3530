import { JSON_DEPTH_MAX, parseJson, utf8Decode, VerificationError } from '../../bytes/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import { type Terms, targetName } from './terms.ts';

/** What the columns of the index say of an event: fields that stand in the open in every entry. */
export interface Columns {
  /** `occurredAt`, milliseconds since the epoch. */
  readonly occurred: number;
  readonly action: string;
  readonly outcome: string;
  /** Empty where the event has none. */
  readonly severity: string;
  readonly actorType: string;
  readonly actorId: string;
}

const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Characters of `2026-11-23`. */
const DAY_LENGTH = 10;
const timeOfDay = /^T(\d\d):(\d\d):(\d\d)\.(\d{3})Z$/;

/**
 * Reads what search needs out of a stored entry and its disclosures, in one pass over their texts, without making values of
 * them: opening an entry properly, digests and all, takes five times as long as indexing can afford.
 *
 * It may therefore believe a disclosure that fits nowhere, which `openEntry` would not: then the index finds the entry for
 * words that it does not show, and the searcher drops it again. It never leaves out what a reader sees. Only canonical JSON
 * gets into a log; on anything else it fails, with `VerificationError`.
 */
export class Skimmer {
  readonly #terms: Terms;
  #text = '';
  #at = 0;
  #depth = 0;
  /** Whether no string of the text holds an escape, so that each ends with the next quotation mark. */
  #plain = true;
  /** The day of the last time that was read, and its milliseconds. */
  #day = '';
  #dayMs = Number.NaN;

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  /** Adds the words and text marks of an entry to the terms and returns its columns. */
  skim({ entry, disclosures }: StoredEntry): Columns {
    this.#start(utf8Decode(entry));
    const columns = this.#entry();
    for (const disclosure of disclosures) {
      this.#start(disclosure);
      this.#disclosure();
    }
    return columns;
  }

  #start(text: string): void {
    this.#text = text;
    this.#at = 0;
    this.#depth = 0;
    this.#plain = !text.includes('\\');
  }

  #entry(): Columns {
    const columns = {
      occurred: Number.NaN,
      action: '',
      outcome: '',
      severity: '',
      actorType: '',
      actorId: '',
    };
    this.#members((name) => {
      switch (name) {
        case '_sd':
        case '_sd_alg':
        case 'nonce':
        case 'recordedAt':
        case 'sealed':
        case 'seals':
        case 'v':
          return this.#skip();
        case 'occurredAt':
          columns.occurred = this.#time();
          return;
        case 'outcome':
        case 'severity':
          columns[name] = this.#string();
          return;
        case 'action':
          columns.action = this.#stringWords();
          return;
        case 'actor':
          [columns.actorType, columns.actorId] = this.#party();
          return;
        case 'targets':
          return this.#elements(() => {
            const [type, id] = this.#party();
            this.#terms.mark('targetType', type);
            this.#terms.mark('target', targetName(type, id));
          });
        case 'source':
          return this.#source();
        default:
          return this.#value(name);
      }
    });
    if (Number.isNaN(columns.occurred)) this.#fail();
    return columns;
  }

  /** A person or thing: all its words, and its type and id. */
  #party(): [type: string, id: string] {
    let type = '';
    let id = '';
    this.#members((name) => {
      if (name === '_sd') return this.#skip();
      if (name === 'onBehalfOf') {
        this.#party();
        return;
      }
      if (name !== 'type' && name !== 'id') return this.#value(name);
      const text = this.#stringWords();
      if (name === 'type') type = text;
      else id = text;
    });
    return [type, id];
  }

  /** Nothing but the service can be searched for. */
  #source(): void {
    this.#members((name) => {
      if (name === 'service') this.#terms.mark('source', this.#string());
      else this.#skip();
    });
  }

  /** `[salt, name, value]` (RFC 9901 §4.2.1). */
  #disclosure(): void {
    this.#take(OPEN_ARRAY);
    this.#skip();
    this.#take(COMMA);
    const name = this.#string();
    this.#take(COMMA);
    this.#value(name);
    this.#take(CLOSE_ARRAY);
  }

  /**
   * Adds the words of a value: its texts and numbers at any depth, but no names. An `ip` is marked wherever it stands: that it
   * stands in `context` is not to be seen from a disclosure of its own.
   */
  #value(name: string): void {
    const unit = this.#peek();
    if (unit === QUOTE) {
      if (name === 'ip') this.#terms.mark('ip', this.#stringWords());
      else if (this.#plain) this.#plainWords();
      else this.#stringWords();
    } else if (unit === OPEN_OBJECT) {
      this.#members((inner) => (inner === '_sd' ? this.#skip() : this.#value(inner)));
    } else if (unit === OPEN_ARRAY) {
      this.#elements(() => this.#value(''));
    } else {
      const start = this.#at;
      this.#skip();
      if (unit === MINUS || (unit >= ZERO && unit <= NINE)) this.#terms.words(this.#text, start, this.#at);
    }
  }

  /** A string whose words are added. */
  #stringWords(): string {
    const text = this.#string();
    this.#terms.words(text);
    return text;
  }

  /** Adds the words of a string without escapes, without making a string of it. */
  #plainWords(): void {
    const start = this.#at;
    this.#skipString();
    this.#terms.words(this.#text, start + 1, this.#at - 1);
  }

  /**
   * The milliseconds of a time as entries write it, `2026-11-23T18:52:26.327Z`; NaN for anything else. Most events share
   * their day with the one before, and reading a date is a tenth of the work on an entry.
   */
  #time(): number {
    const text = this.#string();
    const day = text.slice(0, DAY_LENGTH);
    if (day !== this.#day) {
      this.#day = day;
      this.#dayMs = Date.parse(`${day}T00:00:00.000Z`);
    }
    const match = timeOfDay.exec(text.slice(DAY_LENGTH));
    if (match === null) return Number.NaN;
    return (
      this.#dayMs +
      ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3])) * 1000 +
      Number(match[4])
    );
  }

  #members(each: (name: string) => void): void {
    this.#enter(OPEN_OBJECT);
    if (this.#peek() !== CLOSE_OBJECT) {
      do {
        const name = this.#string();
        this.#take(COLON);
        each(name);
      } while (this.#took(COMMA));
    }
    this.#leave(CLOSE_OBJECT);
  }

  #elements(each: () => void): void {
    this.#enter(OPEN_ARRAY);
    if (this.#peek() !== CLOSE_ARRAY) {
      do each();
      while (this.#took(COMMA));
    }
    this.#leave(CLOSE_ARRAY);
  }

  #enter(bracket: number): void {
    this.#take(bracket);
    this.#depth += 1;
    if (this.#depth > JSON_DEPTH_MAX) this.#fail();
  }

  #leave(bracket: number): void {
    this.#take(bracket);
    this.#depth -= 1;
  }

  #string(): string {
    const start = this.#at;
    this.#skipString();
    const end = this.#at - 1;
    if (this.#plain || !this.#text.slice(start, end).includes('\\')) return this.#text.slice(start + 1, end);
    return parseJson(this.#text.slice(start, end + 1)) as string;
  }

  /** Passes over any value. */
  #skip(): void {
    let depth = 0;
    do {
      const unit = this.#peek();
      if (unit === QUOTE) this.#skipString();
      else if (unit === OPEN_ARRAY || unit === OPEN_OBJECT) {
        depth += 1;
        this.#at += 1;
      } else if (unit === CLOSE_ARRAY || unit === CLOSE_OBJECT) {
        depth -= 1;
        this.#at += 1;
      } else if (unit === COMMA || unit === COLON) this.#at += 1;
      else this.#skipBare();
    } while (depth > 0);
  }

  /** Passes over a number or a literal name. */
  #skipBare(): void {
    const start = this.#at;
    for (
      let unit = this.#peek();
      unit >= PLUS && unit !== COMMA && unit !== CLOSE_ARRAY && unit !== CLOSE_OBJECT;
    ) {
      this.#at += 1;
      unit = this.#peek();
    }
    if (this.#at === start) this.#fail();
  }

  #skipString(): void {
    this.#take(QUOTE);
    let end = this.#text.indexOf('"', this.#at);
    while (end >= 0 && !this.#plain && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    if (end < 0) this.#fail();
    this.#at = end + 1;
  }

  /** Whether the character at `position` stands behind an odd number of backslashes. */
  #isEscaped(position: number): boolean {
    let before = position - 1;
    while (before >= this.#at && this.#text.charCodeAt(before) === BACKSLASH) before -= 1;
    return (position - 1 - before) % 2 === 1;
  }

  /** The next UTF-16 unit, or NaN at the end. */
  #peek(): number {
    return this.#text.charCodeAt(this.#at);
  }

  #took(unit: number): boolean {
    if (this.#peek() !== unit) return false;
    this.#at += 1;
    return true;
  }

  #take(unit: number): void {
    if (!this.#took(unit)) this.#fail();
  }

  #fail(): never {
    throw new VerificationError('malformed_entry', 'The text is not that of an entry or a disclosure.', {
      position: this.#at,
    });
  }
}
