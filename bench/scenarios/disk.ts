import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DISCLOSURES_PER_EVENT } from '../events.ts';
import type { Figures, Task } from '../scenario.ts';

/**
 * Bytes on disk for each entry: the closed database files with all their pages, against the entry and disclosure bytes that
 * a verifier must have. Read with plain SQL, so that no code of the log can flatter itself.
 */
export function run({ log }: Task): Figures {
  const database = new DatabaseSync(join(log, 'log.db'), { readOnly: true });
  const one = (sql: string) => Number(Object.values(database.prepare(sql).get()!)[0]);
  const size = one('SELECT count(*) FROM entries');
  const entries = one('SELECT sum(length(entry)) FROM entries');
  // The texts of a row are joined by a line feed; those separators are ours, not the verifier's.
  const separators = DISCLOSURES_PER_EVENT - 1;
  const disclosures = one(
    `SELECT sum(length(texts) - ${separators}) FROM disclosures WHERE length(texts) > 100`,
  );
  database.close();
  const bytes = (name: string) =>
    statSync(join(log, name)).size +
    (statSync(join(log, `${name}-wal`), { throwIfNoEntry: false })?.size ?? 0);
  return {
    entry_bytes: entries / size,
    disclosure_bytes: disclosures / size,
    payload_bytes: (entries + disclosures) / size,
    log_bytes: bytes('log.db') / size,
    index_bytes: bytes('index.db') / size,
  };
}
