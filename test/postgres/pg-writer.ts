// A process that records to a log in PostgreSQL until it is killed: it prints each receipt once it has it.
// Arguments: URL, origin, key file, name, how many events, mode: record, outbox, or stay, which then lives on with a heartbeat a second.

import { openPostgresLog } from 'indelible/postgres';
import { poolOf } from '../support/postgres.ts';

const [url, origin, key, name, count, mode] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const pool = poolOf(url, 6);
const audit = await openPostgresLog(pool, {
  origin,
  key,
  mark: `${key}.${name}.mark`,
  heartbeatMs: mode === 'stay' ? 1000 : 0,
  warn: () => {},
});
process.stdout.write('ready\n');
const event = (n: number) => ({
  id: `${name}-${n}`,
  action: 'job.run',
  actor: { type: 'service', id: name },
});
let next = 0;
const lane = async (): Promise<void> => {
  while (next < Number(count)) {
    const n = next++;
    if (mode === 'outbox') {
      const client = await pool.connect();
      await client.query('BEGIN');
      const id = await audit.recordIn(client, event(n));
      await client.query('COMMIT');
      client.release();
      process.stdout.write(`${JSON.stringify({ committed: id })}\n`);
    } else process.stdout.write(`${JSON.stringify(await audit.record(event(n)))}\n`);
  }
};
await Promise.all(Array.from({ length: 8 }, lane));
if (mode === 'stay') await new Promise((resolve) => setTimeout(resolve, 60_000));
await audit.close();
await pool.end();
