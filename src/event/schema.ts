import type { JsonObject, JsonValue } from '../bytes/index.ts';
import {
  entryTexts,
  eventFields,
  type FieldRule,
  limits,
  type ObjectRule,
  type Rule,
  reservedAction,
  reservedNames,
  sealedFieldNames,
  sourceRule,
  subjectIdText,
  subjectText,
  type TextRule,
  typeText,
} from './rules.ts';

/**
 * The JSON Schemas (2020-12) of events and entries, made from the table of rules. `spec/` holds them as files
 * for other languages; a test holds the files equal to this, and this equal to what the code accepts.
 *
 * A schema cannot say everything. Left to the code are: what day a month has, the future, ids that look
 * personal, the bytes of the whole, nesting, and whether the paths in `clear` and `seals` lead anywhere.
 */

const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** Times as callers may write them: RFC 3339 to the millisecond, any offset. */
const TIME_PATTERN =
  '^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]' +
  '(?:\\.[0-9]{1,3}0*)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$';

/** The schema of an event as a caller hands it in. */
export function eventSchema(): JsonObject {
  const fields = Object.entries<FieldRule>(eventFields);
  return {
    $schema: DRAFT,
    title: 'Event',
    description: 'One thing that happened, as an application hands it in (spec/entry.md).',
    type: 'object',
    properties: Object.fromEntries(
      fields.map(([name, field]) => [name, { description: field.about, ...eventFieldSchema(name, field) }]),
    ),
    required: fields.filter(([, { required }]) => required).map(([name]) => name),
    additionalProperties: false,
    $defs: definitions(),
  };
}

/** The schema of an entry as it is stored and hashed. */
export function entrySchema(): JsonObject {
  const { id, action, outcome, severity, correlationId, causationId } = eventFields;
  const time = { type: 'string', pattern: entryTexts.time.source };
  const sealedNames = { type: 'array', items: { type: 'string' }, minItems: 1, uniqueItems: true };
  return {
    $schema: DRAFT,
    title: 'Entry, version 1',
    description:
      'What a log stores and hashes: canonical JSON (RFC 8785) of one event, with digests (RFC 9901) in the place of sealed ' +
      'values (spec/entry.md, spec/sealing.md). Fields that are not listed come from later writers and are kept.',
    type: 'object',
    properties: {
      _sd: { description: 'Digests of the sealed fields of the entry itself.', $ref: '#/$defs/digests' },
      _sd_alg: { description: 'There exactly where something is sealed.', const: 'sha-256' },
      action: textSchema(action.rule),
      actor: { $ref: '#/$defs/actor' },
      causationId: textSchema(causationId.rule),
      ...openFieldSchemas(),
      correlationId: textSchema(correlationId.rule),
      id: textSchema(id.rule),
      nonce: { description: '128 random bits.', type: 'string', pattern: entryTexts.nonce.source },
      occurredAt: { description: 'When it happened, by the caller.', ...time },
      outcome: ruleSchema(outcome.rule),
      recordedAt: { description: 'When the log took it. Never goes back.', ...time },
      sealed: {
        description: `Names of the fields in _sd, in its order: ${sealedFieldNames.join(', ')}.`,
        ...sealedNames,
      },
      seals: {
        description: 'Whose a sealed value is, where the default does not fit.',
        ...entrySealsSchema(),
      },
      severity: ruleSchema(severity.rule),
      source: sourceSchema(),
      targets: { type: 'array', items: { $ref: '#/$defs/party' }, maxItems: limits.targetsMax },
      v: { const: 1 },
    },
    required: [
      'action',
      'actor',
      'id',
      'nonce',
      'occurredAt',
      'outcome',
      'recordedAt',
      'source',
      'targets',
      'v',
    ],
    dependentRequired: { _sd: ['sealed', '_sd_alg'], sealed: ['_sd'], seals: ['_sd_alg'] },
    $defs: entryDefinitions(),
  };
}

/**
 * The fields that are sealed by default, where the caller left them in the open: of their kind, and with
 * digests inside.
 */
function openFieldSchemas(): JsonObject {
  const kinds = { text: 'string', list: 'array', object: 'object', pairs: 'object' };
  return Object.fromEntries(
    sealedFieldNames.map((name) => {
      const { rule, about }: FieldRule = eventFields[name];
      const type = Object.entries(kinds).find(([kind]) => kind === rule.kind)?.[1];
      return [
        name,
        {
          description: `${about} Here only as far as it is not sealed.`,
          ...(type !== undefined && { type }),
        },
      ];
    }),
  );
}

function eventFieldSchema(name: string, { rule }: FieldRule): JsonObject {
  if (name === 'action') return { ...ruleSchema(rule), not: { pattern: reservedAction.source } };
  if (name === 'outcome') return { ...ruleSchema(rule), default: 'success' };
  if (name === 'targets') return { ...ruleSchema(rule), default: [] };
  return ruleSchema(rule);
}

