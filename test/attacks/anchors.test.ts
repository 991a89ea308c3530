// The attacks that a log alone cannot answer, staged against verifiers with and without witnesses and time-stamps. What came of it is
// the table in docs/trust.md: `INDELIBLE_WRITE_PAGES=1` writes it, and every other run compares.

import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, openLog, rotateKey, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import { retentionAppliedEvent } from 'indelible/event';
import { hashLeaf } from 'indelible/merkle';
import {
  cosignerKeyFromSeed,
  formatCheckpoint,
  formatNote,
  keyTypes,
  parseCosignerKey,
  parseNote,
  parseSignerKey,
  signerKeyFromSeed,
} from 'indelible/note';
import { publishLog, verifyPublished } from 'indelible/publish';
import { type Finding, formatProof, parseProof, verifyProof } from 'indelible/verify';
import { watchedLogs } from 'indelible/witness';
import { Attacker, changeOutcome, deleteRow } from '#dist/drill/attacker.js';
import { rebuildTree } from '#dist/drill/resign.js';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';
import { S3Double } from '../support/s3-double.ts';
import { opensslMissing } from '../support/tsa.ts';
import { startWitness, type TestWitness } from '../witness/world.ts';
import {
  copyFor,
  type Ground,
  makeGround,
  optionsOf,
  origin,
  publishTo,
  record,
  stampsOf,
  untilWitnessed,
  type Verifier,
  verifiers,
} from './ground.ts';

/** Codes of what the verifier found; none: it saw nothing. */
type Verdict = readonly string[];

interface Staged {
  readonly number: string;
  readonly what: string;
  readonly stage: (ground: Ground, verifier: Verifier) => Promise<Verdict>;
  /** What each verifier sees, in the order of `verifiers`: `seen`, or not. */
  readonly seen: readonly [nothing: boolean, stamps: boolean, witnesses: boolean, both: boolean];
}

const quiet = { thread: 'caller', heartbeatMs: 0, warn: () => {} } as const;

const codesOf = (findings: readonly Finding[]): string[] =>
  [...new Set(findings.map(({ code }) => code))].sort();

async function look(ground: Ground, verifier: Verifier, dir: string): Promise<Verdict> {
  return codesOf((await verifyLog(dir, optionsOf(ground, verifier))).findings);
}

/** Attacks a copy of the log as it is now, and has it verified. */
const onCopy =
  (attack: (ground: Ground, attacker: Attacker) => void | Promise<void>, from: 'dir' | 'old' = 'dir') =>
  async (ground: Ground, verifier: Verifier): Promise<Verdict> => {
    const copy = copyFor(ground, verifier, ground[from]);
    await attack(ground, new Attacker(copy));
    return look(ground, verifier, copy);
  };

/** Cuts off everything behind a checkpoint that the log once signed. */
const cutTo = (head: 'oldHead' | 'anchored') => (ground: Ground, attacker: Attacker) => {
  const { size, note } = ground[head];
  attacker.edit((db) => {
    const { last } = db.prepare('SELECT max(idx) AS last FROM entries').get() as { last: number };
    for (let index = last; index >= size; index -= 1) deleteRow(db, index);
    rebuildTree(db, origin, undefined);
    db.prepare('UPDATE head SET checkpoint = ?').run(utf8Encode(note));
  });
  attacker.forgetIndex();
};

/** Changes an entry, and signs the history that follows with the log's own key. */
const rewrite = (indexOf: (ground: Ground) => number) => (ground: Ground, attacker: Attacker) => {
  const index = indexOf(ground);
  const { text } = attacker.row(index);
  attacker.edit((db) => {
    db.prepare('UPDATE entries SET entry = ? WHERE idx = ?').run(utf8Encode(changeOutcome(text)), index);
    rebuildTree(db, origin, ground.signer);
  });
  attacker.forgetIndex();
};

