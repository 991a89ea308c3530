import type { AuditEvent } from '../event/index.ts';
import type { RowCapture, RowValues } from './row-capture.ts';

/** A model: its relations, and the `omit` that leaves nothing out. */
export interface Model {
  readonly name: string;
  readonly relations: readonly string[];
  readonly whole: Readonly<Record<string, false>>;
}

/** The arguments of an operation. */
export interface Words {
  readonly where?: object;
  readonly data?: RowValues | readonly RowValues[];
  readonly create?: RowValues;
  readonly update?: RowValues;
  readonly select?: Readonly<Record<string, unknown>>;
  readonly include?: Readonly<Record<string, unknown>>;
  readonly omit?: Readonly<Record<string, unknown>>;
  readonly limit?: number;
  readonly take?: number;
}

/** The operations of a model within the transaction. */
interface Delegate {
  findUnique(words: Words): Promise<RowValues | null>;
  findFirst(words: Words): Promise<RowValues | null>;
  findMany(words: Words): Promise<RowValues[]>;
  createManyAndReturn(words: Words): Promise<RowValues[]>;
  updateManyAndReturn(words: Words): Promise<RowValues[]>;
}

interface Performing {
  readonly model: Model;
  readonly capture: RowCapture;
  /** The operation itself. */
  readonly query: (words: Words) => Promise<unknown>;
  readonly delegate: Delegate;
}

interface Performed {
  readonly result: unknown;
  readonly events: readonly AuditEvent[];
}

type Perform = (words: Words, how: Performing) => Promise<Performed>;

/**
 * Performs a write on whole rows, and answers as the caller asked: the operations of the generated client, by name. Throws misuse
 * `write_unrecordable` for any other, for nested writes, and for a bulk update of a key; `LogError` `rows_differ`.
 */
export async function performOperation(operation: string, words: Words, how: Performing): Promise<Performed> {
  const perform = operations[operation];
  if (perform === undefined)
    throw how.capture.refuse(operation, 'Use the operations of the generated client.');
  refuseNested(words, how);
  return perform(words, how);
}

const operations: Readonly<Record<string, Perform>> = {
  create: async (words, how) => {
    const row = (await how.query(whole(words, how))) as RowValues;
    return { result: await shaped(row, words, how), events: [how.capture.created(how.model.name, row)] };
  },
  update: async (words, how) => {
    const before = await how.delegate.findUnique({ ...taken(words, 'where'), omit: how.model.whole });
    const row = (await how.query(whole(words, how))) as RowValues;
    return { result: await shaped(row, words, how), events: changed(how, before, row) };
  },
  upsert: async (words, how) => {
    const before = await how.delegate.findUnique({ ...taken(words, 'where'), omit: how.model.whole });
    const row = (await how.query(whole(words, how))) as RowValues;
    return { result: await shaped(row, words, how), events: changed(how, before, row) };
  },
  delete: async (words, how) => {
    const shape = shapeOf(words);
    const answer =
      shape === undefined ? undefined : await how.delegate.findUnique({ ...taken(words, 'where'), ...shape });
    const row = (await how.query(whole(words, how))) as RowValues;
    return { result: answer ?? row, events: [how.capture.deleted(how.model.name, row)] };
  },
  // Those that answer with a count are performed by those that answer with rows, which come here in their turn.
  createMany: async (words, { delegate }) => {
    const rows = await delegate.createManyAndReturn(words);
    return { result: { count: rows.length }, events: [] };
  },
  updateMany: async (words, { delegate }) => {
    const rows = await delegate.updateManyAndReturn(words);
    return { result: { count: rows.length }, events: [] };
  },
  createManyAndReturn: async (words, how) => {
    const { capture, model } = how;
    if (Array.isArray(words.data)) capture.checkRows(model.name, words.data.length);
    const project = projectionOf(words, how);
    const rows = (await how.query(whole(words, how))) as RowValues[];
    return { result: rows.map(project), events: rows.map((row) => capture.created(model.name, row)) };
  },
  updateManyAndReturn: async (words, how) => {
    const { capture, model } = how;
    if (capture.keyOf(model.name).some((name) => name in (words.data ?? {}))) {
      throw capture.refuse('a bulk update of a key', 'Update the rows one by one.');
    }
    const project = projectionOf(words, how);
    const before = await rowsBefore(words, how);
    const rows = (await how.query(whole(words, how))) as RowValues[];
    return { result: rows.map(project), events: capture.updatedAll(model.name, before, rows) };
  },
  deleteMany: async (words, how) => {
    const { capture, model } = how;
    const before = await rowsBefore(words, how);
    if (before.length === 0) return { result: { count: 0 }, events: [] };
    // Those rows and no others: what somebody else adds meanwhile stays.
    const where = { AND: [words.where ?? {}, { OR: before.map((row) => keyOf(row, how)) }] };
    const { count } = (await how.query({ where })) as { readonly count: number };
    if (count !== before.length) throw capture.differ(model.name, before.length, count);
    return { result: { count }, events: before.map((row) => capture.deleted(model.name, row)) };
  },
};

