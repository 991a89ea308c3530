// Somebody removes or replaces the files of a log while it is open: SQLite would go on writing where nobody will ever look.
// What is acknowledged must be found by whoever opens the folder afterwards.

import assert from 'node:assert/strict';
import { cpSync, existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { faultEvent } from './support/fault-events.ts';
import { origin } from './support/template.ts';

const moves: Readonly<Record<string, (dir: string) => void>> = {
  'the folder is removed': (dir) => rmSync(dir, { recursive: true }),
  'log.db is removed': (dir) => rmSync(join(dir, 'log.db')),
  'log.db is replaced by a copy': (dir) => {
    cpSync(join(dir, 'log.db'), join(dir, 'copy'));
    renameSync(join(dir, 'copy'), join(dir, 'log.db'));
  },
  'the write-ahead log is removed': (dir) => rmSync(join(dir, 'log.db-wal')),
};

/** Records until a call is refused; resolves to the ids that were acknowledged, and to what ended it. */
async function recordOn(log: Log): Promise<{ acknowledged: string[]; code: unknown }> {
  const acknowledged: string[] = [];
  for (let n = 0; n < 5; n++) {
    try {
      acknowledged.push((await log.record(faultEvent(`after-${n}`))).id);
    } catch (error) {
      return { acknowledged, code: (error as { code?: unknown }).code };
    }
  }
  return { acknowledged, code: undefined };
}

async function opened(t: TestContext, thread: 'worker' | 'caller'): Promise<Log> {
  const log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread });
  await log.record(faultEvent('before'));
  return log;
}

for (const thread of ['worker', 'caller'] as const) {
  describe(`on the thread of the ${thread}, when`, () => {
    for (const [what, move] of Object.entries(moves)) {
      test(`${what}, nothing more is acknowledged`, async (t) => {
        const log = await opened(t, thread);
        move(log.dir);
        const { acknowledged, code } = await recordOn(log);
        assert.deepEqual(acknowledged, []);
        assert.equal(code, 'log_replaced');
        await log.close();
        if (!existsSync(join(log.dir, 'log.db'))) return;
        // What lies there now can be opened, and takes events again.
        const again = await openLog(log.dir, { thread: 'caller', readOnly: true }).catch(
          (error: unknown) => (error as { code: unknown }).code,
        );
        if (typeof again === 'string') assert.equal(again, 'rolled_back');
        else await (again as Log).close();
      });
    }
  });
}
