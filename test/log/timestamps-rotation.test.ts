// A log that is time-stamped while its key is replaced and revoked: the stamps hold on both sides, and decide what the old key is
// believed for.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createLog, type Log, newSignerKey, openLog, rotateKey, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { parseSignerKey } from 'indelible/note';
import { indelible } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type Chain, type Listening, listen, makeChain, openssl, opensslMissing } from '../support/tsa.ts';

const origin = 'example.com/audit';
const root = parseSignerKey(newSignerKey(`${origin}/root`));
const MINUTE_MS = 60_000;

describe('time-stamps of a log whose key changes', { skip: opensslMissing }, () => {
  let folder: string;
  let chain: Chain;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function newLog(t: TestContext): Promise<{ dir: string; log: Log; tsa: Listening }> {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin, rootVkey: root.vkey, thread: 'caller', heartbeatMs: 0 });
    t.after(() => log.close());
    return { dir, log, tsa };
  }

  async function stamp(dir: string, tsa: Listening): Promise<void> {
    const authorities = [{ name: 'tsa', url: tsa.url, certificates: chain.root.pem }];
    const timestamps = { everyMs: 3_600_000, authorities };
    await using reader = await openLog(dir, { readOnly: true, thread: 'caller', timestamps });
    const results = await reader.timestampNow();
    assert.deepEqual(
      results.map((result) => result.ok || result.error),
      [true],
    );
  }

  const stampedSizes = (dir: string): number[] => {
    const store = AnchorStore.openReadable(join(dir, 'anchors.db'))!;
    const sizes = store.timestampsFrom(0, 100).map(({ size }) => size);
    store.close();
    return sizes;
  };

  test('from before and after each change hold, for whoever pinned any key', async (t) => {
    const { dir, log, tsa } = await newLog(t);
    const vkeys = [log.vkey];
    for (let change = 0; change < 3; change += 1) {
      await log.record(signIn(`before-${change}`));
      await stamp(dir, tsa);
      const { history } = await rotateKey(dir, root);
      vkeys.push(history.vkey);
      // The checkpoint over the change itself is signed by the new key alone.
      await stamp(dir, tsa);
    }
    await log.record(signIn('last'));
    const sizes = stampedSizes(dir);
    assert.equal(sizes.length, 6);
    for (const vkey of [...vkeys, root.vkey]) {
      const report = await verifyLog(dir, { vkey, tsaCertificates: chain.root.pem });
      assert.deepEqual(report.findings, [], vkey);
      assert.equal(report.stamped?.agree, 6);
      assert.match(report.anchored, new RegExp(`time-stamped by tsa at \\S+ up to size ${sizes.at(-1)}`));
    }
    const tier = await log.tier();
    assert.deepEqual([tier.contradictions, tier.stamped[0]?.size], [[], sizes.at(-1)]);
    // And for a tool that knows nothing of keys of logs.
    const out = join(dir, '../export');
    for (const size of [sizes[0]!, sizes.at(-1)!]) {
      const ended = indelible(['timestamp', 'export', String(size), '--log', dir, '--to', out]);
      assert.equal(ended.status, 0, ended.stderr);
      const words = ['-in', join(out, `${size}-tsa.tsr`), '-data', join(out, `${size}-tsa.txt`)];
      openssl(['ts', '-verify', ...words, '-CAfile', chain.root.cert]);
    }
  });

  test('the follower stamps on through a change of keys', async (t) => {
    const { dir, log, tsa } = await newLog(t);
    await log.close();
    const authorities = [{ name: 'tsa', url: tsa.url, certificates: chain.root.pem }];
    await using open = await openLog(dir, { thread: 'caller', timestamps: { everyMs: 40, authorities } });
    await rotateKey(dir, root);
    await open.record(signIn('after'));
    const { size } = await open.checkpoint();
    for (let tries = 0; !stampedSizes(dir).includes(size); tries += 1) {
      assert.ok(tries < 500, JSON.stringify(open.followers.list()));
      await new Promise((done) => setTimeout(done, 20));
    }
    const report = await open.verify({ vkey: root.vkey, tsaCertificates: chain.root.pem });
    assert.deepEqual(report.findings, []);
  });

  test('what the old key signed after it was compromised is believed where a stamp from before covers it, and nowhere else', async (t) => {
    const { dir, log, tsa } = await newLog(t);
    // The clock of the log is three minutes ahead: by it, the newest entries came after the theft; by the authority's, before.
    const real = Date.now;
    Date.now = () => real() + 3 * MINUTE_MS;
    let late: Awaited<ReturnType<Log['record']>>;
    let later: typeof late;
    try {
      await log.record(signIn('first'));
      late = await log.record(signIn('stamped'));
      await stamp(dir, tsa);
      later = await log.record(signIn('behind'));
      const since = { time: new Date(real() + MINUTE_MS).toISOString() };
      const { history } = await rotateKey(dir, root, {}, { rotate: false, revoke: { since } });
      assert.ok(history.keys[0]!.compromisedSince!.size <= late.index);
      await log.record(signIn('by-the-new-key'));
    } finally {
      Date.now = real;
    }
    const codes = async (held: typeof late, options: object = {}) => {
      const { findings } = await verifyLog(dir, { vkey: root.vkey, held: [held], ...options });
      return findings.map(({ code }) => code);
    };
    const trusted = { tsaCertificates: chain.root.pem };
    assert.deepEqual(await codes(late, trusted), []);
    assert.deepEqual(await codes(later, trusted), ['key_revoked']);
    // A stamp whose authority nobody trusts says nothing of the time; and none at all says no more.
    assert.ok((await codes(late)).includes('key_revoked'));
    const bare = join(dir, '../bare');
    cpSync(dir, bare, { recursive: true });
    for (const name of ['anchors.db', 'anchors.db-wal', 'anchors.db-shm'])
      rmSync(join(bare, name), { force: true });
    const { findings } = await verifyLog(bare, { vkey: root.vkey, held: [late], ...trusted });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['key_revoked'],
    );
  });

  test('a thief’s own checkpoint is refused, though an authority has stamped it', async (t) => {
    const { dir, log, tsa } = await newLog(t);
    for (let at = 0; at < 3; at += 1) await log.record(signIn(`e-${at}`));
    await log.close();
    const thief = join(dir, '../thief');
    cpSync(dir, thief, { recursive: true });
    await rotateKey(dir, root, {}, { rotate: false, revoke: { since: { index: 4 } } });
    {
      await using open = await openLog(dir, { thread: 'caller', heartbeatMs: 0 });
      for (let at = 0; at < 9; at += 1) await open.record(signIn(`honest-${at}`));
    }
    {
      await using open = await openLog(thief, { thread: 'caller', heartbeatMs: 0 });
      for (let at = 0; at < 5; at += 1) await open.record(signIn(`thief-${at}`));
    }
    await stamp(thief, tsa);
    const report = await verifyLog(dir, {
      vkey: root.vkey,
      anchors: join(thief, 'anchors.db'),
      tsaCertificates: chain.root.pem,
    });
    const codes = report.findings.map(({ code }) => code);
    assert.ok(codes.includes('key_retired') || codes.includes('key_revoked'), codes.join());
    assert.equal(report.stamped?.agree ?? 0, 0);
  });
});
