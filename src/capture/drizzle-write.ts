import type { AuditEvent } from '../event/index.ts';
import type { RowCapture, RowValues } from './row-capture.ts';

/** One call on a builder: its name and its arguments. */
export type Step = readonly [name: string, words: readonly unknown[]];

/** A database or transaction of Drizzle, as far as it is used. */
export interface DrizzleHandle {
  transaction(work: (tx: DrizzleHandle) => Promise<unknown>, ...rest: readonly unknown[]): Promise<unknown>;
  select(): { from(table: object): Select };
  readonly [name: string]: unknown;
}

interface Select extends PromiseLike<RowValues[]> {
  where(condition: unknown): Select;
  limit(rows: number): Select;
  /** PostgreSQL has it; SQLite has one writer at a time and no row locks. */
  for?(strength: 'update'): Select;
}

interface Column {
  readonly name: string;
}

/** What was written: every row, what the caller asked back, and the events. */
export interface Written {
  readonly rows: readonly RowValues[];
  readonly returned: readonly RowValues[] | undefined;
  readonly events: readonly AuditEvent[];
}

/** Drizzle keeps what it knows of a table under these. */
const nameSymbol = Symbol.for('drizzle:Name');
const schemaSymbol = Symbol.for('drizzle:Schema');
const columnsSymbol = Symbol.for('drizzle:Columns');

/** The name of a table, with its schema where it has one. */
export function tableName(table: object): string {
  const { [nameSymbol]: name, [schemaSymbol]: schema } = table as { [name: symbol]: string | undefined };
  return schema === undefined ? String(name) : `${schema}.${name}`;
}

function columnsOf(table: object): Readonly<Record<string, Column>> {
  return (table as { [name: symbol]: Record<string, Column> })[columnsSymbol] ?? {};
}

/** The methods whose effect on the rows is known. Any other is refused, those of later versions too. */
const knownSteps: Readonly<Record<string, readonly string[]>> = {
  insert: [
    'values',
    'select',
    'overridingSystemValue',
    'onConflictDoNothing',
    'onConflictDoUpdate',
    'returning',
  ],
  update: ['set', 'where', 'returning'],
  delete: ['where', 'returning'],
};

/** Refuses what cannot be seen into, before anything is written. Throws misuse `write_unrecordable`. */
export function checkSteps(steps: readonly Step[], capture: RowCapture): void {
  const [[kind, [table]], ...rest] = steps as readonly [Step, ...Step[]];
  const unknown = rest.find(([name]) => knownSteps[kind]?.includes(name) !== true);
  if (unknown !== undefined) {
    throw capture.refuse(`${kind} with ${unknown[0]}`, 'Select the keys first, and write by them.');
  }
  const keys = capture.keyOf(tableName(table as object));
  const sets = [
    wordOf(rest, 'set'),
    (wordOf(rest, 'onConflictDoUpdate') as { set?: unknown } | undefined)?.set,
  ];
  for (const set of sets) {
    if (keys.some((key) => (set as RowValues | undefined)?.[key] !== undefined)) {
      throw capture.refuse('an update of a key', 'Insert the new row and delete the old one.');
    }
  }
  projectionOf(rest, table as object, capture);
  const values = wordOf(rest, 'values');
  if (Array.isArray(values)) capture.checkRows(tableName(table as object), values.length);
}

/** Performs a write within a transaction: reads the rows before where there are any, writes, and reads every row that was written. */
export async function performWrite(
  tx: DrizzleHandle,
  steps: readonly Step[],
  capture: RowCapture,
): Promise<Written> {
  const [[kind, [target]], ...rest] = steps as readonly [Step, ...Step[]];
  const table = target as object;
  const name = tableName(table);
  const before = await readBefore(tx, kind, table, rest, capture);
  const rows = await write(tx, kind, table, rest, capture);
  capture.checkRows(name, rows.length);
  const project = projectionOf(rest, table, capture);
  const returned = project === undefined ? undefined : rows.map(project);
  if (kind === 'update') return { rows, returned, events: capture.updatedAll(name, before, rows) };
  if (kind === 'delete') return { rows, returned, events: rows.map((row) => capture.deleted(name, row)) };
  const byId = new Map(before.map((row) => [capture.idOf(name, row), row]));
  const events = rows.flatMap((row) => {
    const was = byId.get(capture.idOf(name, row));
    return (was === undefined ? capture.created(name, row) : capture.updated(name, was, row)) ?? [];
  });
  return { rows, returned, events };
}

