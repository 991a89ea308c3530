import { canonicalString } from '../bytes/index.ts';
import { type Group, groupHole } from './draft.ts';
import { type Path, refusal } from './refusal.ts';
import { subjectIdText, typeText } from './rules.ts';
import type { PlanNode } from './seal-plan.ts';
import type { Sealer } from './sealer.ts';
import { checkText, missingField, ownNames, writeValue } from './value.ts';

/** What the writing of an actor or target depends on. */
export interface PartyOptions {
  readonly sealer: Sealer;
  /** What `clear` and `seals` say about its attributes. */
  readonly node: PlanNode | undefined;
  /** How many objects and lists stand around it. */
  readonly depth: number;
  /** Whether it may carry `onBehalfOf`. */
  readonly mayActFor: boolean;
  /** Checks an id against the log's rule about personal ids, and may replace it by a pseudonym. */
  readonly subjectId: (id: string, path: Path) => string;
}

/** A person or thing as its fields were read, each once. */
interface PartyFields {
  readonly type: unknown;
  readonly id: unknown;
  readonly onBehalfOf: unknown;
  /** Everything else, as canonical JSON, in canonical order. */
  readonly attributes: readonly { readonly name: string; readonly text: string }[];
}

/** Writes a person or thing: `type`, `id` and `onBehalfOf` in the open, each attribute sealed for itself. */
export function writeParty(value: unknown, path: Path, options: PartyOptions): string {
  const fields = readFields(value, path, options);
  const type = identity(fields.type, 'type', path);
  const id = canonicalString(identity(fields.id, 'id', path, options.subjectId));
  if (options.node !== undefined) return writePlanned(fields, { type, id, path, options });

  const { sealer } = options;
  const group: Group = { count: 0, fields: '' };
  for (const { name, text } of fields.attributes) {
    path.push(name);
    sealer.seal(group, canonicalString(name), text, path);
    path.pop();
  }
  const sealed = group.count > 0 ? `"_sd":[${groupHole(group)}],` : '';
  const principal =
    fields.onBehalfOf === undefined
      ? ''
      : `,"onBehalfOf":${writePrincipal(fields.onBehalfOf, path, options)}`;
  return `{${sealed}"id":${id}${principal},"type":"${type}"}`;
}

function readFields(value: unknown, path: Path, { depth, mayActFor }: PartyOptions): PartyFields {
  let [type, id, onBehalfOf]: unknown[] = [];
  const attributes: { name: string; text: string }[] = [];
  for (const name of ownNames(value, path, 'Write {type, id} and any attributes.')) {
    path.push(name);
    const field = (value as Record<string, unknown>)[name];
    if (name === 'type') type = field;
    else if (name === 'id') id = field;
    else if (name === 'onBehalfOf') onBehalfOf = field;
    else if (field !== undefined) attributes.push({ name, text: writeValue(field, path, depth) });
    path.pop();
  }
  if (onBehalfOf === undefined || mayActFor) return { type, id, onBehalfOf, attributes };
  throw refusal(
    'event_field_unknown',
    [...path, 'onBehalfOf'],
    'has no place here',
    'Only the actor acts on behalf of another, and that other for nobody else.',
  );
}

function identity(
  value: unknown,
  name: 'type' | 'id',
  path: Path,
  subjectId?: PartyOptions['subjectId'],
): string {
  const rule = name === 'type' ? typeText : subjectIdText;
  if (value === undefined) throw missingField(name, path, rule.hint);
  path.push(name);
  const text = checkText(value, rule, path);
  const identity = subjectId === undefined ? text : subjectId(text, path);
  path.pop();
  return identity;
}

/** As `writeParty`, where `clear` or `seals` say something about the attributes. */
function writePlanned(
  fields: PartyFields,
  { type, id, path, options }: { type: string; id: string; path: Path; options: PartyOptions },
): string {
  const { sealer, node } = options;
  const members = fields.attributes.map(({ name, text }) =>
    sealer.member({ name, text, node: node?.children.get(name), path: [...path, name], isClear: false }),
  );
  members.push({ name: 'id', write: () => id }, { name: 'type', write: () => `"${type}"` });
  if (fields.onBehalfOf !== undefined) {
    members.push({ name: 'onBehalfOf', write: () => writePrincipal(fields.onBehalfOf, path, options) });
  }
  return sealer.object(members.sort((a, b) => (a.name < b.name ? -1 : 1)));
}

/** The one for whom the actor acted. */
function writePrincipal(value: unknown, path: Path, options: PartyOptions): string {
  path.push('onBehalfOf');
  const node = options.node?.children.get('onBehalfOf');
  const text = writeParty(value, path, { ...options, node, depth: options.depth + 1, mayActFor: false });
  path.pop();
  return text;
}
