import { JSON_DEPTH_MAX, type JsonValue } from '../bytes/index.ts';

/**
 * The one table of rules. The validation of events, the reading of entries and the JSON Schemas in `spec/`
 * all come from here, so that they cannot say different things. What it does not hold are the rules that no
 * table can: what day a month has, what lies in the future, how many bytes the whole takes.
 */

/** Every limit on an event, with its unit. A character is a Unicode code point, as in JSON Schema. */
export const limits = Object.freeze({
  /** An entry's canonical bytes: tiles store the length of an entry in 16 bits (C2SP tlog-tiles). */
  entryBytesMax: 65_535,
  /** One disclosure: salt, name and value. */
  disclosureBytesMax: 32_768,
  /** All disclosures of an entry. */
  disclosuresBytesMax: 131_072,
  /** `metadata`, where it is not sealed whole and so not measured as a disclosure. */
  metadataBytesMax: 32_768,
  idCharactersMax: 128,
  actionCharactersMax: 128,
  typeCharactersMax: 64,
  subjectIdCharactersMax: 1024,
  pathCharactersMax: 1024,
  labelNameCharactersMax: 64,
  labelValueCharactersMax: 256,
  sourceCharactersMax: 128,
  targetsMax: 32,
  changesMax: 256,
  labelsMax: 16,
  sealsMax: 64,
  clearMax: 64,
  subjectsMax: 32,
  /** The fields of any one object. */
  fieldsMax: 1000,
  /** Objects and arrays inside one another; the event itself is the first. */
  depthMax: JSON_DEPTH_MAX,
  /** How far ahead of the log's clock an event may have happened, in milliseconds. */
  futureMsMax: 300_000,
});

/** A text: a pattern (for a `u` regular expression), a length, and how to say so. */
export interface TextRule {
  readonly kind: 'text';
  readonly pattern: string;
  /** Whether a text matches the pattern. */
  readonly test: (text: string) => boolean;
  readonly charactersMax?: number;
  readonly rule: string;
  readonly hint: string;
}

/** One word out of a few. */
export interface ChoiceRule {
  readonly kind: 'choice';
  readonly choices: readonly string[];
}

/** A time: an RFC 3339 text or, in memory, a Date. */
export interface TimeRule {
  readonly kind: 'time';
}

/** Any JSON. */
export interface ValueRule {
  readonly kind: 'value';
}

/** A person or thing: `type`, `id`, attributes. Only an actor acts on behalf of another. */
export interface PartyRule {
  readonly kind: 'party';
  readonly onBehalfOf: boolean;
}

/** An object with known fields and, unless `others` is undefined, others beside them. */
export interface ObjectRule {
  readonly kind: 'object';
  readonly fields: Readonly<Record<string, Rule>>;
  readonly required: readonly string[];
  readonly others?: Rule;
  readonly hint: string;
}

/** An object whose names are the caller's own. */
export interface PairsRule {
  readonly kind: 'pairs';
  readonly name: TextRule;
  readonly value: TextRule;
  readonly pairsMax: number;
}

/** An array. */
export interface ListRule {
  readonly kind: 'list';
  readonly items: Rule;
  readonly elementsMax: number;
}

/** What a value has to be. */
export type Rule =
  | TextRule
  | ChoiceRule
  | TimeRule
  | ValueRule
  | PartyRule
  | ObjectRule
  | PairsRule
  | ListRule;

/** Whose a sealed field is, unless the caller's `seals` say otherwise (spec/sealing.md). */
export type Owner = 'actor' | 'first target, else actor' | 'actor and first target';

/** One field of an event. */
export interface FieldRule {
  readonly rule: Rule;
  readonly required?: true;
  /** Set where the field is sealed by default. */
  readonly owner?: Owner;
  /** `input` only steers how the event is written and is not part of the entry. */
  readonly place?: 'input';
  /** One line for the JSON Schema. */
  readonly about: string;
}

/** Names that RFC 9901 §4.1 and §4.2.4 use itself; in a caller's data they are refused at any depth. */
export const reservedNames: readonly string[] = Object.freeze(['_sd', '_sd_alg', '...']);

