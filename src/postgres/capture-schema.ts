import type { SchemaFunction } from './schema-function.ts';

/*
 * Row capture: statement triggers with transition tables, which see every changed row, of one statement at a time, and put one
 * row each into the outbox of the same transaction. What the row becomes as an event is worked out later, by the sequencer
 * (`captured-row.ts`): the application waits for as little as possible.
 */

/** Tables of row capture. */
export const captureTables: readonly string[] = [
  `CREATE TABLE indelible.captured (
  relid oid PRIMARY KEY,
  root oid NOT NULL,
  name text NOT NULL,
  origin text NOT NULL,
  excluded text[] NOT NULL,
  excluded_columns smallint[] NOT NULL,
  sealed text[] NOT NULL,
  sealed_columns smallint[] NOT NULL,
  key text[],
  key_index oid,
  key_seen text,
  head text NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
)`,
];

/** The triggers of a captured table. */
export const captureTriggers = [
  { name: 'indelible_insert', when: 'AFTER INSERT', referencing: 'REFERENCING NEW TABLE AS new_rows' },
  {
    name: 'indelible_update',
    when: 'AFTER UPDATE',
    referencing: 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows',
  },
  { name: 'indelible_delete', when: 'AFTER DELETE', referencing: 'REFERENCING OLD TABLE AS old_rows' },
  { name: 'indelible_truncate', when: 'AFTER TRUNCATE', referencing: '' },
] as const;

/** JSON beyond so many bytes has its long values told by their hash in the database already: what waits in the outbox stays small. */
const ROW_BYTES_MAX = 262_144;

const put = 'INSERT INTO indelible.outbox (origin, id, kind, body)';
const id = "gen_random_uuid()::text, 'row'";

/**
 * One row of the outbox for each changed row. The rows of an update are paired by their primary key; where there is none, or it
 * was changed, they are deleted and created. Columns that are excluded never leave the table: of them it is only said that they
 * changed. They are known by their number and by their name, so that neither a new name nor a new column of the old name lets a value out.
 *
 * It belongs to a role that may do nothing but this: `to_jsonb` calls the casts to JSON of an application's own types, and whoever makes
 * such a cast has its function called here. `t.*` and not `t`, and the variables before the columns: a column may have any name. The key's columns are looked
 * up when the table is registered, and again where the index tells other names than it did then.
 */
const capture: SchemaFunction = {
  name: 'capture',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: true,
  owner: 'indelible_capture',
  settings: ['extra_float_digits=1', 'TimeZone=UTC', 'IntervalStyle=postgres', 'bytea_output=hex'],
  grant: ['PUBLIC'],
  body: `#variable_conflict use_variable
DECLARE
  c indelible.captured;
  hidden text[];
  sealed text[] := '{}';
  seen text;
  head text;
  before jsonb;
  after jsonb;
  several boolean;
BEGIN
  SELECT * INTO c FROM indelible.captured r WHERE r.relid = TG_RELID;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'indelible: %.% is not registered for capture', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING HINT = 'run indelible pg capture again, or drop its triggers';
  END IF;
  hidden := c.excluded;
  head := c.head;
  seen := pg_get_indexdef(c.key_index, 1, true);
  FOR n IN 2..coalesce(cardinality(c.key), 0) LOOP seen := seen || ',' || pg_get_indexdef(c.key_index, n, true); END LOOP;
  IF cardinality(c.excluded_columns) > 0 OR cardinality(c.sealed_columns) > 0 THEN
    SELECT c.excluded || array_agg(a.attname::text) FILTER (WHERE a.attnum = ANY (c.excluded_columns)),
        coalesce(array_agg(a.attname::text) FILTER (WHERE a.attnum = ANY (c.sealed_columns)), '{}') INTO hidden, sealed
      FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attnum = ANY (c.excluded_columns || c.sealed_columns);
  END IF;
  IF c.key_seen IS NULL OR seen IS DISTINCT FROM c.key_seen OR NOT c.sealed @> sealed THEN
    SELECT k.key INTO c.key FROM indelible.capture_key(TG_RELID) k;
    head := indelible.capture_head(c.name, c.key, c.sealed || sealed);
  END IF;
  head := head || ',"role":' || to_json(session_user::text)::text
    || ',"actor":' || coalesce(to_json(nullif(current_setting('indelible.actor', true), ''))::text, 'null')
    || ',"context":' || coalesce(to_json(nullif(current_setting('indelible.context', true), ''))::text, 'null');
  IF TG_OP = 'INSERT' THEN
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(NULL, to_jsonb(n.*), hidden) FROM new_rows n;
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(to_jsonb(o.*), NULL, hidden) FROM old_rows o;
    RETURN NULL;
  ELSIF TG_OP = 'TRUNCATE' THEN
    ${put} VALUES (c.origin, ${id}, head || ',"op":"T"}');
    RETURN NULL;
  END IF;
  -- One row is by far the most common: it needs no pairing.
  SELECT to_jsonb(o.*), to_jsonb(n.*), EXISTS (SELECT FROM new_rows OFFSET 1) INTO before, after, several FROM old_rows o, new_rows n LIMIT 1;
  IF before IS NULL THEN RETURN NULL; END IF;
  IF NOT several AND c.key IS NOT NULL THEN
    IF before = after THEN RETURN NULL; END IF;
    IF before -> c.key[1] = after -> c.key[1] AND (cardinality(c.key) = 1
        OR (SELECT bool_and(before -> k = after -> k) FROM unnest(c.key) k)) THEN
      ${put} VALUES (c.origin, ${id}, head || indelible.row_change(before, after, hidden));
    ELSE
      ${put} VALUES (c.origin, ${id}, head || indelible.row_change(before, NULL, hidden)),
        (c.origin, ${id}, head || indelible.row_change(NULL, after, hidden));
    END IF;
  ELSIF c.key IS NULL THEN
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(to_jsonb(o.*), NULL, hidden) FROM old_rows o;
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(NULL, to_jsonb(n.*), hidden) FROM new_rows n;
  ELSIF cardinality(c.key) = 1 THEN
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(a.j, b.j, hidden)
      FROM (SELECT to_jsonb(o.*) AS j FROM old_rows o) a
      FULL JOIN (SELECT to_jsonb(n.*) AS j FROM new_rows n) b ON a.j -> c.key[1] = b.j -> c.key[1]
      WHERE a.j IS DISTINCT FROM b.j ORDER BY b.j IS NULL DESC;
  ELSE
    ${put} SELECT c.origin, ${id}, head || indelible.row_change(a.j, b.j, hidden)
      FROM (SELECT to_jsonb(o.*) AS j FROM old_rows o) a
      FULL JOIN (SELECT to_jsonb(n.*) AS j FROM new_rows n) b
        ON (SELECT jsonb_agg(a.j -> k) FROM unnest(c.key) k) = (SELECT jsonb_agg(b.j -> k) FROM unnest(c.key) k)
      WHERE a.j IS DISTINCT FROM b.j ORDER BY b.j IS NULL DESC;
  END IF;
  RETURN NULL;
END`,
};

