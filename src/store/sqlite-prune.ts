import type { DatabaseSync } from 'node:sqlite';
import type { Prune } from './contract.ts';
import { allowPruning } from './sqlite-schema.ts';

/** Removes entries, within a transaction; answers how many. */
export function pruneEntries(db: DatabaseSync, { below, keep }: Prune): number {
  allowPruning(db, below);
  const entries = db.prepare('DELETE FROM entries WHERE idx >= ? AND idx < ?');
  const disclosures = db.prepare('DELETE FROM disclosures WHERE idx >= ? AND idx < ?');
  let gone = 0;
  let from = 0;
  for (const to of [...keep, below]) {
    if (to > from) {
      gone += Number(entries.run(from, to).changes);
      disclosures.run(from, to);
    }
    from = to + 1;
  }
  return gone;
}
