import { type JsonObject, type JsonValue, VerificationError } from '../bytes/index.ts';
import type { Entry } from './entry.ts';
import type { AuditEvent } from './model.ts';
import { reservedIds } from './rules.ts';
import { isCanonicalTime } from './time.ts';

/**
 * The two entries that change who may sign a log (spec/keys.md): `log.key_rotated` and `log.key_revoked`. Each holds a note, signed
 * by the root key, whose text repeats what the entry says together with the one place for which it was made: the log's origin, the
 * hash of its first entry, and the number of the change. A note is good nowhere else.
 */

/** How many changes of keys one log may have: a verifier reads all of them, whoever wrote them. */
export const KEY_CHANGES_MAX = 1000;

/** Most bytes of an entry that changes a key: a note with two signatures takes about one thousand. */
export const KEY_CHANGE_BYTES_MAX = 16_384;

/** The first lines of the notes: no checkpoint and no other signed text begins so. */
const ROTATION = 'indelible/key-rotation/v1';
const REVOCATION = 'indelible/key-revocation/v1';

/** How the entry of every change begins: canonical JSON puts the action first where nothing is sealed, and nothing may be. */
const BEGINNING = '{"action":"log.key_r';

const changeId = /^log\.key_change\.([1-9][0-9]{0,3})$/;

/** The one place for which a change is authorised. */
export interface ChangePlace {
  readonly origin: string;
  /** The leaf hash of the log's first entry, standard base64: it tells this log from another of the same name. */
  readonly genesis: string;
  /** Its number among the changes of keys in this log, from 1. */
  readonly change: number;
}

/** From when on a key is not believed any more. */
export interface CompromisedSince {
  /** Checkpoints of more entries than this are not believed by its signature. */
  readonly size: number;
  /** What outside parties saw before this time is believed all the same: RFC 3339, UTC, milliseconds. */
  readonly time: string;
}

/** One key takes the place of another. */
export interface RotationStatement extends ChangePlace {
  readonly kind: 'rotation';
  readonly oldKey: string;
  readonly newKey: string;
}

/** A key that was replaced is not believed any more from some point on. */
export interface RevocationStatement extends ChangePlace {
  readonly kind: 'revocation';
  readonly key: string;
  readonly compromisedSince: CompromisedSince;
}

/** What the root key authorises. */
export type KeyStatement = RotationStatement | RevocationStatement;

/** What an entry says of a change, before anybody has verified its note. */
export type KeyChange = { readonly authorisation: string } & (
  | Omit<RotationStatement, 'origin' | 'genesis'>
  | Omit<RevocationStatement, 'origin' | 'genesis'>
);

/** The text that the root key signs for a change. */
export function formatKeyStatement(statement: KeyStatement): string {
  const { kind, origin, genesis, change } = statement;
  const place = [`origin ${origin}`, `genesis ${genesis}`, `change ${change}`];
  const lines =
    kind === 'rotation'
      ? [ROTATION, ...place, `old ${statement.oldKey}`, `new ${statement.newKey}`]
      : [
          REVOCATION,
          ...place,
          `key ${statement.key}`,
          `size ${statement.compromisedSince.size}`,
          `time ${statement.compromisedSince.time}`,
        ];
  return `${lines.join('\n')}\n`;
}

/** Reads the text of a statement, strictly: writing it again gives the same text. Throws `malformed_key_change`. */
export function parseKeyStatement(text: string): KeyStatement {
  const lines = text.split('\n');
  const value = (name: string): string => {
    const line = lines.find((one) => one.startsWith(`${name} `));
    return line === undefined ? '' : line.slice(name.length + 1);
  };
  const place = { origin: value('origin'), genesis: value('genesis'), change: Number(value('change')) };
  const statement: KeyStatement =
    lines[0] === REVOCATION
      ? {
          kind: 'revocation',
          ...place,
          key: value('key'),
          compromisedSince: { size: Number(value('size')), time: value('time') },
        }
      : { kind: 'rotation', ...place, oldKey: value('old'), newKey: value('new') };
  const { change } = place;
  const isWhole = Number.isSafeInteger(change) && change >= 1 && change <= KEY_CHANGES_MAX;
  if (!isWhole || formatKeyStatement(statement) !== text) throw malformed('Its note says something else.');
  if (statement.kind === 'revocation' && !isSince(statement.compromisedSince))
    throw malformed('It does not say since when the key is compromised.');
  return statement;
}

/** The event that records an authorised change; `authorisation` is the note. */
export function keyChangeEvent(statement: KeyStatement, authorisation: string): AuditEvent {
  const { change } = statement;
  const data =
    statement.kind === 'rotation'
      ? { oldKey: statement.oldKey, newKey: statement.newKey }
      : { key: statement.key, compromisedSince: { ...statement.compromisedSince } };
  return {
    id: keyChangeId(change),
    action: statement.kind === 'rotation' ? 'log.key_rotated' : 'log.key_revoked',
    actor: { type: 'log', id: 'self' },
    metadata: { change, ...data, authorisation },
    clear: ['/metadata'],
    severity: 'high',
  };
}

/** The id under which the change of this number is recorded: how it is found again without reading the whole log. */
export function keyChangeId(change: number): string {
  return `${reservedIds.keyChange}${change}`;
}

/** Whether these are the bytes of an entry that changes a key, or claims to. Cheap: it looks at the first few. */
export function isKeyChange(entry: Uint8Array): boolean {
  if (entry.length < BEGINNING.length) return false;
  for (let at = 0; at < BEGINNING.length; at += 1) if (entry[at] !== BEGINNING.charCodeAt(at)) return false;
  return true;
}

/** The number that an entry's id gives its change; undefined where it is no such id, or beyond {@link KEY_CHANGES_MAX}. */
export function changeNumberOf(id: string): number | undefined {
  const number = Number(changeId.exec(id)?.[1] ?? Number.NaN);
  return number <= KEY_CHANGES_MAX ? number : undefined;
}

/** What an entry says of a change of keys. Throws `malformed_key_change` for one that does not say it, or says more. */
export function keyChangeOf(entry: Entry): KeyChange {
  const data = entry['metadata'];
  if (!isObject(data)) throw malformed('It says nothing.');
  const { change, authorisation } = data;
  if (typeof authorisation !== 'string') throw malformed('It holds no note.');
  if (typeof change !== 'number' || changeNumberOf(entry.id) !== change)
    throw malformed('Its number is not the one in its id.');
  const names = Object.keys(data).sort().join(' ');
  if (entry.action === 'log.key_rotated' && names === 'authorisation change newKey oldKey') {
    const { newKey, oldKey } = data;
    if (typeof newKey === 'string' && typeof oldKey === 'string')
      return { kind: 'rotation', change, newKey, oldKey, authorisation };
  }
  if (entry.action === 'log.key_revoked' && names === 'authorisation change compromisedSince key') {
    const { key, compromisedSince } = data;
    if (typeof key === 'string' && isSince(compromisedSince))
      return { kind: 'revocation', change, key, compromisedSince, authorisation };
  }
  throw malformed('It does not say which keys it is about.');
}

function isSince(value: unknown): value is JsonObject & CompromisedSince {
  if (!isObject(value as JsonValue)) return false;
  const { size, time, ...others } = value as Partial<Record<string, JsonValue>>;
  return (
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    typeof time === 'string' &&
    isCanonicalTime(time) &&
    Object.keys(others).length === 0
  );
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_key_change', `This entry changes no key. ${message}`);
}
