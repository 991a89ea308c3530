// Columns that hold what no log of ours ever writes: numbers beyond 2^53, negative ones, other times, other types. Such a
// value must not keep the verifier from speaking: it is reported, and readers and writers refuse in words of ours.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openLog, verifyLog } from 'indelible';
import { sabotage } from './support/sabotage.ts';
import { copyTemplate, makeTemplate, type Template } from './support/template.ts';
import { drafts, openWriter } from './support/writing.ts';

const LAST = 299;

const damages: readonly (readonly [string, string])[] = [
  ['a size beyond 2^53', 'UPDATE head SET size = 1 << 60'],
  ['a negative size', 'UPDATE head SET size = -1'],
  ['a time beyond 2^53', 'UPDATE head SET recorded_at = 1 << 60'],
  ['a time that is not the last entry\u2019s', 'UPDATE head SET recorded_at = recorded_at + 31536000000'],
  ['a time long before the last entry\u2019s', 'UPDATE head SET recorded_at = 0'],
  ['an id at an index beyond 2^53', 'UPDATE ids SET idx = 1 << 60 WHERE idx = 5'],
  ['an id at a negative index', 'UPDATE ids SET idx = -7 WHERE idx = 5'],
  ['an entry at an index beyond 2^53', `UPDATE entries SET idx = 1 << 60 WHERE idx = ${LAST}`],
  ['an entry at a negative index', `UPDATE entries SET idx = -1 WHERE idx = ${LAST}`],
  ['an entry far behind the others', `UPDATE entries SET idx = 9007199254740991 WHERE idx = ${LAST}`],
  ['disclosures at an index beyond 2^53', `UPDATE disclosures SET idx = 1 << 60 WHERE idx = ${LAST}`],
  ['disclosures at a negative index', `UPDATE disclosures SET idx = -1 WHERE idx = ${LAST}`],
  ['disclosures that are not UTF-8', "UPDATE disclosures SET texts = x'fffe00' WHERE idx = 20"],
  [
    'disclosures that are not disclosures',
    "UPDATE disclosures SET texts = CAST('[1,2' AS BLOB) WHERE idx = 20",
  ],
  ['an empty entry', "UPDATE entries SET entry = x'' WHERE idx = 20"],
  [
    'an entry of a million levels',
    "UPDATE entries SET entry = CAST(replace(hex(zeroblob(500000)), '0', '[') AS BLOB) WHERE idx = 20",
  ],
  ['a tile of the wrong length', "UPDATE tiles SET hashes = x'00' WHERE level = 0"],
  [
    'a checkpoint of a million lines',
    "UPDATE head SET checkpoint = CAST(replace(hex(zeroblob(500000)), '0', char(10)) AS BLOB)",
  ],
  [
    'a second head',
    'PRAGMA ignore_check_constraints = 1; INSERT INTO head SELECT 0, size, root, recorded_at, checkpoint FROM head',
  ],
  ['another mark of the file', 'PRAGMA application_id = 7'],
  ['the mark of another layout', 'PRAGMA user_version = 3'],
  ['no head', 'DELETE FROM head'],
  ['no entries', 'DELETE FROM entries'],
];

let scratch: string;
let template: Template;

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'indelible-'));
  template = await makeTemplate(join(scratch, 'template'), LAST);
});
after(() => rmSync(scratch, { recursive: true, force: true }));

const inOurWords = (error: Error): boolean => ['LogError', 'VerificationError'].includes(error.name);

describe('a column that holds', () => {
  for (const [position, [what, sql]] of damages.entries()) {
    test(`${what} is reported, and refused in words of ours`, async () => {
      const dir = copyTemplate(template, join(scratch, `case-${position}`));
      sabotage(join(dir, 'log.db'), (db) => db.exec(sql));
      const report = await verifyLog(dir, { vkey: template.vkey, threads: 0 });
      assert.equal(report.ok, false);
      assert.ok(report.findings.length > 0);
      await readEverything(dir).catch((error) => assert.ok(inOurWords(error), error.stack));
      await writeSomething(dir).catch((error) => assert.ok(inOurWords(error), error.stack));
      assert.equal(
        (await verifyLog(dir, { vkey: template.vkey, threads: 0 })).ok,
        false,
        'it was made good by writing',
      );
    });
  }
});

test('a hole among the entries ends the walk over them, which passes over nothing', async () => {
  const dir = copyTemplate(template, join(scratch, 'hole'));
  sabotage(join(dir, 'log.db'), (db) => db.exec('DELETE FROM entries WHERE idx BETWEEN 100 AND 199'));
  const log = await openLog(dir, { readOnly: true, thread: 'caller' });
  let read = 0;
  await assert.rejects(
    async () => {
      for await (const { index } of log.entries()) assert.equal(index, read++);
    },
    { code: 'log_damaged', message: 'entry 100 is missing' },
  );
  assert.equal(read, 100);
  await log.close();
});

async function readEverything(dir: string): Promise<void> {
  const log = await openLog(dir, { readOnly: true, thread: 'caller' });
  try {
    for await (const _ of log.entries());
    for (const { id } of template.receipts.slice(0, 40)) {
      await log.get(id);
      await log.prove(id);
    }
  } finally {
    await log.close();
  }
}

async function writeSomething(dir: string): Promise<void> {
  const writer = await openWriter(dir);
  try {
    await writer.commit(drafts(['new', 'before-3']));
  } finally {
    await writer.close();
  }
}
