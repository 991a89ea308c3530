import { misuse } from '../../bytes/index.ts';
import {
  type Actor,
  type AuditEvent,
  changeInForce,
  type EntryKeeping,
  type HoldChange,
  holdsAfter,
  type PolicyChange,
  parseEntry,
  passedBefore,
  policyChangedEvent,
  type RetentionPolicy,
  type RetentionReach,
  samePolicy,
} from '../../event/index.ts';
import { systemClock } from '../../platform/index.ts';
import { isLogError, LogError } from '../../store/index.ts';
import { FOLLOWERS_WAIT_MS_DEFAULT, untilFollowed } from '../erasure/index.ts';
import type { FollowerRunner } from '../followers/index.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import type { Receipt } from '../receipt.ts';
import type { WriterHandle } from '../writer-thread.ts';
import { addKept, type Kept } from './due.ts';
import { changingOf, checkPolicy, type RetentionSetOptions } from './policy.ts';
import { type PruneOptions, type PruneResult, prune } from './pruner.ts';

/** How often an application begins again because the policy was changed meanwhile. */
const ROUNDS_STALE_MAX = 3;

/** What of a log retention needs. */
export interface RetentionParts {
  readonly reader: ReaderHandle;
  readonly writer: WriterHandle | undefined;
  readonly followers: FollowerRunner;
  /** The file that says where the log is published, and how far; '' where there is none. */
  readonly anchors: string;
  readonly outOfReach: readonly string[];
  readonly record: (event: AuditEvent) => Promise<Receipt>;
  /** Throws where the log is closed. */
  readonly requireOpen: () => void;
}

/** A policy, and the entry that says so. */
export interface PolicyInForce {
  /** In their order; none: everything is kept for ever. */
  readonly rules: RetentionPolicy;
  /** What becomes of the bytes of entries that have passed the longest period. */
  readonly entries: EntryKeeping;
  /** The entry that put it in force, and when it was recorded; absent where there never was one. */
  readonly index?: number;
  readonly at?: string;
  /** A policy that keeps values for a shorter time, and is in force from `notBefore` on unless another one is set until then. */
  readonly pending?: {
    readonly rules: RetentionPolicy;
    readonly entries: EntryKeeping;
    readonly index: number;
    readonly notBefore: string;
  };
}

/** How the policy is applied. */
export interface RetentionApplyOptions {
  /** Who applies it; the log itself by default. */
  readonly by?: Actor;
  /** How long followers are waited for, milliseconds. Default {@link FOLLOWERS_WAIT_MS_DEFAULT}. */
  readonly followersWaitMs?: number;
}

/** What an application of the policy has done, or would do. */
export interface RetentionResult {
  /** How far each rule reaches now. */
  readonly rules: readonly RetentionReach[];
  /** How many values were removed, and from how many entries. */
  readonly values: number;
  readonly entries: number;
  /** The entries that record it: none where nothing was due, or nothing was done. */
  readonly records: readonly number[];
  /** Values that have passed their period and are kept by a hold. */
  readonly held: readonly Kept[];
  /** Whether no byte is left in the files of the log; `residue` says why not. */
  readonly isClean: boolean;
  readonly residue?: string;
  /** Followers that have not passed the last record yet. */
  readonly lagging: readonly { readonly name: string; readonly size: number }[];
  /** What it does not reach. */
  readonly outOfReach: readonly string[];
}

interface Sums {
  values: number;
  entries: number;
  readonly records: number[];
  readonly ids: string[];
  readonly held: Kept[];
}

/** What was said of the policy and of holds in the first entries, as many as were looked through. */
interface Known {
  readonly size: number;
  readonly policies: readonly PolicyChange[];
  readonly holds: readonly HoldChange[];
}

/** How long sealed values are kept: `log.retention`. Calls may overlap. */
export class Retention {
  readonly #parts: RetentionParts;
  #known: Known = { size: 0, policies: [], holds: [] };

  /** @internal */
  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** The policy in force, as the log's own entries say it. */
  async policy(): Promise<PolicyInForce> {
    const { policies } = await this.#look();
    return inForce(policies, nowText());
  }

