import {
  type JsonObject,
  type JsonValue,
  parseCanonicalJson,
  utf8Decode,
  VerificationError,
} from '../bytes/index.ts';
import type { EventSource, Outcome, Seal, Severity } from './model.ts';
import {
  entryTexts,
  eventFields,
  hasKind,
  isReservedName,
  limits,
  sealedFieldNames,
  sourceRule,
  subjectIdText,
  subjectText,
  type TextRule,
  typeText,
} from './rules.ts';
import { isCanonicalTime } from './time.ts';

/** A person or thing as an entry holds it: its sealed attributes are digests in `_sd`. */
export interface EntryParty extends JsonObject {
  readonly type: string;
  readonly id: string;
}

/** A seal as an entry holds it: the caller's, and the digest of the value that it speaks of. */
export interface EntrySeal extends Seal {
  readonly digest: string;
}

/** The version 1 of an entry, parsed (spec/entry.md). Fields that a later writer added are kept. */
export type Entry = JsonObject & {
  readonly v: 1;
  readonly id: string;
  readonly nonce: string;
  readonly occurredAt: string;
  readonly recordedAt: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly actor: EntryParty;
  readonly targets: readonly EntryParty[];
  readonly source: EventSource & JsonObject;
  readonly severity?: Severity;
  readonly correlationId?: string;
  readonly causationId?: string;
  /** The digests of the sealed top-level fields, sorted. */
  readonly _sd?: readonly string[];
  /** The names of those fields, in the order of their digests. */
  readonly sealed?: readonly string[];
  readonly seals?: readonly (EntrySeal & JsonObject)[];
};

/**
 * Reads the bytes of an entry, as strictly as they were written: UTF-8, canonical JSON, version 1, every
 * required field well formed, every digest in its order and there once. Fields that this version does not
 * know are kept, since a later writer may add some. It says nothing about who wrote the entry: that is the
 * tree's part.
 *
 * Throws `malformed_entry`.
 */
export function parseEntry(bytes: Uint8Array): Entry {
  if (bytes.length > limits.entryBytesMax) throw malformed('is longer than an entry can be', '');
  let value: JsonValue;
  try {
    value = parseCanonicalJson(utf8Decode(bytes));
  } catch (cause) {
    throw new VerificationError(
      'malformed_entry',
      'The entry is not canonical JSON in UTF-8.',
      {},
      { cause },
    );
  }
  checkEntry(value);
  return value;
}

function checkEntry(value: JsonValue): asserts value is Entry {
  if (!isObject(value)) throw malformed('is not an object', '');
  if (value['v'] !== 1) throw malformed('is not of version 1', '/v');
  checkRule(value, 'id', eventFields.id.rule);
  checkExpression(value['nonce'], entryTexts.nonce, '/nonce');
  checkTime(value['occurredAt'], '/occurredAt');
  checkTime(value['recordedAt'], '/recordedAt');
  checkRule(value, 'action', eventFields.action.rule);
  checkChoice(value['outcome'], eventFields.outcome.rule.choices, '/outcome');
  if (value['severity'] !== undefined)
    checkChoice(value['severity'], eventFields.severity.rule.choices, '/severity');
  if (value['correlationId'] !== undefined) checkRule(value, 'correlationId', eventFields.correlationId.rule);
  if (value['causationId'] !== undefined) checkRule(value, 'causationId', eventFields.causationId.rule);
  checkParty(value['actor'], '/actor');
  checkTargets(value['targets']);
  checkSource(value['source']);
  checkOpenFields(value);
  checkSealing(value);
}

function checkTargets(targets: JsonValue | undefined): void {
  if (!isList(targets) || targets.length > limits.targetsMax)
    throw malformed('is not a list of targets', '/targets');
  for (let index = 0; index < targets.length; index += 1) {
    const target = targets[index];
    checkParty(target, `/targets/${index}`);
    if ((target as JsonObject)['onBehalfOf'] !== undefined)
      throw malformed('has no place here', `/targets/${index}/onBehalfOf`);
  }
}

function checkParty(value: JsonValue | undefined, pointer: string): void {
  if (!isObject(value)) throw malformed('is not {type, id}', pointer);
  checkText(value['type'], typeText, `${pointer}/type`);
  checkText(value['id'], subjectIdText, `${pointer}/id`);
  if (pointer !== '/actor' || value['onBehalfOf'] === undefined) return;
  checkParty(value['onBehalfOf'], '/actor/onBehalfOf');
  if ((value['onBehalfOf'] as JsonObject)['onBehalfOf'] !== undefined) {
    throw malformed('has no place here', '/actor/onBehalfOf/onBehalfOf');
  }
}

function checkSource(source: JsonValue | undefined): void {
  if (!isObject(source)) throw malformed('is not {service, instance, seq}', '/source');
  const { fields, required } = sourceRule;
  for (const name of ['service', 'instance', 'version', 'credential'] as const) {
    const value = source[name];
    if (value === undefined && !(required as readonly string[]).includes(name)) continue;
    checkText(value, fields[name], `/source/${name}`);
  }
  const { seq } = source;
  if (seq === null || (typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0)) return;
  throw malformed('is neither a count nor null', '/source/seq');
}

/** A field that the caller left in the open is of its own kind all the same. */
function checkOpenFields(entry: JsonObject): void {
  for (const name of sealedFieldNames) {
    const value = entry[name];
    if (value !== undefined && !hasKind(name, value)) throw malformed('is not of its kind', `/${name}`);
  }
}

