import { VerificationError } from '../bytes/index.ts';
import { type Checkpoint, parseCheckpoint, parseNote } from '../note/index.ts';
import type { FindingCode } from './finding.ts';

/** What a signed checkpoint says, before anybody has verified it; undefined if it says nothing. */
export function readHead(note: Uint8Array): Checkpoint | undefined {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** The finding that the failure of a signed checkpoint amounts to. */
export function findingOfSignature({ code }: VerificationError): FindingCode {
  if (code === 'signature_unknown') return 'key_unknown';
  if (code === 'key_retired' || code === 'key_revoked' || code === 'origin_mismatch') return code;
  return 'checkpoint_invalid';
}

/** A message as part of a longer sentence. */
export function withoutStop(message: string): string {
  return message.replace(/\.$/, '');
}
