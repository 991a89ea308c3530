import { canonicalString, isJsonNumber, utf8Length } from '../bytes/index.ts';
import { nearestName, type Path, refusal } from './refusal.ts';
import {
  type ChoiceRule,
  fieldHints,
  isReservedName,
  type ListRule,
  limits,
  type ObjectRule,
  type PairsRule,
  type Rule,
  type TextRule,
} from './rules.ts';

/**
 * From values that a caller handed in to canonical JSON (RFC 8785), checked on the way.
 *
 * Each property is read exactly once and goes straight into the text, so that nothing can show one face to
 * the check and another to the writer. `path` leads to the value in hand; it grows and shrinks as the writer
 * goes down and up, and becomes a pointer only when something is refused. `depth` is how many objects and
 * arrays already stand around the value.
 */

/** No value of an event can be longer than this: it fits neither into a disclosure nor into an entry. */
const LENGTH_MAX = limits.entryBytesMax;

/** Canonical JSON of `value`, which must keep `rule`. */
export function writeRule(value: unknown, rule: Rule, path: Path, depth: number): string {
  switch (rule.kind) {
    case 'text':
      return canonicalString(checkText(value, rule, path));
    case 'choice':
      return `"${checkChoice(value, rule, path)}"`;
    case 'value':
      return writeValue(value, path, depth);
    case 'object':
      return writeFields(value, rule, path, depth);
    case 'pairs':
      return writePairs(value, rule, path, depth);
    case 'list':
      return writeList(value, rule, path, depth);
    default:
      throw new Error(`A ${rule.kind} is not written by its rule alone.`);
  }
}

/** Databases write null for what is not there; here a field that is not there is left out. */
const NULL_HINT = 'Leave the field out where there is no value.';

/** The text `value`, if it is one and keeps `rule`. */
export function checkText(value: unknown, rule: TextRule, path: Path): string {
  if (typeof value !== 'string') {
    throw refusal('event_field_invalid', path, 'must be a text', value === null ? NULL_HINT : rule.hint);
  }
  // One look decides nearly always. The length counts UTF-16 units first, which are never fewer than
  // characters.
  const max = rule.charactersMax ?? LENGTH_MAX;
  if (value.length <= max && rule.test(value)) return value;
  if (!value.isWellFormed()) throw halfSurrogate(path);
  if (value.length > LENGTH_MAX || characters(value) > max) {
    throw refusal('event_too_large', path, `must have at most ${max} characters`, rule.hint);
  }
  if (rule.test(value)) return value;
  throw refusal('event_field_invalid', path, rule.rule, rule.hint);
}

/** The word `value`, if it is one of the rule's. */
export function checkChoice(value: unknown, { choices }: ChoiceRule, path: Path): string {
  if (typeof value === 'string' && choices.includes(value)) return value;
  const meant = typeof value === 'string' ? nearestName(value, choices) : undefined;
  const hint = meant === undefined ? NULL_HINT : `Did you mean ${meant}?`;
  throw refusal('event_field_invalid', path, `must be one of ${choices.join(', ')}`, hint);
}

/** Canonical JSON of any value that JSON can hold. */
export function writeValue(value: unknown, path: Path, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeText(value, path);
    case 'number':
      // ECMAScript's own printing is the rule (RFC 8785 §3.2.2.3); it prints negative zero as 0.
      if (isJsonNumber(value)) return `${value}`;
      throw refusal(
        'event_value_invalid',
        path,
        `must not be the number ${value}`,
        'Numbers are finite, and whole numbers lie within 2^53 - 1; write larger ones as texts.',
      );
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? writeArray(value, path, depth + 1) : writeObject(value, path, depth + 1);
    default:
      throw refusal('event_value_invalid', path, `must not be of type ${typeof value}`, hintFor(value));
  }
}

/** The own field names of a plain object, as they come, without those that are reserved. */
export function ownNames(value: unknown, path: Path, hint = 'Hand in a plain object.'): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refusal('event_field_invalid', path, 'must be an object', hint);
  }
  requirePlain(value, path);
  const names = Object.keys(value);
  if (names.length > limits.fieldsMax) {
    throw refusal(
      'event_too_large',
      path,
      `must have at most ${limits.fieldsMax} fields`,
      'Nothing is cut off.',
    );
  }
  for (const name of names) {
    if (isReservedName(name)) throw reserved(name, path);
  }
  return names;
}

