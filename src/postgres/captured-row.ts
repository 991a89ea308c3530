import {
  hexEncode,
  type JsonObject,
  type JsonValue,
  parseJson,
  sha256Text,
  utf8Length,
} from '../bytes/index.ts';
import type { Actor, AuditEvent, Change, EventContext, EventValue, Seal, Target } from '../event/index.ts';

/** A row that a trigger has put into the outbox. */
export interface CapturedRow {
  readonly id: string;
  readonly kind: string;
  readonly body: string;
  /** The transaction. */
  readonly xid: string;
  /** What the changed row itself bears as the number of its transaction: of the savepoint, where there is one. */
  readonly rowXid: string;
  /** When, by the database's clock, milliseconds since 1970. */
  readonly atMs: number;
}

/** What the triggers write; see `capture-schema.ts`. */
interface RowBody {
  readonly table: string;
  readonly key: readonly string[] | null;
  readonly sealed: readonly string[];
  readonly role: string;
  readonly actor: string | null;
  readonly context: string | null;
  readonly op: 'I' | 'U' | 'D' | 'T';
  readonly old?: JsonObject;
  readonly new?: JsonObject;
  readonly hidden?: readonly string[];
}

interface DdlBody {
  readonly op: 'schema' | 'disabled';
  readonly command: string;
  readonly objects: readonly { readonly type: string; readonly identity: string | null }[];
  readonly broken: readonly string[];
  readonly role: string;
  readonly actor: string | null;
  readonly context: string | null;
}

/** A column's value beyond so many bytes is told by its hash: an entry has room for 32 KiB a disclosure. */
const VALUE_BYTES_MAX = 4096;

const actions = {
  I: 'record.created',
  U: 'record.updated',
  D: 'record.deleted',
  T: 'record.truncated',
} as const;

/** The event of a changed row, or of a schema change. Throws where the row is not what the triggers write. */
export function eventOfCaptured(row: CapturedRow): AuditEvent {
  const body = parseJson(exactNumbers(row.body)) as unknown;
  return row.kind === 'ddl' ? ofDdl(row, body as DdlBody) : ofRow(row, body as RowBody);
}

function ofRow(row: CapturedRow, body: RowBody): AuditEvent {
  const { table, key, op, sealed } = body;
  const target: Target = {
    type: typeOf(table),
    id: op === 'T' ? '*' : keyOf(key, body.new ?? body.old ?? {}),
  };
  const changes = op === 'T' ? [] : changesOf(body);
  const apart = changes.filter(({ path }) => sealed.includes(nameIn(path)));
  const event = {
    ...common(row, body, { table }),
    action: actions[op],
    targets: [target],
    // What is to be sealed by itself stands by its name alone among the changes, and with its values under a seal of its own.
    changes: changes.map((change) => (apart.includes(change) ? { path: change.path } : change)),
  };
  if (apart.length === 0) return event;
  const columns = Object.fromEntries(apart.map(({ path, ...values }) => [nameIn(path), values]));
  const seals: Seal[] = apart.map(({ path }) => ({
    path: `/metadata/columns${path}`,
    subjects: [`${target.type}/${target.id}`],
  }));
  return { ...event, metadata: { columns }, seals };
}

function ofDdl(row: CapturedRow, body: DdlBody): AuditEvent {
  const { op, command, objects, broken } = body;
  const targets = objects.slice(0, 16).map(({ type, identity }) => ({
    type: typeOf(type),
    id: clipped(identity ?? command),
  }));
  return {
    ...common(row, body),
    action: op === 'disabled' ? 'capture.disabled' : 'schema.changed',
    ...(op === 'disabled' ? { severity: 'critical' as const } : {}),
    targets,
    metadata: {
      command,
      objects: objects.length,
      ...(broken.length > 0 ? { broken: broken.slice(0, 64) } : {}),
    },
  };
}

/** What every captured event has: its id, its time, its transaction, and who did it. */
function common(
  row: CapturedRow,
  { role, actor, context }: Pick<RowBody, 'role' | 'actor' | 'context'>,
  labels: { readonly table?: string } = {},
) {
  const known = actor === null ? undefined : (parseJson(actor) as unknown as Actor);
  const where = context === null ? undefined : (parseJson(context) as unknown as EventContext);
  return {
    id: row.id,
    occurredAt: new Date(row.atMs).toISOString(),
    correlationId: `tx-${row.xid}`,
    actor: known ?? { type: 'database_role', id: role, identified: false },
    ...(where === undefined ? {} : { context: where }),
    labels: {
      ...labels,
      database_role: role,
      transaction: row.xid,
      ...(row.rowXid === String(Number(row.xid) % 2 ** 32) ? {} : { savepoint: row.rowXid }),
    },
  };
}

/** The primary key as an id: the value itself; of several columns, all of them. */
function keyOf(key: readonly string[] | null, row: JsonObject): string {
  if (key === null) return 'no_primary_key';
  return key.map((column) => textOf(row[column] ?? null)).join(',');
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The columns that differ; of a row that came or went, all that it has. */
function changesOf({ op, old, new: now, hidden = [] }: RowBody): Change[] {
  const before = old ?? {};
  const after = now ?? {};
  const changes: Change[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const from = before[name];
    const to = after[name];
    if (op === 'U' && from !== undefined && to !== undefined && sameValue(from, to)) continue;
    changes.push({
      path: pointer(name),
      ...(from === undefined ? {} : { from: told(from) }),
      ...(to === undefined ? {} : { to: told(to) }),
    });
  }
  for (const name of hidden) changes.push({ path: pointer(name) });
  return changes;
}

function sameValue(one: JsonValue, other: JsonValue): boolean {
  return (
    one === other ||
    (typeof one === 'object' && typeof other === 'object' && JSON.stringify(one) === JSON.stringify(other))
  );
}

/** A value as it stands among the changes: itself, or its hash where it is too long for an entry. */
function told(value: JsonValue): EventValue {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const bytes = utf8Length(text);
  return bytes <= VALUE_BYTES_MAX ? (value as EventValue) : { sha256: hexEncode(sha256Text(text)), bytes };
}

/** RFC 6901, section 3. */
function pointer(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function nameIn(path: string): string {
  return path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~');
}

/** A table's name as a type of target: as it is where the rules allow it; otherwise without what they do not, and told apart by its hash. */
export function typeOf(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$/.test(name)) return name;
  const plain = name
    .replace(/[^A-Za-z0-9_.:-]/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 48);
  return `${plain || 'table'}-${hexEncode(sha256Text(name)).slice(0, 8)}`;
}

function clipped(identity: string): string {
  return identity.length <= 256 ? identity : `${identity.slice(0, 255)}…`;
}

/**
 * The same JSON with every number as a text that a double does not hold as it is written: a `bigint` beyond 2^53, a `numeric` with
 * the places that it was given.
 */
function exactNumbers(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : `"${token}"`,
  );
}
