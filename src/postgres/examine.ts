import { eventTriggers } from './capture-watch.ts';
import type { Row, Session } from './client.ts';
import { schemaFunctions, schemaTables, tableGrants } from './layout.ts';
import { logTriggers, type SchemaTrigger } from './schema.ts';
import { configOf } from './schema-function.ts';

/** Something that is not as the schema was made, or a setting on which durability rests. */
export interface Drift {
  /** What it weakens. */
  readonly of: 'append_only' | 'durability' | 'capture';
  readonly what: string;
}

/** What is not as it was made, for whoever has a connection: see `doctor`. Changes nothing. */
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

interface ExpectedTable {
  readonly table: string;
  readonly columns: readonly string[];
  readonly key: string;
}

/** A table as its statement describes it: the columns in the words of {@link COLUMNS}, and the primary key. */
function expectedTable(statement: string): ExpectedTable | undefined {
  const [, table, body = ''] = /^CREATE TABLE indelible\.(\w+) \(\n([\s\S]*?)\n\)/.exec(statement) ?? [];
  if (table === undefined) return undefined;
  const lines = body.split('\n').map((line) => line.trim().replace(/,$/, ''));
  const apart = lines.flatMap((line) => /^PRIMARY KEY \((.*)\)$/.exec(line)?.[1] ?? []);
  const inline = lines.flatMap((line) => /^(\w+) .*PRIMARY KEY/.exec(line)?.[1] ?? []);
  const key = [...apart, ...inline].join(', ');
  const columns = lines
    .filter((line) => !line.startsWith('PRIMARY KEY'))
    .map((line) => {
      const [, name = '', type = '', rest = ''] = /^(\w+) (\w+(?:\[\])?)(.*)$/.exec(line) ?? [];
      const isNotNull = /NOT NULL|IDENTITY/.test(rest) || key.split(', ').includes(name);
      return [
        name,
        type === 'timestamptz' ? 'timestamp with time zone' : type,
        ...(rest.includes('COLLATE "C"') ? ['collate C'] : []),
        ...(isNotNull ? ['not null'] : []),
        ...(rest.includes('IDENTITY') ? ['identity a'] : []),
        ...[/ DEFAULT (\S+)/.exec(rest)?.[1]].flatMap((value) =>
          value === undefined ? [] : `default ${value}`,
        ),
      ].join(' ');
    });
  return { table, columns, key: `PRIMARY KEY (${key})` };
}

/** The columns of `c`: what they are, how they compare, what is put into them by itself. */
const COLUMNS = `(SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod),
    (SELECT 'collate ' || l.collname FROM pg_collation l JOIN pg_type t ON t.oid = a.atttypid WHERE l.oid = a.attcollation AND l.oid <> t.typcollation),
    CASE WHEN a.attnotnull THEN 'not null' END, 'identity ' || nullif(a.attidentity::text, ''), 'generated ' || nullif(a.attgenerated::text, ''),
    (SELECT 'default ' || pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum)
  ), ';' ORDER BY a.attname::text COLLATE "C") FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`;

async function lookAtTables(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT c.relname, c.relkind::text, c.relrowsecurity AS rls, c.relhasrules AS rules, pg_get_userbyid(c.relowner) AS owner,
       c.relpersistence::text AS persistence, ${COLUMNS} AS columns,
       (SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_index i ON i.indexrelid = k.conindid
        WHERE k.conrelid = c.oid AND k.contype = 'p' AND i.indisvalid) AS key
     FROM pg_class c WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`,
  );
  const there = new Map(rows.map((row) => [String(row['relname']), row]));
  const found: Drift[] = [];
  const expected = schemaTables.flatMap((statement) => expectedTable(statement) ?? []);
  for (const { table, columns, key } of expected) {
    const row = there.get(table);
    if (row === undefined) found.push(weak(`the table ${table} is missing`));
    else if (row['relkind'] !== 'r' && row['relkind'] !== 'p')
      found.push(weak(`${table} is no table any more`));
    else if (row['columns'] !== [...columns].sort().join(';'))
      found.push(weak(`the table ${table} has other columns: ${row['columns']}`));
    else if (row['key'] !== key) found.push(weak(`${table} has lost its primary key`));
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
    if (known.test(name) && row['key'] === null) found.push(weak(`${name} has lost its primary key`));
  }
  return found;
}

async function lookAtFunctions(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT p.proname, p.prosrc, p.prosecdef, pg_get_userbyid(p.proowner) AS owner, array_to_string(p.proconfig, ';') AS config,
       l.lanname AS language, p.provolatile::text AS volatility, p.prokind::text AS kind
     FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'indelible'::regnamespace`,
  );
  const found: Drift[] = [];
  for (const made of schemaFunctions) {
    const { name, body, definer, language, stable, owner = 'indelible_owner' } = made;
    const named = rows.filter((row) => row['proname'] === name);
    const row = named[0];
    if (row === undefined) found.push(weak(`the function ${name} is missing`));
    else if (named.length > 1) found.push(weak(`the function ${name} is there ${named.length} times`));
    else if (row['prosrc'] !== body || row['language'] !== language || row['kind'] !== 'f')
      found.push(weak(`the function ${name} is not as it was made`));
    else if (
      row['prosecdef'] !== definer ||
      row['config'] !== configOf(made) ||
      row['volatility'] !== (stable === true ? 's' : 'v')
    ) {
      found.push(weak(`the function ${name} runs with other rights or settings`));
    } else if (row['owner'] !== owner) found.push(weak(`the function ${name} belongs to ${row['owner']}`));
  }
  const names = schemaFunctions.map(({ name }) => name);
  for (const row of rows) {
    if (!names.includes(String(row['proname'])))
      found.push(weak(`the function ${row['proname']} does not belong here`));
  }
  return found;
}

