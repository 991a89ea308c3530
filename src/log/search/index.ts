/**
 * Search: finding events again, by what stands in them.
 *
 * The index is a database of its own, `index.db`, behind the log: it follows the entries with a cursor of (size, root), holds
 * nothing that does not follow from them, and can be deleted at any time. `skim.ts` reads an entry, `schema.ts` says what is
 * kept of it, `search-index.ts` writes it; `plan.ts` turns a filter into terms, tests of columns and a window of time,
 * `streams.ts` brings candidates in order, and `searcher.ts` reads each from the log and holds it against the filter.
 *
 * That last step carries the rest. The index may say too much, so it can be small: a word says nothing of where it stands, and
 * a phrase is looked for as its words. But it must not say too little; `compare.ts` rebuilds it and finds out.
 *
 * ```ts
 * const index = SearchIndex.open('audit/index.db');
 * index.apply(entries, { from: index.cursor(), to: { size, root } });
 * const searcher = new Searcher(index, (indexes) => reader.at(indexes).map(joined));
 * searcher.page({ filter: parseQuery('actor:user/u_42 "prod eu"'), order: 'index', limit: 50 });
 * ```
 */
export {
  compareIndex,
  DIFFERENCES_MAX,
  type IndexAudit,
  type IndexComparison,
  type IndexDifference,
} from './compare.ts';
export { type CountRequest, type Counts, countEvents, type ValueCount } from './counts.ts';
export type { IndexCursor } from './index-connection.ts';
export type { SearchOrder } from './page-cursor.ts';
export {
  APPLY_ENTRIES,
  type Applied,
  SearchIndex,
  type SearchIndexOptions,
} from './search-index.ts';
export {
  type FetchEvents,
  PAGE_MS_MAX,
  Searcher,
  type SearcherOptions,
  type SearchPage,
  type SearchRequest,
} from './searcher.ts';