  /**
   * Sets the policy. One that keeps no value for a shorter time than the one in force is in force from its entry on. One that does
   * needs two different people (`approvedBy`) and waits (`delayMs`, 72 hours by default); until then it can be taken back by setting
   * the policy in force once more. A log without a policy keeps everything, so that the first one shortens.
   *
   * Answers the receipt of the entry; undefined where this policy is in force and nothing waits. Throws a misuse `option_invalid`,
   * `option_unknown`; `LogError` `retention_changed` (retryable) where somebody else set another one meanwhile; and what `record`
   * throws.
   */
  async set(policy: RetentionPolicy, options: RetentionSetOptions = {}): Promise<Receipt | undefined> {
    this.#parts.requireOpen();
    checkPolicy(policy);
    const { policies } = await this.#look();
    const { rules: from, entries: keeping, pending } = inForce(policies, nowText());
    const after = policies.at(-1)?.index ?? 0;
    const entries = { from: keeping, to: options.entries ?? keeping };
    const changing = changingOf({ from, to: policy, after, entries }, options, systemClock.wall());
    const isSame = samePolicy(from, policy) && entries.from === entries.to;
    if (isSame && pending === undefined) return undefined;
    try {
      return await this.#parts.record(policyChangedEvent(changing));
    } catch (error) {
      if (!isLogError(error, 'id_conflict')) throw error;
      throw changed(error);
    }
  }

  /** Refuses what is no policy. Throws a misuse `option_invalid`. */
  check(policy: unknown): void {
    checkPolicy(policy);
  }

  /** What {@link apply} would remove now. */
  async plan(): Promise<RetentionResult> {
    const known = await this.#look();
    const now = systemClock.wall();
    const { rules } = await this.#reaching(known, now);
    const holds = holdsAfter(known.holds);
    const sums: Sums = { values: 0, entries: 0, records: [], ids: [], held: [] };
    for (let from = 0; from < reachOf(rules); ) {
      const due = await this.#parts.reader.due({ from, to: reachOf(rules), rules, holds });
      from = due.next;
      sums.entries += due.found.length;
      for (const { digests } of due.found) sums.values += digests.length;
      for (const kept of due.held) addKept(sums.held, kept);
    }
    return this.#result(rules, sums);
  }

