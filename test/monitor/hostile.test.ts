// Whoever answers in the place of a log, without any key of it: he keeps no monitor from looking, and fills no disk.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { newSignerKey, rotateKey } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { hashLeaf } from 'indelible/merkle';
import { StateFile } from 'indelible/monitor';
import {
  cosignerKeyFromSeed,
  formatCheckpoint,
  keyTypes,
  parseCosignerKey,
  parsePolicy,
  parseSignerKey,
  signerKeyFromSeed,
  signNote,
  withSignatures,
} from 'indelible/note';
import { urlOf } from '../publish/world.ts';
import { codes, evidenceOf, origin, Watched } from './world.ts';

const DAY_MS = 86_400_000;
const stranger = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(9)));

type Answer = Uint8Array | number | Promise<never>;

/** What is published, over HTTP; `answer` is asked first. Counts what it was asked for, and ends where that has no end. */
function served(world: Watched, answer: (path: string) => Answer | undefined) {
  const asked: string[] = [];
  const fetch = async (input: unknown): Promise<Response> => {
    const path = new URL(String(input)).pathname.slice(1);
    asked.push(path);
    if (asked.length > 2000) throw new Error('asked without end');
    const at = join(world.public, path);
    const found = (await answer(path)) ?? (existsSync(at) ? readFileSync(at) : 404);
    return typeof found === 'number'
      ? new Response(null, { status: found })
      : new Response(Buffer.from(found));
  };
  return { asked, options: { place: 'http://127.0.0.1:9/', fetch: fetch as typeof globalThis.fetch } };
}

describe('a checkpoint that nobody known has signed', () => {
  const claim = (size: number, root = new Uint8Array(32)) =>
    signNote(formatCheckpoint({ origin, size, root }), [stranger]);
  const junk = (path: string): Uint8Array | undefined => {
    const width = Number(/\.p\/(\d+)$/.exec(path)?.[1] ?? 256);
    if (path.startsWith('tile/entries/')) return new Uint8Array(width * 2);
    return path.startsWith('tile/') ? new Uint8Array(width * 32).fill(7) : undefined;
  };

  for (const isKnown of [true, false])
    test(`of entries without end is refused before they are read: the log is ${isKnown ? 'known' : 'new'}`, async (t) => {
      const world = await Watched.make(t, 300);
      if (isKnown) await world.look();
      const place = served(world, (path) => (path === 'checkpoint' ? claim(1e12) : junk(path)));
      const report = await world.look(place.options);
      assert.deepEqual([codes(report), report.isReached], [['key_unknown'], true]);
      assert.deepEqual(
        place.asked.filter((path) => path.startsWith('tile/entries/')),
        [],
      );
    });

  test('that continues the log is refused all the same', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    const before = new StateFile(world.state).load()!.base;
    await world.grow(300);
    const { size, root } = await world.log.checkpoint();
    const place = served(world, (path) =>
      path === 'checkpoint' ? claim(size, Buffer.from(root as unknown as string, 'base64')) : undefined,
    );
    assert.deepEqual(codes(await world.look(place.options)), ['key_unknown']);
    assert.deepEqual(new StateFile(world.state).load()!.base, before);
  });

  test('is read ahead for up to a limit, and no further than entries go', async () => {
    const { ReadAhead, AHEAD_ENTRIES_MAX } = await import('#dist/monitor/read-ahead.js');
    const keys = { keys: { keyChanges: [] } };
    const ahead = new ReadAhead(() => false);
    let count = 0;
    while (ahead.take(undefined, keys)) count += 1;
    assert.deepEqual([count + 1, ahead.isOver], [AHEAD_ENTRIES_MAX, true]);
    const junkAhead = new ReadAhead(() => false);
    assert.deepEqual([junkAhead.take(new Uint8Array(0), keys), junkAhead.isOver], [false, true]);
    const signed = new ReadAhead(({ keyChanges }) => keyChanges.length > 0);
    assert.equal(signed.take(undefined, keys), true);
    const changed = { keys: { keyChanges: [{ index: 3, entry: new Uint8Array(1) }] } };
    for (let at = 0; at <= AHEAD_ENTRIES_MAX; at += 1) signed.take(undefined, changed);
    assert.equal(signed.isOver, false);
  });
});

