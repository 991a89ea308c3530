// T3: every step of a commit fails, fails a moment later, or ends the process; then the same events are recorded again,
// at once or after a restart with something else in between. After each of these, the invariants.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { isLogError } from 'indelible';
import { calmIds, openTrapped, troubledBatch, troubledIds } from './support/failing-writer.ts';
import { breaches, type KeptReceipt } from './support/invariants.ts';
import { Child, keptReceipts, programOf } from './support/processes.ts';
import { copyTemplate, makeTemplate, type Template } from './support/template.ts';
import { commitSteps, type FaultEffect, type FaultPoint, storeCalls, Trap } from './support/trap.ts';
import { drafts, idsOf, openWriter, receiptsOf } from './support/writing.ts';

/** Events before the trap: one tile is full, and the troubled batch fills the next. */
const EVENTS_BEFORE = 500;

const points: readonly FaultPoint[] = [
  ...commitSteps.map((step) => `step:${step}` as const),
  ...storeCalls.flatMap((call) => [`before:${call}`, `after:${call}`] as const),
];
const sequels = ['the same again', 'others first'] as const;

/** Points at which the transaction has landed, whatever the caller was told. */
const landed: ReadonlySet<FaultPoint> = new Set(['step:committed', 'after:commit', 'step:released']);

/** Points after which the writer cannot know what landed, and must never write again. */
const deadly: ReadonlySet<FaultPoint> = new Set(['step:committed', 'before:commit', 'after:commit']);

let scratch: string;
let template: Template;
const reached = new Set<FaultPoint>();

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'indelible-'));
  template = await makeTemplate(join(scratch, 'template'), EVENTS_BEFORE);
});
after(() => rmSync(scratch, { recursive: true, force: true }));

for (const effect of ['throw', 'reject'] as const) {
  describe(`a fault in the commit path: ${effect}`, () => {
    for (const point of points) {
      for (const sequel of sequels) {
        test(`${point}, then ${sequel}`, async () => {
          const dir = copyTemplate(template, join(scratch, folderName(effect, point, sequel)));
          const receipts = await failAt({ dir, point, effect, sequel });
          await recover({ dir, point, sequel, known: [...template.receipts, ...receipts] });
        });
      }
    }
  });
}

describe('a fault in the commit path: kill', () => {
  for (const point of points) {
    test(`${point}, then the same again, or others first`, async (t) => {
      const killed = join(scratch, folderName('kill', point));
      copyTemplate(template, killed);
      const receipts = await killAt(t, killed, point);
      for (const sequel of sequels) {
        const dir = copyTemplate(
          { ...template, folder: killed },
          join(scratch, folderName('kill', point, sequel)),
        );
        await recover({ dir, point, sequel, known: [...template.receipts, ...receipts] });
      }
    });
  }
});

function folderName(...words: readonly string[]): string {
  return words.join('-').replaceAll(/[ :]/g, '-');
}

/** Records until the trap snaps within this process. Returns what was acknowledged. */
async function failAt(fault: {
  dir: string;
  point: FaultPoint;
  effect: FaultEffect;
  sequel: (typeof sequels)[number];
}): Promise<KeptReceipt[]> {
  const { dir, point, effect, sequel } = fault;
  const trap = new Trap(point, effect);
  const recording = await openTrapped(dir, point, trap);
  const receipts = receiptsOf(calmIds, await recording.commit(drafts(calmIds)));
  trap.arm();
  const code = deadly.has(point) ? 'outcome_unknown' : undefined;
  await assert.rejects(recording.commit(troubledBatch()), (error: Error & { code?: string }) => {
    return code === undefined ? error.message.includes(point) : error.code === code;
  });
  for (const name of trap.reached) reached.add(name);
  if (deadly.has(point)) {
    for (const batch of [drafts(troubledIds), drafts(['another']), drafts(calmIds)]) {
      await assert.rejects(recording.commit(batch), { code: 'outcome_unknown', retryable: false });
    }
  } else if (sequel === 'the same again') {
    const before = template.size + 1 + calmIds.length;
    const reply = await recording.commit(drafts(troubledIds));
    assert.equal(reply.indexes[0], before, 'the batch has its place at the end of what was there');
    receipts.push(...receiptsOf(troubledIds, reply));
  }
  await recording.close();
  return receipts;
}

/** Records in another process until the trap kills it. Returns what was acknowledged. */
async function killAt(t: TestContext, folder: string, point: FaultPoint): Promise<KeptReceipt[]> {
  const orders = { dir: join(folder, 'log'), receipts: join(folder, 'receipts'), point };
  const { signal, complaint } = await new Child(t, programOf('failing-writer.ts', orders)).ended;
  assert.equal(signal, 'SIGKILL', complaint);
  return keptReceipts(orders.receipts);
}

/** Opens the log again, finds out by repeating what landed, and records on. */
async function recover(fault: {
  dir: string;
  point: FaultPoint;
  sequel: (typeof sequels)[number];
  known: KeptReceipt[];
}): Promise<void> {
  const { dir, point, sequel, known } = fault;
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts: known }), []);
  const first = template.size + 1 + calmIds.length;
  const writer = await openWriter(dir);
  const others = idsOf('others', 5);
  if (sequel === 'others first') known.push(...receiptsOf(others, await writer.commit(drafts(others))));
  const size = writer.identity.size;
  const reply = await writer.commit(drafts(troubledIds));
  if (landed.has(point) || known.some(({ id }) => id === troubledIds[0])) {
    assert.equal(reply.indexes[0], first, 'a repeat answers where the lost answer was');
    assert.equal(size, first + troubledIds.length + (landed.has(point) ? 1 : 0));
  } else {
    assert.equal(size, first, 'nothing of a batch that failed is there');
  }
  known.push(...receiptsOf(troubledIds, reply));
  assert.deepEqual(
    receiptsOf(calmIds, await writer.commit(drafts(calmIds))).map(place),
    known.filter(isCalm).map(place),
  );
  await writer.close();
  assert.deepEqual(breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts: known }), []);
}

const place = ({ id, index, leafHash }: KeptReceipt) => ({ id, index, leafHash });
const isCalm = ({ id }: KeptReceipt): boolean => calmIds.includes(id);

test('no step of the commit path was left out', () => {
  const source = readFileSync(join(import.meta.dirname, '../../src/log/commit.ts'), 'utf8');
  const declared = /type CommitStep =([^;]+);/.exec(source)?.[1]?.match(/'(\w+)'/g) ?? [];
  const visited = source.match(/#at\('(\w+)'\)/g) ?? [];
  const names = (texts: readonly string[]): string[] =>
    [...new Set(texts.map((text) => /'(\w+)'/.exec(text)![1]!))].sort();
  assert.deepEqual(
    names(declared),
    [...commitSteps].sort(),
    'a step has been added or removed: this table must follow',
  );
  assert.deepEqual(
    names(visited),
    [...commitSteps].sort(),
    'a step is declared and the commit path never comes by',
  );
  assert.deepEqual(
    points.filter((point) => !reached.has(point)),
    [],
    'these points were never reached',
  );
});

test('the trap itself: a commit without a fault goes through all of it', async () => {
  const dir = copyTemplate(template, join(scratch, 'calm'));
  const trap = new Trap();
  const recording = await openTrapped(dir, 'before:begin', trap);
  await recording.commit(drafts(calmIds));
  const reply = await recording.commit(troubledBatch());
  assert.ok(reply.refusals.length === 1 && isLogError(reply.refusals[0]?.error, 'id_conflict'));
  assert.equal(reply.indexes.at(-3), template.size + 1, 'the repeat is answered with its place');
  await recording.close();
});
