// Publishing: the very files that another implementation makes; once and never again; whoever dies on the way goes on.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { type FollowerStatus, type Log, openLog, rotateKey } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { decodeEntryBundle } from 'indelible/merkle';
import {
  cosignerKeyFromSeed,
  keyTypes,
  parseCosignerKey,
  parseNote,
  parsePolicy,
  parseSignerKey,
} from 'indelible/note';
import { openPublished, Publisher, publishLog, publishTiles, verifyPublished } from 'indelible/publish';
import { DirectoryTileStore, type TileStore } from 'indelible/store';
import { temporaryFolder } from '../support/folders.ts';
import { vectorsDir, vectorsMissing } from '../support/vectors.ts';
import { EntriesSource, filesOf, grow, numbered, smallLog, urlOf } from './world.ts';

const testKey = 'PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg';

test('the published files of another implementation, byte for byte', { skip: vectorsMissing }, async (t) => {
  const golden = join(vectorsDir!, 'tessera-testlog/log');
  const entries = decodeEntryBundle(new Uint8Array(readFileSync(join(golden, 'tile/entries/000.p/15'))), 15);
  const folder = temporaryFolder(t);
  const source = new EntriesSource(entries, testKey);
  const publisher = new Publisher({ source, store: await DirectoryTileStore.open(folder) });
  for (source.size = 0; source.size <= 15; source.size += 1) {
    await publisher.publish();
    const note = readFileSync(join(folder, 'checkpoint'), 'utf8');
    assert.equal(note, readFileSync(join(golden, `checkpoint.${source.size}`), 'utf8'));
  }
  const names = (files: Map<string, string>) => [...files.keys()].filter((name) => name.startsWith('tile/'));
  const [ours, theirs] = [filesOf(folder), filesOf(golden)];
  assert.deepEqual(names(ours), names(theirs));
  assert.equal(names(ours).length, 30);
  for (const name of names(theirs)) assert.equal(ours.get(name), theirs.get(name), name);
});

test('every file of a tree of 70,000, and none that the specification does not have', async (t) => {
  const folder = temporaryFolder(t);
  const source = new EntriesSource(numbered(70_000), testKey);
  const once = await new Publisher({ source, store: await DirectoryTileStore.open(folder) }).publish();
  const tiles = [...filesOf(folder).keys()].filter((name) => /^tile\/[0-9]/.test(name));
  assert.equal(once.written, 273 + 1 + 273 + 1 + 1 + 1 + 1);
  assert.equal(tiles.length, 273 + 1 + 1 + 1 + 1);
  for (const partial of ['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1', 'tile/entries/273.p/112']) {
    assert.ok(existsSync(join(folder, partial)), partial);
  }
  const again = await new Publisher({ source, store: await DirectoryTileStore.open(folder) }).publish();
  assert.deepEqual([again.added, again.written, again.present], [0, 0, 0]);
});

/** A store that dies at a chosen put, before it or after it, as a process does. */
class Dying implements TileStore {
  readonly place = 'dying';
  readonly #store: TileStore;
  #left: number;
  readonly #after: boolean;

  constructor(store: TileStore, left: number, after: boolean) {
    this.#store = store;
    this.#left = left;
    this.#after = after;
  }

  read(path: string, bytesMax: number) {
    return this.#store.read(path, bytesMax);
  }

  putImmutable(path: string, bytes: Uint8Array) {
    return this.#dying(() => this.#store.putImmutable(path, bytes));
  }

  putCheckpoint(note: Uint8Array, expected: Uint8Array | undefined) {
    return this.#dying(() => this.#store.putCheckpoint(note, expected));
  }

  async close() {}

  async #dying<Result>(put: () => Promise<Result>): Promise<Result> {
    this.#left -= 1;
    if (this.#left === 0 && this.#after) await put();
    if (this.#left <= 0) throw new Error('dead');
    return put();
  }
}

test('in random steps with random deaths: the tree that is published at once', async (t) => {
  const entries = numbered(1_400);
  const steps = fc.array(
    fc.record({
      grow: fc.integer({ min: 0, max: 600 }),
      dies: fc.integer({ min: 1, max: 12 }),
      after: fc.boolean(),
    }),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (course) => {
      const [folder, whole] = [temporaryFolder(t), temporaryFolder(t)];
      const source = new EntriesSource(entries, testKey);
      const store = await DirectoryTileStore.open(folder);
      source.size = 1;
      for (const step of course) {
        source.size = Math.min(entries.length, source.size + step.grow);
        await new Publisher({ source, store: new Dying(store, step.dies, step.after) })
          .publish()
          .catch((error) => {
            assert.equal(error.message, 'dead');
          });
        // Whatever is served is whole: its checkpoint speaks of nothing that is not there.
        if (existsSync(join(folder, 'checkpoint'))) await mustBeWhole(folder);
      }
      source.size = entries.length;
      await new Publisher({ source, store }).publish();
      await mustBeWhole(folder);
      await new Publisher({ source, store: await DirectoryTileStore.open(whole) }).publish();
      const [ours, theirs] = [filesOf(folder), filesOf(whole)];
      for (const [name, hash] of theirs) assert.equal(ours.get(name), hash, name);
      for (const name of ours.keys()) assert.ok(theirs.has(name) || name.includes('.p/'), name);
    }),
    { numRuns: 8 },
  );
});

