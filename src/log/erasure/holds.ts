import { misuse } from '../../bytes/index.ts';
import {
  type Actor,
  type AuditEvent,
  type Hold,
  type HoldChange,
  holdPlacedEvent,
  holdReleasedEvent,
  holdsAfter,
  isHoldName,
  isSubject,
  type PlacedHold,
  parseQuery,
} from '../../event/index.ts';
import { isLogError, LogError } from '../../store/index.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import type { Receipt } from '../receipt.ts';

/** How a hold is placed: what it covers, and who places it. */
export interface HoldOptions extends Hold {
  /** The log itself by default. */
  readonly by?: Actor;
  /** Sealed, and never erased. */
  readonly reason?: string;
}

/** How a hold is released. */
export interface ReleaseOptions {
  /** The log itself by default. */
  readonly by?: Actor;
  /** Sealed, and never erased. */
  readonly reason?: string;
}

const coverNames = ['subject', 'actor', 'target', 'from', 'to', 'query'] as const;

/**
 * The legal holds of a log: `log.holds`. Nothing but the log's own entries says which there are, and they are looked for in every
 * entry, not in the search index.
 */
export class Holds {
  readonly #reader: ReaderHandle;
  readonly #record: (event: AuditEvent) => Promise<Receipt>;
  /** What was said of holds in the first entries, as many as were looked through. */
  #known: { readonly size: number; readonly changes: readonly HoldChange[] } = { size: 0, changes: [] };

  /** @internal */
  constructor(reader: ReaderHandle, record: (event: AuditEvent) => Promise<Receipt>) {
    this.#reader = reader;
    this.#record = record;
  }

  /** The holds in force, in the order in which they were placed. */
  async list(): Promise<PlacedHold[]> {
    const { size } = await this.#reader.checkpoint();
    // A log only grows: what was read of it before stands.
    const known = this.#known;
    if (size <= known.size) return holdsAfter(known.changes);
    const { holds } = await this.#reader.scan({ from: known.size, to: size });
    const changes = [...known.changes, ...holds];
    if (size > this.#known.size) this.#known = { size, changes };
    return holdsAfter(changes);
  }

  /**
   * Places a hold. From the receipt on, nothing that it covers is erased. Throws a misuse `option_unknown`, `option_invalid`,
   * `query_invalid`; `LogError` `hold_exists` where its name was used before, as every name is used once.
   */
  async place(options: HoldOptions): Promise<Receipt> {
    const { by, reason, hold } = checkHold(options);
    try {
      return await this.#record(holdPlacedEvent(hold, words(by, reason)));
    } catch (error) {
      if (!isLogError(error, 'id_conflict')) throw error;
      throw new LogError('hold_exists', `the name ${hold.name} was used for another hold`, {
        cause: error,
        hint: 'choose another name: a name is used once in the life of a log',
      });
    }
  }

  /** Releases a hold. Throws `LogError` `not_found` where none of this name is in force. */
  async release(name: string, options: ReleaseOptions = {}): Promise<Receipt> {
    refuseUnknown(options, ['by', 'reason']);
    const holds = await this.list();
    if (!holds.some((hold) => hold.name === name)) {
      throw new LogError('not_found', `no hold named ${JSON.stringify(name)} is in force`);
    }
    return this.#record(holdReleasedEvent(name, words(options.by, options.reason)));
  }
}

function words(by: Actor | undefined, reason: string | undefined): { actor?: Actor; reason?: string } {
  return { ...(by !== undefined && { actor: by }), ...(reason !== undefined && { reason }) };
}

/** The hold itself, its times as entries write them. */
function checkHold(options: HoldOptions): { by?: Actor; reason?: string; hold: Hold } {
  if (typeof options !== 'object' || options === null) throw invalid('a hold is {name, subject, …}');
  refuseUnknown(options, ['name', ...coverNames, 'by', 'reason']);
  const { by, reason, name, subject, actor, target, from, to, query } = options;
  if (!isHoldName(name)) throw invalid('a hold needs a name: 1 to 64 of A-Z a-z 0-9 . _ -');
  if (coverNames.every((field) => options[field] === undefined)) {
    throw invalid(`a hold covers something: name at least one of ${coverNames.join(', ')}`);
  }
  for (const [field, value] of Object.entries({ subject, actor, target })) {
    if (value !== undefined && !isSubject(value)) throw invalid(`${field} is written type/id, as user/u_42`);
  }
  if (query !== undefined && parseQuery(query).kind === 'all' && query.trim() === '')
    throw invalid('a query that finds everything covers the whole log');
  const hold = {
    name,
    ...(subject !== undefined && { subject }),
    ...(actor !== undefined && { actor }),
    ...(target !== undefined && { target }),
    ...(from !== undefined && { from: timeOf(from, 'from') }),
    ...(to !== undefined && { to: timeOf(to, 'to') }),
    ...(query !== undefined && { query }),
  };
  return { hold, ...(by !== undefined && { by }), ...(reason !== undefined && { reason }) };
}

/** A time, or a day, as the language of queries reads it, written as entries write theirs. */
function timeOf(text: string, name: string): string {
  const isTime = typeof text === 'string' && /^[0-9T:.Z+-]+$/.test(text);
  try {
    const filter = isTime ? parseQuery(`after:${text}`) : undefined;
    if (filter?.kind === 'after') return filter.time;
  } catch {
    // Below.
  }
  throw invalid(`${name} must be a time, as 2026-01-31 or 2026-01-31T12:00:00Z`);
}

function refuseUnknown(options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${known.join(', ')}`);
  }
}

function invalid(message: string): TypeError {
  return misuse('type', 'option_invalid', message) as TypeError;
}
