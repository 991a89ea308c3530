// Makes the golden log whose key was replaced and revoked: `node test/golden/make-rotated.ts`, once for a version of the formats and
// never again. Keys and clock are fixed; salts and nonces are what they were on that day. Whatever comes later has to read it.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLog, type Log, openLog, type Receipt, rotateKey } from 'indelible';
import { parseSignerKey, type Signer } from 'indelible/note';
import { publishLog } from 'indelible/publish';
import { golden, keyText, origin, root } from './rotated.ts';

/** When each part of its life begins. */
const days = ['2026-01-05', '2026-02-05', '2026-03-05'].map((day) => Date.parse(`${day}T09:00:00Z`));

const signer = (number: number): Signer => parseSignerKey(keyText(number));

const eventOf = (number: number): Parameters<Log['record']>[0] => ({
  id: `event-${number}`,
  action: number % 4 === 0 ? 'role.assigned' : 'user.signed_in',
  actor: { type: 'user', id: `u_${number % 3}`, name: `Person ${number % 3}` },
  targets: number % 4 === 0 ? [{ type: 'role', id: 'editor' }] : [],
  reason: `because of ${number}`,
});

/** A session with the key of that number: so many events, at that time. */
async function session(dir: string, number: number, work: (log: Log) => Promise<void>): Promise<void> {
  Date.now = () => days[number]!;
  await using log = await openLog(dir, {
    key: () => keyText(number),
    thread: 'caller',
    heartbeatMs: 0,
    warn: () => {},
  });
  await work(log);
}

async function main(): Promise<void> {
  if (existsSync(golden)) throw new Error(`${golden} is there: a golden log is made once`);
  const work = `${golden}.making`;
  mkdirSync(work, { recursive: true });
  const dir = join(work, 'work');
  const file = (name: string): string => join(work, name);
  const receipts: Receipt[] = [];
  const record = async (log: Log, from: number, to: number): Promise<void> => {
    for (let number = from; number < to; number += 1) receipts.push(await log.record(eventOf(number)));
  };
  const prove = async (log: Log, name: string, id: string): Promise<void> => {
    const { proof, entry } = await log.prove(id);
    writeFileSync(file(`${name}.tlog-proof`), proof);
    writeFileSync(file(`${name}.entry`), entry);
  };
  Date.now = () => days[0]!;
  await (
    await createLog(dir, {
      origin,
      rootVkey: root.vkey,
      key: () => keyText(0),
      heartbeatMs: 0,
      warn: () => {},
    })
  ).close();
  await session(dir, 0, async (log) => {
    await record(log, 0, 6);
    await prove(log, 'before', 'event-2');
  });
  Date.now = () => days[1]!;
  await rotateKey(dir, root, { old: signer(0), successor: signer(1) });
  await session(dir, 1, async (log) => {
    await record(log, 6, 300);
    await log.erase({ subject: 'user/u_1', basis: 'gdpr-17', requestId: 'r_1', approvedBy: ['p_1', 'p_2'] });
  });
  Date.now = () => days[2]!;
  const revoke = { since: { time: new Date(days[2]! - 86_400_000).toISOString() } };
  await rotateKey(dir, root, { old: signer(1), successor: signer(2) }, { rotate: false, revoke });
  await session(dir, 2, async (log) => {
    await record(log, 300, 306);
    await prove(log, 'now', 'event-2');
    let evidence = '';
    const ids = ['event-0', 'event-7', 'event-303'];
    for await (const piece of log.evidence({ ids }, { by: { type: 'user', id: 'u_0' } })) evidence += piece;
    writeFileSync(file('evidence.json'), evidence);
    await publishLog(log, { to: pathToFileURL(file('published')).href, disclosures: false });
    await log.backup(file('log'));
  });
  writeFileSync(
    file('receipts.jsonl'),
    receipts
      .filter((_, at) => at % 25 === 0)
      .map((one) => `${JSON.stringify(one)}\n`)
      .join(''),
  );
  rmSync(dir, { recursive: true });
  // What SQLite leaves behind; and the note of where it was published, which is a place on one machine.
  for (const name of ['log.db-wal', 'log.db-shm', 'anchors.db']) rmSync(file(`log/${name}`), { force: true });
  for (const name of readdirSync(work).filter((one) => one.endsWith('.mark'))) rmSync(join(work, name));
  renameSync(work, golden);
}

await main();
