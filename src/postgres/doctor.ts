import { captureTables, eventTriggers } from './capture-schema.ts';
import { type Database, type Session, withSession } from './client.ts';
import { inOurWords } from './failure.ts';
import { requireSchema, schemaFunctions } from './migrate.ts';
import { logTriggers, readableTables, tables } from './schema.ts';

/** Something that is not as the schema was made, or a setting on which durability rests. */
export interface Drift {
  /** What it weakens. */
  readonly of: 'append_only' | 'durability' | 'capture';
  readonly what: string;
}

/**
 * Compares what guards the logs of a database with what was made: triggers, functions, owners, grants, columns, and the settings
 * on which durability rests. Empty where all is well; `indelible pg migrate` mends functions, triggers and grants. Throws `LogError`
 * `schema_missing`, `schema_newer`, `unreachable`.
 */
export async function doctor(database: Database): Promise<Drift[]> {
  return inOurWords('the schema cannot be examined', () =>
    withSession(database, async (session) => {
      await requireSchema(session);
      return examine(session);
    }),
  );
}

/** As {@link doctor}, with a connection that is there. */
export async function examine(session: Session): Promise<Drift[]> {
  const found: Drift[] = [];
  for (const look of [
    lookAtTables,
    lookAtFunctions,
    lookAtTriggers,
    lookAtGrants,
    lookAtSettings,
    lookAtCapture,
  ]) {
    found.push(...(await look(session)));
  }
  return found;
}

const weak = (what: string): Drift => ({ of: 'append_only', what });

/** The columns of a table as its statement names them: `name type`. */
function columnsOf(
  statement: string,
): { readonly table: string; readonly columns: readonly string[] } | undefined {
  const [, table = '', body = ''] = /^CREATE TABLE indelible\.(\w+) \(\n([\s\S]*?)\n\)/.exec(statement) ?? [];
  if (table === '') return undefined;
  const lines = body.split('\n').map((line) => line.trim());
  const columns = lines.flatMap((line) => {
    const [, name, type] = /^([a-z_]+) ([a-z0-9_]+(?:\[\])?)/.exec(line) ?? [];
    return name === undefined || type === undefined
      ? []
      : [`${name} ${type === 'timestamptz' ? 'timestamp with time zone' : type}`];
  });
  return { table, columns: columns.filter((column) => !column.startsWith('PRIMARY')) };
}

async function lookAtTables(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT c.relname, c.relkind::text, c.relrowsecurity AS rls, c.relhasrules AS rules, pg_get_userbyid(c.relowner) AS owner,
       c.relpersistence::text AS persistence,
       (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ',' ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) AS keyed
     FROM pg_class c WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
  );
  const there = new Map(rows.map((row) => [String(row['relname']), row]));
  const found: Drift[] = [];
  const expected = [...tables, ...captureTables].flatMap((statement) => columnsOf(statement) ?? []);
  for (const { table, columns } of expected) {
    const row = there.get(table);
    if (row === undefined) found.push(weak(`the table ${table} is missing`));
    else if (row['relkind'] !== 'r' && row['relkind'] !== 'p')
      found.push(weak(`${table} is no table any more`));
    else if (row['columns'] !== [...columns].sort().join(','))
      found.push(weak(`the table ${table} has other columns: ${row['columns']}`));
  }
  const known = /^(?:(?:entries|disclosures)_\d+|ids_\d)$/;
  for (const [name, row] of there) {
    if (!known.test(name) && !expected.some(({ table }) => table === name))
      found.push(weak(`${name} does not belong here`));
    if (row['owner'] !== 'indelible_owner') found.push(weak(`${name} belongs to ${row['owner']}`));
    if (row['rules'] === true) found.push(weak(`${name} has rules, which rewrite what is asked of it`));
    if (row['rls'] === true) found.push(weak(`${name} has row security, which hides rows`));
    if (row['persistence'] !== 'p')
      found.push({ of: 'durability', what: `${name} is not kept over a crash` });
    if (row['keyed'] !== true) found.push(weak(`${name} has lost its primary key`));
  }
  return found;
}

