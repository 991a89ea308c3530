import type { RecordedEvent, RecordedTarget } from '../event/index.ts';

/** What is expected of a value: the same; of a text, perhaps a pattern; of an object, at least these fields. */
export type ExpectedValue =
  | null
  | boolean
  | number
  | string
  | RegExp
  | readonly ExpectedValue[]
  | { readonly [name: string]: ExpectedValue };

/** Who or what is expected: `user/u_42`, or at least these fields. */
export type ExpectedParty = string | { readonly [name: string]: ExpectedValue };

/** What is expected of an event: at least this. */
export interface ExpectedEvent {
  readonly action?: string | RegExp;
  readonly actor?: ExpectedParty;
  /** Each of them is among the targets, in any order. */
  readonly targets?: readonly ExpectedParty[];
  readonly outcome?: string;
  readonly [field: string]: ExpectedValue | ExpectedParty | readonly ExpectedParty[] | undefined;
}

/** What differs from what is expected, a line each; none where the event fits. */
export function differences(event: RecordedEvent, expected: ExpectedEvent): string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name === 'actor') return party(event.actor, value as ExpectedParty, 'actor');
    if (name === 'targets') return targets(event.targets, value as readonly ExpectedParty[]);
    return differ((event as unknown as Record<string, unknown>)[name], value as ExpectedValue, name);
  });
}

function targets(found: readonly RecordedTarget[], expected: readonly ExpectedParty[]): string[] {
  return expected.flatMap((one, at) => {
    if (found.some((target) => party(target, one, '').length === 0)) return [];
    const recorded = found.map(({ type, id }) => `${type}/${id}`).join(', ');
    return [`targets[${at}]: expected ${show(one)}, recorded ${recorded === '' ? 'none' : recorded}`];
  });
}

function party(found: RecordedTarget, expected: ExpectedParty, path: string): string[] {
  if (typeof expected !== 'string') return differ(found, expected, path);
  const recorded = `${found.type}/${found.id}`;
  return recorded === expected ? [] : [`${path}: expected ${expected}, recorded ${recorded}`];
}

function differ(found: unknown, expected: ExpectedValue, path: string): string[] {
  if (expected instanceof RegExp) {
    // One with the flag `g` begins where it ended the last time, and would miss every second event.
    expected.lastIndex = 0;
    return typeof found === 'string' && expected.test(found) ? [] : [line(path, found, expected)];
  }
  if (typeof expected !== 'object' || expected === null) {
    return Object.is(found, expected) ? [] : [line(path, found, expected)];
  }
  if (Array.isArray(expected) !== Array.isArray(found) || typeof found !== 'object' || found === null) {
    return [line(path, found, expected)];
  }
  if (Array.isArray(expected) && (found as readonly unknown[]).length !== expected.length) {
    return [line(path, found, expected)];
  }
  return Object.entries(expected).flatMap(([name, value]) => {
    const inner = Object.hasOwn(found, name) ? (found as Record<string, unknown>)[name] : undefined;
    return differ(inner, value as ExpectedValue, `${path}.${name}`);
  });
}

function line(path: string, found: unknown, expected: ExpectedValue): string {
  return `${path}: expected ${show(expected)}, recorded ${found === undefined ? 'nothing' : show(found)}`;
}

/** A value on one line. */
function show(value: unknown): string {
  if (value instanceof RegExp) return String(value);
  const plain = JSON.stringify(value, (_, inner) => (inner instanceof RegExp ? String(inner) : inner));
  return plain.length > 200 ? `${plain.slice(0, 200)}…` : plain;
}

/** An event on one line: who did what to what, and how it ended. */
export function formatEvent({ action, actor, targets: found, outcome }: RecordedEvent): string {
  const to = found.map(({ type, id }) => `${type}/${id}`).join(', ');
  return `${action} by ${actor.type}/${actor.id}${to === '' ? '' : ` to ${to}`} (${outcome})`;
}

/** What is expected, on one line. */
export function formatExpected(expected: ExpectedEvent): string {
  return Object.entries(expected)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(', ');
}
