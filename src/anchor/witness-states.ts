import { VerificationError } from '../bytes/index.ts';
import {
  openNote,
  type Policy,
  parseCheckpoint,
  satisfiesPolicy,
  type VerifiedSignature,
} from '../note/index.ts';
import type { WitnessRecord } from './anchor-rows.ts';
import type { AnchorStore } from './anchor-store.ts';

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
 * Whether the log still is what they signed, `verify` tells.
 */
export function witnessStates(store: AnchorStore | undefined, policy: Policy, origin: string): WitnessStates {
  const keys = policy.witnesses.map(({ key }) => key);
  const opened = (store?.newestPublished(LOOKED_AT_MAX) ?? []).flatMap(({ note }) => {
    try {
      const { text, verified } = openNote(note, keys);
      const checkpoint = parseCheckpoint(text);
      return checkpoint.origin === origin ? [{ size: checkpoint.size, verified }] : [];
    } catch (error) {
      if (error instanceof VerificationError) return [];
      throw error;
    }
  });
  const witnesses = policy.witnesses.map(({ name, key, url }): WitnessState => {
    const by = ({ verified }: { verified: readonly VerifiedSignature[] }) =>
      verified.find((signature) => signature.key.text === key.text);
    // Newest first: the first that it signed is the largest.
    const found = opened.find((one) => by(one) !== undefined);
    const refusal = url === undefined ? undefined : store?.witness(url)?.refusal?.kind;
    return {
      name,
      vkey: key.text,
      size: found?.size ?? 0,
      ...(url !== undefined && { url }),
      ...(found !== undefined && { timestamp: Number(by(found)!.timestamp) }),
      ...(refusal !== undefined && { refusal }),
    };
  });
  return { size: opened.find((one) => satisfiesPolicy(policy, one))?.size ?? 0, witnesses };
}
