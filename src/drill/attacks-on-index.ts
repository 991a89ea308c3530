import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type Attack, CannotStage, type Scene } from './attack.ts';

const day_ms = 86_400_000;

/**
 * Attacks on the search index alone: the log stays as it is, and the person who searches it does not see everything, or
 * sees it elsewhere.
 */
export const indexAttacks: readonly Attack[] = [
  {
    name: 'edit only a search column',
    expected: true,
    verifier: { index: true },
    apply: (scene) =>
      editIndex(scene, (db) =>
        db.prepare('UPDATE events SET occurred = occurred - ? WHERE idx = ?').run(day_ms, scene.middle),
      ),
  },
  {
    name: 'drop index rows',
    expected: true,
    verifier: { index: true },
    apply: (scene) =>
      editIndex(scene, (db) => db.prepare('DELETE FROM events WHERE idx = ?').run(scene.middle)),
  },
];

function editIndex(
  { attacker }: Scene,
  work: (db: DatabaseSync) => { readonly changes: number | bigint },
): void {
  if (!existsSync(join(attacker.dir, 'index.db'))) throw new CannotStage('the log has no search index');
  attacker.edit(
    (db) => {
      if (Number(work(db).changes) === 0) throw new CannotStage('the search index does not list the entry');
    },
    { file: 'index.db' },
  );
}
