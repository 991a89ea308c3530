import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import type { Database, Session } from './client.ts';
import { withSession } from './client.ts';
import { forgetStatistics } from './erasure-schema.ts';
import { examine } from './examine.ts';
import { inOurWords, sqlState } from './failure.ts';
import { roles, schemaFunctions, schemaTables, tableGrants } from './layout.ts';
import { logTriggers, SCHEMA_VERSION, type SchemaTrigger } from './schema.ts';
import { createFunction } from './schema-function.ts';

/** What a migration has done. */
export interface Migration {
  /** The version that was there; 0 where there was none. */
  readonly from: number;
  readonly to: number;
}

/** Two migrations at once run into one another in the catalogue; the later one finds everything done. */
const COLLISIONS = ['23505', '42P06', '42P07', '42710', '42723', 'XX000', '40P01'];

/** How often a migration that met another begins again. */
const ATTEMPTS = 12;

/**
 * Makes the schema `indelible`, or brings it to this version, in one transaction. The one who calls it may make roles and
 * schemas. Doing it again changes nothing. Throws `LogError` `schema_newer`, `not_permitted`, `unreachable`.
 */
export async function migrate(database: Database): Promise<Migration> {
  return inOurWords('the schema cannot be made', async () => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await withSession(database, migrateOnce);
      } catch (error) {
        if (attempt === ATTEMPTS || !COLLISIONS.includes(sqlState(error) ?? '')) throw error;
        await sleep(randomBytes(1)[0]!);
      }
    }
  });
}

