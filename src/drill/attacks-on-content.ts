import type { DatabaseSync } from 'node:sqlite';
import { type JsonValue, parseJson, utf8Decode, utf8Encode } from '../bytes/index.ts';
import { type Attack, CannotStage, type Scene } from './attack.ts';
import { changeOutcome, entryBytes } from './attacker.ts';

/** Attacks on what one entry says. */
export const contentAttacks: readonly Attack[] = [
  {
    name: 'edit a payload',
    expected: true,
    apply({ attacker, middle }) {
      const { text } = attacker.row(middle);
      attacker.run('UPDATE entries SET entry = ? WHERE idx = ?', entryBytes(changeOutcome(text)), middle);
    },
  },
  {
    name: 'edit a sealed value',
    expected: true,
    apply({ attacker, middle }) {
      attacker.edit((db) => {
        const { idx, texts } = disclosuresFrom(db, middle);
        // The value of the first disclosure: ["salt","name",value].
        const [first = '', ...rest] = texts.split('\n');
        const parts = parseJson(first) as [string, string, JsonValue];
        const forged = JSON.stringify([parts[0], parts[1], 'forged']);
        db.prepare('UPDATE disclosures SET texts = ? WHERE idx = ?').run(
          utf8Encode([forged, ...rest].join('\n')),
          idx,
        );
      });
    },
  },
  {
    name: 'remove a sealed value without a record',
    expected: true,
    apply({ attacker, middle }) {
      attacker.edit((db) => {
        db.prepare('DELETE FROM disclosures WHERE idx = ?').run(disclosuresFrom(db, middle).idx);
      });
    },
  },
  {
    name: "change a column's type",
    expected: true,
    apply: storeEntryAsText,
  },
  {
    name: 'put a view in place of a table',
    expected: true,
    apply({ attacker, middle }) {
      attacker.edit(
        (db) => {
          db.exec(`ALTER TABLE entries RENAME TO entries_real;
          CREATE VIEW entries AS SELECT idx, CASE idx WHEN ${middle}
            THEN CAST(replace(CAST(entry AS TEXT), '"outcome":"success"', '"outcome":"unknown"') AS BLOB)
            ELSE entry END AS entry FROM entries_real`);
        },
        { triggers: 'leave' },
      );
    },
  },
];

/** The first row of sealed values from `index` on, else the first of all. */
function disclosuresFrom(db: DatabaseSync, index: number): { idx: number; texts: string } {
  const row =
    db.prepare('SELECT idx, texts FROM disclosures WHERE idx >= ? ORDER BY idx LIMIT 1').get(index) ??
    db.prepare('SELECT idx, texts FROM disclosures ORDER BY idx LIMIT 1').get();
  if (row === undefined) throw new CannotStage('no entry of the log has a sealed value');
  return { idx: Number(row['idx']), texts: utf8Decode(row['texts'] as Uint8Array) };
}

/**
 * A STRICT table refuses text in a BLOB column, so the declaration is changed behind SQLite's back, the same bytes are
 * stored again as text, and the declaration is put back: nothing differs but the type of one value.
 */
function storeEntryAsText({ attacker, middle }: Scene): void {
  const redeclare = (from: string, to: string): void =>
    attacker.edit((db) => {
      db.exec('PRAGMA writable_schema = ON');
      db.prepare("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = 'entries'").run(from, to);
      db.exec('PRAGMA writable_schema = RESET');
    });
  redeclare('entry BLOB NOT NULL', 'entry TEXT NOT NULL');
  attacker.run('UPDATE entries SET entry = CAST(entry AS TEXT) WHERE idx = ?', middle);
  redeclare('entry TEXT NOT NULL', 'entry BLOB NOT NULL');
}