/** Of a log whose entries are only bytes, the tree alone can be audited: all that is found is that nothing says what log it is. */
async function mustBeWhole(folder: string): Promise<void> {
  const { findings } = await verifyPublished(urlOf(folder), { depth: 'tree', threads: 0 });
  assert.deepEqual(
    new Set(findings.map(({ code }) => code)),
    new Set(['entry_malformed', 'genesis_invalid']),
  );
}

/** A store into whose place somebody else writes just before the first checkpoint is put. */
class Overtaken implements TileStore {
  readonly place: string;
  readonly #store: TileStore;
  #before: (() => Promise<unknown>) | undefined;

  constructor(store: TileStore, before: () => Promise<unknown>) {
    this.place = store.place;
    this.#store = store;
    this.#before = before;
  }

  read(path: string, bytesMax: number) {
    return this.#store.read(path, bytesMax);
  }

  putImmutable(path: string, bytes: Uint8Array) {
    return this.#store.putImmutable(path, bytes);
  }

  async putCheckpoint(note: Uint8Array, expected: Uint8Array | undefined) {
    const before = this.#before;
    this.#before = undefined;
    await before?.();
    return this.#store.putCheckpoint(note, expected);
  }

  async close() {}
}

test('of several who publish a log to one place at once, the largest checkpoint stays, and none is an alarm', async (t) => {
  const entries = numbered(600);
  for (const [mine, theirs] of [
    [5, 9],
    [9, 5],
    [7, 7],
    [300, 520],
    [520, 300],
  ] as const) {
    const folder = temporaryFolder(t);
    const store = await DirectoryTileStore.open(folder);
    const [source, other] = [new EntriesSource(entries, testKey), new EntriesSource(entries, testKey)];
    source.size = 1;
    await new Publisher({ source, store }).publish();
    source.size = mine;
    other.size = theirs;
    const overtaken = new Overtaken(store, async () => {
      const own = await DirectoryTileStore.open(folder);
      assert.equal((await new Publisher({ source: other, store: own }).publish()).size, theirs);
      source.size = Math.max(mine, theirs);
    });
    const published = await new Publisher({ source, store: overtaken }).publish();
    const largest = Math.max(mine, theirs);
    assert.deepEqual([published.size, published.added], [largest, Math.max(0, mine - theirs)]);
    const note = readFileSync(join(folder, 'checkpoint'));
    assert.equal(note.toString().split('\n')[1], String(largest));
    assert.deepEqual(note, Buffer.from(published.note));
    await mustBeWhole(folder);
  }
});

test('every instance may publish at once what the others do; somebody else who puts a checkpoint meanwhile is an alarm', async (t) => {
  const folder = temporaryFolder(t);
  const log = await smallLog(t, 300);
  const to = urlOf(join(folder, 'pub'));
  const all = await Promise.all(Array.from({ length: 4 }, () => publishLog(log, { to })));
  const { size } = await log.checkpoint();
  assert.deepEqual(new Set(all.map((one) => one.size)), new Set([size]));

  const store = await DirectoryTileStore.open(join(folder, 'other'));
  const source = new EntriesSource(numbered(20), testKey);
  const stranger = Buffer.from('somebody else wrote this\n');
  const strange = new Overtaken(store, () => store.putCheckpoint(stranger, undefined));
  await assert.rejects(new Publisher({ source, store: strange }).publish(), { code: 'archive_conflict' });
  assert.deepEqual(readFileSync(join(folder, 'other/checkpoint')), stranger);
});

