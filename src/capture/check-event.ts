import { withContext } from '../context/index.ts';
import { type AuditEvent, prepareEvent } from '../event/index.ts';
import { systemClock } from '../platform/index.ts';
import type { Recorder } from './recording.ts';

/** Stands for whoever the recorder knows to act, where the event does not say it. */
const somebody = Object.freeze({ type: 'anonymous', id: 'anonymous' });

/**
 * Holds an event to the rules of the log that it will be recorded in, as far as they are known here: those of an open log are; of what
 * stands before another, only those that hold for every log. Throws `EventError`, as recording it would.
 */
export function checkEvent(recorder: Recorder, event: AuditEvent): void {
  // Not `fillEvent`: nothing is recorded here, and a coverage must not count it.
  const filled: Partial<AuditEvent> = withContext(event);
  const log = recorder as { draft?(event: unknown): unknown };
  if (typeof log.draft === 'function') {
    log.draft(filled);
    return;
  }
  const now = systemClock.wall();
  prepareEvent(
    { ...filled, actor: filled.actor ?? somebody },
    {
      id: 'checked',
      occurredAt: new Date(now).toISOString(),
      now,
      source: { service: 'checked', instance: 'checked', seq: null },
      personalIds: 'allow',
    },
  );
}
