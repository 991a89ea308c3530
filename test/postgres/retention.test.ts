// Retention of a log in PostgreSQL: no byte is left in any relation of the server, and the database lets nothing go that the record
// does not cover.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { databaseOf, doctor, migrate, openPostgresLog, PostgresStore } from 'indelible/postgres';
import type pg from 'pg';
import { filesWith, markOf } from '../log/erasure-world.ts';
import { recordInThePast } from '../log/past-log.ts';
import { temporaryFolder } from '../support/folders.ts';
import { poolOf, startServer, type TestServer, whyNoPostgres } from '../support/postgres.ts';

const foreign =
  process.env.INDELIBLE_TEST_PG !== undefined && 'the files of a foreign server are out of reach';
const skip = whyNoPostgres() ?? foreign;
const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };

describe('retention in PostgreSQL', { skip }, () => {
  let server: TestServer;
  let pool: pg.Pool;
  let url: string;

  before(async () => {
    server = await startServer();
    url = await server.database();
    pool = poolOf(url, 10);
    await migrate(databaseOf(pool));
  });
  after(async () => {
    await pool.end();
    await server.stop();
  });

  /** Files of the server with a text in them; its write-ahead log is out of reach, and is left out. */
  async function relationsWith(text: string): Promise<number> {
    await pool.query('CHECKPOINT');
    return readdirSync(server.dataDir, { recursive: true, withFileTypes: true })
      .filter((item) => item.isFile() && !item.parentPath.includes('pg_wal'))
      .filter((item) => readFileSync(join(item.parentPath, item.name)).includes(text)).length;
  }

  test('takes what has passed its period out of every relation, under a hold as well', async (t) => {
    const dir = temporaryFolder(t);
    const actions = Array.from({ length: 350 }, (_, n) => (n % 7 === 3 ? 'record.read' : 'record.written'));
    recordInThePast({ dir, daysAgo: 100, actions, postgres: url });
    await using audit = await openPostgresLog(pool, { origin: 'example.com/past', dir, heartbeatMs: 0 });
    // What JSON of the database cannot hold, and an entry can.
    const nul = await audit.log.record({
      ...{ action: 'note.written', actor: { type: 'user', id: 'u_1' }, clear: ['/metadata'] },
      metadata: { note: 'a\u0000b' },
    });
    const { log } = audit;
    await log.holds.place({ name: 'case-1', actor: 'user/u_3', target: 'invoice/inv_3' });
    const rules = [
      { match: 'record.read', keep: '90d' },
      { match: '*', keep: '7y' },
    ];
    await log.retention.set(rules, atOnce);
    assert.ok((await relationsWith(markOf(3))) > 0);
    const held = await log.retention.apply();
    assert.equal(held.isClean, true, held.residue);
    assert.equal(held.held[0]!.hold, 'case-1');
    assert.ok((await relationsWith(markOf(3))) > 0, 'the hold keeps some');
    await log.holds.release('case-1');
    const rest = await log.retention.apply();
    assert.equal(rest.isClean, true, rest.residue);
    assert.equal(held.entries + rest.entries, 50);
    assert.equal(await relationsWith(markOf(3)), 0);
    assert.deepEqual(filesWith(dir, markOf(3)), []);
    assert.ok((await relationsWith(markOf(2))) > 0);
    const { findings, counts } = await audit.verify();
    assert.deepEqual([findings, counts.missing, counts.erased], [[], 0, held.values + rest.values]);
    assert.deepEqual(await doctor(databaseOf(pool)), []);

    // The database itself looks at the action of each entry: a record of reads lets no write go.
    const store = await PostgresStore.open(databaseOf(pool), audit.origin);
    t.after(() => store.close());
    const [stored] = await store.readEntries(rest.records[0]!, rest.records[0]! + 1);
    const { rows } = await pool.query('SELECT log FROM indelible.logs WHERE origin = $1', [audit.origin]);
    const lets = async (index: number) => {
      const said = Buffer.from(stored!.entry).toString();
      const { rows: answer } = await pool.query('SELECT indelible.lets($1::json, $2, $3) AS lets', [
        said,
        rows[0].log,
        index,
      ]);
      return answer[0].lets;
    };
    // The genesis entry is the first, so the fourth event is entry 4, or 5 behind log.opened.
    const read = (await store.readEntries(0, 9)).find(({ entry }) =>
      Buffer.from(entry).includes('record.read'),
    )!.index;
    const refused = [0, read - 1, nul.index, rest.records[0]!, 99_999];
    assert.deepEqual(await Promise.all([read, ...refused].map(lets)), [true, ...refused.map(() => false)]);
  });
});
