import {
  type Head,
  type LogReader,
  type StoredEntry,
  type TileId,
  unpackDisclosures,
} from '../store/index.ts';
import { bytesOf, damaged, wholeNumber } from './bytes-of.ts';
import { numberArray, type Row, textArray } from './client.ts';

/** The entries of a log with `$2 <= index < $3`, with their disclosures. */
export const READ_ENTRIES = `SELECT e.idx, e.entry, d.texts FROM indelible.entries e
  LEFT JOIN indelible.disclosures d ON d.log = e.log AND d.idx = e.idx AND d.month = e.month
  WHERE e.log = $1 AND e.idx >= $2 AND e.idx < $3 ORDER BY e.idx`;

/** Reads one log through whatever runs statements. */
export class Reading implements LogReader {
  readonly #log: number;
  readonly #run: (text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

  constructor(log: number, run: (text: string, values: readonly unknown[]) => Promise<readonly Row[]>) {
    this.#log = log;
    this.#run = run;
  }

  async head(): Promise<Head | undefined> {
    const [row] = await this.#run(
      'SELECT size, root, recorded_at, checkpoint FROM indelible.heads WHERE log = $1',
      [this.#log],
    );
    return row === undefined ? undefined : headOf(row);
  }

  async readEntries(from: number, to: number): Promise<StoredEntry[]> {
    if (to <= from) return [];
    return (await this.#run(READ_ENTRIES, [this.#log, from, to])).map(storedEntry);
  }

  async readEntryBytes(from: number, to: number): Promise<Uint8Array[]> {
    if (to <= from) return [];
    // One row for all of them: a driver takes longer over rows than over bytes.
    const [row] = await this.#run(
      `SELECT string_agg(entry, ''::bytea ORDER BY idx) AS bytes, string_agg(length(entry)::text, ',' ORDER BY idx) AS lengths
       FROM indelible.entries WHERE log = $1 AND idx >= $2 AND idx < $3`,
      [this.#log, from, to],
    );
    if (row === undefined || row['bytes'] === null) return [];
    return cut(row);
  }

  async findIds(ids: readonly string[]): Promise<Map<string, number>> {
    // An array literal cannot hold a NUL, and no id of ours does.
    const known = ids.filter((id) => !id.includes('\u0000'));
    if (known.length === 0) return new Map();
    const rows = await this.#run(
      'SELECT id, idx FROM indelible.ids WHERE log = $1 AND id = ANY($2::text::text[])',
      [this.#log, textArray(known)],
    );
    return new Map(rows.map(({ id, idx }) => [String(id), wholeNumber(idx)]));
  }

  async readTiles(tiles: readonly TileId[]): Promise<(Uint8Array | undefined)[]> {
    if (tiles.length === 0) return [];
    const rows = await this.#run(
      `SELECT w.level, w.idx, t.hashes FROM unnest($2::text::integer[], $3::text::bigint[]) AS w(level, idx)
       JOIN indelible.tiles t ON t.log = $1 AND t.level = w.level AND t.idx = w.idx`,
      [this.#log, numberArray(tiles.map(({ level }) => level)), numberArray(tiles.map(({ index }) => index))],
    );
    const found = new Map(rows.map((row) => [`${row['level']}/${row['idx']}`, bytesOf(row['hashes'])]));
    return tiles.map(({ level, index }) => found.get(`${level}/${index}`));
  }
}

/** Throws `LogError` `log_damaged` where a column holds what no log of ours has. */
export function headOf(row: Row): Head {
  const root = bytesOf(row['root']);
  if (root.length !== 32) throw damaged('the root of the head');
  return {
    size: wholeNumber(row['size']),
    root,
    recordedAt: wholeNumber(row['recorded_at']),
    checkpoint: bytesOf(row['checkpoint']),
  };
}

function storedEntry(row: Row): StoredEntry {
  const texts = row['texts'];
  return {
    index: wholeNumber(row['idx']),
    entry: bytesOf(row['entry']),
    disclosures: texts === null || texts === undefined ? [] : unpackDisclosures(bytesOf(texts)),
  };
}

/** Bytes of several entries that came as one, and their lengths. Throws `LogError` `log_damaged`. */
export function cut(row: Row): Uint8Array[] {
  const bytes = bytesOf(row['bytes']);
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of String(row['lengths']).split(',')) {
    pieces.push(bytes.subarray(at, at + Number(length)));
    at += Number(length);
  }
  return pieces;
}
