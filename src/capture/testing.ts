import { AssertionError } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEntry, parseEntry, type RecordedEvent } from '../event/index.ts';
import { systemClock } from '../platform/index.ts';
import type { StoredEntry } from '../store/index.ts';
import { differences, type ExpectedEvent, formatEvent, formatExpected } from './expected-event.ts';

export type { ExpectedEvent, ExpectedValue } from './expected-event.ts';
export { type MemoryLogOptions, openMemoryLog } from './memory-log.ts';
export { serializeSnapshot, snapshotSerializer, stable } from './snapshot.ts';

/** How long an assertion waits for an event that may be recorded once an answer is out, milliseconds. */
export const WAIT_MS_DEFAULT = 1_000;

/** Events that a failure lists. */
const LISTED_MAX = 20;

/** Whatever shows its entries: a log, or what has one (`PostgresLog`). */
export type ReadableLog =
  | { entries(): AsyncIterable<StoredEntry> }
  | { readonly log: { entries(): AsyncIterable<StoredEntry> } };

/** How an assertion looks. */
export interface ExpectOptions {
  /** How often it must have been recorded, exactly. At least once, if not given. */
  readonly times?: number;
  /** How long to wait for it. Default {@link WAIT_MS_DEFAULT}. */
  readonly waitMs?: number;
}

/** Every event of a log that the application recorded, in order: not those of the log itself, nor its sources' signs of life. */
export async function recordedEvents(log: ReadableLog): Promise<RecordedEvent[]> {
  const source = 'entries' in log ? log : log.log;
  const events: RecordedEvent[] = [];
  for await (const { entry, disclosures, index } of source.entries()) {
    const { event } = openEntry(parseEntry(entry), disclosures, index);
    if (!/^(?:log|source)\./.test(event.action)) events.push(event);
  }
  return events;
}

/**
 * Asserts that an event was recorded that has at least what is expected, and answers it: the first, where there are several. An
 * actor or a target may be written `user/u_42`; a regular expression fits a text. Throws `AssertionError`, which shows the nearest
 * event, and what differs.
 */
export async function expectRecorded(
  log: ReadableLog,
  expected: ExpectedEvent,
  options: ExpectOptions = {},
): Promise<RecordedEvent> {
  const { times, waitMs = WAIT_MS_DEFAULT } = options;
  const until = systemClock.monotonic() + waitMs;
  for (;;) {
    const events = await recordedEvents(log);
    const fitting = events.filter((event) => differences(event, expected).length === 0);
    const isEnough = times === undefined ? fitting.length > 0 : fitting.length === times && times > 0;
    if (isEnough) return fitting[0]!;
    const isTooMany = times !== undefined && fitting.length > times;
    if (isTooMany || systemClock.monotonic() >= until) throw missing(expected, { events, fitting, times });
    await sleep(10);
  }
}

/**
 * Asserts that no event was recorded that has what is described. What is recorded once an answer is out may come later: `waitMs`
 * says how long to look on, by default not at all.
 */
export async function expectNotRecorded(
  log: ReadableLog,
  unexpected: ExpectedEvent,
  options: { readonly waitMs?: number } = {},
): Promise<void> {
  const until = systemClock.monotonic() + (options.waitMs ?? 0);
  for (;;) {
    const fitting = (await recordedEvents(log)).filter(
      (event) => differences(event, unexpected).length === 0,
    );
    if (fitting.length > 0) {
      const lines = [
        'An event was recorded that should not be:',
        ...fitting.slice(0, LISTED_MAX).map(listed),
      ];
      throw new AssertionError({
        message: lines.join('\n'),
        actual: fitting[0],
        expected: undefined,
        operator: 'expectNotRecorded',
        stackStartFn: expectNotRecorded,
      });
    }
    if (systemClock.monotonic() >= until) return;
    await sleep(10);
  }
}

interface Found {
  readonly events: readonly RecordedEvent[];
  readonly fitting: readonly RecordedEvent[];
  readonly times: number | undefined;
}

function missing(expected: ExpectedEvent, { events, fitting, times }: Found): AssertionError {
  const nearest = [...events].sort(
    (one, other) => differences(one, expected).length - differences(other, expected).length,
  )[0];
  const lines =
    fitting.length > 0
      ? [`An event was recorded ${fitting.length} times, not ${times}:`, `  ${formatExpected(expected)}`]
      : ['No such event was recorded:', `  ${formatExpected(expected)}`];
  if (fitting.length === 0 && nearest !== undefined) {
    lines.push(`The nearest is entry ${nearest.index}, ${formatEvent(nearest)}, which differs:`);
    lines.push(...differences(nearest, expected).map((difference) => `  ${difference}`));
  }
  lines.push(events.length === 0 ? 'Nothing was recorded at all.' : `Recorded in all, ${events.length}:`);
  lines.push(...events.slice(0, LISTED_MAX).map(listed));
  if (events.length > LISTED_MAX) lines.push(`  and ${events.length - LISTED_MAX} more`);
  return new AssertionError({
    message: lines.join('\n'),
    actual: fitting.length > 0 ? fitting : nearest,
    expected,
    operator: 'expectRecorded',
    stackStartFn: expectRecorded,
  });
}

function listed(event: RecordedEvent): string {
  return `  ${event.index}: ${formatEvent(event)}`;
}
