import { captureTable, databaseOf } from 'indelible/postgres';
import { inLanes } from '../lanes.ts';
import { makeLog, startBench } from '../postgres.ts';
import type { Figures, Task } from '../scenario.ts';

const TURNS = 3;

/** A table with ten columns, as an application's are. */
const table = (
  name: string,
): string => `CREATE TABLE ${name} (id bigint PRIMARY KEY, email text, name text, city text, plan text,
  balance numeric, active boolean, created timestamptz DEFAULT now(), updated timestamptz DEFAULT now(), settings jsonb DEFAULT '{"theme":"dark"}')`;

/**
 * The row-copy trigger after the published shape of supa_audit (github.com/supabase/supa_audit: row trigger, JSON of both rows, an id
 * for the record made of its key, an index on each of time, table and record), written anew.
 */
const rowCopy = `
  CREATE TABLE record_version (id bigserial PRIMARY KEY, record_id uuid, old_record_id uuid, op varchar(8) NOT NULL,
    ts timestamptz NOT NULL DEFAULT now(), table_oid oid NOT NULL, table_schema name NOT NULL, table_name name NOT NULL,
    record jsonb, old_record jsonb);
  CREATE INDEX ON record_version USING brin (ts); CREATE INDEX ON record_version (table_oid);
  CREATE INDEX ON record_version (record_id) WHERE record_id IS NOT NULL;
  CREATE INDEX ON record_version (old_record_id) WHERE old_record_id IS NOT NULL;
  CREATE FUNCTION record_id_of(t oid, keys text[], j jsonb) RETURNS uuid STABLE LANGUAGE sql AS $$
    SELECT CASE WHEN j IS NULL THEN NULL ELSE
      md5((SELECT jsonb_agg(j -> k) FROM unnest(keys) k)::text || t::text)::uuid END $$;
  CREATE FUNCTION primary_key_of(t oid) RETURNS text[] STABLE LANGUAGE sql AS $$
    SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = t AND i.indisprimary $$;
  CREATE FUNCTION row_copy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  DECLARE
    keys text[] := primary_key_of(TG_RELID);
    now_row jsonb := to_jsonb(NEW);
    old_row jsonb := to_jsonb(OLD);
  BEGIN
    INSERT INTO record_version (record_id, old_record_id, op, table_oid, table_schema, table_name, record, old_record)
      SELECT record_id_of(TG_RELID, keys, now_row), record_id_of(TG_RELID, keys, old_row), TG_OP, TG_RELID, TG_TABLE_SCHEMA, TG_TABLE_NAME, now_row, old_row;
    RETURN coalesce(NEW, OLD);
  END $$`;

/** What capturing costs a row, over the same statements without a trigger: one row a statement, and a thousand. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const bench = await startBench(dir, 8);
  const { pool } = bench;
  const origin = 'bench.example/capture';
  await makeLog(bench, origin);
  for (const name of ['none', 'copied', 'captured']) await pool.query(table(name));
  await pool.query(rowCopy);
  await pool.query(
    'CREATE TRIGGER copy AFTER INSERT OR UPDATE OR DELETE ON copied FOR EACH ROW EXECUTE FUNCTION row_copy()',
  );
  await captureTable(databaseOf(pool), { origin, table: 'public.captured' });
  const costs: Record<string, number[]> = {};
  const keep = (name: string, us: number): void => {
    costs[name] = [...(costs[name] ?? []), us];
  };
  const rows = quick ? 100 : 1_000;
  for (let turn = 0; turn < TURNS; turn++) {
    for (const name of ['none', 'copied', 'captured']) {
      const from = turn * 1_000_000;
      const insert = await inLanes(4, quick ? 100 : 1_500, async (n) => {
        await pool.query(
          `INSERT INTO ${name} (id, email, name, city, plan, balance, active) VALUES ($1, 'ada.at.example', 'Ada', 'Paris', 'pro', 12.5, true)`,
          [from + n],
        );
      });
      keep(`insert_${name}_us`, (4 * 1e6) / insert);
      const update = await inLanes(4, quick ? 100 : 1_500, async (n) => {
        await pool.query(`UPDATE ${name} SET plan = $2, updated = now() WHERE id = $1`, [
          from + (n % 500),
          `p${n}`,
        ]);
      });
      keep(`update_${name}_us`, (4 * 1e6) / update);
      const begin = performance.now();
      for (let n = 0; n < 5; n++) {
        await pool.query(
          `INSERT INTO ${name} (id, email, name) SELECT $1::bigint + g, 'e' || g, 'n' || g FROM generate_series(1, ${rows}) g`,
          [from + 500_000 + n * rows],
        );
        await pool.query(
          `UPDATE ${name} SET plan = 'bulk' WHERE id > $1::bigint AND id <= $1::bigint + ${rows}`,
          [from + 500_000 + n * rows],
        );
      }
      keep(`bulk_${name}_us`, ((performance.now() - begin) * 1000) / (10 * rows));
      await pool.query('TRUNCATE record_version');
      await pool.query('DELETE FROM indelible.outbox');
    }
  }
  await bench.end();
  return Object.fromEntries(Object.entries(costs).map(([name, values]) => [name, Math.min(...values)]));
}
