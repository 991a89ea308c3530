import type { JsonValue } from '../bytes/index.ts';
import type { RecordedEvent } from '../event/index.ts';
import { type Painter, type Shown, type Style, show } from './terminal.ts';

/*
 * How a person reads an event: what happened and how it ended first, who and to what next, the details, and the raw
 * values never far away (`show --json`).
 */

const outcomeStyles: Readonly<Record<string, Style>> = { success: 'green', failure: 'yellow', denied: 'red' };

/** The outcome in its colour. */
export function paintOutcome(outcome: string, paint: Painter): Shown {
  const style = Object.hasOwn(outcomeStyles, outcome) ? outcomeStyles[outcome] : undefined;
  return paint(style ?? 'dim', outcome);
}

/** Time as people read it: 2026-01-12 08:01:12.480, always UTC. */
export function readableTime(time: string): string {
  return time.replace('T', ' ').replace(/Z$/, '');
}

interface Named {
  readonly type: string;
  readonly id: string;
  readonly name?: unknown;
  readonly onBehalfOf?: Named;
}

/** `user/u_42 “Ada”`, and on whose behalf. */
export function nameOf(thing: Named): string {
  const name = typeof thing.name === 'string' ? ` “${thing.name}”` : '';
  const behalf = thing.onBehalfOf === undefined ? '' : ` for ${nameOf(thing.onBehalfOf)}`;
  return `${thing.type}/${thing.id}${name}${behalf}`;
}

const shownAbove = new Set([
  'v',
  'id',
  'index',
  'action',
  'outcome',
  'actor',
  'targets',
  'occurredAt',
  'recordedAt',
  'severity',
  'withheld',
]);
const labelWidth = 13;

function row(label: string, value: string | Shown, paint: Painter): Shown {
  return show`  ${paint('dim', label.padEnd(labelWidth))} ${value}`;
}

/** The lines of one event, whole. */
export function eventLines(event: RecordedEvent, paint: Painter): Shown[] {
  const severity = event.severity === undefined ? show`` : show` · ${event.severity}`;
  const lines = [show`${paint('bold', event.action)} · ${paintOutcome(event.outcome, paint)}${severity}`];
  lines.push(row('index', String(event.index), paint), row('id', event.id, paint));
  lines.push(row('occurred', `${readableTime(event.occurredAt)} UTC`, paint));
  lines.push(row('recorded', `${readableTime(event.recordedAt)} UTC`, paint));
  lines.push(row('actor', nameOf(event.actor as Named), paint), ...attributeRows(event.actor, paint));
  for (const target of event.targets) {
    lines.push(row('target', nameOf(target as Named), paint), ...attributeRows(target, paint));
  }
  for (const [field, value] of Object.entries(event)) {
    if (!shownAbove.has(field) && value !== undefined) lines.push(...fieldRows(field, value, paint));
  }
  for (const { path } of event.withheld ?? []) {
    lines.push(row('withheld', paint('yellow', `${path}: sealed, its value is not here`), paint));
  }
  return lines;
}

/** One row for a plain value, one for each member of an object, one for each change. */
function fieldRows(field: string, value: JsonValue, paint: Painter): Shown[] {
  if (field === 'changes' && Array.isArray(value)) {
    return value.map((change: JsonValue, place) =>
      row(place === 0 ? field : '', changeWords(change, paint), paint),
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [row(field, plain(value), paint)];
  }
  return Object.entries(value).map(([name, inner], place) =>
    row(place === 0 ? field : '', show`${paint('dim', name)} ${plain(inner)}`, paint),
  );
}

/** `/status "draft" → "review"`. */
function changeWords(change: JsonValue, paint: Painter): Shown {
  const { path, from, to } = change as { readonly [name: string]: JsonValue | undefined };
  const side = (value: JsonValue | undefined): string =>
    value === undefined ? 'nothing' : JSON.stringify(value);
  return show`${paint('dim', plain(path ?? ''))} ${side(from)} → ${side(to)}`;
}

function plain(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function attributeRows(thing: object, paint: Painter): Shown[] {
  return Object.entries(thing)
    .filter(([name]) => !['type', 'id', 'name', 'onBehalfOf'].includes(name))
    .map(([name, value]) =>
      row(
        '',
        show`${paint('dim', name)} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
        paint,
      ),
    );
}
