// Time-stamps of a log (RFC 3161): the follower that has checkpoints stamped, and what an audit makes of what was signed.

import assert from 'node:assert/strict';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createLog, type Log, openLog, type TimestampSettings, verifyLog } from 'indelible';
import { AnchorStore, writeTimestampSettings } from 'indelible/anchor';
import { parseSignerKey } from 'indelible/note';
import { rebuildTree } from '#dist/drill/resign.js';
import { drafts, openWriter } from '../faults/support/writing.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import {
  type Chain,
  forgeToken,
  granted,
  type Listening,
  listen,
  makeChain,
  opensslMissing,
  questionParts,
  rejected,
  reply,
} from '../support/tsa.ts';

const origin = 'example.com/audit';

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `this never came true: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

describe('time-stamps of a log', { skip: opensslMissing }, () => {
  let folder: string;
  let chain: Chain;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function settingsFor(tsa: Listening, more: Partial<TimestampSettings> = {}): TimestampSettings {
    return {
      everyMs: 40,
      authorities: [{ name: 'tsa', url: tsa.url, certificates: chain.root.pem }],
      ...more,
    };
  }
  const sizes = (dir: string): number[] => {
    const store = AnchorStore.openReadable(join(dir, 'anchors.db'));
    const found = store?.timestampsFrom(0, 100).map(({ size }) => size) ?? [];
    store?.close();
    return found;
  };
  const statusOf = (log: Log, name = 'timestamp-tsa') =>
    log.followers.list().find((status) => status.name === name);

  /** A log with a few entries, stamped once, closed. */
  async function stampedLog(
    t: TestContext,
    events = 3,
  ): Promise<{ dir: string; vkey: string; tsa: Listening }> {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    await log.recordMany(Array.from({ length: events }, (_, n) => signIn(`e-${n}`)));
    // Once and by hand: who only reads stamps nothing by itself.
    await using reader = await openLog(dir, {
      readOnly: true,
      thread: 'caller',
      timestamps: settingsFor(tsa),
    });
    const results = await reader.timestampNow();
    assert.deepEqual(
      results.map(({ ok }) => ok),
      [true],
    );
    return { dir, vkey: log.vkey, tsa };
  }

  test('one line is all it takes; a checkpoint is stamped where the log grew, and never twice', async (t) => {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller', timestamps: settingsFor(tsa) });
    await until('the first stamp', () => sizes(dir).length > 0);
    await log.record(signIn('a'));
    const { size } = await log.checkpoint();
    await until('the next stamp', () => sizes(dir).includes(size));
    const asked = tsa.questions.length;
    await new Promise((done) => setTimeout(done, 300));
    assert.equal(tsa.questions.length, asked, 'nobody is asked where nothing came');
    await until('its state', () => statusOf(log)?.state === 'following');
    assert.equal(statusOf(log)?.size, size);
    const report = await log.verify({ tsaCertificates: chain.root.pem });
    assert.deepEqual(report.findings, []);
    assert.equal(report.stamped?.agree, sizes(dir).length);
    assert.match(report.anchored, new RegExp(`time-stamped by tsa at \\S+Z up to size ${size}; `));
  });

  test('the file timestamps.json does what the option does, and the option goes before it', async (t) => {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    await (await createLog(dir, { origin, thread: 'caller' })).close();
    writeTimestampSettings(join(dir, 'timestamps.json'), settingsFor(tsa));
    const log = await openLog(dir);
    await until('a stamp', () => sizes(dir).length > 0);
    await log.close();
    const asked = tsa.questions.length;
    await using quiet = await openLog(dir, { thread: 'caller', timestamps: { authorities: [] } });
    await quiet.record(signIn('a'));
    assert.deepEqual(quiet.followers.list(), []);
    assert.deepEqual(await quiet.timestampNow(), []);
    assert.equal(tsa.questions.length, asked);
    await assert.rejects(
      openLog(dir, { thread: 'caller', timestamps: { authorities: [{ name: 'x', url: 'nowhere' }] } }),
      {
        code: 'option_invalid',
      },
    );
  });

  test('settings that cannot be read keep no log from being written; who only reads stamps nothing by itself', async (t) => {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    await (await createLog(dir, { origin, thread: 'caller' })).close();
    writeFileSync(join(dir, 'timestamps.json'), '{');
    const warnings: string[] = [];
    const log = await openLog(dir, { thread: 'caller', warn: (warning) => warnings.push(warning) });
    await log.record(signIn('a'));
    await log.close();
    assert.match(warnings.join('\n'), /the log is not time-stamped: .*timestamps\.json cannot be read/);
    await using reader = await openLog(dir, {
      readOnly: true,
      thread: 'caller',
      timestamps: settingsFor(tsa),
    });
    assert.deepEqual(reader.followers.list(), []);
    assert.equal(tsa.questions.length, 0);
    assert.deepEqual(
      (await reader.timestampNow()).map(({ ok }) => ok),
      [true],
    );
  });

  test('an authority that hangs, fails or lies holds up neither record nor another; it is asked again', async (t) => {
    const [bad, good] = [await listen(t, folder, chain), await listen(t, folder, chain)];
    const dir = join(temporaryFolder(t), 'log');
    const authorities = [
      { name: 'bad', url: bad.url, certificates: chain.root.pem },
      { name: 'good', url: good.url, certificates: chain.root.pem },
    ];
    bad.behave = () => {};
    const warnings: string[] = [];
    await using log = await createLog(dir, {
      origin,
      thread: 'caller',
      timestamps: { everyMs: 20, authorities },
      warn: (warning) => warnings.push(warning),
    });
    await until('it was asked', () => bad.questions.length > 0);
    await log.record(signIn('a'));
    const { size } = await log.checkpoint();
    await until('the other stamped', () => sizes(dir).includes(size));
    assert.equal(statusOf(log, 'timestamp-bad')?.state, 'applying');
    // The one that hung is let go; from now on it fails in other ways.
    const waysToFail: NonNullable<Listening['behave']>[] = [
      (_, response) => void response.writeHead(429).end(),
      (_, response) => void response.writeHead(500).end(),
      (_, response) => void response.end(rejected(14, 'no clock')),
      (question, response) =>
        void response.end(
          granted(
            forgeToken({ text: Buffer.from('x'), signer: chain.tsa, nonce: questionParts(question).nonce }),
          ),
        ),
    ];
    await log.close();
    for (const fail of waysToFail) {
      bad.behave = fail;
      await using again = await openLog(dir, {
        thread: 'caller',
        timestamps: { everyMs: 20, authorities },
        warn: (warning) => warnings.push(warning),
      });
      await again.record(signIn());
      await until('it failed twice', () => (statusOf(again, 'timestamp-bad')?.lastError?.attempts ?? 0) >= 2);
      bad.behave = undefined;
      await until('it came back', () => statusOf(again, 'timestamp-bad')?.state === 'following');
      assert.equal(statusOf(again, 'timestamp-bad')?.lastError, undefined);
    }
    assert.ok(
      warnings.some((warning) => /bad has not time-stamped the log: .*status 429/.test(warning)),
      warnings.join('\n'),
    );
    const report = await verifyLog(dir, { threads: 0, tsaCertificates: chain.root.der });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.stamped?.newest.map(({ authority }) => authority).sort(), ['bad', 'good']);
  });

  test('of those who have the log open, the one with the lease asks', async (t) => {
    const tsa = await listen(t, folder, chain);
    const dir = join(temporaryFolder(t), 'log');
    await using one = await createLog(dir, {
      origin,
      thread: 'caller',
      timestamps: settingsFor(tsa, { everyMs: 1 }),
    });
    await using other = await openLog(dir, {
      thread: 'caller',
      timestamps: settingsFor(tsa, { everyMs: 1 }),
    });
    await other.record(signIn('a'));
    const { size } = await other.checkpoint();
    await until('a stamp', () => sizes(dir).includes(size));
    assert.deepEqual([statusOf(one)?.state, statusOf(other)?.state], ['following', 'waiting']);
  });

  test('a log that is closed waits for nobody who stamps', async (t) => {
    const tsa = await listen(t, folder, chain);
    tsa.behave = () => {};
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin, thread: 'caller', timestamps: settingsFor(tsa) });
    await until('it was asked', () => tsa.questions.length > 0);
    const begun = performance.now();
    await log.close();
    assert.ok(performance.now() - begun < 5000);
  });

  test('without certificates of the verifier, a stamp vouches for nothing, and the report says so', async (t) => {
    const { dir, vkey } = await stampedLog(t);
    const report = await verifyLog(dir, { threads: 0, vkey });
    assert.deepEqual(report.findings, []);
    assert.equal(report.stamped?.newest[0]?.trust, 'inside');
    assert.match(report.anchored, /by a certificate that nobody vouches for; .*no outside anchor$/);
    const other = makeChain(temporaryFolder(t), 'ec', 'other');
    const foreign = await verifyLog(dir, { threads: 0, vkey, tsaCertificates: other.root.pem });
    assert.deepEqual(
      foreign.findings.map(({ code, detail }) => [code, detail?.['code']]),
      [['timestamp_invalid', 'timestamp_untrusted']],
    );
    await assert.rejects(verifyLog(dir, { threads: 0, tsaCertificates: 'none' }), { code: 'option_invalid' });
    await assert.rejects(verifyLog(dir, { threads: 0, anchors: join(dir, 'nowhere') }), {
      code: 'option_invalid',
    });
  });

  test('what was done to anchors.db is found, and never mistaken for damage of the log', async (t) => {
    const { dir, vkey } = await stampedLog(t);
    const edits: readonly (readonly [string, RegExp])[] = [
      ["UPDATE timestamps SET token = x'00'", /cannot be read/],
      ['UPDATE timestamps SET token = zeroblob(50000000)', /cannot be read/],
      [
        "UPDATE timestamps SET note = CAST(replace(CAST(note AS TEXT), 'example', 'exbmple') AS BLOB)",
        /something else/,
      ],
      ["UPDATE timestamps SET note = x'ff'", /time-stamp by tsa shows nothing/],
    ];
    for (const [edit, message] of edits) {
      const copy = join(temporaryFolder(t), 'anchors.db');
      copyFileSync(join(dir, 'anchors.db'), copy);
      const db = new DatabaseSync(copy);
      db.exec(edit);
      db.close();
      const { findings } = await verifyLog(dir, {
        threads: 0,
        vkey,
        anchors: copy,
        tsaCertificates: chain.root.pem,
      });
      assert.deepEqual(
        findings.map(({ code, detail }) => [code, detail?.['about']]),
        [['timestamp_invalid', 'evidence']],
        edit,
      );
      assert.match(findings[0]!.message, message);
    }
    writeFileSync(join(dir, 'garbage'), 'no database at all, but long enough to be one '.repeat(100));
    const { findings } = await verifyLog(dir, { threads: 0, vkey, anchors: join(dir, 'garbage') });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['timestamp_invalid'],
    );
  });

  test('a stamp over a note that the log never signed says nothing of the log', async (t) => {
    const { dir, vkey } = await stampedLog(t);
    const note = readFileSync(`${dir}.mark`, 'utf8').replace(/\n\d+\n/, '\n9000\n');
    const token = forgeToken({ text: Buffer.from(`${note.split('\n\n')[0]}\n`), signer: chain.tsa });
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    store.putTimestamp({ size: 9000, authority: 'tsa', token, note: Buffer.from(note), at: Date.now() });
    store.close();
    const { findings } = await verifyLog(dir, { threads: 0, vkey, tsaCertificates: chain.root.pem });
    assert.deepEqual(
      findings.map(({ code, detail }) => [code, detail?.['about']]),
      [['checkpoint_invalid', 'evidence']],
    );
  });

  test('stamps travel with a backup, and one that goes back in time is told', async (t) => {
    const { dir, vkey, tsa } = await stampedLog(t);
    const log = await openLog(dir, {
      thread: 'caller',
      timestamps: settingsFor(tsa, { everyMs: 3_600_000 }),
    });
    const copy = join(temporaryFolder(t), 'copy');
    await log.backup(copy);
    assert.equal(
      (await verifyLog(copy, { threads: 0, vkey, tsaCertificates: chain.root.pem })).stamped?.agree,
      1,
    );
    // An authority whose clock is wrong: it is not believed, so that nothing is kept.
    tsa.behave = (question, response) => {
      const genTime = new Date(Date.now() - 3_600_000);
      const { nonce } = questionParts(question);
      void log.checkpoint().then(({ note }) => {
        const text = Buffer.from(`${note.split('\n\n')[0]}\n`);
        response.end(granted(forgeToken({ text, signer: chain.tsa, nonce, genTime })));
      });
    };
    const [result] = await log.timestampNow();
    assert.equal(!result!.ok && (result!.error as Error & { code: string }).code, 'timestamp_time_invalid');
    await log.record(signIn('later'));
    const { note, size } = await log.checkpoint();
    await log.close();
    const early = forgeToken({
      text: Buffer.from(`${note.split('\n\n')[0]}\n`),
      signer: chain.tsa,
      genTime: new Date(Date.now() - 3_600_000),
    });
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    store.putTimestamp({
      size: size,
      authority: 'zeta',
      token: early,
      note: Buffer.from(note),
      at: Date.now(),
    });
    store.close();
    const { findings } = await verifyLog(dir, { threads: 0, vkey, tsaCertificates: chain.root.pem });
    assert.ok(
      findings.some(
        ({ code, detail }) => code === 'timestamp_invalid' && detail?.['code'] === 'timestamp_time_invalid',
      ),
    );
  });

  /** Changes an entry and signs the whole history anew with the real key: all that its holder can do. */
  function rewrite(dir: string, id: string, key = join(dir, 'log.key')): void {
    const db = new DatabaseSync(join(dir, 'log.db'));
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
    const entry = "CAST(replace(CAST(entry AS TEXT), 'user.signed_in', 'user.signed_on') AS BLOB)";
    db.exec(`UPDATE entries SET entry = ${entry} WHERE idx = (SELECT idx FROM ids WHERE id = '${id}')`);
    rebuildTree(db, origin, parseSignerKey(readFileSync(key, 'utf8').trim()));
    for (const { sql } of triggers) db.exec(String(sql));
    db.close();
    rmSync(`${dir}.mark`, { force: true });
  }

  test('attack-10: history that is rewritten and signed with the real key contradicts its time-stamps; what came after the last one does not', async (t) => {
    const { dir, vkey } = await stampedLog(t);
    const log = await openLog(dir, { thread: 'caller', timestamps: { authorities: [] } });
    await log.record(signIn('late'));
    await log.close();
    const copy = join(temporaryFolder(t), 'log');
    cpSync(dir, copy, { recursive: true });
    rewrite(copy, 'late');
    const judged = await verifyLog(copy, { threads: 0, vkey, tsaCertificates: chain.root.pem });
    assert.deepEqual(judged.findings, [], 'nobody outside has seen the last entries');
    rewrite(dir, 'e-1');
    const { findings, anchored } = await verifyLog(dir, {
      threads: 0,
      vkey,
      tsaCertificates: chain.root.pem,
    });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['forked'],
    );
    assert.match(findings[0]!.message, /checkpoint that tsa time-stamped at .* signs another history/);
    assert.match(anchored, /^not consistent/);
    // Time-stamps off: whoever rewrites throws away what contradicts it, and only a copy kept elsewhere tells.
    const kept = join(temporaryFolder(t), 'anchors.db');
    copyFileSync(join(dir, 'anchors.db'), kept);
    for (const ending of ['', '-wal', '-shm']) rmSync(join(dir, `anchors.db${ending}`), { force: true });
    assert.deepEqual((await verifyLog(dir, { threads: 0, vkey })).findings, []);
    const own = await verifyLog(dir, { threads: 0, vkey, anchors: kept, tsaCertificates: chain.root.pem });
    assert.deepEqual(
      own.findings.map(({ code }) => code),
      ['forked'],
    );
  });

  test('attack-12: a stolen key signs another history later: what was time-stamped before the theft tells them apart', async (t) => {
    const { dir, vkey, tsa } = await stampedLog(t);
    const stolen = readFileSync(join(dir, 'log.key'), 'utf8');
    const thief = join(temporaryFolder(t), 'log');
    await (await createLog(thief, { origin, key: () => stolen })).close();
    // The thief has it stamped too, today; the owner's stamps are older, and of another history.
    await using forged = await openLog(thief, {
      key: () => stolen,
      timestamps: settingsFor(tsa, { everyMs: 3_600_000 }),
    });
    await forged.recordMany(Array.from({ length: 10 }, (_, n) => signIn(`f-${n}`)));
    await forged.timestampNow();
    const alone = await verifyLog(thief, { threads: 0, vkey, tsaCertificates: chain.root.pem });
    assert.deepEqual(alone.findings, [], 'by itself it is consistent');
    const own = { vkey, anchors: join(dir, 'anchors.db'), tsaCertificates: chain.root.pem };
    assert.deepEqual(
      (await verifyLog(thief, own)).findings.map(({ code }) => code),
      ['forked'],
    );
    assert.deepEqual((await verifyLog(dir, own)).findings, []);
  });

  test('attack-05: a log whose newest entries were cut off is smaller than what was time-stamped', async (t) => {
    const { dir, vkey } = await stampedLog(t);
    const db = new DatabaseSync(join(dir, 'log.db'));
    const triggers = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
    const last = Number(db.prepare('SELECT max(idx) AS last FROM entries').get()!['last']);
    for (const table of ['entries', 'disclosures', 'ids'])
      db.exec(`DELETE FROM ${table} WHERE idx = ${last}`);
    rebuildTree(db, origin, parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim()));
    db.close();
    rmSync(`${dir}.mark`, { force: true });
    const { findings } = await verifyLog(dir, { threads: 0, vkey, tsaCertificates: chain.root.pem });
    assert.ok(
      findings.some(({ code, message }) => code === 'rolled_back' && /tsa time-stamped/.test(message)),
    );
  });

  test('nobody is asked to stamp a history that was replaced', async (t) => {
    const { dir, tsa } = await stampedLog(t);
    rewrite(dir, 'e-1');
    const asked = tsa.questions.length;
    const warnings: string[] = [];
    await using log = await openLog(dir, {
      thread: 'caller',
      timestamps: settingsFor(tsa, { everyMs: 1 }),
      warn: (warning) => warnings.push(warning),
    });
    await log.record(signIn('after'));
    await until('it was refused', () => statusOf(log)?.state === 'refused');
    assert.equal(statusOf(log)?.lastError?.code, 'rolled_back');
    const [result] = await log.timestampNow();
    assert.equal(!result!.ok && (result!.error as Error & { code: string }).code, 'rolled_back');
    assert.equal(tsa.questions.length, asked);
    assert.ok(warnings.some((warning) => /tsa has not time-stamped the log/.test(warning)));
  });

  test('attack-46: a log whose clock is set ahead contradicts the time-stamp over it', async (t) => {
    const { dir, vkey, tsa } = await stampedLog(t);
    const wall = (): number => Date.now() + 86_400_000;
    const writer = await openWriter(dir, { clock: { wall, monotonic: () => performance.now() } });
    await writer.commit(drafts(['tomorrow']));
    await writer.close();
    await using log = await openLog(dir, {
      thread: 'caller',
      timestamps: settingsFor(tsa, { everyMs: 3_600_000 }),
    });
    assert.deepEqual(
      (await log.timestampNow()).map(({ ok }) => ok),
      [true],
    );
    const unpinned = await log.verify({ vkey });
    assert.deepEqual(unpinned.findings, [], 'a stamp that nobody vouches for contradicts nobody');
    const { findings } = await log.verify({ vkey, tsaCertificates: chain.root.pem });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['time_contradicted'],
    );
    assert.match(
      findings[0]!.message,
      /says that it was recorded at .*, and tsa has time-stamped a checkpoint that covers it at /,
    );
  });

  test('answers of openssl hold under the log, RSA too', async (t) => {
    const rsa = makeChain(temporaryFolder(t), 'rsa');
    const tsa = await listen(t, folder, rsa);
    tsa.behave = (question, response) =>
      void response.end(reply(folder, rsa, question, ['ess_cert_id_alg=sha1']));
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, {
      origin,
      thread: 'caller',
      timestamps: {
        authorities: [{ name: 'rsa', url: tsa.url, certificates: rsa.root.der, policy: '1.2.3.4.2' }],
      },
    });
    await until('a stamp', () => existsSync(join(dir, 'anchors.db')) && sizes(dir).length > 0);
    const report = await log.verify({ tsaCertificates: rsa.tsa.pem });
    assert.equal(report.stamped?.newest[0]?.trust, 'anchored');
  });
});
