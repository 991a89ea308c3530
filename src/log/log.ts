import { base64Encode } from '../bytes/index.ts';
import type { ContextualEvent } from '../context/index.ts';
import {
  type AuditEvent,
  type Draft,
  disclosedEvent,
  type Filter,
  type RecordedEvent,
} from '../event/index.ts';
import { hashLeaf } from '../merkle/index.ts';
import type { Policy } from '../note/index.ts';
import { systemClock } from '../platform/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';
import type { Tier } from '../wire/index.ts';
import { checkFolder, checkId, checkProvable, checkRange } from './arguments.ts';
import type { LogReport, VerifyOptions } from './audit.ts';
import type { Backup } from './backup.ts';
import type { Intake } from './commit.ts';
import {
  archiveKeysOf,
  checkSubject,
  type DiscloseOptions,
  type EraseOptions,
  type ErasureResult,
  Erasures,
  eventsOf,
  Holds,
} from './erasure/index.ts';
import { type EvidenceSelection, type EvidenceWriting, takeEvidence } from './evidence/index.ts';
import { FollowerRunner, type FollowerStatus } from './followers/index.ts';
import type { KeyHistory } from './log-timeline.ts';
import { type OpenOptions, warnOf } from './options.ts';
import type { LogHome } from './paths.ts';
import { Query, type QueryOptions } from './query.ts';
import type { Proof, SignedCheckpoint } from './reader.ts';
import type { ReaderHandle } from './reader-thread.ts';
import {
  type Behalf,
  type FreshReceipt,
  freshReceipts,
  type Receipt,
  type RecordResult,
  type WitnessedOptions,
} from './receipt.ts';
import { isoTime, Recording } from './recording.ts';
import { Retention } from './retention/index.ts';
import { tierOf } from './tier.ts';
import { tierFacts } from './tier-facts.ts';
import type { TierCircumstances } from './tier-model.ts';
import { lookInFolders, type PlaceLook } from './tier-places.ts';
import { type TimestampResult, Timestamps } from './timestamps.ts';
import { walk } from './walk.ts';
import { WITNESSED_WAIT_MS_DEFAULT, type WitnessedBy, Witnessing } from './witnessing.ts';
import type { WriterHandle } from './writer-thread.ts';

/** A log that is open. Made by `createLog` and `openLog`; calls may overlap freely. */
export class Log {
  readonly dir: string;
  readonly origin: string;
  /** The verifier key of the key that signed when the log was opened; {@link keys} tells who signs now. */
  readonly vkey: string;
  /** Extensions that tail the log from a durable cursor. */
  readonly followers: FollowerRunner;
  /** Legal holds: what may not be erased, nor removed by retention, for as long as they are in force. */
  readonly holds: Holds;
  /** How long sealed values are kept: the policy, and its application. */
  readonly retention: Retention;
  readonly #home: LogHome;
  readonly #writer: WriterHandle | undefined;
  readonly #reader: ReaderHandle;
  readonly #recording: Recording;
  readonly #timestamps: Timestamps;
  readonly #erasures: Erasures;
  readonly #witnessing: Witnessing | undefined;
  #closing: Promise<void> | undefined;