/** How the server writes a trigger down: all of it, so that none is narrowed by a condition or a list of columns. */
const definitionOf = ({ name, when, run }: SchemaTrigger, table: string): string =>
  `CREATE TRIGGER ${name} ${when} ON indelible.${table} ${run}`;

async function lookAtTriggers(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT c.relname, t.tgname, t.tgenabled::text AS enabled, t.tgfoid::regproc::text AS run, pg_get_triggerdef(t.oid) AS definition
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = 'indelible'::regnamespace AND (NOT t.tgisinternal OR t.tgparentid <> 0)`,
  );
  const there = new Map(rows.map((row) => [`${row['relname']}.${row['tgname']}`, row]));
  const parts = await session.query(
    `SELECT c.relname, p.relname AS parent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
     WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind = 'r'`,
  );
  const wanted = logTriggers.map((one) => ({
    at: `${one.table}.${one.name}`,
    definition: definitionOf(one, one.table),
  }));
  for (const { relname, parent } of parts) {
    for (const one of logTriggers) {
      const at = `${relname}.${one.name}`;
      if (one.table === parent && !wanted.some((other) => other.at === at))
        wanted.push({ at, definition: definitionOf(one, String(relname)) });
    }
  }
  const found: Drift[] = [];
  for (const { at, definition } of wanted) {
    const row = there.get(at);
    there.delete(at);
    if (row === undefined) {
      found.push(weak(`the trigger ${at} is missing`));
      continue;
    }
    const { enabled } = row;
    if (enabled !== 'A')
      found.push(weak(`the trigger ${at} is ${enabled === 'D' ? 'disabled' : 'off for replicas'}`));
    if (!definition.includes(`${row['run']}()`)) found.push(weak(`the trigger ${at} runs ${row['run']}`));
    else if (row['definition'] !== definition)
      found.push(weak(`the trigger ${at} is not as it was made: ${row['definition']}`));
  }
  for (const at of there.keys()) found.push(weak(`the trigger ${at} does not belong here`));
  return found;
}

const grantee = "CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END";

async function lookAtGrants(session: Session): Promise<Drift[]> {
  const onTables = await session.query(
    `SELECT c.relname AS name, ${grantee} AS grantee, g.privilege_type AS right
     FROM pg_class c, LATERAL aclexplode(c.relacl) g
     WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p', 'S') AND g.grantee <> c.relowner
     UNION ALL
     SELECT c.relname || '.' || a.attname, ${grantee}, g.privilege_type
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, LATERAL aclexplode(a.attacl) g
     WHERE c.relnamespace = 'indelible'::regnamespace
     UNION ALL
     SELECT 'in the schema', ${grantee}, g.privilege_type FROM pg_namespace n, LATERAL aclexplode(n.nspacl) g
     WHERE n.nspname = 'indelible' AND g.grantee <> n.nspowner AND (g.privilege_type <> 'USAGE' OR g.grantee <> 0)`,
  );
  const found = onTables
    .map((row) => ({ ...row, told: `${row['grantee']} ${row['right']} ${row['name']}` }))
    .filter(({ told }) => !tableGrants.includes(told))
    .map(({ grantee: who, right, name }: Row) => weak(`${who} may ${right} ${name}`));
  const onFunctions = await session.query(
    `SELECT p.proname AS name, ${grantee} AS grantee
     FROM pg_proc p, LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
     WHERE p.pronamespace = 'indelible'::regnamespace AND g.grantee <> p.proowner`,
  );
  for (const row of onFunctions) {
    const made = schemaFunctions.find(({ name }) => name === row['name']);
    if (made?.grant.some((role) => role === row['grantee']) !== true)
      found.push(weak(`${row['grantee']} may call ${row['name']}`));
  }
  return [...found, ...(await lookAtOwners(session))];
}

/** Whoever is of an owner's role can take everything here away: that is for who migrates, and nobody else. */
async function lookAtOwners(session: Session): Promise<Drift[]> {
  const rows = await session.query(
    `SELECT m.rolname AS member, o.rolname AS role FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member JOIN pg_roles o ON o.oid = a.roleid
     WHERE o.rolname IN ('indelible_owner', 'indelible_capture') AND NOT m.rolsuper
       AND m.rolname NOT IN (SELECT migrated_by FROM indelible.schema_version)
     UNION ALL SELECT pg_get_userbyid(nspowner), 'the owner of the schema' FROM pg_namespace
     WHERE nspname = 'indelible' AND pg_get_userbyid(nspowner) <> 'indelible_owner'`,
  );
  return rows.map(({ member, role }) => weak(`${member} is ${role}, and can take everything here apart`));
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
  const [captured] = await session.query('SELECT to_json(indelible.capture_broken()) AS broken');
  const broken = (captured?.['broken'] ?? []) as readonly string[];
  const found = broken.map(
    (what): Drift => ({ of: 'capture', what: `the trigger ${what} is missing, or does not always fire` }),
  );
  const [made] = await session.query('SELECT watched FROM indelible.schema_version');
  if (made?.['watched'] !== true) return found;
  const rows = await session.query(
    'SELECT evtname, evtenabled::text AS enabled, evtevent, evttags, evtfoid::regproc::text AS run FROM pg_event_trigger',
  );
  for (const { name, event, run } of eventTriggers) {
    const row = rows.find(({ evtname }) => evtname === name);
    const isWhole = row?.['evtevent'] === event && row['run'] === run && row['evttags'] === null;
    if (row?.['enabled'] === 'A' && isWhole) continue;
    const how = row === undefined ? 'missing' : isWhole ? 'not always on' : 'not as it was made';
    found.push({ of: 'capture', what: `the event trigger ${name} is ${how}` });
  }
  return found;
}
