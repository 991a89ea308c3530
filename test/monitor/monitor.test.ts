// A monitor over logs that are honest, and over logs that are not.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, newSignerKey, rotateKey } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import { sourceEvent } from 'indelible/event';
import { Monitor, StateFile } from 'indelible/monitor';
import {
  formatAddCheckpoint,
  formatCheckpoint,
  openNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
  signerKeyFromSeed,
  signNote,
  withSignatures,
} from 'indelible/note';
import { publishLog } from 'indelible/publish';
import { readHead } from 'indelible/verify';
import { watchedLogs } from 'indelible/witness';
import { indelible } from '../cli/cli-process.ts';
import { urlOf } from '../publish/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { serve } from '../support/served.ts';
import { listen, makeChain, opensslMissing } from '../support/tsa.ts';
import { startWitness } from '../witness/world.ts';
import { codes, evidenceOf, origin, Watched } from './world.ts';

const DAY_MS = 86_400_000;

const signerOfLog = ({ log }: Watched) =>
  parseSignerKey(readFileSync(join(log.dir, 'log.key'), 'utf8').trim());

function signedHead(world: Watched, size: number, root = new Uint8Array(32)): Uint8Array {
  return signNote(formatCheckpoint({ origin, size, root }), [signerOfLog(world)]);
}

describe('an honest log', () => {
  for (const kind of ['published', 'folder'] as const) {
    test(`is followed over many growths by monitors that live for one look: ${kind}`, async (t) => {
      const world = await Watched.make(t, 1);
      const place = kind === 'folder' ? { place: world.log.dir } : {};
      for (const events of kind === 'folder' ? [0, 254, 1, 300] : [0, 1, 250, 3, 1, 256, 0, 300]) {
        if (events > 0) await world.grow(events);
        const { holds, size, isReached, problem } = await world.look({ ...place, wholeEveryMs: 1 });
        assert.deepEqual({ holds, problem, isReached }, { holds: 0, problem: undefined, isReached: true });
        assert.equal(size, (await world.log.checkpoint()).size);
      }
    });
  }

  test('is read once: what was seen is not read again', async (t) => {
    const world = await Watched.make(t, 600);
    await world.look();
    for (const path of ['tile/entries/000', 'tile/entries/001']) rmSync(join(world.public, path));
    await world.grow(300);
    const { holds, added } = await world.look();
    assert.deepEqual([holds, added], [0, 300]);
  });

  test('a monitor that is killed at any moment goes on where it was', async (t) => {
    const world = await Watched.make(t, 50);
    const child = join(import.meta.dirname, 'looking-child.ts');
    for (const patienceMs of [250, 320, 380, 450, 600, 900]) {
      const words = [child, urlOf(world.public), world.log.vkey, world.state];
      const looking = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
      const end = new Promise((resolve) => looking.once('exit', resolve));
      await world.grow(40);
      await sleep(patienceMs);
      looking.kill('SIGKILL');
      await end;
    }
    const { size, holds } = await world.look({ wholeEveryMs: 1 });
    assert.deepEqual([size, holds], [(await world.log.checkpoint()).size, 0]);
  });

  test('costs no more memory when it is long', async (t) => {
    const world = await Watched.make(t, 2);
    await world.look();
    const small = statSync(world.state).size;
    await world.grow(5000);
    await world.look();
    assert.ok(statSync(world.state).size < small + 2000);
  });

  test('a server’s log is followed over HTTP, with a key for its entries', async (t) => {
    const server = await serve(t);
    await server.record(signIn('a'), signIn('b'));
    const folder = temporaryFolder(t);
    const vkey = readFileSync(join(server.data, 'logs', 'main', 'log.vkey'), 'utf8').trim();
    const [state, place] = [join(folder, 'state'), `${server.url}/logs/main`];
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, server.key, { mode: 0o600 });
    const words = [
      'monitor',
      place,
      '--vkey',
      vkey,
      '--state',
      state,
      '--once',
      '--json',
      '--api-key-file',
      keyFile,
    ];
    const first = indelible(words);
    assert.equal(first.status, 0, first.stdout + first.stderr);
    await server.record(signIn('c'));
    const second = indelible(words);
    assert.equal(second.status, 0, second.stdout + second.stderr);
    const [look] = second.stdout.split('\n').map((line) => line && JSON.parse(line));
    assert.ok(look.added > 0 && look.holds === 0);
    // Without a key its entries are not shown, and that is no finding.
    const blind = indelible(['monitor', place, '--vkey', vkey, '--state', `${state}2`, '--once']);
    assert.equal(blind.status, 3, blind.stdout);
    await server.stop();
    assert.equal(indelible(words).status, 3);
  });
});