  /** @internal Use `openLog`. */
  constructor(parts: {
    home: LogHome;
    options: OpenOptions;
    instance: string;
    writer: WriterHandle | undefined;
    reader: ReaderHandle;
    settings?: WitnessedBy | undefined;
    warn: (message: string) => void;
  }) {
    const { home, options, instance, writer, reader, settings, warn } = parts;
    this.dir = home.dir;
    this.#home = home;
    this.#writer = writer;
    this.#reader = reader;
    this.origin = reader.identity.origin;
    this.vkey = reader.identity.vkey;
    this.followers = new FollowerRunner(reader, home.followers, { warn });
    this.#timestamps = new Timestamps({ home, given: options.timestamps, reader, warn: warnOf(options) });
    if (writer !== undefined) this.#timestamps.follow(this.followers);
    const record = (event: AuditEvent): Promise<Receipt> => this.recordOwn(event);
    this.holds = new Holds(reader, record);
    const removing = { reader, writer, followers: this.followers, outOfReach: home.outOfReach };
    const requireOpen = (): void => this.#recording.requireOpen();
    this.#erasures = new Erasures({ ...removing, keys: archiveKeysOf(home.dir, options.subjectKeys) });
    this.retention = new Retention({ ...removing, record, requireOpen, anchors: home.anchors });
    this.#witnessing =
      settings && new Witnessing(settings, { home, reader, warn, isWritten: writer !== undefined });
    this.#witnessing?.start(this.followers, settings!, { options, record, warn });
    this.#recording = new Recording({
      ...{ options, instance, writer, personalIds: reader.identity.personalIds, wake: () => reader.wake() },
      fresh: freshReceipts((receipt, wait) => this.witnessed(receipt, wait)),
    });
  }

  /**
   * Records one event. Resolves when it is on the disk and in the tree; a repeat (same id, same event)
   * resolves with the same `id`, `index` and `leafHash`. What it leaves out of `actor` and `context` is taken from the context
   * around the call (`indelible/context`); what was taken from there does not tell a repeat from another event.
   *
   * Rejects with `EventError` where the event is refused (nothing was recorded), and with `LogError`:
   * `id_conflict`, `overloaded` and `disk_full` (retryable; nothing was recorded), `outcome_unknown` (open the
   * log again and repeat with the same id), `closed`, `read_only`.
   */
  record(event: ContextualEvent): Promise<FreshReceipt> {
    return this.#recording.record(event);
  }

  /**
   * Records many events, in their order; each has its own result, and a refused one fails no other.
   * Sent together, they share transactions. Where more events are handed in than may wait, it waits for room.
   * Never rejects for an event's sake.
   */
  recordMany(events: Iterable<ContextualEvent>): Promise<RecordResult[]> {
    return this.#recording.recordMany(events);
  }

  /**
   * Records an event that came through a server: `source` says from whom. As {@link record}.
   * @internal
   */
  recordFor(event: unknown, behalf: Behalf): Promise<Receipt> {
    return this.#recording.for(event, behalf);
  }

  /**
   * Records an entry of the log's own, `log.viewed` and the like. As {@link record}.
   * @internal
   */
  recordOwn(event: AuditEvent): Promise<Receipt> {
    return this.#recording.own(event);
  }

  /**
   * The reading half, for what a server hands on: rows, tiles, bundles.
   * @internal
   */
  get reader(): ReaderHandle {
    return this.#reader;
  }

  /**
   * The file with what outside parties have signed; '' where there is none.
   * @internal
   */
  get anchorsPath(): string {
    return this.#home.anchors;
  }

  /**
   * Whether nothing is left but to close it and open it again: its writer does not know what it wrote, or its thread has ended.
   * @internal
   */
  get isLost(): boolean {
    return this.#recording.isLost || this.#reader.isLost();
  }

  /**
   * Events that wait to be recorded, and are under way.
   * @internal
   */
  get waiting(): number {
    return this.#recording.waiting;
  }

  /**
   * The draft of an event that is recorded later, by whoever holds the log then: as {@link record} would make it.
   * @internal
   */
  draft(...given: Parameters<Recording['draft']>): Draft {
    return this.#recording.draft(...given);
  }

  /**
   * Records what an intake has, in its turn. Answers how many events that were.
   * @internal
   */
  take(intake: Intake): Promise<number> {
    return this.#recording.take(intake);
  }

  /** The event recorded under `id`, or undefined. */
  async get(id: string): Promise<RecordedEvent | undefined> {
    checkId(id);
    return this.#reader.get(id);
  }

  /**
   * Proves an entry: under the newest checkpoint that the quorum of witnesses has cosigned, if it covers the entry; else under the
   * newest. Throws `LogError` `not_found`, `log_damaged`; `rolled_back` where the log is shorter than what was cosigned.
   */
  async prove(entry: string | Receipt): Promise<Proof> {
    checkProvable(entry);
    const under = this.#witnessing?.newest()?.note;
    if (typeof entry === 'string') return this.#reader.proveId(entry, under);
    return this.#proveReceipt(entry, under);
  }

  /**
   * Proves the entry at an index, as {@link prove}.
   * @internal
   */
  async proveAt(index: number): Promise<Proof> {
    return this.#reader.prove(index, this.#witnessing?.newest()?.note);
  }

  async #proveReceipt(entry: Receipt, under?: string): Promise<Proof> {
    const proof = await this.#reader.prove(entry.index, under);
    if (base64Encode(hashLeaf(proof.entry)) === entry.leafHash) return proof;
    throw new LogError('log_damaged', `the entry at ${entry.index} is not the one that the receipt is for`, {
      hint: 'the history was rewritten, or the receipt is of another log: run verify with it held',
    });
  }

  /**
   * Waits until the quorum of the log's witnesses has cosigned a checkpoint that covers the entry of a receipt, and that it is this
   * entry which it covers. Answers the receipt under that checkpoint. Throws `LogError` `not_witnessed` (retryable) after
   * `timeoutMs`, `no_witnesses`, `log_damaged`.
   */
  async witnessed(receipt: Receipt, options: WitnessedOptions = {}): Promise<Receipt> {
    checkProvable(receipt);
    const { timeoutMs = WITNESSED_WAIT_MS_DEFAULT } = options;
    const { note } = await this.#witnesses().until(receipt.index + 1, timeoutMs);
    await this.#proveReceipt(receipt, note);
    return { id: receipt.id, index: receipt.index, leafHash: receipt.leafHash, checkpoint: note };
  }

  /** The policy that names the log's witnesses; undefined where it has none. */
  get witnessPolicy(): Policy | undefined {
    return this.#witnessing?.policy;
  }

  /** Searches: iterate over it, newest first, or take it page by page. See `docs/query.md` for the language. */
  query(query: string | Filter = '', options: QueryOptions = {}): Query {
    return new Query(this.#reader, query, options);
  }

  /**
   * Entries as they are stored, ascending, up to the size at the first read: every one of them. Throws `LogError` `log_damaged`
   * at the first that is missing.
   */
  async *entries(range: { readonly from?: number; readonly to?: number } = {}): AsyncGenerator<StoredEntry> {
    checkRange(range);
    const { size } = await this.checkpoint();
    const to = Math.min(range.to ?? size, size);
    yield* walk(this.#reader, range.from ?? 0, to);
  }

  /** Who signs the log and who did, and the entries that say so. */
  keys(): Promise<KeyHistory> {
    return this.#reader.keys();
  }

  /**
   * The newest checkpoint; with `witnessed`, the newest that the quorum of witnesses has cosigned, cosignatures included. Throws
   * `LogError` `no_witnesses`; `not_witnessed` where there is none yet.
   */
  async checkpoint(options: { readonly witnessed?: boolean } = {}): Promise<SignedCheckpoint> {
    if (options.witnessed !== true) return this.#reader.checkpoint();
    return this.#witnesses().until(0, 0);
  }

  /**
   * Erases everything sealed that is about a subject: values and salts leave the log, the search index and its files, and a
   * `log.erased` entry says so, with counts and a digest. Every hash and proof stays. Ids, actions, times, outcomes and the log's own
   * entries are never erased. It is looked for in every entry, never in an index, and answers when every follower has passed the
   * entry, or names those that have not.
   *
   * Throws a misuse `option_invalid`, `option_unknown`; `LogError` `held` where a legal hold covers a value (nothing was erased),
   * `log_damaged`, `read_only`, and what `record` throws.
   */
  async erase(options: EraseOptions): Promise<ErasureResult> {
    this.#recording.requireOpen();
    return this.#erasures.erase(options);
  }

  /**
   * Everything that is held about a subject, oldest first: events that name it, with its own sealed values, for a request of access.
   * A `log.exported` entry says so, also where the reader stops in between.
   */
  async *disclose(subject: string, options: DiscloseOptions = {}): AsyncGenerator<RecordedEvent> {
    checkSubject(subject);
    if (this.#writer === undefined)
      throw new LogError('read_only', 'a disclosure is recorded: open to write');
    let events = 0;
    let isWhole = false;
    try {
      for await (const event of eventsOf(this.#reader, subject)) {
        events += 1;
        yield event;
      }
      isWhole = true;
    } finally {
      await this.recordOwn(disclosedEvent(subject, options, { events, isWhole }));
    }
  }

  /**
   * Ends erasures that a process began and did not finish.
   * @internal
   */
  finishErasures(): Promise<void> {
    return this.#erasures.finish();
  }

  /** Audits the whole log: every byte that readers see is read again. Reports; throws only where it cannot read. */
  verify(options: VerifyOptions = {}): Promise<LogReport> {
    return this.#home.verify(options);
  }

  /**
   * Evidence of what a query finds, or of some entries: the pieces of one JSON file (spec/evidence.md), as text. It is signed by the
   * log's key, and that it was taken is recorded as `log.exported`. Throws `LogError` `read_only`, `not_found`, `index_behind`,
   * `evidence_too_large`, `evidence_outdated`, `log_damaged`, `rolled_back`, `io_failed`.
   */
  evidence(selection: EvidenceSelection, writing: EvidenceWriting): AsyncGenerator<string> {
    const settings = () => this.#timestamps.settings();
    const parties = { anchors: this.anchorsPath, witnessing: this.#witnessing, settings };
    const { sealEvidence: seal } = this.#writer ?? {};
    const recordOwn = (event: AuditEvent): Promise<Receipt> => this.recordOwn(event);
    const log = { reader: this.#reader, origin: this.origin, now: () => isoTime(systemClock.wall()) };
    return takeEvidence({ ...log, parties, seal, recordOwn }, selection, writing);
  }

  /** Copies the log, online and consistent, without any private key, into a folder that must not hold a log. */
  async backup(dir: string): Promise<Backup> {
    checkFolder(dir);
    return this.#home.backup(dir);
  }

  /**
   * What vouches for this log, and what each adversary could still do to it unseen: computed out of what is there, never claimed. It
   * verifies what outside parties signed, and holds it against the log; it does not read every entry, which {@link verify} does. A
   * server says what else it knows of the log. Of places where it is published, `look` looks at what they hold: folders if not given.
   */
  async tier(served?: TierCircumstances, look: PlaceLook = lookInFolders): Promise<Tier> {
    const facts = await tierFacts({
      ...{ home: this.#home, reader: this.#reader, origin: this.origin, look },
      checkpoint: await this.checkpoint(),
      settings: () => this.#timestamps.settings(),
      now: systemClock.wall(),
    });
    return tierOf(facts, served);
  }

  /** Shows the newest checkpoint to every witness now, once; also where the log is open for reading. Throws `LogError` `no_witnesses`. */
  witnessNow(options: Parameters<Witnessing['now']>[0] = {}): Promise<FollowerStatus[]> {
    return this.#witnesses().now(options);
  }

  /**
   * Has every time-stamping authority of this log's settings sign the newest checkpoint now. Answers for each what came of it: one that
   * fails fails no other. The token is verified and kept. Works on a log that was opened for reading, too.
   */
  timestampNow(): Promise<TimestampResult[]> {
    return this.#timestamps.now();
  }

  /** Answers everything that was recorded, moves the mark, releases threads and files. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#recording.close().then(() => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.followers.stop();
    this.#timestamps.close();
    this.#witnessing?.close();
    await this.#reader.close();
    await this.#writer?.close();
  }

  #witnesses(): Witnessing {
    if (this.#witnessing !== undefined) return this.#witnessing;
    throw new LogError('no_witnesses', 'this log has no witnesses', {
      hint: 'indelible witness add URL VKEY --log DIR, or the option witnesses',
    });
  }
}
