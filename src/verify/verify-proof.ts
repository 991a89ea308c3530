import { utf8Encode } from '../bytes/index.ts';
import { type Hash, hashLeaf, verifyInclusion } from '../merkle/index.ts';
import type { VerifiedSignature } from '../note/index.ts';
import { type Anchor, openBelieved, seenByAnchors } from './believed.ts';
import type { KeyTimeline } from './key-timeline.ts';
import { parseProof } from './tlog-proof.ts';
import { policyOf, type Trust } from './trust.ts';

/** What a proof has shown. */
export interface ProofVerdict {
  /** The log that holds the entry. */
  readonly origin: string;
  /** The entry's place in it. */
  readonly index: number;
  /** How large the log was, at least, when it signed. */
  readonly size: number;
  readonly root: Hash;
  readonly leafHash: Hash;
  /** Who has signed the checkpoint: the log, and any witness that the policy knows, with its time. */
  readonly verified: readonly VerifiedSignature[];
  /** What travelled along. Nothing vouches for it. */
  readonly extra?: Uint8Array;
}

/**
 * Verifies that `entry` is in a log, from a proof file alone. What it shows: the log that `policy` names has
 * signed, and the quorum has cosigned, a tree that holds exactly these bytes at this index. Nothing is
 * fetched, and the entry's meaning is not looked at. Given a key alone, nobody can see from a proof whether that key was replaced
 * since: see spec/keys.md.
 *
 * Throws where it does not show that: `malformed_proof`, the errors of `openWithPolicy` and `openBelieved`, or
 * `inclusion_invalid`.
 */
export function verifyProof(evidence: {
  readonly proof: Uint8Array;
  readonly entry: Uint8Array;
  readonly policy: Trust;
  /**
   * How the log's keys have changed, where that is known: its keys then stand in place of those that the policy names, each for its
   * sizes. Whoever hands it in has seen that they follow from a key that was pinned (`KeyTimeline.reached`).
   */
  readonly timeline?: KeyTimeline;
  /** States of the log that outside parties had seen, for checkpoints of a key that was revoked. */
  readonly anchors?: readonly Anchor[];
}): ProofVerdict {
  const proof = parseProof(evidence.proof);
  // The leaf comes from the entry's own bytes, never from the proof: a hash from outside could be a node of
  // the tree.
  const leafHash = hashLeaf(evidence.entry);
  const { timeline, anchors = [] } = evidence;
  const { checkpoint, verified } = openBelieved(utf8Encode(proof.checkpoint), {
    policy: policyOf(evidence.policy),
    ...(timeline !== undefined && { timeline }),
    seenBefore: seenByAnchors(anchors),
  });
  const { origin, size, root } = checkpoint;
  verifyInclusion({ index: proof.index, size, leafHash, root, proof: proof.hashes });
  const { index, extra } = proof;
  return { origin, index, size, root, leafHash, verified, ...(extra !== undefined && { extra }) };
}
