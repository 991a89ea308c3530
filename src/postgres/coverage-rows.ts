import { parseEntry } from '../event/index.ts';
import { type CapturedRow, keyOfRow, NO_KEY, rowNamed, WITHHELD } from './captured-row.ts';
import type { Database, Row, Session } from './client.ts';
import { PostgresStore } from './store.ts';

/** Entries, and rows of the outbox, that are read at once. */
const READ_AT_ONCE = 1000;

/**
 * Events of changed rows: by type of target, by the number of the transaction as a row keeps it (its lower half; of the savepoint, where
 * there is one), by the id of the row, how many.
 */
export type ChangesByTable = ReadonlyMap<string, ChangesByTransaction>;
type ChangesByTransaction = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** Where captured events are looked up. */
export type FindChanges = (origin: string, since: Date) => Promise<ChangesByTable>;

/** How the rows of a table that were written since a time fit the events there are. */
export interface RowsFound {
  readonly rows: number;
  /** Rows whose transaction has left no event of this table. */
  readonly unmatched: number;
  /** Rows without an event of their own, of transactions that have left others. */
  readonly unnamed: number;
}

/** Counts events. */
class Changes {
  readonly tables = new Map<string, Map<string, Map<string, number>>>();

  add(type: string, transaction: string, id: string): void {
    const table = this.tables.get(type) ?? new Map<string, Map<string, number>>();
    const ids = table.get(transaction) ?? new Map<string, number>();
    ids.set(id, (ids.get(id) ?? 0) + 1);
    this.tables.set(type, table.set(transaction, ids));
  }
}

/** The events of captured tables in the log of this database since a time; it is read from its end. */
export async function loggedChanges(
  database: Database,
  origin: string,
  since: Date,
): Promise<ChangesByTable> {
  const found = new Changes();
  const store = await PostgresStore.open(database, origin);
  for (let end = (await store.head())?.size ?? 0; end > 0; end -= READ_AT_ONCE) {
    const entries = await store.readEntries(Math.max(0, end - READ_AT_ONCE), end);
    let isOlder = false;
    for (const { entry, disclosures } of entries) {
      const { action, targets, correlationId, recordedAt } = parseEntry(entry);
      isOlder ||= Date.parse(recordedAt) < since.getTime();
      const [target] = targets;
      const transaction = /^tx-(\d+)$/.exec(correlationId ?? '')?.[1];
      if (!/^record\.(created|updated)$/.test(action) || target === undefined || transaction === undefined)
        continue;
      const savepoint = disclosures.map((text) => /"savepoint":"(\d+)"/.exec(text)?.[1]).find(Boolean);
      found.add(target.type, savepoint ?? String(Number(transaction) % 2 ** 32), target.id);
    }
    if (isOlder) break;
  }
  return found.tables;
}

/** The events that still wait in the outbox. */
export async function waitingChanges(session: Session, origin: string): Promise<ChangesByTable> {
  const found = new Changes();
  for (let after = '-1', rows: readonly Row[] = []; ; after = String(rows.at(-1)!['seq'])) {
    rows = await session.query(
      `SELECT seq::text AS seq, id, kind, body, xid::text AS xid, xmin::text AS row_xid FROM indelible.outbox
       WHERE origin = $1 AND kind = 'row' AND seq > $2::text::bigint ORDER BY outbox.seq LIMIT ${READ_AT_ONCE}`,
      [origin, after],
    );
    for (const row of rows) {
      const { type, id, isThere } = rowNamed({ ...(row as unknown as CapturedRow), atMs: 0 });
      if (isThere) found.add(type, String(row['row_xid']), id);
    }
    if (rows.length < READ_AT_ONCE) return found.tables;
  }
}

/**
 * Compares the rows of one table with the events there are, each by its primary key. A row whose key was withheld, or that has none, takes up
 * one event that names none.
 */
export async function compareRows(
  session: Session,
  table: { readonly oid: string; readonly since: Date },
  known: readonly (ChangesByTransaction | undefined)[],
): Promise<RowsFound> {
  const { quoted, key } = await keyColumns(session, table.oid);
  const left = merged(known);
  const found = { rows: 0, unmatched: 0, unnamed: 0 };
  const select =
    key.length === 0
      ? "''"
      : `json_build_object(${key.map((name) => `${literal(name)}, ${identifier(name)}`).join(', ')})`;
  // As the triggers write what they see.
  await session.query(`SELECT set_config('TimeZone', 'UTC', true), set_config('IntervalStyle', 'postgres', true),
    set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true)`);
  await session.query(`DECLARE indelible_rows NO SCROLL CURSOR FOR SELECT xmin::text AS xid, ${select}::text AS key
    FROM ONLY ${quoted} WHERE pg_xact_commit_timestamp(xmin) >= '${table.since.toISOString()}'::timestamptz`);
  for (;;) {
    const rows = await session.query(`FETCH ${READ_AT_ONCE} FROM indelible_rows`);
    for (const row of rows) {
      found.rows += 1;
      const events = left.get(String(row['xid']));
      if (events === undefined) found.unmatched += 1;
      else if (!takes(events, key.length === 0 ? NO_KEY : keyOfRow(key, String(row['key']))))
        found.unnamed += 1;
    }
    if (rows.length < READ_AT_ONCE) break;
  }
  await session.query('CLOSE indelible_rows');
  return found;
}

/** Whether there is an event for a row; one that names none serves for one row. */
function takes(events: Map<string, number>, id: string): boolean {
  if (id !== NO_KEY && events.has(id)) return true;
  const name = id === NO_KEY ? NO_KEY : WITHHELD;
  const left = events.get(name) ?? 0;
  events.set(name, left - 1);
  return left > 0;
}

function merged(all: readonly (ChangesByTransaction | undefined)[]): Map<string, Map<string, number>> {
  const found = new Map<string, Map<string, number>>();
  for (const changes of all) {
    for (const [transaction, ids] of changes ?? []) {
      const known = found.get(transaction) ?? new Map<string, number>();
      for (const [id, count] of ids) known.set(id, (known.get(id) ?? 0) + count);
      found.set(transaction, known);
    }
  }
  return found;
}

/** The primary key of a table, as its triggers know it. */
async function keyColumns(session: Session, oid: string): Promise<{ quoted: string; key: string[] }> {
  const rows = await session.query(
    `SELECT format('%I.%I', n.nspname, c.relname) AS quoted, a.attname AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
     LEFT JOIN LATERAL generate_series(1, i.indnkeyatts::integer) AS k ON true
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k - 1]
     WHERE c.oid = $1::text::oid ORDER BY k`,
    [oid],
  );
  const named = rows.filter(({ name }) => name !== null);
  return { quoted: String(rows[0]?.['quoted']), key: named.map(({ name }) => String(name)) };
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(name: string): string {
  return `E'${name.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
