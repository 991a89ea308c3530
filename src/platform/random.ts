import { randomFillSync } from 'node:crypto';

/** Bytes drawn from the system at once: small draws are served out of them. */
const POOL_BYTES = 16_384;

let pool = new Uint8Array(0);
let used = 0;

/** `length` bytes of the system's secure randomness. No byte is handed out twice. */
export function randomBytes(length: number): Uint8Array {
  if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
  if (used + length > pool.length) {
    pool = randomFillSync(new Uint8Array(POOL_BYTES));
    used = 0;
  }
  const bytes = pool.subarray(used, used + length);
  used += length;
  return bytes;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A UUID version 7 (RFC 9562, section 5.7): 48 bits of `ms`, 74 random bits; sorts by time. */
export function uuidv7(ms: number): string {
  const r = randomBytes(10);
  const time = ms.toString(16).padStart(12, '0');
  const a = HEX[(r[0]! & 0x0f) | 0x70]! + HEX[r[1]!]!;
  const b = HEX[(r[2]! & 0x3f) | 0x80]! + HEX[r[3]!]!;
  const tail = HEX[r[4]!]! + HEX[r[5]!]! + HEX[r[6]!]! + HEX[r[7]!]! + HEX[r[8]!]! + HEX[r[9]!]!;
  return `${time.slice(0, 8)}-${time.slice(8)}-${a}-${b}-${tail}`;
}
