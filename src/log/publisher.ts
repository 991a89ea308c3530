import { askWitness, type WitnessAnswer, type WitnessFetch, type WitnessRecord } from '../anchor/index.ts';
import { base64Decode, utf8Encode } from '../bytes/index.ts';
import { type AuditEvent, witnessRefusedEvent } from '../event/index.ts';
import type { Hash } from '../merkle/index.ts';
import { openNote, type Policy, parseNote, satisfiesPolicy, withSignatures } from '../note/index.ts';
import { type Clock, TIMER_MS_MAX, uuidv7 } from '../platform/index.ts';
import { isLogError } from '../store/index.ts';
import type { AnchorHandle } from './anchor-thread.ts';
import type { FollowerStatus, LeaseTask, LeaseTurn } from './followers/index.ts';
import { Party } from './party.ts';
import type { SignedCheckpoint } from './reader.ts';
import type { Growth } from './under.ts';

/** How often the newest checkpoint is shown to witnesses at most, milliseconds. */
export const PUBLISH_MS_DEFAULT = 1_000;

/** How old the cosignature of a witness becomes before it is asked for another one, though the log has not grown: a day, milliseconds. */
export const COSIGN_REFRESH_MS_DEFAULT = 86_400_000;

/** How often the publisher looks for something new, milliseconds. */
const POLL_MS = 250;

/** How often published checkpoints are thinned: once in so many rounds. */
const THIN_ROUNDS = 64;

/** Requests of one witness about one checkpoint: the second says what the first was told of sizes. */
const REQUESTS_MAX = 3;

/** What a {@link Publisher} works with. */
export interface PublisherParts {
  readonly policy: Policy;
  readonly openStore: () => Promise<AnchorHandle>;
  readonly source: {
    checkpoint(): Promise<SignedCheckpoint>;
    proveGrowth(growth: Growth): Promise<Hash[]>;
    keys(): Promise<{ readonly vkey: string }>;
  };
  /** Records an entry of the log's own; absent where only reading is allowed: whoever opens the log to write records it then. */
  readonly record?: (event: AuditEvent) => Promise<unknown>;
  /** The log's own ML-DSA-44 signature under a checkpoint, where it has a key for it: a line. */
  readonly cosign?: ((text: string) => string) | undefined;
  readonly fetch: WitnessFetch;
  readonly timeoutMs: number;
  readonly everyMs: number;
  readonly refreshMs: number;
  readonly clock: Clock;
  readonly warn: (message: string) => void;
}

type WitnessRefusalKind = NonNullable<WitnessRecord['refusal']>['kind'];

/** A checkpoint on its way to the witnesses. */
interface Target {
  readonly size: number;
  readonly root: Hash;
  readonly rootText: string;
  /** As the log signs it: what witnesses are shown. */
  readonly note: Uint8Array;
}

/**
 * Shows the newest checkpoint to the witnesses of a policy and keeps what they sign.
 *
 * It goes in rounds, because a quorum has to sign one and the same checkpoint: all witnesses that are free are asked at once, and
 * the round ends when the quorum has signed or all have answered. Whoever takes longer holds up nobody: it is left to finish, and
 * is free again afterwards. A witness that is away is asked again later and later; one that holds another history is never asked
 * again: that is an alarm, an entry, and a matter for people.
 *
 * `record` knows nothing of all this.
 */
