// I9: a checker that never complains proves nothing. Each control breaks a promise on purpose, in the store, on the disk
// or in what was shown, and the invariants must speak: each by its own name.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatCheckpoint, parseSignerKey, signNote } from 'indelible/note';
import type { Append, HeadTransaction, LogStore } from 'indelible/store';
import { openCommitter } from './support/failing-writer.ts';
import { disclosureDigest, openCheckpoint, Roots, readLog } from './support/independent-verifier.ts';
import { breaches, type KeptReceipt } from './support/invariants.ts';
import { sabotage } from './support/sabotage.ts';
import { copyTemplate, makeTemplate, origin, type Template } from './support/template.ts';
import { draftOf, drafts, idsOf, receiptsOf } from './support/writing.ts';

let scratch: string;
let template: Template;

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'indelible-'));
  template = await makeTemplate(join(scratch, 'template'), 300);
});
after(() => rmSync(scratch, { recursive: true, force: true }));

let copies = 0;
const copy = (): string => copyTemplate(template, join(scratch, `case-${copies++}`));

/** A store that lies in one of its transaction's calls. */
function lying(store: LogStore, lie: (transaction: HeadTransaction) => Partial<HeadTransaction>): LogStore {
  return {
    begin: async () => {
      const transaction = await store.begin();
      const honest: HeadTransaction = {
        taken: transaction.taken,
        head: () => transaction.head(),
        readEntries: (from, to) => transaction.readEntries(from, to),
        findIds: (ids) => transaction.findIds(ids),
        readTiles: (tiles) => transaction.readTiles(tiles),
        append: (append) => transaction.append(append),
        withdraw: (withdrawals) => transaction.withdraw(withdrawals),
        prune: (prune) => transaction.prune(prune),
        commit: () => transaction.commit(),
        rollback: () => transaction.rollback(),
      };
      return { ...honest, ...lie(transaction) };
    },
    head: () => store.head(),
    readEntries: (from, to) => store.readEntries(from, to),
    findIds: (ids) => store.findIds(ids),
    readTiles: (tiles) => store.readTiles(tiles),
    close: () => store.close(),
  };
}

/** Records ten events over a lying store, and returns what the invariants say. */
async function over(lie: (transaction: HeadTransaction) => Partial<HeadTransaction>): Promise<string[]> {
  const dir = copy();
  const recording = await openCommitter(dir, (store) => lying(store, lie));
  const ids = idsOf('lied', 10);
  const receipts = receiptsOf(ids, await recording.commit(drafts(ids)));
  await recording.close();
  return breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts });
}

/** The append with one of its entries changed behind the back of whoever hashed it. */
function changed(append: Append, at: number, change: (text: string) => string): Append {
  const entries = append.entries.map((entry, position) =>
    position === at
      ? { ...entry, entry: Buffer.from(change(Buffer.from(entry.entry).toString('utf8'))) }
      : entry,
  );
  return { ...append, entries };
}

/** A checkpoint with the signature of the log's real key. */
function sign(size: number, root: Uint8Array): string {
  const signer = parseSignerKey(readFileSync(join(template.folder, 'log', 'log.key'), 'utf8').trim());
  return Buffer.from(signNote(formatCheckpoint({ origin, size, root }), [signer])).toString('utf8');
}

/** Whether some line starts with each of these names. */
function speaks(found: readonly string[], ...names: readonly string[]): void {
  for (const name of names)
    assert.ok(
      found.some((line) => line.startsWith(name)),
      `${name} is silent: ${found.join('; ')}`,
    );
}

test('an honest log breaks nothing', async () => {
  assert.deepEqual(
    breaches(join(copy(), 'log.db'), { vkey: template.vkey, receipts: template.receipts }),
    [],
  );
  assert.deepEqual(await over(() => ({})), []);
});

