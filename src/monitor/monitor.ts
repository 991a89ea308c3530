import { LogError } from '../bytes/index.ts';
import type { Policy } from '../note/index.ts';
import { type Clock, systemClock } from '../platform/index.ts';
import { policyOf } from '../verify/index.ts';
import { LOOK_TIMEOUT_MS_DEFAULT } from './deadline.ts';
import { keepEvidence } from './evidence.ts';
import { standingTellings } from './flaws.ts';
import { type Found, found, isNotice, type Telling } from './found.ts';
import { judgeClock } from './judge.ts';
import { beginnings } from './notices.ts';
import { checkOptions, type LookReport, type MonitorOptions } from './options.ts';
import { overdueTellings, RETENTION_GRACE_MS_DEFAULT } from './overdue.ts';
import { isFolder } from './places.ts';
import { Reading, type Round, sizeNow } from './reading.ts';
import { type MonitorState, newState, originOf, StateFile, WAITING_MAX, type Waiting } from './state.ts';
import { PAUSE_MS_MAX, pauseAfter, Webhook } from './webhook.ts';

/**
 * Follows a log that others run, and remembers what it saw. Looks do not overlap; deliveries, and `silence`, go on beside them.
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
  #delivering: Promise<Delivered> | undefined;
  /** How large the log was at most while a look was under way, and when that showed first. */
  #grown = { size: 0, atMs: 0 };
  /** The look that is under way. */
  #reading: Reading | undefined;
  /** Since when, while it is, the checkpoint is one that a key may have signed which it has yet to read. */
  #claimedAtMs: number | undefined;

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
    const reading = new Reading({ options: this.#options, policy: this.#policy, state: before, nowMs });
    this.#reading = reading;
    this.#claimedAtMs = undefined;
    const round = await reading.read().finally(() => {
      this.#reading = undefined;
    });
    const tellings = [
      ...beginnings(before, round.state, nowMs),
      ...round.tellings,
      ...standingTellings(round.state),
      ...overdueTellings(round.state, this.#options.retentionGraceMs ?? RETENTION_GRACE_MS_DEFAULT),
    ];
    return this.#remember({ ...round, tellings }, nowMs, before.base.size);
  }

  /**
   * What can be said while a look is under way: that nothing has come for too long. The checkpoint is asked for besides: one that has
   * grown says that the log is not silent, however long it takes to read it. One that a key may have signed which the look has yet to read
   * says so, too, for as long as a look may take for it. Undefined where there is nothing to say.
   */
  async silence(): Promise<LookReport | undefined> {
    const { maxSilenceMs } = this.#options;
    const state = this.#state;
    const { recordedAt, base } = state;
    if (maxSilenceMs === undefined || recordedAt === '' || isFolder(this.#options)) return undefined;
    const believed = this.#reading?.believed;
    const known = { options: this.#options, policy: this.#policy, state, believed };
    const { signed: size, claimed } = await sizeNow(known);
    const nowMs = this.#clock.wall();
    if (this.#grown.size < base.size) this.#grown = { size: base.size, atMs: 0 };
    if (size > this.#grown.size) this.#grown = { size, atMs: nowMs };
    // What the look has brought meanwhile says more.
    if (this.#state.base.size !== base.size || nowMs - this.#grown.atMs <= maxSilenceMs) return undefined;
    if (this.#mayBeRead(claimed, nowMs)) return undefined;
    const facts = { nowMs, size: base.size, recordedAt, limits: this.#options, times: state.retention.times };
    const tellings = judgeClock(facts);
    if (tellings.length === 0) return undefined;
    const problem = 'a look is under way still';
    return this.#remember({ tellings, state: this.#state, isWhole: false, problem }, nowMs, base.size);
  }

  /** Whether the look that is under way may yet come to a key that has signed a checkpoint of this size. */
  #mayBeRead(claimed: number, nowMs: number): boolean {
    if (this.#reading === undefined || claimed <= this.#state.base.size) {
      this.#claimedAtMs = undefined;
      return false;
    }
    this.#claimedAtMs ??= nowMs;
    return nowMs - this.#claimedAtMs <= (this.#options.lookTimeoutMs ?? LOOK_TIMEOUT_MS_DEFAULT);
  }

  /** Remembers what a round has shown, beside what was told and delivered while it was under way. */
  #remember(round: Round, nowMs: number, sizeBefore: number): LookReport {
    const now = this.#state;
    const isReached = round.problem === undefined;
    const origin = originOf(round.state);
    const known = new Set([...now.standing, ...now.untold.map(({ id }) => id)]);
    const all = [...new Map(round.tellings.map((one) => [found(one, { origin, at: nowMs }).id, one]))];
    const fresh = all.filter(([id]) => !known.has(id)).map(([, one]) => this.#proven(one, origin, nowMs));
    // What could not be looked at holds on.
    const standing = [...new Set([...(isReached ? [] : now.standing), ...all.map(([id]) => id)])];
    const untold = [...now.untold, ...fresh];
    const sent =
      this.#webhook === undefined ? [] : fresh.map((one) => ({ found: one, attempts: 0, notBefore: 0 }));
    const waiting = [...now.waiting, ...sent];
    const over = Math.max(0, untold.length - WAITING_MAX);
    this.#save({
      ...round.state,
      generation: now.generation,
      standing: standing.slice(0, WAITING_MAX),
      untold: untold.slice(0, WAITING_MAX),
      waiting: waiting.slice(0, WAITING_MAX),
      omitted: now.omitted + over,
    });
    const { base, recordedAt } = this.#state;
    return {
      at: new Date(nowMs).toISOString(),
      origin,
      isReached,
      ...(round.problem !== undefined && { problem: round.problem }),
      size: base.size,
      added: base.size - sizeBefore,
      recordedAt,
      isWhole: round.isWhole,
      holds: all.filter(([, one]) => !isNotice(one)).length,
      tell: this.#state.untold,
      waiting: this.#state.waiting.length,
    };
  }

  /** Something new, with the files of what proves it. */
  #proven(telling: Telling, origin: string, at: number): Found {
    const { files, full } = keepEvidence(this.#options.state, telling);
    const one = found(telling, { origin, at, evidence: files });
    if (full === undefined) return one;
    return {
      ...one,
      message: `${one.message} What proves it was not kept: ${full} has as much of this kind as it may.`,
    };
  }

  /** When the webhook is to be tried next, milliseconds since the epoch; undefined where nothing waits for it. */
  get nextDeliveryMs(): number | undefined {
    const [first] = this.#state.waiting;
    return first && dueAt(first, this.#clock.wall());
  }

  /** Takes in that something has been told: all that the last look gave to tell, where it is not said what. */
  told(told: readonly Found[] = this.#state.untold): void {
    const ids = new Set(told.map(({ id }) => id));
    const untold = this.#state.untold.filter(({ id }) => !ids.has(id));
    if (untold.length < this.#state.untold.length) this.#save({ ...this.#state, untold, omitted: 0 });
  }

  /**
   * Sends what the webhook has not taken yet and is due, beside looks that may be under way; what was taken is remembered at once.
   * Returns how much is left, and why the first of it was not taken. A signal ends it after the one that is under way.
   */
  async deliver({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Delivered> {
    this.#delivering ??= this.#deliver(signal).finally(() => {
      this.#delivering = undefined;
    });
    return this.#delivering;
  }

  async #deliver(signal: AbortSignal | undefined): Promise<Delivered> {
    // They keep their order: where one is not taken, all that follow wait with it.
    for (;;) {
      const [first] = this.#state.waiting;
      const nowMs = this.#clock.wall();
      const isDue = first !== undefined && dueAt(first, nowMs) <= nowMs;
      if (!isDue || this.#webhook === undefined || signal?.aborted === true)
        return { left: this.#state.waiting.length };
      const problem = await this.#send(first.found, nowMs);
      const rest = this.#state.waiting.slice(1);
      const attempts = first.attempts + 1;
      const again = { found: first.found, attempts, notBefore: nowMs + pauseAfter(attempts) };
      this.#save({ ...this.#state, waiting: problem === undefined ? rest : [again, ...rest] });
      if (problem !== undefined) return { left: this.#state.waiting.length, problem };
    }
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
}

/** How much waits for the webhook after a delivery, and why the first of it was not taken. */
export interface Delivered {
  readonly left: number;
  readonly problem?: string;
}

/** When one is due: what a clock has said that was ahead then keeps nothing back for longer than the longest pause. */
function dueAt({ notBefore }: Pick<Waiting, 'notBefore'>, nowMs: number): number {
  return notBefore > nowMs + PAUSE_MS_MAX ? nowMs : notBefore;
}
