// The inner pages by which SQLite finds one row among many. A walk over all rows does not need them, so only a look at the tree
// itself tells that a search for one row will miss it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { createLog, openLog, verifyLog } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';
import { faultEvent } from './support/fault-events.ts';
import { origin } from './support/template.ts';

const ENTRIES = 400;

async function logOf(t: Parameters<typeof temporaryFolder>[0]): Promise<{ dir: string; vkey: string }> {
  const log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread: 'caller' });
  await log.recordMany(Array.from({ length: ENTRIES }, (_, n) => faultEvent(`tree-${n}`)));
  await log.query('').page();
  await log.close();
  return { dir: log.dir, vkey: log.vkey };
}

/** Where the root page of a table begins in the file, and how many cells it has. Throws where it is not an inner page. */
function rootOf(path: string, table: string): { at: number; cells: number; bytes: Buffer } {
  const db = new DatabaseSync(path, { readOnly: true });
  const row = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table);
  const size = Number(Object.values(db.prepare('PRAGMA page_size').get()!)[0]);
  db.close();
  const bytes = readFileSync(path);
  const at = (Number(row!['rootpage']) - 1) * size;
  assert.equal(bytes[at], 5, `${table} has no inner page`);
  return { at, cells: bytes.readUInt16BE(at + 3), bytes };
}

describe('an inner page of log.db', () => {
  for (const table of ['entries', 'disclosures']) {
    test(`of ${table}, with a key one bit off, is reported`, async (t) => {
      const { dir, vkey } = await logOf(t);
      const path = join(dir, 'log.db');
      const { at, cells, bytes } = rootOf(path, table);
      // The last cell of an inner page of a table: four bytes of a page number, then the key.
      const cell = at + bytes.readUInt16BE(at + 12 + 2 * Math.floor(cells / 2));
      const last = (bytes[cell + 4]! & 128) === 0 ? cell + 4 : cell + 5;
      bytes[last] = bytes[last]! ^ 1;
      writeFileSync(path, bytes);
      const { ok, findings } = await verifyLog(dir, { vkey });
      assert.equal(ok, false);
      assert.ok(
        findings.some(({ code }) => code === 'table_damaged'),
        JSON.stringify(findings),
      );
      assert.equal(
        (await verifyLog(dir, { vkey, depth: 'tree' })).ok,
        true,
        'the entries themselves are whole',
      );
    });
  }
});

describe('the rows by which terms are found', () => {
  const changes: Readonly<Record<string, string>> = {
    'are gone': 'DELETE FROM terms_idx',
    'lack one': 'DELETE FROM terms_idx WHERE pgno > 4',
    'lead astray':
      "UPDATE terms_idx SET term = x'31' WHERE (segid, term) IN (SELECT segid, term FROM terms_idx ORDER BY segid DESC, term DESC LIMIT 1)",
  };
  for (const [what, sql] of Object.entries(changes)) {
    test(`${what}: verify --index says so`, async (t) => {
      const { dir, vkey } = await logOf(t);
      const log = await openLog(dir, { readOnly: true, thread: 'caller' });
      assert.equal((await log.query('actor:user/u_tree-7').page()).events.length, 1);
      await log.close();
      assert.equal((await verifyLog(dir, { vkey, index: true })).ok, true);
      const db = new DatabaseSync(join(dir, 'index.db'), { defensive: false } as never);
      const { changes: count } = db.prepare(sql).run();
      db.close();
      assert.ok(Number(count) > 0, 'nothing was changed');
      const { ok, findings } = await verifyLog(dir, { vkey, index: true });
      assert.equal(ok, false);
      assert.ok(
        findings.every(({ code }) => code === 'search_differs'),
        JSON.stringify(findings),
      );
    });
  }
});
