import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { base64Encode, hexEncode, LogError, misuse, sha256, utf8Decode, utf8Encode } from '../bytes/index.ts';
import { isLogError } from '../log/index.ts';
import type { Policy } from '../note/index.ts';
import { type Clock, createExclusive, systemClock } from '../platform/index.ts';
import { type Held, policyOf, readHead, type Trust } from '../verify/index.ts';
import { compareSeen, stampedNotes } from './compare.ts';
import { isLasting, standingTellings } from './flaws.ts';
import { type Found, found, type Telling } from './found.ts';
import { type Facts, judgeClock, judgeStamps, judgeWitnesses, type Limits } from './judge.ts';
import { type Looked, lookOnce } from './look.ts';
import { beginnings } from './notices.ts';
import { judgeOverdue, overdueTellings, RETENTION_GRACE_MS_DEFAULT } from './overdue.ts';
import {
  type Cosigned,
  isDamage,
  isFolder,
  openWatched,
  type PlaceSettings,
  type StampsSeen,
  type WatchedPlace,
  wholeFolder,
} from './places.ts';
import { type MonitorState, newState, StateFile, WAITING_MAX } from './state.ts';
import { pauseAfter, Webhook, type WebhookOptions } from './webhook.ts';
import { readWhole, tellingsOf } from './whole.ts';

/** How often everything is read again, milliseconds. */
export const WHOLE_MS_DEFAULT = 86_400_000;

/** How a log is watched. */
export interface MonitorOptions extends PlaceSettings, Limits {
  /** The log's key, or a policy, from somewhere else than the log. */
  readonly trust: Trust;
  /** The file in which the monitor remembers; made where there is none, and the monitor says so. */
  readonly state: string;
  /** Receipts and checkpoints that somebody else kept: compared whenever everything is read. */
  readonly held?: readonly Held[];
  /** How often everything is read again, milliseconds; 0: never. {@link WHOLE_MS_DEFAULT} by default. */
  readonly wholeEveryMs?: number;
  /** How long a value may stay after the policy of retention has it go, milliseconds. {@link RETENTION_GRACE_MS_DEFAULT} by default. */
  readonly retentionGraceMs?: number;
  readonly webhook?: WebhookOptions;
  readonly clock?: Pick<Clock, 'wall'>;
}

/** What one look has shown. Plain data. */
export interface LookReport {
  readonly at: string;
  readonly origin: string;
  /** Whether the log could be read. */
  readonly isReached: boolean;
  /** Why not. */
  readonly problem?: string;
  /** How much of the log is authenticated. */
  readonly size: number;
  /** How many entries are new. */
  readonly added: number;
  /** `recordedAt` of the newest entry; empty where there is none. */
  readonly recordedAt: string;
  readonly isWhole: boolean;
  /** How many findings hold now, told or not. */
  readonly holds: number;
  /** What is to be told now: what is new, and what an earlier look found and did not live to tell. */
  readonly tell: readonly Found[];
  /** Findings that the webhook has not taken yet. */
  readonly waiting: number;
}

/** What was read, before it is judged what of it is new. */
interface Round {
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

/**
 * Follows a log that others run, and remembers what it saw. Calls do not overlap.
 *
 * Each look reads the checkpoint and the entries behind those that are known, and believes them once they give, with what was
 * authenticated before, the root that a key of the log has signed. What does not hold is found again by every look: nothing that is
 * wrong becomes the measure. The order is: remember, tell, deliver; whoever dies in between tells it when it is started again.
 */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #policy: Policy;
  readonly #file: StateFile;
  readonly #webhook: Webhook | undefined;
  readonly #clock: Pick<Clock, 'wall'>;
  #state: MonitorState;

  /**
   * Opens a monitor. Throws `LogError` `state_invalid` for a state that was damaged, or is of another log or key; a misuse
   * `option_invalid` for limits that this place cannot meet.
   */
  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#policy = policyOf(options.trust);
    this.#clock = options.clock ?? systemClock;
    this.#webhook = options.webhook && new Webhook(options.webhook);
    checkOptions(options, this.#policy);
    this.#file = new StateFile(options.state);
    const vkeys = this.#policy.logs.map(({ key }) => key.text).sort();
    const origin = this.#policy.logs[0]!.key.name;
    const kept = this.#file.load();
    if (kept !== undefined && (kept.origin !== origin || kept.vkeys.join('\n') !== vkeys.join('\n'))) {
      const message = `the state ${options.state} is of the log ${kept.origin} with the key ${kept.vkeys.join(', ')}, not of what was given`;
      const hint = 'give the key with which it began, or each log and key a state of its own';
      throw new LogError('state_invalid', message, { hint });
    }
    this.#state = kept ?? newState(vkeys, origin);
  }

  /** What is remembered. */
  get state(): MonitorState {
    return this.#state;
  }

