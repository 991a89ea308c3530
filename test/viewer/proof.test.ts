// The check that the viewer makes in the page, on a real log: what holds, and every way in which it must not.

import assert from 'node:assert/strict';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type TestContext } from 'node:test';
import { createLog, type Log, newSignerKey, openLog, rotateKey } from 'indelible';
import { base64Encode } from 'indelible/bytes';
import { parseTilePath } from 'indelible/merkle';
import { parseSignerKey } from 'indelible/note';
import { LogVerifier, type Row, type SeenCheckpoint } from '../../viewer/src/proof/index.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';

interface World {
  readonly log: Log;
  readonly folder: string;
  readonly rows: readonly Row[];
}

async function worldOf(context: TestContext, count: number, origin = 'viewer.example/log'): Promise<World> {
  const folder = path.join(temporaryFolder(context), 'log');
  const log = await createLog(folder, { origin });
  context.after(() => log.close());
  await log.recordMany(Array.from({ length: count }, (_, at) => signIn(`e-${at}`, `u_${at}`)));
  return { log, folder, rows: await rowsOf(log) };
}

async function rowsOf(log: Log): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const { index, entry, disclosures } of log.entries()) {
    rows.push({ index, entry: base64Encode(entry), disclosures });
  }
  return rows;
}

/** The verifier of a page that is served out of `log`, under a key that it was given. */
function verifierOf(log: Log, { seen, vkey }: { seen?: SeenCheckpoint; vkey?: string } = {}): LogVerifier {
  return new LogVerifier({
    trust: { vkey: vkey ?? log.vkey },
    seen,
    fetchCheckpoint: async () => Buffer.from((await log.checkpoint()).note),
    fetchTile: async (name) => {
      const tile = await log.reader.tile(parseTilePath(name));
      assert.ok(tile, `${name} is not there`);
      return tile;
    },
    fetchKeys: async () => (await log.keys()).entries,
    now: () => new Date('2026-01-31T12:00:00Z'),
  });
}

test('a page that pinned the key before it was replaced goes on, and one whose log was signed by a stranger does not', async (t) => {
  const folder = path.join(temporaryFolder(t), 'log');
  const origin = 'viewer.example/log';
  const root = parseSignerKey(newSignerKey(`${origin}/root`));
  const log = await createLog(folder, { origin, rootVkey: root.vkey });
  t.after(() => log.close());
  await log.record(signIn('a'));
  const before = verifierOf(log);
  assert.equal((await before.refresh()).state, 'sealed');
  await rotateKey(folder, root);
  await log.record(signIn('b'));
  const rows = await rowsOf(log);
  assert.deepEqual(new Set(await statesOf(before, rows)), new Set(['sealed']));
  for (const vkey of [root.vkey, (await log.keys()).vkey])
    assert.equal((await verifierOf(log, { vkey }).refresh()).state, 'sealed', vkey);
  const stranger = parseSignerKey(newSignerKey(origin)).vkey;
  assert.equal((await verifierOf(log, { vkey: stranger }).refresh()).state, 'broken');
});

const statesOf = async (verifier: LogVerifier, rows: readonly Row[]): Promise<string[]> =>
  (await verifier.check(rows)).map(({ verdict }) => verdict.state);

/** Changes an entry behind the log's back, as somebody with the disk can. */
function tamper(folder: string, index: number): void {
  const database = new DatabaseSync(path.join(folder, 'log.db'), { timeout: 10_000 });
  for (const { name } of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) {
    database.exec(`DROP TRIGGER "${name}"`);
  }
  const changed = database
    .prepare(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'success', 'failure') AS BLOB) WHERE idx = ?",
    )
    .run(index);
  assert.equal(changed.changes, 1);
  database.close();
}

test('every row of an honest log is sealed, and read from its own bytes', async (context) => {
  const { log, rows } = await worldOf(context, 600);
  const verifier = verifierOf(log);
  const checked = await verifier.check(rows);
  assert.deepEqual([...new Set(checked.map(({ verdict }) => verdict.state))], ['sealed']);
  assert.equal(checked[1]?.event?.actor['name'], 'Name of u_0');
  assert.equal(verifier.verdict?.state, 'sealed');
});

test('a row that was recorded after the last checkpoint is sealed under the next one', async (context) => {
  const { log, rows } = await worldOf(context, 3);
  const verifier = verifierOf(log);
  await verifier.check(rows);
  await log.record(signIn('later'));
  const newest = (await rowsOf(log)).slice(-1);
  assert.deepEqual(await statesOf(verifier, newest), ['sealed']);
  assert.equal(verifier.seen?.size, rows.length + 1);
});

test('a row whose bytes differ from the tree is broken, at its index, and its neighbours are not', async (context) => {
  const { log, rows } = await worldOf(context, 300);
  const other = { ...rows[7]!, entry: rows[8]!.entry, disclosures: rows[8]!.disclosures };
  const [before, broken, after] = await verifierOf(log).check([rows[6]!, other, rows[8]!]);
  assert.equal(before?.verdict.state, 'sealed');
  assert.deepEqual(broken?.verdict, {
    state: 'broken',
    code: 'inclusion_invalid',
    message: "The entry that was shown is not the one that the log's tree holds at index 7.",
  });
  assert.equal(after?.verdict.state, 'sealed');
});

