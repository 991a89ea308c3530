import { openStateFolder, warn as warnHere } from '#client-state';
import { base64Encode, isLogError, misuse, utf8Encode, VerificationError } from '../bytes/index.ts';
import { type ContextualEvent, currentSource, fillEvent } from '../context/index.ts';
import {
  type Filter,
  type PageOptions,
  prepareEvent,
  type RecordedEvent,
  SeqCounter,
  type SeqRange,
  type sourceActions,
  sourceEvent,
} from '../event/index.ts';
import { type KeyEntry, verifyProof } from '../verify/index.ts';
import { Connection } from './connection.ts';
import { type Delivered, Delivery } from './delivery.ts';
import { History, type SignedTree } from './history.ts';
import {
  type AuditClientOptions,
  checkOptions,
  HEARTBEAT_MS_DEFAULT,
  type OnFailure,
  RETRY_MS_DEFAULT,
  SPOOL_AFTER_MS_DEFAULT,
  SPOOL_EVENTS_MAX,
  TIMEOUT_MS_DEFAULT,
} from './options.ts';
import { Outbox, type Outcome } from './outbox.ts';
import { readAnswer } from './problems.ts';
import { Query } from './query.ts';
import { Reading } from './reading.ts';
import { formatSent, parseSent, type Receipt } from './receipt.ts';
import { every, isoTime, pause, uuidv7, wallMs } from './runtime.ts';
import { keyEntriesOf } from './shown.ts';
import type { ClientState } from './state.ts';

/** The event is on this machine's disk, and will be delivered; there is no receipt yet. */
export interface Spooled {
  readonly id: string;
  readonly isSpooled: true;
}

/** What `record` answers: a receipt; from a client that spools, perhaps that it has the event in its spool. */
export type Recorded<Mode extends OnFailure> = Mode extends 'spool' ? Receipt | Spooled : Receipt;

/** What became of one of many events. */
export type RecordResult<Mode extends OnFailure = 'block'> =
  | { readonly ok: true; readonly receipt: Recorded<Mode> }
  | { readonly ok: false; readonly error: Error };

/** A checkpoint of a log. */
export interface SignedCheckpoint {
  readonly size: number;
  /** Root over all entries, standard base64. */
  readonly root: string;
  /** The signed note (c2sp.org/tlog-checkpoint). */
  readonly note: string;
}

/** Everything that proves one entry, to be handed to whoever asks. */
export interface Proof {
  readonly index: number;
  /** A `.tlog-proof` file (c2sp.org/tlog-proof). */
  readonly proof: string;
  /** The exact bytes of the entry. */
  readonly entry: Uint8Array;
  /** The texts of its disclosures: hand out those that the other side may see. */
  readonly disclosures: readonly string[];
}

/** How long `close` waits for the server to take `source.stopped`, and to tell of a checkpoint, milliseconds each. */
const LAST_MS_MAX = 2_000;