describe('a server that never ends', () => {
  const never = new Promise<never>(() => {});

  test('ends with the time of the look, and the log counts as silent', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    await world.grow(3);
    world.ahead = DAY_MS;
    const place = served(world, (path) => (path.startsWith('tile/entries/') ? never : undefined));
    const report = await world.look({ ...place.options, lookTimeoutMs: 200, maxSilenceMs: 60_000 });
    assert.deepEqual([report.isReached, codes(report)], [false, ['log_stalled']]);
    assert.match(report.problem!, /could not be read within/);
    assert.throws(() => world.monitor({ lookTimeoutMs: 0 }), { code: 'option_invalid' });
  });

  test('that fails later takes back nothing of what the look has found before', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look({ wholeEveryMs: DAY_MS });
    await world.grow(3);
    const { size } = await world.log.checkpoint();
    world.ahead = 2 * DAY_MS;
    let reads = 0;
    const place = served(world, (path) => {
      if (path.startsWith('tile/entries/')) reads += 1;
      return reads > 1 ? 500 : undefined;
    });
    const report = await world.look({ ...place.options, wholeEveryMs: DAY_MS });
    assert.deepEqual([report.isReached, report.size], [false, size]);
  });

  test('is told as silence while the look is under way, unless the checkpoint grows', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    await world.grow(3);
    world.ahead = DAY_MS;
    const held = Promise.withResolvers<never>();
    t.after(() => held.reject(new Error('reset')));
    let checkpoint: Uint8Array | undefined = utf8Encode(new StateFile(world.state).load()!.note);
    const place = served(world, (path) => {
      if (path === 'checkpoint') return checkpoint;
      return path.startsWith('tile/entries/') ? held.promise : undefined;
    });
    const monitor = world.monitor({ ...place.options, maxSilenceMs: 60_000 });
    checkpoint = undefined;
    const look = monitor.look();
    // The checkpoint has grown: it takes long to read, and that is no silence.
    assert.equal(await monitor.silence(), undefined);
    world.ahead += 3_600_000;
    const silent = await monitor.silence();
    assert.deepEqual([silent && codes(silent), silent?.isReached], [['log_stalled'], false]);
    monitor.told(silent!.tell);
    assert.equal((await monitor.silence())?.tell.length, 0, 'it is told once');
    held.reject(new Error('reset'));
    const report = await look;
    assert.deepEqual([report.isReached, codes(report), report.holds], [false, [], 1]);
  });
});

describe('a log that takes longer than a look may for what nobody has signed', () => {
  const root = parseSignerKey(newSignerKey(`${origin}/root`));

  /** Each bundle takes so long, by the clock that is asked how much time is left. */
  function slow(t: TestContext, world: Watched, minutes = 25) {
    let lateMs = 0;
    const now = performance.now.bind(performance);
    t.mock.method(performance, 'now', () => now() + lateMs);
    const { options } = served(world, (path) => {
      if (path.startsWith('tile/entries/')) lateMs += minutes * 60_000;
      return undefined;
    });
    return { ...options, timeoutMs: 2 ** 31 - 1 };
  }

  // All six bundles are asked for at once where everything is read.
  for (const [isWhole, minutes] of [
    [false, 25],
    [true, 9],
  ] as const)
    test(`is read ${isWhole ? 'as a whole' : 'the first time'}`, async (t) => {
      const world = await Watched.make(t, 1300);
      const { problem, ...report } = await world.look({
        ...slow(t, world, minutes),
        wholeEveryMs: isWhole ? DAY_MS : 0,
      });
      assert.equal(problem, undefined);
      assert.deepEqual([report.size, report.isWhole, report.holds], [1301, isWhole, 0]);
    });

  for (const isSoon of [true, false])
    test(`is read ${isSoon ? 'once an entry has named' : 'no further where none names'} who signs it`, async (t) => {
      const world = await Watched.make(t, 3, { rootVkey: root.vkey });
      const trust = { vkey: world.log.vkey };
      await world.look({ trust });
      if (!isSoon) await world.grow(1300);
      await rotateKey(world.log.dir, root);
      await world.grow(isSoon ? 1300 : 1);
      const report = await world.look({ ...slow(t, world), trust });
      assert.equal(report.isReached, isSoon);
      assert.deepEqual(codes(report), isSoon ? ['key_changed'] : []);
      if (!isSoon) assert.match(report.problem!, /what is there could not be read within/);
    });

  test('is read no further where what lies beside it has no end', async (t) => {
    const { Deadline } = await import('#dist/monitor/deadline.js');
    let nowMs = 0;
    t.mock.method(performance, 'now', () => nowMs);
    const work = async (): Promise<void> => {
      nowMs += 30_000;
    };
    const deadline = new Deadline(60_000);
    deadline.vouch();
    for (let at = 0; at < 9; at += 1) await deadline.keep(work);
    await deadline.keep(work, { isSigned: false });
    await deadline.keep(work, { isSigned: false });
    await assert.rejects(deadline.keep(work, { isSigned: false }), { code: 'unreachable' });
    await deadline.keep(work);
    deadline.doubt();
    await deadline.keep(work);
    await deadline.keep(work);
    await assert.rejects(deadline.keep(work), { code: 'unreachable' });
  });

  test('is not silent while its new key is yet to be read, for as long as that may take', async (t) => {
    const world = await Watched.make(t, 3, { rootVkey: root.vkey });
    const trust = { vkey: world.log.vkey };
    await world.look({ trust });
    await world.grow(300);
    await rotateKey(world.log.dir, root);
    await world.grow(300);
    world.ahead = DAY_MS;
    const held = Promise.withResolvers<never>();
    t.after(() => held.reject(new Error('reset')));
    const place = served(world, (path) => (path.startsWith('tile/entries/') ? held.promise : undefined));
    const monitor = world.monitor({ ...place.options, trust, maxSilenceMs: 60_000 });
    const look = monitor.look();
    assert.equal(await monitor.silence(), undefined);
    world.ahead += 50 * 60_000;
    assert.equal(await monitor.silence(), undefined);
    world.ahead += 20 * 60_000;
    const silent = await monitor.silence();
    assert.deepEqual(silent && codes(silent), ['log_stalled']);
    held.reject(new Error('reset'));
    assert.equal((await look).isReached, false);
  });

  test('is not silent while it grows under a new key that the look has read', async (t) => {
    const world = await Watched.make(t, 3, { rootVkey: root.vkey });
    const trust = { vkey: world.log.vkey };
    await world.look({ trust });
    await rotateKey(world.log.dir, root);
    await world.grow(600);
    world.ahead = DAY_MS;
    const held = Promise.withResolvers<never>();
    t.after(() => held.reject(new Error('reset')));
    const isRead = Promise.withResolvers<void>();
    const place = served(world, (path) => {
      if (!path.startsWith('tile/entries/') || path.endsWith('/000')) return undefined;
      isRead.resolve();
      return held.promise;
    });
    const monitor = world.monitor({ ...place.options, trust, maxSilenceMs: 60_000 });
    const look = monitor.look();
    await isRead.promise;
    assert.equal(await monitor.silence(), undefined);
    world.ahead += 3 * 3_600_000;
    await world.grow(3);
    assert.equal(await monitor.silence(), undefined);
    world.ahead += 3 * 3_600_000;
    const silent = await monitor.silence();
    assert.deepEqual(silent && codes(silent), ['log_stalled']);
    held.reject(new Error('reset'));
    await look;
  });
});

