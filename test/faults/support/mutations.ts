import { readFileSync, writeFileSync } from 'node:fs';
import type { Random } from './random.ts';

/** One thing that a disk does to a file behind everybody's back. */
export interface Mutation {
  readonly file: string;
  /** What it is, in words that name the place. */
  readonly name: string;
  apply(path: string): void;
}

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;

/** What a {@link mutationsOf} file looks like now, and looked like at an earlier moment. */
export interface FileHistory {
  readonly file: string;
  readonly now: Buffer;
  readonly earlier?: Buffer | undefined;
}

/**
 * `count` mutations of one file, drawn by `random`: half of them a flipped bit, the rest whole sectors and pages that are
 * zeroed, written to each other's place, or left as they were earlier; and ends that are cut off.
 */
export function mutationsOf(history: FileHistory, count: number, random: Random): Mutation[] {
  const { file, now } = history;
  if (now.length === 0) return [];
  const mutations = Array.from({ length: count }, (_, n) =>
    n % 2 === 0 ? flip(file, now, random) : blocks(history, random),
  );
  // What changed nothing is no test.
  return mutations.filter((mutation) => mutation !== undefined);
}

/** Every byte of a small file with one of its bits flipped. */
export function everyByte({ file, now }: FileHistory, random: Random): Mutation[] {
  return Array.from(now, (_, at) => flipAt(file, at, random.below(8)));
}

function flip(file: string, now: Buffer, random: Random): Mutation {
  return flipAt(file, random.below(now.length), random.below(8));
}

function flipAt(file: string, at: number, bit: number): Mutation {
  return {
    file,
    name: `${file}: bit ${bit} of byte ${at} flipped`,
    apply: (path) => {
      const bytes = readFileSync(path);
      bytes[at] = bytes[at]! ^ (1 << bit);
      writeFileSync(path, bytes);
    },
  };
}

function blocks({ file, now, earlier = NOTHING }: FileHistory, random: Random): Mutation | undefined {
  const bytes = random.of([SECTOR_BYTES, PAGE_BYTES]);
  const kind = random.of(['zeroed', 'swapped', 'stale', 'cut'] as const);
  const count = Math.ceil(now.length / bytes);
  const [here, there] = [random.below(count), random.below(count)];
  const block = (of: Buffer, at: number): Buffer => of.subarray(at * bytes, (at + 1) * bytes);
  const changed = Buffer.from(now);
  let name = `${file}: block ${here} of ${bytes} bytes ${kind}`;
  if (kind === 'zeroed') {
    block(changed, here).fill(0);
  } else if (kind === 'swapped') {
    name += ` with block ${there}`;
    changed.set(block(now, there).subarray(0, block(now, here).length), here * bytes);
    changed.set(block(now, here).subarray(0, block(now, there).length), there * bytes);
  } else if (kind === 'stale') {
    changed.set(block(earlier, here), here * bytes);
  }
  const result = kind === 'cut' ? changed.subarray(0, here * bytes) : changed;
  if (result.equals(now)) return undefined;
  return { file, name, apply: (path) => writeFileSync(path, result) };
}

const NOTHING = Buffer.alloc(0);
