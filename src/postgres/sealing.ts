import { base64urlDecode, base64urlEncode } from '../bytes/index.ts';
import { type Draft, type SealedDraft, sealDraft, sealingBytes } from '../event/index.ts';
import { randomBytes } from '../platform/index.ts';
import { LogError } from '../store/index.ts';

/** Bytes of the nonce, and of each salt. */
const PIECE_BYTES = 16;

/*
 * An event is sealed where it is handed in: its nonce and the salt of every sealed value are drawn there and wait with it, so that all
 * of its entry is settled by the transaction that holds it, but for the time at which the log takes it. What waits is the event and
 * these bytes, not the text of the entry: whoever may write to the outbox has no right to the log, so the sequencer would have to take
 * a text apart, check it by the rules and put it together again before it could sign over it; and ids are pseudonymised with a key
 * that only those have who hold the log's.
 */

/** Draws the nonce and the salts of a draft, as they wait in the outbox. */
export function drawSealing(draft: Draft): string {
  return base64urlEncode(randomBytes(sealingBytes(draft)));
}

/**
 * Seals a draft with what was drawn for it. Throws `LogError` `outbox_row_invalid` where that is not one nonce and one salt for each of
 * its sealed values, all different: equal ones would tell that two values are equal.
 */
export function sealWith(draft: Draft, sealing: unknown): SealedDraft {
  const bytes = readSealing(sealing);
  if (bytes === undefined || bytes.length !== sealingBytes(draft) || !isDistinct(bytes)) {
    throw new LogError(
      'outbox_row_invalid',
      'the row does not hold a nonce and a salt for each sealed value',
    );
  }
  return sealDraft(draft, () => bytes);
}

function readSealing(sealing: unknown): Uint8Array | undefined {
  try {
    return typeof sealing === 'string' ? base64urlDecode(sealing) : undefined;
  } catch {
    return undefined;
  }
}

function isDistinct(bytes: Uint8Array): boolean {
  const pieces = new Set<string>();
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    pieces.add(base64urlEncode(bytes.subarray(at, at + PIECE_BYTES)));
  }
  return pieces.size * PIECE_BYTES === bytes.length;
}
