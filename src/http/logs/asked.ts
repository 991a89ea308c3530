import { type Filter, formatFilter, matches, parseQuery, type RecordedEvent } from '../../event/index.ts';
import type { Call, Caller } from '../route.ts';

const everything: Filter = { kind: 'all', filters: [] };

/** What a request asks for: the query that it brought, and what its credential lets it see. */
export interface Asked {
  readonly text: string;
  /** The query alone. */
  readonly filter: Filter;
  /** The query joined, as a tree, to the credential's own filter. */
  readonly joined: Filter;
}

/** Reads `q`. Throws a misuse `query_invalid` with the position. */
export function askedOf({ query, caller }: Pick<Call, 'query' | 'caller'>): Asked {
  const text = (query['q'] as string | undefined) ?? '';
  const filter = text === '' ? everything : parseQuery(text);
  const own = caller?.filter;
  return { text, filter, joined: own === undefined ? filter : { kind: 'all', filters: [own, filter] } };
}

/** Whether the caller may see an event. */
export function maySee(caller: Caller | undefined, event: RecordedEvent): boolean {
  return caller?.filter === undefined || matches(caller.filter, event);
}

/** What the answer depends on beside the log, as texts. */
export function boundTo(call: Call, { filter }: Asked): string[] {
  const { caller, query } = call;
  const own = caller?.filter === undefined ? '' : formatFilter(caller.filter);
  return [call.log.name, formatFilter(filter), own, (query['order'] as string | undefined) ?? 'index'];
}

/** The fields that a filter looks at, without what they are compared with. */
export function fieldsOf(filter: Filter): string[] {
  const fields = new Set<string>();
  const visit = (part: Filter): void => {
    if (part.kind === 'all' || part.kind === 'any') for (const inner of part.filters) visit(inner);
    else if (part.kind === 'not') visit(part.filter);
    else fields.add('field' in part ? part.field : part.kind);
  };
  visit(filter);
  return [...fields].sort();
}
