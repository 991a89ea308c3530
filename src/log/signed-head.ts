import { equalBytes } from '../bytes/index.ts';
import { openCheckpoint, type VerifierKey } from '../note/index.ts';
import { type Head, LogError } from '../store/index.ts';

/**
 * Checks that a head is what one of the log's keys has signed: whoever can write to the database can write a
 * head that follows from forged entries, and cannot sign it. Throws `LogError` `head_invalid`.
 */
export function checkHead(head: Head, origin: string, keys: readonly VerifierKey[]): void {
  try {
    const { checkpoint } = openCheckpoint(head.checkpoint, { origin, keys: [...keys] });
    if (checkpoint.size === head.size && equalBytes(checkpoint.root, head.root)) return;
  } catch (cause) {
    throw new LogError('head_invalid', 'the checkpoint of the head is not signed by the key of the log', {
      cause,
      hint: 'somebody without the key wrote to the log: stop writing, and run verify',
    });
  }
  throw new LogError('head_invalid', 'the checkpoint of the head is not the one of its size and root', {
    hint: 'somebody without the key wrote to the log: stop writing, and run verify',
  });
}
