/*
 * The tables and functions of a log in PostgreSQL. `migrate.ts` makes them; `doctor.ts` compares what is there with these very
 * texts, so a function that was changed shows.
 *
 * Everything belongs to `indelible_owner`, who cannot log in. Nobody else may write to a table: `indelible_writer` may call the
 * functions here, which add and never change, and take from the outbox what is in the log; `indelible_outbox` may only put events in.
 */

import { erasureFunctions } from './erasure-schema.ts';
import { outboxFunctions } from './outbox-schema.ts';
import { pruningFunctions } from './pruning-schema.ts';
import type { SchemaFunction } from './schema-function.ts';

/** The version of this layout. */
export const SCHEMA_VERSION = 3;

/** How many parts the table of ids has. A part is looked into, not scanned, so that a few serve any number of logs. */
const ID_PARTS = 8;

/** A trigger of the schema; all of them fire under every replication role. */
export interface SchemaTrigger {
  readonly table: string;
  readonly name: string;
  readonly when: string;
  readonly run: string;
}

const refuse: SchemaFunction = {
  name: 'refuse',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: false,
  grant: [],
  body: `BEGIN
  RAISE EXCEPTION '%.%: append-only, % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP USING ERRCODE = 'IND02';
END`,
};

const onlyGrows: SchemaFunction = {
  name: 'only_grows',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: false,
  grant: [],
  body: `BEGIN
  IF TG_TABLE_NAME = 'heads' AND NEW.log = OLD.log AND NEW.size > OLD.size AND NEW.recorded_at >= OLD.recorded_at THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '%.%: append-only, it only grows', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'IND02';
END`,
};

const tileOnlyGrows: SchemaFunction = {
  name: 'tile_only_grows',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: false,
  grant: [],
  body: `BEGIN
  IF NEW.log = OLD.log AND NEW.level = OLD.level AND NEW.idx = OLD.idx AND length(OLD.hashes) < 8192
    AND length(NEW.hashes) > length(OLD.hashes) AND substr(NEW.hashes, 1, length(OLD.hashes)) = OLD.hashes THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'indelible.tiles: append-only, a tile only grows' USING ERRCODE = 'IND02';
END`,
};

/**
 * Makes the partition of one month where it is missing. A partition holds the entries of all logs of a month, so that old months can be
 * detached and archived; within it a log's entries stand together. SHARE UPDATE EXCLUSIVE, which ATTACH takes as well, holds up no
 * reader and no writer.
 */
const ensurePartition: SchemaFunction = {
  name: 'ensure_partition',
  args: 'month integer',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  parent text;
  part text;
BEGIN
  IF month IS NULL OR month < 0 OR month > 120000 THEN
    RAISE EXCEPTION 'month % is none', month USING ERRCODE = 'IND03';
  END IF;
  IF to_regclass(format('indelible.disclosures_%s', month)) IS NOT NULL THEN RETURN; END IF;
  LOCK TABLE indelible.entries, indelible.disclosures IN SHARE UPDATE EXCLUSIVE MODE;
  FOREACH parent IN ARRAY ARRAY['entries', 'disclosures'] LOOP
    part := format('%s_%s', parent, month);
    IF to_regclass(format('indelible.%I', part)) IS NOT NULL THEN CONTINUE; END IF;
    PERFORM set_config('indelible.own_ddl', 'on', true);
    EXECUTE format('CREATE TABLE indelible.%I (LIKE indelible.%I INCLUDING ALL)', part, parent);
    IF parent = 'entries' THEN
      EXECUTE format('ALTER TABLE indelible.%I ALTER COLUMN entry SET STORAGE EXTERNAL, ALTER COLUMN entry SET STATISTICS 0', part);
    ELSE
      EXECUTE format('ALTER TABLE indelible.%I ALTER COLUMN texts SET STATISTICS 0', part);
    END IF;
    -- It is guarded before it belongs to the log; what guards the rows of its parent comes to it as it stands there.
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON indelible.%I FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse()', part);
    EXECUTE format('ALTER TABLE indelible.%I ENABLE ALWAYS TRIGGER no_truncate', part);
    EXECUTE format('ALTER TABLE indelible.%I ATTACH PARTITION indelible.%I FOR VALUES IN (%s)', parent, part, month);
    PERFORM set_config('indelible.own_ddl', '', true);
  END LOOP;
END`,
};

/** Answers the log of an origin, which is made if it is new. */
const ensureLog: SchemaFunction = {
  name: 'ensure_log',
  args: 'wanted text',
  returns: 'bigint',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  found bigint;
BEGIN
  SELECT log INTO found FROM indelible.logs WHERE origin = wanted;
  IF found IS NOT NULL THEN RETURN found; END IF;
  INSERT INTO indelible.logs (origin) VALUES (wanted) ON CONFLICT (origin) DO NOTHING;
  SELECT log INTO found FROM indelible.logs WHERE origin = wanted;
  RETURN found;
END`,
};