  /** Looks once. What it found is remembered before it returns. Throws `LogError` `state_invalid`, and what writing the state throws. */
  async look(): Promise<LookReport> {
    const nowMs = this.#clock.wall();
    const before = this.#state;
    const round = await this.#read(nowMs);
    const isReached = round.problem === undefined;
    const evidenceOf = (telling: Telling): Found =>
      found(telling, { origin: before.origin, at: nowMs, evidence: this.#keep(telling) });
    const tellings = [
      ...beginnings(before, round.state, nowMs),
      ...round.tellings,
      ...standingTellings(round.state),
      ...overdueTellings(round.state, this.#graceMs),
    ];
    const all = [...new Map(tellings.map(evidenceOf).map((one) => [one.id, one])).values()];
    const known = new Set([...before.standing, ...before.untold.map(({ id }) => id)]);
    const fresh = all.filter(({ id }) => !known.has(id));
    // What could not be looked at holds on.
    const standing = [...new Set([...(isReached ? [] : before.standing), ...all.map(({ id }) => id)])];
    const untold = [...before.untold, ...fresh];
    const sent =
      this.#webhook === undefined ? [] : fresh.map((one) => ({ found: one, attempts: 0, notBefore: 0 }));
    const waiting = [...before.waiting, ...sent];
    const over = Math.max(0, untold.length - WAITING_MAX);
    this.#save({
      ...round.state,
      standing: standing.slice(0, WAITING_MAX),
      untold: untold.slice(0, WAITING_MAX),
      waiting: waiting.slice(0, WAITING_MAX),
      omitted: before.omitted + over,
    });
    const { base, recordedAt } = this.#state;
    return {
      at: new Date(nowMs).toISOString(),
      origin: before.origin,
      isReached,
      ...(round.problem !== undefined && { problem: round.problem }),
      size: base.size,
      added: base.size - before.base.size,
      recordedAt,
      isWhole: round.isWhole,
      holds: all.filter(({ kind }) => kind === 'finding').length,
      tell: this.#state.untold,
      waiting: this.#state.waiting.length,
    };
  }

  /** When the webhook is to be tried next, milliseconds since the epoch; undefined where nothing waits for it. */
  get nextDeliveryMs(): number | undefined {
    const { waiting } = this.#state;
    return waiting[0]?.notBefore;
  }

  /** Takes in that what the last look gave to tell has been told. */
  told(): void {
    if (this.#state.untold.length > 0) this.#save({ ...this.#state, untold: [], omitted: 0 });
  }

  /** Sends what the webhook has not taken yet and is due. Returns how much is left, and why the first of it was not taken. */
  async deliver(): Promise<{ readonly left: number; readonly problem?: string }> {
    const waiting = [...this.#state.waiting];
    let problem: string | undefined;
    // They keep their order: where one is not taken, all that follow wait with it.
    while (waiting.length > 0 && problem === undefined && this.#webhook !== undefined) {
      const { found: first, attempts, notBefore } = waiting[0]!;
      const nowMs = this.#clock.wall();
      if (notBefore > nowMs) break;
      problem = await this.#send(first, nowMs);
      if (problem === undefined) waiting.shift();
      else waiting[0] = { found: first, attempts: attempts + 1, notBefore: nowMs + pauseAfter(attempts + 1) };
    }
    if (this.#state.waiting.length > 0) this.#save({ ...this.#state, waiting });
    return { left: waiting.length, ...(problem !== undefined && { problem }) };
  }

  async #send(one: Found, nowMs: number): Promise<string | undefined> {
    try {
      await this.#webhook!.deliver(one, nowMs);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #save(state: MonitorState): void {
    this.#state = this.#file.save(state);
  }

  async #read(nowMs: number): Promise<Round> {
    const state = this.#state;
    let place: WatchedPlace | undefined;
    try {
      place = await openWatched(this.#options);
      // What others signed comes first: the log goes on while it is read, and its witnesses with it.
      const outside = await this.#outside(place);
      const looked = await this.#lookAt(place, state, nowMs);
      const judged = await this.#judge(looked, outside, { place, nowMs });
      const seen = { ...looked, state: { ...looked.state, stampsSeen: outside.stamps.end } };
      const whole = await this.#whole(await this.#judgeRetention(seen, place, nowMs), place, nowMs);
      return { ...whole, tellings: [...whole.tellings, ...judged] };
    } catch (error) {
      return await this.#unread(error, nowMs);
    } finally {
      await place?.close();
    }
  }

  #lookAt(place: WatchedPlace, state: MonitorState, nowMs: number): Promise<Looked> {
    const isImmediate = isFolder(this.#options);
    return lookOnce({ place, state, policy: this.#policy, nowMs, isImmediate });
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
    { place, nowMs }: { readonly place: WatchedPlace; readonly nowMs: number },
  ): Promise<Telling[]> {
    const facts = this.#facts(state, nowMs);
    if (note === undefined) return judgeClock(facts);
    const { origin } = state;
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

  get #graceMs(): number {
    return this.#options.retentionGraceMs ?? RETENTION_GRACE_MS_DEFAULT;
  }

  async #judgeRetention(looked: Looked, place: WatchedPlace, nowMs: number): Promise<Looked> {
    if (looked.note === undefined) return looked;
    return { ...looked, state: await judgeOverdue(looked.state, place, { nowMs, graceMs: this.#graceMs }) };
  }

  #facts({ base, recordedAt, retention }: MonitorState, nowMs: number): Facts {
    return { nowMs, size: base.size, recordedAt, limits: this.#options, times: retention.times };
  }

  /** Reads everything, where that is due: what was read before may have been changed since. */
  async #whole(looked: Looked, place: WatchedPlace, nowMs: number): Promise<Round> {
    const { state, note } = looked;
    const { wholeEveryMs = WHOLE_MS_DEFAULT, held = [] } = this.#options;
    // A clock that was ahead when everything was read last says nothing.
    const isOld = nowMs - state.wholeAt >= wholeEveryMs || nowMs < state.wholeAt;
    const isDue = wholeEveryMs > 0 && (!state.isWholeIntact || isOld);
    if (!isDue || note === undefined) return { tellings: looked.tellings, state, isWhole: false };
    const settings = { policy: this.#policy, held };
    let read = await readWhole(place, state, settings);
    let now = looked;
    if (read.isBeyond && !read.isIntact) {
      // Entries that were pruned while they were read: the record is in the log by now.
      const later = await this.#lookAt(place, state, nowMs);
      const isRecorded = later.state.retention.minimum > state.retention.minimum;
      if (isRecorded) read = await readWhole(place, later.state, settings);
      now = { ...later, tellings: [...looked.tellings, ...later.tellings] };
    }
    const { minimum } = now.state.retention;
    const stays = (flaw: Telling): boolean => isLasting(flaw) || (!read.isWhole && flaw.from < minimum);
    const flaws = now.state.flaws.filter(stays);
    return {
      tellings: [...now.tellings, ...read.tellings],
      state: { ...now.state, wholeAt: nowMs, isWholeIntact: read.isIntact, flaws },
      isWhole: read.isWhole,
    };
  }

  /** What is there is damaged, or gone, or nobody answers. */
  async #unread(error: unknown, nowMs: number): Promise<Round> {
    const state = this.#state;
    const silent = judgeClock(this.#facts(state, nowMs));
    const round = { state, isWhole: false };
    if (isLogError(error, 'log_missing') && state.base.size > 0) {
      const message = `No log is there any more; ${state.base.size} entries were seen.`;
      const proof = [utf8Encode(state.note)];
      return {
        ...round,
        tellings: [...silent, { code: 'rolled_back', from: 0, to: state.base.size - 1, message, proof }],
      };
    }
    if (isDamage(error)) return { ...round, tellings: [...silent, ...(await this.#damage(error))] };
    if (!isLogError(error) && (error as NodeJS.ErrnoException).errno === undefined) throw error;
    return { ...round, tellings: silent, problem: (error as Error).message };
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

  /** Keeps the notes that prove something as files that anybody can check, beside the state. */
  #keep({ proof = [], code }: Telling): string[] {
    if (proof.length === 0) return [];
    const folder = `${this.#options.state}.evidence`;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return proof.map((note) => {
      const size = readHead(note)?.size ?? 0;
      const path = join(folder, `${code}-${size}-${hexEncode(sha256(note)).slice(0, 16)}.checkpoint`);
      createExclusive(path, utf8Decode(note), 0o600);
      return path;
    });
  }
}

/** The root over what is authenticated, standard base64. */
export function rootOfState({ note }: Pick<MonitorState, 'note'>): string {
  const head = note === '' ? undefined : readHead(utf8Encode(note));
  return head === undefined ? '' : base64Encode(head.root);
}

function checkOptions(options: MonitorOptions, policy: Policy): void {
  const refuse = (message: string): never => {
    throw misuse('type', 'option_invalid', message);
  };
  const [first, ...others] = policy.logs;
  if (first === undefined) refuse('a policy for a monitor names the key of the log');
  if (others.some(({ key }) => key.name !== first!.key.name))
    refuse('a monitor watches one log: the policy names several');
  const { maxCosignatureAgeMs, maxTimestampAgeMs, tsaCertificates, anchors } = options;
  if (maxCosignatureAgeMs !== undefined && policy.quorum === undefined)
    refuse('the age of cosignatures is asked of the witnesses of a policy with a quorum');
  if (maxTimestampAgeMs !== undefined && tsaCertificates === undefined)
    refuse('the age of time-stamps is asked of authorities whose certificates are given');
  if (anchors !== undefined && !isFolder(options))
    refuse('a copy of anchors.db goes with the folder of a log, and not where it is published');
}
