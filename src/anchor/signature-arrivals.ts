import type { DatabaseSync } from 'node:sqlite';
import { sha256, utf8Encode } from '../bytes/index.ts';
import type { PublishedCheckpoint, SignatureArrival } from './anchor-rows.ts';
import { linesOf } from './newest-signatures.ts';

/** How many entries the log had once signature lines were here. */
export const arrivalsSchema = `CREATE TABLE IF NOT EXISTS arrivals (
  size INTEGER NOT NULL,
  line BLOB NOT NULL,
  log_size INTEGER NOT NULL,
  PRIMARY KEY (size, line)
) STRICT, WITHOUT ROWID`;

/** A line that comes again was here since the first time. */
export function putArrivals(
  db: DatabaseSync,
  {
    size,
    lines,
    logSize,
  }: { readonly size: number; readonly lines: readonly string[]; readonly logSize: number },
): void {
  const put = db.prepare('INSERT OR IGNORE INTO arrivals (size, line, log_size) VALUES (?, ?, ?)');
  for (const line of lines) put.run(size, sha256(utf8Encode(line)), logSize);
}

/** What was noted of the lines under these checkpoints. */
export function arrivalsOf(
  db: DatabaseSync,
  published: readonly Pick<PublishedCheckpoint, 'size' | 'note'>[],
): SignatureArrival[] {
  const find = db.prepare('SELECT log_size FROM arrivals WHERE size = ? AND line = ?');
  return published.flatMap(({ size, note }) =>
    linesOf(note).flatMap((line) => {
      const row = find.get(size, sha256(utf8Encode(line)));
      return row === undefined ? [] : { line, logSize: Number(row['log_size']) };
    }),
  );
}
