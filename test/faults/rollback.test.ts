// A log that goes back in time, under a process that writes it and before one that opens it; and marks that cannot be
// believed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { createLog, openLog } from 'indelible';
import type { Writer } from '#dist/log/writer.js';
import { temporaryFolder } from '../support/folders.ts';
import { faultEvent } from './support/fault-events.ts';
import { breaches, type KeptReceipt } from './support/invariants.ts';
import { Child, programOf } from './support/processes.ts';
import { remember, rollBack, sabotage } from './support/sabotage.ts';
import { copyTemplate, makeTemplate, origin } from './support/template.ts';
import { drafts, idsOf, openWriter, receiptsOf } from './support/writing.ts';

interface Scene {
  readonly dir: string;
  readonly vkey: string;
  /** The process that goes on living while the log is put back behind it. */
  readonly live: Writer;
  /** What it was promised before and after the moment to which the log went back. */
  readonly receipts: readonly KeptReceipt[];
  /** Entries that are left. */
  readonly size: number;
}

/** A live writer whose log was taken back by twenty entries. */
async function putBack(t: TestContext): Promise<Scene> {
  const folder = temporaryFolder(t);
  const { vkey, receipts } = await makeTemplate(folder, 20);
  const dir = join(folder, 'log');
  const live = await openWriter(dir);
  const kept = [...receipts, ...receiptsOf(['early'], await live.commit(drafts(['early'])))];
  const moment = remember(join(dir, 'log.db'));
  const late = idsOf('late', 20);
  kept.push(...receiptsOf(late, await live.commit(drafts(late))));
  rollBack(join(dir, 'log.db'), moment);
  t.after(() => live.close());
  return { dir, vkey, live, receipts: kept, size: moment.size };
}

/** Somebody moves the mark away and writes on. */
async function writeOn(dir: string, events: number): Promise<void> {
  rmSync(`${dir}.mark`);
  const writer = await openWriter(dir);
  await writer.commit(drafts(idsOf('fork', events)));
  await writer.close();
}

describe('a log that is put back behind a process that writes it', () => {
  test('is refused at the next commit and at every later one, and not written to', async (t) => {
    const { dir, vkey, live, receipts, size } = await putBack(t);
    for (const id of ['next', 'later', 'late-3']) {
      await assert.rejects(live.commit(drafts([id])), { code: 'rolled_back', retryable: false });
    }
    assert.equal(remember(join(dir, 'log.db')).size, size);
    const found = breaches(join(dir, 'log.db'), { vkey, receipts });
    assert.ok(
      found.some((line) => line.startsWith('I1')) && found.some((line) => line.startsWith('I4')),
      'receipts tell',
    );
  });

  for (const [what, events, codes] of [
    ['to the very same size', 19, ['rolled_back']],
    ['beyond the size it had', 60, ['rolled_back', 'log_damaged']],
    ['so far that nobody reads all of it again', 5000, ['rolled_back']],
  ] as const) {
    test(`is refused too when others have written on ${what}`, async (t) => {
      const { dir, live } = await putBack(t);
      await writeOn(dir, events);
      const before = remember(join(dir, 'log.db')).size;
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(live.commit(drafts(['next'])), (error: { code?: string }) => {
          return (codes as readonly string[]).includes(error.code ?? '');
        });
      }
      assert.equal(remember(join(dir, 'log.db')).size, before, 'nothing was signed over the fork');
    });
  }
});

test('a process that closes does not take the mark back with a log that was put back behind it', async (t) => {
  const folder = temporaryFolder(t);
  await makeTemplate(folder, 20);
  const dir = join(folder, 'log');
  const moment = remember(join(dir, 'log.db'));
  let monotonic = 0;
  const live = await openWriter(dir, { clock: { wall: () => Date.now(), monotonic: () => monotonic } });
  await live.commit(drafts(idsOf('late', 20)));
  monotonic += 5000;
  await live.commit(drafts(['moves-the-mark']));
  const before = markedSize(dir);
  assert.ok(before > moment.size, 'the mark has not followed: the test shows nothing');
  rollBack(join(dir, 'log.db'), moment);
  await live.close();
  assert.ok(markedSize(dir) >= before, `the mark went from ${before} back to ${markedSize(dir)}`);
  await assert.rejects(openLog(dir), { code: 'rolled_back' });
});

