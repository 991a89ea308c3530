import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readLines, splitLines } from '#dist/cli/lines.js';

async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const end = Math.max(start, Math.min(cut, bytes.length));
    if (end > start) yield bytes.subarray(start, end);
    start = end;
  }
  if (start < bytes.length) yield bytes.subarray(start);
}

async function collect(
  lines: AsyncIterable<readonly { number: number; bytes: Uint8Array; tooLong: boolean }[]>,
) {
  const found: [number, string][] = [];
  for await (const group of lines) {
    for (const { number, bytes, tooLong } of group)
      found.push([number, tooLong ? '<too long>' : Buffer.from(bytes).toString()]);
  }
  return found;
}

describe('lines', () => {
  test('are the same however the bytes arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.stringMatching(/^[a-z\r]{0,6}$/)),
        fc.array(fc.nat(60)),
        async (parts, cuts) => {
          const text = parts.join('\n');
          const expected = text
            .split('\n')
            .map((line, place): [number, string] => [place + 1, line.replace(/\r$/, '')])
            .filter(([, line]) => line !== '');
          assert.deepEqual(await collect(splitLines(pieces(Buffer.from(text), cuts))), expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a line at the limit is read, one past it is refused by number, and the next is read', async () => {
    const bytes = Buffer.from('12345\n123456\nabc');
    for (const cuts of [[], [3, 8, 11], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]]) {
      assert.deepEqual(await collect(splitLines(pieces(bytes, cuts), 5)), [
        [1, '12345'],
        [2, '<too long>'],
        [3, 'abc'],
      ]);
    }
  });

  test('of a line that is too long the digest is kept, however the bytes arrive', async () => {
    const whole = Buffer.from(`short\n${'x'.repeat(50)}\nshort\n${'y'.repeat(50)}`);
    const expected = ['x', 'y'].map((letter) => ({
      bytes: 50,
      sha256: createHash('sha256').update(letter.repeat(50)).digest('hex'),
    }));
    for (const step of [1, 7, 60, 1000]) {
      async function* chunks(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < whole.length; at += step) yield whole.subarray(at, at + step);
      }
      const digests: unknown[] = [];
      for await (const group of splitLines(chunks(), 20)) {
        for (const line of group) if (line.tooLong) digests.push(line.digest);
      }
      assert.deepEqual(digests, expected);
    }
  });

  test('a gzip file is unpacked, a broken one fails', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'indelible-test-'));
    try {
      const packed = gzipSync('one\ntwo\n'.repeat(10_000));
      writeFileSync(join(dir, 'good.gz'), packed);
      writeFileSync(join(dir, 'cut.gz'), packed.subarray(0, packed.length - 20));
      const stdin = Readable.from([]);
      assert.equal((await collect(readLines(join(dir, 'good.gz'), stdin))).length, 20_000);
      await assert.rejects(collect(readLines(join(dir, 'cut.gz'), stdin)), {
        name: 'UsageError',
        message: /cut\.gz is a gzip file that is cut off or damaged/,
      });
      await assert.rejects(collect(readLines(join(dir, 'absent'), stdin)), { code: 'ENOENT' });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('standard input is read where no file is named', async () => {
    for (const name of [undefined, '-']) {
      assert.deepEqual(await collect(readLines(name, Readable.from([Buffer.from('a\nb')]))), [
        [1, 'a'],
        [2, 'b'],
      ]);
    }
  });
});