describe('a store that lies', () => {
  test('and acknowledges what it never committed: I1', async () => {
    speaks(await over((transaction) => ({ commit: () => transaction.rollback() })), 'I1', 'I7');
  });

  test('and stores other bytes than were hashed: I1, I3', async () => {
    const found = await over((transaction) => ({
      append: (append) =>
        transaction.append(changed(append, 4, (text) => text.replace('"success"', '"failure"'))),
    }));
    speaks(found, 'I1', 'I3', 'I7');
  });

  test('and loses a disclosure: I3, I6', async () => {
    const found = await over((transaction) => ({
      append: (append) => {
        const entries = append.entries.map((entry) => ({
          ...entry,
          disclosures: entry.disclosures.slice(1),
        }));
        return transaction.append({ ...append, entries });
      },
    }));
    speaks(found, 'I3', 'I6');
  });

  test('and keeps no tile: I3', () => {
    const dir = copy();
    sabotage(join(dir, 'log.db'), (db) => db.exec('DELETE FROM tiles WHERE level = 0'));
    speaks(breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts: [] }), 'I3');
  });
});

test('an entry of an earlier time, signed with the real key: I4', () => {
  const dir = copy();
  const database = join(dir, 'log.db');
  const { entries } = readLog(database);
  const last = entries.at(-1)!;
  const text = last.bytes.toString('utf8').replaceAll('before-299', 'before-300');
  const past = Buffer.from(text.replace(/("recordedAt":")[^"]*/, '$12001-02-03T04:05:06.007Z'));
  const roots = new Roots([...entries.map(({ bytes }) => bytes), past]);
  const index = last.index + 1;
  const checkpoint = Buffer.from(sign(index + 1, roots.at(index + 1)));
  sabotage(database, (db) => {
    db.prepare('INSERT INTO entries (idx, entry) VALUES (?, ?)').run(index, past);
    db.prepare("INSERT INTO ids (id, idx) VALUES ('before-300', ?)").run(index);
    db.prepare('INSERT INTO disclosures (idx, texts) SELECT ?, texts FROM disclosures WHERE idx = ?').run(
      index,
      index - 1,
    );
    const head = 'UPDATE head SET size = ?, root = ?, recorded_at = ?, checkpoint = ?';
    db.prepare(head).run(index + 1, roots.at(index + 1), Date.UTC(2001, 1, 3, 4, 5, 6, 7), checkpoint);
  });
  const found = breaches(database, { vkey: template.vkey, receipts: template.receipts });
  assert.deepEqual(
    [...new Set(found.map((line) => line.slice(0, 2)))].sort(),
    ['I4', 'I6'],
    found.join('; '),
  );
});

describe('a disk that was written to', () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ['a missing entry', 'DELETE FROM entries WHERE idx = 17', ['I2']],
    ['a missing tail', 'DELETE FROM entries WHERE idx > 290', ['I1', 'I2', 'I3']],
    ['an id that leads elsewhere', "UPDATE ids SET idx = 5 WHERE id = 'before-9'", ['I2']],
    ['an id too few', "DELETE FROM ids WHERE id = 'before-9'", ['I2']],
    ['an id too many', "INSERT INTO ids (id, idx) VALUES ('nobody', 4)", ['I2']],
    ['a tile with another hash', 'UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0', ['I3']],
    ['a tile of no such size', 'INSERT INTO tiles (level, idx, hashes) VALUES (2, 0, zeroblob(32))', ['I3']],
    ['another root in the head', 'UPDATE head SET root = zeroblob(32)', ['I3']],
    ['another time in the head', 'UPDATE head SET recorded_at = recorded_at + 1', ['I4']],
    ['another checkpoint', "UPDATE head SET checkpoint = CAST('x' AS BLOB)", ['I3', 'I4']],
    ['missing disclosures', 'DELETE FROM disclosures WHERE idx = 20', ['I3', 'I6']],
    [
      'altered disclosures',
      'UPDATE disclosures SET texts = (SELECT texts FROM disclosures WHERE idx = 21) WHERE idx = 20',
      ['I3', 'I6'],
    ],
    [
      'two entries that changed places',
      'UPDATE entries SET idx = -1 WHERE idx = 8; UPDATE entries SET idx = 8 WHERE idx = 9; UPDATE entries SET idx = 9 WHERE idx = -1',
      ['I1', 'I2', 'I3'],
    ],
  ];
  for (const [what, sql, names] of cases) {
    test(`${what}: ${names.join(', ')}`, () => {
      const dir = copy();
      sabotage(join(dir, 'log.db'), (db) => db.exec(sql));
      speaks(breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts: template.receipts }), ...names);
    });
  }
});