/** Whether a name is one of `reservedNames`: they begin with an underscore or a point, and few others do. */
export function isReservedName(name: string): boolean {
  const unit = name.charCodeAt(0);
  return (unit === 0x5f || unit === 0x2e) && reservedNames.includes(name);
}

const CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f';

function text(pattern: string, reason: { max?: number; rule: string; hint: string }): TextRule {
  const { max, rule, hint } = reason;
  const expression = new RegExp(pattern, 'u');
  // The engine answers this one question without an expression, and every text asks it.
  const test =
    pattern === WELL_FORMED
      ? (value: string) => value.isWellFormed()
      : (value: string) => expression.test(value);
  return Object.freeze({
    kind: 'text',
    pattern,
    test,
    rule,
    hint,
    ...(max !== undefined && { charactersMax: max }),
  });
}

/** Any well-formed text: in a `u` expression `\p{Cs}` is half a surrogate pair that stands alone. */
const WELL_FORMED = '^\\P{Cs}*$';

const freeText = text(WELL_FORMED, {
  rule: 'must be a text without halves of surrogate pairs',
  hint: 'Cut texts between characters, not between UTF-16 units.',
});

const idText = text('^[A-Za-z0-9._:-]+$', {
  max: limits.idCharactersMax,
  rule: `must be 1 to ${limits.idCharactersMax} of A-Z a-z 0-9 . _ : -`,
  hint: 'Use a UUID, or an id of your own that tells nothing about a person: it can never be erased.',
});

const actionText = text('^[a-z][a-z0-9_-]*(?:\\.[a-z0-9][a-z0-9_-]*)*$', {
  max: limits.actionCharactersMax,
  rule: `must be a lower-case dotted name of at most ${limits.actionCharactersMax} characters`,
  hint: 'Name the thing and what happened to it: user.signed_in, document.deleted.',
});

/** A type stands before the slash in `type/id`, so it holds none. */
const TYPE_PATTERN = '[A-Za-z0-9][A-Za-z0-9_.:-]*';
const SUBJECT_ID_PATTERN = `[^${CONTROLS}\\p{Cs}]+`;

/** `type` of an actor or target. */
export const typeText = text(`^${TYPE_PATTERN}$`, {
  max: limits.typeCharactersMax,
  rule: `must be 1 to ${limits.typeCharactersMax} of A-Z a-z 0-9 _ . : -, beginning with a letter or digit`,
  hint: 'Name the kind of thing: user, service, document.',
});

/** `id` of an actor or target. */
export const subjectIdText = text(`^${SUBJECT_ID_PATTERN}$`, {
  max: limits.subjectIdCharactersMax,
  rule: `must be 1 to ${limits.subjectIdCharactersMax} characters, none of them a control character`,
  hint: 'Use the stable internal id of the person or thing.',
});

/** A subject: `type/id`. */
export const subjectText = text(`^${TYPE_PATTERN}/${SUBJECT_ID_PATTERN}$`, {
  max: limits.typeCharactersMax + 1 + limits.subjectIdCharactersMax,
  rule: 'must be a subject written type/id',
  hint: 'Write the type and the id of an actor or target with a slash between: user/u_42.',
});

const pointerText = text('^(?:/(?:[^/~\\p{Cs}]|~[01])*)*$', {
  max: limits.pathCharactersMax,
  rule: `must be a JSON pointer (RFC 6901) of at most ${limits.pathCharactersMax} characters`,
  hint: 'Write it as /address/city, with ~1 for a slash and ~0 for a tilde inside a name.',
});

const labelName = text(`^[^${CONTROLS}\\p{Cs}]+$`, {
  max: limits.labelNameCharactersMax,
  rule: `must be named with 1 to ${limits.labelNameCharactersMax} characters, none of them a control character`,
  hint: 'Labels are short pairs to group by; longer texts belong into metadata.',
});

const labelValue = text(WELL_FORMED, {
  max: limits.labelValueCharactersMax,
  rule: `must be a text of at most ${limits.labelValueCharactersMax} characters`,
  hint: 'Labels are short pairs to group by; longer texts belong into metadata.',
});

