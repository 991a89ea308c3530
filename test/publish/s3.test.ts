// A whole log in a bucket: published while three requests in ten fail, verified, attacked past the lock, restored.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, newSignerKey, rotateKey } from 'indelible';
import { erasedEvent } from 'indelible/event';
import { parseSignerKey } from 'indelible/note';
import { openPublished, publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { SubjectKeys } from 'indelible/store';
import { temporaryFolder } from '../support/folders.ts';
import { type Fault, S3Double } from '../support/s3-double.ts';
import { grow, smallLog, urlOf } from './world.ts';

const place = 's3://archive/logs/audit';

test('T14: three requests in ten fail, and what is published is whole, once, and locked', async (t) => {
  const double = await S3Double.start(t);
  const log = await smallLog(t, 700);
  const faults: readonly Fault[] = [
    'slow-down',
    'error-after',
    'lost-after',
    'truncated',
    'wrong-etag',
    'error-before',
  ];
  let state = 11;
  double.behaviour.fault = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 10 < 3 ? faults[state % faults.length] : undefined;
  };
  const s3 = { client: double.client(t), retention: { days: 10 }, timeoutMs: 2_000 };
  for (let step = 0; step < 2; step += 1) {
    await publishLog(log, { to: place, s3 });
    const report = await verifyPublished(place, {
      vkey: log.vkey,
      s3,
      subjectKeys: join(log.dir, 'subject-keys.db'),
      threads: 0,
    });
    assert.deepEqual(
      [report.ok, report.size],
      [true, (await log.checkpoint()).size],
      JSON.stringify(report.findings),
    );
    await grow(log, 20);
  }
  for (const [key, versions] of double.objects) {
    if (key.includes('/probe/')) continue;
    assert.ok(key.endsWith('/checkpoint') || versions.length === 1, key);
    for (const { mode, until } of versions)
      assert.ok(mode === 'COMPLIANCE' && until! > Date.now() + 9 * 86_400_000, key);
  }
});

test('attack-45: written over, hidden, rolled back in the bucket: found, and restored from what the lock kept', async (t) => {
  const double = await S3Double.start(t);
  const log = await smallLog(t, 300);
  const s3 = { client: double.client(t), retention: { days: 10 } };
  await publishLog(log, { to: place, s3, disclosures: false });
  const older = double.newest('logs/audit/checkpoint')!.bytes!;
  await grow(log, 300);
  await publishLog(log, { to: place, s3, disclosures: false });
  const { size, note } = await log.checkpoint();

  double.overwrite(
    'logs/audit/tile/entries/000',
    Buffer.from(double.newest('logs/audit/tile/entries/000')!.bytes!).fill(1),
  );
  double.overwrite('logs/audit/tile/0/001', undefined);
  double.overwrite('logs/audit/checkpoint', older);
  const verify = (more: object) =>
    verifyPublished(place, { vkey: log.vkey, threads: 0, held: [note], s3, ...more });
  const { findings } = await verify({});
  const codes = new Set(findings.map(({ code }) => code));
  for (const code of ['bundle_malformed', 'tile_mismatch', 'rolled_back'] as const)
    assert.ok(codes.has(code), code);

  const oldest = { ...s3, oldestVersions: true };
  const honest = await verify({ s3: oldest });
  assert.deepEqual([honest.ok, honest.size], [true, size], JSON.stringify(honest.findings));
  const to = join(temporaryFolder(t), 'restored');
  assert.equal((await restoreLog({ from: place, to, vkey: log.vkey, s3: oldest })).size, size);
  await using reader = await openPublished(place, log.vkey, { s3: oldest });
  assert.equal((await reader.get(5)).index, 5);
});

/** What whoever may write to the bucket puts there in place of a checkpoint. */
function forgeries(honest: Buffer): Buffer[] {
  const text = honest.toString();
  return [
    // Another root, the same size; more than anybody has; signed by nobody that anybody knows; no note at all.
    text.replace(/\n[A-Za-z0-9+/]{43}=\n/, `\n${'A'.repeat(43)}=\n`),
    text.replace(/\n[0-9]+\n/, '\n9007199254740991\n'),
    `${text.replace(/\n[0-9]+\n/, '\n9007199254740991\n').split('\n\n')[0]}\n\n— somebody.else/x AAAAAAAAAAAAAAAAAAAAAAAA\n`,
    'not a note',
  ].map((forged) => Buffer.from(forged));
}

