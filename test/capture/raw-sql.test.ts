// What counts as a write: everything that is not plainly a read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlsTransaction, mayWrite } from '#dist/capture/raw-sql.js';

test('what plainly reads, and what belongs to a session, passes', () => {
  const reads = [
    'SELECT 1',
    '  (select a from b where c = $1) union values (1)',
    'SELECT \'delete from x\', \'it\'\'s; update\', "insert", "a""update" FROM t -- delete\n',
    'select /* update */ 1;',
    'select * from t for update',
    'SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED;',
    'with a as (select 1) select * from a',
    'EXPLAIN SELECT 1',
    'show search_path',
    'PRAGMA table_info(t)',
    "SET LOCAL app.user = 'delete'",
    'select updated_at, deleted from t where inserted = 1',
    String.raw`select e'it\'s; delete from x'`,
    '',
  ];
  for (const sql of reads) assert.equal(mayWrite(sql), false, sql);
});

test('what writes is found behind comments, reads, quotes of one dialect, and in the middle', () => {
  const writes = [
    'DELETE FROM t',
    '/* select */ delete from t',
    '-- select\nDELETE FROM t',
    'select 1; delete from t',
    'WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x',
    'EXPLAIN ANALYZE DELETE FROM t',
    'SELECT * INTO copy FROM t',
    'TRUNCATE t',
    'DROP TABLE t',
    'CREATE TABLE copy AS SELECT * FROM t',
    'CALL do_it()',
    'DO $$ BEGIN DELETE FROM t; END $$',
    "COPY t FROM '/tmp/x'",
    'REPLACE INTO t VALUES (1)',
    'MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE',
    'PRAGMA writable_schema = 1',
    "select $$'$$; delete from t; select $$'$$",
    'select $a$; delete from t; select $a$',
    "select '\\'; delete from t; --'",
    '/* /* */ delete from t */',
    String.raw`select 1 where x like'\'; delete from t; select '`,
  ];
  for (const sql of writes) assert.equal(mayWrite(sql), true, sql);
});

test('a transaction that a text begins or ends is found', () => {
  for (const sql of [
    'BEGIN',
    'select 1; COMMIT',
    '/* x */ rollback',
    'SAVEPOINT a',
    'start transaction',
    'end',
  ]) {
    assert.equal(controlsTransaction(sql), true, sql);
  }
  for (const sql of ["SELECT 'begin'", 'select begin_at from t'])
    assert.equal(controlsTransaction(sql), false, sql);
});
