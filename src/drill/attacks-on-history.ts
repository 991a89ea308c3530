import { copyFileSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256, utf8Encode } from '../bytes/index.ts';
import { createLog } from '../log/index.ts';
import { formatCheckpoint, parseSignerKey, signerKeyFromSeed } from '../note/index.ts';
import type { Attack, Scene } from './attack.ts';
import { changeOutcome, entryBytes } from './attacker.ts';
import { rebuildTree } from './resign.ts';

/** Attacks on what the log once signed. */
export const historyAttacks: readonly Attack[] = [
  { name: 'replace the checkpoint', expected: true, apply: replaceCheckpoint },
  { name: 'forge an entry, the head and an unsigned checkpoint', expected: true, apply: forgeUnsigned },
  { name: 'replace log and key', expected: true, apply: replaceLogAndKey },
  {
    name: 'a second birth under the same key, the mark still there',
    expected: true,
    verifier: { mark: true },
    needsKey: true,
    apply: replaceBySecondBirth,
  },
  {
    name: 'a second birth under the same key, receipt held',
    expected: true,
    verifier: { held: true },
    needsKey: true,
    apply: replaceBySecondBirth,
  },
  {
    name: 'restore an old copy, the mark still there',
    expected: true,
    verifier: { mark: true },
    needsKey: true,
    apply: restoreOldCopy,
  },
  {
    name: 'restore an old copy, receipt held',
    expected: true,
    verifier: { held: true },
    needsKey: true,
    apply: restoreOldCopy,
  },
  {
    name: 'rewrite and re-sign with the real key, no receipt held',
    expected: false,
    needsKey: true,
    apply: rewriteHistory,
  },
  {
    name: 'rewrite and re-sign with the real key, receipt held',
    expected: true,
    verifier: { held: true },
    needsKey: true,
    apply: rewriteHistory,
  },
];

/** Edits an entry, makes everything fit, and signs the new root with a key of the attacker's own under the log's name. */
function replaceCheckpoint(scene: Scene): void {
  const { attacker, middle, origin } = scene;
  const { text } = attacker.row(middle);
  const impostor = parseSignerKey(signerKeyFromSeed(origin, sha256(utf8Encode('a key of the attacker'))));
  attacker.edit((db) => {
    db.prepare('UPDATE entries SET entry = ? WHERE idx = ?').run(entryBytes(changeOutcome(text)), middle);
    rebuildTree(db, origin, impostor);
  });
  attacker.forgetIndex();
}

/** One more entry at the end, the head moved over it, and a checkpoint that says so and that nobody signed. */
function forgeUnsigned({ attacker, middle, size, origin }: Scene): void {
  const { text, id } = attacker.row(middle);
  const forgedId = `${id}-f`.slice(-128);
  const forged = text.replace(`"id":${JSON.stringify(id)}`, `"id":${JSON.stringify(forgedId)}`);
  attacker.edit((db) => {
    db.prepare('INSERT INTO entries (idx, entry) VALUES (?, ?)').run(size, entryBytes(forged));
    db.prepare('INSERT INTO ids (id, idx) VALUES (?, ?)').run(forgedId, size);
    db.prepare('INSERT INTO disclosures (idx, texts) SELECT ?, texts FROM disclosures WHERE idx = ?').run(
      size,
      middle,
    );
    const root = rebuildTree(db, origin, undefined);
    const checkpoint = utf8Encode(formatCheckpoint({ origin, size: size + 1, root }));
    db.prepare('UPDATE head SET checkpoint = ?').run(checkpoint);
  });
  attacker.forgetIndex();
}

/** Most events of a second birth: as long as the log where that is quick, so that its length does not give it away. */
const secondLifeEvents = 1000;

/** Another `log.db`, born under the same key and name with another past: all that it signs is genuine. */
async function replaceBySecondBirth({ attacker, origin, key, size }: Scene): Promise<void> {
  const born = `${attacker.dir}-born`;
  try {
    const log = await createLog(born, { origin, key, reuseKey: true });
    const event = { action: 'nothing.happened', actor: { type: 'user', id: 'u_nobody' } };
    await log.recordMany(Array.from({ length: Math.min(size, secondLifeEvents) }, () => event));
    await log.close();
    attacker.forgetIndex();
    replaceDatabase(attacker.dir, born);
  } finally {
    rmSync(born, { recursive: true, force: true });
    rmSync(`${born}.mark`, { force: true });
  }
}

/** Puts the `log.db` of `from` where that of `dir` is. */
function replaceDatabase(dir: string, from: string): void {
  copyFileSync(join(from, 'log.db'), join(dir, 'log.db'));
  for (const suffix of ['-wal', '-shm']) rmSync(join(dir, `log.db${suffix}`), { force: true });
}

/** A whole new log of the same name with a key of its own, put where the old one was: perfectly valid, and not ours. */
async function replaceLogAndKey({ attacker, origin }: Scene): Promise<void> {
  const forged = `${attacker.dir}-forged`;
  const log = await createLog(forged, { origin });
  await log.record({ action: 'nothing.happened', actor: { type: 'user', id: 'u_nobody' } });
  await log.close();
  rmSync(attacker.dir, { recursive: true });
  cpSync(forged, attacker.dir, { recursive: true });
  rmSync(forged, { recursive: true });
  rmSync(`${forged}.mark`, { force: true });
}

/** The folder as an old backup has it. The key signed all of it: nothing inside is wrong. */
function restoreOldCopy({ attacker, old }: Scene): void {
  attacker.forgetIndex();
  replaceDatabase(attacker.dir, old);
}

/** What only the holder of the key can do: change an entry, and sign the history that follows from it. */
function rewriteHistory({ attacker, middle, origin, signer }: Scene): void {
  const { text } = attacker.row(middle);
  attacker.edit((db) => {
    db.prepare('UPDATE entries SET entry = ? WHERE idx = ?').run(entryBytes(changeOutcome(text)), middle);
    rebuildTree(db, origin, signer);
  });
  attacker.forgetIndex();
}