/** Another history under the same key: stamped, and shown to a witness that may or may not cosign it. */
async function secondHistory(ground: Ground, witness: TestWitness): Promise<string> {
  const folder = temporaryFolder(ground.t);
  const [dir, key] = [join(folder, 'born'), join(ground.dir, 'log.key')];
  {
    const rootVkey = ground.root.vkey;
    await using log = await createLog(dir, { origin, key, reuseKey: true, rootVkey, ...quiet });
    await record(log, 'other', 12);
  }
  cpSync(key, join(dir, 'log.key'));
  const options = { ...quiet, witnesses: ground.policyText, publish: publishTo(witness) };
  {
    await using log = await openLog(dir, options);
    if (witness !== ground.witness) await untilWitnessed(log);
    else await log.checkpoint({ witnessed: true }).catch(() => {});
  }
  await using reader = await openLog(dir, { ...quiet, readOnly: true, timestamps: stampsOf(ground.tsa) });
  for (const stamping of await reader.timestampNow()) assert.ok(stamping.ok, JSON.stringify(stamping));
  return dir;
}

/** Somebody who was never shown anything but the second history. */
async function splitView(ground: Ground, verifier: Verifier): Promise<Verdict> {
  const dir = await secondHistory(ground, ground.witness);
  const { held: _, ...options } = optionsOf(ground, verifier);
  const anchors = verifier.hasStamps ? { anchors: join(dir, 'anchors.db') } : {};
  return codesOf((await verifyLog(copyFor(ground, verifier, dir), { ...options, ...anchors })).findings);
}

/** The witness signs whatever the operator likes: it has forgotten what it saw. */
async function collusion(ground: Ground, verifier: Verifier): Promise<Verdict> {
  const folder = join(temporaryFolder(ground.t), 'witness');
  cpSync(ground.blank, folder, { recursive: true });
  const liar = startWitness(ground.t, watchedLogs([{ vkey: ground.vkey }]), { dir: folder, now: Date.now });
  const dir = await secondHistory(ground, liar);
  const held = verifier.hasWitnesses ? [Buffer.from(await liar.seen(origin)).toString()] : [];
  const options = { ...optionsOf(ground, verifier), held };
  return codesOf((await verifyLog(copyFor(ground, verifier, dir), options)).findings);
}

/** A proof of an entry that never was, signed by the stolen key after it was replaced. */
async function stolenProof(ground: Ground, { hasWitnesses }: Verifier): Promise<Verdict> {
  const dir = copyFor(ground, { name: 'nothing', hasStamps: false, hasWitnesses: false }, ground.old);
  await using log = await openLog(dir, { thread: 'caller', heartbeatMs: 0, warn: () => {} });
  await record(log, 'stolen', 1);
  const { size } = await log.checkpoint();
  const { proof, entry } = await log.proveAt(size - 1);
  const { policy, vkey } = ground;
  return proven(() =>
    verifyProof({ proof: utf8Encode(proof), entry, policy: hasWitnesses ? policy : { vkey } }),
  );
}

/** What the thief signed, held against the log that has replaced the key. */
async function stolenBeside(ground: Ground, verifier: Verifier): Promise<Verdict> {
  const thief = copyFor(ground, { name: 'nothing', hasStamps: false, hasWitnesses: false }, ground.old);
  await using log = await openLog(thief, { thread: 'caller', heartbeatMs: 0, warn: () => {} });
  await record(log, 'stolen', 30);
  const { note } = await log.checkpoint();
  const copy = copyFor(ground, verifier, ground.dir);
  await rotateKey(copy, ground.root);
  const { held = [], ...options } = optionsOf(ground, verifier);
  return codesOf((await verifyLog(copy, { ...options, held: [...held, note] })).findings);
}

/** What outside parties have signed of the log after it has replaced the stolen key, with a witness that was given the new one. */
interface Replaced {
  readonly anchors: string;
  readonly seenNote: string;
}

let replaced: Promise<Replaced> | undefined;

async function replaceAndAnchor(ground: Ground): Promise<Replaced> {
  const folder = temporaryFolder(ground.t);
  const [dir, data] = [join(folder, 'log'), join(folder, 'witness')];
  cpSync(ground.dir, dir, { recursive: true });
  cpSync(ground.witness.dir, data, { recursive: true });
  await rotateKey(
    dir,
    ground.root,
    {},
    { rotate: false, revoke: { since: { index: ground.anchored.size } } },
  );
  await using reader = await openLog(dir, { ...quiet, readOnly: true, timestamps: stampsOf(ground.tsa) });
  const { vkey } = await reader.keys();
  const logs = watchedLogs([{ vkey: ground.vkey }, { vkey }]);
  const witness = startWitness(ground.t, logs, { dir: data, now: Date.now });
  {
    const options = { ...quiet, witnesses: ground.policyText, publish: publishTo(witness) };
    await using log = await openLog(dir, options);
    await record(log, 'after', 2);
    await untilWitnessed(log);
  }
  for (const stamping of await reader.timestampNow()) assert.ok(stamping.ok, JSON.stringify(stamping));
  return { anchors: join(dir, 'anchors.db'), seenNote: Buffer.from(await witness.seen(origin)).toString() };
}

