// The golden log whose key was replaced, and then revoked: where it lies, and its keys, which are no secret.

import { join } from 'node:path';
import { parseSignerKey, type Signer, signerKeyFromSeed } from 'indelible/note';

export const origin = 'golden.example/rotated';

/** `log/` as a backup leaves it, `published/`, receipts, two proofs of one entry, evidence. */
export const golden = join(import.meta.dirname, '../fixtures/golden-rotated');

/** The private keys of the log, in the order in which they took over: as text. */
export const keyText = (number: number): string =>
  signerKeyFromSeed(origin, new Uint8Array(32).fill(0x60 + number));

export const root: Signer = parseSignerKey(
  signerKeyFromSeed(`${origin}/root`, new Uint8Array(32).fill(0x6f)),
);
