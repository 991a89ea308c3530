// Time-stamps among the published files: each once, none ahead of its checkpoint; judged from there as beside the log.

import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { type Log, openLog, verifyLog } from 'indelible';
import { AnchorStore, formatStampFile } from 'indelible/anchor';
import {
  cosignerKeyFromSeed,
  formatCheckpoint,
  keyTypes,
  parseCosignerKey,
  parseSignerKey,
  signNote,
} from 'indelible/note';
import { publishLog, publishTiles, restoreLog, verifyPublished } from 'indelible/publish';
import { rebuildTree } from '#dist/drill/resign.js';
import { temporaryFolder } from '../support/folders.ts';
import { S3Double } from '../support/s3-double.ts';
import { type Chain, forgeToken, listen, makeChain, openssl, opensslMissing } from '../support/tsa.ts';
import { keep, stampAt, stampNow, until } from './stamps-world.ts';
import { copyOf, filesOf, grow, origin, smallLog, urlOf } from './world.ts';

const HOUR_MS = 3_600_000;
const s3Place = 's3://archive/logs/stamped';

describe('published time-stamps', { skip: opensslMissing }, () => {
  let base: string;
  let chain: Chain;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(base);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  const stampFiles = (folder: string): string[] =>
    [...filesOf(folder).keys()].filter((path) => path.startsWith('timestamps/'));
  const publish = (log: Log, folder: string) => publishLog(log, { to: urlOf(folder), disclosures: false });

  test('each is published once, as evidence carries it, and verified there as beside the log', async (t) => {
    const tsa = await listen(t, base, chain);
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    // A log that was published before, without any.
    assert.deepEqual([(await publish(log, folder)).timestamps, stampFiles(folder)], [0, []]);
    await stampNow(log, tsa);
    const first = await publish(log, folder);
    assert.deepEqual([first.added, first.written, first.timestamps], [0, 1, 1]);
    await grow(log, 300);
    await stampNow(log, tsa);
    const second = await publish(log, folder);
    assert.deepEqual([second.timestamps, stampFiles(folder)], [1, ['timestamps/000', 'timestamps/001']]);
    const files = filesOf(folder);
    const again = await publish(log, folder);
    assert.deepEqual([again.written, again.timestamps, filesOf(folder)], [0, 0, files]);
    assert.equal(statSync(join(folder, 'timestamps/001')).mode % 0o1000, 0o444);

    const file = JSON.parse(readFileSync(join(folder, 'timestamps/001'), 'utf8'));
    assert.deepEqual(Object.keys(file), ['authority', 'checkpoint', 'token']);
    // Other tools read it: the text is everything before the signatures.
    const [text, token] = [join(base, 'text'), join(base, 'token')];
    writeFileSync(text, `${file.checkpoint.split('\n\n')[0]}\n`);
    writeFileSync(token, Buffer.from(file.token, 'base64'));
    openssl(['ts', '-verify', '-in', token, '-token_in', '-data', text, '-CAfile', chain.root.cert]);

    const options = { vkey: log.vkey, threads: 0 };
    const report = await verifyPublished(urlOf(folder), { ...options, tsaCertificates: chain.root.pem });
    const beside = await verifyLog(log.dir, { ...options, tsaCertificates: chain.root.pem });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.stamped, beside.stamped);
    assert.match(report.anchored, new RegExp(`time-stamped by tsa at \\S+Z up to size ${second.size}`));
    const unpinned = await verifyPublished(urlOf(folder), options);
    assert.deepEqual([unpinned.findings, unpinned.stamped?.newest[0]?.trust], [[], 'inside']);
    assert.match(unpinned.anchored, /no outside anchor/);
    const stranger = makeChain(base, 'ec', 'stranger').root.pem;
    const wrong = await verifyPublished(urlOf(folder), { ...options, tsaCertificates: stranger });
    assert.deepEqual(
      wrong.findings.map(({ code, detail }) => [code, detail?.['code']]),
      [['timestamp_invalid', 'timestamp_untrusted']],
    );
    assert.deepEqual([wrong.stamped?.given, wrong.stamped?.agree], [2, 0]);
    await assert.rejects(verifyPublished(urlOf(folder), { tsaCertificates: 'none' }), {
      code: 'option_invalid',
    });
  });

  test('in a bucket: under If-None-Match and the lock, and read from there', async (t) => {
    const double = await S3Double.start(t);
    const log = await smallLog(t, 3);
    const s3 = { client: double.client(t), retention: { days: 10 } };
    await publishLog(log, { to: s3Place, s3, disclosures: false });
    const asked = () => double.requests.filter(({ key }) => key.includes('/timestamps/')).length;
    assert.equal(asked(), 0, 'a log without any asks for none');
    await stampAt(log, chain, Date.now());
    const { timestamps } = await publishLog(log, { to: s3Place, s3, disclosures: false });
    const [version, ...others] = double.objects.get('logs/stamped/timestamps/000')!;
    assert.deepEqual([timestamps, others, version?.mode], [1, [], 'COMPLIANCE']);
    const put = double.requests.find(({ method, key }) => method === 'PUT' && key.includes('/timestamps/'));
    assert.equal(put?.headers['if-none-match'], '*');
    const before = asked();
    await publishLog(log, { to: s3Place, s3, disclosures: false });
    assert.equal(asked(), before, 'nothing is asked where nothing is new');
    const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, s3, threads: 0 };
    const report = await verifyPublished(s3Place, options);
    assert.deepEqual([report.findings, report.stamped?.agree], [[], 1]);
    double.overwrite('logs/stamped/timestamps/000', Buffer.from('{}'));
    const damaged = await verifyPublished(s3Place, options);
    assert.deepEqual(
      damaged.findings.map(({ code }) => code),
      ['timestamp_invalid'],
    );
    const kept = await verifyPublished(s3Place, { ...options, s3: { ...s3, oldestVersions: true } });
    assert.deepEqual(kept.findings, []);
  });

  const damages: [string, (bytes: Buffer, path: string) => Buffer | undefined, RegExp][] = [
    [
      'changed',
      (bytes) => Buffer.from(String(bytes).replace(/"token":"(.{200})./, '"token":"$1~')),
      /shows nothing/,
    ],
    [
      'with another note',
      (bytes) => Buffer.from(String(bytes).replace(/\\n(\d+)\\n/, '\\n1\\n')),
      /over something else than this text/,
    ],
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 50), /it is cut off/],
    ['empty', () => Buffer.alloc(0), /it is cut off/],
    ['spelled otherwise', (bytes) => Buffer.from(String(bytes).replace(':', ': ')), /shows nothing/],
    ['of other members', () => Buffer.from('{"authority":"tsa"}\n'), /other members/],
    ['a list', () => Buffer.from('[]\n'), /other members/],
    ['nothing', () => Buffer.from('null\n'), /other members/],
    ['huge', (bytes) => Buffer.concat([bytes, Buffer.alloc(300_000, 32)]), /more than 262144 bytes/],
    ['missing', () => undefined, /timestamps\/000 .*missing/],
  ];
  for (const [what, change, words] of damages) {
    test(`one that is ${what} is evidence that fails; the log and the others hold`, async (t) => {
      const log = await smallLog(t, 3);
      const folder = join(temporaryFolder(t), 'public');
      await stampAt(log, chain, Date.now() - 1000);
      await grow(log, 2);
      await stampAt(log, chain, Date.now());
      await publish(log, folder);
      const at = join(folder, 'timestamps/000');
      const bytes = change(readFileSync(at), at);
      chmodSync(at, 0o644);
      // The second stands there still, and so the first is missed: nobody finds an end before it by halving two.
      if (bytes === undefined) rmSync(at);
      else writeFileSync(at, bytes);
      if (bytes === undefined) cpSync(join(folder, 'timestamps/001'), join(folder, 'timestamps/002'));
      const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, threads: 0 };
      const { findings, stamped } = await verifyPublished(urlOf(folder), options);
      if (bytes === undefined) {
        // Without the first nothing is found at all: whoever can delete can take them all.
        assert.deepEqual([findings, stamped], [[], undefined]);
        return;
      }
      assert.deepEqual(
        findings.map(({ code, detail }) => [code, detail?.['about']]),
        [['timestamp_invalid', 'evidence']],
        JSON.stringify(findings),
      );
      assert.match(findings[0]!.message, words);
      assert.equal(stamped?.agree, 1);
    });
  }

  test('one that is gone from among others is missed', async (t) => {
    const log = await smallLog(t, 1);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 12; n += 1) await stampAt(log, chain, begun + n);
    assert.equal((await publish(log, folder)).timestamps, 12);
    rmSync(join(folder, 'timestamps/005'));
    const { findings, stamped } = await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 });
    assert.deepEqual(
      findings.map(({ code, detail }) => [code, detail?.['path']]),
      [['timestamp_invalid', 'timestamps/005']],
    );
    assert.equal(stamped?.agree, 11);
  });

  const strange: [string, string, (at: string, file: string) => void][] = [
    ['a link', 'a symbolic link', (at, file) => symlinkSync(file, at)],
    ['a folder', 'a folder', (at) => mkdirSync(at)],
    ['a pipe', 'a pipe', (at) => void spawnSync('mkfifo', [at])],
  ];
  for (const [what, kind, put] of strange) {
    test(`${what} in the place of one is found, not followed, and stands in nobody’s way`, async (t) => {
      const log = await smallLog(t, 1);
      const folder = join(temporaryFolder(t), 'public');
      const begun = Date.now() - 60_000;
      await stampAt(log, chain, begun);
      await stampAt(log, chain, begun + 1);
      await publish(log, folder);
      const at = join(folder, 'timestamps/001');
      renameSync(at, join(folder, 'the-file-itself'));
      put(at, join(folder, 'the-file-itself'));
      const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, threads: 0 };
      const { findings, stamped } = await verifyPublished(urlOf(folder), options);
      assert.deepEqual(
        findings.map(({ code, detail }) => [code, detail?.['path'], detail?.['kind'] ?? kind]),
        [['not_a_file', 'timestamps/001', kind]],
      );
      assert.match(findings[0]!.message, new RegExp(kind));
      assert.equal(stamped?.agree, 1);
      await stampAt(log, chain, begun + 2);
      assert.equal((await publish(log, folder)).timestamps, 1);
      assert.ok(existsSync(join(folder, 'timestamps/002')));
    });
  }

  test('of more than are judged, the newest are', async (t) => {
    const log = await smallLog(t, 1);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 20; n += 1) await stampAt(log, chain, begun + n);
    await publish(log, folder);
    // Numbers go on as tiles do.
    mkdirSync(join(folder, 'timestamps/x001'));
    const bytes = readFileSync(join(folder, 'timestamps/000'));
    const at = (n: number): string => {
      const digits = `${n % 1000}`.padStart(3, '0');
      return join(folder, 'timestamps', n < 1000 ? digits : `x001/${digits}`);
    };
    for (let n = 20; n < 1100; n += 1) writeFileSync(at(n), bytes);
    writeFileSync(at(1090), 'nothing');
    chmodSync(at(3), 0o644);
    writeFileSync(at(3), 'nothing');
    const { findings, stamped } = await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 });
    assert.deepEqual(
      findings.map(({ detail }) => detail?.['path']),
      ['timestamps/x001/090'],
    );
    assert.equal(stamped?.given, 499);
    await stampAt(log, chain, begun + 100);
    await publish(log, folder);
    assert.match(readFileSync(at(1100), 'utf8'), /"token"/);
  });

  test('a rewritten log contradicts what was published of its time-stamps, whatever is beside it', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await stampAt(log, chain, Date.now());
    await publish(log, folder);
    await log.close();
    const db = new DatabaseSync(join(log.dir, 'log.db'));
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
    db.exec(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'user.signed_in', 'user.signed_on') AS BLOB) WHERE idx = 2",
    );
    rebuildTree(db, origin, parseSignerKey(readFileSync(join(log.dir, 'log.key'), 'utf8').trim()));
    for (const { sql } of triggers) db.exec(String(sql));
    db.close();
    rmSync(`${log.dir}.mark`, { force: true });
    rmSync(join(log.dir, 'anchors.db'));
    await using rewritten = await openLog(log.dir, { thread: 'caller', readOnly: true });
    const other = join(temporaryFolder(t), 'other');
    await publish(rewritten, other);
    const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, threads: 0 };
    assert.deepEqual((await verifyPublished(urlOf(other), options)).findings, [], 'nobody else has seen it');
    // The stamps are locked where they were: only the rest can be exchanged.
    cpSync(join(folder, 'timestamps'), join(other, 'timestamps'), { recursive: true });
    const { findings } = await verifyPublished(urlOf(other), options);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['forked'],
    );
    assert.match(findings[0]!.message, /tsa time-stamped/);
    // A smaller one than what was stamped.
    const smaller = join(temporaryFolder(t), 'smaller');
    const short = await smallLog(t, 1);
    await publish(short, smaller);
    cpSync(join(folder, 'timestamps'), join(smaller, 'timestamps'), { recursive: true });
    const foreign = await verifyPublished(urlOf(smaller), { ...options, vkey: short.vkey });
    assert.deepEqual(
      foreign.findings.map(({ detail }) => detail?.['about']),
      ['evidence'],
    );
  });

  test('a log that is smaller than what was stamped was rolled back', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await publish(log, folder);
    const before = copyOf(t, folder);
    await grow(log, 3);
    await stampAt(log, chain, Date.now());
    await publish(log, folder);
    cpSync(join(folder, 'timestamps'), join(before, 'timestamps'), { recursive: true });
    const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, threads: 0 };
    const { findings } = await verifyPublished(urlOf(before), options);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['rolled_back'],
    );
  });

  test('a clock that was set back, and one that was set ahead, contradict the stamps', async (t) => {
    const log = await smallLog(t, 2);
    const folder = join(temporaryFolder(t), 'public');
    // By the authority it is an hour later, and then the log goes on as if nothing were.
    await stampAt(log, chain, Date.now() + HOUR_MS);
    await grow(log, 1);
    await publish(log, folder);
    const options = { vkey: log.vkey, tsaCertificates: chain.root.pem, threads: 0 };
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * HOUR_MS });
    const { findings } = await verifyPublished(urlOf(folder), options);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['time_contradicted'],
    );
    assert.match(findings[0]!.message, /when it was not there yet/);
    assert.deepEqual((await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 })).findings, []);

    const ahead = await smallLog(t, 2);
    await stampAt(ahead, chain, Date.now() - 24 * HOUR_MS);
    const other = join(temporaryFolder(t), 'other');
    await publish(ahead, other);
    const report = await verifyPublished(urlOf(other), { ...options, vkey: ahead.vkey });
    assert.deepEqual(
      report.findings.map(({ code, message }) => [code, /covers it/.test(message)]),
      [['time_contradicted', true]],
    );
  });

  test('two publishers, each with stamps of its own, take numbers from each other and lose none', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const copy = join(temporaryFolder(t), 'log');
    await log.backup(copy);
    await using other = await openLog(copy, { thread: 'caller', readOnly: true });
    await publish(log, folder);
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 6; n += 1) {
      await stampAt(log, chain, begun + n, { authority: 'one' });
      await stampAt(other, chain, begun + n, { authority: 'two' });
    }
    await Promise.all([publish(log, folder), publish(other, folder)]);
    for (let n = 6; n < 9; n += 1) await stampAt(other, chain, begun + n, { authority: 'two' });
    await Promise.all([publish(other, folder), publish(log, folder), publish(other, folder)]);
    const told = stampFiles(folder).map((path) => readFileSync(join(folder, path), 'utf8'));
    const tokens = told.map((text) => JSON.parse(text).token);
    assert.deepEqual([told.length, new Set(tokens).size], [15, 15]);
    const report = await verifyPublished(urlOf(folder), {
      vkey: log.vkey,
      threads: 0,
      tsaCertificates: chain.root.pem,
    });
    assert.deepEqual([report.findings, report.stamped?.agree], [[], 15]);
  });

  test('killed while it publishes them, a process is followed by one that goes on', async (t) => {
    const log = await smallLog(t, 3);
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 150; n += 1) await stampAt(log, chain, begun + n);
    for (const at of ['timestamps/000', 'timestamps/020', 'timestamps/090']) {
      const folder = join(temporaryFolder(t), 'public');
      const child = fork(join(import.meta.dirname, 'publishing-child.ts'), [log.dir, urlOf(folder)], {
        silent: true,
      });
      const ended = once(child, 'exit');
      await until(at, () => existsSync(join(folder, at)) || child.exitCode !== null);
      child.kill('SIGKILL');
      await ended;
      const before = stampFiles(folder).length;
      const { timestamps } = await publish(log, folder);
      assert.ok(before + timestamps === 150, `${before} and ${timestamps}`);
      const told = stampFiles(folder).map((path) => readFileSync(join(folder, path), 'utf8'));
      assert.equal(new Set(told).size, 150);
      const report = await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0 });
      assert.deepEqual([report.findings, report.stamped?.agree], [[], 150]);
    }
  });

  test('without anchors.db, or where the place was emptied, what is there decides', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    const path = join(log.dir, 'anchors.db');
    for (let n = 0; n < 20; n += 1) await stampAt(log, chain, begun + n);
    await publish(log, folder);
    const files = filesOf(folder);
    // Nobody remembers what was published: it is read, and not written again.
    const db = new DatabaseSync(path);
    db.exec('DELETE FROM timestamps_published');
    db.close();
    assert.deepEqual([(await publish(log, folder)).timestamps, filesOf(folder)], [0, files]);
    // They are lost, and others come under the next numbers.
    rmSync(path);
    await stampAt(log, chain, begun + 30);
    assert.equal((await publish(log, folder)).timestamps, 1);
    assert.equal(stampFiles(folder).at(-1), 'timestamps/020');
    for (const [name, digest] of files) assert.equal(filesOf(folder).get(name), digest, name);
    // Somebody has emptied the place: everything that is known is published again.
    rmSync(folder, { recursive: true });
    assert.equal((await publish(log, folder)).timestamps, 1);
    assert.deepEqual(stampFiles(folder), ['timestamps/000']);
    rmSync(join(folder, 'timestamps'), { recursive: true });
    await stampAt(log, chain, begun + 31);
    assert.equal((await publish(log, folder)).timestamps, 2);
  });

  test('what is no time-stamp of this log keeps it from nothing, and is not published', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const { note, size } = await log.checkpoint();
    const at = Date.now();
    const noise = { authority: 'tsa', size, note: Buffer.from(note), token: Buffer.from('none'), at };
    keep(log, noise);
    keep(log, { ...noise, size: 0, note: Buffer.from('none') });
    keep(log, { ...noise, size: 900, note: Buffer.from([255, 254]) });
    keep(log, { ...noise, size: 1, authority: '\u202e../x' });
    keep(log, { ...noise, size: 2, token: Buffer.alloc(0) });
    const foreign = await smallLog(t, 5);
    await stampAt(foreign, chain, at);
    const anchors = AnchorStore.open(join(foreign.dir, 'anchors.db'));
    keep(log, { ...anchors.timestampsFrom(0)[0]!, authority: 'foreign' });
    anchors.close();
    await stampAt(log, chain, at, { authority: 'ours' });
    const { timestamps } = await publish(log, folder);
    assert.deepEqual([timestamps, stampFiles(folder)], [1, ['timestamps/000']]);
    assert.match(readFileSync(join(folder, 'timestamps/000'), 'utf8'), /"authority":"ours"/);
    // Nor does a file that is none.
    writeFileSync(join(log.dir, 'anchors.db'), 'no database at all, and long enough to be taken for one');
    for (const ending of ['-wal', '-shm']) rmSync(join(log.dir, `anchors.db${ending}`), { force: true });
    await grow(log, 1);
    assert.equal((await publish(log, folder)).added, 1);
  });

  test('none is ahead of the checkpoint that is published: it waits for its own', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const { dir, vkey } = log;
    await stampAt(log, chain, Date.now() - 1000);
    await log.close();
    // What is published is what a witness was shown last.
    const seed = cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1));
    const witness = parseCosignerKey(seed).key.text;
    writeFileSync(join(dir, 'policy'), `log ${vkey}\nwitness w ${witness}\nquorum w\n`);
    await using again = await openLog(dir, { thread: 'caller', heartbeatMs: 0 });
    const show = async (): Promise<void> => {
      const { size, note } = await again.checkpoint();
      const anchors = AnchorStore.open(join(dir, 'anchors.db'));
      anchors.putPublished({ size, note: Buffer.from(note), at: 0 });
      anchors.close();
    };
    await show();
    await grow(again, 3);
    await stampAt(again, chain, Date.now());
    const first = await publish(again, folder);
    assert.ok(first.size < (await again.checkpoint()).size);
    assert.deepEqual([first.timestamps, stampFiles(folder)], [1, ['timestamps/000']]);
    assert.deepEqual((await verifyPublished(urlOf(folder), { vkey, threads: 0 })).findings, []);
    await show();
    const second = await publish(again, folder);
    assert.deepEqual([second.size, second.timestamps], [(await again.checkpoint()).size, 1]);
  });

  test('a follower publishes what is stamped although nothing is recorded, also when it starts anew', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const options = { to: urlOf(folder), everyMs: 0, disclosures: false };
    log.followers.add(publishTiles(log, options));
    await until('it is published', () => existsSync(join(folder, 'checkpoint')));
    await stampAt(log, chain, Date.now() - HOUR_MS);
    await until('the first', () => existsSync(join(folder, 'timestamps/000')));
    await log.close();
    {
      await using reader = await openLog(log.dir, { readOnly: true, thread: 'caller' });
      await stampAt(reader, chain, Date.now());
    }
    await using again = await openLog(log.dir, { thread: 'caller', heartbeatMs: 0 });
    const told: number[] = [];
    again.followers.add(publishTiles(again, { ...options, onPublished: (one) => told.push(one.timestamps) }));
    await until('the second', () => existsSync(join(folder, 'timestamps/001')));
    await until('it is told', () => told.length > 0);
    assert.deepEqual(told, [1]);
    assert.equal(again.followers.list()[0]?.state, 'following');
  });

  test('a restored log has them again, and those of another history not', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 3; n += 1) await stampAt(log, chain, begun + n);
    await grow(log, 3);
    await stampAt(log, chain, begun + 4);
    await publish(log, folder);
    const stranger = await smallLog(t, 2);
    await stampAt(stranger, chain, begun);
    const elsewhere = join(temporaryFolder(t), 'elsewhere');
    await publish(stranger, elsewhere);
    cpSync(join(elsewhere, 'timestamps/000'), join(folder, 'timestamps/004'));
    writeFileSync(join(folder, 'timestamps/005'), 'nothing');
    // What the log's own key has signed of another history.
    const signer = parseSignerKey(readFileSync(join(log.dir, 'log.key'), 'utf8').trim());
    const note = signNote(formatCheckpoint({ origin, size: 2, root: new Uint8Array(32) }), [signer]);
    const [text] = Buffer.from(note).toString().split('\n\n');
    const token = forgeToken({ text: Buffer.from(`${text}\n`), signer: chain.tsa });
    writeFileSync(join(folder, 'timestamps/006'), formatStampFile({ authority: 'tsa', note, token })!);
    const to = join(temporaryFolder(t), 'restored');
    const restored = await restoreLog({ from: urlOf(folder), to, vkey: log.vkey });
    assert.equal(restored.timestamps, 4);
    const report = await verifyLog(to, {
      vkey: log.vkey,
      threads: 0,
      depth: 'tree',
      tsaCertificates: chain.root.pem,
    });
    assert.deepEqual([report.findings, report.stamped?.newest[0]?.size], [[], restored.size]);
    // Published from there to where they came from, each is there already.
    await using again = await openLog(to, { readOnly: true, thread: 'caller' });
    assert.equal((await publish(again, folder)).timestamps, 0);
  });

  test('an erasure leaves them as they are, and they it', async (t) => {
    const log = await smallLog(t, 10);
    const folder = join(temporaryFolder(t), 'public');
    await stampAt(log, chain, Date.now());
    await publishLog(log, { to: urlOf(folder) });
    const before = filesOf(folder).get('timestamps/000');
    await log.erase({ subject: 'user/u_1', basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] });
    await stampAt(log, chain, Date.now());
    await publishLog(log, { to: urlOf(folder) });
    assert.equal(filesOf(folder).get('timestamps/000'), before);
    const subjectKeys = join(log.dir, 'subject-keys.db');
    const options = { vkey: log.vkey, threads: 0, subjectKeys, tsaCertificates: chain.root.pem };
    const report = await verifyPublished(urlOf(folder), options);
    assert.deepEqual([report.findings, report.stamped?.agree], [[], 2]);
    assert.ok(report.counts.erased > 0);
  });

  test('over HTTPS: as a file; hosts that have none, forbid them, or answer whatever is asked', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await publish(log, folder);
    let asked = 0;
    const host = (missing: () => Response) => async (input: string | URL | Request) => {
      const at = join(folder, new URL(String(input)).pathname);
      asked += 1;
      return existsSync(at) && statSync(at).isFile() ? new Response(readFileSync(at)) : missing();
    };
    const verify = (missing: () => Response) =>
      verifyPublished('https://static.example', {
        ...{ vkey: log.vkey, threads: 0, tsaCertificates: chain.root.pem },
        fetch: host(missing),
      });
    for (const status of [404, 403, 410]) {
      assert.deepEqual((await verify(() => new Response('', { status }))).findings, [], `${status}`);
    }
    asked = 0;
    const { findings } = await verify(() => new Response('<!doctype html>'));
    assert.deepEqual(
      findings.map(({ code, detail }) => [code, detail?.['about']]),
      [['timestamp_invalid', 'evidence']],
    );
    assert.ok(asked < 100, `${asked} questions`);
    await stampAt(log, chain, Date.now());
    await publish(log, folder);
    const report = await verify(() => new Response('', { status: 404 }));
    assert.deepEqual([report.findings, report.stamped?.agree], [[], 1]);
  });

  test('a log without any costs one question of a verifier', async (t) => {
    const log = await smallLog(t, 3);
    const double = await S3Double.start(t);
    const s3 = { client: double.client(t) };
    await publishLog(log, { to: s3Place, s3, disclosures: false });
    double.requests.length = 0;
    await verifyPublished(s3Place, { vkey: log.vkey, s3, threads: 0 });
    assert.equal(double.requests.filter(({ key }) => key.includes('/timestamps/')).length, 1);
  });
});

