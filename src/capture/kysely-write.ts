import type { AuditEvent } from '../event/index.ts';
import type { RowCapture, RowValues } from './row-capture.ts';

/** A node of Kysely's query tree: plain data. */
export interface Node {
  readonly kind: string;
  readonly [name: string]: unknown;
}

/** What compiling a write needs to know. */
export interface WriteCompiler {
  readonly capture: RowCapture;
  /** Whether the dialect has RETURNING. */
  readonly returns: boolean;
  /** Whether the dialect has SELECT … FOR UPDATE. */
  readonly locks: boolean;
}

interface Affected {
  readonly rows: RowValues[];
  readonly numAffectedRows?: bigint;
  readonly insertId?: bigint;
}

/** A write as it will be performed: perhaps a query for the rows before, then the statement with every row returned. */
export type Write =
  | { readonly kind: 'raw'; readonly event: AuditEvent }
  | {
      readonly kind: 'rows';
      readonly before?: Node;
      readonly statement: Node;
      readonly checkBefore: (before: readonly RowValues[]) => void;
      readonly events: (before: readonly RowValues[], after: readonly RowValues[]) => AuditEvent[];
      /** The answer that the caller's own query would have had. */
      readonly answer: (result: Affected) => Affected;
    };

/** Parts of a write that make its rows unforeseeable, by kind. */
const refusedParts: Readonly<Record<string, readonly string[]>> = {
  InsertQueryNode: ['with', 'replace', 'onDuplicateKey', 'top', 'output', 'endModifiers'],
  UpdateQueryNode: ['with', 'from', 'joins', 'limit', 'orderBy', 'top', 'output', 'endModifiers'],
  DeleteQueryNode: ['with', 'using', 'joins', 'limit', 'orderBy', 'top', 'output', 'endModifiers'],
};

/** The write that a query tree is; undefined for what writes no rows, or none of a table that is covered. Throws misuse `write_unrecordable`. */
export function compileWrite(node: Node, how: WriteCompiler): Write | undefined {
  const { capture } = how;
  if (node.kind === 'MergeQueryNode') throw capture.refuse('MERGE', 'Use insert, update and delete.');
  const parts = refusedParts[node.kind];
  if (parts === undefined || node['explain'] !== undefined) return undefined;
  const at = tableNodeOf(node);
  const table = at === undefined ? undefined : tableName(at);
  const part = parts.find((name) => isThere(node[name]));
  if (part === 'with' || table === undefined) {
    throw capture.refuse('a write with WITH, or to more than one table', 'Write each as a query of its own.');
  }
  if (!capture.covers(table)) return undefined;
  if (part !== undefined)
    throw capture.refuse(`a write with ${part}`, 'Select the keys first, and write by them.');
  if (!how.returns) throw capture.refuse('a write on a dialect without RETURNING', 'Record it yourself.');
  const returning = node['returning'] as Node | undefined;
  const project = projectionOf(returning, capture);
  const statement = { ...node, returning: returningAll };
  const answer = (result: Affected): Affected => answerOf(result, project, node, capture.keyOf(table));
  if (node.kind === 'InsertQueryNode') return insert(node, table, how, { statement, answer });
  if (node.kind === 'DeleteQueryNode') {
    return {
      kind: 'rows',
      statement,
      answer,
      checkBefore: () => {},
      events: (_, gone) => {
        capture.checkRows(table, gone.length);
        return gone.map((row) => capture.deleted(table, row));
      },
    };
  }
  refuseKeyUpdate(node['updates'] as readonly Node[] | undefined, table, capture);
  return {
    kind: 'rows',
    before: selectRows(at as Node, node['where'], how),
    statement,
    answer,
    checkBefore: (before) => capture.checkRows(table, before.length),
    events: (before, after) => capture.updatedAll(table, before, after),
  };
}

type Shared = Pick<Extract<Write, { kind: 'rows' }>, 'statement' | 'answer'>;

function insert(node: Node, table: string, how: WriteCompiler, shared: Shared): Write {
  const { capture } = how;
  const orAction = (node['orAction'] as { readonly action?: string } | undefined)?.action;
  if (orAction !== undefined && orAction !== 'ignore') {
    throw capture.refuse(`INSERT OR ${orAction}`, 'Use onConflict with columns.');
  }
  const values = node['values'] as Node | undefined;
  if (values?.kind === 'ValuesNode') capture.checkRows(table, (values['values'] as unknown[]).length);
  const conflict = node['onConflict'] as Node | undefined;
  const updates = conflict?.['updates'] as readonly Node[] | undefined;
  refuseKeyUpdate(updates, table, capture);
  const where = updates === undefined ? undefined : conflictWhere(node, conflict as Node, capture);
  return {
    kind: 'rows',
    ...shared,
    ...(where === undefined ? {} : { before: selectRows(node['into'] as Node, where, how) }),
    checkBefore: () => {},
    events: (before, after) => {
      capture.checkRows(table, after.length);
      const byId = new Map(before.map((row) => [capture.idOf(table, row), row]));
      return after.flatMap((row) => {
        const was = byId.get(capture.idOf(table, row));
        return (was === undefined ? capture.created(table, row) : capture.updated(table, was, row)) ?? [];
      });
    },
  };
}

