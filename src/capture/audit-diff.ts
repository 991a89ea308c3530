import { canonicalize, type JsonObject, type JsonValue, misuse, utf8Length } from '../bytes/index.ts';
import { type Change, EventError, limits, pointerTo } from '../event/index.ts';
import { toJsonValue } from './diff-value.ts';
import { checkKnownOptions } from './known-options.ts';
import {
  type PathPattern,
  type PathTest,
  pathTest,
  type Redaction,
  type RedactionOptions,
  redactionOf,
} from './redaction.ts';

/** How two states are compared. */
export interface DiffOptions extends RedactionOptions {
  /** Paths that are not compared at all: a counter, the time of the last change. */
  readonly ignore?: readonly PathPattern[];
  /**
   * Lists whose elements are told apart by a field rather than by position: `{ '/members': 'id' }`. Their order does not count, and a
   * path leads through the value of the field: `/members/u_7/role`. Each element must have its own value there.
   */
  readonly listKeys?: Readonly<Record<PathPattern, string>>;
}

/** The options of {@link auditDiff}, for integrations that pass them on. */
export const diffOptionNames: readonly string[] = ['redact', 'digestKey', 'ignore', 'listKeys'];

/** Bytes that `changes` may take: a disclosure holds 32 KiB, of which salt, name and brackets take some. */
const changesBytesMax = limits.disclosureBytesMax - 64;

/**
 * What changed from one state to the next, as the `changes` of an event: the fewest JSON pointers that say it, in the order of their
 * names. `from` is missing where something was added, `to` where it was removed; elements of a list are compared by position, unless
 * `listKeys` names a field. Setting and removing at the pointers, the last first, turns the one into the other.
 *
 * Nothing is cut off. Throws `EventError` `event_too_large` for more than 256 changes, or more than 32 KiB of them; `event_value_invalid`,
 * `event_name_reserved`, `event_too_deep` for what an event cannot hold; misuse `option_unknown`, `option_invalid`.
 */
export function auditDiff(before: unknown, after: unknown, options: DiffOptions = {}): Change[] {
  return differ(options)(before, after);
}

/** Checks the options once, for many comparisons. */
export function differ(options: DiffOptions): (before: unknown, after: unknown) => Change[] {
  checkKnownOptions(options, diffOptionNames);
  const comparison: Comparison = {
    redaction: redactionOf(options),
    ignored: pathTest('ignore', options.ignore ?? []),
    keys: Object.entries(options.listKeys ?? {}).map(([pattern, field]) => ({
      fits: pathTest('listKeys', [pattern]),
      field,
    })),
  };
  return (before, after) => {
    const changes: Change[] = [];
    compare(toJsonValue(before), toJsonValue(after), [], comparison, changes);
    return checkSize(changes);
  };
}

interface Comparison {
  readonly redaction: Redaction;
  readonly ignored: PathTest;
  readonly keys: readonly { readonly fits: PathTest; readonly field: string }[];
}

type Maybe = JsonValue | undefined;

function compare(from: Maybe, to: Maybe, path: readonly string[], how: Comparison, changes: Change[]): void {
  if (how.ignored(path) || same(from, to)) return;
  const hidden = how.redaction.hides(path);
  const [a, b] = hidden ? [undefined, undefined] : [membersOf(from, path, how), membersOf(to, path, how)];
  if (a === undefined || b === undefined || Array.isArray(from) !== Array.isArray(to)) {
    const shownFrom = from === undefined ? undefined : show(from, path, how);
    const shownTo = to === undefined ? undefined : show(to, path, how);
    changes.push({
      path: pointerTo(path),
      ...(shownFrom === undefined ? {} : { from: shownFrom }),
      ...(shownTo === undefined ? {} : { to: shownTo }),
    });
    return;
  }
  const names = [...new Set([...a.keys(), ...b.keys()])];
  for (const name of Array.isArray(from) ? names : names.sort()) {
    compare(a.get(name), b.get(name), [...path, name], how, changes);
  }
}

function same(a: Maybe, b: Maybe): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || (typeof a === 'object' && typeof b === 'object' && canonicalize(a) === canonicalize(b));
}

/** The parts of a value by name, in order; undefined for what has none. */
function membersOf(
  value: Maybe,
  path: readonly string[],
  how: Comparison,
): Map<string, JsonValue> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (!Array.isArray(value)) return new Map(Object.entries(value as JsonObject));
  const field = how.keys.find(({ fits }) => fits(path))?.field;
  const members = new Map<string, JsonValue>();
  for (const [at, item] of (value as readonly JsonValue[]).entries()) {
    const name = field === undefined ? String(at) : keyOf(item, field, path);
    if (members.has(name)) throw listKeyInvalid(path, field ?? '', `two elements have ${name} there`);
    members.set(name, item);
  }
  return members;
}

function keyOf(item: JsonValue, field: string, path: readonly string[]): string {
  const key = typeof item === 'object' && item !== null ? (item as JsonObject)[field] : undefined;
  if (typeof key === 'string' || typeof key === 'number') return String(key);
  throw listKeyInvalid(path, field, 'an element has neither text nor number there');
}

function listKeyInvalid(path: readonly string[], field: string, why: string): Error {
  return misuse(
    'range',
    'option_invalid',
    `listKeys tells the elements of ${pointerTo(path)} apart by ${field}, but ${why}`,
  );
}

/** A whole value that was added, removed or replaced, with what is hidden and without what is ignored. */
function show(value: JsonValue, path: readonly string[], how: Comparison): JsonValue {
  if (how.redaction.hides(path)) return how.redaction.hide(value);
  const members = membersOf(value, path, how);
  if (members === undefined) return value;
  const shown = [...members]
    .filter(([name]) => !how.ignored([...path, name]))
    .map(([name, item]) => [name, show(item, [...path, name], how)] as const);
  return Array.isArray(value) ? shown.map(([, item]) => item) : Object.fromEntries(shown);
}

function checkSize(changes: Change[]): Change[] {
  const hint =
    'Leave fields out with ignore, hide long ones with redact, or record a digest of the whole in metadata.';
  if (changes.length > limits.changesMax) {
    const rule = `would hold ${changes.length} changes, and an event holds at most ${limits.changesMax}`;
    throw new EventError('event_too_large', '/changes', { rule, hint });
  }
  const long = changes.find(({ path }) => path.length > limits.pathCharactersMax);
  if (long !== undefined) {
    const rule = `would hold a path of more than ${limits.pathCharactersMax} characters, ${long.path.slice(0, 60)}…`;
    throw new EventError('event_too_large', '/changes', { rule, hint });
  }
  const bytes = utf8Length(canonicalize(changes as unknown as JsonValue));
  if (bytes > changesBytesMax) {
    const rule = `would take ${bytes} bytes, and one sealed value takes at most ${changesBytesMax}`;
    throw new EventError('event_too_large', '/changes', { rule, hint });
  }
  return changes;
}
