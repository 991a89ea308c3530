import type { Spooled } from '../client/index.ts';
import type { ContextualEvent } from '../context/index.ts';
import type { Receipt } from '../log/index.ts';

/** What to do with an event that cannot be recorded now: fail, or keep it on this machine's disk until it can. Never drop it. */
export type OnFailure = 'block' | 'spool';

/** How one event is recorded. */
export interface RecordOptions {
  /** For this call alone; else what its action says, else what the recorder says. */
  readonly onFailure?: OnFailure;
}

/** What `record` answers: the receipt; or that the event is on this machine's disk and will be delivered. */
export type Recorded = Receipt | Spooled;

/** Anything that records: a log in a folder or in PostgreSQL, the client of a server, a recorder, a catalogue bound to one of them. */
export interface AuditLog {
  record(event: ContextualEvent, options?: RecordOptions): Promise<Recorded>;
}

/** Whether a log has a place for events that cannot be recorded now. */
export function canSpool(log: object): boolean {
  return (log as { readonly canSpool?: unknown }).canSpool === true;
}
