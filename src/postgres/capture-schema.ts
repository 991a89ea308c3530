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
  sealed text[] NOT NULL,
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

/**
 * One row of the outbox for each changed row. The rows of an update are paired by their primary key; where there is none, or it
 * was changed, they are deleted and created. Columns that are excluded never leave the table: of them it is only said that they
 * changed.
 */
const capture: SchemaFunction = {
  name: 'capture',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: true,
  grant: ['PUBLIC'],
  body: `DECLARE
  to_origin text;
  hidden text[];
  key text[];
  head text;
  before jsonb;
  after jsonb;
  changed bigint;
BEGIN
  SELECT c.origin, c.excluded, k.key,
    left(json_build_object('table', c.name, 'key', k.key, 'sealed', c.sealed, 'role', session_user,
      'actor', nullif(current_setting('indelible.actor', true), ''),
      'context', nullif(current_setting('indelible.context', true), ''))::text, -1)
    INTO to_origin, hidden, key, head
    FROM indelible.captured c LEFT JOIN LATERAL (
      SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum)) AS key
      FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
      WHERE i.indrelid = TG_RELID AND i.indisprimary
    ) AS k ON true
    WHERE c.relid = TG_RELID;
  IF head IS NULL THEN
    RAISE EXCEPTION 'indelible: %.% is not registered for capture', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING HINT = 'run indelible pg capture again, or drop its triggers';
  END IF;
  IF TG_OP = 'INSERT' THEN
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || ',"op":"I","new":' || (to_jsonb(n) - hidden)::text || '}' FROM new_rows n;
    RETURN NULL;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || ',"op":"D","old":' || (to_jsonb(o) - hidden)::text || '}' FROM old_rows o;
    RETURN NULL;
  ELSIF TG_OP = 'TRUNCATE' THEN
    INSERT INTO indelible.outbox (origin, id, kind, body)
      VALUES (to_origin, gen_random_uuid()::text, 'row', head || ',"op":"T"}');
    RETURN NULL;
  END IF;
  -- One row is by far the most common: it needs no pairing.
  SELECT count(*), (array_agg(to_jsonb(n)))[1], (SELECT to_jsonb(o) FROM old_rows o LIMIT 1) INTO changed, after, before
    FROM (SELECT * FROM new_rows LIMIT 2) AS n;
  IF changed = 1 AND key IS NOT NULL THEN
    IF before = after THEN RETURN NULL; END IF;
    IF before -> key[1] = after -> key[1] AND (cardinality(key) = 1
        OR (SELECT bool_and(before -> k = after -> k) FROM unnest(key) k)) THEN
      INSERT INTO indelible.outbox (origin, id, kind, body)
        VALUES (to_origin, gen_random_uuid()::text, 'row', head || CASE WHEN cardinality(hidden) = 0
          THEN ',"op":"U","old":' || before::text || ',"new":' || after::text || '}'
          ELSE indelible.row_change(before, after, hidden) END);
    ELSE
      INSERT INTO indelible.outbox (origin, id, kind, body)
        VALUES (to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(before, NULL, hidden)),
          (to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(NULL, after, hidden));
    END IF;
  ELSIF key IS NULL THEN
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(to_jsonb(o), NULL, hidden) FROM old_rows o;
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(NULL, to_jsonb(n), hidden) FROM new_rows n;
  ELSIF cardinality(key) = 1 THEN
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(a.j, b.j, hidden)
      FROM (SELECT to_jsonb(o) AS j FROM old_rows o) a
      FULL JOIN (SELECT to_jsonb(n) AS j FROM new_rows n) b ON a.j -> key[1] = b.j -> key[1]
      WHERE a.j IS DISTINCT FROM b.j ORDER BY b.j IS NULL DESC;
  ELSE
    INSERT INTO indelible.outbox (origin, id, kind, body)
      SELECT to_origin, gen_random_uuid()::text, 'row', head || indelible.row_change(a.j, b.j, hidden)
      FROM (SELECT to_jsonb(o) AS j FROM old_rows o) a
      FULL JOIN (SELECT to_jsonb(n) AS j FROM new_rows n) b
        ON (SELECT jsonb_agg(a.j -> k) FROM unnest(key) k) = (SELECT jsonb_agg(b.j -> k) FROM unnest(key) k)
      WHERE a.j IS DISTINCT FROM b.j ORDER BY b.j IS NULL DESC;
  END IF;
  RETURN NULL;
END`,
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
  grant: [],
  body: `BEGIN
  IF before IS NULL THEN RETURN ',"op":"I","new":' || (after - excluded)::text || '}'; END IF;
  IF after IS NULL THEN RETURN ',"op":"D","old":' || (before - excluded)::text || '}'; END IF;
  IF cardinality(excluded) = 0 THEN
    RETURN ',"op":"U","old":' || before::text || ',"new":' || after::text || '}';
  END IF;
  RETURN ',"op":"U","old":' || (before - excluded)::text || ',"new":' || (after - excluded)::text || ',"hidden":'
    || coalesce((SELECT json_agg(c)::text FROM unnest(excluded) c WHERE before -> c IS DISTINCT FROM after -> c), '[]') || '}';
END`,
};

