import { VerificationError } from './errors.ts';

/** Any value that JSON can write. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. Names come from outside: ask `Object.hasOwn` before trusting that a name is there. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** How many objects and arrays may stand inside one another, unless the caller says otherwise. */
export const JSON_DEPTH_MAX = 32;

/**
 * Whether `value` is a number that our JSON may hold: finite, and not a whole number that the reader would
 * take for exact although neighbours share its spelling. Doubles from 2^53 up to 10^21 print as plain digits
 * and are refused (I-JSON, RFC 7493 §2.2: put them in a string); from 10^21 on they print with an exponent
 * and claim no such thing.
 */
export function isJsonNumber(value: number): boolean {
  if (Number.isSafeInteger(value)) return true;
  return Number.isFinite(value) && (!Number.isInteger(value) || Math.abs(value) >= 1e21);
}

/** Options of `parseJson`. */
export interface ParseJsonOptions {
  /** How many objects and arrays may stand inside one another; `JSON_DEPTH_MAX` if not given. */
  readonly maxDepth?: number;
}

/**
 * The value of a JSON text (RFC 8259), read strictly, since the platform's own parser keeps the last of two
 * equal names in silence. Beyond the grammar this refuses: a name that an object has twice, half a surrogate
 * pair, a number that is not finite or is an inexact integer (`isJsonNumber`), and nesting deeper than
 * `maxDepth`. `__proto__` becomes a field like any other. Throws `malformed_json` with the position.
 */
export function parseJson(text: string, { maxDepth = JSON_DEPTH_MAX }: ParseJsonOptions = {}): JsonValue {
  return new Scanner(requireWellFormed(text), maxDepth, false).document();
}

/**
 * The value of a text that is canonical JSON (RFC 8785) to the last character: whatever this accepts,
 * `canonicalize` writes again, character for character. The inverse of `canonicalize`, in one pass: each
 * name, string and number is compared with its canonical spelling as it is read. Throws `malformed_json` with
 * the position.
 */
export function parseCanonicalJson(text: string): JsonValue {
  return new Scanner(requireWellFormed(text), JSON_DEPTH_MAX, true).document();
}

function requireWellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new VerificationError('malformed_json', 'The JSON text holds half a surrogate pair.');
}

// The UTF-16 code units of the grammar.
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What stands for each escape of one letter. */
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** One pass over one text, by recursive descent. `#position` is the next code unit to read. */
class Scanner {
  readonly #text: string;
  readonly #maxDepth: number;
  /** Whether only the canonical spelling will do. */
  readonly #canonical: boolean;
  #position = 0;
  #depth = 0;