test('attack-45: checkpoints that nobody signed, or that were not published there, do not keep the oldest versions from being read', async (t) => {
  const double = await S3Double.start(t);
  const dir = join(temporaryFolder(t), 'log');
  const root = parseSignerKey(newSignerKey('log.example/published/root'));
  const log = await createLog(dir, {
    origin: 'log.example/published',
    rootVkey: root.vkey,
    thread: 'caller',
    heartbeatMs: 0,
  });
  t.after(() => log.close());
  const s3 = { client: double.client(t), retention: { days: 10 } };
  const oldest = { ...s3, oldestVersions: true };
  const mustRead = async (vkey: string | undefined, size: number) => {
    const pin = vkey === undefined ? {} : { vkey };
    const to = join(temporaryFolder(t), 'restored');
    assert.equal((await restoreLog({ from: place, to, ...pin, s3: oldest })).size, size);
    const report = await verifyPublished(place, { ...pin, threads: 0, s3: oldest });
    assert.deepEqual([report.ok, report.size], [true, size], JSON.stringify(report.findings));
    if (vkey === undefined) return;
    await using reader = await openPublished(place, vkey, { s3: oldest });
    assert.equal((await reader.checkpoint()).size, size);
  };
  const attack = async (vkeys: readonly (string | undefined)[]) => {
    const { size } = await publishLog(log, { to: place, s3, disclosures: false });
    const honest = double.newest('logs/audit/checkpoint')!.bytes!;
    for (const forged of forgeries(honest)) double.overwrite('logs/audit/checkpoint', forged);
    await mustRead(vkeys[0], size);
    // The log has signed it, and published none of what it covers; with lines that nobody knows it is another note each time.
    await grow(log, 1);
    const { note } = await log.checkpoint();
    for (let at = 0; at < 20; at += 1) {
      const more = `— somebody.else/${at} AAAAAAAAAAAAAAAAAAAAAAAA\n`;
      double.overwrite('logs/audit/checkpoint', Buffer.from(note + more));
    }
    for (const vkey of vkeys) await mustRead(vkey, size);
    const newest = { from: place, to: join(temporaryFolder(t), 'x'), vkey: log.vkey, s3 };
    // The newest, which covers what is not there: what refuses it depends on whether its signer is known.
    await assert.rejects(restoreLog(newest), ({ name }: Error) =>
      /^(LogError|VerificationError)$/.test(name),
    );
    // The publisher goes on from what it has put there itself.
    double.overwrite('logs/audit/checkpoint', honest);
  };
  await grow(log, 7);
  await attack([log.vkey, undefined]);
  const vkey = log.vkey;
  const { history } = await rotateKey(dir, root);
  await grow(log, 300);
  await attack([vkey, root.vkey, history.vkey, undefined]);
});

test('attack-45: another bucket in its place, an older one, one that a rule of its lifecycle has emptied: each is found', async (t) => {
  const s3Of = async () => {
    const double = await S3Double.start(t);
    return { double, s3: { client: double.client(t), retention: { days: 10 } } };
  };
  const log = await smallLog(t, 300);
  const [mine, older, theirs] = [await s3Of(), await s3Of(), await s3Of()];
  await publishLog(log, { to: place, s3: older.s3, disclosures: false });
  await grow(log, 300);
  await publishLog(log, { to: place, s3: mine.s3, disclosures: false });
  const other = await smallLog(t, 700);
  await publishLog(other, { to: place, s3: theirs.s3, disclosures: false });
  const { note } = await log.checkpoint();
  const verify = (s3: object, more = {}) =>
    verifyPublished(place, { vkey: log.vkey, threads: 0, held: [note], s3, ...more });
  assert.equal((await verify(mine.s3)).ok, true, 'the control');
  // Swapped: a whole and honest archive of a log of the same name under another key.
  const swapped = await verify(theirs.s3).then(
    ({ ok }) => ok,
    (error: { name: string }) => error.name,
  );
  assert.ok(swapped === false || swapped === 'VerificationError', String(swapped));
  await assert.rejects(
    restoreLog({ from: place, to: join(temporaryFolder(t), 'x'), vkey: log.vkey, s3: theirs.s3 }),
    { name: 'VerificationError' },
  );
  // An older copy is consistent in itself; whoever holds a later checkpoint finds it out.
  assert.equal((await verify(older.s3, { held: [] })).ok, true);
  const { ok, findings } = await verify(older.s3);
  assert.deepEqual([ok, findings.map(({ code }) => code)], [false, ['rolled_back']]);
  // Locks run out. What a lifecycle then removes for good is missing, and told where.
  for (const key of ['logs/audit/tile/entries/000', 'logs/audit/tile/0/000']) mine.double.objects.delete(key);
  const emptied = await verify(mine.s3);
  assert.equal(emptied.ok, false);
  assert.ok(emptied.findings.some(({ code, from, to }) => code === 'index_gap' && from === 0 && to === 255));
  await assert.rejects(
    restoreLog({ from: place, to: join(temporaryFolder(t), 'y'), vkey: log.vkey, s3: mine.s3 }),
    { name: 'VerificationError' },
  );
});

test('an erasure reaches the archive: its values are noise, its record excuses them, and later values have a new key', async (t) => {
  const log = await smallLog(t, 200);
  const folder = join(temporaryFolder(t), 'pub');
  const subjectKeys = join(log.dir, 'subject-keys.db');
  await publishLog(log, { to: urlOf(folder) });
  const before = SubjectKeys.reading(subjectKeys);
  const key = Buffer.from(before.find('user/u_1')!);
  before.close();
  const { size: below } = await log.checkpoint();
  await log.recordOwn(erasedEvent({ subject: 'user/u_1', below, reason: 'asked to' }));
  await grow(log, 200);
  await publishLog(log, { to: urlOf(folder) });
  const report = await verifyPublished(urlOf(folder), { vkey: log.vkey, subjectKeys, threads: 0 });
  assert.deepEqual([report.ok, report.counts.missing], [true, 0], JSON.stringify(report.findings));
  assert.ok(report.counts.erased >= 120 && report.counts.present > 800, JSON.stringify(report.counts));
  for (const name of readdirSync(log.dir).filter((file) => file.startsWith('subject-keys'))) {
    assert.ok(!readFileSync(join(log.dir, name)).includes(key), name);
  }
});
