// Changes at random, which a seed repeats.

/** A seeded generator: a failure can be repeated. */
export function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** One change at random: a bit, a byte, a piece taken out, doubled or moved. */
export function mutate(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  const at = random(bytes.length);
  const length = 1 + random(40);
  const kind = random(5);
  if (kind === 0) return bytes.map((byte, place) => (place === at ? byte ^ (1 << random(8)) : byte));
  if (kind === 1) return bytes.map((byte, place) => (place === at ? 32 + random(95) : byte));
  if (kind === 2) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  const piece = bytes.subarray(at, at + length);
  const to = random(bytes.length);
  if (kind === 3) return Buffer.concat([bytes.subarray(0, to), piece, bytes.subarray(to)]);
  const rest = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
  return Buffer.concat([rest.subarray(0, to), piece, rest.subarray(to)]);
}
