import { mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { base64Encode, misuse, utf8Encode } from '../bytes/index.ts';
import type { ContextualEvent } from '../context/index.ts';
import {
  createLogOver,
  createSigner,
  type Log,
  type LogReport,
  newRootKey,
  type OpenOptions,
  OUT_OF_REACH,
  OUT_OF_REACH_POSTGRES,
  openLogOver,
  type Receipt,
  SERVICE_DEFAULT,
  signerOf,
  type VerifyOptions,
} from '../log/index.ts';
import { hashLeaf } from '../merkle/index.ts';
import { parseVerifierKey, type Signer } from '../note/index.ts';
import { replaceFile, systemClock } from '../platform/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import { parseProof } from '../verify/index.ts';
import { auditDatabase } from './audit.ts';
import { type Database, databaseOf, type PostgresClient } from './client.ts';
import { Outbox } from './outbox.ts';
import { type OutboxState, POLL_MS_MAX, POLL_MS_MIN, Sequencer } from './sequencer.ts';
import { keyPath, markFor, signerFor, signerNow } from './signing.ts';
import { PostgresStore } from './store.ts';
import type { ApplicationTransaction } from './transaction.ts';

/** How long `awaitReceipt` waits where the caller does not say, milliseconds. */
export const RECEIPT_WAIT_MS_DEFAULT = 10_000;

/** How a log in PostgreSQL is opened. */
export interface PostgresOptions
  extends Pick<
    OpenOptions,
    | 'key'
    | 'mark'
    | 'service'
    | 'version'
    | 'queue'
    | 'meter'
    | 'pseudonymKey'
    | 'heartbeatMs'
    | 'timestamps'
    | 'witnesses'
    | 'publish'
    | 'subjectKeys'
    | 'warn'
  > {
  /** The origin of the log. */
  readonly origin: string;
  /**
   * A folder of this instance: `log.key`, unless `key` names another or answers one; the mark; the search index, which is made when
   * something is searched for. Without it and without `key` the log is read, and written through the outbox.
   */
  readonly dir?: string;
  /** Where the outbox is, if not in the database of the log: connections to the application's own. */
  readonly outbox?: PostgresClient;
  /** Takes what waits in the outbox into the log, where this instance can sign. Default true. */
  readonly sequence?: boolean;
  /** Opens for reading, and writing through the outbox, even where there is a key. Default false. */
  readonly readOnly?: boolean;
  /** Creates the log where there is none. */
  readonly createIfMissing?: PostgresCreation;
}

/** How a log in PostgreSQL is created; fixed for its life. */
export interface PostgresCreation {
  /** The verifier key of a root key kept elsewhere. Without one, `root.key` is made in `dir`, to be moved offline. */
  readonly rootVkey?: string;
  /** What happens to ids that look personal. Default `refuse`. */
  readonly personalIds?: 'refuse' | 'allow' | 'pseudonymise';
}

const optionNames = [
  'origin',
  'dir',
  'outbox',
  'sequence',
  'readOnly',
  'createIfMissing',
  'key',
  'mark',
  'service',
  'version',
  'queue',
  'meter',
  'pseudonymKey',
  'heartbeatMs',
  'timestamps',
  'witnesses',
  'publish',
  'subjectKeys',
  'warn',
];

/** A log in PostgreSQL that is open: a {@link Log}, and the way into it from the application's own transactions. */
export class PostgresLog {
  /** The log itself, with all that a log in a folder can do. */
  readonly log: Log;
  readonly origin: string;
  readonly vkey: string;
  readonly #outbox: Outbox;
  readonly #sequencer: Sequencer;

  /** @internal Use {@link openPostgresLog}. */
  constructor(log: Log, outbox: Outbox, sequencer: Sequencer) {
    this.log = log;
    this.origin = log.origin;
    this.vkey = log.vkey;
    this.#outbox = outbox;
    this.#sequencer = sequencer;
  }

  /** Records an event by itself; see `Log.record`. Needs the signing key. */
  record(event: ContextualEvent): Promise<Receipt> {
    return this.log.record(event);
  }

  /** Records an event with a transaction of the application's; see `Outbox.recordIn`. */
  recordIn(transaction: ApplicationTransaction, event: ContextualEvent): Promise<string> {
    return this.#outbox.recordIn(transaction, event);
  }

  /**
   * Resolves with the receipt of an event that was recorded with a transaction, once that has committed and a sequencer has taken it.
   * Throws `LogError` `receipt_pending` (retryable) after `timeoutMs`, `outbox_refused` where it was set aside.
   */
  async awaitReceipt(id: string, options: { readonly timeoutMs?: number } = {}): Promise<Receipt> {
    const { timeoutMs = RECEIPT_WAIT_MS_DEFAULT } = options;
    const end = systemClock.monotonic() + timeoutMs;
    for (let pauseMs = POLL_MS_MIN; ; pauseMs = Math.min(POLL_MS_MAX, pauseMs * 2)) {
      const receipt = await this.#receipt(id);
      if (receipt !== undefined) return receipt;
      const refused = await this.#sequencer.reason(id);
      if (refused !== undefined) {
        throw new LogError(
          'outbox_refused',
          `the event ${id} was set aside: ${refused.reason} (${refused.code})`,
        );
      }
      if (systemClock.monotonic() >= end) {
        throw new LogError('receipt_pending', `the event ${id} is not in the log yet`, {
          retryable: true,
          hint: 'has its transaction committed, and does an instance with the signing key run?',
        });
      }
      await new Promise((done) => setTimeout(done, pauseMs));
    }
  }

  /** How the outbox stands. */
  outboxState(): Promise<OutboxState> {
    return this.#sequencer.state();
  }

  /** Takes what waits in the outbox now, without waiting for the next look. Answers how many rows that were. */
  drainOutbox(): Promise<number> {
    return this.#sequencer.drain();
  }

  /** Audits the whole log, and what guards it in the database. */
  verify(options: VerifyOptions = {}): Promise<LogReport> {
    return this.log.verify(options);
  }

  /** Stops taking from the outbox, answers everything that was recorded, moves the mark. The connections are the application's. */
  async close(): Promise<void> {
    await this.#sequencer.stop();
    await this.log.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #receipt(id: string): Promise<Receipt | undefined> {
    try {
      const { index, entry, proof } = await this.log.prove(id);
      return {
        id,
        index,
        leafHash: base64Encode(hashLeaf(entry)),
        checkpoint: parseProof(utf8Encode(proof)).checkpoint,
      };
    } catch (error) {
      if (isLogError(error, 'not_found')) return undefined;
      throw error;
    }
  }
}

/**
 * Opens the log of an origin in the application's PostgreSQL. Throws `LogError` `log_missing` where there is none, unless
 * `createIfMissing` says how; `schema_missing` before `indelible pg migrate`; and what `openLog` throws.
 */
export async function openPostgresLog(
  client: PostgresClient,
  options: PostgresOptions,
): Promise<PostgresLog> {
  checkNames(options);
  return open(client, options, true);
}

async function open(
  client: PostgresClient,
  options: PostgresOptions,
  announce: boolean,
): Promise<PostgresLog> {
  const database = databaseOf(client);
  const store = await openStore(database, options);
  const { service = SERVICE_DEFAULT, version, dir, origin } = options;
  const signer = options.readOnly === true ? undefined : await signerFor(options);
  const mark = markFor(options);
  const at = dir === undefined ? undefined : resolve(dir);
  const anchors = at === undefined ? '' : join(at, 'anchors.db');
  const log = await openLogOver(
    {
      origin,
      dir: at ?? `postgres:${origin}`,
      followers: at === undefined ? '' : join(at, 'followers.db'),
      anchors,
      policy: at === undefined ? '' : join(at, 'policy'),
      mldsaKey: at === undefined ? '' : join(at, 'log.mldsa.key'),
      outOfReach: [...OUT_OF_REACH, ...OUT_OF_REACH_POSTGRES],
      folder: at,
      mark,
      index: at === undefined ? '' : join(at, 'index.db'),
      reading: store,
      ...(signer === undefined
        ? {}
        : {
            writing: {
              store,
              signer: signerNow(options, signer),
              mark,
              erasing: at && join(at, 'erasing.json'),
            },
          }),
      verify: (how) => auditDatabase(database, { origin, mark: how.mark ?? mark, anchors }, how),
      backup: () =>
        Promise.reject(
          misuse(
            'type',
            'argument_invalid',
            'a log in PostgreSQL is backed up with its database: pg_basebackup, pg_dump',
          ),
        ),
    },
    openOptions(options),
    announce,
  );
  const { personalIds } = log.reader.identity;
  const told = {
    ...(options.service !== undefined && { service }),
    ...(version !== undefined && { version }),
  };
  const outbox = new Outbox({ origin, personalIds, ...told });
  const sequencer = new Sequencer({
    log,
    database: options.outbox === undefined ? database : databaseOf(options.outbox),
    isTogether: options.outbox === undefined,
    warn: options.warn ?? ((message) => process.emitWarning(message, { type: 'IndelibleWarning' })),
  });
  if (signer !== undefined && options.sequence !== false) sequencer.start();
  return new PostgresLog(log, outbox, sequencer);
}

/**
 * Creates the log of an origin, and opens it. Refuses, with `LogError` `log_exists`, where there is one. The signing key is made in
 * `dir`, or where `key` says, unless that answers one.
 */
export async function createPostgresLog(
  client: PostgresClient,
  options: Omit<PostgresOptions, 'createIfMissing' | 'readOnly'> & PostgresCreation,
): Promise<PostgresLog> {
  const { rootVkey, personalIds, ...rest } = options;
  checkNames(rest);
  await create(databaseOf(client), rest, {
    ...(rootVkey === undefined ? {} : { rootVkey }),
    ...(personalIds === undefined ? {} : { personalIds }),
  });
  return open(client, rest, false);
}

async function openStore(database: Database, options: PostgresOptions): Promise<PostgresStore> {
  try {
    const store = await PostgresStore.open(database, options.origin);
    if ((await store.head()) !== undefined) return store;
  } catch (error) {
    if (!isLogError(error, 'log_missing') || options.createIfMissing === undefined) throw error;
  }
  if (options.createIfMissing === undefined) {
    throw new LogError('log_missing', `the log of ${options.origin} was never begun: it has no entries`);
  }
  try {
    await create(database, options, options.createIfMissing);
  } catch (error) {
    // Another instance did at the same moment, or the key is there and the log is not.
    if (!isLogError(error, 'log_exists')) throw error;
  }
  return PostgresStore.open(database, options.origin);
}

/** Begins the log: its keys, and its first entry. */
async function create(
  database: Database,
  options: PostgresOptions,
  creation: PostgresCreation,
): Promise<void> {
  const { origin, service = SERVICE_DEFAULT, dir } = options;
  const { rootVkey, personalIds = 'refuse' } = creation;
  if (rootVkey === undefined && dir === undefined) {
    throw misuse(
      'type',
      'option_invalid',
      'a new log needs a root key: pass rootVkey, or dir, where one is made to be moved offline',
    );
  }
  if (rootVkey !== undefined) parseVerifierKey(rootVkey);
  const store = await PostgresStore.open(database, origin, { create: true });
  if ((await store.head()) !== undefined) {
    throw new LogError('log_exists', `there is a log of the origin ${origin}`, { hint: 'open it instead' });
  }
  if (dir !== undefined) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const signer = await newSigner(options);
  const made = typeof options.key === 'function' ? [] : [keyPath(options)!];
  try {
    const rootKey = rootVkey ?? newRootKey(join(dir!, 'root.key'), origin);
    if (rootVkey === undefined) made.push(join(dir!, 'root.key'));
    await createLogOver(store, { origin, personalIds, service, signer, rootKey });
    if (dir === undefined) return;
    replaceFile(join(dir, 'log.vkey'), `${signer.vkey}\n`);
    replaceFile(join(dir, 'root.vkey'), `${rootKey}\n`);
  } catch (error) {
    // Keys of a log that never was are taken away; where nobody knows whether it is, or it is, they stay.
    const isNowhere = isLogError(error) && ['log_exists', 'unreachable', 'not_durable'].includes(error.code);
    if (isNowhere) for (const path of made) rmSync(path, { force: true });
    throw error;
  }
}

async function newSigner(options: PostgresOptions): Promise<Signer> {
  const path = keyPath(options);
  if (typeof options.key === 'function') return signerOf(await options.key(), options.origin);
  if (path === undefined)
    throw misuse('type', 'option_invalid', 'a new log needs a signing key: pass key, or dir');
  const signer = createSigner(path, options.origin);
  if (signer !== undefined) return signer;
  throw new LogError(
    'key_exists',
    `there is a signing key at ${path} already, and no log of ${options.origin}`,
    {
      hint: 'two logs under one key are two histories: name another place',
    },
  );
}

/** What of the options is the log's own. */
function openOptions({
  service,
  version,
  queue,
  meter,
  pseudonymKey,
  heartbeatMs,
  timestamps,
  witnesses,
  publish,
  subjectKeys,
  warn,
}: PostgresOptions): OpenOptions {
  const anchoring = { timestamps, witnesses, publish, subjectKeys };
  const given = { service, version, queue, meter, pseudonymKey, heartbeatMs, ...anchoring, warn };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as OpenOptions;
}

function checkNames(options: object): void {
  for (const name of Object.keys(options)) {
    if (!optionNames.includes(name)) {
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${optionNames.join(', ')}`);
    }
  }
}