/**
 * Takes the head lock, and hands over with the head what others wrote since the caller last had it, in one journey, where all of it
 * is there still. The lock of a log that is empty is the row in `logs`: there is no head to lock.
 */
const takeHead: SchemaFunction = {
  name: 'take_head',
  args: `wanted bigint, known bigint, lock_ms integer, held_ms integer, OUT size bigint, OUT root bytea, OUT recorded_at bigint,
    OUT checkpoint bytea, OUT durable text, OUT fsync text, OUT standbys text, OUT bytes bytea, OUT lengths text`,
  returns: 'record',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `BEGIN
  PERFORM set_config('lock_timeout', lock_ms::text, true), set_config('idle_in_transaction_session_timeout', held_ms::text, true);
  IF current_setting('synchronous_commit') = 'off' THEN PERFORM set_config('synchronous_commit', 'on', true); END IF;
  durable := current_setting('synchronous_commit');
  fsync := current_setting('fsync');
  standbys := current_setting('synchronous_standby_names');
  SELECT h.size, h.root, h.recorded_at, h.checkpoint INTO size, root, recorded_at, checkpoint
    FROM indelible.heads h WHERE h.log = wanted FOR UPDATE;
  IF NOT FOUND THEN
    PERFORM FROM indelible.logs l WHERE l.log = wanted FOR UPDATE;
    SELECT h.size, h.root, h.recorded_at, h.checkpoint INTO size, root, recorded_at, checkpoint
      FROM indelible.heads h WHERE h.log = wanted FOR UPDATE;
  END IF;
  IF size > known AND size <= known + 1024 THEN
    SELECT string_agg(e.entry, ''::bytea ORDER BY e.idx), string_agg(length(e.entry)::text, ',' ORDER BY e.idx) INTO bytes, lengths
      FROM indelible.entries e WHERE e.log = wanted AND e.idx >= known AND e.idx < size HAVING count(*) = size - known;
  END IF;
END`,
};

/** Cuts bytes into pieces of these lengths; -1 stands for a piece that is not there. */
const pieces: SchemaFunction = {
  name: 'pieces',
  args: 'bytes bytea, lengths integer[], OUT n bigint, OUT piece bytea',
  returns: 'SETOF record',
  language: 'sql',
  definer: false,
  grant: [],
  body: `SELECT n, CASE WHEN length >= 0 THEN substr(bytes, (1 + upto - length)::integer, length) END
  FROM (SELECT length, n, sum(greatest(length, 0)) OVER (ORDER BY n) AS upto FROM unnest(lengths) WITH ORDINALITY AS t(length, n)) AS cut`,
};

