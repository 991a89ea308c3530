// Records events; meant to be started by past-log.ts, with a clock of another day.

import { openLog } from 'indelible';
import { openPostgresLog } from 'indelible/postgres';
import pg from 'pg';
import { eventAbout } from './erasure-world.ts';
import type { PastLog } from './past-log.ts';

const { dir, actions, postgres } = JSON.parse(process.argv[2]!) as PastLog;
const events = actions.map((action, n) => ({ ...eventAbout(n), id: undefined, action }) as never);
if (postgres === undefined) {
  await using log = await openLog(dir, { heartbeatMs: 0, createIfMissing: { origin: 'example.com/past' } });
  check(await log.recordMany(events));
} else {
  const pool = new pg.Pool({ connectionString: postgres });
  const audit = await openPostgresLog(pool, {
    ...{ origin: 'example.com/past', dir, heartbeatMs: 0 },
    createIfMissing: {},
  });
  check(await audit.log.recordMany(events));
  await audit.close();
  await pool.end();
}

function check(results: readonly { readonly ok: boolean }[]): void {
  const refused = results.find(({ ok }) => !ok);
  if (refused !== undefined) throw new Error(JSON.stringify(refused));
}
