import { misuse } from '../bytes/index.ts';
import { LogError } from '../store/index.ts';
import { eventTriggers } from './capture-watch.ts';
import { type Database, type Session, textArray, withSession } from './client.ts';
import { inOurWords, sqlState } from './failure.ts';
import { requireSchema } from './migrate.ts';

/** Columns of one table that are sealed one by one: an event has room for 64 seals, and for so many values in them. */
export const SEALED_COLUMNS_MAX = 32;

/** Which table is captured, and how. */
export interface CaptureOptions {
  /** The origin of the log that its changes go to. */
  readonly origin: string;
  /** `schema.table`. */
  readonly table: string;
  /** Columns whose values never leave the table. */
  readonly exclude?: readonly string[];
  /** Columns that are sealed by themselves, so that each can be handed out, or withheld, alone. */
  readonly seal?: readonly string[];
}

/** What capture sees of a table, and what it does not. */
export interface Captured {
  readonly table: string;
  /** The table and its partitions. */
  readonly relations: readonly string[];
  /** What it cannot see, in words. */
  readonly blind: readonly string[];
}

/**
 * Captures every row change of a table from now on: triggers on it and on all of its partitions, which fire under every replication
 * role. Doing it again changes the columns. Needs the right to make triggers on the table; event triggers, which see schema changes
 * and new partitions, need a superuser: without one, `blind` says what goes unseen. Throws `LogError` `not_found`,
 * `not_permitted`, `schema_missing`; misuse `option_invalid`.
 */
export async function captureTable(database: Database, options: CaptureOptions): Promise<Captured> {
  const { origin, table, exclude = [], seal = [] } = options;
  if (origin === '' || !/^[^.]+\.[^.]+$/.test(table)) {
    throw misuse('type', 'option_invalid', 'capture needs an origin, and a table as schema.table');
  }
  if (seal.length > SEALED_COLUMNS_MAX) {
    throw misuse('range', 'option_invalid', `at most ${SEALED_COLUMNS_MAX} columns are sealed one by one`);
  }
  return inOurWords(`${table} cannot be captured`, () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      await session.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
      try {
        const relations = await install(session, { origin, table, exclude, seal });
        await session.query('COMMIT');
        return { table, relations, blind: await installEventTriggers(session) };
      } catch (error) {
        await session.query('ROLLBACK').catch(() => {});
        throw error;
      }
    }),
  );
}

async function install(session: Session, options: Required<CaptureOptions>): Promise<string[]> {
  const { origin, table, exclude, seal } = options;
  const [schema = '', name = ''] = table.split('.');
  const [found] = await session.query(
    `SELECT c.oid, c.relkind::text AS kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
    [schema, name],
  );
  if (found === undefined) throw new LogError('not_found', `there is no table ${table}`);
  if (schema === 'indelible') throw misuse('range', 'option_invalid', 'the log does not capture itself');
  await checkColumns(session, found['oid'], options);
  const parts = await session.query(
    `WITH RECURSIVE tree (oid, level) AS (
       SELECT $1::oid, 0 UNION SELECT i.inhrelid, t.level + 1 FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
     ) SELECT oid, oid::regclass::text AS name FROM tree ORDER BY level, oid`,
    [String(found['oid'])],
  );
  for (const part of parts) {
    // What is registered without its triggers counts as taken apart: they come first.
    await session.query('SELECT indelible.capture_triggers($1::oid)', [String(part['oid'])]);
    await session.query(
      'SELECT indelible.capture_table($1::oid, $2::oid, $3, $4, $5::text::text[], $6::text::text[])',
      [String(part['oid']), String(found['oid']), table, origin, textArray(exclude), textArray(seal)],
    );
  }
  return parts.map(({ name: relation }) => String(relation));
}

/** A slip in a column's name would let out what was to stay. */
async function checkColumns(
  session: Session,
  oid: unknown,
  { exclude, seal, table }: Required<CaptureOptions>,
): Promise<void> {
  const rows = await session.query(
    `SELECT a.attname, EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS key
     FROM pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped`,
    [String(oid)],
  );
  const columns = new Map(rows.map((row) => [String(row['attname']), row['key'] === true]));
  for (const column of [...exclude, ...seal]) {
    if (!columns.has(column)) throw misuse('range', 'option_invalid', `${table} has no column ${column}`);
  }
  for (const column of exclude) {
    if (columns.get(column) === true) {
      throw misuse(
        'range',
        'option_invalid',
        `${column} is of the primary key of ${table}: it names the row, and cannot be left out`,
      );
    }
  }
}

/** Makes the event triggers where it may; answers what goes unseen where it may not. */
async function installEventTriggers(session: Session): Promise<string[]> {
  const rows = await session.query('SELECT evtname FROM pg_event_trigger');
  const there = new Set(rows.map(({ evtname }) => String(evtname)));
  try {
    for (const { name, event, run } of eventTriggers) {
      if (!there.has(name))
        await session.query(`CREATE EVENT TRIGGER ${name} ON ${event} EXECUTE FUNCTION ${run}()`);
      await session.query(`ALTER EVENT TRIGGER ${name} ENABLE ALWAYS`);
    }
    // From now on the doctor misses them.
    await session.query('UPDATE indelible.schema_version SET watched = true WHERE NOT watched');
    return [];
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    if (eventTriggers.every(({ name }) => there.has(name))) return [];
    return [
      'schema changes, and who disables or drops a trigger: event triggers need a superuser',
      'partitions that are made later: run indelible pg capture again for each',
    ];
  }
}