export class Publisher implements LeaseTask {
  readonly #parts: PublisherParts;
  readonly #parties: readonly Party[];
  #store: Promise<AnchorHandle> | undefined;
  #rounds = 0;
  #lastRound = Number.NEGATIVE_INFINITY;
  #logSize = 0;
  #isFailing: { error: unknown; attempts: number } | undefined;
  #isHolding = false;
  #wake: (() => void) | undefined;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#parties = Party.ofPolicy(parts.policy);
  }

  async run({ isHolding, signal }: LeaseTurn): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (!signal.aborted) {
      this.#isHolding = isHolding();
      if (!this.#isHolding) {
        await this.#pause(POLL_MS, signal);
        continue;
      }
      try {
        await this.#round(signal);
        this.#isFailing = undefined;
      } catch (error) {
        this.#isFailing = { error, attempts: (this.#isFailing?.attempts ?? 0) + 1 };
        // The thread ended: another one takes its place.
        if (isLogError(error, 'worker_failed')) this.#store = undefined;
        await this.#pause(Math.min(60_000, POLL_MS * 2 ** this.#isFailing.attempts), signal);
      }
    }
    await Promise.all(this.#parties.map(({ asking }) => asking));
    await this.#store?.then((store) => store.close()).catch(() => {});
    this.#store = undefined;
  }

  wake(): void {
    this.#wake?.();
  }

  list(): FollowerStatus[] {
    return this.#parties.map((party) => party.status(this.#logSize, this.#isHolding, this.#isFailing));
  }

  /** Shows the newest checkpoint to every witness now, once, and says how each stands then. Not beside {@link run}. */
  async once(): Promise<FollowerStatus[]> {
    const store = await this.#opened();
    try {
      await this.#settleRefusals(store);
      const head = await this.#parts.source.checkpoint();
      this.#logSize = head.size;
      this.#isHolding = true;
      const target = await this.#publish(store, head);
      const { signal } = new AbortController();
      const asked = this.#parties.filter(({ isFinal }) => !isFinal);
      await Promise.all(asked.map((party) => this.#ask(party, target, signal)));
      return this.list();
    } finally {
      await store.close();
      this.#store = undefined;
    }
  }

  /** Shows one checkpoint to every witness that is free and has not signed it. */
  async #round(signal: AbortSignal): Promise<void> {
    const { clock, everyMs, source, refreshMs } = this.#parts;
    const store = await this.#opened();
    await this.#settleRefusals(store);
    const due = this.#lastRound + everyMs - clock.monotonic();
    if (due > 0) return this.#pause(due, signal);
    const head = await source.checkpoint();
    this.#logSize = head.size;
    const now = clock.monotonic();
    const stale = clock.wall() - refreshMs;
    const free = this.#parties.filter((party) => party.isFree(now) && !party.isFresh(head.size, stale));
    if (free.length === 0) return this.#pause(POLL_MS, signal);
    this.#lastRound = now;
    const target = await this.#publish(store, head);
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked = free.map((party) => {
      const asking = this.#ask(party, target, signal).then((note) => {
        if (note !== undefined && this.#isWitnessed(note)) resolve();
      });
      party.begin(asking);
      return asking;
    });
    await Promise.race([promise, Promise.all(asked)]);
    this.#rounds += 1;
    if (this.#rounds % THIN_ROUNDS === 0) await store.thinPublished();
  }

  /** Keeps the checkpoint before anybody sees it: what was shown outside is not forgotten here. */
  async #publish(store: AnchorHandle, { size, root, note: text }: SignedCheckpoint): Promise<Target> {
    const { cosign, clock } = this.#parts;
    const signed = utf8Encode(text);
    const own = cosign === undefined ? [] : [cosign(parseNote(signed).text)];
    const known = await store.publishedFrom(size);
    // An ML-DSA signature differs each time that it is made: one is enough.
    const isKnown = known?.size === size;
    await store.addSignatures({ size, note: signed, at: clock.wall() }, isKnown ? [] : own);
    return { size, root: base64Decode(root), rootText: root, note: withSignatures(signed, own) };
  }

  /** Asks one witness. Answers the note with what it signed, or undefined. Never rejects. */
  async #ask(party: Party, target: Target, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { clock } = this.#parts;
    try {
      return await this.#converse(party, target, signal);
    } catch (error) {
      if (!signal.aborted) party.failed((error as Error).message, clock.monotonic());
      return undefined;
    }
  }

  async #converse(party: Party, target: Target, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { clock, source } = this.#parts;
    for (let request = 0; request < REQUESTS_MAX; request++) {
      const oldSize = party.size;
      if (oldSize > target.size) return this.#isAhead(party, target);
      const proof = await source.proveGrowth({ from: oldSize, to: target.size, root: target.root });
      const answer = await this.#send(party, { oldSize, proof, note: target.note }, signal);
      if (answer.kind === 'cosigned') return this.#keep(party, target, answer.lines);
      if (answer.kind === 'fork') return this.#alarm(party, 'fork', target);
      if (answer.kind === 'unknown') await this.#forgotten(party, target);
      if (answer.kind !== 'size') {
        if (!signal.aborted) party.answered(answer, clock.monotonic());
        return undefined;
      }
      party.size = answer.size;
    }
    party.failed('it names another size each time', clock.monotonic());
    return undefined;
  }

  #send(
    { url, keys }: Party,
    question: { oldSize: number; proof: readonly Hash[]; note: Uint8Array },
    signal: AbortSignal,
  ): Promise<WitnessAnswer> {
    const { fetch, timeoutMs } = this.#parts;
    return askWitness({ ...question, url, keys, fetch, signal, timeoutMs });
  }

  async #keep(party: Party, target: Target, lines: readonly string[]): Promise<Uint8Array> {
    const { clock } = this.#parts;
    const at = clock.wall();
    // Read now that they are here: what is not in the log yet comes after them, however long they took.
    const logSize = await this.#sizeNow();
    const store = await this.#opened();
    const note = await store.addSignatures({ size: target.size, note: target.note, at }, lines, logSize);
    await store.putWitness({ url: party.url, size: target.size, at });
    if (party.refusal !== undefined) this.#parts.warn(`the witness ${party.name} cosigns the log again`);
    party.cosigned(target.size, at);
    return note;
  }

  /** How many entries the log has; undefined where that cannot be read, which costs no signature. */
  async #sizeNow(): Promise<number | undefined> {
    try {
      return (await this.#parts.source.checkpoint()).size;
    } catch {
      return undefined;
    }
  }

  /** It has seen more than it was shown: by another process of this log a moment ago, or of a history that is gone. */
  async #isAhead(party: Party, target: Target): Promise<undefined> {
    const { size } = await this.#parts.source.checkpoint();
    if (party.size > size) await this.#alarm(party, 'ahead', target);
  }

  async #alarm(party: Party, kind: 'fork' | 'ahead', target: Target): Promise<undefined> {
    await this.#keepRefusal(party, kind, target);
    const holds =
      kind === 'fork'
        ? `another history of this log than the one here, of ${target.size} entries`
        : `${party.size} entries of this log, and here are ${target.size}`;
    this.#parts.warn(`the witness ${party.name} holds ${holds}: run verify`);
    await this.#recordRefusal(party);
  }

  /** It does not know the log, or the key that signs it now: told once, until it cosigns again. */
  async #forgotten(party: Party, target: Target): Promise<void> {
    if (party.refusal !== undefined) return;
    const { vkey } = await this.#parts.source.keys();
    await this.#keepRefusal(party, 'unknown', target);
    this.#parts.warn(
      `the witness ${party.name} does not know the key that signs this log, and cosigns nothing: give whoever runs it ${vkey}`,
    );
    await this.#recordRefusal(party);
  }

  /** Kept before it is told: it stays so, whatever happens to this process now. */
  async #keepRefusal(party: Party, kind: WitnessRefusalKind, { note }: Target): Promise<void> {
    const at = this.#parts.clock.wall();
    const refusal = { kind, entry: uuidv7(at), note };
    const record: WitnessRecord = { url: party.url, size: party.size, refusal, at };
    await (await this.#opened()).putWitness(record);
    party.refuse(record);
  }

  /** Refusals of which the log has no entry yet: the process that saw them may have died before. */
  async #settleRefusals(store: AnchorHandle): Promise<void> {
    for (const party of this.#parties) {
      await party.load(store);
      if (party.refusal !== undefined && !party.isRecorded) await this.#recordRefusal(party);
    }
  }

  async #recordRefusal(party: Party): Promise<void> {
    const { refusal, name, url } = party;
    if (refusal === undefined || party.isRecorded) return;
    const { record } = this.#parts;
    if (record === undefined) return;
    // Whoever never knew the log has not changed its mind.
    if (refusal.kind === 'unknown' && party.size === 0) return;
    const [, size = '', root = ''] = parseNote(refusal.note).text.split('\n');
    const { kind, entry } = refusal;
    try {
      const event = witnessRefusedEvent({ witness: name, url, kind, size: Number(size), root });
      await record({ ...event, id: entry });
    } catch (error) {
      // It was recorded before, in other words: by a process that died before it knew.
      if (!isLogError(error, 'id_conflict')) return;
    }
    party.isRecorded = true;
  }

  #isWitnessed(note: Uint8Array): boolean {
    const { policy } = this.#parts;
    return satisfiesPolicy(
      policy,
      openNote(
        note,
        policy.witnesses.map(({ key }) => key),
      ),
    );
  }

  /** One that could not be opened is opened anew the next time. */
  #opened(): Promise<AnchorHandle> {
    this.#store ??= this.#parts.openStore().catch((error: unknown) => {
      this.#store = undefined;
      throw error;
    });
    return this.#store;
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX)).unref();
      this.#wake = done;
    });
  }
}
