import { type Filter, formatFilter, parseQuery } from '../../../src/event/index.ts';

/** One term of a query, as something to look at and to take away. */
export interface Chip {
  /** The term in the query language. */
  readonly text: string;
  readonly isNegated: boolean;
}

/** The terms of a query that all have to fit. Throws `QueryError`. */
export function chipsOf(q: string): Chip[] {
  return termsOf(parseQuery(q)).map((term) => ({ text: formatFilter(term), isNegated: term.kind === 'not' }));
}

/** The query without its term number `position`. */
export function withoutChip(q: string, position: number): string {
  return format(termsOf(parseQuery(q)).filter((_, at) => at !== position));
}

/** The query with one more term; a term of a field that only one value can fit takes the other's place. */
export function withTerm(q: string, term: string): string {
  const added = parseQuery(term);
  const known = safelyTermsOf(q);
  const replaces = (filter: Filter): boolean =>
    filter.kind === added.kind &&
    (filter.kind === 'after' ||
      filter.kind === 'before' ||
      (filter.kind === 'word' && added.kind === 'word' && filter.field === added.field));
  return format([...known.filter((filter) => !replaces(filter) && !isEqual(filter, added)), added]);
}

/** The query within a stretch of time, in place of any other. */
export function withTimes(q: string, from: string | undefined, to: string | undefined): string {
  const rest = safelyTermsOf(q).filter(({ kind }) => kind !== 'after' && kind !== 'before');
  return format([
    ...rest,
    ...(from === undefined ? [] : [{ kind: 'after', time: from } as const]),
    ...(to === undefined ? [] : [{ kind: 'before', time: to } as const]),
  ]);
}

/** The same query as the parser reads it. */
function termsOf(filter: Filter): readonly Filter[] {
  return filter.kind === 'all' ? filter.filters : [filter];
}

/** What is being typed may be no query yet; then the new term stands alone. */
function safelyTermsOf(q: string): readonly Filter[] {
  try {
    return termsOf(parseQuery(q));
  } catch {
    return [];
  }
}

function format(filters: readonly Filter[]): string {
  return filters.length === 0 ? '' : formatFilter({ kind: 'all', filters });
}

function isEqual(one: Filter, other: Filter): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