test('killed while it publishes, a process is followed by one that goes on', async (t) => {
  const log = await smallLog(t, 3_000);
  const folder = join(temporaryFolder(t), 'pub');
  let kills = 0;
  for (let attempt = 0; attempt < 6; attempt += 1) {
    const child = fork(join(import.meta.dirname, 'publishing-child.ts'), [log.dir, urlOf(folder)], {
      silent: true,
    });
    const ended = once(child, 'exit');
    await Promise.race([once(child, 'message'), ended]);
    await sleep(attempt * 4);
    if (child.kill('SIGKILL')) kills += 1;
    await ended;
    if (existsSync(join(folder, 'checkpoint'))) {
      assert.equal((await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 })).ok, true);
    }
  }
  assert.ok(kills > 0);
  await publishLog(log, { to: urlOf(folder) });
  const report = await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 });
  assert.deepEqual([report.ok, report.size], [true, (await log.checkpoint()).size]);
});

test('other bytes in the place are an alarm, and are left alone', async (t) => {
  const log = await smallLog(t, 300);
  const folder = join(temporaryFolder(t), 'pub');
  await publishLog(log, { to: urlOf(folder), disclosures: false });
  await grow(log, 300);
  const { size } = await log.checkpoint();
  const path = join(folder, `tile/entries/002.p/${size - 512}`);
  const store = await DirectoryTileStore.open(folder);
  await store.putImmutable(`tile/entries/002.p/${size - 512}`, new Uint8Array([0, 1, 65]));
  const before = readFileSync(join(folder, 'checkpoint'));
  await assert.rejects(publishLog(log, { to: urlOf(folder), disclosures: false }), {
    code: 'archive_conflict',
  });
  assert.deepEqual(readFileSync(join(folder, 'checkpoint')), before);
  assert.equal(statSync(path).size, 3);
});

test('a place of another log, of a longer history, or without a signature is refused', async (t) => {
  const folder = join(temporaryFolder(t), 'pub');
  const log = await smallLog(t, 10);
  await publishLog(log, { to: urlOf(folder) });
  await assert.rejects(publishLog(await smallLog(t, 20), { to: urlOf(folder) }), {
    code: 'archive_conflict',
  });
  const copy = join(temporaryFolder(t), 'older');
  await log.backup(copy);
  await grow(log, 5);
  await publishLog(log, { to: urlOf(folder) });
  await using older = await openLog(copy, { readOnly: true, thread: 'caller' });
  await assert.rejects(publishLog(older, { to: urlOf(folder) }), { code: 'rolled_back' });
  chmodSync(join(folder, 'checkpoint'), 0o644);
  writeFileSync(join(folder, 'checkpoint'), 'not a note');
  await assert.rejects(publishLog(log, { to: urlOf(folder) }), { code: 'archive_conflict' });
});

test('a log whose entries were changed publishes nothing of the change', async (t) => {
  const entries = numbered(5_000);
  const source = new EntriesSource(entries, testKey);
  const { note, size, root } = await source.checkpoint();
  const [folder, changed] = [temporaryFolder(t), entries.map((entry) => entry.slice())];
  changed[4_500]![0]! += 1;
  const lying = Object.assign(new EntriesSource(changed, testKey), {
    checkpoint: async () => ({ size, root, note }),
    checkContinues: (state: { size: number; root: string }) => source.checkContinues(state),
  });
  const publisher = new Publisher({ source: lying, store: await DirectoryTileStore.open(folder) });
  await assert.rejects(publisher.publish(), { code: 'log_damaged' });
  assert.ok(!existsSync(join(folder, 'checkpoint')));
  assert.ok(![...filesOf(folder).keys()].some((name) => name > 'tile/entries/015'));
});

test('a follower publishes what is recorded, from where its last life stopped', async (t) => {
  const folder = join(temporaryFolder(t), 'pub');
  const log = await smallLog(t, 5);
  log.followers.add(publishTiles(log, { to: urlOf(folder), everyMs: 0 }));
  await publishedSize(folder, (await log.checkpoint()).size);
  await grow(log, 300);
  await publishedSize(folder, (await log.checkpoint()).size);
  await log.close();
  await using again = await openLog(log.dir, { thread: 'caller', heartbeatMs: 0 });
  await grow(again, 1);
  again.followers.add(publishTiles(again, { to: urlOf(folder), everyMs: 0 }));
  await publishedSize(folder, (await again.checkpoint()).size);
  assert.equal((await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 })).ok, true);
});

/** How the publishing follower stands once it is left alone. */
async function refused(log: Log): Promise<FollowerStatus> {
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(10)) {
    const status = log.followers.list().find(({ name }) => name === 'publish')!;
    if (status.state === 'refused') return status;
  }
  return assert.fail(JSON.stringify(log.followers.list()));
}