async function migrateOnce(session: Session): Promise<Migration> {
  await session.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  try {
    // Whoever else is at the same work waits here, before it has read anything: who has read the table and waits for its lock, and
    // who has the lock and waits for the readers to end, would wait for each other.
    if (await hasSchema(session)) await lockSchema(session);
    const from = await schemaVersion(session);
    if (from > SCHEMA_VERSION) throw newer(from);
    if (from === 0) {
      await makeTables(session);
      await lockSchema(session);
    }
    await session.query("SELECT set_config('indelible.own_ddl', 'on', true)");
    if (from < SCHEMA_VERSION || !(await isSound(session))) {
      await renew(session);
      await session.query(
        `INSERT INTO indelible.schema_version (version, migrated_by) VALUES (${SCHEMA_VERSION}, session_user)
         ON CONFLICT (one) DO UPDATE SET version = excluded.version, migrated_at = now(), migrated_by = excluded.migrated_by`,
      );
    }
    await session.query(PARTITIONS);
    await session.query('COMMIT');
    return { from, to: SCHEMA_VERSION };
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Partitions for this month and the three after it. */
const PARTITIONS = `SELECT indelible.ensure_partition(m) FROM generate_series(
  extract(year FROM now() AT TIME ZONE 'UTC')::integer * 12 + extract(month FROM now() AT TIME ZONE 'UTC')::integer - 1,
  extract(year FROM now() AT TIME ZONE 'UTC')::integer * 12 + extract(month FROM now() AT TIME ZONE 'UTC')::integer + 2) AS m`;

/** Whether nothing is to be mended: to set anew what stands is to leave a trail of changes that change nothing. */
async function isSound(session: Session): Promise<boolean> {
  await session.query('SAVEPOINT look');
  try {
    return (await examine(session)).every((drift) => drift.of !== 'append_only');
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    await session.query('ROLLBACK TO look');
    return false;
  }
}

/** The version of the schema that is there; 0 where there is none. */
export async function schemaVersion(session: Session): Promise<number> {
  if (!(await hasSchema(session))) return 0;
  const [row] = await session.query('SELECT version FROM indelible.schema_version');
  return Number(row?.['version'] ?? 0);
}

async function hasSchema(session: Session): Promise<boolean> {
  const [row] = await session.query("SELECT to_regclass('indelible.schema_version') IS NOT NULL AS there");
  return row?.['there'] === true;
}

async function lockSchema(session: Session): Promise<void> {
  await session.query('LOCK TABLE indelible.schema_version IN ACCESS EXCLUSIVE MODE');
}

/** Refuses a schema of another version. Throws `LogError` `schema_missing`, `schema_newer`. */
export async function requireSchema(session: Session): Promise<void> {
  const version = await schemaVersion(session);
  if (version > SCHEMA_VERSION) throw newer(version);
  if (version < SCHEMA_VERSION) {
    const message =
      version === 0 ? 'this database has no schema of Indelible' : `its schema has version ${version}`;
    throw new LogError('schema_missing', message, { hint: 'run indelible pg migrate URL' });
  }
}

function newer(version: number): LogError {
  return new LogError(
    'schema_newer',
    `the schema has version ${version}; this release knows ${SCHEMA_VERSION}`,
    {
      hint: 'use the release that made it, or a later one',
    },
  );
}

async function makeTables(session: Session): Promise<void> {
  for (const role of roles) {
    await session.query(`DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF;
    END $$`);
  }
  // Whoever is no superuser has to be of the owners' roles to hand things over to them.
  await session.query(`DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
      EXECUTE format('GRANT indelible_owner, indelible_capture TO %I', current_user);
    END IF;
  END $$`);
  await session.query('CREATE SCHEMA indelible AUTHORIZATION indelible_owner');
  for (const statement of schemaTables) await session.query(statement);
}

/** Functions, triggers, owners and grants are set anew: this is also what mends what a doctor has found. */
async function renew(session: Session): Promise<void> {
  for (const made of schemaFunctions) await session.query(createFunction(made));
  for (const trigger of logTriggers) await session.query(createTrigger(trigger));
  await session.query(TAKE_BACK);
  await session.query(forgetStatistics);
  await session.query(`GRANT CREATE ON SCHEMA indelible TO indelible_capture`);
  for (const { name, args, grant, owner = 'indelible_owner' } of schemaFunctions) {
    const called = `indelible.${name}(${inArgs(args)})`;
    await session.query(`ALTER FUNCTION ${called} OWNER TO ${owner}`);
    await session.query(`REVOKE ALL ON FUNCTION ${called} FROM PUBLIC`);
    if (grant.length > 0) await session.query(`GRANT EXECUTE ON FUNCTION ${called} TO ${grant.join(', ')}`);
  }
  await session.query(`REVOKE CREATE ON SCHEMA indelible FROM indelible_capture;
    GRANT USAGE ON SCHEMA indelible TO PUBLIC`);
  for (const grant of tableGrants) {
    const [role, right, table] = grant.split(' ');
    await session.query(`GRANT ${right} ON indelible.${table} TO ${role}`);
  }
}

/** Gives everything to its owner, lets every trigger fire always, and takes back whatever was granted to anybody. */
const TAKE_BACK = `DO $$
  DECLARE
    thing record;
  BEGIN
    ALTER SCHEMA indelible OWNER TO indelible_owner;
    FOR thing IN SELECT c.oid::regclass AS name FROM pg_catalog.pg_class c
      WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p') LOOP
      EXECUTE format('ALTER TABLE %s OWNER TO indelible_owner', thing.name);
    END LOOP;
    FOR thing IN SELECT t.tgrelid::regclass AS name, t.tgname FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = 'indelible'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A' LOOP
      EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', thing.name, thing.tgname);
    END LOOP;
    FOR thing IN
      SELECT DISTINCT 'TABLE' AS kind, c.oid::regclass::text AS name, g.grantee FROM pg_catalog.pg_class c, LATERAL (
          SELECT grantee FROM pg_catalog.aclexplode(c.relacl)
          UNION SELECT b.grantee FROM pg_catalog.pg_attribute a, LATERAL pg_catalog.aclexplode(a.attacl) b WHERE a.attrelid = c.oid
        ) g WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p') AND g.grantee <> c.relowner
      UNION ALL SELECT DISTINCT 'FUNCTION', p.oid::regprocedure::text, g.grantee FROM pg_catalog.pg_proc p, LATERAL pg_catalog.aclexplode(p.proacl) g
        WHERE p.pronamespace = 'indelible'::regnamespace AND g.grantee <> p.proowner
      UNION ALL SELECT DISTINCT 'SCHEMA', 'indelible', g.grantee FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) g
        WHERE n.nspname = 'indelible' AND g.grantee <> n.nspowner LOOP
      EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', thing.kind, thing.name,
        CASE WHEN thing.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(thing.grantee)) END);
    END LOOP;
  END $$`;

/** The statement that makes a trigger, or makes it anew. */
export function createTrigger({ table, name, when, run }: SchemaTrigger): string {
  return `CREATE OR REPLACE TRIGGER ${name} ${when} ON indelible.${table} ${run}`;
}

/** The arguments by which a function is named: not those that it answers in. */
function inArgs(args: string): string {
  return args
    .split(',')
    .filter((arg) => !arg.trim().startsWith('OUT '))
    .join(',');
}