test('a database that is changed under the log shows as broken, in full tiles and at the edge', async (context) => {
  const { log, folder, rows } = await worldOf(context, 300);
  const verifier = verifierOf(log);
  await verifier.check(rows);
  tamper(folder, 5);
  tamper(folder, 290);
  const changed = await rowsOf(log);
  const states = await statesOf(verifier, changed);
  assert.deepEqual(
    states.flatMap((state, index) => (state === 'sealed' ? [] : [`${state} ${index}`])),
    ['broken 5', 'broken 290'],
  );
});

test('an exchanged sealed value is broken though the entry is intact', async (context) => {
  const { log, rows } = await worldOf(context, 3);
  const disclosures = rows[1]!.disclosures.map((text) => text.replace('Name of', 'Nome di'));
  const forged = { ...rows[1]!, disclosures };
  assert.notDeepEqual(forged, rows[1]);
  const [checked] = await verifierOf(log).check([forged]);
  assert.equal(checked?.verdict.state, 'broken');
});

test('a fresh page that finds a tree which leads to no signed root says that the log does not hold', async (context) => {
  const { log, folder } = await worldOf(context, 20);
  tamper(folder, 4);
  const verifier = verifierOf(log);
  const verdict = await verifier.refresh();
  assert.equal(verdict.state, 'broken');
  assert.equal(verdict.state === 'broken' && verdict.code, 'tile_invalid');
});

test('in a log that does not hold, tiles that this browser kept name the entry that was changed', async (context) => {
  const { log, folder } = await worldOf(context, 20);
  const kept = new Map<string, Uint8Array>();
  const options = (from: Log, seen?: SeenCheckpoint) => ({
    ...{ trust: { vkey: log.vkey }, seen, now: () => new Date('2026-01-31T12:00:00Z') },
    fetchCheckpoint: async () => Buffer.from((await from.checkpoint()).note),
    fetchTile: async (name: string) => {
      const tile = kept.get(name) ?? (await from.reader.tile(parseTilePath(name)))!;
      kept.set(name, tile);
      return tile;
    },
  });
  const before = new LogVerifier(options(log));
  assert.equal((await before.refresh()).state, 'sealed');
  // Another process, which never hashed the entries while they were as they had been recorded.
  const other = await openLog(folder, { readOnly: true });
  context.after(() => other.close());
  tamper(folder, 4);
  await log.record(signIn('later'));
  const after = new LogVerifier(options(other, before.seen));
  const states = await statesOf(after, await rowsOf(other));
  assert.equal(after.verdict?.state, 'broken');
  assert.deepEqual(
    states.flatMap((state, index) => (state === 'sealed' ? [] : [`${state} ${index}`])),
    ['broken 4', `unchecked ${states.length - 1}`],
  );
});

test('attack 9: another key than the pinned one is an alarm', async (context) => {
  const [mine, other] = [await worldOf(context, 2), await worldOf(context, 2)];
  const verdict = await verifierOf(other.log, { vkey: mine.log.vkey }).refresh();
  assert.equal(verdict.state, 'broken');
});

test('attack 5 and 6: a log that is smaller than this browser saw is an alarm', async (context) => {
  const { log } = await worldOf(context, 9);
  const seen = { size: 50, root: base64Encode(new Uint8Array(32)), at: '2026-01-30T00:00:00Z' };
  const verdict = await verifierOf(log, { seen }).refresh();
  assert.ok(verdict.state === 'broken' && verdict.code === 'consistency_invalid');
  assert.match(verdict.message, /saw 50 entries .* now signs only 10/);
});

test('attack 10 and 11: two histories under one key are an alarm, at one size and at different sizes', async (context) => {
  const { log, folder } = await worldOf(context, 9);
  const verifier = verifierOf(log);
  await verifier.refresh();
  const forged = { ...verifier.seen!, root: base64Encode(new Uint8Array(32).fill(7)) };
  const sameSize = await verifierOf(log, { seen: forged }).refresh();
  assert.ok(sameSize.state === 'broken' && /two different trees/.test(sameSize.message));
  await log.close();
  const grown = await openLog(folder);
  context.after(() => grown.close());
  await grown.record(signIn('more'));
  const larger = await verifierOf(grown, { seen: forged }).refresh();
  assert.ok(larger.state === 'broken' && larger.code === 'consistency_invalid');
  const honest = await verifierOf(grown, { seen: verifier.seen! }).refresh();
  assert.ok(honest.state === 'sealed' && honest.continues?.size === verifier.seen?.size);
});

test('attack 48: a tile that was forged to fit a forged entry condemns its rows', async (context) => {
  const { log, folder, rows } = await worldOf(context, 300);
  tamper(folder, 5);
  const database = new DatabaseSync(path.join(folder, 'log.db'), { timeout: 10_000 });
  database.prepare('UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND idx = 0').run();
  database.close();
  const reopened = await openLog(folder, { readOnly: true }).catch(() => log);
  if (reopened !== log) context.after(() => reopened.close());
  const verdict = (await verifierOf(reopened).check([(await rowsOf(reopened))[5]!, rows[280]!])).map(
    ({ verdict }) => verdict.state,
  );
  assert.equal(verdict[0], 'broken');
  assert.equal(verdict[1], 'sealed');
});

test('a server that cannot be reached is no verdict', async (context) => {
  const { log, rows } = await worldOf(context, 1);
  const verifier = new LogVerifier({
    trust: { vkey: log.vkey },
    seen: undefined,
    fetchCheckpoint: () => Promise.reject(new TypeError('fetch failed')),
    fetchTile: () => Promise.reject(new TypeError('fetch failed')),
    now: () => new Date(0),
  });
  assert.deepEqual(await statesOf(verifier, rows), ['unchecked', 'unchecked']);
});
