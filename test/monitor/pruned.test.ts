// A server that calls entries gone: believed as far as a record of the log says so, and no further.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { StateFile } from 'indelible/monitor';
import { verifyPublished } from 'indelible/publish';
import { codes, Watched } from './world.ts';

const DAY_MS = 86_400_000;
const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };

type Change = (bytes: Buffer) => Uint8Array | number;

/** Answers as a server over what is published does; paths that are named otherwise: with a status, or with other bytes. */
function served(world: Watched, changes: Readonly<Record<string, Change>>) {
  const fetch = async (input: unknown): Promise<Response> => {
    const path = new URL(String(input)).pathname.slice(1);
    const at = join(world.public, path);
    if (!existsSync(at)) return new Response(null, { status: 404 });
    const answer = changes[path]?.(readFileSync(at)) ?? readFileSync(at);
    return typeof answer === 'number'
      ? new Response(null, { status: answer })
      : new Response(Buffer.from(answer));
  };
  return { place: 'http://127.0.0.1:9/', fetch: fetch as typeof globalThis.fetch, wholeEveryMs: DAY_MS };
}

const gone: Change = () => 410;
const altered: Change = (bytes) => {
  bytes[900]! ^= 1;
  return bytes;
};

/** A log of 700 events, of which a record says that the first 512 entries were pruned; its files are there still. */
async function prunedLog(t: TestContext): Promise<Watched> {
  const now = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now: now - 100 * DAY_MS });
  const world = await Watched.make(t, 700);
  t.mock.timers.setTime(now);
  await world.grow(3);
  await world.look({ wholeEveryMs: DAY_MS });
  await world.log.retention.set([{ match: '*', keep: '30d' }], { ...atOnce, entries: 'delete' });
  const { minimum } = await world.log.retention.prune();
  assert.equal(minimum, 512);
  await world.publish();
  world.ahead = 2 * DAY_MS;
  return world;
}

const pruned = { 'tile/entries/000': gone, 'tile/entries/001': gone };

describe('a server that has pruned its log', () => {
  test('is followed by who knows the log, and nobody calls it broken', async (t) => {
    const world = await prunedLog(t);
    const place = served(world, pruned);
    const fresh = await world.look({ ...place, state: join(world.folder, 'fresh') });
    assert.deepEqual([fresh.isReached, codes(fresh)], [false, []]);
    assert.match(
      fresh.problem!,
      /tile\/entries\/00. is gone: its entries were pruned, and lie in an archive/,
    );
    const known = await world.look(place);
    assert.deepEqual([known.isReached, known.added > 0, known.holds], [true, true, 0]);
    assert.deepEqual(codes(known), ['log_pruned']);
    const kept = new StateFile(world.state).load()!;
    assert.deepEqual([kept.retention.minimum, kept.isWholeIntact], [512, true]);
    await assert.rejects(verifyPublished(place.place, { vkey: world.log.vkey, fetch: place.fetch }), {
      code: 'entry_pruned',
    });
  });

  for (const [what, code, changes] of [
    ['an altered bundle', 'root_mismatch', { 'tile/entries/002.p/196': altered }],
    ['a bundle that is not there', 'index_gap', { 'tile/entries/002.p/196': () => 404 }],
    ['a bundle that is called gone', 'index_gap', { 'tile/entries/002.p/196': gone }],
    ['an altered tile over what was pruned', 'tile_mismatch', { 'tile/0/000': altered }],
    ['an altered bundle among those that were pruned', 'root_mismatch', { 'tile/entries/001': altered }],
  ] as const) {
    test(`is audited as far as it is there: ${what}`, async (t) => {
      const world = await prunedLog(t);
      assert.equal((await world.look(served(world, pruned))).holds, 0);
      const { base } = new StateFile(world.state).load()!;
      const named = Object.entries(changes).map(([path, change]) => [
        path.replace('196', String(base.size - 512)),
        change,
      ]);
      world.ahead += 2 * DAY_MS;
      const report = await world.look(served(world, { ...pruned, ...Object.fromEntries(named) }));
      assert.deepEqual([report.holds > 0, codes(report).includes(code)], [true, true], codes(report).join());
    });
  }

  test('is not accused where it prunes while it is read', async (t) => {
    const world = await prunedLog(t);
    // What was published before the pruning is shown first, and the newest checkpoint once a bundle was asked for.
    const before = new StateFile(world.state).load()!;
    let asked = 0;
    const place = served(world, {
      ...pruned,
      'tile/entries/000': () => {
        asked += 1;
        return 410;
      },
      checkpoint: (bytes) => (asked === 0 ? Buffer.from(before.note) : bytes),
    });
    const report = await world.look(place);
    assert.deepEqual([codes(report), report.holds, asked > 0], [['log_pruned'], 0, true]);
  });
});

test('a status that says that entries are gone, of a log that was never pruned, excuses nothing', async (t) => {
  const world = await Watched.make(t, 900);
  await world.look({ wholeEveryMs: DAY_MS });
  world.ahead = 2 * DAY_MS;
  const changes = { 'tile/entries/000': gone, 'tile/entries/002': altered };
  const report = await world.look(served(world, changes));
  assert.ok(
    codes(report).includes('index_gap') && codes(report).includes('tile_mismatch'),
    codes(report).join(),
  );
  assert.ok(!codes(report).includes('log_pruned'));
  assert.ok((await world.look(served(world, changes))).holds > 0);
  assert.equal((await world.look(served(world, {}))).holds, 0);
});
