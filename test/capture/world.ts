// What the tests of ORMs and auth libraries share: a real log, what was recorded in it, and SQLite for libraries that expect
// the interface of better-sqlite3.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { after } from 'node:test';
import { createLog, type Log } from 'indelible';
import type { RecordedEvent } from 'indelible/event';
import { createPostgresLog, databaseOf, migrate, type PostgresLog } from 'indelible/postgres';
import type pg from 'pg';
import { poolOf, testServer } from '../support/postgres.ts';

/** Who acts in these tests. */
export const actor = { type: 'user', id: 'u_1' };

/** An embedded log, shared by the tests of a file or of one suite. */
export async function embeddedLog(): Promise<Log> {
  const folder = folderToTheEnd();
  const log = await createLog(join(folder.path, 'audit'), { origin: 'example.com/audit' });
  after(() => log.close().then(folder.remove));
  return log;
}

/** A database with a log in it, shared alike. */
export async function postgresWorld(): Promise<{ url: string; pool: pg.Pool; audit: PostgresLog }> {
  const folder = folderToTheEnd();
  const url = await (await testServer()).database();
  const pool = poolOf(url, 6);
  await migrate(databaseOf(pool));
  const audit = await createPostgresLog(pool, { origin: 'example.com/audit', dir: folder.path });
  after(async () => {
    await audit.close();
    await pool.end();
    folder.remove();
  });
  return { url, pool, audit };
}

function folderToTheEnd(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'indelible-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Asks again and again what was recorded, and hears only what is new. */
export async function sinceNow(all: () => Promise<RecordedEvent[]>): Promise<() => Promise<string[]>> {
  let seen = (await all()).length;
  return async () => {
    const events = await all();
    const fresh = events.slice(seen);
    seen = events.length;
    return fresh.map(lineOf);
  };
}

/** What the application recorded, oldest first; the log's own entries and frames of sources left out. */
export async function recordedIn(log: Pick<Log, 'query'>): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for await (const event of log.query('')) if (!/^(log|source)\./.test(event.action)) events.push(event);
  return events.toReversed();
}

/** What is in the log of a database, once the outbox is empty. */
export async function recordedInPostgres(audit: PostgresLog): Promise<RecordedEvent[]> {
  await audit.drainOutbox();
  return recordedIn(audit.log);
}

/** One event in a line: `record.updated invoices/7 /state open>paid`. */
export function lineOf(event: RecordedEvent): string {
  const show = (value: unknown): string =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  const changes = (event.changes ?? []) as readonly { path: string; from?: unknown; to?: unknown }[];
  const told = changes.map(({ path, from, to }) => ` ${path} ${show(from)}>${show(to)}`);
  const targets = event.targets.map(({ type, id }) => ` ${type}/${id}`);
  const outcome = event.outcome === 'success' ? '' : ` ${event.outcome}`;
  return `${event.action}${outcome}${targets.join('')}${told.join('')}`;
}

/** SQLite as libraries expect it of better-sqlite3. */
export function betterSqlite(database: DatabaseSync) {
  return {
    close: () => database.close(),
    prepare: (sql: string) => {
      const statement = database.prepare(sql);
      return {
        reader: statement.columns().length > 0,
        all: (values: readonly unknown[]) =>
          statement.all(...(values as SQLInputValue[])).map((row) => ({ ...row })),
        run: (values: readonly unknown[]) => statement.run(...(values as SQLInputValue[])),
        iterate: (values: readonly unknown[]) => statement.iterate(...(values as SQLInputValue[])),
      };
    },
  };
}