const sourceText = text(`^[^${CONTROLS}\\p{Cs}]+$`, {
  max: limits.sourceCharactersMax,
  rule: `must be 1 to ${limits.sourceCharactersMax} characters, none of them a control character`,
  hint: 'It names a service, an instance, a version or a credential.',
});

const anyValue: ValueRule = Object.freeze({ kind: 'value' });

const changeRule: ObjectRule = {
  kind: 'object',
  fields: { path: pointerText, from: anyValue, to: anyValue },
  required: ['path'],
  hint: 'A change is {path, from, to}.',
};

const contextRule: ObjectRule = {
  kind: 'object',
  fields: {
    ip: freeText,
    userAgent: freeText,
    requestId: freeText,
    traceId: freeText,
    spanId: freeText,
    sessionId: freeText,
  },
  required: [],
  others: anyValue,
  hint: 'The context is an object: {ip, userAgent, requestId, traceId, spanId, sessionId, location}.',
};

const errorRule: ObjectRule = {
  kind: 'object',
  fields: { code: freeText, message: freeText },
  required: [],
  hint: 'An error is {code, message}, both texts; anything more belongs into metadata.',
};

const sealRule = {
  kind: 'object',
  fields: {
    path: pointerText,
    subjects: { kind: 'list', items: subjectText, elementsMax: limits.subjectsMax },
  },
  required: ['path', 'subjects'],
  hint: 'A seal is {path, subjects}: a JSON pointer, and a list of subjects written type/id.',
} as const satisfies ObjectRule;

/** The fields of an event, as a caller hands it in. */
export const eventFields = {
  id: {
    rule: idText,
    about: 'Your own id, unique in its log; makes recording safe to repeat. A UUIDv7 is made if absent.',
  },
  action: {
    rule: actionText,
    required: true,
    about: 'What happened: a lower-case dotted name. log.* is reserved for the log itself.',
  },
  actor: { rule: { kind: 'party', onBehalfOf: true }, required: true, about: 'Who did it.' },
  targets: {
    rule: { kind: 'list', items: { kind: 'party', onBehalfOf: false }, elementsMax: limits.targetsMax },
    about: 'What it was done to; the first is the primary one.',
  },
  outcome: {
    rule: { kind: 'choice', choices: ['success', 'failure', 'denied', 'unknown'] },
    about: 'How it ended; success if absent.',
  },
  occurredAt: {
    rule: { kind: 'time' },
    about: 'When it happened: RFC 3339, any offset, to the millisecond.',
  },
  severity: {
    rule: { kind: 'choice', choices: ['info', 'low', 'medium', 'high', 'critical'] },
    about: 'How much attention it deserves.',
  },
  correlationId: { rule: idText, about: 'Groups the events of one request or one job.' },
  causationId: { rule: idText, about: 'The id of the event that caused this one.' },
  changes: {
    rule: { kind: 'list', items: changeRule, elementsMax: limits.changesMax },
    owner: 'first target, else actor',
    about: 'What changed, as JSON pointers with the values before and after.',
  },
  context: { rule: contextRule, owner: 'actor', about: 'Where the action came from.' },
  reason: { rule: freeText, owner: 'actor and first target', about: 'The justification a human gave.' },
  error: { rule: errorRule, owner: 'actor and first target', about: 'What went wrong.' },
  labels: {
    rule: { kind: 'pairs', name: labelName, value: labelValue, pairsMax: limits.labelsMax },
    owner: 'actor and first target',
    about: 'Short pairs to group by.',
  },
  metadata: { rule: anyValue, owner: 'actor and first target', about: 'Anything else.' },
  clear: {
    rule: { kind: 'list', items: pointerText, elementsMax: limits.clearMax },
    place: 'input',
    about: 'Paths of values that are left in the open, where they can never be erased.',
  },
  seals: {
    rule: { kind: 'list', items: sealRule, elementsMax: limits.sealsMax },
    about: 'Whose a sealed value is, where the default does not fit; splits one value out of a larger one.',
  },
} as const satisfies Record<string, FieldRule>;

/** The name of a field that a caller may hand in. */
export type EventFieldName = keyof typeof eventFields;