/** The one way in: the compare and swap of the head, and everything that one commit adds. */
const append: SchemaFunction = {
  name: 'append',
  args: `wanted bigint, taken_size bigint, taken_root bytea, ids text[], entry_bytes bytea, entry_lengths integer[],
    text_bytes bytea, text_lengths integer[], tile_levels integer[], tile_indexes bigint[], tile_bytes bytea, tile_lengths integer[],
    new_size bigint, new_root bytea, new_recorded_at bigint, new_checkpoint bytea`,
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['indelible_writer'],
  body: `DECLARE
  added integer := cardinality(ids);
  first bigint := coalesce(taken_size, 0) - 1;
  of_month integer := extract(year FROM to_timestamp(new_recorded_at / 1000.0) AT TIME ZONE 'UTC')::integer * 12
    + extract(month FROM to_timestamp(new_recorded_at / 1000.0) AT TIME ZONE 'UTC')::integer - 1;
BEGIN
  IF added = 0 OR cardinality(entry_lengths) <> added OR cardinality(text_lengths) <> added OR -1 = ANY (entry_lengths)
    OR cardinality(tile_levels) <> cardinality(tile_lengths) OR cardinality(tile_indexes) <> cardinality(tile_lengths)
    OR new_size <> coalesce(taken_size, 0) + added OR length(new_root) <> 32 OR length(new_checkpoint) = 0 THEN
    RAISE EXCEPTION 'the append does not fit the head that was taken' USING ERRCODE = 'IND03';
  END IF;
  IF taken_size IS NULL THEN
    INSERT INTO indelible.heads (log, size, root, recorded_at, checkpoint)
      VALUES (wanted, new_size, new_root, new_recorded_at, new_checkpoint) ON CONFLICT (log) DO NOTHING;
  ELSE
    UPDATE indelible.heads h SET size = new_size, root = new_root, recorded_at = new_recorded_at, checkpoint = new_checkpoint
      WHERE h.log = wanted AND h.size = taken_size AND h.root = taken_root;
  END IF;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the head is not the one that was taken' USING ERRCODE = 'IND01';
  END IF;
  PERFORM indelible.ensure_partition(of_month);
  INSERT INTO indelible.entries (log, idx, month, entry)
    SELECT wanted, first + p.n, of_month, p.piece FROM indelible.pieces(entry_bytes, entry_lengths) AS p;
  INSERT INTO indelible.disclosures (log, idx, month, texts)
    SELECT wanted, first + p.n, of_month, p.piece FROM indelible.pieces(text_bytes, text_lengths) AS p WHERE p.piece IS NOT NULL;
  INSERT INTO indelible.ids (log, id, idx)
    SELECT wanted, i, first + n FROM unnest(ids) WITH ORDINALITY AS t(i, n);
  IF cardinality(tile_levels) > 0 THEN
    INSERT INTO indelible.tiles (log, level, idx, hashes)
      SELECT wanted, tile_levels[p.n], tile_indexes[p.n], p.piece FROM indelible.pieces(tile_bytes, tile_lengths) AS p
      ON CONFLICT (log, level, idx) DO UPDATE SET hashes = excluded.hashes;
  END IF;
END`,
};

/** The functions of a log and its outbox, in the order in which they are made. */
export const logFunctions: readonly SchemaFunction[] = [
  refuse,
  onlyGrows,
  tileOnlyGrows,
  ensurePartition,
  ensureLog,
  takeHead,
  pieces,
  append,
  ...outboxFunctions,
  ...pruningFunctions,
  ...erasureFunctions,
];

