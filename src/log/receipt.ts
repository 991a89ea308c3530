import type { Waiter } from './queue.ts';

/**
 * What `record` answers: the event is durable and part of the tree. Plain data: keep it, send it, print it.
 * Whoever holds a receipt can tell a log that was rewritten.
 */
export interface Receipt {
  readonly id: string;
  readonly index: number;
  /** SHA-256 of the leaf, standard base64. */
  readonly leafHash: string;
  /** A signed checkpoint that covers the event (c2sp.org/tlog-checkpoint). */
  readonly checkpoint: string;
}

/** A receipt fresh from `record`, which can be waited upon. Printed, sent or compared it is a plain {@link Receipt}. */
export interface FreshReceipt extends Receipt {
  /** The receipt under a checkpoint that the quorum of the log's witnesses has cosigned: see `Log.witnessed`. */
  witnessed(options?: WitnessedOptions): Promise<Receipt>;
}

/** How long to wait for witnesses. */
export interface WitnessedOptions {
  /** Milliseconds. */
  readonly timeoutMs?: number;
}

/** What became of one of many events. */
export type RecordResult =
  | { readonly ok: true; readonly receipt: FreshReceipt }
  | { readonly ok: false; readonly error: Error };

/** On whose behalf a server records an event. */
export interface Behalf {
  /** What `source.service` says. */
  readonly service: string;
  /** The public id of the credential that was used. Another one's repeat of an id is a conflict. */
  readonly credential?: string;
  /** The start of the process that the event comes from, and its count there; without them nothing is counted. */
  readonly counted?: { readonly instance: string; readonly seq: number | null; readonly version?: string };
  /** The fields of its `context` that the sender's surroundings wrote, and not the caller. */
  readonly filled?: readonly string[];
  /** When it happened, if the event does not say: RFC 3339, UTC, milliseconds. Now, if not given. */
  readonly occurredAt?: string;
}

/** Waits for one event, and makes its receipt. */
export class One implements Waiter {
  readonly #id: string;
  readonly #resolve: (receipt: Receipt) => void;
  readonly refused: (error: unknown) => void;

  constructor(id: string, resolve: (receipt: Receipt) => void, reject: (error: unknown) => void) {
    this.#id = id;
    this.#resolve = resolve;
    this.refused = reject;
  }

  recorded(index: number, leafHash: string, checkpoint: string): void {
    this.#resolve({ id: this.#id, index, leafHash, checkpoint });
  }
}

/** Waits for witnesses on behalf of a receipt. */
export type AwaitWitnesses = (receipt: Receipt, options?: WitnessedOptions) => Promise<Receipt>;

/**
 * Makes receipts fresh: they can be waited upon, and are plain data all the same. One function for all of them, since a receipt is
 * made for every event.
 */
export function freshReceipts(wait: AwaitWitnesses): (receipt: Receipt) => FreshReceipt {
  const descriptor: PropertyDescriptor = {
    value: function (this: Receipt, options?: WitnessedOptions): Promise<Receipt> {
      return wait(this, options);
    },
  };
  return (receipt) => Object.defineProperty(receipt, 'witnessed', descriptor) as FreshReceipt;
}
