import type { SchemaFunction } from './schema-function.ts';

/*
 * The one way out for an entry: by a pruning, below the minimum index that its record names, in the transaction that writes the record.
 * The log's own entries stay, whatever is asked.
 */

/**
 * The action of an entry; null where it has none. An entry is canonical JSON, which begins with its digests and its action. It is looked for
 * in the bytes: the server cannot read all JSON that an entry may hold (\u0000), and one that is damaged must not hold up the others.
 */
const actionOf: SchemaFunction = {
  name: 'action_of',
  args: 'entry bytea',
  returns: 'text',
  language: 'plpgsql',
  definer: false,
  grant: [],
  body: `BEGIN
  RETURN substring(encode(entry, 'escape') FROM '^\\{(?:"_sd":\\[[^]]*\\],)?(?:"_sd_alg":"[^"]*",)?"action":"([^"]+)"');
END`,
};

/**
 * The minimum index of the pruning that this transaction has recorded, in the entry that `prune` names; null where that is none, or
 * not of this transaction. What was just recorded stands in the month of the head, so that one partition is looked into.
 */
const prunedBelow: SchemaFunction = {
  name: 'pruned_below',
  args: 'of_log bigint',
  returns: 'bigint',
  language: 'plpgsql',
  definer: false,
  grant: [],
  settings: ['plan_cache_mode=force_generic_plan'],
  body: `DECLARE
  record bigint := nullif(current_setting('indelible.record', true), '')::bigint;
  of_month integer := (SELECT extract(year FROM t.at)::integer * 12 + extract(month FROM t.at)::integer - 1
    FROM (SELECT to_timestamp(h.recorded_at / 1000.0) AT TIME ZONE 'UTC' AS at FROM indelible.heads h WHERE h.log = of_log) AS t);
  said json;
  minimum bigint;
BEGIN
  SELECT convert_from(e.entry, 'UTF8')::json INTO said FROM indelible.entries e
    WHERE e.log = of_log AND e.idx = record AND e.month = of_month AND e.xmin = pg_current_xact_id()::xid
      AND substr(e.entry, 1, 22) = '{"action":"log.pruned"'::bytea;
  minimum := (said->'metadata'->>'minimum')::bigint;
  RETURN CASE WHEN minimum > 0 AND minimum <= record AND minimum % 256 = 0 THEN minimum END;
END`,
};

/** Lets an entry go that a pruning of this transaction covers, unless it is the log's own; nothing else, whoever asks. */
const onlyPruned: SchemaFunction = {
  name: 'only_pruned',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: false,
  grant: [],
  body: `BEGIN
  -- A look at the bytes spares nearly every entry the expression, which takes longer than all the rest.
  IF position('"action":"log.'::bytea IN OLD.entry) > 0 AND starts_with(indelible.action_of(OLD.entry), 'log.') THEN
    RAISE EXCEPTION 'indelible.entries: append-only, DELETE of an entry of the log itself is refused' USING ERRCODE = 'IND02';
  END IF;
  IF indelible.pruned_below(OLD.log) > OLD.idx THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'indelible.entries: append-only, without a record of a pruning DELETE is refused' USING ERRCODE = 'IND02';
END`,
};

/** Takes entries away, and their disclosures, and answers from which partitions. Ids and tiles stay. */
const prune: SchemaFunction = {
  name: 'prune',
  args: 'wanted bigint, record bigint, below bigint, keep bigint[]',
  returns: 'text[]',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  months integer[];
  more integer[];
BEGIN
  PERFORM set_config('indelible.record', record::text, true);
  IF below IS NULL OR indelible.pruned_below(wanted) IS DISTINCT FROM below THEN
    RAISE EXCEPTION 'indelible.entries: append-only, without a record of a pruning nothing is removed' USING ERRCODE = 'IND02';
  END IF;
  WITH gone AS (
    DELETE FROM indelible.entries e WHERE e.log = wanted AND e.idx < below
      AND NOT EXISTS (SELECT FROM unnest(keep) AS k(idx) WHERE k.idx = e.idx) RETURNING e.month
  )
  SELECT array_agg(DISTINCT g.month) INTO months FROM gone g;
  WITH gone AS (
    DELETE FROM indelible.disclosures d WHERE d.log = wanted AND d.idx < below
      AND NOT EXISTS (SELECT FROM indelible.entries e WHERE e.log = wanted AND e.idx = d.idx AND e.idx < below) RETURNING d.month
  )
  SELECT array_agg(DISTINCT g.month) INTO more FROM gone g;
  RETURN ARRAY(SELECT 'entries_' || m FROM unnest(months) AS m UNION ALL SELECT 'disclosures_' || m FROM unnest(more) AS m);
END`,
};

/** The functions of a pruning. */
export const pruningFunctions: readonly SchemaFunction[] = [actionOf, prunedBelow, onlyPruned, prune];
