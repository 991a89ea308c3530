import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from '../platform/index.ts';
import { LogError } from '../store/index.ts';
import { captureFunctions, captureTables } from './capture-schema.ts';
import type { Database, Session } from './client.ts';
import { withSession } from './client.ts';
import { forgetStatistics } from './erasure-schema.ts';
import { inOurWords, sqlState } from './failure.ts';
import {
  logFunctions,
  logTriggers,
  readableTables,
  SCHEMA_VERSION,
  type SchemaTrigger,
  tables,
} from './schema.ts';
import { createFunction, type SchemaFunction } from './schema-function.ts';

/** The roles of the schema. None can log in: they are granted to those that do. */
export const roles = ['indelible_owner', 'indelible_writer', 'indelible_outbox', 'indelible_reader'] as const;

/** Every function of the schema. */
export const schemaFunctions: readonly SchemaFunction[] = [...logFunctions, ...captureFunctions];

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
    await renew(session);
    await session.query(
      `INSERT INTO indelible.schema_version (version) VALUES (${SCHEMA_VERSION})
       ON CONFLICT (one) DO UPDATE SET version = excluded.version, migrated_at = now()
       WHERE indelible.schema_version.version <> excluded.version`,
    );
    await session.query('COMMIT');
    return { from, to: SCHEMA_VERSION };
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {});
    throw error;
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
  // Whoever is no superuser has to be of the owner's role to hand things over to it.
  await session.query(`DO $$ BEGIN
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
      EXECUTE format('GRANT indelible_owner TO %I', current_user);
    END IF;
  END $$`);
  await session.query('CREATE SCHEMA indelible AUTHORIZATION indelible_owner');
  for (const statement of [...tables, ...captureTables]) await session.query(statement);
}

/** Functions, triggers, owners and grants are set anew each time: this is also what mends what a doctor has found. */
async function renew(session: Session): Promise<void> {
  for (const made of schemaFunctions) await session.query(createFunction(made));
  for (const trigger of logTriggers) await session.query(createTrigger(trigger));
  await session.query(`DO $$
    DECLARE
      thing record;
    BEGIN
      FOR thing IN SELECT c.oid::regclass AS name FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO indelible_owner', thing.name);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, indelible_writer, indelible_outbox, indelible_reader', thing.name);
      END LOOP;
      FOR thing IN SELECT t.tgrelid::regclass AS name, t.tgname FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'indelible'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A' LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', thing.name, thing.tgname);
      END LOOP;
      FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'indelible'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO indelible_owner', thing.name);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, indelible_writer, indelible_outbox, indelible_reader', thing.name);
      END LOOP;
    END $$`);
  await session.query(forgetStatistics);
  await session.query(`
    GRANT USAGE ON SCHEMA indelible TO indelible_writer, indelible_reader;
    GRANT SELECT ON ${readableTables.map((table) => `indelible.${table}`).join(', ')} TO indelible_writer, indelible_reader;
    GRANT USAGE ON SCHEMA indelible TO PUBLIC`);
  for (const { name, args, grant } of schemaFunctions) {
    if (grant.length === 0) continue;
    await session.query(
      `GRANT EXECUTE ON FUNCTION indelible.${name}(${inArgs(args)}) TO ${grant.join(', ')}`,
    );
  }
  await session.query(`SELECT indelible.ensure_partition(m) FROM generate_series(
    extract(year FROM now() AT TIME ZONE 'UTC')::integer * 12 + extract(month FROM now() AT TIME ZONE 'UTC')::integer - 1,
    extract(year FROM now() AT TIME ZONE 'UTC')::integer * 12 + extract(month FROM now() AT TIME ZONE 'UTC')::integer + 2) AS m`);
}

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
