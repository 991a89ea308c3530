import { captureTriggers, rowFunctions } from './capture-schema.ts';
import type { SchemaFunction } from './schema-function.ts';

/*
 * Which tables are captured, and who watches over that: the registration of a table and its partitions, the triggers as they have to
 * stand, and the event triggers that see what is changed about them.
 */

/** Registers a table: which columns are kept back or sealed is kept by their numbers as well as by the names that they have now. */
const captureTable: SchemaFunction = {
  name: 'capture_table',
  args: 'part oid, of_root oid, called text, to_origin text, hide text[], seal text[]',
  returns: 'void',
  language: 'sql',
  definer: false,
  grant: [],
  body: `INSERT INTO indelible.captured (relid, root, name, origin, excluded, excluded_columns, sealed, sealed_columns, key, key_index, key_seen, head)
  SELECT part, of_root, called, to_origin, hide, n.hidden, seal, n.sealed, k.key, k.key_index, k.key_seen, indelible.capture_head(called, k.key, seal)
  FROM indelible.capture_key(part) k, (
    SELECT coalesce(array_agg(a.attnum) FILTER (WHERE a.attname = ANY (hide)), '{}') AS hidden,
      coalesce(array_agg(a.attnum) FILTER (WHERE a.attname = ANY (seal)), '{}') AS sealed
    FROM pg_attribute a WHERE a.attrelid = part AND a.attnum > 0 AND NOT a.attisdropped
  ) n
  ON CONFLICT (relid) DO UPDATE SET root = excluded.root, name = excluded.name, origin = excluded.origin, excluded = EXCLUDED.excluded,
    excluded_columns = EXCLUDED.excluded_columns, sealed = EXCLUDED.sealed, sealed_columns = EXCLUDED.sealed_columns,
    key = EXCLUDED.key, key_index = EXCLUDED.key_index, key_seen = EXCLUDED.key_seen, head = EXCLUDED.head`,
};

/**
 * Whoever has a table captured otherwise, columns left out for one, says so in the logs that it concerns, in the transaction that
 * does it: also past `capture_table`. A partition has what its table has; that a table is captured at all is a schema change.
 */
const captureChanged: SchemaFunction = {
  name: 'capture_changed',
  args: '',
  returns: 'trigger',
  language: 'plpgsql',
  definer: true,
  grant: [],
  body: `BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.origin, OLD.excluded, OLD.excluded_columns, OLD.sealed, OLD.sealed_columns)
    IS NOT DISTINCT FROM (NEW.origin, NEW.excluded, NEW.excluded_columns, NEW.sealed, NEW.sealed_columns) THEN RETURN NULL; END IF;
  IF OLD.relid <> OLD.root THEN RETURN NULL; END IF;
  INSERT INTO indelible.outbox (origin, id, kind, body)
    SELECT o.origin, gen_random_uuid()::text, 'ddl',
      json_build_object('op', 'capture', 'command', 'CAPTURE', 'broken', '{}'::text[], 'role', session_user,
        'objects', json_build_array(json_build_object('type', 'table', 'identity', OLD.name)),
        'from', json_build_object('origin', OLD.origin, 'exclude', OLD.excluded, 'seal', OLD.sealed),
        'to', CASE WHEN TG_OP = 'UPDATE' THEN json_build_object('origin', NEW.origin, 'exclude', NEW.excluded, 'seal', NEW.sealed) END,
        'actor', nullif(current_setting('indelible.actor', true), ''),
        'context', nullif(current_setting('indelible.context', true), ''))::text
    FROM (SELECT OLD.origin UNION SELECT NEW.origin WHERE TG_OP = 'UPDATE') AS o(origin);
  RETURN NULL;
END`,
};

/**
 * Registers a partition of a table that is registered: so whoever makes a partition need not be trusted with more. What its parent
 * keeps back under a name that it has been given since is kept back as well.
 */
