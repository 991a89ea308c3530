import { base64Encode, equalBytes, VerificationError } from '../bytes/index.ts';
import { timeMs } from '../event/index.ts';
import {
  type Checkpoint,
  keyTypes,
  type OpenedCheckpoint,
  openWithPolicy,
  type Policy,
  parseVerifierKey,
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
  /**
   * The keys from which a signer has to follow; absent where the timeline itself is believed, because such a key has signed it. Where
   * they are ML-DSA-44 keys alone, which no entry names or replaces, one of them has to sign beside the key that the entries name.
   */
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
 * Opens a signed checkpoint as {@link openWithPolicy} does, with the keys that sign checkpoints of its size; a second key of the log
 * that the policy names, ML-DSA-44, is known beside them, so that a line of it that fails refuses the note. Throws the same, and
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
  const others = policy.logs.filter(({ key }) => key.type !== keyTypes.ed25519);
  let opened: OpenedCheckpoint;
  try {
    opened = openWithPolicy(note, { ...asked, logs: [...keys.map((key) => ({ key })), ...others] });
    mustBeSigned(opened, keys);
    if (pinned !== undefined && !revoked && demandsSecond(policy))
      mustBeSigned(
        opened,
        others.map(({ key }) => key),
      );
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

/** Whether a policy names second keys of the log, ML-DSA-44, and none of those that the entries name: then it demands their line. */
export function demandsSecond({ logs }: Pick<Policy, 'logs'>): boolean {
  return logs.length > 0 && logs.every(({ key }) => key.type !== keyTypes.ed25519);
}

/** The keys of a policy from which others may follow by the entries of the log: Ed25519; all where there are none of those. */
export function pinnedBy(policy: Pick<Policy, 'logs'>): readonly string[] {
  const all = policy.logs.map(({ key }) => key);
  const followed = all.filter(({ type }) => type === keyTypes.ed25519);
  return (followed.length > 0 ? followed : all).map(({ text }) => text);
}

/** Throws `policy_unsatisfied` unless one of these keys of the log has signed. */
function mustBeSigned(
  { checkpoint: { origin }, verified }: OpenedCheckpoint,
  keys: readonly VerifierKey[],
): void {
  if (verified.some(({ key }) => key.name === origin && keys.includes(key))) return;
  const message = 'The log itself has not signed this checkpoint with the key that is asked for.';
  throw new VerificationError('policy_unsatisfied', message, { origin, keys: keys.map(({ text }) => text) });
}

/** The keys of the log that are believed for checkpoints of this size. */
export function keysOf(
  { timeline, pinned }: Required<Pick<Believed, 'timeline'>> & Pick<Believed, 'pinned'>,
  size: number,
): readonly VerifierKey[] {
  const isSecond = pinned?.every((text) => parseVerifierKey(text).type !== keyTypes.ed25519) ?? false;
  const isOfEntries = pinned === undefined || (pinned.length > 0 && isSecond);
  return isOfEntries ? timeline.keysAt(size) : timeline.reached(pinned, size);
}

/**
 * A policy without the witnesses that are the log itself, by its name or by a key that ever signed it or may replace the one that does:
 * what they sign is not somebody else's.
 */
export function withoutOwn(policy: Policy, { origin, rootKey, spans }: KeyTimeline): Policy {
  const own = [...spans.map(({ key }) => key), ...(rootKey === undefined ? [] : [rootKey])];
  const isOwn = ({ name, publicKey }: VerifierKey): boolean =>
    name === origin || own.some((key) => equalBytes(key.publicKey, publicKey));
  return { ...policy, witnesses: policy.witnesses.filter(({ key }) => !isOwn(key)) };
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