  constructor(text: string, maxDepth: number, canonical: boolean) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#canonical = canonical;
  }

  /** JSON-text = ws value ws (RFC 8259 §2). */
  document(): JsonValue {
    const value = this.#value();
    if (!Number.isNaN(this.#peek())) this.#fail('Something follows the end of the JSON value');
    return value;
  }

  #value(): JsonValue {
    const unit = this.#peek();
    switch (unit) {
      case QUOTE:
        return this.#string();
      case OPEN_OBJECT:
        return this.#object();
      case OPEN_ARRAY:
        return this.#array();
      case LOWER_T:
        return this.#literal('true', true);
      case LOWER_F:
        return this.#literal('false', false);
      case LOWER_N:
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(): JsonObject {
    const start = this.#position;
    this.#open();
    const object: Record<string, JsonValue> = {};
    let members = 0;
    let previous: string | undefined;
    if (this.#peek() === CLOSE_OBJECT) this.#position += 1;
    else {
      do {
        const nameStart = this.#position;
        const name = this.#name();
        if (this.#canonical) {
          if (previous !== undefined && !(previous < name))
            this.#failAt(nameStart, 'The names are not in canonical order');
          previous = name;
        }
        const value = this.#value();
        // Plain assignment to this one name would set the prototype instead of a field.
        if (name === '__proto__') defineField(object, name, value);
        else object[name] = value;
        members += 1;
      } while (this.#continues(CLOSE_OBJECT));
    }
    this.#depth -= 1;
    // An equal name overwrote its twin: counting once per object is cheaper than asking once per name. In canonical order there is none.
    if (!this.#canonical && Object.keys(object).length !== members) this.#failAtTwin(start);
    return object;
  }

  #array(): JsonValue[] {
    this.#open();
    const array: JsonValue[] = [];
    if (this.#peek() === CLOSE_ARRAY) this.#position += 1;
    else {
      do array.push(this.#value());
      while (this.#continues(CLOSE_ARRAY));
    }
    this.#depth -= 1;
    return array;
  }

  /** The name of a member and the colon after it. */
  #name(): string {
    if (this.#peek() !== QUOTE) this.#fail('A member begins with a name in quotes');
    const name = this.#string();
    if (this.#peek() !== COLON) this.#fail('A colon follows the name of a member');
    this.#position += 1;
    return name;
  }

  /** Takes the opening bracket. */
  #open(): void {
    if (this.#depth === this.#maxDepth) this.#fail(`The nesting is deeper than ${this.#maxDepth}`);
    this.#depth += 1;
    this.#position += 1;
  }

  /** Takes a comma, after which another element must come, or the closing bracket, after which none does. */
  #continues(close: number): boolean {
    const unit = this.#peek();
    if (unit !== COMMA && unit !== close) this.#fail('A comma or the closing bracket is missing');
    this.#position += 1;
    return unit === COMMA;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#position + 1;
    for (let position = start; ; position += 1) {
      const unit = text.charCodeAt(position);
      if (unit === QUOTE) {
        this.#position = position + 1;
        return text.slice(start, position);
      }
      if (unit === BACKSLASH) return this.#escapedString(start);
      // Written so that the NaN at the end of the text fails too.
      if (!(unit >= SPACE))
        this.#failAt(position, 'A string ends in a quote and holds no raw control characters');
    }
  }

  /**
   * A string with at least one escape, from behind its opening quote; put together of the pieces between the
   * escapes.
   */
  #escapedString(start: number): string {
    const text = this.#text;
    let value = '';
    let pieceStart = start;
    for (let position = start; ; position += 1) {
      const unit = text.charCodeAt(position);
      if (unit === QUOTE) {
        value += text.slice(pieceStart, position);
        if (!value.isWellFormed()) this.#failAt(start, 'The string escapes half a surrogate pair');
        this.#position = position + 1;
        // ECMAScript's own escapes are the canonical ones (RFC 8785 §3.2.2.2).
        if (this.#canonical) this.#requireSpelling(start - 1, JSON.stringify(value));
        return value;
      }
      if (unit === BACKSLASH) {
        value += text.slice(pieceStart, position) + this.#escape(position);
        position += text.charCodeAt(position + 1) === LOWER_U ? 5 : 1;
        pieceStart = position + 1;
      } else if (!(unit >= SPACE)) {
        this.#failAt(position, 'A string ends in a quote and holds no raw control characters');
      }
    }
  }

  /** What the escape at `position`, where its backslash stands, means. */
  #escape(position: number): string {
    const letter = this.#text.charAt(position + 1);
    if (letter !== 'u') return escapes[letter] ?? this.#failAt(position, 'JSON knows no such escape');
    const digits = this.#text.slice(position + 2, position + 6);
    if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.#failAt(position, 'Four hexadecimal digits follow \\u');
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  /** number = [ minus ] int [ frac ] [ exp ] (RFC 8259 §6). */
  #number(): number {
    const start = this.#position;
    if (this.#unit() === MINUS) this.#position += 1;
    if (this.#unit() === ZERO) this.#position += 1;
    else this.#digits('This is not the beginning of a JSON value');
    let isInteger = true;
    if (this.#unit() === POINT) {
      isInteger = false;
      this.#position += 1;
      this.#digits('A digit follows the decimal point');
    }
    if ((this.#unit() | SPACE) === LOWER_E) {
      isInteger = false;
      this.#position += 1;
      const sign = this.#unit();
      if (sign === PLUS || sign === MINUS) this.#position += 1;
      this.#digits('A digit follows the exponent');
    }
    const value = Number(this.#text.slice(start, this.#position));
    const isAllowed = isInteger ? Number.isSafeInteger(value) : isJsonNumber(value);
    if (!isAllowed) this.#failAt(start, 'The number is not finite, or is an integer beyond 2^53 - 1');
    // So is its own way of printing numbers (RFC 8785 §3.2.2.3); it prints negative zero as 0.
    if (this.#canonical) this.#requireSpelling(start, `${value}`);
    return value;
  }

  /** One digit or more. */
  #digits(complaint: string): void {
    const start = this.#position;
    for (;;) {
      const unit = this.#unit();
      if (!(unit >= ZERO && unit <= NINE)) break;
      this.#position += 1;
    }
    if (this.#position === start) this.#fail(complaint);
  }

  #literal<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#position)) this.#fail('This is not the beginning of a JSON value');
    this.#position += word.length;
    return value;
  }

  /** The code unit at the position, NaN at the end of the text. */
  #unit(): number {
    return this.#text.charCodeAt(this.#position);
  }

  /** Skips white space (RFC 8259 §2), of which canonical text has none, then as `#unit`. */
  #peek(): number {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#position);
      if (unit > SPACE || this.#canonical) return unit;
      if (unit !== SPACE && unit !== LINE_FEED && unit !== CARRIAGE_RETURN && unit !== TAB) return unit;
      this.#position += 1;
    }
  }

  /** Reads the object at `start`, which has a name twice, once more, and fails at the second. */
  #failAtTwin(start: number): never {
    const names = new Set<string>();
    this.#position = start;
    this.#open();
    do {
      this.#peek();
      const position = this.#position;
      const name = this.#name();
      if (names.has(name))
        this.#failAt(position, `The name ${JSON.stringify(name)} appears twice in one object`);
      names.add(name);
      this.#value();
    } while (this.#continues(CLOSE_OBJECT));
    throw new Error('An object with fewer fields than members has a name twice.');
  }

  /** Whether the text from `start` to the position is `spelling`. */
  #requireSpelling(start: number, spelling: string): void {
    const length = this.#position - start;
    if (spelling.length === length && this.#text.startsWith(spelling, start)) return;
    this.#failAt(start, `The canonical spelling is ${spelling}`);
  }

  #fail(complaint: string): never {
    this.#failAt(this.#position, complaint);
  }

  #failAt(position: number, complaint: string): never {
    throw new VerificationError('malformed_json', `${complaint}, at position ${position} of the JSON text.`, {
      position,
    });
  }
}

function defineField(object: object, name: string, value: JsonValue): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