describe('what proves something', () => {
  test('is kept once for each finding, however often it changes', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    const { size } = await world.log.checkpoint();
    for (let round = 0; round < 4; round += 1) {
      const root = new Uint8Array(32).fill(round);
      writeFileSync(
        join(world.public, 'checkpoint'),
        signNote(formatCheckpoint({ origin, size, root }), [stranger]),
      );
      assert.equal((await world.look()).holds, 1);
      assert.equal(evidenceOf(world).length, 1);
    }
  });

  test('is bounded for each kind', async (t) => {
    const { keepEvidence, EVIDENCE_FILES_MAX } = await import('#dist/monitor/evidence.js');
    const world = await Watched.make(t, 1);
    const keep = (code: string, at: number) =>
      keepEvidence(world.state, {
        code,
        from: 0,
        to: 0,
        message: '',
        proof: [utf8Encode(`${at}\n`)],
      } as never);
    for (let at = 0; at < EVIDENCE_FILES_MAX; at += 1) assert.equal(keep('key_unknown', at).full, undefined);
    assert.deepEqual(keep('key_unknown', 1).files.length, 1, 'what is there is there');
    const over = keep('key_unknown', EVIDENCE_FILES_MAX);
    assert.deepEqual([over.files, over.full], [[], `${world.state}.evidence`]);
    assert.equal(keep('forked', 1).full, undefined);
    assert.equal(evidenceOf(world).length, EVIDENCE_FILES_MAX + 1);
    const large = utf8Encode(`${'x'.repeat(9_000_000)}\n`);
    const proof = [large, utf8Encode(`${'y'.repeat(9_000_000)}\n`)];
    const kept = keepEvidence(world.state, { code: 'rolled_back', from: 0, to: 0, message: '', proof });
    assert.deepEqual([kept.files.length, kept.full !== undefined], [1, true]);
  });
});

