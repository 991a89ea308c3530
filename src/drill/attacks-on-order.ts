import { HASH_BYTES, TILE_WIDTH } from '../merkle/index.ts';
import { type Attack, CannotStage, type Scene } from './attack.ts';
import { type Attacker, deleteRow, entryBytes, shiftRows } from './attacker.ts';
import { rebuildTree } from './resign.ts';

/** Attacks on which entries there are and in which order. */
export const orderAttacks: readonly Attack[] = [
  {
    name: 'delete a middle entry',
    expected: true,
    apply({ attacker, middle }) {
      attacker.row(middle);
      attacker.edit((db) => deleteRow(db, middle));
    },
  },
  {
    name: 'delete an entry and renumber the rest',
    expected: true,
    apply({ attacker, middle, origin }) {
      attacker.row(middle);
      attacker.edit((db) => {
        deleteRow(db, middle);
        shiftRows(db, middle + 1, -1);
        // As far as it goes without the key: tiles and root are made to fit.
        rebuildTree(db, origin, undefined);
      });
    },
  },
  {
    name: 'truncate the tail',
    expected: true,
    apply({ attacker, size, origin }) {
      attacker.edit((db) => {
        for (const index of [size - 1, size - 2]) deleteRow(db, index);
        rebuildTree(db, origin, undefined);
      });
    },
  },
  {
    name: 'swap two entries',
    expected: true,
    apply({ attacker, middle, next }) {
      for (const index of [middle, next]) attacker.row(index);
      attacker.edit((db) => {
        for (const table of ['entries', 'disclosures', 'ids']) {
          const move = db.prepare(`UPDATE ${table} SET idx = ? WHERE idx = ?`);
          move.run(-1, middle);
          move.run(middle, next);
          move.run(next, -1);
        }
      });
    },
  },
  {
    name: 'insert a back-dated entry',
    expected: true,
    apply: insertBackdated,
  },
  {
    name: 'insert an entry at a negative index',
    expected: true,
    apply({ attacker, middle }) {
      const { text } = victim(attacker, middle);
      attacker.run('INSERT INTO entries (idx, entry) VALUES (-1, ?)', entryBytes(text));
    },
  },
  {
    name: 'give an id a second name',
    expected: true,
    apply: ({ attacker }) => attacker.run("INSERT INTO ids (id, idx) VALUES ('zz', 2)"),
  },
  {
    name: 'plant a tile that is not there yet',
    expected: true,
    apply: plantTile,
  },
];

/** A copy of the victim with another id and an older time, put in front of it; everything behind moves on by one. */
function insertBackdated({ attacker, middle, origin }: Scene): void {
  const { text, id } = victim(attacker, middle);
  const backdated = text
    .replace(`"id":${JSON.stringify(id)}`, `"id":${JSON.stringify(`${id}-b`.slice(-128))}`)
    .replace(/"occurredAt":"\d{4}/, '"occurredAt":"2001');
  attacker.edit((db) => {
    shiftRows(db, middle, 1);
    db.prepare('INSERT INTO entries (idx, entry) VALUES (?, ?)').run(middle, entryBytes(backdated));
    db.prepare('INSERT INTO disclosures (idx, texts) SELECT ?, texts FROM disclosures WHERE idx = ?').run(
      middle,
      middle + 1,
    );
    db.prepare('INSERT INTO ids (id, idx) VALUES (?, ?)').run(`${id}-b`.slice(-128), middle);
    rebuildTree(db, origin, undefined);
  });
}

/** The next tile that the log will fill, filled already, with hashes of nothing that was ever recorded. */
function plantTile({ attacker, size }: Scene): void {
  const hashes = new Uint8Array(TILE_WIDTH * HASH_BYTES).fill(0x5a);
  attacker.run(
    'INSERT INTO tiles (level, idx, hashes) VALUES (0, ?, ?)',
    Math.floor(size / TILE_WIDTH),
    hashes,
  );
}

function victim(attacker: Attacker, index: number): { text: string; id: string } {
  const { text, id } = attacker.row(index);
  if (id === undefined) throw new CannotStage(`entry ${index} has no id`);
  return { text, id };
}
