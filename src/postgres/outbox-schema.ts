import type { SchemaFunction } from './schema-function.ts';

/** The JSON of one event in the outbox, bytes. */
const EVENT_BYTES_MAX = 1_048_576;

/** What is taken at once, bytes, where it is more than one row; and with the rest of the transactions that the rows are of. */
const TAKE_BYTES = 8_388_608;
const TAKE_BYTES_MAX = 33_554_432;

/**
 * Puts an event into the outbox, within the caller's transaction. It takes no lock that anybody waits for, and notifies nobody. That an
 * application cannot write a row of another kind, it cannot forge what a trigger has seen.
 */
const outboxPut: SchemaFunction = {
  name: 'outbox_put',
  args: 'to_origin text, event_id text, event_body text',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer', 'indelible_outbox'],
  body: `BEGIN
  -- Three times what the rules let an event be; it protects who has to read it.
  IF octet_length(event_body) > ${EVENT_BYTES_MAX} OR octet_length(event_id) > 512 OR octet_length(to_origin) > 1024 THEN
    RAISE EXCEPTION 'an event of % bytes is too large for the outbox', octet_length(event_body) USING ERRCODE = '54000';
  END IF;
  INSERT INTO indelible.outbox (origin, id, kind, body) VALUES (to_origin, event_id, 'event', event_body);
END`,
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
 * rows are within reach (sixteen times as many as are taken, 32 MiB, and no more than that many of others between two of them). All of it is
 * one view of the outbox, however many questions it takes: a transaction that commits meanwhile is in none of the answers.
 */
const outboxTake: SchemaFunction = {
  name: 'outbox_take',
  args: `of_origin text, most integer, OUT seq bigint, OUT id text, OUT kind text, OUT body text, OUT xid text, OUT row_xid text,
    OUT at_ms double precision`,
  returns: 'SETOF record',
  language: 'plpgsql',
  definer: true,
  stable: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  first_end bigint;
  reach bigint;
  looked bigint;
  found_end bigint;
  xids xid8[];
  taken bigint;
  more bigint;
BEGIN
  SELECT max(f.seq), array_agg(DISTINCT f.xid), sum(f.bytes) INTO first_end, xids, taken FROM (
    SELECT w.seq, w.xid, w.bytes, sum(w.bytes) OVER (ORDER BY w.seq) - w.bytes AS before FROM (
      SELECT o.seq, o.xid, octet_length(o.body)::bigint AS bytes FROM indelible.outbox o WHERE o.origin = of_origin ORDER BY o.seq LIMIT most
    ) AS w
  ) AS f WHERE f.before < ${TAKE_BYTES};
  IF first_end IS NULL THEN RETURN; END IF;
  reach := first_end;
  looked := first_end;
  FOR turn IN 1..15 LOOP
    SELECT max(n.seq), max(n.seq) FILTER (WHERE n.xid = ANY (xids)), coalesce(sum(n.bytes) FILTER (WHERE n.xid = ANY (xids)), 0)
      INTO looked, found_end, more FROM (
      SELECT o.seq, o.xid, octet_length(o.body)::bigint AS bytes FROM indelible.outbox o
        WHERE o.origin = of_origin AND o.seq > looked ORDER BY o.seq LIMIT most
    ) AS n;
    taken := taken + more;
    EXIT WHEN found_end IS NULL OR taken > ${TAKE_BYTES_MAX};
    reach := found_end;
  END LOOP;
  RETURN QUERY SELECT o.seq, o.id, o.kind, o.body, o.xid::text, o.xmin::text,
      floor(extract(epoch FROM o.at) * 1000)::double precision
    FROM indelible.outbox o
    WHERE o.origin = of_origin AND o.seq <= reach AND (o.seq <= first_end OR o.xid = ANY (xids)) ORDER BY o.seq;
END`,
};

/**
 * Takes rows out of the outbox that are in the log. Where the log is in this database they have to be: whoever may call this, and no
 * more, cannot make what waits disappear.
 */
const outboxDone: SchemaFunction = {
  name: 'outbox_done',
  args: 'of_origin text, seqs bigint[]',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  here bigint := (SELECT h.log FROM indelible.logs l JOIN indelible.heads h ON h.log = l.log WHERE l.origin = of_origin);
BEGIN
  IF here IS NULL THEN
    DELETE FROM indelible.outbox o WHERE o.origin = of_origin AND o.seq = ANY (seqs);
  ELSE
    DELETE FROM indelible.outbox o WHERE o.origin = of_origin AND o.seq = ANY (seqs)
      AND EXISTS (SELECT FROM indelible.ids i WHERE i.log = here AND i.id = o.id);
  END IF;
END`,
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
