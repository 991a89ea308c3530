import { base64Encode, VerificationError } from '../bytes/index.ts';
import { timeMs } from '../event/index.ts';
import {
  type Checkpoint,
  type OpenedCheckpoint,
  openWithPolicy,
  type Policy,
  type VerifierKey,
} from '../note/index.ts';
import type { KeyTimeline } from './key-timeline.ts';
import { readHead } from './signed-head.ts';

/**
 * A state of the log that an outside party is known to have seen: a witness that cosigned it, an authority that stamped it. Whoever
 * hands it in has verified their signature.
 */
export interface Anchor {
  readonly size: number;
  /** The root over the first `size` entries, standard base64. */
  readonly root: string;
  /** When it was seen, milliseconds since the epoch, by the clock of the outside party. */
  readonly time: number;
}

/** Whom a verifier believes about one log, once it is known how the log's keys have changed. */
export interface Believed {
  readonly policy: Policy;
  /** Absent where the log does not say who signs it. */
  readonly timeline?: KeyTimeline;
  /** The keys from which a signer has to follow; absent where the timeline itself is believed, because such a key has signed it. */
  readonly pinned?: readonly string[];
  /** Whether outside parties saw this state of the log before a time, milliseconds since the epoch. */
  readonly seenBefore?: (checkpoint: Checkpoint, ms: number) => boolean;
}

/** How strictly a checkpoint is looked at. */
export interface Strictness {
  /** Whether the quorum of witnesses is asked for. Default true. */
  readonly quorum?: boolean;
  /** Whether the signature of a key that was revoked counts where the span is right. Default false. */
  readonly revoked?: boolean;
}

/**
 * Opens a signed checkpoint as {@link openWithPolicy} does, with the keys that sign checkpoints of its size. Throws the same, and
 * `key_retired` where a key has signed it that was replaced before, `key_revoked` where its key was known to others by then and
 * nobody outside had seen it before.
 */
export function openBelieved(
  note: Uint8Array,
  { policy, timeline, pinned, seenBefore = () => false }: Believed,
  { quorum = true, revoked = false }: Strictness = {},
): OpenedCheckpoint {
  const asked = quorum ? policy : { ...policy, quorum: undefined };
  const claim = readHead(note);
  if (timeline === undefined || claim === undefined) return openWithPolicy(note, asked);
  const keys = keysOf({ timeline, ...(pinned !== undefined && { pinned }) }, claim.size);
  let opened: OpenedCheckpoint;
  try {
    opened = openWithPolicy(note, { ...asked, logs: keys.map((key) => ({ key })) });
  } catch (error) {
    if (!(error instanceof VerificationError) || !missingSigner.has(error.code)) throw error;
    throw outOfSpan(note, timeline, claim) ?? error;
  }
  const signers = timeline.spans.filter(({ key }) => opened.verified.some((one) => one.key === key));
  const isGood = ({ compromisedSince: since }: (typeof signers)[number]): boolean =>
    since === undefined || claim.size <= since.size || seenBefore(claim, timeMs(since.time));
  if (revoked || signers.some(isGood)) return opened;
  const { key, compromisedSince } = signers[0]!;
  const message = `It is signed by a key that was compromised by then: ${key.text} is not believed beyond ${compromisedSince!.size} entries.`;
  throw new VerificationError('key_revoked', message, { key: key.text, ...compromisedSince });
}

/** The keys of the log that are believed for checkpoints of this size. */
export function keysOf(
  { timeline, pinned }: Required<Pick<Believed, 'timeline'>> & Pick<Believed, 'pinned'>,
  size: number,
): readonly VerifierKey[] {
  return pinned === undefined ? timeline.keysAt(size) : timeline.reached(pinned, size);
}

/** Whether an outside party saw exactly this state before a time. */
export function seenByAnchors(anchors: readonly Anchor[]): (checkpoint: Checkpoint, ms: number) => boolean {
  return ({ size, root }, ms) =>
    anchors.some((anchor) => anchor.size === size && anchor.time < ms && anchor.root === base64Encode(root));
}

const missingSigner = new Set(['signature_unknown', 'policy_unsatisfied']);

/** The error for a checkpoint that a key of the log has signed, out of its time; undefined where none has. */
function outOfSpan(
  note: Uint8Array,
  timeline: KeyTimeline,
  { size }: Checkpoint,
): VerificationError | undefined {
  for (const { key, first, last } of timeline.spans) {
    if (first <= size && size <= (last ?? size)) continue;
    try {
      openWithPolicy(note, { logs: [{ key }], witnesses: [], groups: [], quorum: undefined });
    } catch (error) {
      if (error instanceof VerificationError) continue;
      throw error;
    }
    const span = last === undefined ? `from ${first} entries on` : `for ${first} to ${last} entries`;
    const message = `The key ${key.text} signs this log ${span}, and this checkpoint is of ${size}.`;
    return new VerificationError('key_retired', message, { key: key.text, first, last, size });
  }
  return undefined;
}
