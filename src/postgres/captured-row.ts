import { hexEncode, type JsonObject, parseJson, sha256Text } from '../bytes/index.ts';
import type { Actor, AuditEvent, EventContext, Seal, Target } from '../event/index.ts';
import { changesOf, fitted, hashOf, nameIn, textOf } from './captured-changes.ts';

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
export interface RowBody {
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
  /** All of it, where the values could not be read. */
  readonly unread?: string;
}

interface DdlBody {
  readonly op: 'schema' | 'disabled' | 'capture';
  readonly command: string;
  readonly objects: readonly { readonly type: string; readonly identity: string | null }[];
  readonly broken: readonly string[];
  /** How a table was captured before, and how it is now; null where it is no more. */
  readonly from?: JsonObject;
  readonly to?: JsonObject | null;
  readonly role: string;
  readonly actor: string | null;
  readonly context: string | null;
}

/** A name that is told, characters: of a row or an object. */
const NAME_CHARACTERS_MAX = 512;

/** A name among the labels or the targets of a schema change, characters. */
const LABEL_CHARACTERS_MAX = 256;

/** What was given as an author and could not be one, characters. */
const GIVEN_CHARACTERS_MAX = 2048;

const actions = {
  I: 'record.created',
  U: 'record.updated',
  D: 'record.deleted',
  T: 'record.truncated',
} as const;

const ddlActions = {
  schema: { action: 'schema.changed' },
  disabled: { action: 'capture.disabled', severity: 'critical' },
  capture: { action: 'capture.changed', severity: 'high' },
} as const;

/** Who an event names as its author, from the most to the least that is known. */
type Author = 'told' | 'told without context' | 'role' | 'nobody';

const authors: readonly Author[] = ['told', 'told without context', 'role', 'nobody'];

/** What stands for a name that the rules do not let into the open: the name itself is among what is sealed. */
export const WITHHELD = 'withheld';

/** What names the rows of a table without a primary key. */
export const NO_KEY = 'no_primary_key';

/**
 * The draft of a changed row, or of a schema change. Whoever changes a row also chooses its values, its key and what is said about the
 * author; none of that may keep the change out of the log. What `draft` refuses is left out step by step, and the label `refused` says for
 * what reason. Throws where the row is not what the triggers write.
 */
export function draftCaptured<T>(row: CapturedRow, draft: (event: AuditEvent) => T): T {
  const body = bodyOf(row);
  let first: unknown;
  for (const isKeyTold of [true, false]) {
    for (const author of authors) {
      const refused = first === undefined ? undefined : ((first as { code?: unknown }).code ?? 'unreadable');
      const how = { author, isKeyTold, ...(refused === undefined ? {} : { refused: String(refused) }) };
      try {
        return draft(
          row.kind === 'ddl' ? ofDdl(row, body as DdlBody, how) : ofRow(row, body as RowBody, how),
        );
      } catch (error) {
        first ??= error;
      }
    }
  }
  throw first;
}

interface How {
  readonly author: Author;
  /** Whether the row is named by its key. */
  readonly isKeyTold: boolean;
  /** Why an earlier attempt was refused. */
  readonly refused?: string;
}

/** What a trigger wrote. Where the values cannot be read, however deep they are, the rest still tells of which row they are. */
function bodyOf(row: CapturedRow): RowBody | DdlBody {
  try {
    return parseJson(exactNumbers(row.body), { maxDepth: BODY_DEPTH_MAX }) as unknown as RowBody | DdlBody;
  } catch (error) {
    // Within the texts before it, a quotation mark is escaped.
    const at = row.body.indexOf(',"op":"');
    if (row.kind !== 'row' || at < 0) throw error;
    const text = `${row.body.slice(0, at + ',"op":"U"'.length)}}`;
    return { ...(parseJson(text) as unknown as RowBody), unread: row.body };
  }
}

/** How deep the JSON of a row may be; deeper values are told by the hash of the whole. */
const BODY_DEPTH_MAX = 512;

function ofRow(row: CapturedRow, body: RowBody, how: How): AuditEvent {
  const { table, key, op, sealed, unread } = body;
  const values = body.new ?? body.old ?? {};
  const isNamed = how.isKeyTold && unread === undefined;
  const target: Target = {
    type: typeOf(table),
    id: op === 'T' ? '*' : isNamed ? keyOf(key, values) : WITHHELD,
  };
  const { changes, apart } = fitted(op === 'T' ? [] : changesOf(body), sealed);
  const columns = Object.fromEntries(apart.map(({ path, ...told }) => [nameIn(path), told]));
  const metadata = {
    ...givenBy(body, how),
    ...(isNamed || key === null
      ? {}
      : { key: key.map((column) => clippedTo(textOf(values[column] ?? null), NAME_CHARACTERS_MAX)) }),
    ...(unread === undefined ? {} : { row: hashOf(unread) }),
    ...(apart.length === 0 ? {} : { columns }),
  };
  const seals: Seal[] = apart.map(({ path }) => ({
    path: `/metadata/columns${path}`,
    subjects: [`${target.type}/${target.id}`],
  }));
  return {
    ...common(row, body, how, { table: clippedTo(table, LABEL_CHARACTERS_MAX) }),
    action: actions[op],
    targets: [target],
    // What is to be sealed by itself stands by its name alone among the changes, and with its values under a seal of its own.
    changes,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(seals.length === 0 ? {} : { seals }),
  };
}

