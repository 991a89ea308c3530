// T4: every system call by which the log reaches the disk fails with EIO, and kills the process, in turn: calls are
// counted first, then there is one run for each. Of many calls on one file an even sample is run; FAULTS_SITES_MAX says
// how many.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { parseSignerKey } from 'indelible/note';
import { breaches, type KeptReceipt } from '../faults/support/invariants.ts';
import { Child, programOf, until } from '../faults/support/processes.ts';
import { toolMissing } from '../faults/support/rights.ts';
import { type Outcome, script } from '../faults/support/scripted-writer.ts';
import {
  type CallSite,
  callSites,
  injecting,
  sample,
  tracing,
  wasInjected,
} from '../faults/support/strace.ts';
import { origin } from '../faults/support/template.ts';
import { temporaryFolder } from '../support/folders.ts';

/** Runs for each system call by name, file, effect and scene. */
const SITES_MAX = Number(process.env['FAULTS_SITES_MAX'] ?? 5);

/** Syncs of the write-ahead log that belong to no commit: those of checkpoints, whose failure loses nothing. */
const CHECKPOINT_SYNCS_MAX = 2;

const CALLS = [
  'openat',
  'pwrite64',
  'pread64',
  'write',
  'fsync',
  'fdatasync',
  'rename',
  'link',
  'unlink',
  'ftruncate',
  'mmap',
];
const effects = { EIO: 'error=EIO', ENOSPC: 'error=ENOSPC', SIGKILL: 'signal=SIGKILL' } as const;
const skip = process.platform === 'linux' ? toolMissing('strace', 'strace') : 'strace needs Linux';

interface Run {
  readonly folder: string;
  readonly outcomes: readonly Outcome[];
  readonly code: number | null;
  readonly complaint: string;
}

/** A scene: what lies in the folder before the script runs. */
type Scene = (t: TestContext, folder: string) => Promise<void>;

const scenes: Readonly<Record<string, Scene>> = {
  'a log that is created': async (_, folder) => {
    mkdirSync(folder, { recursive: true });
  },
  'a log that is opened after a crash': async (t, folder) => {
    const dir = join(folder, 'log');
    const receipts = join(folder, 'crash.receipts');
    mkdirSync(folder, { recursive: true });
    const orders = { dir, receipts, origin, name: 'crashed', concurrency: 1, batch: 20, thread: 'caller' };
    const child = new Child(t, programOf('recorder.ts', orders));
    await until(
      'a few receipts',
      () => outcomesIn(receipts).length >= 100 || child.process.exitCode !== null,
    );
    assert.equal((await child.kill()).signal, 'SIGKILL');
  },
};

for (const [name, scene] of Object.entries(scenes)) {
  describe(`system calls of ${name}`, { skip }, () => {
    for (const [effect, injection] of Object.entries(effects)) {
      test(`${effect}: nothing that was acknowledged is lost, and the log goes on`, async (t) => {
        const work = temporaryFolder(t);
        const prepared = join(work, 'prepared');
        await scene(t, prepared);
        const sites = await countCalls(t, work, prepared);
        const chosen = sample(sites, SITES_MAX);
        assert.ok(sites.length > 60, `the trace shows ${sites.length} calls only`);
        let injected = 0;
        let [syncs, deaths] = [0, 0];
        for (const site of chosen) {
          const output = join(work, 'trace');
          const run = await runScript(t, work, prepared, (command) =>
            injecting(site, injection, output, command),
          );
          if (wasInjected(output)) injected += 1;
          const where = `${effect} at ${site.call} ${site.ordinal}, on ${site.file}: `;
          const died = mustHold(run, where);
          if (site.call === 'fsync' && site.file === '/log/log.db-wal') {
            syncs += 1;
            if (died) deaths += 1;
          }
          await mustGoOn(t, run, where);
        }
        t.diagnostic(`${sites.length} calls, ${chosen.length} runs, ${injected} of them met the fault`);
        if (effect === 'EIO') {
          assert.ok(
            syncs > CHECKPOINT_SYNCS_MAX && deaths >= syncs - CHECKPOINT_SYNCS_MAX,
            `${deaths} of ${syncs} died`,
          );
        }
        assert.ok(injected > chosen.length * 0.8, `only ${injected} of ${chosen.length} runs met the fault`);
      });
    }
  });
}

