import { DatabaseSync } from 'node:sqlite';

/**
 * Changes `log.db` with plain SQL, as somebody would who may write the file: the triggers are dropped first and put back
 * afterwards, so that the schema shows nothing.
 */
export function sabotage(database: string, work: (db: DatabaseSync) => void): void {
  const db = new DatabaseSync(database, { timeout: 10_000 });
  try {
    db.exec('BEGIN IMMEDIATE');
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${String(name)}`);
    work(db);
    for (const { sql } of triggers) db.exec(String(sql));
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

/** The rows that say where the log ends, as they are now; {@link rollBack} puts them back. */
export interface Moment {
  readonly size: number;
  readonly head: Record<string, unknown>;
  readonly tiles: readonly Record<string, unknown>[];
}

/** Remembers the state of a log. */
export function remember(database: string): Moment {
  const db = new DatabaseSync(database, { readOnly: true, timeout: 10_000 });
  try {
    const head = db.prepare('SELECT * FROM head').get()!;
    return { size: Number(head['size']), head, tiles: db.prepare('SELECT * FROM tiles').all() };
  } finally {
    db.close();
  }
}

/** Takes a log back to a moment: everything after it is gone, and what is left is consistent. */
export function rollBack(database: string, moment: Moment): void {
  sabotage(database, (db) => {
    for (const table of ['entries', 'disclosures', 'ids'])
      db.exec(`DELETE FROM ${table} WHERE idx >= ${moment.size}`);
    db.exec('DELETE FROM tiles; DELETE FROM head');
    const insert = (table: string, row: Record<string, unknown>): void => {
      const names = Object.keys(row);
      const places = names.map(() => '?').join(', ');
      db.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`).run(
        ...(Object.values(row) as never[]),
      );
    };
    insert('head', moment.head);
    for (const tile of moment.tiles) insert('tiles', tile);
  });
}