describe('histories that do not continue', () => {
  test('a log that is put back is found by every look until it is there again', async (t) => {
    const world = await Watched.make(t, 5);
    const old = world.keep();
    await world.grow(5);
    await world.look();
    const now = world.keep();
    world.put(old);
    const found = await world.look();
    assert.deepEqual(codes(found), ['rolled_back']);
    assert.equal(found.tell[0]?.evidence?.length, 2);
    // It holds, and is told once.
    const again = await world.look();
    assert.deepEqual([codes(again), again.holds], [[], 1]);
    world.put(now);
    assert.equal((await world.look()).holds, 0);
    world.put(old);
    assert.deepEqual(codes(await world.look()), ['rolled_back']);
    rmSync(world.public, { recursive: true });
    assert.deepEqual(codes(await world.look()), ['rolled_back']);
  });

  for (const more of [0, 7]) {
    test(`a second history under the same key is a fork, and both checkpoints are kept: ${more} entries more`, async (t) => {
      const world = await Watched.make(t, 300);
      await world.look();
      const other = join(world.folder, 'other');
      const key = join(world.log.dir, 'log.key');
      const born = await createLog(other, { origin, key, reuseKey: true, thread: 'caller', heartbeatMs: 0 });
      const { size } = await world.log.checkpoint();
      const count = size + more - (await born.checkpoint()).size;
      await born.recordMany(Array.from({ length: count }, (_, at) => signIn(`x-${at}`)));
      rmSync(world.public, { recursive: true });
      await publishLog(born, { to: urlOf(world.public), subjectKeys: join(world.folder, 'keys2.db') });
      await born.close();
      const report = await world.look();
      assert.ok(codes(report).includes('forked'), codes(report).join());
      const notes = evidenceOf(world).map((path) => readFileSync(path));
      assert.equal(notes.length, 2);
      for (const note of notes) openNote(note, [parseVerifierKey(world.log.vkey)]);
      assert.equal(new StateFile(world.state).load()?.base.size, size);
    });
  }

  test('a checkpoint by a key that nobody knows is an alarm, and nothing of it is remembered', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    const stranger = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(9)));
    const { size } = await world.log.checkpoint();
    for (const claimed of [size, size + 1, 1]) {
      const note = signNote(formatCheckpoint({ origin, size: claimed, root: new Uint8Array(32) }), [
        stranger,
      ]);
      writeFileSync(join(world.public, 'checkpoint'), note);
      const report = await world.look();
      assert.equal(report.holds, 1);
      assert.equal(new StateFile(world.state).load()?.base.size, size);
    }
  });

  test('a key that takes over by the rules is told, and followed', async (t) => {
    const root = parseSignerKey(newSignerKey(`${origin}/root`));
    const world = await Watched.make(t, 3, { rootVkey: root.vkey });
    await world.look();
    const pinned = world.log.vkey;
    const old = signerOfLog(world);
    await rotateKey(world.log.dir, root);
    await world.grow(2);
    const report = await world.look({ trust: { vkey: pinned } });
    assert.deepEqual([codes(report), report.holds], [['key_changed'], 0]);
    assert.equal(report.tell.find(({ code }) => code === 'key_changed')?.kind, 'notice');
    await world.grow(2);
    assert.deepEqual(codes(await world.look({ trust: { vkey: pinned } })), []);
    // What the old key signs from now on is not the log’s any more.
    const note = signNote(formatCheckpoint({ origin, size: 99, root: new Uint8Array(32) }), [old]);
    writeFileSync(join(world.public, 'checkpoint'), note);
    const late = await world.look({ trust: { vkey: pinned } });
    assert.deepEqual([codes(late), late.holds], [['key_retired'], 1]);
  });

  test('absurd sizes end at the first bundle that is not there', async (t) => {
    const world = await Watched.make(t, 300);
    for (const size of [2 ** 53 - 1, 2 ** 40, 5000]) {
      writeFileSync(join(world.public, 'checkpoint'), signedHead(world, size));
      const start = performance.now();
      const report = await world.look();
      if (size === 2 ** 53 - 1) assert.deepEqual(codes(report), ['index_gap']);
      assert.equal(report.holds, 1);
      assert.ok(performance.now() - start < 5_000);
    }
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(3_000_000, 65), Buffer.from('\u0000')]) {
      writeFileSync(join(world.public, 'checkpoint'), bytes);
      assert.equal((await world.look()).holds, 1);
    }
  });
});

