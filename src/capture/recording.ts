import { misuse } from '../bytes/index.ts';
import { type Actor, type AuditEvent, EventError } from '../event/index.ts';

/**
 * Where an integration records: an embedded log, a log in PostgreSQL and the client of a server are all of this shape. An event whose
 * `actor` nobody named is handed over without one, for a recorder that knows it from its surroundings; a plain log refuses such an event
 * (`event_field_missing`), and so the write that it belongs to fails.
 */
export interface Recorder {
  /** Resolves when the event is recorded, and rejects when it is not. */
  record(event: AuditEvent): Promise<unknown>;
}

/** A recorder that can also record within a transaction of the application's, as `PostgresLog` and `Outbox` can. */
export interface TransactionRecorder extends Recorder {
  /** The event is recorded if and only if the transaction commits. */
  recordIn(transaction: never, event: AuditEvent): Promise<unknown>;
}

/** Who acts: always the same, or asked for at each event. */
export type ActorOption = Actor | (() => Actor | undefined);

/** What is called instead of failing, where something happened and could not be recorded. */
export type OnUnrecorded = (error: unknown, events: readonly AuditEvent[]) => void | Promise<void>;

/** Whether a recorder records within transactions. */
export function recordsInTransactions(recorder: Recorder): recorder is TransactionRecorder {
  return typeof (recorder as Partial<TransactionRecorder>).recordIn === 'function';
}

/** Refuses what is no recorder. Throws `TypeError` `option_invalid`. */
export function checkRecorder(recorder: unknown): asserts recorder is Recorder {
  if (typeof (recorder as Partial<Recorder> | undefined)?.record === 'function') return;
  throw misuse(
    'type',
    'option_invalid',
    'recorder must be a log, a client, or another object with record(event)',
  );
}

/** The actor that an option names now, or undefined. */
export function actorOf(option: ActorOption | undefined): Actor | undefined {
  return typeof option === 'function' ? option() : option;
}

/** An event with its actor where there is one; the type leaves to the recorder what the option did not say. */
export function withActorOf(
  option: ActorOption | undefined,
  event: Omit<AuditEvent, 'actor'> & { readonly actor?: Actor },
): AuditEvent {
  const actor = event.actor ?? actorOf(option);
  const { actor: _, ...rest } = event;
  return (actor === undefined ? rest : { ...rest, actor }) as AuditEvent;
}

/** Whether an action changes who may do what: such a call fails where it cannot be recorded, whatever the options say. */
export function isCritical(action: string): boolean {
  return /^(?:role|permission|policy|api_key)\./.test(action);
}

/**
 * Records what has happened already. If it cannot be recorded, a critical event throws what the recorder threw; so does any other,
 * unless there is an `onError`, which is then called in its place. What is refused for its own sake does not keep the others from
 * being recorded: it is thrown after them.
 */
export async function recordHappened(
  recorder: Recorder,
  events: readonly AuditEvent[],
  onError: OnUnrecorded | undefined,
): Promise<void> {
  const refused: unknown[] = [];
  for (const [at, event] of events.entries()) {
    try {
      await recorder.record(event);
    } catch (error) {
      if (onError !== undefined && !isCritical(event.action)) await onError(error, events.slice(at, at + 1));
      else if (error instanceof EventError) refused.push(error);
      else throw error;
    }
  }
  if (refused.length > 0) throw refused[0];
}
