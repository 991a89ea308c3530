import { equalBytes } from '../bytes/index.ts';
import type { Policy } from '../note/index.ts';
import { type Head, LogError } from '../store/index.ts';
import { type KeyTimeline, openBelieved } from '../verify/index.ts';
import type { LogKeys } from './log-timeline.ts';

/** Nobody but whom the timeline of the log's keys names. */
export const nobodyElse: Policy = { logs: [], witnesses: [], groups: [], quorum: undefined };

/**
 * Checks that a head is what the key that signs at its size has signed: whoever can write to the database can write a
 * head that follows from forged entries, and cannot sign it. Throws `LogError` `head_invalid`.
 */
export function checkHead(head: Head, timeline: KeyTimeline): void {
  try {
    const { checkpoint } = openBelieved(head.checkpoint, { policy: nobodyElse, timeline }, { revoked: true });
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

/** The error for a key that does not sign the log: one that was replaced, or never did. */
export function notTheKey(
  vkey: string,
  { timeline }: LogKeys,
  code: 'key_mismatch' | 'key_retired',
): LogError {
  const span = timeline.spanOf(vkey);
  const now = timeline.current.map(({ text }) => text).join(', ');
  if (span === undefined) {
    return new LogError('key_mismatch', 'the signing key is not a key of this log', {
      hint: `the log is signed by ${now}`,
    });
  }
  return new LogError(
    code,
    `the signing key was replaced at entry ${span.last}, and signs nothing any more`,
    {
      retryable: code === 'key_retired',
      hint: `open the log with the key that signs it now: ${now}; nothing that was acknowledged is affected`,
    },
  );
}
