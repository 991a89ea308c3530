import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { randomBytes } from '../platform/index.ts';
import { LogError } from '../store/index.ts';

const SCHEMA_VERSION = 4;
const SECRET_BYTES = 32;

const erasureTable = `CREATE TABLE IF NOT EXISTS erasure (
    id TEXT PRIMARY KEY, log TEXT NOT NULL, subject TEXT NOT NULL, basis TEXT NOT NULL, request_id TEXT NOT NULL,
    state TEXT NOT NULL, requested_by TEXT NOT NULL, requested_hand TEXT NOT NULL, requested_at INTEGER NOT NULL,
    approved_by TEXT, approved_at INTEGER, due_at INTEGER, ended_at INTEGER, why TEXT, idx INTEGER, removed INTEGER
  ) STRICT`;

/** What {@link erasureTable} lacked: it holds requests of another kind as well, and where retention stands. */
const retentionTables = `ALTER TABLE erasure ADD COLUMN kind TEXT NOT NULL DEFAULT 'erasure';
  ALTER TABLE erasure ADD COLUMN policy TEXT;
  CREATE TABLE retention_run (log TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT`;

const schema = `
  CREATE TABLE api_key (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, log TEXT, service TEXT NOT NULL,
    secret_hash BLOB NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER,
    revoked_at INTEGER, created_by TEXT
  ) STRICT;
  CREATE TABLE session (
    token_hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, scopes TEXT NOT NULL, log TEXT,
    issuer TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE link (
    token_hash TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, log TEXT, issuer TEXT NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE embedder (
    origin TEXT PRIMARY KEY, expires_at INTEGER NOT NULL
  ) STRICT;
  ${erasureTable};
  ${retentionTables};
  CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
`;

/** What each version of the schema lacked, by the version that lacked it. */
const migrations: Readonly<Record<number, string>> = {
  1: 'ALTER TABLE api_key ADD COLUMN created_by TEXT',
  2: erasureTable,
  3: retentionTables,
};

/**
 * `server.db`: what a server knows beside its logs, which is who may ask. No credential is in it, only what tells a
 * right one from a wrong one. Small and rarely written, so it is used on the thread that serves.
 */
export class ServerDatabase {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const path = join(dataDir, 'server.db');
    // SQLite gives its journals the mode of the database.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    this.#db = new DatabaseSync(path, { timeout: 5000 });
    this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON');
    this.#create();
  }

  run(sql: string, ...values: (string | number | null | Uint8Array)[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  get<T>(sql: string, ...values: (string | number | null | Uint8Array)[]): T | undefined {
    return this.#prepared(sql).get(...values) as T | undefined;
  }

  all<T>(sql: string, ...values: (string | number | null | Uint8Array)[]): readonly T[] {
    return this.#prepared(sql).all(...values) as T[];
  }

  /** Changes when another connection, the command line's say, has written. */
  get version(): number {
    return this.get<{ data_version: number }>('PRAGMA data_version')!.data_version;
  }

  /** A secret of this server under a name, made when it is first asked for. */
  secret(name: string): Uint8Array {
    this.run('INSERT OR IGNORE INTO secret VALUES (?, ?)', name, randomBytes(SECRET_BYTES));
    return this.get<{ value: Uint8Array }>('SELECT value FROM secret WHERE name = ?', name)!.value;
  }

  transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #create(): void {
    this.transaction(() => {
      const version = this.get<{ user_version: number }>('PRAGMA user_version')!.user_version;
      if (version > SCHEMA_VERSION) {
        throw new LogError('schema_newer', 'server.db was written by a newer release');
      }
      if (version === SCHEMA_VERSION) return;
      if (version === 0) this.#db.exec(schema);
      else for (let from = version; from < SCHEMA_VERSION; from += 1) this.#db.exec(migrations[from]!);
      this.#db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    });
  }
}
