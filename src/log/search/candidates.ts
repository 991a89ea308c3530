import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { LogError } from '../../store/index.ts';
import { REPAIR_HINT } from './index-connection.ts';
import type { Plan } from './plan.ts';
import type { IndexRange } from './zones.ts';

/** An event that may fit a filter, with what the index says of it: numbers of names in the dictionary. */
export interface Candidate {
  readonly index: number;
  readonly occurred: number;
  readonly action: number;
  readonly actor: number;
  readonly outcome: number;
  readonly severity: number;
}

/** Statements that are kept for queries of the same shape. */
const STATEMENTS_KEPT_MAX = 64;

const statementsOf = new WeakMap<DatabaseSync, Map<string, StatementSync>>();

/** Finds what a plan describes within ranges of indexes. Within a transaction that reads. */
export class Finder {
  readonly #statement: StatementSync;
  readonly #terms: readonly string[];
  readonly #values: readonly (number | string)[];

  constructor(db: DatabaseSync, { terms, columns }: Plan) {
    this.#terms = terms === undefined ? [] : [terms];
    this.#values = columns.values;
    this.#statement = prepared(db, terms === undefined ? scan(columns.sql) : lookUp(columns.sql));
  }

  /** The newest `limit` candidates in a range, by index, descending. Throws `LogError` `index_corrupt`. */
  find({ from, to }: IndexRange, limit: number): Candidate[] {
    // As integers: numbers are bound as doubles, and FTS5 passes over a bound of rowids that is none of its own kind.
    const [first, end, most] = [BigInt(from), BigInt(to), BigInt(limit)];
    const rows = this.#statement.all(
      ...this.#terms,
      first,
      end,
      ...this.#values,
      most,
    ) as unknown as unknown[][];
    return rows.map(candidate);
  }
}

/** `events` from its end. */
function scan(test: string): string {
  return `SELECT idx, occurred, action, actor, outcome, severity, idx FROM events
    WHERE idx >= ? AND idx < ? AND (${test}) ORDER BY idx DESC LIMIT ?`;
}

/** What bears the terms, and its row beside it; a row that is missing must not hide the event. */
function lookUp(test: string): string {
  return `SELECT idx, occurred, action, actor, outcome, severity, terms.rowid
    FROM terms LEFT JOIN events ON events.idx = terms.rowid
    WHERE terms MATCH ? AND terms.rowid >= ? AND terms.rowid < ? AND (events.idx IS NULL OR (${test}))
    ORDER BY terms.rowid DESC LIMIT ?`;
}

function candidate([index, occurred, action, actor, outcome, severity, row]: unknown[]): Candidate {
  if (
    typeof index === 'number' &&
    typeof occurred === 'number' &&
    typeof action === 'number' &&
    typeof actor === 'number' &&
    typeof outcome === 'number' &&
    typeof severity === 'number'
  ) {
    return { index, occurred, action, actor, outcome, severity };
  }
  throw new LogError(
    'index_corrupt',
    `the search index holds terms of entry ${row}, but no row that is whole`,
    {
      hint: REPAIR_HINT,
    },
  );
}

function prepared(db: DatabaseSync, sql: string): StatementSync {
  const statements = statementsOf.get(db) ?? new Map<string, StatementSync>();
  statementsOf.set(db, statements);
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = db.prepare(sql);
    statement.setReturnArrays(true);
    if (statements.size >= STATEMENTS_KEPT_MAX) statements.clear();
    statements.set(sql, statement);
  }
  return statement;
}
