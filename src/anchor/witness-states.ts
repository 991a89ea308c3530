import { VerificationError } from '../bytes/index.ts';
import {
  cosignaturesFor,
  type OpenedNote,
  openNote,
  type Policy,
  parseCheckpoint,
  satisfiesPolicy,
} from '../note/index.ts';
import type { WitnessRecord } from './anchor-rows.ts';
import type { AnchorStore } from './anchor-store.ts';
import { isAhead } from './cosignature-time.ts';
import { standingOf } from './published-order.ts';

/** Published checkpoints that are looked at, newest first. */
const LOOKED_AT_MAX = 256;

/** How one witness of a policy stands to a log. */
export interface WitnessState {
  /** Its name in the policy. */
  readonly name: string;
  readonly vkey: string;
  /** Where it takes checkpoints; absent for one that signs by hand. */
  readonly url?: string;
  /** The size of the largest checkpoint that it has cosigned; 0 for none. Its signature was verified. */
  readonly size: number;
  /** When it did, by its own clock: POSIX seconds; absent for none. */
  readonly timestamp?: number;
  /** Present where it has put a time under a checkpoint that lies ahead of the clock: that counts for nothing. */
  readonly isAhead?: true;
  /** Why it does not cosign, if it does not: `fork` or `ahead`, and it is not asked any more; `unknown`, and it is. */
  readonly refusal?: NonNullable<WitnessRecord['refusal']>['kind'];
}

/** How far the witnesses of a policy have cosigned what was published. */
export interface WitnessStates {
  /** The size of the largest checkpoint that the quorum has cosigned; 0 for none. */
  readonly size: number;
  readonly witnesses: readonly WitnessState[];
}

/**
 * What the witnesses of a policy have signed of a log, out of `anchors.db`, each signature verified; the log's own is not looked at.
 * Whether the log still is what they signed, `verify` tells. A cosignature whose time lies ahead of the clock (`now`, milliseconds since
 * the epoch) counts for nothing, nor does one without a time, or by the log itself.
 */
export function witnessStates(
  store: AnchorStore | undefined,
  policy: Policy,
  { origin, now }: { readonly origin: string; readonly now: number },
): WitnessStates {
  const opened = (store === undefined ? [] : lookedAt(store)).flatMap((note) =>
    openedOf(note, policy, origin),
  );
  const counting = opened.map(({ size, text, verified }) => ({
    size,
    text,
    verified: cosignaturesFor(policy, { text, verified }).filter(
      ({ timestamp = 0n }) => !isAhead(timestamp, now),
    ),
  }));
  const witnesses = policy.witnesses.map(({ name, key, url }): WitnessState => {
    const by = ({ verified }: Pick<OpenedNote, 'verified'>) =>
      verified.find((signature) => signature.key.text === key.text);
    // Newest first: the first that it signed is the largest.
    const found = counting.find((one) => by(one) !== undefined);
    const isAheadOfClock = opened.some((one) => isAhead(by(one)?.timestamp ?? 0n, now));
    const refusal = url === undefined ? undefined : store?.witness(url)?.refusal?.kind;
    return {
      name,
      vkey: key.text,
      size: found?.size ?? 0,
      ...(url !== undefined && { url }),
      ...(found !== undefined && { timestamp: Number(by(found)!.timestamp) }),
      ...(isAheadOfClock && { isAhead: true as const }),
      ...(refusal !== undefined && { refusal }),
    };
  });
  const size = policy.quorum === undefined ? 0 : counting.find((one) => satisfiesPolicy(policy, one))?.size;
  return { size: size ?? 0, witnesses };
}

/** The newest, and behind them what no newer one makes needless: the newest of each witness is among them. */
function lookedAt(store: AnchorStore): Uint8Array[] {
  const newest = store.newestPublished(LOOKED_AT_MAX);
  const standing = newest.length < LOOKED_AT_MAX ? [] : store.everyPublished(standingOf);
  return [...newest, ...standing.filter(({ size }) => size < newest.at(-1)!.size)].map(({ note }) => note);
}

function openedOf(
  note: Uint8Array,
  { witnesses }: Policy,
  origin: string,
): (Pick<OpenedNote, 'text' | 'verified'> & { readonly size: number })[] {
  try {
    const { text, verified } = openNote(
      note,
      witnesses.map(({ key }) => key),
    );
    const checkpoint = parseCheckpoint(text);
    return checkpoint.origin === origin ? [{ size: checkpoint.size, text, verified }] : [];
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}