async function countCalls(t: TestContext, work: string, prepared: string): Promise<CallSite[]> {
  const output = join(work, 'trace');
  const { folder, code, complaint } = await runScript(t, work, prepared, (command) =>
    tracing(CALLS, output, command),
  );
  assert.equal(code, 0, complaint);
  return callSites(output, folder);
}

/** Runs the script on a fresh copy of the scene, always at the same path. */
async function runScript(
  t: TestContext,
  work: string,
  prepared: string,
  wrap: (command: readonly string[]) => readonly string[],
): Promise<Run> {
  const folder = join(work, 'run');
  rmSync(folder, { recursive: true, force: true });
  cpSync(prepared, folder, { recursive: true });
  const outcomes = join(work, 'outcomes');
  rmSync(outcomes, { force: true });
  const command = programOf('scripted-writer.ts', { dir: join(folder, 'log'), outcomes, origin });
  const { code, complaint } = await new Child(t, wrap(command)).ended;
  return { folder, code, complaint, outcomes: outcomesIn(outcomes) };
}

function outcomesIn(path: string): Outcome[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Outcome);
}

function receiptsOf(outcomes: readonly Outcome[]): KeptReceipt[] {
  return outcomes.flatMap((outcome) => ('receipt' in outcome ? [outcome.receipt] : []));
}

/** What must hold at once after the fault, before anybody repairs anything. Returns whether the writer gave up for good. */
function mustHold({ folder, outcomes }: Run, where: string): boolean {
  const database = join(folder, 'log', 'log.db');
  const receipts = receiptsOf(outcomes);
  const failures = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  for (const { of, error, message } of failures) {
    assert.ok(
      error.includes('_'),
      `${where}${of} failed with ${error}, which is no code of ours: ${message}`,
    );
  }
  const dead = outcomes.findIndex((outcome) => 'error' in outcome && outcome.error === 'outcome_unknown');
  if (dead >= 0) {
    const later = receiptsOf(outcomes.slice(dead));
    assert.deepEqual(later, [], `${where}an acknowledgement after an unknown outcome`);
  }
  if (!existsSync(database)) {
    assert.deepEqual(receipts, [], `${where}something was acknowledged, and there is no log`);
    return false;
  }
  assert.deepEqual(
    breaches(database, { vkey: vkeyOf(folder), receipts: [...crashed(folder), ...receipts] }),
    [],
    where,
  );
  return dead >= 0;
}

/** The script runs again, undisturbed, on what the fault left behind; every event finds its place. */
async function mustGoOn(t: TestContext, run: Run, where: string): Promise<void> {
  const { folder } = run;
  const outcomes = `${folder}.again`;
  const orders = { dir: join(folder, 'log'), outcomes, origin };
  const { code, complaint } = await new Child(t, programOf('scripted-writer.ts', orders)).ended;
  const again = outcomesIn(outcomes);
  rmSync(outcomes, { force: true });
  assert.equal(
    code,
    0,
    `${where}the log does not go on: ${complaint}${JSON.stringify(again.find((o) => 'error' in o))}`,
  );
  assert.equal(again.length, script.flat().length, where);
  const receipts = [...crashed(folder), ...receiptsOf(run.outcomes), ...receiptsOf(again)];
  assert.deepEqual(breaches(join(folder, 'log', 'log.db'), { vkey: vkeyOf(folder), receipts }), [], where);
}

function vkeyOf(folder: string): string {
  return parseSignerKey(readFileSync(join(folder, 'log', 'log.key'), 'utf8').trim()).vkey;
}

/** What a process had been promised that was killed before the script ran. */
function crashed(folder: string): KeptReceipt[] {
  const path = join(folder, 'crash.receipts');
  return outcomesIn(path) as unknown as KeptReceipt[];
}
