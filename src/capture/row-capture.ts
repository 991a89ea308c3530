import { LogError, misuse } from '../bytes/index.ts';
import { withContext } from '../context/index.ts';
import type { AuditEvent, Change, Target } from '../event/index.ts';
import { type DiffOptions, differ, diffOptionNames } from './audit-diff.ts';
import { checkEvent } from './check-event.ts';
import { toJsonValue } from './diff-value.ts';
import { checkKnownOptions } from './known-options.ts';
import {
  type ActorOption,
  checkRecorder,
  type OnUnrecorded,
  type Recorder,
  recordHappened,
  recordsInTransactions,
  withActorOf,
} from './recording.ts';

/** A row as a driver gives it. */
export type RowValues = Readonly<Record<string, unknown>>;

/** What the integrations of ORMs have in common. */
export interface RowCaptureOptions extends DiffOptions {
  /** Where to record. With `recordIn`, as `PostgresLog` has it, events become part of the transaction that writes. */
  readonly recorder: Recorder;
  /** Who writes. Left out, it is who acts where the write is made (`indelible/context`), or else the recorder that must know. */
  readonly actor?: ActorOption;
  /** The tables (for Prisma, the models) whose writes are recorded. Default: all. */
  readonly only?: readonly string[];
  /** Tables whose writes are not recorded, on purpose. */
  readonly except?: readonly string[];
  /** The columns that tell the rows of a table apart, where that is not `id`. */
  readonly keys?: Readonly<Record<string, string | readonly string[]>>;
  /** Raw SQL that may write: refused, or recorded as `sql.executed` with its text and without its values. Default `refuse`. */
  readonly rawWrites?: 'refuse' | 'record';
  /** Rows that one statement may write: each is an event. More are refused before they are written. Default 1000. */
  readonly rowsMax?: number;
  /**
   * Called where a write has been committed and its events could not be recorded, which can happen only without `recordIn`. Default: the
   * call throws what the recorder threw, though its rows are written.
   */
  readonly onError?: OnUnrecorded;
}

/** Rows that one statement may write, unless `rowsMax` says otherwise. */
export const ROWS_MAX_DEFAULT = 1000;

/** What a statement that was recorded as such is called. */
export const RAW_ACTION = 'sql.executed';

const optionNames = [
  'recorder',
  'actor',
  'only',
  'except',
  'keys',
  'rawWrites',
  'rowsMax',
  'onError',
  ...diffOptionNames,
];

/** Turns rows before and after a write into events, and hands them to the recorder. One for each wrapped database. */
export class RowCapture {
  readonly rowsMax: number;
  readonly #options: RowCaptureOptions;
  readonly #diff: (before: unknown, after: unknown) => Change[];
  readonly #library: string;

