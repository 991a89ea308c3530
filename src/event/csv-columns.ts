import type { JsonValue } from '../bytes/index.ts';
import type { RecordedEvent } from './model.ts';

type Cell = string | number | undefined;

/** One column of the export: its name, and what it takes from an event. */
interface CsvColumn {
  readonly name: string;
  readonly of: (event: RecordedEvent) => Cell;
}

function member(value: JsonValue | undefined, name: string): Cell {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return cell((value as Record<string, JsonValue>)[name]);
}

function cell(value: JsonValue | undefined): Cell {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
}

const columns: readonly CsvColumn[] = [
  { name: 'index', of: (event) => event.index },
  { name: 'id', of: (event) => event.id },
  { name: 'occurred_at', of: (event) => event.occurredAt },
  { name: 'recorded_at', of: (event) => event.recordedAt },
  { name: 'action', of: (event) => event.action },
  { name: 'outcome', of: (event) => event.outcome },
  { name: 'severity', of: (event) => event.severity },
  { name: 'actor_type', of: (event) => event.actor.type },
  { name: 'actor_id', of: (event) => event.actor.id },
  { name: 'actor_name', of: (event) => member(event.actor, 'name') },
  {
    name: 'on_behalf_of',
    of: ({ actor }) => actor.onBehalfOf && `${actor.onBehalfOf.type}/${actor.onBehalfOf.id}`,
  },
  { name: 'target_type', of: (event) => event.targets[0]?.type },
  { name: 'target_id', of: (event) => event.targets[0]?.id },
  { name: 'target_name', of: (event) => member(event.targets[0], 'name') },
  { name: 'targets', of: (event) => event.targets.map(({ type, id }) => `${type}/${id}`).join(' ') },
  { name: 'ip', of: (event) => member(event.context, 'ip') },
  { name: 'user_agent', of: (event) => member(event.context, 'userAgent') },
  { name: 'request_id', of: (event) => member(event.context, 'requestId') },
  { name: 'session_id', of: (event) => member(event.context, 'sessionId') },
  { name: 'correlation_id', of: (event) => event.correlationId },
  { name: 'causation_id', of: (event) => event.causationId },
  { name: 'reason', of: (event) => cell(event.reason) },
  { name: 'error_code', of: (event) => member(event.error, 'code') },
  { name: 'error_message', of: (event) => member(event.error, 'message') },
  { name: 'changes', of: (event) => cell(event.changes) },
  { name: 'labels', of: (event) => cell(event.labels) },
  { name: 'metadata', of: (event) => cell(event.metadata) },
  { name: 'service', of: (event) => event.source.service },
  { name: 'withheld', of: ({ withheld }) => withheld.map(({ path }) => path).join(' ') || undefined },
];

/** The names of the columns of a CSV export, in order. */
export const csvColumns: readonly string[] = columns.map(({ name }) => name);

/** One event as the cells of {@link csvColumns}. What is sealed and not here is empty, and named under `withheld`. */
export function csvRow(event: RecordedEvent): Cell[] {
  return columns.map((column) => column.of(event));
}
