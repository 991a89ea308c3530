import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { utf8Decode, utf8Encode } from '../bytes/index.ts';
import { TILE_WIDTH } from '../merkle/index.ts';
import { CannotStage } from './attack.ts';

/** One row of `entries` with everything that stands beside it. */
export interface VictimRow {
  readonly idx: number;
  readonly text: string;
  readonly id: string | undefined;
}

/** How an edit is made. */
export interface EditOptions {
  readonly file?: 'log.db' | 'index.db';
  readonly triggers?: 'restore' | 'leave';
}

/**
 * What somebody does who has the disk: plain SQL on the files of a log, with no help from our own code.
 * Triggers that refuse are dropped first and put back afterwards, word for word, so that nothing but the data tells.
 */
export class Attacker {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /**
   * Opens a database of the log, hands it over with its triggers gone, puts them back, and folds the WAL into the file.
   * `triggers: 'leave'` does not put them back, for edits after which they have no table any more. Throws {@link CannotStage} where no
   * row was changed: that is no attack, and nothing that a verifier could find.
   */
  edit(work: (db: DatabaseSync) => void, { file = 'log.db', triggers = 'restore' }: EditOptions = {}): void {
    const db = new DatabaseSync(join(this.dir, file), { defensive: false });
    try {
      const guards = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
      db.exec('BEGIN IMMEDIATE');
      for (const { name } of guards) db.exec(`DROP TRIGGER "${String(name)}"`);
      const before = totalChanges(db);
      work(db);
      if (triggers === 'restore' && totalChanges(db) === before) {
        throw new CannotStage('the log has nothing that the attack would change');
      }
      if (triggers === 'restore') for (const { sql } of guards) db.exec(String(sql));
      db.exec('COMMIT');
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      db.close();
    }
  }

  /** Runs one statement on `log.db`. */
  run(sql: string, ...values: SQLInputValue[]): void {
    this.edit((db) => db.prepare(sql).run(...values));
  }

  /** The row at `index`. */
  row(index: number): VictimRow {
    const db = new DatabaseSync(join(this.dir, 'log.db'), { readOnly: true });
    try {
      const entry = db.prepare('SELECT entry FROM entries WHERE idx = ?').get(index)?.['entry'];
      if (!(entry instanceof Uint8Array)) throw new CannotStage(`the log has no entry ${index}`);
      const id = db.prepare('SELECT id FROM ids WHERE idx = ?').get(index)?.['id'];
      return {
        idx: index,
        text: utf8Decode(entry),
        id: id === undefined ? undefined : String(id),
      };
    } finally {
      db.close();
    }
  }

  /** The first entry after which, itself included, every entry is there: 0 where none was pruned. */
  unbrokenFrom(): number {
    const db = new DatabaseSync(join(this.dir, 'log.db'), { readOnly: true });
    try {
      const row = db
        .prepare(
          `SELECT idx FROM entries AS it WHERE NOT EXISTS (SELECT 1 FROM entries WHERE idx = it.idx - 1)
           ORDER BY idx DESC LIMIT 1`,
        )
        .get();
      // Whole bundles are pruned: what stands alone before the end of one is an entry of the log's own.
      return Math.ceil(Number(row?.['idx'] ?? 0) / TILE_WIDTH) * TILE_WIDTH;
    } finally {
      db.close();
    }
  }

  /** Takes the search index away, so that the log makes a new one from whatever its entries now are. */
  forgetIndex(): void {
    for (const suffix of ['', '-wal', '-shm']) {
      const file = join(this.dir, `index.db${suffix}`);
      if (existsSync(file)) rmSync(file);
    }
  }
}

function totalChanges(db: DatabaseSync): number {
  return Number(db.prepare('SELECT total_changes() AS changes').get()?.['changes']);
}

/** Moves every row from `from` on by `by` places, in all three tables that know an index. */
export function shiftRows(db: DatabaseSync, from: number, by: number): void {
  for (const table of ['entries', 'disclosures', 'ids']) {
    // Through the negative numbers: one statement that passes over its own rows would collide with itself.
    db.prepare(`UPDATE ${table} SET idx = -idx - 1 WHERE idx >= ?`).run(from);
    db.prepare(`UPDATE ${table} SET idx = -idx - 1 + ? WHERE idx < 0`).run(by);
  }
}

/** Removes what is stored at `index`. */
export function deleteRow(db: DatabaseSync, index: number): void {
  for (const table of ['entries', 'disclosures', 'ids']) {
    db.prepare(`DELETE FROM ${table} WHERE idx = ?`).run(index);
  }
}

/** An entry's text with another outcome: what somebody would change who has something to hide. Still canonical. */
export function changeOutcome(text: string): string {
  const changed = text.replace(/"outcome":"(success|failure|denied|unknown)"/, (_, outcome: string) =>
    outcome === 'success' ? '"outcome":"denied"' : '"outcome":"success"',
  );
  if (changed === text) throw new CannotStage('the entry has no outcome to change');
  return changed;
}

/** The bytes of an entry's text. */
export function entryBytes(text: string): Uint8Array {
  return utf8Encode(text);
}