/** The thief signs on in a copy of the log, and puts it in the place of the one that has revoked the key. */
const signOn =
  (isAnchoredSince: boolean) =>
  async (ground: Ground, verifier: Verifier): Promise<Verdict> => {
    const thief = copyFor(ground, verifier, ground.dir);
    {
      await using log = await openLog(thief, { thread: 'caller', heartbeatMs: 0, warn: () => {} });
      await record(log, 'stolen', 30);
    }
    if (!isAnchoredSince) return look(ground, verifier, thief);
    replaced ??= replaceAndAnchor(ground);
    return look({ ...ground, ...(await replaced) }, verifier, thief);
  };

/** A copy of the log with its key revoked from an index on, and its witness with these keys. */
async function revokedFrom(ground: Ground, index: number, keysOf: (vkey: string) => string[]) {
  const folder = temporaryFolder(ground.t);
  const [dir, data] = [join(folder, 'log'), join(folder, 'witness')];
  cpSync(ground.dir, dir, { recursive: true });
  cpSync(ground.witness.dir, data, { recursive: true });
  await rotateKey(dir, ground.root, {}, { rotate: false, revoke: { since: { index } } });
  await using reader = await openLog(dir, { ...quiet, readOnly: true });
  const { vkey } = await reader.keys();
  const logs = watchedLogs(keysOf(vkey).map((one) => ({ vkey: one })));
  const witness = startWitness(ground.t, logs, { dir: data, now: Date.now });
  const write = async (to: string, name: string, isRefused = false): Promise<void> => {
    const options = { ...quiet, witnesses: ground.policyText, publish: publishTo(witness) };
    await using log = await openLog(to, options);
    await record(log, name, 2);
    const isFailing = (): boolean => log.followers.list().some(({ state }) => state === 'failing');
    if (!isRefused) return await untilWitnessed(log);
    for (let tries = 0; !isFailing(); tries += 1) {
      assert.ok(tries < 500, 'the witness refused nothing');
      await sleep(20);
    }
  };
  const seenNote = async (): Promise<string> => Buffer.from(await witness.seen(origin)).toString();
  return { dir, write, seenNote };
}

/** An honest log whose key was revoked from before it was cosigned and stamped. */
async function honestlyRevoked(ground: Ground, verifier: Verifier): Promise<Verdict> {
  const { dir, write, seenNote } = await revokedFrom(ground, 1, (vkey) => [vkey]);
  await write(dir, 'after');
  return look({ ...ground, seenNote: await seenNote() }, verifier, copyFor(ground, verifier, dir));
}

/** The thief signs on in a copy of the log, at its witness: one that has the revoked key still, or the new one in its place. */
const thiefAtWitness =
  (isTakenAway: boolean) =>
  async (ground: Ground, verifier: Verifier): Promise<Verdict> => {
    const { dir, write, seenNote } = await revokedFrom(ground, ground.anchored.size, (vkey) =>
      isTakenAway ? [vkey] : [ground.vkey, vkey],
    );
    const thief = copyFor(ground, verifier, ground.dir);
    if (isTakenAway) await write(dir, 'after');
    await write(thief, 'stolen', isTakenAway);
    return look({ ...ground, seenNote: await seenNote() }, verifier, thief);
  };

/** A record that the policy in force was applied to everything that is there, years before any of it may go. */
async function removeEarly(_: Ground, attacker: Attacker): Promise<void> {
  const rule = { match: '*', keep: '7y' };
  {
    await using log = await openLog(attacker.dir, quiet);
    await log.retention.set([rule], { approvedBy: ['p_1', 'p_2'], delayMs: 0 });
    const { size } = await log.checkpoint();
    const rules = [{ ...rule, before: '1970-01-01T00:00:00.000Z', below: size }];
    await log.recordOwn(
      retentionAppliedEvent({ rules, values: 1, entries: 1, digest: '', policy: size - 1, heldBy: [] }),
    );
  }
  attacker.run('DELETE FROM disclosures');
}