describe('a checkpoint in the head that the log did not sign', () => {
  /** A live writer, and a head behind it with another checkpoint; written by another process, or its own. */
  async function nonsense(t: TestContext, byAnother: boolean) {
    const folder = temporaryFolder(t);
    const { vkey, receipts } = await makeTemplate(folder, 20);
    const dir = join(folder, 'log');
    let monotonic = 0;
    const live = await openWriter(dir, { clock: { wall: () => Date.now(), monotonic: () => monotonic } });
    t.after(() => live.close());
    const kept = [...receipts, ...receiptsOf(['new'], await live.commit(drafts(['new'])))];
    if (byAnother) {
      const other = await openWriter(dir);
      kept.push(...receiptsOf(['other'], await other.commit(drafts(['other']))));
      await other.close();
    }
    sabotage(join(dir, 'log.db'), (db) => db.exec("UPDATE head SET checkpoint = CAST('nonsense' AS BLOB)"));
    monotonic += 5000;
    return { dir, vkey, live, kept };
  }

  test('is passed on to nobody, neither in a receipt nor in the mark', async (t) => {
    const { dir, vkey, live, kept } = await nonsense(t, false);
    kept.push(...receiptsOf(['new'], await live.commit(drafts(['new']))));
    const marked = readFileSync(`${dir}.mark`, 'utf8');
    kept.push(...receiptsOf(['newer'], await live.commit(drafts(['newer']))));
    await live.close();
    assert.deepEqual(breaches(join(dir, 'log.db'), { vkey, receipts: kept, observers: [[marked]] }), []);
  });

  test('is not followed to entries that others are said to have written', async (t) => {
    const { dir, live } = await nonsense(t, true);
    const before = readFileSync(`${dir}.mark`, 'utf8');
    for (const id of ['new', 'newer']) {
      await assert.rejects(live.commit(drafts([id])), { code: 'head_invalid', retryable: false });
    }
    await live.close();
    assert.equal(readFileSync(`${dir}.mark`, 'utf8'), before);
  });
});

/** The size that the mark of a log tells. */
function markedSize(dir: string): number {
  return Number(readFileSync(`${dir}.mark`, 'utf8').split('\n')[1]);
}

describe('a log that is put back before a process opens it', () => {
  async function older(t: TestContext): Promise<{ dir: string; vkey: string; last: KeptReceipt }> {
    const folder = temporaryFolder(t);
    const template = await makeTemplate(join(folder, 'old'), 20);
    const dir = copyTemplate(template, join(folder, 'now'));
    const log = await openLog(dir, { thread: 'caller' });
    const last = await log.record(faultEvent('last'));
    await log.close();
    rmSync(dir, { recursive: true });
    renameSync(join(folder, 'old', 'log'), dir);
    return { dir, vkey: template.vkey, last };
  }

  test('is smaller than its mark, and refused', async (t) => {
    const { dir } = await older(t);
    await assert.rejects(openLog(dir), { code: 'rolled_back' });
    await assert.rejects(openLog(dir, { thread: 'caller' }), { code: 'rolled_back' });
  });

  test('has outgrown its mark with another history, and is refused', async (t) => {
    const { dir } = await older(t);
    const mark = readFileSync(`${dir}.mark`);
    await writeOn(dir, 30);
    writeFileSync(`${dir}.mark`, mark);
    await assert.rejects(openLog(dir), { code: 'rolled_back' });
  });

  test('is told by a receipt that somebody kept, even where the mark went too', async (t) => {
    const { dir, vkey, last } = await older(t);
    rmSync(`${dir}.mark`);
    await using log = await openLog(dir, { thread: 'caller' });
    assert.equal(
      (await log.verify({ vkey })).ok,
      true,
      'alone, an old copy is consistent: that is the limit',
    );
    const report = await log.verify({ vkey, held: [last.checkpoint] });
    assert.equal(report.ok, false);
    assert.ok(report.findings.some(({ code }) => code === 'rolled_back' || code === 'forked'));
  });
});

