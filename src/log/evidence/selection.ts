import { misuse } from '../../bytes/index.ts';
import { type Filter, filterOf, formatFilter, PAGE_EVENTS_MAX, parseQuery } from '../../event/index.ts';
import { LogError } from '../../store/index.ts';
import { EVIDENCE_ENTRIES_MAX } from '../../verify/index.ts';
import { INDEX_WAIT_MS_DEFAULT } from '../query.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import { listed, tooLarge } from './limits.ts';
import { ConcerningRecords } from './records.ts';
import { storedAt } from './stored.ts';

/** What evidence is asked for: what a query finds, or entries by their ids. */
export type EvidenceSelection =
  | { readonly query: string | Filter; readonly ids?: undefined }
  | { readonly ids: readonly string[]; readonly query?: undefined };

/** The log's own entries that evidence needs whatever is asked for: who may sign, and which log it continues. */
const always = ['log.forked_from', 'log.key_revoked', 'log.key_rotated'];

/** Those that it needs where they concern what is selected. Holds are not among them: no verdict needs one. */
const concerning = ['log.erased', 'log.retention_applied', 'log.source_gap'];

/** The entries of an evidence file: ascending indexes, below the size of the checkpoint that it is made under. */
export interface Selected {
  readonly indexes: readonly number[];
  readonly support: readonly number[];
  /** The minimum index to which the log was pruned; 0 where it was not. */
  readonly minimum: number;
  /** The query as text, or null. */
  readonly query: string | null;
}

/**
 * Finds the entries. Throws a misuse `query_invalid`, `argument_invalid`; `LogError` `not_found` for an id that the log does not
 * have, `index_behind` where the search does not cover the log in time, `evidence_too_large`, and as `storedAt` does.
 */
export async function select(
  reader: ReaderHandle,
  selection: EvidenceSelection,
  size: number,
): Promise<Selected> {
  const found = selection.ids === undefined ? undefined : await byIds(reader, selection.ids, size);
  // What the file says was asked is what is asked: a filter that its text does not mean would be found out.
  const query = selection.query === undefined ? null : formatFilter(filterOf(selection.query));
  const filter = query === null ? undefined : parseQuery(query);
  const indexes = found ?? (await matching(reader, filter!, size));
  const chosen = new Set(indexes);
  const ascending = [...chosen].sort((a, b) => a - b);
  const needed = await supporting(reader, ascending, size);
  const support = new Set(needed.filter((index) => !chosen.has(index)));
  if (chosen.size + support.size > EVIDENCE_ENTRIES_MAX) throw tooMany();
  return {
    indexes: ascending,
    support: listed(
      [...support].sort((a, b) => a - b),
      'entries in support',
    ),
    minimum: await reader.minimum(),
    query,
  };
}

/** The indexes of the log's own entries that the selected ones need: no others, for they are of other people. */
async function supporting(
  reader: ReaderHandle,
  selected: readonly number[],
  size: number,
): Promise<number[]> {
  const all = (actions: readonly string[]): Promise<number[][]> =>
    Promise.all(actions.map((action) => matching(reader, filterOf(`action:${action}`), size)));
  const [pruned, ...changes] = await all(['log.pruned', ...always]);
  const candidates = (await all(concerning)).flat().sort((a, b) => a - b);
  const records = new ConcerningRecords();
  const here = new Set(selected);
  if (candidates.some((index) => !here.has(index))) {
    for await (const record of storedAt(reader, candidates)) records.add(record);
    for await (const entry of storedAt(reader, selected)) records.saw(entry);
  }
  return [0, ...(pruned ?? []).slice(-1), ...changes.flat(), ...records.indexes];
}

async function byIds(reader: ReaderHandle, ids: readonly string[], size: number): Promise<number[]> {
  if (!Array.isArray(ids) || ids.length === 0) {
    throw misuse('type', 'argument_invalid', 'ids must name at least one entry');
  }
  const indexes: number[] = [];
  for (const id of ids) {
    const found = await reader.find(id);
    if (found === undefined || found.index >= size) {
      throw new LogError('not_found', `there is no event ${id}`, { hint: 'nothing was written' });
    }
    indexes.push(found.index);
  }
  return indexes;
}

/** The indexes of what a filter finds; of everything, without asking the search. */
async function matching(reader: ReaderHandle, filter: Filter, size: number): Promise<number[]> {
  if (formatFilter(filter) === '') {
    const minimum = await reader.minimum();
    if (size > EVIDENCE_ENTRIES_MAX && minimum === 0) throw tooMany();
    if (minimum === 0) return Array.from({ length: size }, (_, index) => index);
  }
  const indexes: number[] = [];
  let cursor: string | undefined;
  do {
    const page = await reader.page({
      filter,
      limit: PAGE_EVENTS_MAX,
      order: 'index',
      waitMs: INDEX_WAIT_MS_DEFAULT,
      ...(cursor === undefined ? {} : { cursor }),
    });
    if (page.complete < size && cursor === undefined) throw behind(page.complete, size);
    for (const { index } of page.events) if (index < size) indexes.push(index);
    if (indexes.length > EVIDENCE_ENTRIES_MAX) throw tooMany();
    cursor = page.next;
  } while (cursor !== undefined);
  return indexes;
}

function behind(complete: number, size: number): LogError {
  return new LogError('index_behind', `the search index covers ${complete} of ${size} entries`, {
    retryable: true,
    hint: 'wait and ask again',
  });
}

function tooMany(): LogError {
  return tooLarge(`one file holds at most ${EVIDENCE_ENTRIES_MAX} entries`);
}
