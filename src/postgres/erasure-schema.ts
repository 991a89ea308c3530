import type { SchemaFunction } from './schema-function.ts';

/*
 * The way out for a sealed value (a whole entry goes by `pruning-schema.ts`). Every other change of a log is refused by its triggers
 * and by the lack of rights; these functions remove disclosures, put nothing new in their place, and only beside a record in the same transaction that covers them.
 */

/**
 * Whether a record lets the disclosures of an entry go: that of an erasure, those of entries before it; that of retention, those of
 * entries whose action its first matching rule speaks of, below the index that this rule names.
 */
const lets: SchemaFunction = {
  name: 'lets',
  args: 'said json, of_log bigint, of_idx bigint',
  returns: 'boolean',
  language: 'sql',
  definer: false,
  grant: [],
  body: `SELECT coalesce(CASE said->>'action'
    WHEN 'log.erased' THEN (said->'metadata'->>'below')::bigint > of_idx
    WHEN 'log.retention_applied' THEN (
      SELECT (r.rule->>'below')::bigint > of_idx
      FROM (SELECT indelible.action_of(e.entry) AS action FROM indelible.entries e WHERE e.log = of_log AND e.idx = of_idx) AS about,
        json_array_elements(said->'metadata'->'rules') WITH ORDINALITY AS r(rule, place)
      WHERE NOT starts_with(about.action, 'log.') AND (r.rule->>'match' = about.action
        OR (right(r.rule->>'match', 1) = '*' AND starts_with(about.action, left(r.rule->>'match', -1))))
      ORDER BY r.place LIMIT 1)
    END, false)`,
};

/**
 * Lets a disclosure go where the record that `withdraw` names was written in this transaction and covers it, or where a pruning of this
 * transaction has taken its entry; nobody else's, whoever asks.
 */
const onlyErased: SchemaFunction = {
  name: 'only_erased',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: false,
  grant: [],
  settings: ['plan_cache_mode=force_generic_plan'],
  body: `DECLARE
  said json;
BEGIN
  IF indelible.pruned_below(OLD.log) > OLD.idx AND NOT EXISTS
    (SELECT FROM indelible.entries e WHERE e.log = OLD.log AND e.idx = OLD.idx AND e.month = OLD.month) THEN RETURN OLD; END IF;
  SELECT convert_from(e.entry, 'UTF8')::json INTO said FROM indelible.entries e
    WHERE e.log = OLD.log AND e.idx = nullif(current_setting('indelible.record', true), '')::bigint
      AND e.xmin = pg_current_xact_id()::xid;
  IF indelible.lets(said, OLD.log, OLD.idx) THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'indelible.disclosures: append-only, without a record of an erasure DELETE is refused' USING ERRCODE = 'IND02';
END`,
};