const captureRegister: SchemaFunction = {
  name: 'capture_register',
  args: 'part oid, parent oid',
  returns: 'void',
  language: 'plpgsql',
  definer: true,
  grant: ['PUBLIC'],
  body: `BEGIN
  PERFORM indelible.capture_table(part, c.root, c.name, c.origin,
      c.excluded || indelible.capture_names(parent, c.excluded_columns), c.sealed || indelible.capture_names(parent, c.sealed_columns))
    FROM indelible.captured c
    WHERE c.relid = parent AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = part AND i.inhparent = parent)
      AND NOT EXISTS (SELECT FROM indelible.captured p WHERE p.relid = part);
END`,
};

/** Whether a table has a trigger of capture as it was made: its whole definition, so that none is narrowed by a condition. */
const captureStands: SchemaFunction = {
  name: 'capture_stands',
  args: 'wanted oid, trigger_name text',
  returns: 'boolean',
  language: 'sql',
  definer: false,
  grant: ['PUBLIC'],
  body: `SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.tgrelid = wanted AND t.tgname = trigger_name AND t.tgenabled = 'A' AND pg_get_triggerdef(t.oid) =
      format(CASE trigger_name ${captureTriggers
        .map(
          ({ name, when, referencing }) =>
            `WHEN '${name}' THEN 'CREATE TRIGGER ${name} ${when} ON %I.%I ${referencing === '' ? '' : `${referencing} `}FOR EACH STATEMENT EXECUTE FUNCTION indelible.capture()'`,
        )
        .join(' ')} END, n.nspname, c.relname))`,
};

/**
 * Makes the triggers that a table lacks; it runs with the rights of whoever may change the table. Those that stand are left alone:
 * to make one anew would be to switch it off for a moment, which is an event.
 */
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
    ({ name, when, referencing }) => `  IF NOT indelible.capture_stands(wanted, '${name}') THEN
    EXECUTE format('CREATE OR REPLACE TRIGGER ${name} ${when} ON %s ${referencing} FOR EACH STATEMENT EXECUTE FUNCTION indelible.capture()', wanted::regclass);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER ${name}', wanted::regclass);
  END IF;`,
  )
  .join('\n')}
END`,
};

/**
 * New partitions of a captured table are captured as well, in the transaction that makes them: those that a command made or attached,
 * and whatever hangs below. The triggers come first and the registration behind them: what is registered without its triggers counts as
 * taken apart.
 */
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
  FOR part IN WITH RECURSIVE touched AS (
      SELECT d.objid AS oid FROM pg_event_trigger_ddl_commands() d WHERE d.classid = 'pg_class'::regclass
    ), tree (inhrelid, inhparent, level) AS (
      SELECT i.inhrelid, i.inhparent, 0 FROM pg_inherits i JOIN touched t ON t.oid = i.inhrelid OR t.oid = i.inhparent
      UNION SELECT i.inhrelid, i.inhparent, tree.level + 1 FROM pg_inherits i JOIN tree ON i.inhparent = tree.inhrelid
    ) SELECT inhrelid, inhparent, max(level) AS level FROM tree GROUP BY 1, 2 ORDER BY 3 LOOP
    IF indelible.capture_lacks(part.inhrelid, part.inhparent) THEN
      PERFORM indelible.capture_triggers(part.inhrelid);
      PERFORM indelible.capture_register(part.inhrelid, part.inhparent);
    END IF;
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
  WHERE EXISTS (SELECT FROM pg_class p WHERE p.oid = c.relid) AND NOT indelible.capture_stands(c.relid, w.name)`,
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
    WHERE c.relnamespace = 'indelible'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A'
      -- A partition that is being made is none yet.
      AND (c.relispartition OR c.relname !~ '^(entries|disclosures)_[0-9]+$');
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
    -- Anybody may set this: it hides nothing but what is done in the log's own schema, which the doctor compares.
    IF current_setting('indelible.own_ddl', true) = 'on' AND cardinality(broken) = 0 AND cardinality(guards) = 0 AND NOT EXISTS (
      SELECT FROM pg_event_trigger_ddl_commands() d WHERE d.schema_name IS DISTINCT FROM 'indelible'
        AND d.object_identity !~ ' on indelible[.][a-z0-9_]+$') THEN RETURN; END IF;
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
  ...rowFunctions,
  captureTable,
  captureChanged,
  captureRegister,
  captureStands,
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