async function rowsBefore(words: Words, { capture, model, delegate }: Performing): Promise<RowValues[]> {
  if (words.limit !== undefined) throw capture.refuse('a bulk write with limit', 'Find the keys first.');
  const before = await delegate.findMany({
    ...taken(words, 'where'),
    take: capture.rowsMax + 1,
    omit: model.whole,
  });
  capture.checkRows(model.name, before.length);
  return before;
}

function changed({ capture, model }: Performing, before: RowValues | null, after: RowValues): AuditEvent[] {
  if (before === null) return [capture.created(model.name, after)];
  const event = capture.updated(model.name, before, after);
  return event === undefined ? [] : [event];
}

/** The arguments, with whole rows for an answer. */
function whole(words: Words, { model }: Performing): Words {
  const { select: _select, include: _include, omit: _omit, ...rest } = words;
  return { ...rest, omit: model.whole };
}

function shapeOf({ select, include, omit }: Words): Words | undefined {
  if (select === undefined && include === undefined && omit === undefined) return undefined;
  return {
    ...(select === undefined ? {} : { select }),
    ...(include === undefined ? {} : { include }),
    ...(omit === undefined ? {} : { omit }),
  };
}

/** A row as the caller asked for it. */
async function shaped(row: RowValues, words: Words, how: Performing): Promise<unknown> {
  const shape = shapeOf(words);
  return shape === undefined ? row : how.delegate.findFirst({ where: keyOf(row, how), ...shape });
}

function keyOf(row: RowValues, { capture, model }: Performing): object {
  return Object.fromEntries(capture.keyOf(model.name).map((name) => [name, row[name]]));
}

function projectionOf(words: Words, { capture }: Performing): (row: RowValues) => RowValues {
  const { select, include, omit } = words;
  if (include !== undefined || Object.values(select ?? {}).some((value) => typeof value === 'object')) {
    throw capture.refuse('a bulk write that returns relations', 'Read them afterwards.');
  }
  const wanted = (name: string): boolean =>
    select === undefined ? omit?.[name] !== true : select[name] === true;
  return (row) => Object.fromEntries(Object.entries(row).filter(([name]) => wanted(name)));
}

/** Refuses writes to other models than this one: their rows would not be seen. */
function refuseNested({ data, create, update }: Words, { model, capture }: Performing): void {
  for (const written of [data ?? [], create ?? [], update ?? []].flat() as readonly RowValues[]) {
    const nested = Object.keys(written).find((name) => model.relations.includes(name));
    if (nested !== undefined) {
      throw capture.refuse(
        `a write to ${model.name} with one to ${nested} in it`,
        'Write each model by itself in prisma.$transaction, with the keys of the others.',
      );
    }
  }
}

function taken<K extends keyof Words>(words: Words, name: K): Pick<Words, K> | Record<never, never> {
  return words[name] === undefined ? {} : { [name]: words[name] };
}
