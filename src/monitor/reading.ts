import { utf8Encode } from '../bytes/index.ts';
import { isLogError } from '../log/index.ts';
import type { Policy } from '../note/index.ts';
import { type Believed, readHead } from '../verify/index.ts';
import { compareSeen, stampedNotes } from './compare.ts';
import { Deadline, LOOK_TIMEOUT_MS_DEFAULT } from './deadline.ts';
import { isLasting } from './flaws.ts';
import type { Telling } from './found.ts';
import { compareHeld } from './held.ts';
import { type Facts, judgeClock, judgeStamps, judgeWitnesses } from './judge.ts';
import { believedBy, isVouched, type Looked, lookOnce, type SizeNow, sizeBy, timelineOf } from './look.ts';
import { type MonitorOptions, WHOLE_MS_DEFAULT } from './options.ts';
import { judgeOverdue, RETENTION_GRACE_MS_DEFAULT } from './overdue.ts';
import {
  type Cosigned,
  isDamage,
  isFolder,
  openWatched,
  type StampsSeen,
  type WatchedPlace,
  wholeFolder,
} from './places.ts';
import { type MonitorState, originOf } from './state.ts';
import { readWhole, tellingsOf } from './whole.ts';

/** How long it may take to ask for the checkpoint while a look is under way, milliseconds. */
const SIZE_TIMEOUT_MS = 10_000;

/** What was read, before it is judged what of it is new. */
export interface Round {
  readonly tellings: readonly Telling[];
  readonly state: MonitorState;
  readonly isWhole: boolean;
  readonly problem?: string;
}

/** What outside parties have signed of a log, as it is kept beside it. */
interface Outside {
  readonly cosigned: Cosigned;
  readonly stamps: StampsSeen;
}

/** What is read, and when. */
export interface ReadingSettings {
  readonly options: MonitorOptions;
  readonly policy: Policy;
  readonly state: MonitorState;
  /** The monitor's clock before anything is read. */
  readonly nowMs: number;
}

/** One look at a place, from what is remembered to what is to be; what of it is new is judged elsewhere. */
export class Reading {
  readonly #options: MonitorOptions;
  readonly #policy: Policy;
  readonly #state: MonitorState;
  readonly #nowMs: number;
  readonly #deadline: Deadline;
  #believed: Believed | undefined;

  constructor({ options, policy, state, nowMs }: ReadingSettings) {
    this.#options = options;
    this.#policy = policy;
    this.#state = state;
    this.#nowMs = nowMs;
    this.#deadline = new Deadline(options.lookTimeoutMs ?? LOOK_TIMEOUT_MS_DEFAULT);
  }

  /** Whom the log has shown to sign for it by now; undefined until somebody known has signed the checkpoint that is read. */
  get believed(): Believed | undefined {
    return this.#believed;
  }

  /** Reads what is there once. What cannot be read is no error: the round says so. */
  async read(): Promise<Round> {
    const state = this.#state;
    let done: Round = { tellings: [], state, isWhole: false };
    let place: WatchedPlace | undefined;
    try {
      place = await openWatched(this.#options, this.#deadline);
      // What others signed comes first: the log goes on while it is read, and its witnesses with it.
      const outside = await this.#outside(place);
      const looked = await this.#upToStamps(await this.#lookAt(place, state), outside, place);
      const judged = await this.#judge(looked, outside, place);
      const seen = { ...looked, state: { ...looked.state, stampsSeen: outside.stamps.end } };
      // What was found holds, however the rest of the reading ends.
      done = { tellings: [...looked.tellings, ...judged], state: seen.state, isWhole: false };
      const whole = await this.#whole(await this.#judgeRetention(seen, place), place);
      return { ...whole, tellings: [...whole.tellings, ...judged] };
    } catch (error) {
      return await this.#unread(error, done);
    } finally {
      await place?.close();
    }
  }

  #lookAt(place: WatchedPlace, state: MonitorState): Promise<Looked> {
    const isImmediate = isFolder(this.#options);
    const vouched = (believed: Believed): void => {
      this.#believed = believed;
      this.#deadline.vouch();
    };
    this.#deadline.doubt();
    return lookOnce({ place, state, policy: this.#policy, nowMs: this.#nowMs, isImmediate, vouched });
  }

  /** Looks once more where a time-stamp that is trusted is ahead of the checkpoint: what was read of that may be a moment old. */
  async #upToStamps(looked: Looked, { stamps }: Outside, place: WatchedPlace): Promise<Looked> {
    const { note, believed, state, tellings } = looked;
    const stamped = note === undefined ? [] : stampedNotes(stamps.stamped, believed, originOf(state));
    if (stamped.every((one) => (readHead(one)?.size ?? 0) <= state.base.size)) return looked;
    try {
      const later = await this.#lookAt(place, state);
      return { ...later, tellings: [...tellings, ...later.tellings] };
    } catch (error) {
      if (isLogError(error) || isDamage(error)) return looked;
      throw error;
    }
  }

  async #outside(place: WatchedPlace): Promise<Outside> {
    const cosigned = place.cosigned();
    const { stampsSeen = 0 } = this.#state;
    const isAsked = this.#options.maxTimestampAgeMs !== undefined;
    const stamps = isAsked ? await place.stamps(stampsSeen) : { stamped: [], end: stampsSeen };
    return { cosigned, stamps };
  }

  async #judge(
    { state, note, believed, tellings }: Looked,
    { cosigned, stamps: { stamped } }: Outside,
    place: WatchedPlace,
  ): Promise<Telling[]> {
    const facts = this.#facts(state);
    if (note === undefined) return judgeClock(facts);
    const origin = originOf(state);
    const stampedOf = stampedNotes(stamped, believed, origin);
    const compared = [
      ...(await compareSeen({ notes: cosigned.notes, seen: 'witnesses were shown' }, state, place)),
      ...(await compareSeen({ notes: stampedOf, seen: 'was time-stamped' }, state, place)),
    ];
    return [
      ...judgeClock(facts),
      ...compared,
      ...judgeWitnesses([note, ...cosigned.notes], believed, {
        ...facts,
        origin,
        arrivals: cosigned.arrivals,
      }),
      ...([...tellings, ...compared].some(({ code }) => code === 'forked')
        ? []
        : judgeStamps(stamped, { ...facts, origin }, utf8Encode)),
    ];
  }

