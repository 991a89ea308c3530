// Reading a published log by its URL alone, restoring it, and what becomes of sealed values in an archive.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createLog, type Log, newSignerKey, openLog, rotateKey, verifyLog } from 'indelible';
import { parseSignerKey } from 'indelible/note';
import { openPublished, publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { SubjectKeys } from 'indelible/store';
import { verifyProof } from 'indelible/verify';
import { indelible, program } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { serveFolder } from './forged-world.ts';
import { copyOf, grow, smallLog, urlOf } from './world.ts';

async function published(t: Parameters<typeof smallLog>[0], events: number) {
  const log = await smallLog(t, events);
  const folder = join(temporaryFolder(t), 'pub');
  await publishLog(log, { to: urlOf(folder) });
  return { log, folder, url: urlOf(folder), keys: join(log.dir, 'subject-keys.db') };
}

function rewrite(path: string, change: (bytes: Buffer) => Buffer): void {
  const bytes = change(readFileSync(path));
  rmSync(path);
  writeFileSync(path, bytes);
}

test('a reader with a URL and a key: entries, proofs, consistency, nothing believed', async (t) => {
  const { log, folder, url } = await published(t, 600);
  await using reader = await openPublished(url, log.vkey);
  const first = await reader.checkpoint();
  assert.equal(first.root, (await log.checkpoint()).root);
  let seen = 0;
  for await (const { index, entry } of reader.entries()) {
    assert.equal(index, seen++);
    if (index % 97 === 0) assert.deepEqual((await reader.get(index)).entry, entry);
  }
  assert.equal(seen, first.size);
  const indexes: number[] = [];
  for await (const { index } of reader.entries({ from: 250, to: 260 })) indexes.push(index);
  assert.deepEqual(indexes, [250, 251, 252, 253, 254, 255, 256, 257, 258, 259]);
  const { proof, entry } = await reader.prove(300);
  const policy = { vkey: log.vkey };
  assert.equal(verifyProof({ proof: Buffer.from(proof), entry, policy }).index, 300);
  for (const index of [first.size, -1, 0.5]) await assert.rejects(reader.get(index), { code: 'not_found' });

  await grow(log, 200);
  await publishLog(log, { to: url });
  assert.equal((await reader.checkpoint()).size, (await log.checkpoint()).size);
  await reader.verifyContinues(first.note);

  const changed = copyOf(t, folder);
  rewrite(join(changed, 'tile/entries/001'), (bytes) => {
    bytes[70]! += 1;
    return bytes;
  });
  await using liar = await openPublished(urlOf(changed), log.vkey);
  await assert.rejects(liar.get(300), (error: { code: string }) =>
    ['inclusion_invalid', 'malformed_entry_bundle'].includes(error.code),
  );
  assert.equal((await liar.get(5)).index, 5);
  rewrite(join(changed, 'tile/0/000'), (bytes) => bytes.fill(1));
  await using other = await openPublished(urlOf(changed), log.vkey);
  await assert.rejects(other.get(5), { code: 'tile_invalid' });
});

test('a reader notices that the log went back, or is another one', async (t) => {
  const { log, folder, url } = await published(t, 20);
  const older = readFileSync(join(folder, 'checkpoint'));
  await grow(log, 20);
  await publishLog(log, { to: url });
  await using reader = await openPublished(url, log.vkey);
  rewrite(join(folder, 'checkpoint'), () => older);
  await assert.rejects(reader.checkpoint(), { code: 'rolled_back' });
  await assert.rejects(openPublished(url, (await smallLog(t, 1)).vkey), { name: 'VerificationError' });
  await assert.rejects(openPublished(urlOf(temporaryFolder(t)), log.vkey), { code: 'log_missing' });

  // The same key, another history: the log of a backup that was written on.
  const copy = join(temporaryFolder(t), 'copy');
  const { log: second, url: secondUrl } = await published(t, 10);
  await second.backup(copy);
  copyFileSync(join(second.dir, 'log.key'), join(copy, 'log.key'));
  await grow(second, 10);
  await publishLog(second, { to: secondUrl });
  await using fork = await openLog(copy, { thread: 'caller', heartbeatMs: 0 });
  await grow(fork, 30);
  const forked = join(temporaryFolder(t), 'forked');
  await publishLog(fork, { to: urlOf(forked) });
  await using judge = await openPublished(urlOf(forked), second.vkey);
  await assert.rejects(judge.verifyContinues((await second.checkpoint()).note), { code: 'forked' });
});

async function mustBeRestored(log: Log, dir: string, disclosures: boolean): Promise<void> {
  const report = await verifyLog(dir, { vkey: log.vkey, threads: 0 });
  assert.equal(report.root, (await log.checkpoint()).root);
  const lost = report.findings.filter(({ code }) => code !== 'disclosure_missing');
  assert.deepEqual(lost, []);
  if (disclosures) assert.equal(report.ok, true, JSON.stringify(report.findings));
}

test('a log is restored from its files: the same root, the same entries, the sealed values with their keys', async (t) => {
  const { log, url, keys } = await published(t, 700);
  const [bare, full] = [join(temporaryFolder(t), 'a/b/bare'), join(temporaryFolder(t), 'full')];
  const without = await restoreLog({ from: url, to: bare, vkey: log.vkey });
  assert.deepEqual([without.disclosures, without.key], [0, 'pinned']);
  await mustBeRestored(log, bare, false);
  mkdirSync(full);
  const { root, size, key } = await restoreLog({ from: url, to: full, subjectKeys: keys });
  assert.deepEqual([root, key], [(await log.checkpoint()).root, 'found inside']);
  await mustBeRestored(log, full, true);

  const stored = async (from: Log) => {
    const all = [];
    for await (const { index, entry, disclosures } of from.entries())
      all.push({ index, entry: Buffer.from(entry), disclosures });
    return all;
  };
  await log.close();
  copyFileSync(join(log.dir, 'log.key'), join(full, 'log.key'));
  await using again = await openLog(full, { thread: 'caller', heartbeatMs: 0, warn: () => {} });
  await using original = await openLog(log.dir, { thread: 'caller', readOnly: true });
  assert.deepEqual(await stored(again), await stored(original));
  await grow(again, 3);
  assert.ok((await again.checkpoint()).size > size);
  assert.equal((await again.verify({ threads: 0 })).ok, true);
});

test('what is not what its checkpoint signs is not restored, and leaves nothing behind', async (t) => {
  const { log, folder } = await published(t, 300);
  const home = temporaryFolder(t);
  const to = join(home, 'restored');
  const changed = copyOf(t, folder);
  rewrite(join(changed, 'tile/entries/000'), (bytes) =>
    Buffer.from(bytes.toString('latin1').replace('signed_in', 'signed_if'), 'latin1'),
  );
  await assert.rejects(restoreLog({ from: urlOf(changed), to, vkey: log.vkey }), { code: 'tile_invalid' });
  rmSync(join(changed, 'tile/entries/000'));
  await assert.rejects(restoreLog({ from: urlOf(changed), to, vkey: log.vkey }), {
    code: 'malformed_entry_bundle',
  });
  await assert.rejects(restoreLog({ from: urlOf(folder), to, vkey: (await smallLog(t, 1)).vkey }), {
    name: 'VerificationError',
  });
  assert.deepEqual(readdirSync(home), []);
  mkdirSync(to);
  writeFileSync(join(to, 'x'), 'x');
  await assert.rejects(restoreLog({ from: urlOf(folder), to }), { code: 'log_exists' });
  await assert.rejects(restoreLog({ from: urlOf(folder), to, key: 'x' } as never), {
    code: 'option_unknown',
  });
});

test('sealed values in the archive: judged with their keys, and noise without', async (t) => {
  const { log, folder, url, keys } = await published(t, 300);
  const judged = await verifyPublished(url, { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  assert.deepEqual([judged.ok, judged.counts.missing], [true, 0], JSON.stringify(judged.findings));
  assert.ok(judged.counts.present > 600);
  const onThreads = await verifyPublished(url, { vkey: log.vkey, subjectKeys: keys, threads: 2 });
  assert.deepEqual(onThreads, judged);
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (path.startsWith('disclosures/')) {
      const at = join(folder, path);
      if (existsSync(at) && /[0-9]$/.test(path) && !path.endsWith('.p'))
        assert.ok(!readFileSync(at).includes('Name of u_1'), path);
    }
  }
  const copy = copyOf(t, folder);
  rmSync(join(copy, 'disclosures/000'));
  const missing = await verifyPublished(urlOf(copy), { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  assert.ok(missing.findings.some(({ code, from }) => code === 'disclosure_missing' && from < 256));
  rewrite(join(copy, `disclosures/001.p/${readdirSync(join(copy, 'disclosures/001.p'))[0]}`), (bytes) => {
    bytes[bytes.length - 1]! += 1;
    return bytes;
  });
  const changed = await verifyPublished(urlOf(copy), { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  assert.ok(changed.findings.some(({ code, from }) => code === 'disclosure_missing' && from >= 256));
});

test('destroying the keys of a subject erases its values in the archive, those of several included', async (t) => {
  const { log, url, keys } = await published(t, 300);
  const own = SubjectKeys.open(keys, () => assert.fail('no key is made'));
  const key = Buffer.from(own.find('user/u_1')!);
  own.destroy(['user/u_1'], 200);
  own.destroy(['user/u_1'], 200);
  assert.equal(own.find('user/u_1'), undefined);
  assert.equal(own.keysFor([{ subject: 'user/u_1', index: 199 }])('user/u_1', 199), undefined);
  for (const name of readdirSync(log.dir).filter((file) => file.startsWith('subject-keys'))) {
    assert.ok(!readFileSync(join(log.dir, name)).includes(key), name);
  }
  own.close();
  const { findings } = await verifyPublished(url, { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  const subjects = new Set(findings.map(({ detail }) => String(detail?.['subjects'])));
  assert.deepEqual(subjects, new Set(['user/u_1']), 'nothing records this erasure, so it is missing');

  // What comes later gets a new key; what came before never does, not even in a new archive.
  await grow(log, 300);
  const fresh = join(temporaryFolder(t), 'fresh');
  await publishLog(log, { to: urlOf(fresh) });
  const report = await verifyPublished(urlOf(fresh), { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  assert.ok(
    report.findings.every(({ to }) => to < 200),
    JSON.stringify(report.findings),
  );
  const again = SubjectKeys.reading(keys);
  assert.notDeepEqual(Buffer.from(again.find('user/u_1')!), key);
  again.close();
});

test('without disclosures, nothing of them is published and no key is made', async (t) => {
  const log = await smallLog(t, 20);
  const folder = join(temporaryFolder(t), 'pub');
  await publishLog(log, { to: urlOf(folder), disclosures: false });
  assert.ok(!existsSync(join(folder, 'disclosures')) && !existsSync(join(log.dir, 'subject-keys.db')));
});

test('a pipe in the place of a file is a finding, and nobody waits for it', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { log, folder, url } = await published(t, 300);
  const bundle = join(folder, 'tile/entries/000');
  rmSync(bundle);
  execFileSync('mkfifo', [bundle]);
  for (const threads of [0, 1]) {
    const { findings } = await verifyPublished(url, { vkey: log.vkey, threads });
    assert.ok(findings.some(({ from }) => from === 0));
  }
  await assert.rejects(restoreLog({ from: url, to: join(folder, 'x'), vkey: log.vkey }), {
    name: 'VerificationError',
  });
});

test('a log whose keys changed: published, read, proven, verified and restored by every key that leads to it', async (t) => {
  const dir = join(temporaryFolder(t), 'log');
  const root = parseSignerKey(newSignerKey('log.example/published/root'));
  const options = { thread: 'caller', heartbeatMs: 0 } as const;
  const log = await createLog(dir, { origin: 'log.example/published', rootVkey: root.vkey, ...options });
  t.after(() => log.close());
  const url = urlOf(join(temporaryFolder(t), 'pub'));
  await grow(log, 300);
  await publishLog(log, { to: url });
  await using reader = await openPublished(url, log.vkey);
  const before = (await reader.checkpoint()).note;
  const vkeys = [log.vkey];
  for (const more of [1, 300, 1]) {
    vkeys.push((await rotateKey(dir, root)).history.vkey);
    await grow(log, more);
    const { size } = await publishLog(log, { to: url });
    assert.equal((await reader.checkpoint()).size, size, 'a reader that was there before follows');
  }
  await reader.verifyContinues(before);
  const newest = vkeys.at(-1)!;
  for (const vkey of [...vkeys, root.vkey]) {
    await using fresh = await openPublished(url, vkey);
    const { proof, entry } = await fresh.prove(301);
    const at = { proof: Buffer.from(proof), entry, policy: { vkey: newest } };
    assert.equal(verifyProof(at).index, 301);
    assert.deepEqual((await verifyPublished(url, { vkey, threads: 0 })).findings, []);
    const to = join(temporaryFolder(t), 'restored');
    const { root: restored } = await restoreLog({ from: url, to, vkey });
    assert.equal(restored, (await log.checkpoint()).root);
    assert.equal(readFileSync(join(to, 'log.vkey'), 'utf8'), `${newest}\n`);
  }
  const found = join(temporaryFolder(t), 'found');
  assert.equal((await restoreLog({ from: url, to: found })).key, 'found inside');
  copyFileSync(join(dir, 'log.key'), join(found, 'log.key'));
  await using again = await openLog(found, { ...options, warn: () => {} });
  await grow(again, 1);

  // A log of the same name whose key was never handed over by the one that is known.
  const otherDir = join(temporaryFolder(t), 'log');
  const otherRoot = parseSignerKey(newSignerKey('log.example/published/root'));
  const other = await createLog(otherDir, { origin: log.origin, rootVkey: otherRoot.vkey, ...options });
  t.after(() => other.close());
  await rotateKey(otherDir, otherRoot);
  const otherUrl = urlOf(join(temporaryFolder(t), 'pub'));
  await publishLog(other, { to: otherUrl });
  for (const vkey of [...vkeys, root.vkey]) {
    await assert.rejects(openPublished(otherUrl, vkey), { code: 'signature_unknown' });
    const to = join(temporaryFolder(t), 'restored');
    await assert.rejects(restoreLog({ from: otherUrl, to, vkey }), { code: 'signature_unknown' });
  }
  await assert.rejects(publishLog(other, { to: url }), { code: 'archive_conflict' });
});

test('who reads on after a change of keys looks through what is new alone, unless that does not lead to the key', async (t) => {
  const dir = join(temporaryFolder(t), 'log');
  const root = parseSignerKey(newSignerKey('log.example/published/root'));
  const options = { thread: 'caller', heartbeatMs: 0 } as const;
  await using log = await createLog(dir, {
    origin: 'log.example/published',
    rootVkey: root.vkey,
    ...options,
  });
  const folder = join(temporaryFolder(t), 'pub');
  const to = urlOf(folder);
  let asked: string[] = [];
  const fetch = async (url: string): Promise<Response> => {
    const path = new URL(url).pathname.slice(1);
    asked.push(path);
    const at = join(folder, path);
    return existsSync(at) ? new Response(readFileSync(at)) : new Response(null, { status: 404 });
  };
  const opened = (vkey: string) => openPublished('https://log.example', vkey, { fetch: fetch as never });
  const bundles = () =>
    asked.filter((path) => path.startsWith('tile/entries/')).map((path) => path.slice(13));
  await grow(log, 1_099);
  await publishLog(log, { to });
  await using first = await opened(log.vkey);
  assert.deepEqual(bundles(), [], 'its key signs');
  const second = (await rotateKey(dir, root)).history.vkey;
  await publishLog(log, { to });
  await first.checkpoint();
  assert.deepEqual(bundles(), ['000', '004.p/77'], 'the first entry, and what came since');
  await using other = await opened(second);
  await grow(log, 200);
  await rotateKey(dir, root);
  const { size } = await publishLog(log, { to });
  asked = [];
  assert.equal((await first.checkpoint()).size, size);
  assert.deepEqual(bundles(), ['004', '005.p/22'], 'nothing twice but the bundle that went on');
  // The change before its own key lies behind what was skipped: then everything is looked through.
  asked = [];
  assert.equal((await other.checkpoint()).size, size);
  assert.deepEqual(new Set(bundles()), new Set(['000', '001', '002', '003', '004', '005.p/22']));
});

test('an erasure destroys the keys of the subject by itself, also where its process died before', async (t) => {
  const { log, url, keys } = await published(t, 300);
  const request = { basis: 'gdpr-17', requestId: 'R-17', approvedBy: ['p_1', 'p_2'] };
  const { below } = await log.erase({ subject: 'user/u_1', ...request });
  const has = (subject: string): boolean => {
    const own = SubjectKeys.reading(keys);
    try {
      return own.find(subject) !== undefined;
    } finally {
      own.close();
    }
  };
  assert.deepEqual([has('user/u_1'), has('user/u_2')], [false, true], 'before anything is published again');
  await grow(log, 10);
  await publishLog(log, { to: url });
  assert.equal(has('user/u_1'), true, 'what is recorded later has a key of its own');
  const { findings } = await verifyPublished(url, { vkey: log.vkey, subjectKeys: keys, threads: 0 });
  assert.deepEqual(findings, []);
  const own = SubjectKeys.reading(keys);
  assert.ok(below <= (await log.checkpoint()).size);
  own.close();

  // The entry is there, and the process died before the key was gone.
  const [{ id }] = [await log.erase({ subject: 'user/u_2', ...request })];
  await log.close();
  const fresh = SubjectKeys.open(keys, () => new Uint8Array(32).fill(7));
  fresh.close();
  const db = new DatabaseSync(keys, { timeout: 10_000 });
  db.exec("DELETE FROM destroyed WHERE subject = 'user/u_2'");
  db.prepare("INSERT INTO keys (subject, key) VALUES ('user/u_2', ?)").run(new Uint8Array(32).fill(7));
  db.close();
  writeFileSync(join(log.dir, 'erasing.json'), JSON.stringify({ ids: [id] }), { mode: 0o600 });
  assert.equal(has('user/u_2'), true);
  await using again = await openLog(log.dir, { thread: 'caller', heartbeatMs: 0 });
  assert.equal(has('user/u_2'), false);
  // Keys that lie elsewhere are named.
  await again.close();
  const elsewhere = join(temporaryFolder(t), 'keys.db');
  copyFileSync(keys, elsewhere);
  await using named = await openLog(log.dir, { thread: 'caller', heartbeatMs: 0, subjectKeys: elsewhere });
  await named.erase({ subject: 'user/u_3', ...request });
  const there = SubjectKeys.reading(elsewhere);
  assert.equal(there.find('user/u_3'), undefined);
  there.close();
  assert.equal(has('user/u_3'), true, 'and no others');
});

test('between an erasure and the next publication its values are no longer read, and not missing either', async (t) => {
  const log = await smallLog(t, 20);
  const to = urlOf(join(temporaryFolder(t), 'pub'));
  await publishLog(log, { to });
  const words = { basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] };
  const { values } = await log.erase({ subject: 'user/u_3', ...words });
  const subjectKeys = join(log.dir, 'subject-keys.db');
  const judge = () => verifyPublished(to, { vkey: log.vkey, threads: 0, subjectKeys });
  const before = await judge();
  assert.deepEqual([before.findings, before.counts.missing], [[], 0]);
  assert.deepEqual([before.counts.erased, before.counts.unrecorded], [values, values]);
  const said = indelible(['verify', to, '--vkey', log.vkey, '--subject-keys', subjectKeys]);
  assert.match(
    said.stdout,
    /0 erased with a record of it, [0-9]+ erased by their keys, of which no record is published yet, 0 missing/,
  );
  await publishLog(log, { to });
  const after = await judge();
  assert.deepEqual([after.findings, after.counts.erased, after.counts.unrecorded], [[], values, undefined]);
});

test('restored without keys, a log lacks its sealed values, and the command says so before anybody misses them', async (t) => {
  const { log, url, keys } = await published(t, 3);
  const folder = temporaryFolder(t);
  const restore = (to: string, ...more: string[]) =>
    indelible(['restore', '--from', url, '--to', join(folder, to), '--vkey', log.vkey, ...more]);
  assert.match(
    restore('without').stderr,
    /Sealed values are not restored: .*disclosure_missing.*--subject-keys/,
  );
  assert.doesNotMatch(restore('with', '--subject-keys', keys).stderr, /not restored/);
  const { findings } = await verifyLog(join(folder, 'without'), { vkey: log.vkey });
  assert.deepEqual(new Set(findings.map(({ code }) => code)), new Set(['disclosure_missing']));
});

test('where a tile of level 1 fills up, and beyond: restored byte for byte, and verified', async (t) => {
  const log = await smallLog(t, 0);
  const folder = join(temporaryFolder(t), 'pub');
  const url = urlOf(folder);
  const hashOf = async (entries: AsyncIterable<{ readonly entry: Uint8Array }>): Promise<string> => {
    const hash = createHash('sha256');
    for await (const { entry } of entries) hash.update(entry);
    return hash.digest('hex');
  };
  for (const size of [65_535, 65_793]) {
    const missing = async (): Promise<number> => size - (await log.checkpoint()).size;
    for (let left = await missing(); left > 0; left = await missing()) {
      const made = Array.from({ length: Math.min(left, 2000) }, () => ({
        action: 'user.signed_in',
        actor: { type: 'user', id: 'u_1' },
      }));
      for (const result of await log.recordMany(made)) if (!result.ok) throw result.error;
    }
    await publishLog(log, { to: url });
    const report = await verifyPublished(url, { vkey: log.vkey, threads: 0, depth: 'tree' });
    assert.deepEqual([report.ok, report.size], [true, size]);
    const to = join(temporaryFolder(t), 'restored');
    const restored = await restoreLog({ from: url, to, vkey: log.vkey });
    assert.deepEqual([restored.size, restored.root], [size, (await log.checkpoint()).root]);
    await using copy = await openLog(to, { readOnly: true, thread: 'caller' });
    assert.equal(await hashOf(copy.entries()), await hashOf(log.entries()));
  }

  // Served, it is so large that the changes of its keys are looked for before it is audited.
  const { vkey } = log;
  await rotateKey(log.dir, parseSignerKey(readFileSync(join(log.dir, 'root.key'), 'utf8').trim()));
  await grow(log, 1);
  const { size } = await publishLog(log, { to: url });
  const served = await serveFolder(t, folder);
  const verify = (keySearch: { entries?: number }) =>
    verifyPublished(served.url, { vkey, keySearch, threads: 0, depth: 'tree' });
  const report = await verify({});
  assert.deepEqual([report.ok, report.size], [true, size], JSON.stringify(report.findings));
  const { findings } = await verify({ entries: 4096 });
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['key_unknown'],
  );
});

test('sealed values that do not come back are counted: what no erasure explains is said, and the status is 1', async (t) => {
  const { log, folder, url, keys } = await published(t, 600);
  const words = { basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] };
  const restore = async (from: string) => {
    const to = join(temporaryFolder(t), 'restored');
    const restored = await restoreLog({ from, to, vkey: log.vkey, subjectKeys: keys });
    const { findings, counts } = await verifyLog(to, { vkey: log.vkey, threads: 0, subjectKeys: keys });
    assert.equal(counts.missing, restored.unrestored?.missing);
    assert.equal(counts.present, restored.disclosures);
    return { ...restored, findings };
  };
  const whole = await restore(url);
  assert.deepEqual([whole.unrestored, whole.findings], [{ erased: 0, missing: 0 }, []]);
  assert.equal((await restoreLog({ from: url, to: join(folder, '../bare') })).unrestored, undefined);

  // A bit of one group, a whole file, the beginning of one.
  const flipped = copyOf(t, folder);
  rewrite(join(flipped, 'disclosures/000'), (bytes) => {
    bytes[bytes.length - 1]! ^= 1;
    return bytes;
  });
  const gone = copyOf(t, folder);
  rmSync(join(gone, 'disclosures/001'));
  const cut = copyOf(t, folder);
  rewrite(join(cut, 'disclosures/000'), (bytes) => bytes.subarray(0, 100));
  for (const copy of [flipped, gone, cut]) {
    const { disclosures, unrestored } = await restore(urlOf(copy));
    assert.ok(unrestored!.missing > 0 && disclosures > 0);
    assert.equal(disclosures + unrestored!.missing, whole.disclosures);
    assert.equal(unrestored!.erased, 0);
    assert.ok(unrestored!.example! >= 0);
  }
  const said = (more: readonly string[]) => {
    const to = join(temporaryFolder(t), 'said');
    return indelible(['restore', '--to', to, '--vkey', log.vkey, '--subject-keys', keys, ...more]);
  };
  const loud = said(['--from', urlOf(gone)]);
  assert.equal(loud.status, 1);
  assert.match(loud.stdout, /[0-9,]+ sealed values are missing, and no record says/);
  const json = said(['--from', urlOf(gone), '--json']);
  assert.equal(json.status, 1);
  assert.ok(JSON.parse(json.stdout).unrestored.missing > 0);
  const quiet = said(['--from', url]);
  assert.deepEqual([quiet.status, /missing|erased/.test(quiet.stdout)], [0, false]);

  // The keys are gone at once, the record comes with the next publication: erased, both times.
  const { values } = await log.erase({ subject: 'user/u_1', ...words });
  assert.deepEqual((await restore(url)).unrestored, { erased: values, missing: 0 });
  await publishLog(log, { to: url });
  const after = await restore(url);
  assert.deepEqual([after.unrestored, after.findings], [{ erased: values, missing: 0 }, []]);
  const told = said(['--from', url]);
  assert.equal(told.status, 0);
  assert.match(told.stdout, /sealed values were erased: they are not restored/);
});

test('interrupted while it waits for a file, restoring leaves nothing behind', {
  skip: process.platform === 'win32',
}, async (t) => {
  const { log, folder } = await published(t, 600);
  const held = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const path = join(folder, request.url!);
    if (request.url === '/tile/entries/001') return held.resolve();
    if (!existsSync(path)) return response.writeHead(404).end();
    response.end(readFileSync(path));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const parent = temporaryFolder(t);
  const words = ['restore', '--from', from, '--to', join(parent, 'restored'), '--vkey', log.vkey];
  const child = spawn(process.execPath, [program, ...words], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  await Promise.race([held.promise, ended]);
  assert.equal(readdirSync(parent).length, 1, 'the draft');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  assert.deepEqual(readdirSync(parent), []);

  const signal = AbortSignal.abort(new Error('no longer wanted'));
  const to = join(parent, 'aborted');
  await assert.rejects(restoreLog({ from: urlOf(folder), to, signal }), /no longer wanted/);
  assert.deepEqual(readdirSync(parent), []);
});