/** The rows that an upsert will meet: those with its values in the columns of the conflict. */
function conflictWhere(node: Node, conflict: Node, capture: RowCapture): Node {
  const columns = (conflict['columns'] as readonly Node[] | undefined)?.map(columnName);
  const names = (node['columns'] as readonly Node[] | undefined)?.map(columnName) ?? [];
  const places = columns?.map((name) => names.indexOf(name ?? ''));
  const values = node['values'] as Node | undefined;
  if (places === undefined || places.length === 0 || places.includes(-1) || values?.kind !== 'ValuesNode') {
    throw capture.refuse(
      'an upsert whose conflict is not on columns that its VALUES name',
      'Use onConflict((c) => c.columns(…)).',
    );
  }
  const rows = (values['values'] as readonly Node[]).map((list) => {
    const items = list['values'] as readonly unknown[];
    const equal = places.map((place, at) => equals(columns?.[at] as string, items[place], list.kind));
    return parens(equal.reduce((left, right) => ({ kind: 'AndNode', left, right })));
  });
  return { kind: 'WhereNode', where: rows.reduce((left, right) => ({ kind: 'OrNode', left, right })) };
}

function equals(name: string, item: unknown, listKind: string): Node {
  const value = listKind === 'PrimitiveValueListNode' ? { kind: 'ValueNode', value: item } : item;
  return {
    kind: 'BinaryOperationNode',
    leftOperand: { kind: 'ColumnNode', column: { kind: 'IdentifierNode', name } },
    operator: { kind: 'OperatorNode', operator: '=' },
    rightOperand: value,
  };
}

const parens = (node: Node): Node => ({ kind: 'ParensNode', node });

const selectAll: Node = { kind: 'SelectionNode', selection: { kind: 'SelectAllNode' } };
const returningAll: Node = { kind: 'ReturningNode', selections: [selectAll] };

/** The rows of a table that a condition fits, locked where the dialect can, and one more than may be written. */
function selectRows(table: Node, where: unknown, { capture, locks }: WriteCompiler): Node {
  return {
    kind: 'SelectQueryNode',
    from: { kind: 'FromNode', froms: [table] },
    selections: [selectAll],
    ...(where === undefined ? {} : { where }),
    limit: { kind: 'LimitNode', limit: { kind: 'ValueNode', value: capture.rowsMax + 1, immediate: true } },
    ...(locks ? { endModifiers: [{ kind: 'SelectModifierNode', modifier: 'ForUpdate' }] } : {}),
  };
}

function refuseKeyUpdate(updates: readonly Node[] | undefined, table: string, capture: RowCapture): void {
  const keys = capture.covers(table) ? capture.keyOf(table) : [];
  for (const update of updates ?? []) {
    const name = columnName(update['column'] as Node);
    if (name === undefined || keys.includes(name)) {
      throw capture.refuse('an update of a key', 'Insert the new row and delete the old one.');
    }
  }
}

/** How to get the caller's columns out of whole rows; undefined where the caller wants none. */
function projectionOf(
  returning: Node | undefined,
  capture: RowCapture,
): ((row: RowValues) => RowValues) | undefined {
  if (returning === undefined) return undefined;
  const pairs: (readonly [string, string])[] = [];
  let all = false;
  for (const { selection } of returning['selections'] as readonly { readonly selection: Node }[]) {
    if (isAll(selection)) all = true;
    else {
      const from = columnName(selection.kind === 'AliasNode' ? (selection['node'] as Node) : selection);
      const alias = selection.kind === 'AliasNode' ? nameOf(selection['alias']) : from;
      if (from === undefined || alias === undefined) {
        throw capture.refuse('a write that returns an expression', 'Return columns, and compute from them.');
      }
      pairs.push([alias, from]);
    }
  }
  return (row) => ({
    ...(all ? row : {}),
    ...Object.fromEntries(pairs.map(([alias, from]) => [alias, row[from]])),
  });
}

function isAll(selection: Node): boolean {
  const column = selection['column'] as Node | undefined;
  return selection.kind === 'SelectAllNode' || column?.kind === 'SelectAllNode';
}

function answerOf(
  result: Affected,
  project: ((row: RowValues) => RowValues) | undefined,
  node: Node,
  key: readonly string[],
): Affected {
  const numAffectedRows = result.numAffectedRows ?? BigInt(result.rows.length);
  if (project !== undefined) return { ...result, numAffectedRows, rows: result.rows.map(project) };
  // Where RETURNING was ours alone, SQLite's driver does not tell the row's number; a key that is one does.
  const last = node.kind === 'InsertQueryNode' ? result.rows.at(-1)?.[key[0] ?? ''] : undefined;
  const insertId = key.length === 1 && Number.isSafeInteger(last) ? BigInt(last as number) : undefined;
  return { ...result, numAffectedRows, rows: [], ...(insertId === undefined ? {} : { insertId }) };
}

function tableNodeOf(node: Node): Node | undefined {
  if (node.kind === 'InsertQueryNode') return node['into'] as Node | undefined;
  if (node.kind === 'UpdateQueryNode') return node['table'] as Node | undefined;
  const froms = (node['from'] as { readonly froms: readonly Node[] } | undefined)?.froms ?? [];
  return froms.length === 1 ? froms[0] : undefined;
}

/** `invoices`, or `billing.invoices`; of an alias, the table behind it. */
function tableName(node: Node): string | undefined {
  if (node.kind === 'AliasNode') return tableName(node['node'] as Node);
  if (node.kind !== 'TableNode') return undefined;
  const { schema, identifier } = node['table'] as { readonly schema?: unknown; readonly identifier: unknown };
  const name = nameOf(identifier);
  return schema === undefined || name === undefined ? name : `${nameOf(schema)}.${name}`;
}

function columnName(node: Node): string | undefined {
  if (node.kind === 'ReferenceNode') return columnName(node['column'] as Node);
  return node.kind === 'ColumnNode' ? nameOf(node['column']) : undefined;
}

function nameOf(identifier: unknown): string | undefined {
  const { kind, name } = (identifier ?? {}) as { readonly kind?: string; readonly name?: string };
  return kind === 'IdentifierNode' ? name : undefined;
}

function isThere(part: unknown): boolean {
  return Array.isArray(part) ? part.length > 0 : part !== undefined && part !== false;
}
