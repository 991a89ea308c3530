import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeEvents } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';
import { summarize } from '../statistics.ts';

/**
 * The bare one-row loop: the fastest that `node:sqlite` gives for durable single writes, and so the ceiling for one caller who
 * awaits each record. In this thread, no index, no hash, no signature, the JSON already made.
 */
export function run({ dir, quick }: Task): Figures {
  const count = quick ? 200 : 30_000;
  const rows = makeEvents(0, Math.min(count, 10_000)).map((event) => Buffer.from(JSON.stringify(event)));
  const database = new DatabaseSync(join(dir, 'one-row.db'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  database.exec('CREATE TABLE events (id INTEGER PRIMARY KEY, event BLOB NOT NULL) STRICT');
  const insert = database.prepare('INSERT INTO events (event) VALUES (?)');
  for (let at = 0; at < count / 8; at += 1) insert.run(rows[at % rows.length]!);
  const latencies = new Float64Array(count);
  const begin = performance.now();
  for (let at = 0; at < count; at += 1) {
    const asked = performance.now();
    insert.run(rows[at % rows.length]!);
    latencies[at] = performance.now() - asked;
  }
  const elapsed = performance.now() - begin;
  database.close();
  return summarize(latencies, elapsed);
}
