import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { createLog, isLogError, openLog, verifyLog } from 'indelible';
import { Frontier, hashLeaf } from 'indelible/merkle';
import { signIn, temporaryFolder } from '../support/folders.ts';

const origin = 'example.com/audit';

function sql(dir: string, ...statements: string[]): void {
  const db = new DatabaseSync(join(dir, 'log.db'));
  const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  for (const statement of statements) db.exec(statement);
  for (const { sql: text } of triggers) db.exec(String(text));
  db.close();
}

/** Appends an entry the way the log would, root and all; only the signature is out of an attacker's reach. */
function forge(dir: string, checkpoint: Uint8Array): void {
  const db = new DatabaseSync(join(dir, 'log.db'));
  const rows = db.prepare('SELECT entry FROM entries ORDER BY idx').all() as { entry: Uint8Array }[];
  const tree = Frontier.empty();
  for (const { entry } of rows) tree.append(hashLeaf(entry));
  const text = Buffer.from(rows.at(-1)!.entry).toString().replace('"id":"a"', '"id":"forged"');
  const entry = Buffer.from(text);
  tree.append(hashLeaf(entry));
  db.exec('BEGIN IMMEDIATE');
  db.prepare('INSERT INTO entries VALUES (?, ?)').run(rows.length, entry);
  db.prepare('INSERT INTO ids VALUES (?, ?)').run('forged', rows.length);
  db.prepare('UPDATE head SET size = ?, root = ?, checkpoint = ?').run(
    rows.length + 1,
    tree.root(),
    checkpoint,
  );
  db.exec('COMMIT');
  db.close();
}