/** The columns of a table's primary key in their order, the index behind it, and how that index names them. */
const captureKey: SchemaFunction = {
  name: 'capture_key',
  args: 'wanted oid, OUT key text[], OUT key_index oid, OUT key_seen text',
  returns: 'record',
  language: 'plpgsql',
  definer: false,
  grant: ['indelible_capture'],
  body: `BEGIN
  SELECT array_agg(a.attname::text ORDER BY n), min(i.indexrelid::bigint)::oid, string_agg(pg_get_indexdef(i.indexrelid, n, true), ',' ORDER BY n)
  INTO key, key_index, key_seen FROM pg_index i CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::integer) AS n
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n - 1]
  WHERE i.indrelid = wanted AND i.indisprimary;
END`,
};

/** What columns are called now. */
const captureNames: SchemaFunction = {
  name: 'capture_names',
  args: 'wanted oid, numbers smallint[]',
  returns: 'text[]',
  language: 'sql',
  definer: false,
  grant: [],
  body: `SELECT coalesce(array_agg(a.attname::text), '{}') FROM pg_attribute a
  WHERE a.attrelid = wanted AND a.attnum = ANY (numbers) AND NOT a.attisdropped`,
};

/** What begins the JSON of each changed row of a table. */
const captureHead: SchemaFunction = {
  name: 'capture_head',
  args: 'name text, key text[], sealed text[]',
  returns: 'text',
  language: 'plpgsql',
  definer: false,
  grant: ['indelible_capture'],
  body: `BEGIN
  RETURN left(json_build_object('table', name, 'key', key, 'sealed', sealed)::text, -1);
END`,
};

/** A row too long to wait whole: what is long in it is told by its hash, as it will be in the entry. */
const rowTold: SchemaFunction = {
  name: 'row_told',
  args: 'whole jsonb',
  returns: 'jsonb',
  language: 'sql',
  definer: false,
  grant: ['indelible_capture'],
  body: `SELECT jsonb_object_agg(key, CASE WHEN octet_length(value #>> '{}') > 4096 THEN
    jsonb_build_object('sha256', encode(sha256(convert_to(value #>> '{}', 'UTF8')), 'hex'), 'bytes', octet_length(value #>> '{}'))
    ELSE value END) FROM jsonb_each(whole)`,
};

/** Says who acts until the transaction ends. */
const actAs: SchemaFunction = {
  name: 'act_as',
  args: 'actor text, context text',
  returns: 'void',
  language: 'plpgsql',
  definer: false,
  grant: ['PUBLIC'],
  body: `BEGIN
  PERFORM set_config('indelible.actor', actor, true), set_config('indelible.context', context, true);
END`,
};

/** The rest of the JSON of a changed row: both sides, or one where the other is missing. */
const rowChange: SchemaFunction = {
  name: 'row_change',
  args: 'before jsonb, after jsonb, excluded text[]',
  returns: 'text',
  language: 'plpgsql',
  definer: false,
  grant: ['indelible_capture'],
  body: `DECLARE
  hidden text := '';
BEGIN
  IF cardinality(excluded) > 0 THEN
    IF before IS NOT NULL AND after IS NOT NULL THEN
      hidden := ',"hidden":' || coalesce((SELECT json_agg(DISTINCT c)::text FROM unnest(excluded) c WHERE before -> c IS DISTINCT FROM after -> c), '[]');
    END IF;
    before := before - excluded;
    after := after - excluded;
  END IF;
  IF pg_column_size(before) > ${ROW_BYTES_MAX} OR pg_column_size(after) > ${ROW_BYTES_MAX} THEN
    before := indelible.row_told(before);
    after := indelible.row_told(after);
  END IF;
  IF before IS NULL THEN RETURN ',"op":"I","new":' || after::text || '}'; END IF;
  IF after IS NULL THEN RETURN ',"op":"D","old":' || before::text || '}'; END IF;
  RETURN ',"op":"U","old":' || before::text || ',"new":' || after::text || hidden || '}';
END`,
};

/** The functions that see a changed row, in the order in which they are made. */
export const rowFunctions: readonly SchemaFunction[] = [
  actAs,
  rowTold,
  rowChange,
  captureKey,
  captureNames,
  captureHead,
  capture,
];
