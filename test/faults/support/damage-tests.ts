import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Photographs, photographLog, probeDamage } from './flip-probe.ts';

/** A file of a log, as it lay open or closed, and how many copies are damaged; 0 stands for one in each of its bytes. */
export type DamageTarget = readonly [state: 'open' | 'closed', file: string, count: number];

/** Registers one test for each target. */
export function damageTests(seed: number, events: number, targets: readonly DamageTarget[]): void {
  let scratch: string;
  let photographs: Photographs;
  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), 'indelible-'));
    photographs = await photographLog(scratch, events);
  });
  after(() => rmSync(scratch, { recursive: true, force: true }));

  describe('damage to', () => {
    for (const [state, file, count] of targets) {
      test(`${file} of the log, ${state}: the verifier objects, or every answer is what it was`, async (t) => {
        const { found, same, wrong } = await probeDamage(t, {
          now: join(scratch, state),
          earlier: join(scratch, 'earlier'),
          scratch: join(scratch, `${state}-${file.replaceAll('/', '-')}`),
          ...photographs,
          seed,
          counts: { [file]: count },
        });
        t.diagnostic(`${found} found, ${same} without effect`);
        assert.deepEqual(wrong, [], `seed ${seed}`);
        assert.ok(found + same > 4, 'hardly anything was tried');
      });
    }
  });
}