/** Takes disclosures away, and answers of which months they were: of each entry, what is left is a part of what was there. */
const withdraw: SchemaFunction = {
  name: 'withdraw',
  args: 'wanted bigint, record bigint, indexes bigint[], kept_bytes bytea, kept_lengths integer[]',
  returns: 'integer[]',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  said json;
  months integer[];
BEGIN
  PERFORM set_config('indelible.record', record::text, true);
  SELECT convert_from(e.entry, 'UTF8')::json INTO said FROM indelible.entries e
    WHERE e.log = wanted AND e.idx = record AND e.xmin = pg_current_xact_id()::xid;
  IF said IS NULL OR cardinality(indexes) <> cardinality(kept_lengths)
    OR EXISTS (SELECT FROM unnest(indexes) AS i(idx) WHERE i.idx IS NULL OR NOT indelible.lets(said, wanted, i.idx)) THEN
    RAISE EXCEPTION 'indelible.disclosures: append-only, without a record of an erasure nothing is removed' USING ERRCODE = 'IND02';
  END IF;
  IF EXISTS (SELECT FROM indelible.pieces(kept_bytes, kept_lengths) AS p
      LEFT JOIN indelible.disclosures d ON d.log = wanted AND d.idx = indexes[p.n]
      WHERE d.idx IS NULL OR (p.piece IS NOT NULL AND NOT
        string_to_array(encode(p.piece, 'escape'), E'\\n') <@ string_to_array(encode(d.texts, 'escape'), E'\\n'))) THEN
    RAISE EXCEPTION 'indelible.disclosures: append-only, an erasure adds nothing' USING ERRCODE = 'IND02';
  END IF;
  SELECT array_agg(DISTINCT d.month) INTO months FROM indelible.disclosures d WHERE d.log = wanted AND d.idx = ANY (indexes);
  WITH gone AS (
    DELETE FROM indelible.disclosures d WHERE d.log = wanted AND d.idx = ANY (indexes) RETURNING d.idx, d.month
  )
  INSERT INTO indelible.disclosures (log, idx, month, texts)
    SELECT wanted, g.idx, g.month, p.piece FROM indelible.pieces(kept_bytes, kept_lengths) AS p
    JOIN gone g ON g.idx = indexes[p.n] WHERE p.piece IS NOT NULL;
  RETURN months;
END`,
};

/** Events of the outbox that were set aside, and name somebody who was erased: they were never recorded, so no entry says so. */
const forgetRefused: SchemaFunction = {
  name: 'forget_refused',
  args: 'of_origin text, ids text[]',
  returns: 'void',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DELETE FROM indelible.outbox_refused r USING unnest(ids) AS i(id)
    WHERE r.origin = of_origin AND (strpos(r.body, '"' || i.id || '"') > 0 OR strpos(r.body, '/' || i.id || '"') > 0)`,
};

/**
 * Writes one table anew, without the rows that are dead: VACUUM frees their places and leaves their bytes there. Readers and writers
 * of that table wait meanwhile.
 */
const rewrite: SchemaFunction = {
  name: 'rewrite',
  args: 'of_table text, lock_ms integer',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `BEGIN
  IF of_table IS NULL OR of_table !~ '^((entries|disclosures)_[0-9]+|outbox|outbox_refused)$' THEN
    RAISE EXCEPTION 'the table % is not written anew', of_table USING ERRCODE = 'IND03';
  END IF;
  PERFORM set_config('lock_timeout', lock_ms::text, true), set_config('indelible.own_ddl', 'on', true);
  EXECUTE format('CLUSTER indelible.%I USING %I', of_table, of_table || '_pkey');
  PERFORM set_config('indelible.own_ddl', '', true);
END`,
};

/** What may still see rows as they were: transactions, and slots that hold the rows of a server for another. */
const watchers: SchemaFunction = {
  name: 'watchers',
  args: 'OUT transactions text[], OUT slots bigint',
  returns: 'record',
  language: 'sql',
  definer: true,
  grant: ['indelible_writer'],
  body: `SELECT (SELECT coalesce(array_agg(l.virtualxid), '{}') FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid()),
    (SELECT count(*) FROM pg_replication_slots s WHERE s.xmin IS NOT NULL) + (SELECT count(*) FROM pg_prepared_xacts)`,
};

/** The functions of an erasure. */
export const erasureFunctions: readonly SchemaFunction[] = [
  lets,
  onlyErased,
  withdraw,
  forgetRefused,
  rewrite,
  watchers,
];

/**
 * Columns that hold values: the server is to sample none of them, since its statistics would keep them beyond their removal. Part of
 * every migration, for partitions that are there; `ensure_partition` does it for new ones.
 */
export const forgetStatistics = `DO $$
  DECLARE
    part record;
  BEGIN
    FOR part IN SELECT c.relname AS name, a.attname AS col FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY ('{entry,texts,body}')
      WHERE c.relnamespace = 'indelible'::regnamespace AND c.relkind IN ('r', 'p')
        AND (c.relname ~ '^(entries|disclosures)(_[0-9]+)?$' OR c.relname IN ('outbox', 'outbox_refused'))
        AND coalesce(a.attstattarget, -1) <> 0 LOOP
      EXECUTE format('ALTER TABLE indelible.%I ALTER COLUMN %I SET STATISTICS 0', part.name, part.col);
    END LOOP;
  END $$`;