function ruleSchema(rule: Rule): JsonObject {
  switch (rule.kind) {
    case 'text':
      return textSchema(rule);
    case 'choice':
      return { enum: rule.choices };
    case 'time':
      return { type: 'string', format: 'date-time', pattern: TIME_PATTERN };
    case 'value':
      return { $ref: '#/$defs/value' };
    case 'party':
      return { $ref: rule.onBehalfOf ? '#/$defs/actor' : '#/$defs/party' };
    case 'object':
      return objectSchema(rule);
    case 'list':
      return { type: 'array', items: ruleSchema(rule.items), maxItems: rule.elementsMax };
    case 'pairs':
      return {
        type: 'object',
        propertyNames: { ...textSchema(rule.name), not: { enum: reservedNames } },
        additionalProperties: textSchema(rule.value),
        maxProperties: rule.pairsMax,
      };
  }
}

function textSchema({ pattern, charactersMax }: TextRule): JsonObject {
  return { type: 'string', pattern, ...(charactersMax !== undefined && { maxLength: charactersMax }) };
}

function objectSchema({ fields, required, others }: ObjectRule): JsonObject {
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, rule]) => [name, ruleSchema(rule)])),
    ...(required.length > 0 && { required }),
    ...(others === undefined
      ? { additionalProperties: false }
      : {
          propertyNames: { $ref: '#/$defs/name' },
          additionalProperties: ruleSchema(others),
          maxProperties: limits.fieldsMax,
        }),
  };
}

/** What the fields of an event are made of. */
function definitions(): JsonObject {
  return {
    party: partySchema({ onBehalfOf: false }),
    actor: partySchema({ onBehalfOf: { $ref: '#/$defs/party' } }),
    name: {
      description: 'The name of a field: any text but those that sealing uses itself (RFC 9901).',
      type: 'string',
      pattern: '^\\P{Cs}*$',
      not: { enum: reservedNames },
    },
    value: valueSchema(),
  };
}

function partySchema({ onBehalfOf }: { readonly onBehalfOf: JsonValue }): JsonObject {
  return {
    description: 'A person or thing. Every field but type, id and onBehalfOf is an attribute, and sealed.',
    type: 'object',
    properties: { type: textSchema(typeText), id: textSchema(subjectIdText), onBehalfOf },
    required: ['type', 'id'],
    propertyNames: { $ref: '#/$defs/name' },
    additionalProperties: { $ref: '#/$defs/value' },
    maxProperties: limits.fieldsMax,
  };
}

/**
 * Any JSON, but for the numbers that are not exact: whole, beyond 2^53 - 1, and written with all their
 * digits.
 */
function valueSchema(): JsonObject {
  const exact = Number.MAX_SAFE_INTEGER;
  return {
    anyOf: [
      { type: ['null', 'boolean'] },
      { type: 'string', pattern: '^\\P{Cs}*$' },
      { type: 'integer', minimum: -exact, maximum: exact },
      { type: 'number', not: { type: 'integer' } },
      { type: 'number', minimum: 1e21 },
      { type: 'number', maximum: -1e21 },
      { type: 'array', items: { $ref: '#/$defs/value' } },
      {
        type: 'object',
        propertyNames: { $ref: '#/$defs/name' },
        additionalProperties: { $ref: '#/$defs/value' },
        maxProperties: limits.fieldsMax,
      },
    ],
  };
}

/** What an entry is made of. Digests may stand in any object. */
function entryDefinitions(): JsonObject {
  const party = (onBehalfOf: JsonValue): JsonObject => ({
    type: 'object',
    properties: {
      _sd: { $ref: '#/$defs/digests' },
      type: textSchema(typeText),
      id: textSchema(subjectIdText),
      onBehalfOf,
    },
    required: ['type', 'id'],
  });
  return {
    digest: { description: 'Base64url of a SHA-256.', type: 'string', pattern: entryTexts.digest.source },
    digests: { type: 'array', items: { $ref: '#/$defs/digest' }, minItems: 1, uniqueItems: true },
    party: party(false),
    actor: party({ $ref: '#/$defs/party' }),
  };
}

function entrySealsSchema(): JsonObject {
  const { path } = eventFields.seals.rule.items.fields;
  return {
    type: 'array',
    minItems: 1,
    maxItems: limits.sealsMax,
    items: {
      type: 'object',
      properties: {
        digest: { $ref: '#/$defs/digest' },
        path: textSchema(path),
        subjects: { type: 'array', items: textSchema(subjectText), maxItems: limits.subjectsMax },
      },
      required: ['digest', 'path', 'subjects'],
    },
  };
}

function sourceSchema(): JsonObject {
  return {
    description: 'Which process handed it in, and as which of its events.',
    type: 'object',
    properties: {
      ...Object.fromEntries(
        Object.entries(sourceRule.fields).map(([name, rule]) => [name, textSchema(rule)]),
      ),
      seq: { anyOf: [{ type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }, { type: 'null' }] },
    },
    required: [...sourceRule.required, 'seq'],
  };
}