  /**
   * The first entry with values that are there though they had passed their period, by these rules, before the time that each names;
   * undefined where there is none. What a hold keeps is not meant. Throws `LogError` `log_damaged`.
   */
  async firstDue(rules: readonly RetentionReach[]): Promise<number | undefined> {
    const { holds, size } = await this.#look();
    const reaches: RetentionReach[] = [];
    for (const rule of rules) {
      const below = Math.min(rule.below, await this.#firstSince(rule.before, size));
      reaches.push({ ...rule, below });
    }
    const [to, placed] = [reachOf(reaches), holdsAfter(holds)];
    for (let from = 0; from < to; ) {
      const due = await this.#parts.reader.due({ from, to, rules: reaches, holds: placed });
      if (due.found.length > 0) return due.found[0]!.index;
      from = due.next;
    }
    return undefined;
  }

  /**
   * Removes the sealed values that have passed their period under the policy in force: values and salts leave the log, its search
   * index and its files, and `log.retention_applied` entries say so. Values under a legal hold stay, and are counted. Entries, their
   * hashes and every proof stay. It does nothing where nothing is due.
   *
   * Throws a misuse `option_unknown`; `LogError` `read_only`, `log_damaged`; `retention_changed` (retryable) where the policy was
   * changed again and again meanwhile; and what `record` throws. What was removed before an error is removed, with its record.
   */
  async apply(options: RetentionApplyOptions = {}): Promise<RetentionResult> {
    this.#parts.requireOpen();
    checkApply(options);
    const { writer, reader, followers } = this.#parts;
    if (writer === undefined) throw new LogError('read_only', 'the log was opened for reading only');
    const sums: Sums = { values: 0, entries: 0, records: [], ids: [], held: [] };
    let rules: readonly RetentionReach[] | undefined;
    for (let round = 0; rules === undefined; round++) {
      if (round === ROUNDS_STALE_MAX) throw changed();
      rules = await this.#pass(writer, sums, options.by);
    }
    if (sums.records.length === 0) return this.#result(rules, sums);
    const scouring = await writer.scour();
    reader.wake();
    followers.wake();
    // What could not be scoured is scoured when the log is opened next.
    if (scouring.isClean) await writer.settleErasures(sums.ids);
    const waitMs = options.followersWaitMs ?? FOLLOWERS_WAIT_MS_DEFAULT;
    return {
      ...this.#result(rules, sums),
      isClean: scouring.isClean,
      ...(scouring.why === undefined ? {} : { residue: scouring.why }),
      lagging: await untilFollowed(followers, sums.records.at(-1)! + 1, waitMs),
    };
  }

  /**
   * Removes the bytes of old entries: all below the minimum index but the log's own, when everything there has passed the longest period
   * of the policy, is under no hold, was seen by every follower, and, where the policy asks for it, is in the archive that is given.
   * Hashes, ids and every proof of what is left stay, and `log.pruned` entries say so. It does nothing where nothing is due.
   *
   * Throws a misuse `option_unknown`, `option_invalid`; `LogError` `pruning_refused` where the policy keeps entries, or the archive does
   * not hold them; `read_only`, `log_damaged`, `retention_changed` (retryable), what reading the archive throws, and what `record` throws.
   */
  async prune(options: PruneOptions = {}): Promise<PruneResult> {
    this.#parts.requireOpen();
    for (let round = 0; round < ROUNDS_STALE_MAX; round++) {
      const known = await this.#look();
      const firstSince = (time: string, size: number): Promise<number> => this.#firstSince(time, size);
      const result = await prune({ ...this.#parts, known, firstSince }, options);
      if (result !== undefined) return result;
    }
    throw changed();
  }

  /** One pass over what is due; undefined where the policy was changed meanwhile. */
  async #pass(
    writer: WriterHandle,
    sums: Sums,
    actor: Actor | undefined,
  ): Promise<readonly RetentionReach[] | undefined> {
    const known = await this.#look();
    const now = systemClock.wall();
    const { rules, policy } = await this.#reaching(known, now);
    const { size, holds } = known;
    const end = reachOf(rules);
    sums.held.length = 0;
    for (let from = 0; from < end; ) {
      const due = await this.#parts.reader.due({ from, to: end, rules, holds: holdsAfter(holds) });
      from = due.next;
      if (due.found.length === 0) {
        for (const kept of due.held) addKept(sums.held, kept);
        continue;
      }
      const done = await writer.retain({
        ...{ policy, now, size, holds },
        // A record covers what was looked through and nothing beyond.
        rules: rules.map((rule) => ({ ...rule, below: Math.min(rule.below, due.next) })),
        indexes: due.found.map(({ index }) => index),
        ...(actor !== undefined && { actor }),
      });
      if (done.isStale) return undefined;
      if (done.index !== undefined) sums.records.push(done.index);
      if (done.id !== undefined) sums.ids.push(done.id);
      sums.values += done.values;
      sums.entries += done.entries;
      for (const kept of due.held) addKept(sums.held, kept);
    }
    return rules;
  }

  #result(rules: readonly RetentionReach[], { values, entries, records, held }: Sums): RetentionResult {
    const { outOfReach } = this.#parts;
    return { rules, values, entries, records, held, isClean: true, lagging: [], outOfReach };
  }

  /** A log only grows: what was read of it before stands. */
  async #look(): Promise<Known> {
    const { reader } = this.#parts;
    const { size } = await reader.checkpoint();
    const known = this.#known;
    if (size <= known.size) return known;
    const { holds, policies } = await reader.scan({ from: known.size, to: size });
    const next = {
      size,
      policies: [...known.policies, ...policies],
      holds: [...known.holds, ...holds],
    };
    if (size > this.#known.size) this.#known = next;
    return next;
  }

  /** How far each rule in force reaches. */
  async #reaching(
    { policies, size }: Known,
    now: number,
  ): Promise<{ readonly rules: readonly RetentionReach[]; readonly policy: number }> {
    const change = changeInForce(policies, new Date(now).toISOString());
    const rules: RetentionReach[] = [];
    for (const { match, keep } of change?.to ?? []) {
      const before = passedBefore(keep, now);
      rules.push({ match, keep, before, below: await this.#firstSince(before, size) });
    }
    return { rules, policy: change?.index ?? 0 };
  }

  /** The first index among these whose entry was recorded at that time or later. Times never go back. */
  async #firstSince(time: string, size: number): Promise<number> {
    // What was pruned was recorded before anything that is left.
    let [low, high] = [await this.#parts.reader.minimum(), size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [stored] = await this.#parts.reader.entries(middle, middle + 1);
      if (stored === undefined) throw new LogError('log_damaged', `entry ${middle} is missing`);
      if (parseEntry(stored.entry).recordedAt < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inForce(policies: readonly PolicyChange[], now: string): PolicyInForce {
  const change = changeInForce(policies, now);
  const waiting = policies.findLast(
    ({ index, notBefore }) => index > (change?.index ?? -1) && notBefore > now,
  );
  return {
    rules: change?.to ?? [],
    entries: change?.entries ?? 'keep',
    ...(change !== undefined && { index: change.index, at: change.at }),
    ...(waiting !== undefined && {
      pending: {
        rules: waiting.to,
        entries: waiting.entries,
        index: waiting.index,
        notBefore: waiting.notBefore,
      },
    }),
  };
}

function changed(cause?: unknown): LogError {
  return new LogError('retention_changed', 'the policy of retention was changed meanwhile', {
    retryable: true,
    ...(cause !== undefined && { cause }),
  });
}

function checkApply(options: RetentionApplyOptions): void {
  const names = ['by', 'followersWaitMs'];
  for (const name of Object.keys(options)) {
    if (!names.includes(name))
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
}

function reachOf(rules: readonly RetentionReach[]): number {
  return rules.reduce((end, { below }) => Math.max(end, below), 0);
}

function nowText(): string {
  return new Date(systemClock.wall()).toISOString();
}