describe('changed files', () => {
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at]! += 1;
    return bytes;
  };
  const fresh: readonly [string, string, (world: Watched) => void][] = [
    ['an entry that is new', 'root_mismatch', (world) => world.edit('tile/entries/001', flip(900))],
    ['a tile over new entries', 'tile_mismatch', (world) => world.edit('tile/0/001', flip(40))],
    [
      'a tile over new entries that is gone',
      'tile_mismatch',
      (world) => rmSync(join(world.public, 'tile/0/001')),
    ],
    [
      'a bundle that ends early',
      'bundle_malformed',
      (world) => world.edit('tile/entries/001', (b) => b.subarray(0, -1)),
    ],
    ['a bundle that is gone', 'index_gap', (world) => rmSync(join(world.public, 'tile/entries/001'))],
  ];
  for (const [what, code, change] of fresh) {
    test(`${what}: ${code}`, async (t) => {
      const world = await Watched.make(t, 200);
      await world.look();
      await world.grow(400);
      change(world);
      const report = await world.look();
      assert.ok(codes(report).includes(code), codes(report).join());
      assert.ok(report.holds > 0);
    });
  }

  const known: readonly [string, string, (world: Watched) => void][] = [
    ['an entry that was seen', 'tile_mismatch', (world) => world.edit('tile/entries/000', flip(900))],
    ['a tile that was seen', 'tile_mismatch', (world) => world.edit('tile/1/000.p/2', flip(3))],
    ['a tile that is gone', 'tile_mismatch', (world) => rmSync(join(world.public, 'tile/0/000'))],
  ];
  for (const [what, code, change] of known) {
    test(`${what}, when everything is read again: ${code}`, async (t) => {
      const world = await Watched.make(t, 600);
      await world.look({ wholeEveryMs: 3_600_000 });
      const whole = world.keep();
      change(world);
      assert.equal((await world.look({ wholeEveryMs: 3_600_000 })).holds, 0);
      world.ahead = 3_600_000;
      const report = await world.look({ wholeEveryMs: 3_600_000 });
      assert.ok(report.isWhole && codes(report).includes(code), codes(report).join());
      // Until it is in order, every look reads everything.
      assert.ok((await world.look({ wholeEveryMs: 3_600_000 })).holds > 0);
      world.put(whole);
      assert.equal((await world.look({ wholeEveryMs: 3_600_000 })).holds, 0);
    });
  }

  test('an entry that was changed in the log’s own folder', async (t) => {
    const world = await Watched.make(t, 5);
    const copy = join(world.folder, 'copy');
    cpSync(world.log.dir, copy, { recursive: true });
    await world.look({ place: copy, wholeEveryMs: 1 });
    const { Attacker } = await import('#dist/drill/attacker.js');
    new Attacker(copy).run(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'signed_in', 'signed_on') AS BLOB) WHERE idx = 2",
    );
    const report = await world.look({ place: copy, wholeEveryMs: 1 });
    assert.ok(report.holds > 0);
    new Attacker(copy).run('DELETE FROM disclosures WHERE idx = 3');
    assert.ok(codes(await world.look({ place: copy, wholeEveryMs: 1 })).includes('disclosure_missing'));
  });
});