  /** Throws misuse `option_unknown`, `option_invalid`. */
  constructor(library: string, options: RowCaptureOptions) {
    checkKnownOptions(options, optionNames);
    checkRecorder(options.recorder);
    const { rowsMax = ROWS_MAX_DEFAULT, rawWrites = 'refuse' } = options;
    if (!Number.isSafeInteger(rowsMax) || rowsMax < 1) {
      throw misuse('range', 'option_invalid', 'rowsMax must be a whole number of at least 1');
    }
    if (rawWrites !== 'refuse' && rawWrites !== 'record') {
      throw misuse('type', 'option_invalid', 'rawWrites must be refuse or record');
    }
    this.rowsMax = rowsMax;
    this.#library = library;
    this.#options = options;
    this.#diff = differ(
      Object.fromEntries(Object.entries(options).filter(([name]) => diffOptionNames.includes(name))),
    );
  }

  /** Whether the writes of a table are recorded. */
  covers(table: string): boolean {
    const { only, except } = this.#options;
    return (only === undefined || only.includes(table)) && except?.includes(table) !== true;
  }

  /** Whether events become part of the transaction. */
  get inTransaction(): boolean {
    return recordsInTransactions(this.#options.recorder);
  }

  /** The names of the columns that tell rows apart. */
  keyOf(table: string): readonly string[] {
    const key = this.#options.keys?.[table] ?? 'id';
    return typeof key === 'string' ? [key] : key;
  }

  /** The id of a row, from its key. Throws misuse `option_invalid` where the row has no such column. */
  idOf(table: string, row: RowValues): string {
    return this.keyOf(table)
      .map((column) => {
        const value = toJsonValue(row[column]);
        if (value !== undefined && value !== null)
          return typeof value === 'object' ? JSON.stringify(value) : String(value);
        throw misuse(
          'type',
          'option_invalid',
          `rows of ${table} have no value in ${column}: name their key in keys`,
        );
      })
      .join(':');
  }

  created(table: string, row: RowValues): AuditEvent {
    return this.#event('record.created', table, row, this.#diff({}, row));
  }

  deleted(table: string, row: RowValues): AuditEvent {
    return this.#event('record.deleted', table, row, this.#diff(row, {}));
  }

  /** Undefined where the row was written and is what it was. */
  updated(table: string, before: RowValues, after: RowValues): AuditEvent | undefined {
    const changes = this.#diff(before, after);
    return changes.length === 0 ? undefined : this.#event('record.updated', table, after, changes);
  }

  /**
   * The events of an update of several rows, matched by their keys. Throws `LogError` `rows_differ` where other rows were written than
   * were read before: the transaction must not commit then.
   */
  updatedAll(table: string, before: readonly RowValues[], after: readonly RowValues[]): AuditEvent[] {
    const byId = new Map(before.map((row) => [this.idOf(table, row), row]));
    if (byId.size !== after.length) throw this.differ(table, before.length, after.length);
    return after.flatMap((row) => {
      const was = byId.get(this.idOf(table, row));
      if (was === undefined) throw this.differ(table, before.length, after.length);
      return this.updated(table, was, row) ?? [];
    });
  }

  /** What to throw where the rows written are not those that were read. */
  differ(table: string, read: number, written: number): Error {
    return new LogError(
      'rows_differ',
      `${table}: ${read} rows were read before the write, and ${written} rows, or others, were written: somebody else wrote there too`,
      { retryable: true, hint: 'Nothing was kept. Try again.' },
    );
  }

  /** Refuses more rows than one statement may write. */
  checkRows(table: string, count: number): void {
    if (count <= this.rowsMax) return;
    throw misuse(
      'range',
      'write_unrecordable',
      `one statement would write ${count} or more rows of ${table}, and rowsMax is ${this.rowsMax}: write fewer at a time, or raise rowsMax`,
    );
  }

  /** What to throw for a write that this integration cannot see into. */
  refuse(what: string, instead: string): Error {
    return misuse('type', 'write_unrecordable', `${this.#library}: ${what} cannot be recorded. ${instead}`);
  }

  /** The event of raw SQL that may write. Throws misuse `write_unrecordable` unless `rawWrites` is `record`. */
  raw(sql: string): AuditEvent {
    if (this.#options.rawWrites !== 'record') {
      throw this.refuse('raw SQL that may write', 'Use the query builder, or set rawWrites to record.');
    }
    return this.#here({
      action: RAW_ACTION,
      targets: [{ type: 'database', id: this.#library }],
      metadata: { sql: sql.toWellFormed() },
    });
  }

  /** Records events: in the transaction where the recorder can, else now. For what has been committed already. */
  async deliver(events: readonly AuditEvent[]): Promise<void> {
    await recordHappened(this.#options.recorder, events, this.#options.onError);
  }

  /** Records within the transaction. Only where {@link inTransaction}. */
  async deliverIn(transaction: unknown, events: readonly AuditEvent[]): Promise<void> {
    const { recorder } = this.#options;
    if (!recordsInTransactions(recorder)) return;
    for (const event of events) await recorder.recordIn(transaction as never, event);
  }

  #event(action: string, table: string, row: RowValues, changes: readonly Change[]): AuditEvent {
    const target: Target = { type: typeOf(table), id: this.idOf(table, row) };
    return this.#here({ action, targets: [target], changes });
  }

  /**
   * Whoever acts when a row is written is its author, though it is recorded after the commit, and perhaps under another. An event that
   * waits for a commit is held to the rules of the log before it: what is refused afterwards is written all the same.
   */
  #here(given: Omit<AuditEvent, 'actor'>): AuditEvent {
    const event = withContext(withActorOf(this.#options.actor, given));
    if (!this.inTransaction) checkEvent(this.#options.recorder, event);
    return event;
  }
}

/** A name of a table as the type of a target. */
function typeOf(table: string): string {
  return table.replace(/[^A-Za-z0-9_.:-]/g, '_').replace(/^[^A-Za-z0-9]+/, '') || 'table';
}
