import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../platform/index.ts';
import { isLogError, type Scouring } from '../store/index.ts';
import { type Database, type Row, type Session, textArray, withSession } from './client.ts';
import { inOurWords } from './failure.ts';

/** How long one attempt at a table waits for its lock, milliseconds: those who come behind it wait as long. */
const LOCK_MS = 1_000;

/** Pause between two looks and two attempts, milliseconds. */
const AGAIN_MS = 100;

/** What is written anew after an erasure or a pruning. */
export interface ScouringOf {
  readonly log: number;
  readonly waitMs: number;
  readonly subjects: readonly string[];
  /** The partitions that held what was removed; undefined where nobody knows: then all that may have. */
  readonly partitions: ReadonlySet<string> | undefined;
}

/**
 * Leaves no byte of what was erased or pruned in the relations of a log and of the outbox.
 *
 * VACUUM is not enough: it frees the places of dead rows and packs what is left of a page, and the bytes stay in the gap until they
 * happen to be used. In a table of 2,000 rows of 100 bytes, 28 of 200 deleted ones could be read in the file after it; 536 of 1,000
 * where every second went; of rows of a KiB, 115 of 400. So each table is written into a new file by CLUSTER, which leaves dead rows behind, unless a
 * transaction that began before they died may still want to see them: these are waited for first, twice over, since one
 * that began while another was running sees the past as that one does.
 */
export async function scourDatabase(database: Database, what: ScouringOf): Promise<Scouring> {
  const end = systemClock.monotonic() + what.waitMs;
  return inOurWords('the tables cannot be written anew', () =>
    withSession(database, async (session) => {
      await forgetRefused(session, what);
      if (await isPrepared(session)) {
        return { isClean: false, why: 'a prepared transaction may hold the tables for as long as it likes' };
      }
      for (let round = 0; round < 2; round++) {
        if (!(await watchersGone(session, end))) {
          return { isClean: false, why: 'a transaction that began before the removal is still under way' };
        }
      }
      for (const table of await tablesOf(session, what)) {
        if (!(await isRewritten(session, table, end))) {
          return { isClean: false, why: `the table indelible.${table} was in use all the time` };
        }
      }
      const { slots } = await watching(session);
      if (Number(slots) === 0) return { isClean: true };
      return {
        isClean: false,
        why: 'a replication slot, or a prepared transaction of another database, holds dead rows back',
      };
    }),
  );
}

/** Removes events that were set aside and name these subjects. Where any were set aside, their table is written anew with the outbox. */
export async function forgetBeside(
  database: Database,
  what: Omit<ScouringOf, 'partitions'>,
): Promise<Scouring> {
  const isAny = await inOurWords('refused events cannot be looked at', () =>
    withSession(database, async (session) => {
      const [row] = await session.query(
        'SELECT s.refused > 0 AS there FROM indelible.logs l, LATERAL indelible.outbox_state(l.origin) s WHERE l.log = $1::bigint',
        [what.log],
      );
      return row?.['there'] === true;
    }),
  );
  return isAny ? scourDatabase(database, { ...what, partitions: new Set() }) : { isClean: true };
}

/** Events that were set aside name people as well, and no entry says so. */
async function forgetRefused(session: Session, { log, subjects }: ScouringOf): Promise<void> {
  if (subjects.length === 0) return;
  const ids = subjects.map((subject) => JSON.stringify(subject.slice(subject.indexOf('/') + 1)).slice(1, -1));
  await session.query(
    'SELECT indelible.forget_refused(l.origin, $2::text::text[]) FROM indelible.logs l WHERE l.log = $1::bigint',
    [log, textArray(ids)],
  );
}

/** Whether a transaction is prepared: an attempt at a table that it has written to would only make others wait. */
async function isPrepared(session: Session): Promise<boolean> {
  const [row] = await session.query(
    'SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database()) AS there',
  );
  return row?.['there'] === true;
}

async function watching(session: Session): Promise<Row> {
  const [row] = await session.query(
    'SELECT to_json(transactions) AS transactions, slots FROM indelible.watchers()',
  );
  return row!;
}

/** Whether every transaction that is under way now has ended in time. */
async function watchersGone(session: Session, end: number): Promise<boolean> {
  const first = (await watching(session))['transactions'] as readonly string[];
  let left = new Set(first);
  while (left.size > 0) {
    const now = new Set((await watching(session))['transactions'] as readonly string[]);
    left = new Set([...left].filter((one) => now.has(one)));
    if (left.size === 0) break;
    if (systemClock.monotonic() >= end) return false;
    await sleep(AGAIN_MS);
  }
  return true;
}

async function tablesOf(session: Session, { log, partitions }: ScouringOf): Promise<string[]> {
  const parts =
    partitions === undefined
      ? (await session.query(PARTITIONS_OF_REMOVALS, [log])).map(({ name }) => String(name))
      : [...partitions].sort();
  return [...parts, 'outbox', 'outbox_refused'];
}

/**
 * Every partition that may hold what was removed from a log: of disclosures all, of entries those up to the month of the first that the
 * newest pruning has left.
 */
const PARTITIONS_OF_REMOVALS = `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'indelible.disclosures'::regclass
    OR (i.inhparent = 'indelible.entries'::regclass AND substring(c.relname FROM '[0-9]+$')::integer <= (
      SELECT e.month FROM indelible.entries e WHERE e.log = $1::bigint AND e.idx >= (
        SELECT (convert_from(r.entry, 'UTF8')::json->'metadata'->>'minimum')::bigint
        FROM indelible.ids n JOIN indelible.entries r ON r.log = n.log AND r.idx = n.idx
        WHERE n.log = $1::bigint AND n.id >= 'log.pruned.' AND n.id < 'log.pruned/' ORDER BY n.idx DESC LIMIT 1)
      ORDER BY e.idx LIMIT 1))
  ORDER BY c.relname`;

async function isRewritten(session: Session, table: string, end: number): Promise<boolean> {
  for (;;) {
    try {
      await inOurWords(`the table ${table}`, () =>
        session.query('SELECT indelible.rewrite($1::text, $2::integer)', [table, LOCK_MS]),
      );
      return true;
    } catch (error) {
      if (!isLogError(error) || !error.retryable) throw error;
      if (systemClock.monotonic() >= end) return false;
      await sleep(AGAIN_MS);
    }
  }
}