test('somebody else’s file in the place is an alarm, and stops the follower', async (t) => {
  const folder = join(temporaryFolder(t), 'pub');
  const made = await smallLog(t, 5);
  await made.close();
  const warned: string[] = [];
  const warn = (message: string) => void warned.push(message);
  await using log = await openLog(made.dir, { thread: 'caller', heartbeatMs: 0, warn });
  const { size } = await log.checkpoint();
  mkdirSync(join(folder, 'tile/0/000.p'), { recursive: true });
  writeFileSync(join(folder, `tile/0/000.p/${size}`), 'somebody else');
  log.followers.add(publishTiles(log, { to: urlOf(folder), everyMs: 0 }));
  const { lastError } = await refused(log);
  assert.deepEqual([lastError?.code, lastError?.attempts], ['archive_conflict', 1]);
  assert.equal(warned.length, 1);
  assert.match(warned[0]!, /publish has stopped.*archive_conflict/);
  assert.ok(!existsSync(join(folder, 'checkpoint')));
});

test('while the log stands still and a witness lags, what goes wrong in the place is told', async (t) => {
  const folder = join(temporaryFolder(t), 'pub');
  const made = await smallLog(t, 5);
  await made.close();
  const witness = parseCosignerKey(
    cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1)),
  );
  const witnesses = `log ${made.vkey}\nwitness w ${witness.key.text}\nquorum w\n`;
  const warned: string[] = [];
  const warn = (message: string) => void warned.push(message);
  await using log = await openLog(made.dir, { thread: 'caller', heartbeatMs: 0, witnesses, warn });
  const follower = publishTiles(log, { to: urlOf(folder), everyMs: 0 });
  const { size } = await log.checkpoint();
  log.followers.add(follower);
  await publishedSize(folder, size);
  writeFileSync(join(folder, 'checkpoint'), 'somebody else wrote this\n');
  assert.equal((await refused(log)).lastError?.code, 'archive_conflict');
  assert.match(warned.join(), /archive_conflict/);
  assert.equal(readFileSync(join(folder, 'checkpoint'), 'utf8'), 'somebody else wrote this\n');
});

test('the newest checkpoint that witnesses were shown is published, and again with what they sign later', async (t) => {
  const folder = join(temporaryFolder(t), 'pub');
  const made = await smallLog(t, 5);
  await made.close();
  const witness = parseCosignerKey(
    cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1)),
  );
  const witnesses = `log ${made.vkey}\nwitness w ${witness.key.text}\nquorum w\n`;
  const open = { thread: 'caller', heartbeatMs: 0 } as const;
  await using log = await openLog(made.dir, { ...open, witnesses });
  const shown = await log.checkpoint();
  const anchors = AnchorStore.open(join(log.dir, 'anchors.db'));
  t.after(() => anchors.close());
  const put = ({ size, note }: { size: number; note: string }, lines: readonly string[] = []) =>
    void anchors.addSignatures({ size, note: Buffer.from(note), at: 0 }, lines);
  put(shown);
  await grow(log, 5);
  log.followers.add(publishTiles(log, { to: urlOf(folder), everyMs: 0 }));
  await publishedSize(folder, shown.size);
  assert.equal(readFileSync(join(folder, 'checkpoint'), 'utf8'), shown.note);
  const newest = await log.checkpoint();
  put(newest);
  await publishedSize(folder, newest.size);
  // Nothing is recorded any more: the witness signs, and readers who go by the policy take what is there.
  await assert.rejects(openPublished(urlOf(folder), parsePolicy(witnesses)), { code: 'policy_unsatisfied' });
  put(newest, [witness.cosign(parseNote(Buffer.from(newest.note)).text, 1_700_000_000n)]);
  const isSigned = () => readFileSync(join(folder, 'checkpoint'), 'utf8').includes('— witness.example ');
  for (const end = performance.now() + 20_000; !isSigned() && performance.now() < end; ) await sleep(10);
  await using reader = await openPublished(urlOf(folder), parsePolicy(witnesses));
  assert.equal((await reader.checkpoint()).size, newest.size);

  // A policy that was written before the key was replaced still says what witnesses have signed.
  writeFileSync(join(log.dir, 'policy'), witnesses);
  await rotateKey(log.dir, parseSignerKey(readFileSync(join(log.dir, 'root.key'), 'utf8').trim()));
  await grow(log, 5);
  const later = await log.checkpoint();
  put(later, [witness.cosign(parseNote(Buffer.from(later.note)).text, 1_700_000_001n)]);
  assert.deepEqual((await log.tier()).witnessed?.size, later.size);
  await log.close();
  rmSync(join(log.dir, 'policy'));

  // Nobody witnesses it any more: what was shown to witnesses once holds nothing up.
  await using alone = await openLog(made.dir, open);
  const { size } = await publishLog(alone, { to: urlOf(folder) });
  assert.equal(size, (await alone.checkpoint()).size);
});

