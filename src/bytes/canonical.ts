import { misuse } from './errors.ts';
import { isJsonNumber, JSON_DEPTH_MAX, type JsonObject, type JsonValue } from './json.ts';

/**
 * The canonical JSON text of `value` by RFC 8785 (JCS): no white space, names in the order of their UTF-16
 * code units, numbers and strings as ECMAScript prints them. The inverse of `parseCanonicalJson`, which lives
 * beside `parseJson`.
 *
 * Throws a misuse `value_not_json` for what has no such text or would not be read back as the same value:
 * undefined, functions, symbols, bigints, numbers that `isJsonNumber` refuses, half a surrogate pair,
 * instances of classes (a Date, a Map), a loop, or nesting beyond `JSON_DEPTH_MAX`. As in `JSON.stringify`,
 * only own enumerable fields with string names count; `toJSON` is not called.
 */
export function canonicalize(value: JsonValue): string {
  return write(value, 0);
}

/**
 * The canonical JSON text of one string, with its quotes (RFC 8785 §3.2.2.2). Refuses half a surrogate pair.
 */
export function canonicalString(text: string): string {
  // Most strings need no escape and are decided by one look; the rest is left to the platform, which follows
  // the same rule.
  if (!needsCare.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw refuse('half a surrogate pair');
  return JSON.stringify(text);
}

/** Characters that JSON escapes, and halves of surrogate pairs, alone or not. */
const needsCare = /["\\\u0000-\u001f\ud800-\udfff]/;

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      // ECMAScript's own printing is the rule (RFC 8785 §3.2.2.3); it prints negative zero as 0.
      if (isJsonNumber(value)) return `${value}`;
      throw refuse(`the number ${value}, which is not finite or is an integer beyond 2^53 - 1`);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth === JSON_DEPTH_MAX) throw refuse(`nesting deeper than ${JSON_DEPTH_MAX}, or a loop`);
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw refuse(`a value of type ${typeof value}`);
  }
}

function writeArray(array: readonly unknown[], depth: number): string {
  let text = '[';
  for (let index = 0; index < array.length; index += 1) {
    if (index > 0) text += ',';
    text += write(array[index], depth);
  }
  return `${text}]`;
}

function writeObject(object: object, depth: number): string {
  if (!isPlain(object)) throw refuse('an instance of a class');
  const names = sortNames(Object.keys(object));
  let text = '{';
  for (let index = 0; index < names.length; index += 1) {
    const name = names[index]!;
    if (index > 0) text += ',';
    text += writtenName(name) + write((object as JsonObject)[name], depth);
  }
  return `${text}}`;
}

/**
 * RFC 8785 §3.2.3: by UTF-16 code units, which is how ECMAScript compares strings. By insertion, in place:
 * names are few and often in order already, and `Array.prototype.sort` costs more than twice as much. Many
 * names are left to it.
 */
function sortNames(names: string[]): string[] {
  if (names.length > INSERTION_SORT_NAMES_MAX) return names.sort();
  for (let index = 1; index < names.length; index += 1) {
    const name = names[index]!;
    let place = index;
    while (place > 0 && name < names[place - 1]!) {
      names[place] = names[place - 1]!;
      place -= 1;
    }
    names[place] = name;
  }
  return names;
}

const INSERTION_SORT_NAMES_MAX = 32;

/**
 * Names already written, with quotes and colon. The same few come in every event, and looking one up takes
 * half the time of writing it. Bounded both ways, so that names made up by a stranger cost at most this much
 * memory.
 */
const knownNames = new Map<string, string>();
const KNOWN_NAMES_MAX = 512;
const KNOWN_NAME_LENGTH_MAX = 64;

function writtenName(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const written = `${canonicalString(name)}:`;
  if (knownNames.size < KNOWN_NAMES_MAX && name.length <= KNOWN_NAME_LENGTH_MAX)
    knownNames.set(name, written);
  return written;
}

/**
 * Whether the object's fields are all that it is: it inherits from nothing, or from some realm's
 * `Object.prototype`.
 */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refuse(what: string): TypeError {
  return misuse('type', 'value_not_json', `JSON cannot hold ${what}.`);
}