/** The log's own private key, used as a cosigner's: the same bytes under another algorithm. */
function otherAlgorithm({ dir }: Ground, attacker: Attacker): void {
  // Base64 has plus signs of its own.
  const material = readFileSync(join(dir, 'log.key'), 'utf8').trim().split('+').slice(4).join('+');
  const seed = new Uint8Array(Buffer.from(material, 'base64')).subarray(1);
  const cosigner = parseCosignerKey(cosignerKeyFromSeed(origin, keyTypes.cosignatureV1, seed));
  attacker.edit((db) => {
    const root = rebuildTree(db, origin, undefined);
    const { size } = db.prepare('SELECT size FROM head').get() as { size: number };
    const text = formatCheckpoint({ origin, size, root });
    const note = `${text}\n${cosigner.cosign(text, BigInt(Math.floor(Date.now() / 1000)))}\n`;
    db.prepare('UPDATE head SET checkpoint = ?').run(utf8Encode(note));
  });
}

/** Takes away what the witness has signed, and leaves the log's own signature under each checkpoint. */
function strip({ dir }: Ground, attacker: Attacker): void {
  const own = parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim());
  if (!existsSync(join(attacker.dir, 'anchors.db'))) return;
  const store = AnchorStore.open(join(attacker.dir, 'anchors.db'));
  for (const { size, note, at } of store.newestPublished(100)) {
    const { text, signatures } = parseNote(note);
    const kept = signatures.filter(({ name, keyId }) => name === own.name && keyId === own.keyId);
    assert.ok(kept.length < signatures.length);
    store.putPublished({ size, note: formatNote({ text, signatures: kept }), at });
  }
  store.close();
}

/** An inner node of the tree, handed over as if it were an entry. */
async function nodeAsEntry(ground: Ground, { hasWitnesses }: Verifier): Promise<Verdict> {
  const { index, hashes, checkpoint } = parseProof(utf8Encode(ground.proof.proof));
  const leaf = hashLeaf(ground.proof.entry);
  const pair = index % 2 === 0 ? [leaf, hashes[0]!] : [hashes[0]!, leaf];
  const text = Buffer.from(checkpoint).toString();
  const proof = utf8Encode(
    formatProof({ index: Math.floor(index / 2), hashes: hashes.slice(1), checkpoint: text }),
  );
  const policy = hasWitnesses ? ground.policy : { vkey: ground.vkey };
  return proven(() => verifyProof({ proof, entry: new Uint8Array(Buffer.concat(pair)), policy }));
}

function proven(verify: () => unknown): Verdict {
  try {
    verify();
    return [];
  } catch (error) {
    return [String((error as { code?: unknown }).code)];
  }
}

/** The log in a bucket, attacked past the lock: what readers see is the newest version. */
const inBucket =
  (attack: (double: S3Double, older: Buffer) => void) =>
  async (ground: Ground, { hasStamps, hasWitnesses }: Verifier): Promise<Verdict> => {
    const place = 's3://archive/audit';
    const double = await S3Double.start(ground.t);
    const s3 = { client: double.client(ground.t), retention: { days: 1 } };
    let older: Uint8Array | undefined;
    for (const dir of [ground.old, ground.dir]) {
      await using log = await openLog(dir, { readOnly: true, thread: 'caller' });
      await publishLog(log, { to: place, s3, disclosures: false });
      older ??= double.newest('audit/checkpoint')!.bytes!;
    }
    attack(double, Buffer.from(older!));
    const { policy, vkey, stampedNote, seenNote } = ground;
    const held = [...(hasStamps ? [stampedNote] : []), ...(hasWitnesses ? [seenNote] : [])];
    const trust = hasWitnesses ? { policy } : { vkey };
    return codesOf((await verifyPublished(place, { ...trust, held, s3, threads: 0 })).findings);
  };

