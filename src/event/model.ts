import type { JsonObject, JsonValue } from '../bytes/index.ts';
import type { Action } from './vocabulary.ts';

/** How the thing that was tried ended. */
export type Outcome = 'success' | 'failure' | 'denied' | 'unknown';

/** How much attention an event deserves. */
export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical';

/** What a log does with an id of a person or thing that looks like an address: chosen when it is created. */
export type PersonalIds = 'refuse' | 'allow' | 'pseudonymise';

/**
 * A value that the caller may hand in where any JSON is welcome. Fields that are `undefined` count as absent.
 */
export type EventValue =
  | null
  | boolean
  | number
  | string
  | readonly EventValue[]
  | { readonly [name: string]: EventValue | undefined };

/**
 * The fields that every person or thing in an event has, and any attributes beside them, each of which is
 * sealed.
 */
export interface Target {
  /** What kind of thing it is: `user`, `document`, `AWS::S3::Bucket`. No slash. */
  readonly type: string;
  /** Your own stable id for it. It can never be erased, so never an e-mail address or a name. */
  readonly id: string;
  readonly name?: EventValue;
  readonly [attribute: string]: EventValue | undefined;
}

/** Who did it. */
export interface Actor extends Target {
  /** For whom the actor acted: the person behind an agent, the one who is impersonated. */
  readonly onBehalfOf?: Target;
}

/** One value that changed. `path` is a JSON pointer into the thing that changed. */
export interface Change {
  readonly path: string;
  readonly from?: EventValue;
  readonly to?: EventValue;
}

/** Where the action came from. More fields are welcome. */
export interface EventContext {
  readonly ip?: string;
  readonly userAgent?: string;
  readonly requestId?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly sessionId?: string;
  readonly location?: EventValue;
  readonly [name: string]: EventValue | undefined;
}

/** What went wrong, where the outcome is not a success. */
export interface EventFailure {
  readonly code?: string;
  readonly message?: string;
}

/**
 * Whose a sealed value is, where the defaults of spec/sealing.md do not fit. Each subject is written
 * `type/id`.
 */
export interface Seal {
  /** JSON pointer to the value within the event. */
  readonly path: string;
  /** The subjects whose erasure erases this value; none: it is never erased. */
  readonly subjects: readonly string[];
}

/** What an application hands in: one thing that happened. Everything but `action` and `actor` is optional. */
export interface AuditEvent {
  /** Your own id, which makes `record` safe to repeat; a UUIDv7 is made if you give none. */
  readonly id?: string;
  /** A lower-case dotted name: `user.signed_in`. `log.*` belongs to the log itself. */
  readonly action: Action;
  readonly actor: Actor;
  /** What it was done to; the first is the primary one. */
  readonly targets?: readonly Target[];
  /** `success` if not given. */
  readonly outcome?: Outcome;
  /** When it happened, by your clock: RFC 3339 with any offset, or a Date. Now, if not given. */
  readonly occurredAt?: string | Date;
  readonly severity?: Severity;
  /** Groups the events of one request or one job. */
  readonly correlationId?: string;
  /** The id of the event that caused this one. */
  readonly causationId?: string;
  /** What changed. Sealed. */
  readonly changes?: readonly Change[];
  /** Where it came from. Sealed. */
  readonly context?: EventContext;
  /** A human's justification. Sealed. */
  readonly reason?: string;
  /** What went wrong. Sealed. */
  readonly error?: EventFailure;
  /** Short pairs to group by. Sealed. */
  readonly labels?: Readonly<Record<string, string | undefined>>;
  /** Anything else. Sealed. */
  readonly metadata?: EventValue;
  /** JSON pointers of values that stay in the open, readable and searchable by everyone for ever. */
  readonly clear?: readonly string[];
  readonly seals?: readonly Seal[];
}

/** Which process handed an event in, and as which of its events; the log writes it. */
export interface EventSource {
  readonly service: string;
  /** A UUID per process start. */
  readonly instance: string;
  /**
   * Counts the events that this instance put into the queue, from 0; null where a database's transactions say
   * what is complete.
   */
  readonly seq: number | null;
  readonly version?: string;
  /** The id of the API key that was used; written by the server alone. */
  readonly credential?: string;
}

/**
 * A person or thing as read back. Attributes that are withheld are missing here and named in
 * `RecordedEvent.withheld`.
 */
export interface RecordedTarget extends JsonObject {
  readonly type: string;
  readonly id: string;
}

/** Who did it, as read back. */
export interface RecordedActor extends RecordedTarget {
  readonly onBehalfOf?: RecordedTarget;
}

/**
 * A sealed value that this reader does not get to see: it was erased, or its disclosure was not handed over.
 */
export interface Withheld {
  /** JSON pointer to the value, or, where its own name is sealed too, to the object that holds it. */
  readonly path: string;
  /** The name of the value within its object, where the entry tells it. */
  readonly name?: string;
  readonly digest: string;
  readonly subjects: readonly string[];
}

/** An event as read back from a log: the entry with its disclosures joined. */
export interface RecordedEvent {
  /** The place in the log, from 0. */
  readonly index: number;
  readonly id: string;
  readonly occurredAt: string;
  /** When the log took it. Never goes back from one index to the next. */
  readonly recordedAt: string;
  readonly action: string;
  readonly outcome: Outcome;
  readonly severity?: Severity;
  readonly actor: RecordedActor;
  readonly targets: readonly RecordedTarget[];
  readonly correlationId?: string;
  readonly causationId?: string;
  readonly reason?: string;
  readonly error?: JsonObject;
  readonly changes?: readonly JsonValue[];
  readonly context?: JsonObject;
  readonly labels?: JsonObject;
  readonly metadata?: JsonValue;
  readonly source: EventSource;
  readonly seals?: readonly Seal[];
  /** Sealed values that are not here. */
  readonly withheld: readonly Withheld[];
  /** Fields that this version does not know, written by a later one. */
  readonly unknown?: JsonObject;
}