/** Up to here an insertion sort beats the engine's own, which is made for long lists. */
const SHORT_LIST_LENGTH_MAX = 16;

/**
 * Sorts names in place as RFC 8785 §3.2.3 wants: by UTF-16 code units, which is how ECMAScript compares
 * texts.
 */
export function sortNames(names: string[]): string[] {
  if (names.length > SHORT_LIST_LENGTH_MAX) return names.sort();
  for (let index = 1; index < names.length; index += 1) {
    const name = names[index]!;
    let position = index;
    for (; position > 0 && isBefore(name, names[position - 1]!); position -= 1)
      names[position] = names[position - 1]!;
    names[position] = name;
  }
  return names;
}

/**
 * Whether `a` sorts before `b`. Comparing texts costs ten times as much as comparing their first units, which
 * mostly decide.
 */
function isBefore(a: string, b: string): boolean {
  const difference = a.charCodeAt(0) - b.charCodeAt(0);
  return difference < 0 || (!(difference > 0) && a < b);
}

/** Refuses a value that stands deeper than entries may nest. `depth` counts the value itself. */
export function checkDepth(depth: number, path: Path): void {
  if (depth <= limits.depthMax) return;
  throw refusal(
    'event_too_deep',
    path,
    `must not nest deeper than ${limits.depthMax}, the event itself included`,
    'Flatten it, or hand in the deep part as a text; a value that holds itself has no end.',
  );
}

/** The refusal of a field that its object does not have, with the name that was probably meant. */
export function unknownField(name: string, known: Iterable<string>, path: Path): Error {
  const meant = nearestName(name, known);
  let hint = `Known are ${[...known].join(', ')}.`;
  if (path.length === 0 && Object.hasOwn(fieldHints, name)) hint = fieldHints[name]!;
  else if (meant !== undefined) hint = `Did you mean ${meant}?`;
  return refusal('event_field_unknown', [...path, name], 'is not a known field', hint);
}

/** The refusal of a required field that is not there. */
export function missingField(name: string, path: Path, hint: string): Error {
  return refusal('event_field_missing', [...path, name], 'is missing', hint);
}

/**
 * Refuses `text`, the canonical JSON of what `path` leads to, where no disclosure and no entry could hold it.
 */
function checkLength(text: string, path: Path): void {
  if (text.length > LENGTH_MAX) throw tooLarge(path);
}

/** The refusal of a value that is too large to be written at all. */
export function tooLarge(path: Path): Error {
  return refusal(
    'event_too_large',
    path,
    `must fit into ${limits.disclosureBytesMax} bytes of JSON`,
    'Keep the large thing elsewhere and record its hash and where it is.',
  );
}

/**
 * Whether the UTF-8 of `text` has more than `bytesMax` bytes; counts only where the number of units leaves it
 * open.
 */
export function exceeds(text: string, bytesMax: number): boolean {
  if (text.length * 3 <= bytesMax) return false;
  return text.length > bytesMax || utf8Length(text) > bytesMax;
}

function writeText(text: string, path: Path): string {
  checkLength(text, path);
  try {
    return canonicalString(text);
  } catch {
    throw halfSurrogate(path);
  }
}

function writeArray(array: readonly unknown[], path: Path, depth: number): string {
  checkDepth(depth, path);
  let text = '[';
  for (let index = 0; index < array.length; index += 1) {
    path.push(index);
    if (index > 0) text += ',';
    text += writeValue(array[index], path, depth);
    path.pop();
    // A list whose elements are all the same large one is small in memory and endless as text.
    checkLength(text, path);
  }
  return `${text}]`;
}

function writeObject(object: object, path: Path, depth: number): string {
  checkDepth(depth, path);
  let text = '{';
  for (const name of sortNames(ownNames(object, path))) {
    path.push(name);
    const value = (object as Record<string, unknown>)[name];
    if (value !== undefined) {
      if (text.length > 1) text += ',';
      text += `${writeText(name, path)}:${writeValue(value, path, depth)}`;
    }
    path.pop();
    checkLength(text, path);
  }
  return `${text}}`;
}