describe('a mark', () => {
  async function closed(t: TestContext): Promise<{ dir: string; mark: string; text: string }> {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin, thread: 'caller' });
    await log.record(faultEvent('one'));
    await log.close();
    return { dir, mark: `${dir}.mark`, text: readFileSync(`${dir}.mark`, 'utf8') };
  }

  test('that is torn, at any length, is refused and not repaired', async (t) => {
    const { dir, mark, text } = await closed(t);
    for (let length = 0; length < text.length; length += 7) {
      writeFileSync(mark, text.slice(0, length));
      await assert.rejects(openWriter(dir), { name: 'LogError', code: 'mark_invalid' }, `cut at ${length}`);
      assert.equal(readFileSync(mark, 'utf8'), text.slice(0, length));
    }
    writeFileSync(mark, text);
    await (await openWriter(dir)).close();
  });

  test('with one letter changed, anywhere, is refused', async (t) => {
    const { dir, mark, text } = await closed(t);
    for (let at = 0; at < text.length; at += 5) {
      const letter = text[at] === 'A' ? 'B' : 'A';
      writeFileSync(mark, text.slice(0, at) + letter + text.slice(at + 1));
      await assert.rejects(openWriter(dir), { code: 'mark_invalid' }, `changed at ${at}`);
    }
  });

  test('of zeros, of another log, or that is a folder, is refused', async (t) => {
    const { dir, mark, text } = await closed(t);
    const other = await closed(t);
    for (const wrong of [
      Buffer.alloc(text.length),
      Buffer.from(other.text),
      Buffer.from([0xff, 0xfe, 0x00]),
    ]) {
      writeFileSync(mark, wrong);
      await assert.rejects(openWriter(dir), { code: 'mark_invalid' });
    }
    rmSync(mark);
    mkdirSync(mark);
    await assert.rejects(openWriter(dir), { code: 'mark_invalid' });
  });

  test('never leads: what is marked is on the disk, whenever somebody looks', async (t) => {
    const { dir } = await closed(t);
    let monotonic = 0;
    const clock = { wall: () => Date.now(), monotonic: () => monotonic };
    const writer = await openWriter(dir, { clock });
    for (let n = 0; n < 30; n++) {
      monotonic += 700;
      await writer.commit(drafts([`event-${n}`]));
      const marked = markedSize(dir);
      assert.ok(marked <= remember(join(dir, 'log.db')).size);
    }
    const { size } = remember(join(dir, 'log.db'));
    await writer.close();
    assert.equal(markedSize(dir), size, 'at the close it has caught up');
  });

  const fifos = process.platform === 'win32' ? 'named pipes need a POSIX system' : false;
  test('that others move while a process opens the log is no reason to refuse it', {
    skip: fifos,
  }, async (t) => {
    // The signing key is a named pipe: whoever opens the log waits in the middle of it until the key is written into the
    // pipe, and that happens after another process has recorded and moved the mark.
    const { dir } = await closed(t);
    const pipe = join(temporaryFolder(t), 'pipe');
    assert.equal(spawnSync('mkfifo', ['-m', '600', pipe]).status, 0);
    const other = new Child(t, programOf('record-then-hand-over.ts', { dir, pipe }));
    const log = await openLog(dir, { thread: 'caller', key: pipe });
    const { code, complaint } = await other.ended;
    assert.equal(code, 0, complaint);
    assert.equal((await log.record(faultEvent('mine'))).index, (await log.checkpoint()).size - 1);
    await log.close();
  });
});