/** Registers a partition of a table that is registered: so whoever makes a partition need not be trusted with more. */
const captureRegister: SchemaFunction = {
  name: 'capture_register',
  args: 'part oid, parent oid',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['PUBLIC'],
  body: `BEGIN
  INSERT INTO indelible.captured (relid, root, name, origin, excluded, sealed)
    SELECT part, c.root, c.name, c.origin, c.excluded, c.sealed FROM indelible.captured c
    WHERE c.relid = parent AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = part AND i.inhparent = parent)
    ON CONFLICT (relid) DO NOTHING;
END`,
};

/** Makes the triggers of a table that is registered; it runs with the rights of whoever may change the table. */
const captureTriggersMake: SchemaFunction = {
  name: 'capture_triggers',
  args: 'wanted oid',
  returns: 'void',
  language: 'plpgsql',
  definer: false,
  grant: ['PUBLIC'],
  body: `BEGIN
${captureTriggers
  .map(
    ({
      name,
      when,
      referencing,
    }) => `  EXECUTE format('CREATE OR REPLACE TRIGGER ${name} ${when} ON %s ${referencing} FOR EACH STATEMENT EXECUTE FUNCTION indelible.capture()', wanted::regclass);
  EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER ${name}', wanted::regclass);`,
  )
  .join('\n')}
END`,
};

/** New partitions of a captured table are captured as well, in the transaction that makes them. */
const capturePartitions: SchemaFunction = {
  name: 'capture_partitions',
  args: '',
  returns: 'event_trigger',
  language: 'plpgsql',
  definer: false,
  grant: ['PUBLIC'],
  body: `DECLARE
  part record;
BEGIN
  FOR part IN SELECT i.inhrelid, i.inhparent FROM pg_inherits i
    WHERE i.inhrelid IN (SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass
        UNION SELECT p.inhrelid FROM pg_event_trigger_ddl_commands() d JOIN pg_inherits p ON p.inhparent = d.objid
        WHERE d.classid = 'pg_class'::regclass)
    AND indelible.capture_lacks(i.inhrelid, i.inhparent) LOOP
    PERFORM indelible.capture_register(part.inhrelid, part.inhparent);
    PERFORM indelible.capture_triggers(part.inhrelid);
  END LOOP;