/** An object with known fields: the caller's names in canonical order, each by its own rule. */
function writeFields(object: unknown, rule: ObjectRule, path: Path, depth: number): string {
  const missing = rule.required.length > 0 ? new Set(rule.required) : undefined;
  let text = '{';
  for (const name of sortNames(ownNames(object, path, rule.hint))) {
    const known = Object.hasOwn(rule.fields, name) ? rule.fields[name] : rule.others;
    if (known === undefined) throw unknownField(name, Object.keys(rule.fields), path);
    path.push(name);
    const value = (object as Record<string, unknown>)[name];
    if (value !== undefined) {
      if (text.length > 1) text += ',';
      text += `${writeText(name, path)}:${writeRule(value, known, path, depth + 1)}`;
      missing?.delete(name);
    }
    path.pop();
    checkLength(text, path);
  }
  for (const name of missing ?? []) throw missingField(name, path, rule.hint);
  return `${text}}`;
}

function writePairs(object: unknown, rule: PairsRule, path: Path, depth: number): string {
  let text = '{';
  let count = 0;
  for (const name of sortNames(ownNames(object, path, rule.value.hint))) {
    path.push(name);
    const value = (object as Record<string, unknown>)[name];
    if (value !== undefined) {
      if (count > 0) text += ',';
      text += `${canonicalString(checkText(name, rule.name, path))}:${writeRule(value, rule.value, path, depth + 1)}`;
      count += 1;
    }
    path.pop();
  }
  if (count <= rule.pairsMax) return `${text}}`;
  throw refusal('event_too_large', path, `must have at most ${rule.pairsMax} pairs`, rule.value.hint);
}

function writeList(list: unknown, rule: ListRule, path: Path, depth: number): string {
  const elements = checkList(list, rule.elementsMax, path);
  let text = '[';
  for (let index = 0; index < elements.length; index += 1) {
    path.push(index);
    if (index > 0) text += ',';
    text += writeRule(elements[index], rule.items, path, depth + 1);
    path.pop();
    checkLength(text, path);
  }
  return `${text}]`;
}

/** The array `value`, if it is one of at most `elementsMax` elements. */
export function checkList(value: unknown, elementsMax: number, path: Path): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw refusal('event_field_invalid', path, 'must be a list', 'Put even a single element into [ ].');
  }
  if (value.length <= elementsMax) return value;
  throw refusal(
    'event_too_large',
    path,
    `must have at most ${elementsMax} elements`,
    'Record several events instead.',
  );
}

/**
 * Refuses instances of classes: what they hold is not in their fields, or their fields are not what they
 * mean.
 */
function requirePlain(object: object, path: Path): void {
  const prototype: unknown = Object.getPrototypeOf(object);
  // Another realm's Object.prototype (a test runner's sandbox) is plain too: it is the one that inherits from
  // nothing.
  if (prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null)
    return;
  throw refusal(
    'event_value_invalid',
    path,
    'must be a plain object, not an instance of a class',
    hintFor(object),
  );
}

function hintFor(value: unknown): string {
  if (value === undefined) return 'Write null, or leave it out: only a field of an object may be undefined.';
  if (typeof value === 'bigint') return 'Write it as a text.';
  if (typeof value !== 'object') return 'Hand in data only.';
  switch (Object.prototype.toString.call(value)) {
    case '[object Date]':
      return 'Write its toISOString().';
    case '[object Error]':
      return 'Write {code, message}.';
    case '[object Map]':
      return 'Write Object.fromEntries(map).';
    case '[object Set]':
      return 'Write [...set].';
    case '[object Uint8Array]':
      return 'Write it in base64, or its hash.';
    default:
      return 'Hand in what you want recorded of it, as {name: value}: its toJSON is not called.';
  }
}

function halfSurrogate(path: Path): Error {
  return refusal(
    'event_value_invalid',
    path,
    'must not hold half a surrogate pair',
    'Cut texts between characters, not between UTF-16 units.',
  );
}

function reserved(name: string, path: Path): Error {
  return refusal(
    'event_name_reserved',
    [...path, name],
    'is a name that sealing uses itself (RFC 9901)',
    'Rename the field.',
  );
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