describe('what others hold', () => {
  test('is compared in the folder of a log, too, and after its key was replaced', async (t) => {
    const root = parseSignerKey(newSignerKey(`${origin}/root`));
    const world = await Watched.make(t, 600, { rootVkey: root.vkey });
    const held = [(await world.log.checkpoint()).note];
    await rotateKey(world.log.dir, root);
    await world.grow(300);
    for (const [place, state] of [
      [world.log.dir, 'a'],
      [urlOf(world.public), 'b'],
    ] as const) {
      const how = { place, held, state: join(world.folder, state), trust: { vkey: root.vkey } };
      const report = await world.look(how);
      assert.deepEqual([report.isReached, codes(report), report.holds], [true, ['key_changed'], 0]);
      assert.equal(typeof new StateFile(how.state).load()!.heldAgreed, 'string');
    }
  });

  test('asks for each tile once, however many receipts there are', async (t) => {
    const world = await Watched.make(t, 300);
    await world.look();
    const { note } = await world.log.checkpoint();
    const entries = await world.log.reader.entries(0, 200);
    const held = entries.map(({ index, entry }) => ({
      index,
      leafHash: Buffer.from(hashLeaf(entry)).toString('base64'),
      checkpoint: note,
    }));
    const place = served(world, () => undefined);
    assert.equal((await world.look({ ...place.options, held })).holds, 0);
    const tiles = place.asked.filter((path) => path.startsWith('tile/'));
    assert.equal(new Set(tiles).size, tiles.length);
    const count = place.asked.length;
    assert.equal((await world.look({ ...place.options, held })).holds, 0);
    assert.equal(place.asked.length, count + 1, 'what has agreed is not asked for again');
  });

  test('is compared by the look that has it first, though everything is never read again', async (t) => {
    const world = await Watched.make(t, 300);
    await world.look();
    const key = parseSignerKey(readFileSync(join(world.log.dir, 'log.key'), 'utf8').trim());
    const { size, note } = await world.log.checkpoint();
    const [entry] = await world.log.reader.entries(7, 8);
    const leafHash = Buffer.from(hashLeaf(entry!.entry)).toString('base64');
    const good = [note, { index: 7, leafHash, checkpoint: note }];
    await world.grow(300);
    assert.deepEqual(codes(await world.look({ held: good })), []);
    assert.equal(typeof new StateFile(world.state).load()!.heldAgreed, 'string');
    const otherNote = (entries: number) =>
      Buffer.from(
        signNote(formatCheckpoint({ origin, size: entries, root: new Uint8Array(32) }), [key]),
      ).toString();
    for (const [held, code] of [
      [otherNote(size), 'forked'],
      [otherNote(5000), 'rolled_back'],
      [{ index: 8, leafHash, checkpoint: note }, 'forked'],
      [{ index: size, leafHash, checkpoint: note }, 'checkpoint_invalid'],
      ['nonsense', 'checkpoint_invalid'],
      [
        Buffer.from(
          signNote(formatCheckpoint({ origin, size, root: new Uint8Array(32) }), [stranger]),
        ).toString(),
        'key_unknown',
      ],
    ] as const) {
      const both = { held: [...good, held] };
      assert.deepEqual(codes(await world.look(both)), [code]);
      // It holds, and a reading of everything says the same.
      assert.deepEqual([codes(await world.look(both)), (await world.look(both)).holds], [[], 1]);
      const whole = await world.look({ ...both, wholeEveryMs: 1 });
      assert.deepEqual([whole.isWhole, codes(whole), whole.holds], [true, [], 1]);
      assert.equal((await world.look({ held: good, wholeEveryMs: 1 })).holds, 0);
    }
  });
});

test('a cosignature of a time that nobody can write down ends no monitor', async (t) => {
  const world = await Watched.make(t, 3);
  const witness = parseCosignerKey(
    cosignerKeyFromSeed('w.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(7)),
  );
  const trust = parsePolicy(`log ${world.log.vkey}\nwitness w ${witness.key.text}\nquorum w\n`);
  const { note } = await world.log.checkpoint();
  const text = `${note.split('\n\n')[0]!}\n`;
  const cosigned = withSignatures(utf8Encode(note), [witness.cosign(text, 2n ** 62n)]);
  writeFileSync(join(world.public, 'checkpoint'), cosigned);
  const report = await world.look({ trust, maxCosignatureAgeMs: 3_600_000, wholeEveryMs: 1 });
  assert.ok(codes(report).includes('cosignature_old') && codes(report).includes('time_contradicted'));
});

test('a log whose root key is pinned is told by its own name', async (t) => {
  const root = parseSignerKey(newSignerKey(`${origin}/root`));
  const world = await Watched.make(t, 3, { rootVkey: root.vkey });
  await rotateKey(world.log.dir, root);
  await world.grow(2);
  const report = await world.look({ trust: { vkey: root.vkey } });
  assert.deepEqual([report.isReached, report.origin, report.tell[0]?.origin], [true, origin, origin]);
  assert.equal((await world.look({ trust: { vkey: root.vkey } })).origin, origin);
});
