import { parseEntry } from '../event/index.ts';
import { typeOf } from './captured-row.ts';
import { type Database, type Session, withSession } from './client.ts';
import { inOurWords } from './failure.ts';
import { requireSchema } from './migrate.ts';
import { PostgresStore } from './store.ts';

/** Entries that are read at once. */
const READ_ENTRIES = 1000;

/** How one table stands. */
export interface TableCoverage {
  readonly table: string;
  readonly captured: boolean;
  /** Its origin; undefined where it is not captured. */
  readonly origin?: string;
  /** Triggers that do not fire as they should. */
  readonly broken: readonly string[];
  /** Rows that were written since the time asked for and are still there; undefined where the server does not keep commit times. */
  readonly rows?: number;
  /** Those of them whose transaction left no event of this table, in the log or on its way there. */
  readonly unmatched?: number;
}

/** Where captured events are looked up. */
export type FindTransactions = (
  origin: string,
  since: Date,
) => Promise<ReadonlyMap<string, ReadonlySet<string>>>;

/**
 * Which tables are captured and which are not, and whether each row of a captured table that was written since `since` belongs to
 * a transaction of which there is an event. `find` answers the transactions of each table that are in a log; it is read from this
 * database where the log is not elsewhere. The times of commits
 * are kept by a server with `track_commit_timestamp = on`; rows that were deleted since leave none.
 */
export async function coverage(
  database: Database,
  options: { readonly since: Date; readonly find?: FindTransactions },
): Promise<TableCoverage[]> {
  return inOurWords('coverage cannot be worked out', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      const find = options.find ?? ((origin, since) => loggedTransactions(database, origin, since));
      const [setting] = await session.query("SELECT current_setting('track_commit_timestamp') AS kept");
      const rows = await session.query(
        `SELECT n.nspname || '.' || c.relname AS name, c.oid, k.origin, k.name AS captured_as, c.relkind::text AS kind
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN indelible.captured k ON k.relid = c.oid
         WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'indelible')
         ORDER BY 1`,
      );
      const [state] = await session.query('SELECT indelible.capture_broken() AS broken');
      const broken = (state?.['broken'] ?? []) as readonly string[];
      const known = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();
      const found: TableCoverage[] = [];
      for (const row of rows) {
        const table = String(row['name']);
        if (row['origin'] === null) {
          found.push({ table, captured: false, broken: [] });
          continue;
        }
        const origin = String(row['origin']);
        if (!known.has(origin)) known.set(origin, await find(origin, options.since));
        const own = broken.filter(
          (name) => name.startsWith(`${table}.`) || name.startsWith(`${table.replace(/^public\./, '')}.`),
        );
        const counts =
          setting?.['kept'] === 'on' && row['kind'] === 'r'
            ? await unmatchedRows(session, {
                table,
                origin,
                since: options.since,
                logged: known.get(origin)!.get(typeOf(String(row['captured_as']))) ?? new Set(),
              })
            : {};
        found.push({ table, captured: true, origin, broken: own, ...counts });
      }
      return found;
    }),
  );
}

async function unmatchedRows(
  session: Session,
  {
    table,
    origin,
    since,
    logged,
  }: { table: string; origin: string; since: Date; logged: ReadonlySet<string> },
): Promise<{ rows: number; unmatched: number }> {
  const [schema = '', name = ''] = table.split('.');
  const quoted = `"${schema.replaceAll('"', '""')}"."${name.replaceAll('"', '""')}"`;
  const written = await session.query(
    `SELECT xmin::text AS xid, count(*) AS count FROM ONLY ${quoted}
     WHERE pg_xact_commit_timestamp(xmin) >= $1::text::timestamptz GROUP BY 1`,
    [since.toISOString()],
  );
  const waiting = await session.query(
    "SELECT (xid::text::numeric % 4294967296)::text AS xid FROM indelible.outbox WHERE origin = $1 AND kind = 'row' UNION SELECT xmin::text FROM indelible.outbox WHERE origin = $1 AND kind = 'row'",
    [origin],
  );
  const pending = new Set(waiting.map(({ xid }) => String(xid)));
  let rows = 0;
  let unmatched = 0;
  for (const { xid, count } of written) {
    rows += Number(count);
    if (!logged.has(String(xid)) && !pending.has(String(xid))) unmatched += Number(count);
  }
  return { rows, unmatched };
}

/**
 * The transactions of each captured table of which a log holds events since `since`: by type of target, as the lower half of
 * their numbers, which is what a row keeps. It reads the log from its end.
 */
async function loggedTransactions(
  database: Database,
  origin: string,
  since: Date,
): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  const store = await PostgresStore.open(database, origin);
  for (let end = (await store.head())?.size ?? 0; end > 0; end -= READ_ENTRIES) {
    const entries = await store.readEntries(Math.max(0, end - READ_ENTRIES), end);
    let isOlder = false;
    for (const { entry, disclosures } of entries) {
      const { action, targets, correlationId, recordedAt } = parseEntry(entry);
      isOlder ||= Date.parse(recordedAt) < since.getTime();
      const table = targets[0]?.type;
      const transaction = /^tx-(\d+)$/.exec(correlationId ?? '')?.[1];
      if (!action.startsWith('record.') || table === undefined || transaction === undefined) continue;
      const known = found.get(table) ?? new Set<string>();
      found.set(table, known.add(String(Number(transaction) % 2 ** 32)));
      // Within a savepoint a row bears the number of the savepoint.
      for (const text of disclosures) {
        const within = /"savepoint":"(\d+)"/.exec(text)?.[1];
        if (within !== undefined) known.add(within);
      }
    }
    if (isOlder) break;
  }
  return found;
}
