// The application's own tables: those of better-auth, tenants, invitations and invoices, in SQLite. Nothing here knows of the log.

import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { drizzle } from 'drizzle-orm/sqlite-proxy';

const time = (name: string) => integer(name, { mode: 'timestamp_ms' });

/** What somebody may do in their tenant. */
export const roles = ['owner', 'accountant', 'member'] as const;
export type Role = (typeof roles)[number];

export const user = sqliteTable('user', {
  id: text().primaryKey(),
  name: text().notNull(),
  email: text().notNull().unique(),
  emailVerified: integer('email_verified', { mode: 'boolean' }).notNull(),
  image: text(),
  createdAt: time('created_at').notNull(),
  updatedAt: time('updated_at').notNull(),
  tenant: text().notNull(),
  role: text({ enum: roles }).notNull(),
});

export const session = sqliteTable('session', {
  id: text().primaryKey(),
  expiresAt: time('expires_at').notNull(),
  token: text().notNull().unique(),
  createdAt: time('created_at').notNull(),
  updatedAt: time('updated_at').notNull(),
  ipAddress: text('ip_address'),
  userAgent: text('user_agent'),
  userId: text('user_id').notNull(),
});

export const account = sqliteTable('account', {
  id: text().primaryKey(),
  accountId: text('account_id').notNull(),
  providerId: text('provider_id').notNull(),
  userId: text('user_id').notNull(),
  accessToken: text('access_token'),
  refreshToken: text('refresh_token'),
  idToken: text('id_token'),
  accessTokenExpiresAt: time('access_token_expires_at'),
  refreshTokenExpiresAt: time('refresh_token_expires_at'),
  scope: text(),
  password: text(),
  createdAt: time('created_at').notNull(),
  updatedAt: time('updated_at').notNull(),
});

export const verification = sqliteTable('verification', {
  id: text().primaryKey(),
  identifier: text().notNull(),
  value: text().notNull(),
  expiresAt: time('expires_at').notNull(),
  createdAt: time('created_at'),
  updatedAt: time('updated_at'),
});

/** A tenant, with the verifier key of its log: kept here, so that it does not come from the server that it checks. */
export const tenants = sqliteTable('tenants', {
  id: text().primaryKey(),
  name: text().notNull(),
  vkey: text().notNull(),
});

export const invitations = sqliteTable('invitations', {
  id: text().primaryKey(),
  digest: text().notNull().unique(),
  tenant: text().notNull(),
  email: text().notNull(),
});

export const invoices = sqliteTable('invoices', {
  id: text().primaryKey(),
  tenant: text().notNull(),
  customer: text().notNull(),
  cents: integer().notNull(),
  state: text({ enum: ['open', 'void'] }).notNull(),
});

const tables = `
  CREATE TABLE IF NOT EXISTS user (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
    email_verified INTEGER NOT NULL, image TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    tenant TEXT NOT NULL, role TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, token TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, ip_address TEXT, user_agent TEXT, user_id TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, account_id TEXT NOT NULL, provider_id TEXT NOT NULL,
    user_id TEXT NOT NULL, access_token TEXT, refresh_token TEXT, id_token TEXT, access_token_expires_at INTEGER,
    refresh_token_expires_at INTEGER, scope TEXT, password TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS verification (id TEXT PRIMARY KEY, identifier TEXT NOT NULL, value TEXT NOT NULL,
    expires_at INTEGER NOT NULL, created_at INTEGER, updated_at INTEGER) STRICT;
  CREATE TABLE IF NOT EXISTS tenants (id TEXT PRIMARY KEY, name TEXT NOT NULL, vkey TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS invitations (id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,
    email TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS invoices (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, customer TEXT NOT NULL,
    cents INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
`;

/** Opens the database of the application. */
export function openStore(file: string) {
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA journal_mode = WAL; ${tables}`);
  const db = drizzle(async (query, values, method) => {
    const statement = database.prepare(query);
    statement.setReturnArrays(true);
    const rows = statement.all(...(values as SQLInputValue[])) as unknown[];
    return { rows: (method === 'get' ? rows[0] : rows) as unknown[] };
  });
  return { db, close: () => database.close() };
}

export type Db = ReturnType<typeof openStore>['db'];