describe('the numbers of time-stamps', () => {
  const stamp = (size: number, authority: string, token: string) => ({
    ...{ size, authority, at: 0 },
    token: Buffer.from(token),
    note: Buffer.from('note'),
  });
  const told = (anchors: AnchorStore): string[] =>
    anchors.numberedTimestamps(0, 100).map(({ number, token }) => `${number} ${Buffer.from(token)}`);

  test('stay with their tokens: in the order in which they came, whatever replaces them', async (t) => {
    const path = join(temporaryFolder(t), 'anchors.db');
    const anchors = AnchorStore.open(path);
    anchors.putTimestamp(stamp(9, 'a', 'one'));
    anchors.putTimestamp(stamp(5, 'b', 'two'));
    anchors.putTimestamp(stamp(9, 'a', 'three'));
    anchors.putTimestamp(stamp(9, 'a', 'three'));
    anchors.putTimestamp(stamp(9, 'a', 'four'));
    anchors.putTimestamp(stamp(1, 'a', 'five'));
    const all = ['0 one', '1 two', '2 three', '3 four', '4 five'];
    assert.deepEqual(told(anchors), all);
    assert.equal(anchors.timestampNumbers(), 5);
    assert.deepEqual([anchors.firstTimestampBeyond(5), anchors.firstTimestampBeyond(9)], [0, undefined]);
    assert.deepEqual(
      anchors.timestampsFrom(0, 9).map(({ token }) => String(Buffer.from(token))),
      ['five', 'two', 'four'],
    );
    anchors.close();
    const again = AnchorStore.openReadable(path)!;
    assert.deepEqual(told(again), all);
    again.close();
  });

  test('a file of before there were any shows those that it will get', async (t) => {
    const path = join(temporaryFolder(t), 'anchors.db');
    const anchors = AnchorStore.open(path);
    for (const [size, name] of [
      [7, 'c'],
      [3, 'a'],
      [5, 'b'],
    ] as const)
      anchors.putTimestamp(stamp(size, 'x', name));
    anchors.close();
    const db = new DatabaseSync(path);
    db.exec('DROP TABLE timestamp_numbers; DROP TABLE timestamps_published');
    db.close();
    const read = AnchorStore.openReadable(path)!;
    const before = told(read);
    read.close();
    assert.deepEqual(before, ['0 a', '1 b', '2 c']);
    const written = AnchorStore.open(path);
    assert.deepEqual(told(written), before);
    written.putTimestamp(stamp(1, 'x', 'late'));
    assert.deepEqual(told(written), [...before, '3 late']);
    written.close();
  });
});