/** The fields that are sealed whole unless `clear` or `seals` open them, in the order of their names. */
export const sealedFieldNames = ['changes', 'context', 'error', 'labels', 'metadata', 'reason'] as const;

/** One of `sealedFieldNames`. */
export type SealedFieldName = (typeof sealedFieldNames)[number];

const sealedNames: ReadonlySet<string> = new Set(sealedFieldNames);

/** Whether a name is one of `sealedFieldNames`. */
export function isSealedFieldName(name: string): name is SealedFieldName {
  return sealedNames.has(name);
}

/**
 * Whether a value that was read is of the kind that its field has: a text, a list, an object. Whoever reads a
 * log can rely on that much; the rest of a field's rule binds writers only.
 */
export function hasKind(name: SealedFieldName, value: JsonValue): boolean {
  switch (eventFields[name].rule.kind) {
    case 'text':
      return typeof value === 'string';
    case 'list':
      return Array.isArray(value);
    case 'value':
      return true;
    default:
      return typeof value === 'object' && value !== null && !Array.isArray(value);
  }
}

/** `source` of an entry; written by the log, never by the caller. */
export const sourceRule = {
  kind: 'object',
  fields: { credential: sourceText, instance: sourceText, service: sourceText, version: sourceText },
  required: ['instance', 'service'],
  hint: 'The source is {service, instance, seq}.',
} as const satisfies ObjectRule;

/**
 * Texts that only an entry holds. Base64url of 16 and of 32 bytes leaves bits over, which are zero in the
 * last character.
 */
export const entryTexts = Object.freeze({
  nonce: /^[A-Za-z0-9_-]{21}[AQgw]$/,
  digest: /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/,
  time: /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/,
});

/** `action` of the log's own entries. */
export const reservedAction = /^log(?:\.|$)/;

/** How the ids begin under which changes of the log's keys, and prunings, are recorded: nobody else may take them. */
export const reservedIds = { keyChange: 'log.key_change.', pruning: 'log.pruned.' } as const;

/** What people of other systems call our fields, and the fields that only the log writes. */
export const fieldHints: Readonly<Record<string, string>> = Object.freeze({
  timestamp: 'Did you mean occurredAt?',
  time: 'Did you mean occurredAt?',
  date: 'Did you mean occurredAt?',
  createdAt: 'Did you mean occurredAt?',
  event: 'Did you mean action?',
  eventType: 'Did you mean action?',
  type: 'Did you mean action?',
  name: 'Did you mean action?',
  user: 'Did you mean actor, as {type: "user", id}?',
  userId: 'Did you mean actor, as {type: "user", id}?',
  principal: 'Did you mean actor?',
  resource: 'Did you mean targets, a list?',
  object: 'Did you mean targets, a list?',
  entity: 'Did you mean targets, a list?',
  status: 'Did you mean outcome?',
  result: 'Did you mean outcome?',
  message: 'Did you mean reason? Free text that is not a justification belongs into metadata.',
  description: 'Did you mean reason? Free text that is not a justification belongs into metadata.',
  comment: 'Did you mean reason?',
  tags: 'Did you mean labels?',
  data: 'Did you mean metadata?',
  details: 'Did you mean metadata?',
  payload: 'Did you mean metadata?',
  extra: 'Did you mean metadata?',
  before: 'Did you mean changes, as [{path, from, to}]?',
  after: 'Did you mean changes, as [{path, from, to}]?',
  diff: 'Did you mean changes, as [{path, from, to}]?',
  ip: 'It belongs into context.',
  userAgent: 'It belongs into context.',
  requestId: 'It belongs into context, or into correlationId where it may be public.',
  sessionId: 'It belongs into context.',
  traceId: 'It belongs into context.',
  location: 'It belongs into context.',
  source: 'The log writes it: name your service when you open the log.',
  service: 'The log writes it into source: name your service when you open the log.',
  recordedAt: 'The log writes it; your own time is occurredAt.',
  index: 'The log gives the index; leave it out.',
  nonce: 'The log draws it; leave it out.',
  v: 'The log writes it; leave it out.',
  sealed: 'The log writes it; to steer what is sealed use clear and seals.',
});
