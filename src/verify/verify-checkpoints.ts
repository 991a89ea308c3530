import { equalBytes, VerificationError } from '../bytes/index.ts';
import { EMPTY_ROOT, type Hash, verifyConsistency } from '../merkle/index.ts';
import { type Checkpoint, openWithPolicy } from '../note/index.ts';
import { policyOf, type Trust } from './trust.ts';

/**
 * Verifies that a log has only grown between two of its checkpoints: both are signed as `policy` asks, both
 * are about the same log, and the proof shows that the older tree is the beginning of the newer one. Returns
 * the two.
 *
 * An older checkpoint of size 0 is the beginning of every log; its proof is empty. Throws the errors of
 * `openWithPolicy`, `origin_mismatch`, or `consistency_invalid`: two checkpoints that are both signed and not
 * consistent prove that the log has shown two histories.
 */
export function verifyCheckpoints(evidence: {
  readonly older: Uint8Array;
  readonly newer: Uint8Array;
  /** The consistency proof of RFC 6962 §2.1.2. */
  readonly proof: readonly Hash[];
  readonly policy: Trust;
}): { readonly older: Checkpoint; readonly newer: Checkpoint } {
  const policy = policyOf(evidence.policy);
  const older = openWithPolicy(evidence.older, policy).checkpoint;
  const newer = openWithPolicy(evidence.newer, policy).checkpoint;
  if (older.origin !== newer.origin) {
    throw new VerificationError('origin_mismatch', 'The two checkpoints belong to two logs.', {
      expected: older.origin,
      found: newer.origin,
    });
  }
  const sizes = { size1: older.size, size2: newer.size };
  if (older.size > 0) {
    verifyConsistency({ ...sizes, root1: older.root, root2: newer.root, proof: evidence.proof });
  } else if (evidence.proof.length > 0 || !equalBytes(older.root, EMPTY_ROOT)) {
    throw new VerificationError(
      'consistency_invalid',
      'An empty log has the empty tree’s root and needs no proof.',
      sizes,
    );
  } else if (newer.size === 0 && !equalBytes(newer.root, EMPTY_ROOT)) {
    throw new VerificationError(
      'consistency_invalid',
      'An empty log has no other root than the empty tree’s.',
      sizes,
    );
  }
  return { older, newer };
}
