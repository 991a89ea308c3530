import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type BenchEvent, makeEvents } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';
import { summarize } from '../statistics.ts';

const schema = `
  CREATE TABLE audit_log (
    id TEXT PRIMARY KEY, ts TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT,
    payload TEXT NOT NULL, prev_hash TEXT NOT NULL, hash TEXT NOT NULL
  );
  CREATE INDEX audit_log_ts ON audit_log (ts);
  CREATE INDEX audit_log_actor ON audit_log (actor, ts);
  CREATE INDEX audit_log_action ON audit_log (action, ts);
`;

/**
 * The audit table that most teams write: one row an event in one transaction, each row's hash over the one before it, three
 * indexes for the screens that search it. Same disk, same durability (WAL, FULL), in the caller's own thread.
 */
export function run({ dir, quick }: Task): Figures {
  const count = quick ? 200 : 30_000;
  const events = makeEvents(0, Math.min(count, 10_000));
  const database = new DatabaseSync(join(dir, 'audit-table.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec(schema);
  const write = prepareWrite(database);
  for (let at = 0; at < count / 8; at += 1) write(events[at % events.length]!);
  const latencies = new Float64Array(count);
  const begin = performance.now();
  for (let at = 0; at < count; at += 1) {
    const asked = performance.now();
    write(events[at % events.length]!);
    latencies[at] = performance.now() - asked;
  }
  const elapsed = performance.now() - begin;
  database.close();
  return summarize(latencies, elapsed);
}

function prepareWrite(database: DatabaseSync): (event: BenchEvent) => void {
  const begin = database.prepare('BEGIN IMMEDIATE');
  const commit = database.prepare('COMMIT');
  const last = database.prepare('SELECT hash FROM audit_log ORDER BY rowid DESC LIMIT 1');
  const insert = database.prepare('INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  return (event) => {
    begin.run();
    const previous = (last.get() as { hash: string } | undefined)?.hash ?? '';
    const payload = JSON.stringify(event);
    const timestamp = new Date().toISOString();
    const hash = createHash('sha256').update(previous).update(timestamp).update(payload).digest('hex');
    const { actor, action, targets } = event;
    insert.run(randomUUID(), timestamp, actor.id, action, targets[0]?.id ?? null, payload, previous, hash);
    commit.run();
  };
}
