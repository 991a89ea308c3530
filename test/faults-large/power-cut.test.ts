// T2: the power is cut while processes record, at high and at low rates: what is lost shows at low rates, where nobody else
// makes the kernel write. The negative controls record with an fsync that does nothing, and must lose something.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { parseSignerKey } from 'indelible/note';
import { CutDisk, cuttingRefused } from '../faults/support/cut-disk.ts';
import { faultEvent } from '../faults/support/fault-events.ts';
import { breaches, type KeptReceipt } from '../faults/support/invariants.ts';
import { Child, keptReceipts, pause, programOf, until } from '../faults/support/processes.ts';
import { seeded } from '../faults/support/random.ts';
import type { RecorderOrders } from '../faults/support/recorder.ts';
import { toolMissing } from '../faults/support/rights.ts';
import { origin } from '../faults/support/template.ts';
import { temporaryFolder } from '../support/folders.ts';

/** Cuts of each case. */
const CUTS = Number(process.env['FAULTS_CUTS'] ?? 25);
/** Cuts while one log is written; then another is begun, so that checking it stays quick. */
const CUTS_OF_A_LOG = 8;
/** Cuts of a negative control; one that shows a loss is enough. */
const CONTROL_CUTS = 12;
const SEED = Number(process.env['FAULTS_SEED'] ?? 2);

type Manner = Pick<RecorderOrders, 'concurrency' | 'batch' | 'thread' | 'pauseMs'>;
const high: Manner = { concurrency: 24, batch: 1, thread: 'worker', pauseMs: 30 };
const low: Manner = { concurrency: 1, batch: 1, thread: 'worker', pauseMs: 120 };
const batches: Manner = { concurrency: 1, batch: 300, thread: 'worker', pauseMs: 400 };

/** A disk whose power can be cut, until the test ends. */
function cutDisk(t: TestContext): CutDisk {
  const disk = new CutDisk();
  t.after(() => disk.release());
  return disk;
}

interface Case {
  readonly manners: readonly Manner[];
  readonly count: number;
  /** What the recorders' command lines start with. */
  readonly wrap?: readonly string[];
}

/** Records on the disk, cuts its power again and again, and returns what each cut broke. */
async function cuts(
  t: TestContext,
  { manners, count, wrap = [] }: Case,
): Promise<{ receipts: number; broken: string[][] }> {
  const random = seeded(SEED);
  const disk = cutDisk(t);
  const outside = temporaryFolder(t);
  const broken: string[][] = [];
  let receipts = 0;
  for (let round = 0; broken.length < count; round++) {
    const dir = join(disk.path, `${round}`, 'log');
    mkdirSync(dirname(dir));
    await (await createLog(dir, { origin })).close();
    const files = manners.map((_, n) => join(outside, `${round}-${n}.receipts`));
    const children = manners.map((manner, n) => {
      const orders = { dir, receipts: files[n], name: `p${n}`, ...manner };
      return new Child(t, [...wrap, ...programOf('recorder.ts', orders)]);
    });
    await until('receipts', () => files.every((file) => keptReceipts(file).length > 0));
    for (let cut = 0; cut < CUTS_OF_A_LOG && broken.length < count; cut++) {
      await pause(50 + random.below(600));
      // What was acknowledged before the cut: what comes while the copy is made proves nothing.
      const known = files.flatMap(keptReceipts);
      broken.push(await disk.cut((path) => look(join(path, `${round}`, 'log'), known)));
    }
    for (const child of children) {
      assert.equal(child.process.exitCode, null, 'a recorder ended by itself');
      await child.kill();
    }
    receipts += files.flatMap(keptReceipts).length;
    rmSync(dirname(dir), { recursive: true });
  }
  return { receipts, broken };
}

/** What a machine finds that starts again after the cut: breaches, before and after it has recorded on. */
async function look(dir: string, receipts: readonly KeptReceipt[]): Promise<string[]> {
  const database = join(dir, 'log.db');
  const key = join(dir, 'log.key');
  if (!existsSync(database) || !existsSync(key)) return [`I1 the log is gone: ${receipts.length} receipts`];
  const vkey = parseSignerKey(readFileSync(key, 'utf8').trim()).vkey;
  const found = breaches(database, { vkey, receipts });
  if (found.length > 0) return found;
  const log = await openLog(dir, { thread: 'caller' });
  try {
    const again = receipts.at(-1);
    const kept = [...receipts, await log.record(faultEvent('after-the-cut'))];
    if (again !== undefined) kept.push(await log.record(faultEvent(again.id)));
    const report = await log.verify({ vkey, held: receipts.slice(-20).map(({ checkpoint }) => checkpoint) });
    return [
      ...breaches(database, { vkey, receipts: kept }),
      ...report.findings.map(({ message }) => message),
    ];
  } finally {
    await log.close();
  }
}

describe('a power cut', { skip: cuttingRefused }, () => {
  for (const [name, manners] of Object.entries({
    high: [high],
    low: [low],
    batches: [batches],
    three: [high, low, batches],
  })) {
    test(`at the rate "${name}" loses nothing that was acknowledged, ${CUTS} times`, async (t) => {
      const { receipts, broken } = await cuts(t, { manners, count: CUTS });
      t.diagnostic(`${receipts} receipts, ${CUTS} cuts`);
      assert.deepEqual(broken.flat(), [], `seed ${SEED}`);
    });
  }

  test('right after a log was created leaves it whole, its keys included', async (t) => {
    const disk = cutDisk(t);
    for (let round = 0; round < 5; round++) {
      const files = ['log.key', 'log.vkey', 'root.key', 'root.vkey'];
      const texts = (dir: string): string[] => files.map((file) => readFileSync(join(dir, file), 'utf8'));
      const log = await createLog(join(disk.path, `${round}`, 'log'), { origin });
      await disk.cut(async (path) => {
        const dir = join(path, `${round}`, 'log');
        assert.deepEqual(texts(dir), texts(log.dir));
        assert.deepEqual(await look(dir, []), []);
      });
      await log.close();
    }
  });
});

describe('negative controls: an fsync that does nothing', { skip: cuttingRefused }, () => {
  const controls = [
    { name: 'eatmydata', skip: toolMissing('eatmydata', 'eatmydata'), wrap: ['eatmydata'] },
    {
      name: 'strace',
      skip: toolMissing('strace', 'strace'),
      wrap: [
        'strace',
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        'trace=fsync,fdatasync',
        '-e',
        'inject=fsync,fdatasync:retval=0',
      ],
    },
  ];
  for (const { name, skip, wrap } of controls) {
    test(`${name}: a cut loses what was acknowledged, and the invariants say so`, { skip }, async (t) => {
      const { receipts, broken } = await cuts(t, { manners: [low], count: CONTROL_CUTS, wrap });
      const lost = broken.filter((found) => found.some((line) => line.startsWith('I1')));
      t.diagnostic(`${receipts} receipts; ${lost.length} of ${CONTROL_CUTS} cuts lost some of them`);
      assert.ok(lost.length > 0, 'nothing was lost without fsync: the test above proves nothing');
    });
  }
});