/** A log whose clock stands two days from the true time, also for what came after it was anchored. */
const misdated =
  (days: number, attack: (copy: string) => void = () => {}) =>
  async (ground: Ground, verifier: Verifier): Promise<Verdict> => {
    const made = await misdatedGround(ground.t, days);
    const copy = copyFor(made, verifier, made.dir);
    attack(copy);
    return look(made, verifier, copy);
  };

/** Takes away how large the log was when each cosignature came. */
function forgetArrivals(copy: string): void {
  const path = join(copy, 'anchors.db');
  if (!existsSync(path)) return;
  const db = new DatabaseSync(path);
  assert.ok(db.prepare('DELETE FROM arrivals').run().changes > 0);
  db.close();
}

const misdatedGrounds = new Map<number, Promise<Ground>>();

function misdatedGround(t: TestContext, days: number): Promise<Ground> {
  const known = misdatedGrounds.get(days);
  const made =
    known ??
    makeGround(t, async (work) => {
      const real = Date.now;
      Date.now = () => real() + days * 86_400_000;
      try {
        await work();
      } finally {
        Date.now = real;
      }
    });
  misdatedGrounds.set(days, made);
  return made;
}

const all = [true, true, true, true] as const;
const none = [false, false, false, false] as const;
const anchored = [false, true, true, true] as const;

const attacks: readonly Staged[] = [
  { number: '—', what: 'nothing (control)', stage: onCopy(() => {}), seen: none },
  {
    number: '5',
    what: 'cut off entries that were anchored',
    stage: onCopy(cutTo('oldHead')),
    seen: anchored,
  },
  {
    number: '5',
    what: 'cut off entries behind the newest anchor',
    stage: onCopy(cutTo('anchored')),
    seen: none,
  },
  { number: '6', what: 'put an older copy in place', stage: onCopy(() => {}, 'old'), seen: anchored },
  {
    number: '9',
    what: 'put a new log with a key of its own in place',
    stage: async (ground, verifier) => {
      const dir = join(temporaryFolder(ground.t), 'forged');
      await using log = await createLog(dir, { origin, thread: 'caller', heartbeatMs: 0 });
      await record(log, 'forged', 5);
      return await look(ground, verifier, dir);
    },
    seen: all,
  },
  {
    number: '10',
    what: 'rewrite anchored entries, sign with the real key',
    stage: onCopy(rewrite(() => 3)),
    seen: anchored,
  },
  {
    number: '10',
    what: 'rewrite entries behind the newest anchor, sign with the real key',
    stage: onCopy(rewrite(({ anchored: { size } }) => size + 2)),
    seen: none,
  },
  {
    number: '11',
    what: 'show another history to somebody who holds nothing',
    stage: splitView,
    seen: [false, false, true, true],
  },
  {
    number: '12',
    what: 'steal the key, prove an entry that never was',
    stage: stolenProof,
    seen: [false, false, true, true],
  },
  {
    number: '12',
    what: 'the same thief’s checkpoint, beside the log that has replaced the key',
    stage: stolenBeside,
    seen: all,
  },
  {
    number: '12',
    what: 'the thief signs on behind the newest anchor, in place of the log',
    stage: signOn(false),
    seen: none,
  },
  {
    number: '12',
    what: 'the same, where the log has revoked the key and was anchored since',
    stage: signOn(true),
    seen: anchored,
  },
  {
    number: '—',
    what: 'nothing, and the log has revoked the key under its older anchors (control)',
    stage: honestlyRevoked,
    seen: none,
  },
  {
    number: '12',
    what: 'the thief signs on at a witness that has the revoked key still',
    stage: thiefAtWitness(false),
    seen: none,
  },
  {
    number: '12',
    what: 'the same, at a witness that was given the new key in its place',
    stage: thiefAtWitness(true),
    seen: [false, false, true, true],
  },
  {
    number: '13',
    what: 'operator and witness together: another history',
    stage: collusion,
    seen: [false, true, false, true],
  },
  { number: '23', what: 'present an inner node as an entry', stage: nodeAsEntry, seen: all },
  {
    number: '45',
    what: 'write over a bundle in a locked bucket',
    stage: inBucket((double) => {
      const bundles = [...double.objects.keys()].filter((key) => key.includes('/entries/'));
      for (const key of bundles)
        double.overwrite(key, Buffer.from(double.newest(key)!.bytes!).fill(65, 40, 60));
    }),
    seen: all,
  },
  {
    number: '45',
    what: 'put an older checkpoint over the newest in a locked bucket',
    stage: inBucket((double, older) => double.overwrite('audit/checkpoint', older)),
    seen: anchored,
  },
  {
    number: '46',
    what: 'set the clock of the log two days back',
    stage: misdated(-2),
    seen: anchored,
  },
  {
    number: '46',
    what: 'the same, and take away what was noted of when cosignatures came',
    stage: misdated(-2, forgetArrivals),
    seen: [false, true, false, true],
  },
  {
    number: '46',
    what: 'set the clock of the log two days ahead',
    stage: misdated(2),
    seen: anchored,
  },
  {
    number: '43',
    what: 'remove sealed values years before they may go, with a record of retention',
    stage: onCopy(removeEarly),
    seen: all,
  },
  {
    number: '51',
    what: 'an entry of a format version that does not exist, signed with the real key',
    stage: onCopy((ground, attacker) => {
      const { text } = attacker.row(3);
      attacker.edit((db) => {
        const changed = utf8Encode(text.replace(/"v":1\}$/, '"v":0}'));
        db.prepare('UPDATE entries SET entry = ? WHERE idx = ?').run(changed, 3);
        rebuildTree(db, origin, ground.signer);
      });
    }),
    seen: all,
  },
  {
    number: '51',
    what: 'the real key under another algorithm',
    stage: onCopy(otherAlgorithm),
    seen: all,
  },
  {
    number: '51',
    what: 'strip the cosignatures, so that the log’s own signature is all there is',
    stage: onCopy(strip),
    seen: [false, false, true, true],
  },
  {
    number: '51',
    what: 'a checkpoint by another key under the log’s name',
    stage: onCopy((_, attacker) => {
      const stranger = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(1)));
      attacker.edit((db) => void rebuildTree(db, origin, stranger));
    }),
    seen: all,
  },
];