describe('what was shown', () => {
  const said = (receipts: readonly KeptReceipt[], observers: readonly (readonly string[])[] = []): string[] =>
    breaches(join(copy(), 'log.db'), { vkey: template.vkey, receipts, observers });
  const receipt = (): KeptReceipt => template.receipts[40]!;

  test('a receipt for another index, other bytes, an event that is not there: I1', () => {
    speaks(said([{ ...receipt(), index: receipt().index + 1 }]), 'I1');
    speaks(said([{ ...receipt(), leafHash: template.receipts[41]!.leafHash }]), 'I1');
    speaks(said([{ ...receipt(), id: 'nobody' }]), 'I1');
    speaks(said([{ ...receipt(), index: 5000 }]), 'I1');
  });

  test('one id acknowledged at two places: I2', () => {
    speaks(said([receipt(), { ...template.receipts[50]!, id: receipt().id }]), 'I2');
  });

  test('a receipt whose checkpoint was changed, or does not reach it: I7', () => {
    const { checkpoint } = receipt();
    speaks(said([{ ...receipt(), checkpoint: checkpoint.replace(/\n\d+\n/, '\n999\n') }]), 'I4', 'I7');
    speaks(said([{ ...receipt(), checkpoint: sign(1, Buffer.alloc(32)) }]), 'I4', 'I7');
  });

  test('two roots for one size: I5', () => {
    speaks(said([], [[sign(template.size, Buffer.alloc(32, 7))]]), 'I4', 'I5');
  });

  test('a size that went back before one observer: I4', () => {
    const roots = new Roots(readLog(join(copy(), 'log.db')).entries.map(({ bytes }) => bytes));
    const [small, large] = [sign(100, roots.at(100)), sign(200, roots.at(200))];
    assert.deepEqual(said([], [[small, large, large]]), []);
    speaks(said([], [[large, small]]), 'I4');
  });

  test('an event that is there in part, or as another one: I6', async () => {
    const dir = copy();
    const recording = await openCommitter(dir, (store) => store);
    await recording.commit([draftOf('partial', { reason: 'not what belongs to this id' })]);
    await recording.close();
    speaks(breaches(join(dir, 'log.db'), { vkey: template.vkey, receipts: [] }), 'I6');
  });
});

describe('the independent verifier itself', () => {
  test('computes the roots of the reference tree of RFC 6962 implementations', () => {
    // The eight leaves and their roots are those of certificate-transparency-go and of every port since.
    const leaves = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const roots = new Roots(leaves.map((hex) => Buffer.from(hex, 'hex')));
    const expected: readonly (readonly [number, string])[] = [
      [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
      [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
      [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
      [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
      [5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
      [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
    ];
    for (const [size, root] of expected) assert.equal(roots.at(size).toString('hex'), root);
  });

  test('computes the digest of a disclosure that RFC 9901 prints', () => {
    const disclosure = Buffer.from(
      'WyI2cU1RdlJMNWhhaiIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0',
      'base64url',
    ).toString('utf8');
    assert.equal(disclosureDigest(disclosure), 'uutlBuYeMDyjLLTpf6Jxi7yNkEF35jdyWMn9U7b_RYY');
  });

  test('opens a note that another implementation signed, and none with a changed letter', () => {
    // The example key and note of golang.org/x/mod/sumdb/note.
    const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const signature =
      'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=';
    const note = `${text}\n\u2014 PeterNeumann ${signature}\n`;
    assert.throws(
      () => openCheckpoint(note, vkey),
      /names no size/,
      'the signature holds; it is no checkpoint',
    );
    assert.throws(() => openCheckpoint(note.replace('answer', 'Answer'), vkey), /does not hold/);
  });
});
