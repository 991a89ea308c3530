import { type Viewing, viewedEvent } from '../../event/index.ts';
import { LogError } from '../../log/index.ts';
import { systemClock } from '../../platform/index.ts';
import type { Call, Caller, Logs } from '../route.ts';

/** How often what was read is recorded, milliseconds: one entry for each reader, log and such a while. */
export const VIEWS_MS = 60_000;

/** Different queries that one entry names; it says how many requests there were in all. */
const QUERIES_MAX = 20;

/** Characters of a query that an entry keeps. */
const QUERY_CHARACTERS_MAX = 1000;

/** Readers that are remembered; with one more, everything is recorded at once. */
const READERS_MAX = 1000;

/** What one answer showed. */
export interface Shown {
  /** The indexes of the events. */
  readonly indexes: readonly number[];
  readonly fields: readonly string[];
  /** The query, where there was one. */
  readonly query?: string;
}

interface Gathered {
  readonly log: string;
  readonly caller: Caller;
  readonly from: string;
  readonly fields: Set<string>;
  readonly queries: Set<string>;
  requests: number;
  events: number;
  first: number;
  last: number;
}

/** Who read what, gathered into one `log.viewed` for each reader and minute: a busy viewer does not flood the log. */
export class Views {
  readonly #logs: Pick<Logs, 'take'>;
  readonly #warn: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #gathered = new Map<string, Gathered>();

  constructor(logs: Pick<Logs, 'take'>, warn: (message: string) => void = () => {}) {
    this.#logs = logs;
    this.#warn = warn;
    this.#timer = setInterval(() => void this.flush(), VIEWS_MS).unref();
  }

  /** Takes note of an answer. Recording it comes later, and never delays the answer. */
  saw(
    { log, caller, request }: Pick<Call, 'log' | 'caller' | 'request'>,
    { indexes, fields, query }: Shown,
  ): void {
    // A HEAD shows nothing of any event.
    if (caller === undefined || request.method === 'HEAD') return;
    const name = `${log.name} ${caller.kind} ${caller.id}`;
    let gathered = this.#gathered.get(name);
    if (gathered === undefined) {
      if (this.#gathered.size >= READERS_MAX) void this.flush();
      gathered = begun(log.name, caller);
      this.#gathered.set(name, gathered);
    }
    gathered.requests += 1;
    gathered.events += indexes.length;
    for (const index of indexes) {
      gathered.first = Math.min(gathered.first, index);
      gathered.last = Math.max(gathered.last, index);
    }
    for (const field of fields) gathered.fields.add(field);
    if (query !== undefined && query !== '' && gathered.queries.size < QUERIES_MAX)
      gathered.queries.add(query.slice(0, QUERY_CHARACTERS_MAX));
  }

  /** Records what was gathered. */
  async flush(): Promise<void> {
    const gathered = this.#gathered;
    this.#gathered = new Map();
    await Promise.all([...gathered.values()].map((one) => this.#record(one)));
  }

  /** Records what was gathered, and gathers no more by itself. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #record(gathered: Gathered): Promise<void> {
    try {
      const taken = await this.#logs.take(gathered.log);
      if (taken === undefined) throw new LogError('log_missing', 'the log is gone');
      try {
        if (taken.damage !== undefined) throw taken.damage;
        await taken.log.recordOwn(viewedEvent(viewingOf(gathered)));
      } finally {
        taken.release();
      }
    } catch (error) {
      this.#warn(`${gathered.log}: who read it could not be recorded: ${(error as Error).message}`);
    }
  }
}

/** The reader as the actor of an entry. */
export function actorOf({ kind, id, name }: Caller): Viewing['actor'] {
  return { type: kind === 'key' ? 'api_key' : kind.replaceAll('-', '_'), id, name };
}

function begun(log: string, caller: Caller): Gathered {
  return {
    log,
    caller,
    from: isoNow(),
    fields: new Set(),
    queries: new Set(),
    requests: 0,
    events: 0,
    first: Number.POSITIVE_INFINITY,
    last: -1,
  };
}

function viewingOf({ caller, requests, events, first, last, fields, queries, from }: Gathered): Viewing {
  return {
    actor: actorOf(caller),
    requests,
    events,
    fields: [...fields].sort(),
    queries: [...queries],
    from,
    to: isoNow(),
    ...(last < 0 ? {} : { range: { from: first, to: last } }),
  };
}

function isoNow(): string {
  return new Date(systemClock.wall()).toISOString();
}