async function write(
  tx: DrizzleHandle,
  kind: string,
  table: object,
  steps: readonly Step[],
  capture: RowCapture,
): Promise<RowValues[]> {
  type Builder = Record<string, ((...words: readonly unknown[]) => Builder) | undefined>;
  let builder = (tx[kind] as (table: object) => Builder).call(tx, table);
  for (const [name, words] of steps) {
    if (name !== 'returning') builder = builder[name]?.(...words) ?? builder;
  }
  if (builder['returning'] === undefined) {
    throw capture.refuse('a write on a dialect without RETURNING', 'Record it yourself.');
  }
  return (await (builder['returning']() as unknown as PromiseLike<RowValues[]>)) as RowValues[];
}

/** The rows that an update or an upsert will meet, locked where the database can. */
async function readBefore(
  tx: DrizzleHandle,
  kind: string,
  table: object,
  steps: readonly Step[],
  capture: RowCapture,
): Promise<readonly RowValues[]> {
  const conflict = wordOf(steps, 'onConflictDoUpdate') as Conflict | undefined;
  if (kind === 'delete' || (kind === 'insert' && conflict === undefined)) return [];
  const condition =
    conflict === undefined
      ? wordOf(steps, 'where')
      : await conflictCondition(table, steps, conflict, capture);
  const from = tx.select().from(table);
  const found = (condition === undefined ? from : from.where(condition)).limit(capture.rowsMax + 1);
  const rows = await (found.for === undefined ? found : found.for('update'));
  capture.checkRows(tableName(table), rows.length);
  return rows;
}

interface Conflict {
  readonly target?: Column | readonly Column[];
  readonly set?: RowValues;
}

/** The rows with the values of an upsert in the columns of its conflict. */
async function conflictCondition(
  table: object,
  steps: readonly Step[],
  conflict: Conflict,
  capture: RowCapture,
): Promise<unknown> {
  // Loaded where it is needed: it is the application's, and this package has none.
  const { and, eq, or } = await import('drizzle-orm');
  const targets = [conflict.target ?? []].flat() as readonly Column[];
  const names = targets.map((target) => nameOf(table, target));
  const values = wordOf(steps, 'values');
  const rows = (Array.isArray(values) ? values : [values]) as readonly (RowValues | undefined)[];
  const conditions = rows.map((row) =>
    and(
      ...targets.map((target, at) => {
        const value = row?.[names[at] ?? ''];
        if (value === undefined || value === null) {
          throw capture.refuse(
            'an upsert whose conflict is not on columns that its values name',
            'Name them all.',
          );
        }
        return eq(target as never, value);
      }),
    ),
  );
  return or(...conditions);
}

/** How to get what the caller asked back out of whole rows; undefined where nothing is. Throws misuse `write_unrecordable`. */
function projectionOf(
  steps: readonly Step[],
  table: object,
  capture: RowCapture,
): ((row: RowValues) => RowValues) | undefined {
  const returning = steps.find(([name]) => name === 'returning');
  if (returning === undefined) return undefined;
  const [fields] = returning[1];
  if (fields === undefined) return (row) => row;
  const pairs = Object.entries(fields as Record<string, Column>).map(([alias, column]) => {
    const name = nameOf(table, column);
    if (name === undefined)
      throw capture.refuse('a write that returns an expression', 'Return columns, and compute from them.');
    return [alias, name] as const;
  });
  return (row) => Object.fromEntries(pairs.map(([alias, name]) => [alias, row[name]]));
}

/** The name that a column has in its table's definition, which is the one that its rows bear. */
function nameOf(table: object, column: Column): string | undefined {
  return Object.entries(columnsOf(table)).find(([, candidate]) => candidate === column)?.[0];
}

function wordOf(steps: readonly Step[], name: string): unknown {
  return steps.find(([step]) => step === name)?.[1][0];
}
