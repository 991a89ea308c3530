/** All `parts`, one after the other, in memory of their own. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * Whether `a` and `b` hold the same bytes. It stops at the first difference, so it is for public values
 * (hashes, proofs, signatures already made), never for comparing a secret with a guess.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let position = 0; position < a.length; position += 1) {
    if (a[position] !== b[position]) return false;
  }
  return true;
}

/**
 * The order of two byte strings: negative, zero or positive as `a` sorts before, with or after `b`. A prefix
 * sorts first.
 */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let position = 0; position < shared; position += 1) {
    const difference = a[position]! - b[position]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