  async #judgeRetention(looked: Looked, place: WatchedPlace): Promise<Looked> {
    if (looked.note === undefined) return looked;
    return {
      ...looked,
      state: await judgeOverdue(looked.state, place, {
        nowMs: this.#nowMs,
        graceMs: this.#options.retentionGraceMs ?? RETENTION_GRACE_MS_DEFAULT,
      }),
    };
  }

  #facts({ base, recordedAt, retention }: MonitorState): Facts {
    return { nowMs: this.#nowMs, size: base.size, recordedAt, limits: this.#options, times: retention.times };
  }

  /** Compares what others hold, and reads everything, where that is due: what was read before may have been changed since. */
  async #whole(looked: Looked, place: WatchedPlace): Promise<Round> {
    const { note, believed, tellings } = looked;
    if (note === undefined) return { tellings, state: looked.state, isWhole: false };
    const { wholeEveryMs = WHOLE_MS_DEFAULT, held = [] } = this.#options;
    const compared = await compareHeld(held, looked.state, { believed, place });
    const { state } = compared;
    const nowMs = this.#nowMs;
    // A clock that was ahead when everything was read last says nothing.
    const isOld = nowMs - state.wholeAt >= wholeEveryMs || nowMs < state.wholeAt;
    const isDue = wholeEveryMs > 0 && (!state.isWholeIntact || isOld);
    if (!isDue) return { tellings: [...tellings, ...compared.tellings], state, isWhole: false };
    const seen = (head: Uint8Array): void => {
      // Another one may have been put there since.
      if (isVouched(head, this.#believed ?? believed)) this.#deadline.vouch();
      else this.#deadline.doubt();
    };
    const settings = { policy: this.#policy, held, seen };
    let read = await readWhole(place, state, settings);
    let now: Looked = { ...looked, state };
    if (read.isBeyond && !read.isIntact) {
      // Entries that were pruned while they were read: the record is in the log by now.
      const later = await this.#lookAt(place, state);
      const isRecorded = later.state.retention.minimum > state.retention.minimum;
      if (isRecorded) read = await readWhole(place, later.state, settings);
      now = { ...later, tellings: [...tellings, ...later.tellings] };
    }
    const { minimum } = now.state.retention;
    const stays = (flaw: Telling): boolean => isLasting(flaw) || (!read.isWhole && flaw.from < minimum);
    const flaws = now.state.flaws.filter(stays);
    // A reading of everything has compared it, too.
    const others = read.isWhole ? [] : compared.tellings;
    return {
      tellings: [...now.tellings, ...others, ...read.tellings],
      state: { ...now.state, wholeAt: nowMs, isWholeIntact: read.isIntact, flaws },
      isWhole: read.isWhole,
    };
  }

  /** What is there is damaged, or gone, or nobody answers. */
  async #unread(error: unknown, { state, tellings }: Round): Promise<Round> {
    const told = [...tellings, ...judgeClock(this.#facts(state))];
    const round = { state, isWhole: false };
    if (isLogError(error, 'log_missing') && state.base.size > 0) {
      const message = `No log is there any more; ${state.base.size} entries were seen.`;
      const proof = [utf8Encode(state.note)];
      const gone: Telling = { code: 'rolled_back', from: 0, to: state.base.size - 1, message, proof };
      return { ...round, tellings: [...told, gone] };
    }
    if (isDamage(error)) return { ...round, tellings: [...told, ...(await this.#damage(error))] };
    if (!isLogError(error) && (error as NodeJS.ErrnoException).errno === undefined) throw error;
    return { ...round, tellings: told, problem: (error as Error).message };
  }

  async #damage(error: Error): Promise<Telling[]> {
    const to = Math.max(this.#state.base.size - 1, 0);
    const unreadable: Telling = {
      code: 'log_unreadable',
      from: 0,
      to,
      message: `What is there cannot be read as a log: ${error.message}`,
    };
    if (!isFolder(this.#options)) return [unreadable];
    const held = [...(this.#options.held ?? []), ...(this.#state.note === '' ? [] : [this.#state.note])];
    const report = await wholeFolder(this.#options, { policy: this.#policy, held }).catch(() => undefined);
    const tellings = report === undefined ? [] : tellingsOf(report);
    return tellings.length > 0 ? tellings : [unreadable];
  }
}

/** What is asked for the checkpoint by itself. `believed` is what a look that is under way has read of the keys. */
export interface SizeSettings extends Omit<ReadingSettings, 'nowMs'> {
  readonly believed?: Believed | undefined;
}

/** How many entries the log has by the checkpoint that is there now. */
export async function sizeNow({
  options,
  policy,
  state,
  believed = believedBy(policy, timelineOf(state)),
}: SizeSettings): Promise<SizeNow> {
  let place: WatchedPlace | undefined;
  try {
    place = await openWatched(options, new Deadline(SIZE_TIMEOUT_MS));
    return sizeBy(await place.checkpoint(), believed, originOf(state));
  } catch (error) {
    if (isLogError(error) || isDamage(error)) return { signed: 0, claimed: 0 };
    throw error;
  } finally {
    await place?.close();
  }
}
