import { captureTriggers } from './capture-schema.ts';
import { typeOf } from './captured-row.ts';
import { type Database, type Row, type Session, withSession } from './client.ts';
import {
  type ChangesByTable,
  compareRows,
  type FindChanges,
  loggedChanges,
  waitingChanges,
} from './coverage-rows.ts';
import { inOurWords } from './failure.ts';
import { requireSchema } from './migrate.ts';

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
  /**
   * Those whose transaction left events of this table and none of this row: it was written unseen beside others, or by an UPDATE that changed
   * nothing in it, which is no event.
   */
  readonly unnamed?: number;
}

/**
 * Which tables are captured and which are not, and whether each row of a captured table that was written since `since` has its event,
 * by its primary key and its transaction. `find` answers the events that are in a log; it is read from this database where the log is not
 * elsewhere. The times of commits are kept by a server with `track_commit_timestamp = on`; rows that were deleted since leave none.
 */
export async function coverage(
  database: Database,
  options: { readonly since: Date; readonly find?: FindChanges },
): Promise<TableCoverage[]> {
  const { since, find = (origin, from) => loggedChanges(database, origin, from) } = options;
  return inOurWords('coverage cannot be worked out', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      // One view of the tables and of what waits. What is in it and does not wait any more was in the log before it was taken.
      await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      try {
        return await lookAt(session, since, find);
      } finally {
        await session.query('ROLLBACK').catch(() => {});
      }
    }),
  );
}

async function lookAt(session: Session, since: Date, find: FindChanges): Promise<TableCoverage[]> {
  const [setting] = await session.query("SELECT current_setting('track_commit_timestamp') AS kept");
  const known = new Map<string, ChangesByTable[]>();
  const found: TableCoverage[] = [];
  for (const row of await tablesOf(session)) {
    const table = String(row['name']);
    if (row['origin'] === null) {
      found.push({ table, captured: false, broken: [] });
      continue;
    }
    const origin = String(row['origin']);
    const isCounted = setting?.['kept'] === 'on' && row['kind'] === 'r';
    if (isCounted && !known.has(origin))
      known.set(origin, [await waitingChanges(session, origin), await find(origin, since)]);
    const counts = isCounted ? await counted(session, row, since, known.get(origin)!) : {};
    const broken = String(row['broken']).split(',').filter(Boolean);
    found.push({
      table,
      captured: true,
      origin,
      broken: broken.map((name) => `${table}.${name}`),
      ...counts,
    });
  }
  return found;
}

/** Every table, how it is captured, and which of its triggers do not fire as they should. */
function tablesOf(session: Session): Promise<readonly Row[]> {
  const triggers = captureTriggers.map(({ name }) => `'${name}'`).join(', ');
  return session.query(
    `SELECT n.nspname || '.' || c.relname AS name, c.oid::text AS oid, k.origin, k.name AS captured_as, c.relkind::text AS kind,
       (SELECT coalesce(string_agg(w, ',' ORDER BY w), '') FROM unnest(ARRAY[${triggers}]) AS w
         WHERE k.relid IS NOT NULL AND NOT indelible.capture_stands(c.oid, w)) AS broken
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN indelible.captured k ON k.relid = c.oid
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'indelible')
     ORDER BY 1`,
  );
}

/** Compares the rows of one table with what is known of it. */
function counted(session: Session, row: Row, since: Date, known: readonly ChangesByTable[]) {
  const type = typeOf(String(row['captured_as']));
  const changes = known.map((tables) => tables.get(type));
  return compareRows(session, { oid: String(row['oid']), since }, changes);
}
