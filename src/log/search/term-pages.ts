/*
 * FTS5 finds a term by its segment's B-tree, the table `terms_idx`: the page of `terms_data` with the last row whose term is not
 * greater. A listing of all terms walks the pages alone, and SQLite's own check looks at the rows that are there only: rows that
 * are missing, or lead astray, hide terms from every search and show nowhere else. The layout of pages is described at the head
 * of ext/fts5/fts5_index.c (SQLite 3.9 and later, `version` 4 in `terms_config`).
 */

import type { DatabaseSync } from 'node:sqlite';
import { compareBytes, LogError, utf8Encode } from '../../bytes/index.ts';

/** Bits of the rowid of a page: its number in the segment, its height, whether it indexes a list of documents, the segment. */
const PAGE = 2n ** 31n;
const DOCUMENT_INDEX = 2n ** 36n;
const SEGMENT = 2n ** 37n;

/** A page of terms. */
interface TermPage {
  readonly segment: bigint;
  readonly page: bigint;
  readonly first: Uint8Array;
  readonly last: Uint8Array;
}

/**
 * How a search for terms would go astray, as a clause; undefined where it finds each of those that are stored. Throws `LogError`
 * `index_corrupt` where a page makes no sense.
 */
export function termsAstray(db: DatabaseSync): string | undefined {
  const rows = indexRows(db);
  let before: TermPage | undefined;
  for (const page of termPages(db)) {
    const name = `page ${page.page} of segment ${page.segment}`;
    const row = rows.get(`${page.segment} ${page.page}`);
    if (row === undefined) return `no row of terms_idx leads to ${name}`;
    if (compareBytes(row, page.first) > 0)
      return `the row of terms_idx for ${name} passes over its first term`;
    if (before?.segment === page.segment && compareBytes(row, before.last) <= 0) {
      return `the row of terms_idx for ${name} takes terms of the page before it`;
    }
    before = page;
    rows.delete(`${page.segment} ${page.page}`);
  }
  return undefined;
}

/** The term with which each page is entered, by segment and page. */
function indexRows(db: DatabaseSync): Map<string, Uint8Array> {
  const rows = new Map<string, Uint8Array>();
  const statement = db.prepare('SELECT segid, term, pgno >> 1 FROM terms_idx');
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  for (const [segment, term, page] of statement.iterate() as Iterable<unknown> as Iterable<unknown[]>) {
    rows.set(`${segment} ${page}`, typeof term === 'string' ? utf8Encode(term) : (term as Uint8Array));
  }
  return rows;
}

/** The pages that hold terms, by segment, in their order. */
function* termPages(db: DatabaseSync): Generator<TermPage> {
  const statement = db.prepare('SELECT id, block FROM terms_data WHERE id >= ? ORDER BY id');
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  for (const [id, block] of statement.iterate(SEGMENT) as Iterable<unknown> as Iterable<
    [bigint, Uint8Array]
  >) {
    if (id % SEGMENT >= DOCUMENT_INDEX) continue;
    const terms = readTerms(block);
    if (terms !== undefined) yield { segment: id / SEGMENT, page: id % PAGE, ...terms };
  }
}

/** The first and the last term of a page; undefined where it only goes on with the documents of an earlier one. */
function readTerms(block: Uint8Array): Pick<TermPage, 'first' | 'last'> | undefined {
  const reader = new Varints(block);
  const footer = block[2]! * 256 + block[3]!;
  if (footer >= block.length) return undefined;
  let first: Uint8Array | undefined;
  let last: Uint8Array = block.subarray(0, 0);
  let at = 0;
  for (reader.at = footer; reader.at < block.length; ) {
    at += reader.next();
    const resume = reader.at;
    reader.at = at;
    // The first term of a page stands whole; each later one shares some bytes with the one before it.
    const shared = first === undefined ? 0 : reader.next();
    const added = reader.next();
    if (shared > last.length || reader.at + added > block.length) {
      throw new LogError('index_corrupt', 'a page of terms is not as FTS5 writes it');
    }
    const term = new Uint8Array(shared + added);
    term.set(last.subarray(0, shared));
    term.set(block.subarray(reader.at, reader.at + added), shared);
    last = term;
    first ??= term;
    reader.at = resume;
  }
  return first && { first, last };
}

/** Integers of SQLite's file format (section 1.6), of up to four bytes: no offset in a page needs more. */
class Varints {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(): number {
    let value = 0;
    for (let count = 0; count < 4; count++) {
      const byte = this.#bytes[this.at++] ?? 0;
      value = value * 128 + (byte & 127);
      if (byte < 128) break;
    }
    return value;
  }
}