describe('without the signing key', () => {
  test('entries forged under a live writer are not signed over, nor served as proven', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin });
    const before = await log.record(signIn('a'));
    forge(dir, new TextEncoder().encode(before.checkpoint));
    await assert.rejects(log.record(signIn('b')), { code: 'head_invalid' });
    await assert.rejects(log.record(signIn('a')), { code: 'head_invalid' });
    await assert.rejects(log.checkpoint(), { code: 'head_invalid' });
    await assert.rejects(log.prove('a'), { code: 'head_invalid' });
    await log.close();
    assert.doesNotMatch(readFileSync(`${dir}.mark`, 'utf8'), /^3$/m, 'the mark follows no forged head');
    await assert.rejects(openLog(dir), { code: 'head_invalid' });
  });

  test('a lost database is not born again under the same key', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await (await createLog(dir, { origin })).close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(dir, `log.db${suffix}`), { force: true });
    rmSync(`${dir}.mark`);
    await assert.rejects(openLog(dir, { createIfMissing: { origin }, warn: () => {} }), {
      code: 'log_exists',
    });
    await assert.rejects(createLog(dir, { origin }), { code: 'log_exists' });
  });

  test('a key kept elsewhere is not taken for a log that appears by itself', async (t) => {
    const folder = temporaryFolder(t);
    const [dir, key] = [join(folder, 'log'), join(folder, 'secret.key')];
    await (await createLog(dir, { origin, key })).close();
    assert.equal(existsSync(join(dir, 'log.key')), false);
    rmSync(dir, { recursive: true });
    rmSync(`${dir}.mark`);
    await assert.rejects(openLog(dir, { key, createIfMissing: { origin } }), { code: 'key_exists' });
    await assert.rejects(createLog(dir, { origin, key }), { code: 'key_exists' });
    assert.deepEqual(
      readdirSync(folder),
      ['secret.key'],
      'nothing is left of it, and the key is not touched',
    );
    await (await createLog(dir, { origin, key, reuseKey: true })).close();
  });

  test('a repeat of an entry that was changed gets no receipt', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin, service: 'before' });
    await log.record(signIn('a'));
    await log.recordMany(Array.from({ length: 300 }, (_, n) => signIn(`e-${n}`)));
    await log.close();
    sql(
      dir,
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'before', 'beforf') AS BLOB) WHERE idx = 1",
    );
    await using again = await openLog(dir);
    await assert.rejects(again.record(signIn('a')), { code: 'log_damaged' });
    const [repeated, fresh] = await again.recordMany([signIn('a'), signIn('b')]);
    assert.ok(repeated?.ok === false && isLogError(repeated.error, 'log_damaged'));
    assert.ok(fresh?.ok, 'what was sent beside it is recorded');
  });

  test('a row that was made huge is damage, and is not read into memory', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    const log = await createLog(dir, { origin });
    await log.recordMany([signIn('a'), signIn('b'), signIn('c')]);
    await log.close();
    sql(
      dir,
      'UPDATE entries SET entry = zeroblob(200000000) WHERE idx = 1',
      'UPDATE disclosures SET texts = zeroblob(200000000) WHERE idx = 2',
    );
    const before = process.memoryUsage().rss;
    const { findings } = await verifyLog(dir, { threads: 1 });
    assert.ok(process.memoryUsage().rss - before < 150_000_000);
    for (const index of [1, 2])
      assert.ok(
        findings.some(({ code, from, to }) => code === 'column_changed' && from <= index && index <= to),
      );
    await using again = await openLog(dir, { readOnly: true });
    for (const id of ['a', 'b']) await assert.rejects(again.get(id), { code: 'log_damaged' });
  });

  test('an id that leads to another entry is not believed', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin });
    await log.record(signIn('a'));
    sql(dir, "INSERT INTO ids VALUES ('alias', 1)");
    await assert.rejects(log.get('alias'), { code: 'log_damaged' });
    await assert.rejects(log.prove('alias'), { code: 'log_damaged' });
    await assert.rejects(log.record(signIn('alias')), { code: 'log_damaged' });
    assert.equal((await log.get('a'))?.id, 'a');
  });

  test('a link to the folder leads to the same mark; a log without its mark is spoken of', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    const log = await createLog(dir, { origin });
    await log.record(signIn('a'));
    await log.close();
    symlinkSync(dir, join(folder, 'link'));
    writeFileSync(`${dir}.mark`, 'no checkpoint\n');
    await assert.rejects(openLog(join(folder, 'link')), { code: 'mark_invalid' });
    rmSync(`${dir}.mark`);
    const warnings: string[] = [];
    await (await openLog(dir, { warn: (text) => warnings.push(text) })).close();
    assert.match(warnings.join('\n'), /no mark at/);
  });

  test('nobody but the owner can read the folder, the database and the index', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin });
    await log.record(signIn('a'));
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(statSync(join(dir, 'log.db')).mode & 0o777, 0o600);
    let found = 0;
    for await (const _ of log.query('action:user.signed_in', { waitMs: 5000 })) found += 1;
    assert.equal(found, 1);
    for (const name of ['log.db', 'index.db'].flatMap((file) => [file, `${file}-wal`, `${file}-shm`])) {
      assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name);
    }
  });

  test('an empty folder is taken, one with files is not', async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, 'empty'));
    await (await createLog(join(folder, 'empty'), { origin })).close();
    mkdirSync(join(folder, 'full'));
    cpSync(join(folder, 'empty', 'log.vkey'), join(folder, 'full', 'notes.txt'));
    await assert.rejects(createLog(join(folder, 'full'), { origin }), { code: 'log_exists' });
  });

  test('a folder that was prepared stays the folder that it was', async (t) => {
    const dir = join(temporaryFolder(t), 'prepared');
    mkdirSync(dir);
    chmodSync(dir, 0o750);
    const { ino } = statSync(dir);
    // As a creation leaves it that was cut off long ago, before it placed anything.
    const stale = join(dir, '.0123456789ab.new');
    mkdirSync(stale);
    writeFileSync(join(stale, 'log.vkey'), 'half');
    utimesSync(stale, 1, 1);
    await (await createLog(dir, { origin })).close();
    assert.deepEqual([statSync(dir).ino, statSync(dir).mode & 0o777], [ino, 0o750]);
    const names = ['log.db', 'log.key', 'log.vkey', 'root.key', 'root.vkey'];
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('.') || names.includes(name)),
      names,
    );
  });

  test('a creation that was cut off among its files is named, and nothing is built upon it', async (t) => {
    const dir = join(temporaryFolder(t), 'prepared');
    mkdirSync(join(dir, '.0123456789ab.new'), { recursive: true });
    writeFileSync(join(dir, 'log.vkey'), 'its verifier key\n');
    await assert.rejects(createLog(dir, { origin }), {
      code: 'log_exists',
      message: /cut off: it holds .*log\.vkey/,
    });
    assert.deepEqual(readdirSync(dir).sort(), ['.0123456789ab.new', 'log.vkey']);
  });

  test('several that create a log in one prepared folder at one moment open one log', async (t) => {
    const dir = join(temporaryFolder(t), 'prepared');
    mkdirSync(dir);
    const options = { createIfMissing: { origin }, warn: () => {} };
    const logs = await Promise.all([1, 2, 3, 4].map(() => openLog(dir, options)));
    for (const [at, log] of logs.entries()) await log.record(signIn(`e-${at}`));
    assert.equal(new Set(logs.map(({ vkey }) => vkey)).size, 1);
    assert.ok((await logs[0]!.verify()).ok);
    for (const log of logs) await log.close();
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('.')),
      [],
    );
  });
});

describe('limits', () => {
  test('limits that limit nothing are refused', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    for (const queue of [{ eventsMax: Number.NaN }, { charactersMax: 'many' }, { eventsMax: 0 }]) {
      await assert.rejects(createLog(dir, { origin, queue: queue as never }), { code: 'option_invalid' });
    }
    await assert.rejects(createLog(dir, { origin, queue: { events: 1 } as never }), {
      code: 'option_unknown',
    });
    await using log = await createLog(dir, { origin });
    assert.throws(() => log.query('', { waitMs: Number.NaN }), { code: 'option_invalid' });
  });

  test('recordMany waits for room and refuses nothing for its number', async (t) => {
    await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, queue: { eventsMax: 64 } });
    const results = await log.recordMany(Array.from({ length: 1000 }, (_, n) => signIn(`e-${n}`)));
    assert.deepEqual(
      results.map((result) => (result.ok ? result.receipt.index : -1)),
      Array.from({ length: 1000 }, (_, n) => n + 1),
    );
  });

  test('a key may be unwrapped by the caller instead of lying in a file', async (t) => {
    const folder = temporaryFolder(t);
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    await (await createLog(first, { origin })).close();
    const text = readFileSync(join(first, 'log.key'), 'utf8');
    await using log = await createLog(second, { origin, key: async () => text });
    assert.equal(existsSync(join(second, 'log.key')), false);
    assert.equal((await log.record(signIn('a'))).index, 1);
    await assert.rejects(openLog(first, { key: () => 'nonsense' }), { code: 'key_mismatch' });
  });
});
