import type { RecordedEvent, SealedField } from '../../../src/event/index.ts';
import type { Hash } from '../../../src/merkle/index.ts';

/** What this browser remembers of a log between visits: never an event, only how far its tree had come. */
export interface SeenCheckpoint {
  readonly size: number;
  /** Standard base64. */
  readonly root: string;
  /** When it was seen, by this machine's clock. */
  readonly at: string;
}

/** A checkpoint whose signature held under the pinned key. */
export interface SignedHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** The signed note, as it came. */
  readonly note: string;
  /** Signatures besides the log's own that verified, and those that the note bears in all besides it. */
  readonly witnessed: number;
  readonly witnesses: number;
}

/** What was found of the log as a whole. */
export type HeadVerdict =
  | {
      readonly state: 'sealed';
      readonly head: SignedHead;
      /** The checkpoint of an earlier visit, which this one was shown to continue; undefined on the first visit. */
      readonly continues: SeenCheckpoint | undefined;
    }
  | { readonly state: 'broken'; readonly code: string; readonly message: string }
  | { readonly state: 'unreachable'; readonly message: string };

/** One row, as the server sent it. Nothing of it is believed. */
export interface Row {
  readonly index: number;
  /** Standard base64. */
  readonly entry: string;
  readonly disclosures: readonly string[];
}

/** What was found of one row. */
export type RowVerdict =
  /** These bytes stand at this index under a signed checkpoint. */
  | { readonly state: 'sealed'; readonly size: number; readonly leafHash: string }
  /** No checkpoint that covers it has come yet. */
  | { readonly state: 'pending' }
  | { readonly state: 'broken'; readonly code: string; readonly message: string }
  /** Nothing speaks against it, but the evidence could not be had. */
  | { readonly state: 'unchecked'; readonly message: string };

/** A row as this page has opened it, beside what it found. */
export interface CheckedRow {
  readonly index: number;
  readonly verdict: RowVerdict;
  /** Read from the bytes by this page; undefined where they cannot be read. */
  readonly event: RecordedEvent | undefined;
  readonly fields: readonly SealedField[];
}
