import {
  base64Decode,
  base64Encode,
  equalBytes,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { SourceBook } from '../log/index.ts';
import { HASH_BYTES, type Hash, TILE_WIDTH } from '../merkle/index.ts';
import type { Checkpoint, Policy } from '../note/index.ts';
import {
  type Believed,
  findingOfSignature,
  type KeyEntry,
  type KeyTimeline,
  keyTimeline,
  openBelieved,
  readHead,
} from '../verify/index.ts';
import { Continuation, type Continued } from './continuation.ts';
import { flawsAfter, newGaps } from './flaws.ts';
import { type Telling, tellingOf } from './found.ts';
import { judgeArrival } from './judge.ts';
import type { WatchedPlace } from './places.ts';
import { bearsOwnName, ReadAhead } from './read-ahead.ts';
import { RetentionBook } from './retention-book.ts';
import type { MonitorState } from './state.ts';
import { continues, hasTiles } from './tree.ts';

/** What one look is taken with. */
export interface LookSettings {
  readonly place: WatchedPlace;
  readonly state: MonitorState;
  readonly policy: Policy;
  /** The monitor's clock before anything was read. */
  readonly nowMs: number;
  /** Whether what is recorded is here at once, as in the log's own folder, rather than when it is published. */
  readonly isImmediate: boolean;
  /** Told once somebody known has signed the checkpoint that is there, by the keys that are known by then. */
  readonly vouched?: (believed: Believed) => void;
}

/** What one look has shown. */
export interface Looked {
  readonly tellings: readonly Telling[];
  /** What is remembered from now on; what was before, where the log did not stand up to it. */
  readonly state: MonitorState;
  /** The checkpoint that is there, where it is the log's own and continues what was seen. */
  readonly note?: Uint8Array;
  readonly believed: Believed;
}

/** What is known of the log's sources and of its policy of retention, while it is read on. */
interface Books {
  readonly sources: SourceBook;
  readonly retention: RetentionBook;
}

/** Errors after which the key may have been replaced by an entry that was not read yet. */
const maybeReplaced: ReadonlySet<string> = new Set([
  'signature_unknown',
  'key_retired',
  'policy_unsatisfied',
]);

/** Looks at a log once: at its checkpoint, and at what is new below it. Throws what reading throws. */
export async function lookOnce(settings: LookSettings): Promise<Looked> {
  const { place, state } = settings;
  const note = await place.checkpoint();
  const claim = readHead(note);
  const look = new Look(settings, note);
  if (claim === undefined) return look.refuse('checkpoint_invalid', 'The checkpoint that is there is none.');
  return claim.size <= state.base.size && state.note !== '' ? look.compare(claim) : look.readOn(claim);
}

/** Whom a monitor believes: who was given to it, and whoever follows from that by what it has read. */
export function believedBy(policy: Policy, timeline: KeyTimeline | undefined): Believed {
  if (timeline === undefined) return { policy };
  return { policy, timeline, pinned: policy.logs.map(({ key }) => key.text) };
}

/** The log's keys, as far as the entries say that were read; undefined before the first was. */
export function timelineOf({
  genesis,
  keyChanges,
}: Pick<MonitorState, 'genesis' | 'keyChanges'>): KeyTimeline | undefined {
  if (genesis === '') return undefined;
  try {
    const changes = keyChanges.map(({ index, entry }) => ({ index, entry: base64Decode(entry) }));
    return keyTimeline(base64Decode(genesis), changes);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

class Look {
  readonly #settings: LookSettings;
  readonly #note: Uint8Array;
  readonly #believed: Believed;
  readonly #tellings: Telling[] = [];

  constructor(settings: LookSettings, note: Uint8Array) {
    this.#settings = settings;
    this.#note = note;
    this.#believed = believedBy(settings.policy, timelineOf(settings.state));
  }

  /** Something is wrong with what is there: nothing of it is remembered. */
  refuse(code: Telling['code'], message: string, proof?: readonly Uint8Array[]): Looked {
    const { state } = this.#settings;
    const to = Math.max(state.base.size - 1, 0);
    this.#tellings.push({ code, from: 0, to, message, ...(proof !== undefined && { proof }) });
    return { tellings: this.#tellings, state, believed: this.#believed };
  }

  /** A checkpoint that is no larger than the one that was seen has to be that one. */
  compare(claim: Checkpoint): Looked {
    const problem = this.#problemOf(this.#believed);
    if (problem !== undefined) return this.#refuseSignature(problem);
    const { state, nowMs, vouched } = this.#settings;
    vouched?.(this.#believed);
    const seen = utf8Encode(state.note);
    if (claim.size < state.base.size) {
      const message = `The log has ${claim.size} entries; ${state.base.size} were seen.`;
      return this.refuse('rolled_back', message, [seen, this.#note]);
    }
    if (!equalBytes(claim.root, readHead(seen)!.root)) {
      const message = `The log’s key has signed two histories of ${claim.size} entries.`;
      return this.refuse('forked', message, [seen, this.#note]);
    }
    // It may bear more cosignatures by now.
    const next = { ...state, note: utf8Decode(this.#note), seenAt: nowMs };
    return { tellings: [], state: next, note: this.#note, believed: this.#believed };
  }

  /** Reads what is new, and believes it once it gives the root that a key of the log has signed. */
  async readOn(claim: Checkpoint): Promise<Looked> {
    const { state, policy, vouched } = this.#settings;
    const before = this.#problemOf(this.#believed);
    if (before === undefined) vouched?.(this.#believed);
    if (before !== undefined && !(await this.#mayFollow(before, claim))) return this.#refuseSignature(before);
    const ahead = before && new ReadAhead((keys) => this.#isSignedBy(keys));
    const books = { sources: new SourceBook(state.sources), retention: new RetentionBook(state.retention) };
    const continued = await this.#continue(claim, books, ahead);
    if (ahead?.isOver === true) return this.#refuseSignature(before!, ahead);
    if (continued.base === undefined) return this.#refuseEntries(claim, continued, before);
    const next = { ...state, ...keysAfter(state, continued) };
    const timeline = timelineOf(next);
    const believed = believedBy(policy, timeline);
    const problem = this.#problemOf(believed);
    if (problem !== undefined) return this.#refuseSignature(problem);
    this.#tellings.push(...continued.findings.map(tellingOf));
    this.#tellings.push(...changesOfKeys(this.#believed.timeline, timeline, state.base.size));
    return { ...this.#advance(next, continued, books), believed };
  }

  #advance(
    state: MonitorState,
    { base, times }: Continued,
    { sources, retention }: Books,
  ): Omit<Looked, 'believed'> {
    const { nowMs, isImmediate } = this.#settings;
    // A clock that was ahead then says nothing of what was not there yet.
    const seenAt = state.seenAt > nowMs ? 0 : state.seenAt;
    const recordedAt = times?.last ?? state.recordedAt;
    if (isImmediate && times !== undefined)
      this.#tellings.push(...judgeArrival(state.base.size, times.first, seenAt));
    const flaws = this.#tellings.filter(({ code }) => code !== 'key_changed');
    this.#tellings.push(...newGaps(sources, recordedAt));
    const next = {
      ...state,
      flaws: flawsAfter(state.flaws, flaws),
      isWholeIntact: state.isWholeIntact && flaws.length === 0,
      base: base!,
      recordedAt,
      note: utf8Decode(this.#note),
      seenAt: nowMs,
      sources: sources.kept,
      retention: retention.kept,
    };
    return { tellings: this.#tellings, state: next, note: this.#note };
  }

  async #continue(
    claim: Checkpoint,
    { sources, retention }: Books,
    ahead: ReadAhead | undefined,
  ): Promise<Continued> {
    const { place, state } = this.#settings;
    const continuation = new Continuation(state.base, { recordedAt: state.recordedAt, retention });
    const tiles = new LeafTiles(continuation, place, claim.size);
    try {
      for await (const next of place.entries(state.base.size, claim.size)) {
        if ('hash' in next) {
          if (!continuation.pass(next)) break;
          if (ahead?.take(undefined, continuation) === false) break;
          sources.passPruned();
          await tiles.compare(next.index, next.hash);
          continue;
        }
        const hash = continuation.take(next);
        if (hash === undefined || ahead?.take(next.entry, continuation) === false) break;
        seeSource(sources, next);
        await tiles.compare(next.index, hash);
      }
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      continuation.discover('bundle_malformed', continuation.size, error.message.replace(/\.$/, ''));
    }
    return continuation.conclude(claim);
  }

  /** What is there does not give the root. Whether the signer left the history that was seen is another question. */
  async #refuseEntries(
    claim: Checkpoint,
    { findings }: Continued,
    problem: VerificationError | undefined,
  ): Promise<Looked> {
    if (problem !== undefined) return this.#refuseSignature(problem);
    const { state, place } = this.#settings;
    this.#tellings.push(...findings.map(tellingOf));
    if (state.note === '') return { tellings: this.#tellings, state, believed: this.#believed };
    const seen = utf8Encode(state.note);
    if ((await continues(readHead(seen)!, claim, place)) === 'no') {
      const message = `The log of ${claim.size} entries does not continue the one of ${state.base.size} that was seen.`;
      return this.refuse('forked', message, [seen, this.#note]);
    }
    return { tellings: this.#tellings, state, believed: this.#believed };
  }

  /**
   * Whether a checkpoint that no known key has signed is worth reading on for: a key can have followed, in entries that were not read
   * yet. It signs under the log's name, and what it signs continues what was seen; the tiles show that before any entry is read.
   */
  async #mayFollow(problem: VerificationError, claim: Checkpoint): Promise<boolean> {
    if (!maybeReplaced.has(problem.code) || !bearsOwnName(this.#note, claim)) return false;
    const { state, place } = this.#settings;
    if (state.note === '') return await hasTiles(claim, place);
    const seen = readHead(utf8Encode(state.note))!;
    return seen.origin === claim.origin && (await continues(seen, claim, place)) === 'yes';
  }

  /** Whether the checkpoint verifies by keys that entries name which were read beyond those that are known. */
  #isSignedBy({ genesis, keyChanges }: Pick<Continued, 'genesis' | 'keyChanges'>): boolean {
    const { state, policy, vouched } = this.#settings;
    const keys = keysAfter(state, { ...(genesis !== undefined && { genesis }), keyChanges });
    const believed = believedBy(policy, timelineOf(keys));
    if (this.#problemOf(believed) !== undefined) return false;
    vouched?.(believed);
    return true;
  }

  #refuseSignature(problem: VerificationError, ahead?: ReadAhead): Looked {
    const what = `The checkpoint that is there does not verify: ${problem.message}`;
    const message =
      ahead?.isFull === true
        ? `${what} No key follows from those that are known in as many new entries as are read for one that may.`
        : what;
    return this.refuse(findingOfSignature(problem), message, [this.#note]);
  }

  #problemOf(believed: Believed): VerificationError | undefined {
    try {
      openBelieved(this.#note, believed, { quorum: false });
      return undefined;
    } catch (error) {
      if (error instanceof VerificationError) return error;
      throw error;
    }
  }
}

/** Compares the leaves that were read with the tiles that are kept over them. */
class LeafTiles {
  readonly #continuation: Continuation;
  readonly #place: WatchedPlace;
  readonly #size: number;
  #hashes: { readonly index: number; readonly hash: Hash }[] = [];

  constructor(continuation: Continuation, place: WatchedPlace, size: number) {
    this.#continuation = continuation;
    this.#place = place;
    this.#size = size;
  }

  async compare(index: number, hash: Hash): Promise<void> {
    this.#hashes.push({ index, hash });
    if ((index + 1) % TILE_WIDTH !== 0 && index + 1 !== this.#size) return;
    const hashes = this.#hashes;
    this.#hashes = [];
    const width = (index % TILE_WIDTH) + 1;
    const tile = await this.#place.tile({ level: 0, index: Math.floor(index / TILE_WIDTH), width });
    for (const { index: at, hash: leaf } of hashes) {
      const begin = (at % TILE_WIDTH) * HASH_BYTES;
      const kept = tile?.subarray(begin, begin + HASH_BYTES);
      if (kept !== undefined && equalBytes(kept, leaf)) continue;
      const what =
        tile === undefined ? 'no tile of leaf hashes is there' : 'the hash differs from the one in the tile';
      this.#continuation.discover('tile_mismatch', at, what);
    }
  }
}

/** How many entries the log has by a checkpoint; 0 where that does not say. */
export interface SizeNow {
  /** By one that a known key has signed. */
  readonly signed: number;
  /** By one that a key may have signed which follows, in entries that were not read yet. */
  readonly claimed: number;
}

/** What a checkpoint says by itself of how large the log of this name is. */
export function sizeBy(note: Uint8Array, believed: Believed, origin: string): SizeNow {
  try {
    return { signed: openBelieved(note, believed, { quorum: false }).checkpoint.size, claimed: 0 };
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const claim = maybeReplaced.has(error.code) ? readHead(note) : undefined;
    const isOwn = claim?.origin === origin && bearsOwnName(note, claim);
    return { signed: 0, claimed: isOwn ? claim.size : 0 };
  }
}

/** Whether somebody known has signed a checkpoint. */
export function isVouched(note: Uint8Array, believed: Believed): boolean {
  try {
    openBelieved(note, believed, { quorum: false });
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

/** The entries from which the log's keys follow, once more were read. */
function keysAfter(
  { genesis, keyChanges }: MonitorState,
  continued: Pick<Continued, 'genesis' | 'keyChanges'>,
): Pick<MonitorState, 'genesis' | 'keyChanges'> {
  const added = continued.keyChanges.map(({ index, entry }: KeyEntry) => ({
    index,
    entry: base64Encode(entry),
  }));
  return {
    genesis: continued.genesis === undefined ? genesis : base64Encode(continued.genesis),
    keyChanges: [...keyChanges, ...added],
  };
}

/** Says who signs from now on, and which changes are none. */
function changesOfKeys(
  before: KeyTimeline | undefined,
  timeline: KeyTimeline | undefined,
  size: number,
): Telling[] {
  if (timeline === undefined) {
    const message = 'The first entry does not say who signs this log.';
    return size === 0 ? [{ code: 'genesis_invalid', from: 0, to: 0, message }] : [];
  }
  const changed = timeline.spans
    .filter(({ replaces, first }) => replaces !== undefined && first > size)
    .map(({ key, replaces, first, isHandedOver }): Telling => {
      const by = isHandedOver ? 'the root key and by the key before it' : 'the root key alone';
      const message = `From ${first} entries on the log is signed by ${key.text}, in place of ${replaces!.text}, as signed by ${by}.`;
      return { code: 'key_changed', from: first - 1, to: first - 1, message };
    });
  const revoked = timeline.spans.flatMap(({ key, compromisedSince: since }): Telling[] => {
    const known = before?.spanOf(key.text)?.compromisedSince;
    if (since === undefined || (known?.size === since.size && known.time === since.time)) return [];
    const message = `The key ${key.text} is revoked: it is not believed beyond ${since.size} entries.`;
    return [{ code: 'key_changed', from: 0, to: 0, message }];
  });
  const invalid = timeline.problems
    .filter(({ index }) => index >= size)
    .map(
      ({ index, what }): Telling => ({
        code: 'key_change_invalid',
        from: index,
        to: index,
        message: `Entry ${index}: ${what}.`,
      }),
    );
  return [...changed, ...revoked, ...invalid];
}

function seeSource(book: SourceBook, { entry }: { readonly entry: Uint8Array }): void {
  try {
    book.see({ entry });
  } catch (error) {
    // An entry that is none is a finding already.
    if (!(error instanceof VerificationError)) throw error;
  }
}
