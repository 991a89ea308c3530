// T7: every file of a small log is damaged in every way that disks know: flipped bits, zeroed, swapped and stale sectors,
// lost ends. Either the verifier, with the key pinned, objects, or every answer is what it was.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Photographs, photographLog, probeDamage } from './support/flip-probe.ts';

const EVENTS = 30;
const SEED = 7;

/** Damaged copies of each file, of the log as it lay open or closed; 0 stands for one in each of its bytes. */
const targets: readonly (readonly ['open' | 'closed', string, number])[] = [
  ['closed', 'log/log.db', 250],
  ['open', 'log/log.db', 60],
  ['open', 'log/log.db-wal', 150],
  ['closed', 'log/index.db', 120],
  ['open', 'log/index.db', 40],
  ['open', 'log/index.db-wal', 80],
  ['closed', 'log/log.vkey', 0],
  ['closed', 'log/log.key', 0],
  ['closed', 'log/root.vkey', 30],
  ['closed', 'log/root.key', 30],
  ['closed', 'log.mark', 0],
];

let scratch: string;
let photographs: Photographs;

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'indelible-'));
  photographs = await photographLog(scratch, EVENTS);
});
after(() => rmSync(scratch, { recursive: true, force: true }));

describe('damage to', () => {
  for (const [state, file, count] of targets) {
    test(`${file} of the log, ${state}: the verifier objects, or every answer is what it was`, async (t) => {
      const { refused, found, same, wrong } = await probeDamage(t, {
        now: join(scratch, state),
        earlier: join(scratch, 'earlier'),
        scratch: join(scratch, `${state}-${file.replaceAll('/', '-')}`),
        ...photographs,
        seed: SEED,
        counts: { [file]: count },
      });
      t.diagnostic(`${found} found, ${refused} refused, ${same} without effect`);
      assert.deepEqual(wrong, [], `seed ${SEED}`);
      assert.ok(refused + found + same > 10, 'hardly anything was tried');
    });
  }
});
