import { type BenchEvent, makeEvents } from '../events.ts';
import { inLanes } from '../lanes.ts';
import { startBench } from '../postgres.ts';
import type { Figures, Task } from '../scenario.ts';

/** The trigger that is usually written: it locks, takes the hash of the last row, and chains. */
const schema = `
  CREATE TABLE audit_log (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
    ts timestamptz NOT NULL DEFAULT clock_timestamp(), actor text NOT NULL, action text NOT NULL, target text,
    payload jsonb NOT NULL, prev_hash bytea, hash bytea
  );
  CREATE INDEX ON audit_log (ts); CREATE INDEX ON audit_log (actor, ts); CREATE INDEX ON audit_log (action, ts);
  CREATE FUNCTION chain() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_advisory_xact_lock(1);
    SELECT hash INTO NEW.prev_hash FROM audit_log ORDER BY seq DESC LIMIT 1;
    NEW.hash := sha256(coalesce(NEW.prev_hash, '') || convert_to(NEW.ts::text || NEW.actor || NEW.action || NEW.payload::text, 'UTF8'));
    RETURN NEW;
  END $$;
  CREATE TABLE plain_log (LIKE audit_log INCLUDING ALL);
  CREATE TRIGGER chain BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION chain();
`;

/** Rows a second of the audit table whose trigger chains hashes under a lock, and of the same table without it; 1 and 64 callers. */
export async function run({ dir, quick }: Task): Promise<Figures> {
  const bench = await startBench(dir);
  await bench.pool.query(schema);
  const events = makeEvents(0, 5_000);
  const ms = quick ? 300 : 4_000;
  const into = (table: string) => async (n: number) => {
    const { actor, action, targets, ...rest }: BenchEvent = events[n % events.length]!;
    await bench.pool.query(`INSERT INTO ${table} (actor, action, target, payload) VALUES ($1, $2, $3, $4)`, [
      actor.id,
      action,
      targets[0]?.id ?? null,
      JSON.stringify(rest),
    ]);
  };
  const figures = {
    rate_1: await inLanes(1, ms, into('audit_log')),
    rate_64: await inLanes(64, ms, into('audit_log')),
    plain_64: await inLanes(64, ms, into('plain_log')),
  };
  await bench.end();
  return figures;
}
