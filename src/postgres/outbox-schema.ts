import type { SchemaFunction } from './schema-function.ts';

/**
 * Puts an event into the outbox, within the caller's transaction. It takes no lock that anybody waits for, and notifies nobody. That an
 * application cannot write a row of another kind, it cannot forge what a trigger has seen.
 */
const outboxPut: SchemaFunction = {
  name: 'outbox_put',
  args: 'to_origin text, event_id text, event_body text',
  returns: 'void',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer', 'indelible_outbox'],
  body: `INSERT INTO indelible.outbox (origin, id, kind, body) VALUES (to_origin, event_id, 'event', event_body)`,
};

/** Whether anything waits for the log of an origin. */
const outboxWaits: SchemaFunction = {
  name: 'outbox_waits',
  args: 'of_origin text',
  returns: 'boolean',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer'],
  body: `SELECT EXISTS (SELECT FROM indelible.outbox WHERE origin = of_origin)`,
};

/**
 * The oldest rows that wait, and the rest of the transactions that they are of: a transaction goes into the log whole, as long as its
 * rows are within reach (sixteen times as many as are taken, and no more than that many of others between two of them).
 */
const outboxTake: SchemaFunction = {
  name: 'outbox_take',
  args: `of_origin text, most integer, OUT seq bigint, OUT id text, OUT kind text, OUT body text, OUT xid text, OUT row_xid text,
    OUT at_ms double precision`,
  returns: 'SETOF record',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  first_end bigint;
  reach bigint;
  looked bigint;
  found_end bigint;
  xids xid8[];
BEGIN
  SELECT max(f.seq), array_agg(DISTINCT f.xid) INTO first_end, xids FROM (
    SELECT o.seq, o.xid FROM indelible.outbox o WHERE o.origin = of_origin ORDER BY o.seq LIMIT most
  ) AS f;
  IF first_end IS NULL THEN RETURN; END IF;
  reach := first_end;
  looked := first_end;
  FOR turn IN 1..15 LOOP
    SELECT max(n.seq), max(n.seq) FILTER (WHERE n.xid = ANY (xids)) INTO looked, found_end FROM (
      SELECT o.seq, o.xid FROM indelible.outbox o WHERE o.origin = of_origin AND o.seq > looked ORDER BY o.seq LIMIT most
    ) AS n;
    EXIT WHEN found_end IS NULL;
    reach := found_end;
  END LOOP;
  RETURN QUERY SELECT o.seq, o.id, o.kind, o.body, o.xid::text, o.xmin::text,
      floor(extract(epoch FROM o.at) * 1000)::double precision
    FROM indelible.outbox o
    WHERE o.origin = of_origin AND o.seq <= reach AND (o.seq <= first_end OR o.xid = ANY (xids)) ORDER BY o.seq;
END`,
};

/** Takes rows out of the outbox that are in the log. */
const outboxDone: SchemaFunction = {
  name: 'outbox_done',
  args: 'of_origin text, seqs bigint[]',
  returns: 'void',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DELETE FROM indelible.outbox WHERE origin = of_origin AND seq = ANY(seqs)`,
};

/** Sets one row aside, with the reason for which it cannot become an entry. */
const outboxSetAside: SchemaFunction = {
  name: 'outbox_set_aside',
  args: 'of_origin text, row_seq bigint, why_code text, why text',
  returns: 'void',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer'],
  body: `WITH gone AS (
    DELETE FROM indelible.outbox o WHERE o.origin = of_origin AND o.seq = row_seq RETURNING o.*
  )
  INSERT INTO indelible.outbox_refused (seq, xid, origin, id, kind, body, at, code, reason)
    SELECT seq, xid, origin, id, kind, body, at, why_code, why FROM gone`,
};

/** How the outbox stands. */
const outboxState: SchemaFunction = {
  name: 'outbox_state',
  args: 'of_origin text, OUT waiting bigint, OUT oldest_ms double precision, OUT refused bigint',
  returns: 'record',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer', 'indelible_reader'],
  body: `SELECT (SELECT count(*) FROM indelible.outbox WHERE origin = of_origin),
    (SELECT extract(epoch FROM clock_timestamp() - min(at)) * 1000 FROM indelible.outbox WHERE origin = of_origin),
    (SELECT count(*) FROM indelible.outbox_refused WHERE origin = of_origin)`,
};

/** Why an event of the outbox was set aside, if it was. */
const outboxReason: SchemaFunction = {
  name: 'outbox_reason',
  args: 'of_origin text, event_id text, OUT code text, OUT reason text',
  returns: 'SETOF record',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer', 'indelible_outbox', 'indelible_reader'],
  body: `SELECT r.code, r.reason FROM indelible.outbox_refused r WHERE r.origin = of_origin AND r.id = event_id LIMIT 1`,
};

/** The functions of the outbox. */
export const outboxFunctions: readonly SchemaFunction[] = [
  outboxPut,
  outboxWaits,
  outboxTake,
  outboxDone,
  outboxSetAside,
  outboxState,
  outboxReason,
];