test('where a log is published is noted beside it, and told by its tier', async (t) => {
  const log = await smallLog(t, 5);
  const layer = async () => (await log.tier()).layers.find(({ name }) => name === 'published');
  assert.equal((await layer())?.holds, false);
  const [one, other] = [urlOf(join(temporaryFolder(t), 'one')), urlOf(join(temporaryFolder(t), 'other'))];
  await publishLog(log, { to: one });
  await grow(log, 5);
  log.followers.add(publishTiles(log, { to: other, everyMs: 0 }));
  const { size } = await log.checkpoint();
  await publishedSize(fileURLToPath(other), size);
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(10))
    if ((await log.tier()).published.length === 2) break;
  const tier = await log.tier();
  const noted = new Map(tier.published.map(({ url, size: there }) => [url, there]));
  assert.deepEqual(
    noted,
    new Map([
      [one, size - 5],
      [other, size],
    ]),
  );
  assert.deepEqual(
    tier.published.map(({ retainUntil }) => retainUntil),
    [undefined, undefined],
  );
  assert.equal((await layer())?.holds, true);
});

async function publishedSize(folder: string, size: number): Promise<void> {
  const path = join(folder, 'checkpoint');
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(10)) {
    if (existsSync(path) && Number(readFileSync(path, 'utf8').split('\n')[1]) >= size) return;
  }
  assert.fail(`nothing of size ${size} was published`);
}

test('options that nobody reads are refused by name', async (t) => {
  const log = await smallLog(t, 1);
  await assert.rejects(publishLog(log, { to: 'file:///x', too: 1 } as never), { code: 'option_unknown' });
  assert.throws(() => publishTiles(log, { to: 'file:///x', every: 1 } as never), { code: 'option_unknown' });
  for (const to of ['/x', 'ftp://x', 'https://example.com/x', 'file', '']) {
    await assert.rejects(publishLog(log, { to }), { code: 'option_invalid' });
  }
  for (const url of ['file:x', 'file:../x', 'file:///x?y', 'file:///x?', 'file:///x y#z', 'file:///x#']) {
    await assert.rejects(publishLog(log, { to: url }), { code: 'option_invalid' }, url);
    await assert.rejects(verifyPublished(url), { code: 'option_invalid' }, url);
  }
  for (const url of ['file://server/x', 'file:///%00', 'file:///a%2fb', 'file:///%E0%A4%A']) {
    await assert.rejects(publishLog(log, { to: url }), { code: 'option_invalid' }, url);
    await assert.rejects(verifyPublished(url), { code: 'option_invalid' }, url);
  }
});

test('a folder that is hosted holds no keys: neither the log’s own, one above or below it, nor one with keys of subjects', async (t) => {
  const log = await smallLog(t, 3);
  const folder = temporaryFolder(t);
  const mustRefuse = async (to: string, more: object = {}) => {
    const code = { name: 'LogError', code: 'keys_exposed' };
    await assert.rejects(publishLog(log, { to: urlOf(to), ...more }), code, to);
    assert.throws(() => publishTiles(log, { to: urlOf(to), ...more }), code);
    assert.ok(!existsSync(join(to, 'checkpoint')));
  };
  symlinkSync(log.dir, join(folder, 'alias'));
  symlinkSync(folder, join(log.dir, 'out'));
  const own = [log.dir, join(log.dir, 'public'), dirname(log.dir), join(log.dir, '../x/..')];
  for (const to of [...own, join(folder, 'alias'), join(folder, 'alias', 'a', 'b')]) {
    await mustRefuse(to);
    await mustRefuse(to, { disclosures: false });
  }
  const pub = join(folder, 'pub');
  await mustRefuse(pub, { subjectKeys: join(pub, 'subject-keys.db') });
  await mustRefuse(pub, { subjectKeys: join(pub, 'a/b/keys.db') });
  const store = await DirectoryTileStore.open(join(log.dir, 'made'));
  await assert.rejects(publishLog(log, { to: store }), { code: 'keys_exposed' });
  // A name that only begins as that of the log does is another; and what is in the log and leads out of it is not in it.
  for (const to of [`${log.dir}-public`, join(log.dir, 'out', 'pub')]) {
    assert.equal((await publishLog(log, { to: urlOf(to) })).size, (await log.checkpoint()).size);
  }
});