/** A log at a server. Calls may overlap freely. */
export class AuditClient<Mode extends OnFailure = 'block'> {
  /** The verifier key to which everything is held. */
  readonly vkey: string;
  readonly #options: AuditClientOptions<Mode>;
  readonly #log: string;
  readonly #retryMs: number;
  readonly #heartbeatMs: number;
  readonly #connection: Connection;
  readonly #history: History;
  readonly #reading: Reading;
  readonly #outbox: Outbox;
  readonly #instance = uuidv7(wallMs());
  readonly #seq = new SeqCounter();
  #stopHeartbeat: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  /** Throws misuse `option_unknown`, `option_invalid`; `VerificationError` `malformed_key`. Asks nobody yet. */
  constructor(options: AuditClientOptions<Mode>) {
    const place = checkOptions(options);
    const { timeoutMs = TIMEOUT_MS_DEFAULT, onFailure, pseudonymKey, key, vkey } = options;
    const state = typeof options.state === 'string' ? openStateFolder(options.state) : options.state;
    this.vkey = vkey;
    this.#options = options;
    this.#log = place.log;
    this.#retryMs = options.retryMs ?? (onFailure === 'spool' ? SPOOL_AFTER_MS_DEFAULT : RETRY_MS_DEFAULT);
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS_DEFAULT;
    // The runtime's own is called as a function of the global object, which it insists on.
    const fetcher = options.fetch ?? ((input, init) => fetch(input, init));
    const connection = new Connection({ ...place, key, timeoutMs, fetch: fetcher });
    this.#connection = connection;
    const store = state?.checkpoints ?? { read: () => undefined, write: () => true };
    const history = new History({
      vkey,
      store,
      fetchTile: (path) => this.#fetchTile(path),
      fetchKeys: () => this.#fetchKeys(),
    });
    this.#history = history;
    this.#reading = new Reading({
      history,
      log: place.log,
      ask: (path) => this.#ask(path),
      reach: (size) => this.#reach(size),
    });
    this.#outbox = new Outbox({
      delivery: new Delivery({ connection, history, log: place.log, pseudonymKey }),
      retryMs: this.#retryMs,
      restMs: () => connection.restMs,
      openSpool: onFailure === 'spool' ? spoolOf(state) : undefined,
      spoolEventsMax: options.spoolEventsMax ?? SPOOL_EVENTS_MAX,
      closing: connection.closing,
      warn: (message) => this.#warn(message),
      onDelivered: (text, outcome) => this.#noteSpooled(text, outcome),
    });
  }

  /**
   * Records one event. Resolves when the server has it on its disk and in its tree, and this client has verified that; a
   * repeat (same id, same event) resolves with the same `id`, `index` and `leafHash`. A client that spools may resolve with
   * `{ id, isSpooled: true }` instead: then the event is on this machine's disk. What it leaves out of `actor` and `context` is
   * taken from the context around the call (`indelible/context`).
   *
   * Rejects with `EventError` where the event is refused; `VerificationError` where the server's evidence fails, above all
   * `forked`, `rolled_back`, `receipt_invalid`; `LogError`: `id_conflict`, `unreachable`, `overloaded`, `credential_refused`,
   * `spool_full`, `closed`.
   */
  async record(event: ContextualEvent): Promise<Recorded<Mode>> {
    return this.#send(event, true);
  }

  /**
   * Records many events, in their order; each has its own result, and a refused one fails no other. Where more events are
   * handed in than may wait, it waits for room. Never rejects for an event's sake.
   */
  async recordMany(events: Iterable<ContextualEvent>): Promise<RecordResult<Mode>[]> {
    const results: Promise<RecordResult<Mode>>[] = [];
    for (const event of events) {
      if (this.#outbox.isFull) await Promise.race(results.slice(-1));
      results.push(
        this.#send(event, true).then(
          (receipt) => ({ ok: true, receipt }) as const,
          (error: Error) => ({ ok: false, error }) as const,
        ),
      );
    }
    return Promise.all(results);
  }

  /** The event recorded under `id`, proven to be in the log; undefined where the server has none. */
  async get(id: string): Promise<RecordedEvent | undefined> {
    try {
      return (await this.#reading.one(id)).event;
    } catch (error) {
      if (isLogError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Proves an entry under a checkpoint of the server, and verifies the proof. Throws as `record`; `LogError` `not_found`. */
  async prove(entry: string | Receipt): Promise<Proof> {
    const id = typeof entry === 'string' ? entry : entry.id;
    const asked = await this.#history.seen();
    const { entry: bytes, disclosures, index } = (await this.#reading.one(id)).shown;
    const path = `/v1/logs/${this.#log}/events/${encodeURIComponent(id)}/proof`;
    const proof = (await this.#ask(path)).text();
    const note = proof.slice(proof.indexOf('\n\n') + 2);
    // Where the key was replaced since, the one that follows from ours is found here.
    if (proof.includes('\n\n')) await this.#history.open(note);
    const { timeline } = this.#history;
    const verdict = verifyProof({
      proof: utf8Encode(proof),
      entry: bytes,
      policy: { vkey: this.vkey },
      ...(timeline !== undefined && { timeline }),
    });
    const isMeant = typeof entry === 'string' || base64Encode(verdict.leafHash) === entry.leafHash;
    if (verdict.index !== index || !isMeant) {
      const message = `The server proves another entry than that of ${id}.`;
      throw new VerificationError('receipt_invalid', message, { id, index: verdict.index });
    }
    await this.#history.admit({ size: verdict.size, root: verdict.root, note }, { asked });
    return { index, proof, entry: bytes, disclosures };
  }

  /** Searches: iterate over it, newest first, or take it page by page. Every event that it gives is proven to be in the log. */
  query(query: string | Filter = '', options: PageOptions = {}): Query {
    return new Query({ reading: this.#reading, history: this.#history }, query, options);
  }

  /** The server's newest checkpoint, held to the last one that was seen. */
  async checkpoint(): Promise<SignedCheckpoint> {
    const { size, root, note } = await this.#newest();
    return { size, root: base64Encode(root), note };
  }

  /** Events that wait in the spool. */
  get spooled(): number {
    return this.#outbox.spooled;
  }

  /**
   * Waits for everything that was handed in, says `source.stopped`, keeps the last checkpoint. What is in the spool stays
   * there for the next client with this state. Idempotent. Rejects with `VerificationError` `forked` where another client has
   * kept a checkpoint of another history meanwhile.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#stopHeartbeat?.();
    await this.#outbox.drained();
    if (this.#stopHeartbeat !== undefined && !this.#outbox.isSpooling) {
      // A server that is away is not waited for: its silence says as much as this event would.
      await Promise.race([this.#frame('stopped'), pause(LAST_MS_MAX, this.#connection.closing)]);
    }
    // What is kept may be another client's by now, and only the server has the tiles to compare.
    const kept = this.#history.flush();
    await Promise.race([kept.catch(() => {}), pause(LAST_MS_MAX, this.#connection.closing)]);
    this.#connection.close();
    await this.#outbox.close();
    await this.#outbox.closeSpool();
    await kept.then(() => this.#history.flush()).catch(ignoreAway);
  }

  async #send(given: ContextualEvent, isCounted: boolean): Promise<Recorded<Mode>> {
    const now = wallMs();
    // The client's own frames are nobody's deed.
    const { event, names: filled } = isCounted ? fillEvent(given) : { event: given, names: [] };
    const id = (event as { id?: string } | undefined)?.id ?? uuidv7(now);
    const handedInAt = isoTime(now);
    const { pseudonymKey } = this.#options;
    const version = this.#options.version ?? currentSource().version;
    const seq = isCounted ? this.#seq.next : null;
    const source = { instance: this.#instance, seq, ...(version === undefined ? {} : { version }) };
    // Checked here as the server will check it: a bad event is refused alone, and before it takes a number.
    prepareEvent(event, {
      id,
      occurredAt: handedInAt,
      now,
      source: { service: 'client', ...source },
      personalIds: pseudonymKey === undefined ? 'allow' : 'pseudonymise',
      ...(pseudonymKey === undefined ? {} : { pseudonymKey }),
    });
    const claim = { ...source, handedInAt, ...(filled.length > 0 && { filled }) };
    const outcome = this.#outbox.push(formatSent(event as object, id, claim));
    if (seq !== null) this.#seq.take();
    if (isCounted) this.#beginFrames();
    return this.#settled(id, seq, await outcome);
  }

  #settled(id: string, seq: number | null, outcome: Outcome): Recorded<Mode> {
    if (outcome.ok === 'spooled') return { id, isSpooled: true } as Recorded<Mode>;
    this.#note(seq, outcome);
    if (outcome.ok) return outcome.receipt as Recorded<Mode>;
    throw outcome.error;
  }

  /** A number for which no entry comes is told in the next frame. Of what nobody answered, nobody knows. */
  #note(seq: number | null, outcome: Delivered): void {
    if (seq === null) return;
    if (outcome.ok ? outcome.isRepeat : !isLogError(outcome.error, 'unreachable')) this.#seq.void(seq);
  }

  #noteSpooled(text: string, outcome: Delivered): void {
    const { source } = parseSent(text);
    if (source.instance === this.#instance) this.#note(source.seq, outcome);
  }

  /** The first event brings `source.started` along. */
  #beginFrames(): void {
    if (this.#stopHeartbeat !== undefined || this.#heartbeatMs === 0 || this.#closing !== undefined) return;
    this.#stopHeartbeat = every(this.#heartbeatMs, () => {
      // While the server is away its silence is the message; late heartbeats would say nothing.
      if (!this.#outbox.isSpooling) void this.#frame('heartbeat');
    });
    void this.#frame('started');
  }

  async #frame(kind: keyof typeof sourceActions): Promise<void> {
    const unrecorded: SeqRange[] = this.#seq.takeUnrecorded();
    const { last } = this.#seq;
    const frame = { instance: this.#instance, seq: last, unrecorded, everyMs: this.#heartbeatMs };
    try {
      await this.#send(sourceEvent(kind, frame), false);
    } catch {
      // Whatever is wrong, the events themselves meet it too, and their callers hear of it.
      this.#seq.putBack(unrecorded);
    }
  }

  /** Sees to it that the tree that was seen last holds so many entries. */
  async #reach(size: number): Promise<void> {
    const seen = await this.#history.seen();
    if (seen !== undefined && seen.size >= size) return;
    const { size: found } = await this.#newest();
    if (found >= size) return;
    const message = `The server shows an entry at ${size - 1}, and signs a tree of ${found}.`;
    throw new VerificationError('inclusion_invalid', message, { index: size - 1, size: found });
  }

  async #newest(): Promise<SignedTree> {
    const asked = await this.#history.seen();
    const note = (await this.#ask(`/logs/${this.#log}/checkpoint?newest=true`)).text();
    const tree = await this.#history.open(note);
    await this.#history.admit(tree, { asked });
    return tree;
  }

  async #fetchTile(path: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#ask(`/logs/${this.#log}/${path}`)).bytes;
    } catch (error) {
      if (isLogError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** The entries from which the log's keys follow. An older server does not tell. */
  async #fetchKeys(): Promise<readonly KeyEntry[]> {
    let text: string;
    try {
      text = (await this.#ask(`/v1/logs/${this.#log}/keys`)).text();
    } catch (error) {
      if (isLogError(error, 'not_found')) return [];
      throw error;
    }
    return keyEntriesOf(readAnswer(text));
  }

  #ask(path: string): ReturnType<Connection['ask']> {
    return this.#connection.ask({ path, untilMs: wallMs() + this.#retryMs });
  }

  #warn(message: string): void {
    (this.#options.warn ?? warnHere)(message);
  }
}

function spoolOf(state: ClientState | undefined): NonNullable<ClientState['openSpool']> {
  const open = state?.openSpool;
  if (open !== undefined) return () => open.call(state);
  throw misuse('type', 'option_invalid', 'state has no openSpool, which onFailure: spool needs');
}

/** A last checkpoint that could not be held to what another client has kept is not kept in its place. */
function ignoreAway(error: unknown): void {
  if (!isLogError(error, 'closed') && !isLogError(error, 'unreachable')) throw error;
}
