// A log in PostgreSQL is time-stamped as one in a folder is; what was signed lies in the folder of the instance.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AnchorStore } from 'indelible/anchor';
import { createPostgresLog, databaseOf, migrate, openPostgresLog } from 'indelible/postgres';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { listen, makeChain, opensslMissing } from '../support/tsa.ts';

describe('time-stamps of a log in PostgreSQL', { skip: (whyNoPostgres() ?? false) || opensslMissing }, () => {
  test('the option and the file, the audit, the tier; without a folder it is refused', async (t) => {
    const url = await (await testServer()).database();
    const pool = poolOf(url, 10);
    t.after(() => pool.end());
    await migrate(databaseOf(pool));
    const folder = temporaryFolder(t);
    const tsa = await listen(t, folder, makeChain(folder));
    const [origin, dir] = ['example.com/stamped', join(folder, 'instance')];
    const timestamps = {
      authorities: [{ name: 'tsa', url: tsa.url, certificates: tsa.root.pem }],
      everyMs: 20,
    };
    const stampedUpTo = (): number => {
      const store = AnchorStore.openReadable(join(dir, 'anchors.db'));
      const size = store?.newestTimestamps()[0]?.size ?? 0;
      store?.close();
      return size;
    };
    const audit = await createPostgresLog(pool, { origin, dir, timestamps });
    try {
      await audit.record(signIn('a'));
      const { size } = await audit.log.checkpoint();
      for (const end = performance.now() + 20_000; stampedUpTo() < size; ) {
        assert.ok(performance.now() < end, 'it was never stamped');
        await new Promise((done) => setTimeout(done, 20));
      }
      const report = await audit.verify({ tsaCertificates: tsa.root.pem });
      assert.deepEqual(report.findings, []);
      assert.match(report.anchored, new RegExp(`time-stamped by tsa at \\S+ up to size ${size}`));
      const { layers, stamped } = await audit.log.tier();
      assert.deepEqual([layers[3]!.holds, stamped[0]?.size], [true, size]);
    } finally {
      await audit.close();
    }
    const nowhere = openPostgresLog(pool, { origin, key: join(dir, 'log.key'), timestamps });
    await assert.rejects(nowhere, { code: 'option_invalid', message: /pass dir/ });
  });
});
