// attack-15: a receipt of one log, shown to another: of another tenant, of a log of the same name, or put together out of two.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog, type Log, type Receipt } from 'indelible';
import { signIn, temporaryFolder } from '../support/folders.ts';

interface Tenant {
  readonly name: string;
  readonly log: Log;
  readonly receipts: readonly Receipt[];
}

/** Three logs with the same events, by id and by index: two tenants, and one that bears the first one's name. */
async function tenants(t: TestContext): Promise<Tenant[]> {
  const named = { one: 'log.example/one', two: 'log.example/two', 'one by another': 'log.example/one' };
  return Promise.all(
    Object.entries(named).map(async ([name, origin]) => {
      const log = await createLog(join(temporaryFolder(t), 'log'), { origin, heartbeatMs: 0 });
      t.after(() => log.close());
      const receipts: Receipt[] = [];
      for (let n = 0; n < 5; n++) receipts.push(await log.record({ ...signIn(`e-${n}`), reason: 'same' }));
      return { name, log, receipts };
    }),
  );
}

test('attack-15: a receipt proves nothing to another log, whichever way it is shown', async (t) => {
  const all = await tenants(t);
  for (const of of all) {
    for (const to of all) {
      for (const receipt of of.receipts) {
        const where = `${of.name}, ${receipt.id}, to ${to.name}`;
        const held = [receipt];
        const report = await to.log.verify({ vkey: to.log.vkey, held, threads: 0 });
        if (of === to) {
          assert.equal((await to.log.prove(receipt)).entry.length > 0, true);
          assert.deepEqual([report.ok, report.held!.agree], [true, 1], where);
          continue;
        }
        await assert.rejects(to.log.prove(receipt), { name: 'LogError', code: 'log_damaged' }, where);
        assert.deepEqual([report.ok, report.held!.agree], [false, 0], where);
        assert.ok(
          report.findings.every(({ code }) =>
            ['held_invalid', 'origin_mismatch', 'key_unknown'].includes(code),
          ),
          `${where}: ${report.findings.map(({ code }) => code).join()}`,
        );
      }
    }
  }
});

test('attack-15: a receipt put together out of two is no receipt of either', async (t) => {
  const [one, two] = await tenants(t);
  const [mine, theirs] = [one!.receipts[2]!, two!.receipts[2]!];
  const other = one!.receipts[3]!;
  const forged: Record<string, Receipt> = {
    'its leaf under a checkpoint of another log': { ...mine, checkpoint: theirs.checkpoint },
    'a leaf of another log under its checkpoint': { ...mine, leafHash: theirs.leafHash },
    'another entry’s leaf': { ...mine, leafHash: other.leafHash },
    'another index': { ...mine, index: other.index },
    'an index beyond its checkpoint': { ...mine, index: mine.index + 1_000 },
  };
  for (const [what, receipt] of Object.entries(forged)) {
    const { ok, held, findings } = await one!.log.verify({
      vkey: one!.log.vkey,
      held: [receipt],
      threads: 0,
    });
    assert.deepEqual([ok, held!.agree], [false, 0], `${what}: ${JSON.stringify(findings)}`);
  }
  for (const what of ['a leaf of another log under its checkpoint', 'another entry’s leaf', 'another index'])
    await assert.rejects(one!.log.prove(forged[what]!), { code: 'log_damaged' }, what);
  await assert.rejects(one!.log.prove(forged['an index beyond its checkpoint']!), { code: 'not_found' });
});
