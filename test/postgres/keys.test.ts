// The key of a log in PostgreSQL is replaced while several instances write it.

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { applyKeyChange, authoriseKeyChange, readSigner, requestKeyChange } from 'indelible';
import {
  createPostgresLog,
  databaseOf,
  migrate,
  openPostgresLog,
  withPostgresLogKeys,
} from 'indelible/postgres';
import type pg from 'pg';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';

const skip = whyNoPostgres() ?? false;
const origin = 'example.com/rotating';

describe('the keys of a log in PostgreSQL', { skip }, () => {
  let pool: pg.Pool;

  before(async () => {
    pool = poolOf(await (await testServer()).database(), 10);
    await migrate(databaseOf(pool));
  });
  after(() => pool.end());

  test('an instance with the new key goes on, one without signs nothing until it has it', async (t) => {
    const folder = temporaryFolder(t);
    const [here, there] = [join(folder, 'here'), join(folder, 'there')];
    await using one = await createPostgresLog(pool, { origin, dir: here, heartbeatMs: 0 });
    mkdirSync(there);
    copyFileSync(join(here, 'log.key'), join(there, 'log.key'));
    await using two = await openPostgresLog(pool, { origin, dir: there, heartbeatMs: 0 });
    const first = await two.record(signIn('a'));
    const root = readSigner(join(here, 'root.key'));
    const { history } = await withPostgresLogKeys(pool, { origin, dir: here }, async (place) => {
      const requests = await requestKeyChange(place, { rotate: true });
      return applyKeyChange(
        place,
        requests.map((request) => authoriseKeyChange(request, root)),
      );
    });
    assert.equal(readFileSync(join(here, 'log.vkey'), 'utf8').trim(), history.vkey);
    const second = await one.record(signIn('b'));
    await assert.rejects(two.record(signIn('c')), { code: 'key_retired', retryable: true });
    copyFileSync(join(here, 'log.key'), join(there, 'log.key'));
    const third = await two.record(signIn('c'));
    for (const vkey of [one.vkey, history.vkey, root.vkey]) {
      const report = await one.verify({ vkey, held: [first, second, third] });
      assert.deepEqual(report.findings, [], vkey);
    }
    await assert.rejects(
      openPostgresLog(pool, {
        origin,
        key: () => readFileSync(join(here, 'root.key'), 'utf8').replace('/root', ''),
      }),
      { code: 'key_mismatch' },
    );
  });
});