describe('what is asked besides', () => {
  test('a log that stands still, also while nobody answers', async (t) => {
    const world = await Watched.make(t, 2);
    const maxSilenceMs = 60_000;
    assert.equal((await world.look({ maxSilenceMs })).holds, 0);
    world.ahead = 61_000;
    assert.deepEqual(codes(await world.look({ maxSilenceMs })), ['log_stalled']);
    assert.deepEqual(codes(await world.look({ maxSilenceMs })), []);
    world.ahead = 0;
    assert.equal((await world.look({ maxSilenceMs })).holds, 0);
    world.ahead = 99_000;
    const away = await world.look({ maxSilenceMs, place: 'http://127.0.0.1:9/logs/x' });
    assert.deepEqual([away.isReached, codes(away)], [false, ['log_stalled']]);
  });

  test('a log that is ahead of time, and one whose clock was set back', async (t) => {
    const world = await Watched.make(t, 2);
    world.ahead = -400_000;
    assert.deepEqual(codes(await world.look({ place: world.log.dir })), ['time_contradicted']);
    world.ahead = 600_000;
    assert.deepEqual(codes(await world.look({ place: world.log.dir })), []);
    await world.grow(1);
    world.ahead = 601_000;
    assert.deepEqual(codes(await world.look({ place: world.log.dir })), ['time_contradicted']);
  });

  test('the quorum that vouches, and how long ago it did', async (t) => {
    const world = await Watched.make(t, 3);
    const cosignedAt = Date.now();
    const witness = startWitness(t, watchedLogs([{ vkey: world.log.vkey }]), { now: () => cosignedAt });
    const key = witness.keys.find(({ type }) => type === 4)!;
    const trust = parsePolicy(`log ${world.log.vkey}\nwitness w ${key.text}\nquorum w\n`);
    const limits = { trust, maxCosignatureAgeMs: 60_000 };
    assert.deepEqual(codes(await world.look(limits)), ['checkpoint_invalid']);
    const note = utf8Encode((await world.log.checkpoint()).note);
    const answer = await witness.ask(formatAddCheckpoint({ oldSize: 0, proof: [], note }));
    assert.equal(answer.status, 200);
    const lines = (await answer.text()).trim().split('\n');
    writeFileSync(join(world.public, 'checkpoint'), withSignatures(note, lines));
    assert.equal((await world.look(limits)).holds, 0);
    world.ahead = 70_000;
    assert.deepEqual(codes(await world.look(limits)), ['cosignature_old']);
  });

  test('attack-46: what is published says that it was recorded after a witness had cosigned it', async (t) => {
    const world = await Watched.make(t, 1);
    const now = Date.now();
    t.mock.timers.enable({ apis: ['Date'], now: now + DAY_MS });
    await world.grow(2);
    const witness = startWitness(t, watchedLogs([{ vkey: world.log.vkey }]), { now: () => now });
    const key = witness.keys.find(({ type }) => type === 4)!;
    const policy = `log ${world.log.vkey}\nwitness w ${key.text}\n`;
    const note = utf8Encode((await world.log.checkpoint()).note);
    const answer = await witness.ask(formatAddCheckpoint({ oldSize: 0, proof: [], note }));
    const lines = (await answer.text()).trim().split('\n');
    writeFileSync(join(world.public, 'checkpoint'), withSignatures(note, lines));
    // The clock of the monitor is wrong as well, and tells nothing: the witness is somebody else.
    assert.deepEqual(codes(await world.look()), []);
    rmSync(world.state);
    const report = await world.look({ trust: parsePolicy(`${policy}quorum w\n`) });
    assert.deepEqual(codes(report), ['time_contradicted']);
    const { message, from } = report.tell.find(({ code }) => code === 'time_contradicted')!;
    const last = (await world.log.checkpoint()).size - 1;
    assert.equal(from, last);
    const words = `^Entry ${last} says .* witness\\.example has cosigned a checkpoint that covers it at .*\\.$`;
    assert.match(message, new RegExp(words));
    assert.deepEqual(codes(await world.look({ trust: parsePolicy(`${policy}quorum w\n`) })), [], 'told once');
  });

  test('attack-46: in a folder, what came after a cosignature says that it was recorded before', async (t) => {
    const start = Date.now();
    const world = await Watched.make(t, 1);
    const { dir } = world.log;
    const witness = startWitness(t, watchedLogs([{ vkey: world.log.vkey }]), { now: () => start + DAY_MS });
    const key = witness.keys.find(({ type }) => type === 4)!;
    const trust = parsePolicy(`log ${world.log.vkey}\nwitness w ${key.text}\nquorum w\n`);
    let old = 0;
    const cosign = async (logSize?: number): Promise<void> => {
      const { size, note: text } = await world.log.checkpoint();
      const note = utf8Encode(text);
      const { root } = readHead(note)!;
      const proof = old === 0 ? [] : await world.log.reader.proveGrowth({ from: old, to: size, root });
      const answer = await witness.ask(formatAddCheckpoint({ oldSize: old, proof, note }));
      assert.equal(answer.status, 200);
      const store = AnchorStore.open(join(dir, 'anchors.db'));
      store.addSignatures({ size, note, at: 0 }, (await answer.text()).trim().split('\n'), logSize);
      store.close();
      old = size;
    };
    const look = () => world.look({ place: dir, trust });
    await cosign();
    await world.grow(1);
    await cosign();
    await world.grow(1);
    // A day late, as far as is known: nobody noted how large the log was when the signature came.
    const first = await look();
    assert.deepEqual(codes(first), ['time_contradicted']);
    assert.match(first.tell.at(-1)!.message, / says that it cosigned at .* vouches for nothing /, 'no entry');
    const { size } = await world.log.checkpoint();
    await cosign(size);
    await world.grow(1);
    await cosign(size + 1);
    assert.deepEqual(codes(await look()), [], 'the commit behind it may have been under way');
    await world.grow(1);
    const report = await look();
    assert.deepEqual(codes(report), ['time_contradicted']);
    assert.match(report.tell[0]!.message, new RegExp(`^Entry ${size + 1} says .* when it was not there yet`));
  });

  test('how old the newest time-stamp is', { skip: opensslMissing }, async (t) => {
    const folder = temporaryFolder(t);
    const tsa = await listen(t, folder, makeChain(folder));
    const authorities = [{ name: 'tsa', url: tsa.url, certificates: tsa.root.pem }];
    const world = await Watched.make(t, 2, { timestamps: { everyMs: 3_600_000, authorities } });
    const limits = { place: world.log.dir, maxTimestampAgeMs: 60_000, tsaCertificates: tsa.root.pem };
    for (const { ok } of await world.log.timestampNow()) assert.ok(ok);
    assert.deepEqual(codes(await world.look({ ...limits, wholeEveryMs: 1 })), []);
    world.ahead = 90_000;
    assert.deepEqual(codes(await world.look(limits)), ['timestamp_old']);
    // A stamp by an authority that is not trusted here is none.
    world.ahead = 0;
    const stranger = makeChain(folder, 'ec', 'stranger').root.pem;
    const report = await world.look({ ...limits, tsaCertificates: stranger });
    assert.deepEqual([codes(report), report.tell.length], [['timestamp_old'], 1]);
  });

  test('numbers of a source that never came, and a source that fell silent', async (t) => {
    const world = await Watched.make(t, 1);
    const instance = '019ab000-0000-7000-8000-000000000001';
    const say = (seq: number | null, event: object) =>
      world.log.recordFor(event as never, {
        service: 'shop',
        credential: 'k1',
        counted: { instance, seq } as never,
      });
    for (const seq of [0, 1, 4]) await say(seq, signIn());
    const frame = { instance, seq: 4, unrecorded: [], everyMs: 1000 } as const;
    await say(null, sourceEvent('heartbeat', frame));
    await world.publish();
    assert.deepEqual(codes(await world.look()), []);
    // By the log's own clock: another entry, a minute later.
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 60_000 });
    await world.grow(1);
    assert.deepEqual(codes(await world.look()).sort(), ['source_gap', 'source_silent']);
    await world.grow(1);
    assert.deepEqual(codes(await world.look()), []);
  });
});