/** The tables, in the order in which they are made. */
export const tables: readonly string[] = [
  `CREATE TABLE indelible.schema_version (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version integer NOT NULL,
  migrated_at timestamptz NOT NULL DEFAULT now(),
  migrated_by text NOT NULL,
  watched boolean NOT NULL DEFAULT false
)`,
  `CREATE TABLE indelible.logs (
  log bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  origin text NOT NULL UNIQUE CHECK (length(origin) BETWEEN 1 AND 1024)
)`,
  `CREATE TABLE indelible.heads (
  log bigint PRIMARY KEY REFERENCES indelible.logs (log),
  size bigint NOT NULL CHECK (size > 0),
  root bytea NOT NULL,
  recorded_at bigint NOT NULL,
  checkpoint bytea NOT NULL
) WITH (fillfactor = 50)`,
  `CREATE TABLE indelible.entries (
  log bigint NOT NULL,
  idx bigint NOT NULL,
  month integer NOT NULL,
  entry bytea NOT NULL,
  PRIMARY KEY (log, idx, month)
) PARTITION BY LIST (month)`,
  `CREATE TABLE indelible.disclosures (
  log bigint NOT NULL,
  idx bigint NOT NULL,
  month integer NOT NULL,
  texts bytea NOT NULL,
  PRIMARY KEY (log, idx, month)
) PARTITION BY LIST (month)`,
  `CREATE TABLE indelible.ids (
  log bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  idx bigint NOT NULL,
  PRIMARY KEY (log, id)
) PARTITION BY HASH (log, id)`,
  ...Array.from(
    { length: ID_PARTS },
    (_, part) =>
      `CREATE TABLE indelible.ids_${part} PARTITION OF indelible.ids FOR VALUES WITH (MODULUS ${ID_PARTS}, REMAINDER ${part})`,
  ),
  `CREATE TABLE indelible.tiles (
  log bigint NOT NULL,
  level integer NOT NULL,
  idx bigint NOT NULL,
  hashes bytea NOT NULL,
  PRIMARY KEY (log, level, idx)
)`,
  `CREATE TABLE indelible.outbox (
  origin text NOT NULL,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  id text NOT NULL,
  kind text NOT NULL,
  body text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (origin, seq)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`,
  `CREATE TABLE indelible.outbox_refused (
  origin text NOT NULL,
  seq bigint NOT NULL,
  xid xid8 NOT NULL,
  id text NOT NULL,
  kind text NOT NULL,
  body text NOT NULL,
  at timestamptz NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (origin, seq)
)`,
];

const refusing = (table: string, verb: string): SchemaTrigger => ({
  table,
  name: `no_${verb.toLowerCase()}`,
  when: `BEFORE ${verb}`,
  run:
    verb === 'TRUNCATE'
      ? 'FOR EACH STATEMENT EXECUTE FUNCTION indelible.refuse()'
      : 'FOR EACH ROW EXECUTE FUNCTION indelible.refuse()',
});

/** What refuses to change a log, whoever asks. A row trigger of a partitioned table is made on every partition by the server. */
export const logTriggers: readonly SchemaTrigger[] = [
  ...['entries', 'disclosures', 'ids'].map((table) => refusing(table, 'UPDATE')),
  refusing('ids', 'DELETE'),
  // It keeps the name that it had when it refused every DELETE, so that a migration puts it in that one's place, on every partition.
  { ...refusing('entries', 'DELETE'), run: 'FOR EACH ROW EXECUTE FUNCTION indelible.only_pruned()' },
  {
    table: 'disclosures',
    name: 'only_erased',
    when: 'BEFORE DELETE',
    run: 'FOR EACH ROW EXECUTE FUNCTION indelible.only_erased()',
  },
  refusing('tiles', 'DELETE'),
  refusing('heads', 'DELETE'),
  refusing('logs', 'UPDATE'),
  refusing('logs', 'DELETE'),
  ...['entries', 'disclosures', 'ids', 'tiles', 'heads', 'logs'].map((table) => refusing(table, 'TRUNCATE')),
  ...Array.from({ length: ID_PARTS }, (_, part) => refusing(`ids_${part}`, 'TRUNCATE')),
  {
    table: 'heads',
    name: 'only_grows',
    when: 'BEFORE UPDATE',
    run: 'FOR EACH ROW EXECUTE FUNCTION indelible.only_grows()',
  },
  {
    table: 'tiles',
    name: 'only_grows',
    when: 'BEFORE UPDATE',
    run: 'FOR EACH ROW EXECUTE FUNCTION indelible.tile_only_grows()',
  },
  {
    table: 'captured',
    name: 'changes_told',
    when: 'AFTER DELETE OR UPDATE',
    run: 'FOR EACH ROW EXECUTE FUNCTION indelible.capture_changed()',
  },
];
