import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { createLog, type Receipt, verifyLog } from 'indelible';
import { SqliteReader } from 'indelible/store';
import { signIn, temporaryFolder } from '../support/folders.ts';

const origin = 'example.com/audit';
const ENTRIES = 700;

/** What an attacker with the database and without the key does: triggers go, the deed is done, triggers return. */
function tamper(dir: string, ...statements: string[]): void {
  const db = new DatabaseSync(join(dir, 'log.db'));
  const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  for (const statement of statements) db.exec(statement);
  for (const { sql } of triggers) db.exec(String(sql));
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
}

describe('a whole log', () => {
  const cleanup: (() => void)[] = [];
  const folder = temporaryFolder({ after: (done) => void cleanup.push(done as () => void) });
  const honest = join(folder, 'honest');
  let vkey = '';
  let receipts: Receipt[] = [];
  let copies = 0;

  before(async () => {
    const log = await createLog(honest, { origin });
    vkey = log.vkey;
    const results = await log.recordMany(
      Array.from({ length: ENTRIES }, (_, n) => signIn(`e-${n}`, `u_${n % 9}`)),
    );
    receipts = results.map((result) => (result.ok ? result.receipt : assert.fail()));
    await log.close();
  });
  after(() => {
    for (const done of cleanup) done();
  });

  /** A copy to tamper with; its mark stays behind, so that the log alone has to tell. */
  function copy(): string {
    copies += 1;
    const dir = join(folder, `copy-${copies}`);
    cpSync(honest, dir, { recursive: true });
    return dir;
  }

  test('that is honest verifies, and says by which key and how far', async () => {
    for (const threads of [0, 1, 2]) {
      const report = await verifyLog(honest, { vkey, threads, held: receipts });
      assert.deepEqual(report.findings, []);
      assert.equal(report.ok, true);
      assert.equal(report.counts.entries, ENTRIES + 1);
      assert.equal(report.counts.missing, 0);
      assert.equal(report.key, 'pinned');
    }
    assert.equal((await verifyLog(honest)).key, 'found inside');
  });

  test('progress comes to its end', async () => {
    let last = [0, 0];
    await verifyLog(honest, { onProgress: (done, total) => (last = [done, total]) });
    assert.deepEqual(last, [ENTRIES + 1, ENTRIES + 1]);
  });

  const deeds: Record<
    string,
    { readonly deed: readonly string[]; readonly code: string; readonly at?: number }
  > = {
    'an edited payload': {
      deed: [
        "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'signed_in', 'signed_on') AS BLOB) WHERE idx = 300",
      ],
      code: 'tile_mismatch',
      at: 300,
    },
    'an edited payload at the end, where no full tile is': {
      deed: [
        "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'signed_in', 'signed_on') AS BLOB) WHERE idx = 690",
      ],
      code: 'root_mismatch',
    },
    'an edited sealed value': {
      deed: [
        "UPDATE disclosures SET texts = CAST(replace(CAST(texts AS TEXT), 'Name of', 'Fame of') AS BLOB) WHERE idx = 42",
      ],
      code: 'disclosure_altered',
      at: 42,
    },
    'sealed values that are gone': {
      deed: ['DELETE FROM disclosures WHERE idx = 43'],
      code: 'disclosure_missing',
      at: 43,
    },
    'a deleted entry': { deed: ['DELETE FROM entries WHERE idx = 400'], code: 'index_gap', at: 400 },
    'two swapped entries': {
      deed: [
        'UPDATE entries SET idx = -1 WHERE idx = 10',
        'UPDATE entries SET idx = 10 WHERE idx = 11',
        'UPDATE entries SET idx = 11 WHERE idx = -1',
      ],
      code: 'tile_mismatch',
      at: 10,
    },
    'a truncated tail': { deed: ['DELETE FROM entries WHERE idx >= 690'], code: 'size_mismatch' },
    'an id that points elsewhere': {
      deed: ["UPDATE ids SET idx = 7 WHERE id = 'e-20'"],
      code: 'id_mismatch',
      at: 21,
    },
    'an id that is gone': { deed: ["DELETE FROM ids WHERE id = 'e-20'"], code: 'id_mismatch', at: 21 },
    'a tile with another hash': {
      deed: [
        'UPDATE tiles SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 0',
      ],
      code: 'tile_mismatch',
      at: 0,
    },
    'a head whose columns lie': { deed: ['UPDATE head SET size = size + 1'], code: 'column_changed' },
    'a time of the head that lies': {
      deed: ['DROP TRIGGER IF EXISTS head_no_update', 'UPDATE head SET recorded_at = recorded_at + 1'],
      code: 'column_changed',
    },
    'an added view': { deed: ['CREATE VIEW spy AS SELECT * FROM entries'], code: 'schema_changed' },
    'disclosures of nobody': {
      deed: ["INSERT INTO disclosures VALUES (9999, 'x')".replace("'x'", "x'00'")],
      code: 'disclosure_altered',
    },
  };
  Object.assign(deeds, {
    'an entry before the first': {
      deed: [
        "INSERT INTO entries SELECT -1, CAST(replace(entry, 'u_', 'x_') AS BLOB) FROM entries WHERE idx = 5",
      ],
      code: 'index_repeated',
    },
    'a disclosure before the first': {
      deed: ["INSERT INTO disclosures VALUES (-3, x'00')"],
      code: 'disclosure_altered',
    },
    'an id of an entry that is not there': {
      deed: [`INSERT INTO ids VALUES ('nobody', ${ENTRIES + 5})`],
      code: 'id_mismatch',
      at: ENTRIES + 5,
    },
    'an id before the first': { deed: ["INSERT INTO ids VALUES ('nobody', -9)"], code: 'id_mismatch' },
    'a tile of a level that no such log has': {
      deed: ["INSERT INTO tiles VALUES (6, 77, x'00')"],
      code: 'tile_mismatch',
    },
    'a tile behind the end': {
      deed: ['INSERT INTO tiles VALUES (0, 3, zeroblob(8192))'],
      code: 'tile_mismatch',
    },
    'a tile at a place that is none': {
      deed: [
        "INSERT INTO tiles VALUES (-1, 0, x'00')",
        'INSERT INTO tiles VALUES (0, 9223372036854775807, zeroblob(8192))',
      ],
      code: 'tile_mismatch',
    },
    'a tile that is longer than the log makes it': {
      deed: ['UPDATE tiles SET hashes = CAST(hashes || zeroblob(32) AS BLOB) WHERE level = 1 AND idx = 0'],
      code: 'tile_mismatch',
    },
  });
  for (const [name, { deed, code, at }] of Object.entries(deeds)) {
    test(`${name} is found`, async () => {
      const dir = copy();
      tamper(dir, ...deed);
      const report = await verifyLog(dir, { vkey });
      assert.equal(report.ok, false);
      const ofCode = report.findings.filter((finding) => finding.code === code);
      const found = at === undefined ? ofCode[0] : ofCode.find(({ from, to }) => from <= at && at <= to);
      assert.ok(found, `no ${code} in ${JSON.stringify(report.findings)}`);
    });
  }

  test('a tile that is still growing is found, and nothing else', async () => {
    const dir = join(folder, 'growing');
    const log = await createLog(dir, { origin });
    await log.recordMany(Array.from({ length: 99 }, (_, n) => signIn(`e-${n}`)));
    await log.close();
    assert.deepEqual((await verifyLog(dir)).findings, []);
    tamper(dir, 'INSERT INTO tiles VALUES (0, 0, zeroblob(8192))');
    const { findings } = await verifyLog(dir);
    assert.deepEqual(
      findings.map(({ code, message }) => [code, message]),
      [['tile_mismatch', 'A tile is stored that a log of 100 entries does not have: level 0, index 0.']],
    );
  });

  test('an absurd index is found without a search for what is before it', async () => {
    const dir = copy();
    tamper(dir, 'INSERT INTO entries SELECT 9007199254740000, entry FROM entries WHERE idx = 5');
    const report = await verifyLog(dir, { vkey });
    assert.ok(report.findings.some(({ code }) => code === 'size_mismatch'));
  });

  test('the mark is named as the mark, and is not held outside', async () => {
    const report = await verifyLog(honest, { vkey });
    assert.equal(
      report.anchored,
      `consistent up to size ${ENTRIES + 1}; agrees with the mark beside the folder; no outside anchor`,
    );
    assert.equal(report.held, undefined);
    const held = await verifyLog(honest, { vkey, held: [receipts[3]!] });
    assert.match(held.anchored, /agrees with the mark beside the folder and with 1 held outside/);
    const dir = copy();
    cpSync(`${honest}.mark`, `${dir}.mark`);
    tamper(dir, 'DELETE FROM entries WHERE idx >= 690');
    const { findings } = await verifyLog(dir, { vkey });
    assert.ok(
      findings.some(
        ({ code, message }) => code === 'rolled_back' && /^The mark beside the log/.test(message),
      ),
    );
  });

  test('few rows are in memory at once, however many are audited', async (t) => {
    const readRows = SqliteReader.prototype.readRows;
    const spans: number[] = [];
    t.mock.method(
      SqliteReader.prototype,
      'readRows',
      function (this: SqliteReader, from: number, to: number) {
        spans.push(to - from);
        return readRows.call(this, from, to);
      },
    );
    assert.equal((await verifyLog(honest, { vkey, threads: 0 })).ok, true);
    assert.ok(
      spans.length > 5 && Math.max(...spans) <= 256,
      `up to ${Math.max(...spans)} in ${spans.length}`,
    );
  });

  test('dropped triggers are found', async () => {
    const dir = copy();
    const db = new DatabaseSync(join(dir, 'log.db'));
    db.exec('DROP TRIGGER entries_no_update');
    db.close();
    assert.ok((await verifyLog(dir, { vkey })).findings.some(({ code }) => code === 'schema_changed'));
  });

  test('another key than the pinned one is refused', async () => {
    const other = join(folder, 'other');
    const log = await createLog(other, { origin });
    await log.close();
    const report = await verifyLog(other, { vkey });
    assert.equal(report.ok, false);
    const found = await verifyLog(honest, { vkey: log.vkey });
    assert.equal(found.ok, false);
  });

  test('a tail cut off with its checkpoint shows only against something held outside', async () => {
    const older = join(folder, 'older');
    const log = await createLog(older, { origin });
    await log.record(signIn('a'));
    await log.close();
    cpSync(older, `${older}-kept`, { recursive: true });
    const again = await import('indelible').then(({ openLog }) => openLog(older));
    const receipt = await again.record(signIn('b'));
    await again.close();
    const alone = await verifyLog(`${older}-kept`, { vkey: log.vkey });
    assert.equal(alone.ok, true, 'nothing inside an old copy can say that it is old');
    const held = await verifyLog(`${older}-kept`, { vkey: log.vkey, held: [receipt] });
    assert.deepEqual(
      held.findings.map(({ code }) => code),
      ['rolled_back'],
    );
    cpSync(`${older}.mark`, `${older}-kept.mark`);
    const marked = await verifyLog(`${older}-kept`, { vkey: log.vkey });
    assert.deepEqual(
      marked.findings.map(({ code }) => code),
      ['rolled_back'],
    );
  });

  test('a file that is no database any more is a report, not a crash', async () => {
    const dir = copy();
    for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `log.db${suffix}`), { force: true });
    const bytes = readFileSync(join(dir, 'log.db'));
    bytes.fill(0x58, 0, 100);
    writeFileSync(join(dir, 'log.db'), bytes);
    assert.equal((await verifyLog(dir, { vkey })).ok, false);
    writeFileSync(join(dir, 'log.db'), '');
    assert.equal((await verifyLog(dir, { vkey })).ok, false);
    await assert.rejects(verifyLog(join(folder, 'nothing')), { code: 'log_missing' });
    await assert.rejects(verifyLog(honest, { mark: join(folder, 'no.mark') }), { code: 'option_invalid' });
  });
});