END`,
};

/** Whether a table is not captured and its parent is. */
const captureLacks: SchemaFunction = {
  name: 'capture_lacks',
  args: 'part oid, parent oid',
  returns: 'boolean',
  language: 'sql',
  definer: true,
  grant: ['PUBLIC'],
  body: `SELECT EXISTS (SELECT FROM indelible.captured c WHERE c.relid = parent)
    AND NOT EXISTS (SELECT FROM indelible.captured c WHERE c.relid = part)`,
};

/** Which triggers of captured tables do not fire as they should: \`table.trigger\`. */
const captureBroken: SchemaFunction = {
  name: 'capture_broken',
  args: '',
  returns: 'text[]',
  language: 'sql',
  definer: true,
  grant: ['indelible_reader', 'indelible_writer'],
  body: `SELECT coalesce(array_agg(coalesce(c.relid::regclass::text, c.name) || '.' || w.name ORDER BY 1), '{}')
  FROM indelible.captured c CROSS JOIN unnest(ARRAY[${captureTriggers.map(({ name }) => `'${name}'`).join(', ')}]) AS w(name)
  LEFT JOIN pg_trigger t ON t.tgrelid = c.relid AND t.tgname = w.name AND t.tgenabled = 'A'
    AND t.tgfoid = 'indelible.capture()'::regprocedure
  WHERE t.oid IS NULL AND EXISTS (SELECT FROM pg_class p WHERE p.oid = c.relid)`,
};

/** Schema changes as events; and what keeps capture from working, whoever does it, in the transaction that does it. */
const ddlSeen: SchemaFunction = {
  name: 'ddl_seen',
  args: '',
  returns: 'event_trigger',
  language: 'plpgsql',
  definer: true,
  grant: ['PUBLIC'],
  body: `DECLARE
  objects json;
  broken text[] := indelible.capture_broken();
  guards text[];
  op text := 'schema';
BEGIN
  SELECT coalesce(array_agg(t.tgrelid::regclass::text || '.' || t.tgname), '{}') INTO guards FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'indelible'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A';
  IF current_setting('indelible.own_ddl', true) = 'on' AND cardinality(broken) = 0 AND cardinality(guards) = 0 THEN RETURN; END IF;
  -- What ALTER drops is told with the rest of what it does.
  IF TG_EVENT = 'sql_drop' AND TG_TAG NOT LIKE 'DROP%' THEN RETURN; END IF;
  IF TG_EVENT = 'sql_drop' THEN
    SELECT json_agg(json_build_object('type', d.object_type, 'identity', d.object_identity)) INTO objects
      FROM pg_event_trigger_dropped_objects() d WHERE d.original AND NOT d.is_temporary;
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() d JOIN indelible.captured c
        ON d.classid = 'pg_class'::regclass AND d.objid = c.relid AND d.objsubid = 0) THEN op := 'disabled'; END IF;
  ELSE
    SELECT json_agg(json_build_object('type', d.object_type, 'identity', d.object_identity)) INTO objects
      FROM pg_event_trigger_ddl_commands() d WHERE d.schema_name IS DISTINCT FROM 'pg_temp';
  END IF;
  IF objects IS NULL THEN RETURN; END IF;
  IF cardinality(broken) > 0 OR cardinality(guards) > 0 THEN op := 'disabled'; END IF;
  INSERT INTO indelible.outbox (origin, id, kind, body)
    SELECT DISTINCT ON (c.origin) c.origin, gen_random_uuid()::text, 'ddl',
      json_build_object('op', op, 'command', TG_TAG, 'objects', objects, 'broken', broken || guards, 'role', session_user,
        'actor', nullif(current_setting('indelible.actor', true), ''),
        'context', nullif(current_setting('indelible.context', true), ''))::text
    FROM indelible.captured c;
END`,
};

/** The functions of row capture, in the order in which they are made. */
export const captureFunctions: readonly SchemaFunction[] = [
  actAs,
  rowChange,
  capture,
  captureRegister,
  captureTriggersMake,
  captureLacks,
  capturePartitions,
  captureBroken,
  ddlSeen,
];

/** The event triggers; only a superuser may make them. */
export const eventTriggers = [
  { name: 'indelible_ddl', event: 'ddl_command_end', run: 'indelible.ddl_seen' },
  { name: 'indelible_drop', event: 'sql_drop', run: 'indelible.ddl_seen' },
  { name: 'indelible_partitions', event: 'ddl_command_end', run: 'indelible.capture_partitions' },
] as const;
