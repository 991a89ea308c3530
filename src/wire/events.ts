import type { AuditEvent, RecordedEvent } from '../event/index.ts';
import type { Problem } from './problem.ts';

/** The bytes of one entry, for a reader who checks. */
export interface EntryWire {
  readonly index: number;
  /** The exact bytes, standard base64; the leaf is `SHA-256(0x00 || entry)`. */
  readonly entry: string;
  /** The texts of the disclosures that this reader may see. */
  readonly disclosures: readonly string[];
}

/** An event as a server opens it; with `include=entry`, the bytes beside it, from which a reader opens it again. */
export interface EventWire extends RecordedEvent {
  /** SHA-256 of the leaf, standard base64. */
  readonly leafHash: string;
  readonly bytes?: Pick<EntryWire, 'entry' | 'disclosures'>;
}

/** `GET /v1/logs/{log}/events`. */
export interface EventPage {
  /** Newest first. */
  readonly events: readonly EventWire[];
  /** Continues behind the last event. */
  readonly next?: string;
  /** The page covers the first so many entries. */
  readonly complete: number;
  readonly size: number;
}

/**
 * Which event of which process this is, as the sender counts. `service` and `credential` are not the sender's to say: they
 * follow from its key. An event that comes without it gets the server's own instance, and `seq: null`.
 */
export interface SourceClaim {
  /** A UUID of the sending process's start. */
  readonly instance: string;
  /** Counts what this instance was handed, from 0; null for events that nobody counts. */
  readonly seq: number | null;
  readonly version?: string;
  /**
   * When the sender was handed the event: `occurredAt` where the event itself does not say. An event out of a spool arrives
   * late, and this does not count as given when a repeat is compared.
   */
  readonly handedInAt?: string;
  /**
   * The fields of the event's `context` that stand there because of the request in which it was recorded, at most 32. Another
   * request that repeats the event may bring others, and they do not count when a repeat is compared.
   */
  readonly filled?: readonly string[];
}

/** One event in the body of `POST /v1/logs/{log}/events`: alone, in an array, or a line of NDJSON. */
export type SentEvent = AuditEvent & { readonly source?: SourceClaim };

/** What `record` answers; see `Receipt` of the log. */
export interface ReceiptWire {
  readonly id: string;
  readonly index: number;
  readonly leafHash: string;
  readonly checkpoint: string;
  /** With `?prove=true`: a `.tlog-proof` file under that checkpoint, and the bytes that it proves. */
  readonly proof?: string;
  readonly bytes?: Pick<EntryWire, 'entry' | 'disclosures'>;
}

/** What became of one event of many. */
export type EventResult =
  | { readonly ok: true; readonly receipt: Omit<ReceiptWire, 'checkpoint'> }
  | { readonly ok: false; readonly problem: Problem };

/** The answer to many events: their results in order, and one checkpoint that covers all that were recorded. */
export interface RecordAnswer {
  readonly results: readonly EventResult[];
  /** Absent where none was recorded. */
  readonly checkpoint?: string;
}

/** One bar of the histogram: from `from` (included) on, as wide as `Stats.bucketMs`. */
export interface StatsBucket {
  readonly from: string;
  readonly count: number;
  /** Of these, outcomes other than success. */
  readonly unsuccessful: number;
}

/** `GET /v1/logs/{log}/stats`: counts over the events that match `q`. */
export interface Stats {
  readonly total: number;
  readonly complete: number;
  readonly size: number;
  readonly byAction: readonly { readonly value: string; readonly count: number }[];
  readonly byActor: readonly { readonly value: string; readonly count: number }[];
  readonly byOutcome: readonly { readonly value: string; readonly count: number }[];
  readonly bucketMs: number;
  readonly buckets: readonly StatsBucket[];
  /** The times of the first and the last event that were counted, and of the whole log. */
  readonly from?: string;
  readonly to?: string;
  /**
   * False where counting stopped at a limit, so that the counts are of the newest events; or where the query asks for words,
   * targets or sources, of which the index may count a few too many.
   */
  readonly isExact: boolean;
}

/** The data of a server-sent `event` of `GET /v1/logs/{log}/stream`; its `id` is the index. */
export type StreamEvent = EventWire;
