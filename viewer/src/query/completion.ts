import { actionVocabulary } from '../../../src/event/index.ts';
import type { Stats } from '../../../src/wire/index.ts';

/** One way to go on typing. */
export interface Completion {
  /** What the word becomes. */
  readonly word: string;
  readonly label: string;
  readonly note: string;
}

const fields: readonly (readonly [string, string])[] = [
  ['actor:', 'who did it: type/id, or id'],
  ['action:', 'what was done: role.*'],
  ['target:', 'what it was done to: type/id, or id'],
  ['outcome:', 'success, failure, denied, unknown'],
  ['severity:', 'info to critical'],
  ['after:', 'from a day or time on'],
  ['before:', 'up to a day or time'],
  ['created:', 'a day, a month: 2026-01, or a range: 2026-01..2026-03'],
  ['ip:', 'address of the client'],
  ['session:', 'id of a session'],
  ['request:', 'id of a request'],
  ['correlation:', 'what belongs together'],
  ['source:', 'service that recorded it'],
  ['id:', 'id of the event'],
];

const values: Readonly<Record<string, readonly string[]>> = {
  outcome: ['success', 'failure', 'denied', 'unknown'],
  severity: ['info', 'low', 'medium', 'high', 'critical'],
};

const COMPLETIONS_MAX = 8;

/** The word around `caret`: a term, with the minus in front left out. */
export function wordAt(q: string, caret: number): { readonly start: number; readonly word: string } {
  const before = q.slice(0, caret);
  const start = Math.max(before.lastIndexOf(' '), before.lastIndexOf('('), -1) + 1;
  const minus = before[start] === '-' ? 1 : 0;
  return { start: start + minus, word: before.slice(start + minus) };
}

/** How the word at the caret may go on: fields, then values, those of this log first. */
export function completionsOf(word: string, stats: Stats | undefined): Completion[] {
  const [, field, rest = ''] = /^([a-z]+):(.*)$/i.exec(word) ?? [];
  if (field === undefined) {
    return fields
      .filter(([name]) => name.startsWith(word.toLowerCase()))
      .map(([name, note]) => ({ word: name, label: name, note }));
  }
  const last = rest.slice(rest.lastIndexOf(',') + 1);
  const head = `${field}:${rest.slice(0, rest.length - last.length)}`;
  return valuesOf(field.toLowerCase(), stats)
    .filter(({ value }) => value !== last && value.toLowerCase().includes(last.toLowerCase()))
    .slice(0, COMPLETIONS_MAX)
    .map(({ value, note }) => ({ word: `${head}${quoted(value)} `, label: value, note }));
}

function valuesOf(
  field: string,
  stats: Stats | undefined,
): readonly { readonly value: string; readonly note: string }[] {
  const counted = (rows: Stats['byAction']) =>
    rows.map(({ value, count }) => ({ value, note: `${count} here` }));
  if (field === 'action') {
    const here = counted(stats?.byAction ?? []);
    const known = new Set(here.map(({ value }) => value));
    const others = actionVocabulary.filter((action) => !known.has(action));
    return [...here, ...others.map((value) => ({ value: value as string, note: '' }))];
  }
  if (field === 'actor') return counted(stats?.byActor ?? []);
  if (field === 'after' || field === 'before' || field === 'created') return days();
  return (values[field] ?? []).map((value) => ({ value, note: '' }));
}

function days(): { value: string; note: string }[] {
  const day = (ago: number): string => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
  return [
    { value: day(0), note: 'today' },
    { value: day(1), note: 'yesterday' },
    { value: day(7), note: 'a week ago' },
    { value: day(30), note: '30 days ago' },
  ];
}

function quoted(value: string): string {
  return /^[\p{L}\p{N}\p{M}._~/@+:=-]+$/u.test(value) ? value : JSON.stringify(value);
}
