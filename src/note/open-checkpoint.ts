import { VerificationError } from '../bytes/index.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';
import { type OpenedNote, openNote, type VerifiedSignature } from './note.ts';
import type { VerifierKey } from './verifier-key.ts';

/** Whom a verifier believes about one log. */
export interface CheckpointTrust {
  /**
   * The name the checkpoint must carry. Usually the name of the log's key; configured apart, because it need
   * not be.
   */
  readonly origin: string;
  /** The log's keys: at least one of them must have signed. */
  readonly keys: readonly VerifierKey[];
  /** Witnesses, whose signatures are verified where present and counted by nobody here. */
  readonly cosigners?: readonly VerifierKey[];
}

/** A checkpoint that its log has signed. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly note: OpenedNote;
  /** Every signature that verified: the log's, and those of known cosigners. */
  readonly verified: readonly VerifiedSignature[];
}

/**
 * Opens a signed checkpoint: verifies its signatures, then reads it, then asks whether it is about the log we
 * mean. A checkpoint with perfect signatures under another origin belongs to another log (`origin_mismatch`);
 * one that only cosigners have signed has no log behind it (`signature_unknown`).
 */
export function openCheckpoint(
  bytes: Uint8Array,
  { origin, keys, cosigners = [] }: CheckpointTrust,
): OpenedCheckpoint {
  const note = openNote(bytes, [...keys, ...cosigners]);
  const checkpoint = parseCheckpoint(note.text);
  if (checkpoint.origin !== origin) {
    throw new VerificationError(
      'origin_mismatch',
      'This checkpoint belongs to another log than the one expected.',
      {
        expected: origin,
        found: checkpoint.origin,
      },
    );
  }
  if (!note.verified.some(({ key }) => keys.includes(key))) {
    throw new VerificationError('signature_unknown', 'The log itself has not signed this checkpoint.', {
      origin,
    });
  }
  return { checkpoint, note, verified: note.verified };
}