/** Digests may stand wherever an object stands. Together with what names them they have to make sense. */
function checkSealing(entry: JsonObject): void {
  const digests: string[] = [];
  const groups = collectDigests(entry, '', digests);
  // RFC 9901 §7.1: a digest that is there twice is refused. Within one group their order has excluded that.
  if (groups > 1 && hasTwins(digests)) throw malformed('holds one digest twice', '');
  if (entry['_sd_alg'] !== (digests.length > 0 ? 'sha-256' : undefined)) {
    throw malformed('is not sha-256 exactly where something is sealed', '/_sd_alg');
  }
  checkNames(entry, entry['_sd'], entry['sealed']);
  if (entry['seals'] !== undefined) checkSeals(entry['seals'], new Set(digests));
}

/** Whether a text is there twice. For a few, comparing them all beats hashing them. */
function hasTwins(texts: readonly string[]): boolean {
  if (texts.length > 16) return new Set(texts).size !== texts.length;
  return texts.some((text, position) => texts.indexOf(text) !== position);
}

/** `sealed` names the fields of the top-level digests, in the same order. */
function checkNames(entry: JsonObject, digests: JsonValue | undefined, names: JsonValue | undefined): void {
  if (digests === undefined && names === undefined) return;
  if (!isList(digests) || !isList(names) || digests.length !== names.length) {
    throw malformed('does not name each sealed field', '/sealed');
  }
  for (let position = 0; position < names.length; position += 1) {
    const name = names[position];
    if (typeof name !== 'string' || Object.hasOwn(entry, name) || names.indexOf(name) !== position) {
      throw malformed('names a field that is in the open, or one twice', '/sealed');
    }
  }
}

/** Collects every digest in an object, and checks that each group is sorted. Returns the number of groups. */
function collectDigests(object: JsonObject, pointer: string, digests: string[]): number {
  let groups = 0;
  for (const name of Object.keys(object)) {
    const value = object[name]!;
    if (isReservedName(name)) {
      if (name === '_sd') {
        addDigests(value, pointer, digests);
        groups += 1;
      } else if (name !== '_sd_alg' || pointer !== '')
        throw malformed('is a reserved name', `${pointer}/${name}`);
    } else if (typeof value === 'object' && value !== null)
      groups += collectInside(value, `${pointer}/${name}`, digests);
  }
  return groups;
}

function collectInside(value: JsonObject | readonly JsonValue[], pointer: string, digests: string[]): number {
  if (!isList(value)) return collectDigests(value, pointer, digests);
  let groups = 0;
  for (let index = 0; index < value.length; index += 1) {
    const element = value[index];
    if (typeof element === 'object' && element !== null)
      groups += collectInside(element, `${pointer}/${index}`, digests);
  }
  return groups;
}

function addDigests(value: JsonValue, pointer: string, digests: string[]): void {
  if (!isList(value) || value.length === 0) throw malformed('is not a list of digests', `${pointer}/_sd`);
  let previous = '';
  for (let index = 0; index < value.length; index += 1) {
    const digest = value[index];
    if (typeof digest !== 'string' || !entryTexts.digest.test(digest) || digest <= previous) {
      throw malformed('is not a sorted list of digests', `${pointer}/_sd`);
    }
    digests.push(digest);
    previous = digest;
  }
}

function checkSeals(seals: JsonValue, digests: ReadonlySet<string>): void {
  if (!isList(seals) || seals.length === 0 || seals.length > limits.sealsMax)
    throw malformed('is not a list of seals', '/seals');
  const spoken = new Set<string>();
  for (const [index, seal] of seals.entries()) {
    const pointer = `/seals/${index}`;
    if (!isObject(seal)) throw malformed('is not {digest, path, subjects}', pointer);
    const { digest, path, subjects } = seal;
    if (typeof digest !== 'string' || !digests.has(digest) || spoken.has(digest)) {
      throw malformed('speaks of no digest, or of one that has been spoken of', `${pointer}/digest`);
    }
    spoken.add(digest);
    checkText(path, eventFields.seals.rule.items.fields.path, `${pointer}/path`);
    if (!isList(subjects) || subjects.length > limits.subjectsMax)
      throw malformed('is not a list', `${pointer}/subjects`);
    for (const subject of subjects) checkText(subject, subjectText, `${pointer}/subjects`);
  }
}

function checkRule(entry: JsonObject, name: string, rule: TextRule): void {
  checkText(entry[name], rule, `/${name}`);
}

function checkText(value: JsonValue | undefined, rule: TextRule, pointer: string): void {
  const max = rule.charactersMax ?? limits.entryBytesMax;
  if (typeof value === 'string' && rule.test(value) && (value.length <= max || [...value].length <= max))
    return;
  throw malformed(rule.rule, pointer);
}

function checkExpression(value: JsonValue | undefined, expression: RegExp, pointer: string): void {
  if (typeof value !== 'string' || !expression.test(value))
    throw malformed('does not have its form', pointer);
}

function checkChoice(value: JsonValue | undefined, choices: readonly string[], pointer: string): void {
  if (typeof value !== 'string' || !choices.includes(value))
    throw malformed(`is none of ${choices.join(', ')}`, pointer);
}

function checkTime(value: JsonValue | undefined, pointer: string): void {
  if (typeof value !== 'string' || !isCanonicalTime(value)) {
    throw malformed('is no time in UTC with milliseconds', pointer);
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function malformed(complaint: string, pointer: string): VerificationError {
  return new VerificationError(
    'malformed_entry',
    `${pointer === '' ? 'The entry' : `In the entry, ${pointer}`} ${complaint}.`,
    {
      pointer,
    },
  );
}