function ofDdl(row: CapturedRow, body: DdlBody, how: How): AuditEvent {
  const { op, command, objects, broken, from, to = null } = body;
  const targets = objects.slice(0, 16).map(({ type, identity }) => ({
    type: typeOf(type),
    id: how.isKeyTold ? clippedTo(identity ?? command, LABEL_CHARACTERS_MAX) : WITHHELD,
  }));
  return {
    ...common(row, body, how),
    ...ddlActions[op],
    targets,
    metadata: {
      command,
      objects: objects.length,
      ...(broken.length > 0 ? { broken: broken.slice(0, 64) } : {}),
      ...(from === undefined ? {} : { from, to }),
      ...(how.isKeyTold
        ? {}
        : {
            names: objects.slice(0, 16).map(({ identity }) => clippedTo(identity ?? '', NAME_CHARACTERS_MAX)),
          }),
      ...givenBy(body, how),
    },
  };
}

type Said = Pick<RowBody, 'role' | 'actor' | 'context'>;

/** What the transaction said of its author, where the event cannot bear it: as it stands, among what is sealed. */
function givenBy({ actor, context }: Said, { author }: How): JsonObject {
  return {
    ...(actor === null || author.startsWith('told') ? {} : { actor: clippedTo(actor, GIVEN_CHARACTERS_MAX) }),
    ...(context === null || author === 'told' ? {} : { context: clippedTo(context, GIVEN_CHARACTERS_MAX) }),
  };
}

/** What every captured event has: its id, its time, its transaction, and who did it. */
function common(
  row: CapturedRow,
  { role, actor, context }: Said,
  { author, refused }: How,
  labels: { readonly table?: string } = {},
) {
  const isTold = author.startsWith('told');
  const known = actor === null || !isTold ? undefined : (parseJson(actor) as unknown as Actor);
  const where =
    context === null || author !== 'told' ? undefined : (parseJson(context) as unknown as EventContext);
  const unknown = { type: 'database_role', id: author === 'nobody' ? WITHHELD : role, identified: false };
  return {
    id: row.id,
    occurredAt: new Date(row.atMs).toISOString(),
    correlationId: `tx-${row.xid}`,
    actor: known ?? unknown,
    ...(where === undefined ? {} : { context: where }),
    labels: {
      ...labels,
      database_role: role,
      transaction: row.xid,
      ...(row.rowXid === String(Number(row.xid) % 2 ** 32) ? {} : { savepoint: row.rowXid }),
      ...(refused === undefined ? {} : { refused }),
    },
  };
}

/** The primary key as an id: the value itself; of several columns, all of them. No two keys of a table have one id. */
function keyOf(key: readonly string[] | null, row: JsonObject): string {
  if (key === null) return NO_KEY;
  const texts = key.map((column) => textOf(row[column] ?? null));
  const isPlain = texts.length === 1 || texts.every((text) => !/[,"[]/.test(text));
  const text = isPlain ? texts.join(',') : JSON.stringify(texts);
  if (text.length > NAME_CHARACTERS_MAX) return `sha256:${hexEncode(sha256Text(text))}`;
  if (text !== '' && !/[\p{Cc}]/u.test(text)) return text;
  return JSON.stringify(text).replace(/[\u007f-\u009f]/g, (unit) => `\\u00${hexOf(unit)}`);
}

function hexOf(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(2, '0');
}

/** How an event names a row, of which the columns of its primary key are told as JSON. */
export function keyOfRow(key: readonly string[], json: string): string {
  return keyOf(key, parseJson(exactNumbers(json), { maxDepth: BODY_DEPTH_MAX }) as unknown as JsonObject);
}

/** How the event of a row in the outbox will name what was changed, and whether that is a row which was there afterwards. */
export function rowNamed(row: CapturedRow): { type: string; id: string; isThere: boolean } {
  const { table, key, op, unread, ...body } = bodyOf(row) as RowBody;
  const id = unread === undefined && op !== 'T' ? keyOf(key, body.new ?? body.old ?? {}) : WITHHELD;
  return { type: typeOf(table), id, isThere: op === 'I' || op === 'U' };
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

function clippedTo(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).toWellFormed()}…`;
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