const page = join(projectRoot, 'docs/trust.md');
const [BEGIN, END] = ['<!-- attacks: written by test/attacks -->', '<!-- attacks: end -->'];

/** At most three codes stand in a cell: the rest says no more. */
function cell(verdict: Verdict, isControl: boolean): string {
  if (verdict.length === 0) return isControl ? '—' : '**unseen**';
  const named = verdict.slice(0, 3).map((code) => `\`${code}\``);
  return `${named.join(', ')}${verdict.length > 3 ? ', …' : ''}`;
}

function tableOf(verdicts: ReadonlyMap<Staged, readonly Verdict[]>): string {
  const rows = [...verdicts].map(([{ number, what }, cells]) => {
    const shown = cells.map((verdict) => cell(verdict, number === '—'));
    return `| ${[what, ...shown].join(' | ')} |`;
  });
  return [
    '| Attack | The key alone | With time-stamps | With a witness | With both |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

describe('attacks and anchors', { skip: opensslMissing }, () => {
  let ground: Ground;
  const verdicts = new Map<Staged, readonly Verdict[]>();
  // What all attacks share ends with the last of them.
  const ends: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => void ends.unshift(end) } as unknown as TestContext;
  before(async () => {
    ground = await makeGround(t);
  });
  after(async () => {
    for (const end of ends) await end();
  });

  for (const attack of attacks) {
    test(`attack ${attack.number}: ${attack.what}`, async () => {
      const cells: Verdict[] = [];
      for (const verifier of verifiers) cells.push(await attack.stage(ground, verifier));
      verdicts.set(attack, cells);
      assert.deepEqual(
        cells.map((cell) => cell.length > 0),
        attack.seen,
        JSON.stringify(cells),
      );
    });
  }

  test('docs/trust.md has the table that came of it', () => {
    const text = readFileSync(page, 'utf8');
    const [head, rest = ''] = text.split(BEGIN);
    const tail = rest.split(END)[1];
    assert.ok(tail !== undefined, `docs/trust.md has no place between ${BEGIN} and ${END}`);
    const made = `${head}${BEGIN}\n\n${tableOf(verdicts)}\n\n${END}${tail}`;
    if (process.env['INDELIBLE_WRITE_PAGES'] === '1') writeFileSync(page, made);
    else assert.equal(text, made, 'INDELIBLE_WRITE_PAGES=1 writes it');
  });
});