describe('the state', () => {
  test('that was damaged, or is of another log, is refused and left alone', async (t) => {
    const world = await Watched.make(t, 3);
    await world.look();
    const text = readFileSync(world.state, 'utf8');
    const damaged = [
      '',
      text.slice(0, -3),
      `${text}\n{}`,
      text.replace('"size":', '"size":1'),
      text.replace('indelible-monitor/v1', 'indelible-monitor/v2'),
      '\u0000'.repeat(100),
      JSON.stringify({ format: 'indelible-monitor/v1' }),
    ];
    for (const bad of damaged) {
      writeFileSync(world.state, bad);
      assert.throws(() => world.monitor(), { code: 'state_invalid' });
      assert.equal(readFileSync(world.state, 'utf8'), bad);
    }
    writeFileSync(world.state, text);
    const other = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(5))).vkey;
    assert.throws(() => world.monitor({ trust: { vkey: other } }), { code: 'state_invalid' });
    const words = ['monitor', urlOf(world.public), '--vkey', other, '--state', world.state, '--once'];
    const ended = indelible(words);
    assert.equal(ended.status, 3);
    assert.match(ended.stderr, /state_invalid/);
  });

  test('of two monitors over one file, the second notices', async (t) => {
    const world = await Watched.make(t, 3);
    const [one, other] = [world.monitor(), world.monitor()];
    await one.look();
    await assert.rejects(other.look(), { code: 'state_invalid' });
  });

  test('what was found and not told is told by the next one; a new state says that it is new', async (t) => {
    const world = await Watched.make(t, 3);
    const first = world.monitor();
    assert.deepEqual(
      (await first.look()).tell.map(({ code }) => code),
      ['monitor_began'],
    );
    // It died before it could say so.
    assert.deepEqual(
      (await world.look()).tell.map(({ code }) => code),
      ['monitor_began'],
    );
    assert.deepEqual((await world.look()).tell, []);
    rmSync(world.state);
    assert.deepEqual(
      (await world.look()).tell.map(({ code }) => code),
      ['monitor_began'],
    );
  });

  test('the command line: status, evidence, misuse', async (t) => {
    const world = await Watched.make(t, 5);
    const old = world.keep();
    await world.grow(5);
    const run = (...more: string[]) =>
      indelible([
        'monitor',
        urlOf(world.public),
        '--state',
        world.state,
        '--once',
        '--vkey',
        world.log.vkey,
        ...more,
      ]);
    assert.equal(run().status, 0);
    world.put(old);
    const found = run();
    assert.equal(found.status, 1);
    assert.match(found.stdout, /rolled_back/);
    const [evidence] = evidenceOf(world);
    assert.ok(existsSync(evidence!));
    assert.equal(run('--max-timestamp-age', '1h').status, 2);
    assert.equal(run('--max-cosignature-age', '1h').status, 2);
    assert.equal(run('--webhook', 'http://example.com/').status, 2);
    assert.throws(() => new Monitor({ place: 'ftp://x', trust: { vkey: 'no' }, state: world.state }));
  });
});