async function lookAtFunctions(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT p.proname, p.prosrc, p.prosecdef, pg_get_userbyid(p.proowner) AS owner, array_to_string(p.proconfig, ';') AS config
     FROM pg_proc p WHERE p.pronamespace = 'indelible'::regnamespace`,
  );
  const found: Drift[] = [];
  for (const { name, body, definer } of schemaFunctions) {
    const named = rows.filter((row) => row['proname'] === name);
    const row = named[0];
    if (row === undefined) found.push(weak(`the function ${name} is missing`));
    else if (named.length > 1) found.push(weak(`the function ${name} is there ${named.length} times`));
    else if (row['prosrc'] !== body) found.push(weak(`the function ${name} is not as it was made`));
    else if (row['prosecdef'] !== definer || row['config'] !== 'search_path=pg_catalog, pg_temp') {
      found.push(weak(`the function ${name} runs with other rights or settings`));
    } else if (row['owner'] !== 'indelible_owner')
      found.push(weak(`the function ${name} belongs to ${row['owner']}`));
  }
  const names = schemaFunctions.map(({ name }) => name);
  for (const row of rows) {
    if (!names.includes(String(row['proname'])))
      found.push(weak(`the function ${row['proname']} does not belong here`));
  }
  return found;
}

async function lookAtTriggers(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT c.relname, t.tgname, t.tgenabled::text AS enabled, t.tgfoid::regproc::text AS run
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = 'indelible'::regnamespace AND (NOT t.tgisinternal OR t.tgparentid <> 0)`,
  );
  const there = new Map(rows.map((row) => [`${row['relname']}.${row['tgname']}`, row]));
  const parts = await session.query(
    `SELECT c.relname, p.relname AS parent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
     WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind = 'r'`,
  );
  const wanted = logTriggers.map(({ table, name, run }) => ({ at: `${table}.${name}`, run }));
  for (const { relname, parent } of parts) {
    for (const { table, name, run } of logTriggers) {
      const at = `${relname}.${name}`;
      if (table === parent && !wanted.some((one) => one.at === at)) wanted.push({ at, run });
    }
  }
  const found: Drift[] = [];
  for (const { at, run } of wanted) {
    const row = there.get(at);
    there.delete(at);
    if (row === undefined) {
      found.push(weak(`the trigger ${at} is missing`));
      continue;
    }
    const { enabled } = row;
    if (enabled !== 'A')
      found.push(weak(`the trigger ${at} is ${enabled === 'D' ? 'disabled' : 'off for replicas'}`));
    if (!run.includes(`${row['run']}()`)) found.push(weak(`the trigger ${at} runs ${row['run']}`));
  }
  for (const at of there.keys()) found.push(weak(`the trigger ${at} does not belong here`));
  return found;
}

async function lookAtGrants(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT c.relname AS name, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END AS grantee, g.privilege_type AS right
     FROM pg_class c, LATERAL aclexplode(c.relacl) g
     WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p', 'S') AND g.grantee <> c.relowner
     UNION ALL
     SELECT c.relname || '.' || a.attname, CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END, g.privilege_type
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, LATERAL aclexplode(a.attacl) g
     WHERE c.relnamespace = 'indelible'::regnamespace`,
  );
  const readable: readonly string[] = readableTables;
  const found = rows.flatMap(({ name, grantee, right }) => {
    const isOurs = right === 'SELECT' && readable.includes(String(name));
    if (isOurs && (grantee === 'indelible_writer' || grantee === 'indelible_reader')) return [];
    return [weak(`${grantee} may ${right} ${name}`)];
  });
  const loose = await session.query(
    `SELECT p.proname AS name FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
     WHERE p.pronamespace = 'indelible'::regnamespace AND g.grantee = 0`,
  );
  const open = schemaFunctions.filter(({ grant }) => grant.includes('PUBLIC')).map(({ name }) => name);
  for (const { name } of loose) {
    if (!open.includes(String(name))) found.push(weak(`PUBLIC may call ${name}`));
  }
  return found;
}

async function lookAtSettings(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
  );
  const overrides = await session.query(
    `SELECT coalesce(d.datname, 'every database') || ', ' || coalesce(r.rolname, 'every role') AS whose, s.setting
     FROM pg_db_role_setting o CROSS JOIN unnest(o.setconfig) AS s(setting)
     LEFT JOIN pg_database d ON d.oid = o.setdatabase LEFT JOIN pg_roles r ON r.oid = o.setrole
     WHERE s.setting ILIKE 'synchronous_commit=off' OR s.setting ILIKE 'session_replication_role=%'`,
  );
  const off = rows.filter(({ setting }) => setting === 'off');
  return [
    ...off.map(
      ({ name }): Drift => ({ of: 'durability', what: `${name} is off: what is acknowledged may be lost` }),
    ),
    ...overrides.map(
      ({ whose, setting }): Drift => ({ of: 'durability', what: `${setting} is set for ${whose}` }),
    ),
  ];
}

async function lookAtCapture(session: Session): Promise<Drift[]> {
  const [captured] = await session.query('SELECT indelible.capture_broken() AS broken');
  const broken = (captured?.['broken'] ?? []) as readonly string[];
  const found = broken.map(
    (what): Drift => ({ of: 'capture', what: `the trigger ${what} is missing, or does not always fire` }),
  );
  const [any] = await session.query('SELECT count(*) AS count FROM pg_event_trigger WHERE evtname LIKE $1', [
    'indelible%',
  ]);
  if (Number(any?.['count'] ?? 0) === 0) return found;
  const rows = await session.query('SELECT evtname, evtenabled::text AS enabled FROM pg_event_trigger');
  for (const { name } of eventTriggers) {
    const row = rows.find(({ evtname }) => evtname === name);
    if (row?.['enabled'] !== 'A')
      found.push({
        of: 'capture',
        what: `the event trigger ${name} is ${row === undefined ? 'missing' : 'not always on'}`,
      });
  }
  return found;
}
