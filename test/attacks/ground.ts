// A log that witnesses cosign and an authority stamps, and what a verifier of it holds.

import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createLog,
  type Log,
  newSignerKey,
  openLog,
  type TimestampSettings,
  type verifyLog,
} from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { keyTypes, type Policy, parsePolicy, parseSignerKey, type Signer } from 'indelible/note';
import { createWitness, watchedLogs } from 'indelible/witness';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type Listening, listen, makeChain } from '../support/tsa.ts';
import { startWitness, type TestWitness } from '../witness/world.ts';

export const origin = 'log.example/attacked';

/** Who looks: with nothing but the key, with time-stamps, with witnesses, with both. */
export interface Verifier {
  readonly name: 'nothing' | 'stamps' | 'witnesses' | 'both';
  readonly hasStamps: boolean;
  readonly hasWitnesses: boolean;
}

export const verifiers: readonly Verifier[] = [
  { name: 'nothing', hasStamps: false, hasWitnesses: false },
  { name: 'stamps', hasStamps: true, hasWitnesses: false },
  { name: 'witnesses', hasStamps: false, hasWitnesses: true },
  { name: 'both', hasStamps: true, hasWitnesses: true },
];

/** A log with a past, a newest anchor, and a few entries behind that. */
export interface Ground {
  readonly t: TestContext;
  /** The log as it is now, closed. */
  readonly dir: string;
  /** As it was earlier: anchored, too. */
  readonly old: string;
  readonly vkey: string;
  readonly signer: Signer;
  readonly root: Signer;
  readonly policy: Policy;
  readonly policyText: string;
  /** How many entries the newest anchor covers, and the log's own checkpoint over them. */
  readonly anchored: { readonly size: number; readonly note: string };
  readonly oldHead: { readonly size: number; readonly note: string };
  /** The verifier's own copy of what was stamped. */
  readonly anchors: string;
  /** The checkpoint that was stamped last, and the one that the witness saw last. */
  readonly stampedNote: string;
  readonly seenNote: string;
  /** A proof that bears the cosignature. */
  readonly proof: { readonly proof: string; readonly entry: Uint8Array };
  readonly tsa: Listening;
  readonly witness: TestWitness;
  /** The folder of the witness before it had seen anything: what one that lies starts from again. */
  readonly blank: string;
}

export function publishTo({ handler }: TestWitness): object {
  const fetch = (url: string, init: RequestInit) => handler(new Request(url, init));
  return { everyMs: 20, timeoutMs: 5000, fetch };
}

export function stampsOf(tsa: Listening): TimestampSettings {
  return { everyMs: 3_600_000, authorities: [{ name: 'tsa', url: tsa.url, certificates: tsa.root.pem }] };
}

export async function record(log: Log, name: string, count: number): Promise<void> {
  const made = Array.from({ length: count }, (_, at) => signIn(`${name}-${at}`));
  for (const result of await log.recordMany(made)) if (!result.ok) throw result.error;
}

/** Waits until the quorum has cosigned all of the log. */
export async function untilWitnessed(log: Log): Promise<void> {
  const { size } = await log.checkpoint();
  for (let tries = 0; tries < 500; tries += 1) {
    const seen = await log.checkpoint({ witnessed: true }).catch(() => undefined);
    if (seen !== undefined && seen.size >= size) return;
    await sleep(20);
  }
  throw new Error('the witness did not cosign');
}

/** Makes a ground. `aroundRecording` sets the clock of the log while it records. */
export async function makeGround(
  t: TestContext,
  aroundRecording: (work: () => Promise<void>) => Promise<void> = (work) => work(),
): Promise<Ground> {
  const folder = temporaryFolder(t);
  const [dir, old, blank] = [join(folder, 'log'), join(folder, 'old'), join(folder, 'blank')];
  const root = parseSignerKey(newSignerKey(`${origin}/root`));
  const quiet = { thread: 'caller', heartbeatMs: 0, warn: () => {} } as const;
  let vkey = '';
  await aroundRecording(async () => {
    await using log = await createLog(dir, { origin, rootVkey: root.vkey, ...quiet });
    vkey = log.vkey;
    await record(log, 'first', 4);
  });
  createWitness(blank, { name: 'witness.example', mldsa: true });
  const mine = join(folder, 'witness');
  cpSync(blank, mine, { recursive: true });
  const witness = startWitness(t, watchedLogs([{ vkey }]), { dir: mine, now: Date.now });
  const key = witness.keys.find(({ type }) => type === keyTypes.cosignatureV1)!;
  const policyText = `log ${vkey}\nwitness w ${key.text} http://127.0.0.1:4041\nquorum w\n`;
  const tsa = await listen(t, folder, makeChain(folder));
  const witnessed = { ...quiet, witnesses: policyText, publish: publishTo(witness) };
  const anchor = async (log: Log) => {
    await untilWitnessed(log);
    for (const { ok } of await log.timestampNow()) if (!ok) throw new Error('it was not stamped');
    return log.checkpoint();
  };
  const reader = { ...witnessed, readOnly: true, timestamps: stampsOf(tsa) };
  const oldHead = await cosignAndStamp(dir, witnessed, reader, anchor, async () => {});
  cpSync(dir, old, { recursive: true });
  const anchored = await cosignAndStamp(dir, witnessed, reader, anchor, (log) =>
    aroundRecording(() => record(log, 'second', 4)),
  );
  const anchors = join(folder, 'own-anchors.db');
  cpSync(join(dir, 'anchors.db'), anchors);
  const wal = join(dir, 'anchors.db-wal');
  if (existsSync(wal)) cpSync(wal, `${anchors}-wal`);
  const store = AnchorStore.openReadable(anchors)!;
  const [newest] = store.newestTimestamps();
  if (newest?.size !== anchored.size) throw new Error(`stamped is ${newest?.size}, not ${anchored.size}`);
  const stampedNote = Buffer.from(newest.note).toString();
  store.close();
  let proof: Ground['proof'];
  {
    await using log = await openLog(dir, { ...witnessed, readOnly: true });
    proof = await log.proveAt(3);
  }
  await aroundRecording(async () => {
    await using log = await openLog(dir, quiet);
    await record(log, 'last', 3);
  });
  return {
    ...{ t, dir, old, vkey, root, policyText, policy: parsePolicy(policyText), anchored, oldHead, anchors },
    ...{ stampedNote, proof, tsa, witness, blank },
    signer: parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim()),
    seenNote: Buffer.from(await witness.seen(origin)).toString(),
  };
}

async function cosignAndStamp(
  dir: string,
  witnessed: object,
  reader: object,
  anchor: (log: Log) => Promise<{ readonly size: number; readonly note: string }>,
  work: (log: Log) => Promise<void>,
): Promise<{ readonly size: number; readonly note: string }> {
  {
    await using log = await openLog(dir, witnessed);
    await work(log);
    await untilWitnessed(log);
  }
  await using log = await openLog(dir, reader);
  return await anchor(log);
}

/** A copy that the attacker hands out: without what outside parties signed, unless the verifier asks for it. */
export function copyFor({ t }: Ground, { hasWitnesses }: Verifier, from: string): string {
  const copy = join(temporaryFolder(t), 'copy');
  cpSync(from, copy, { recursive: true });
  if (!hasWitnesses)
    for (const name of ['', '-wal', '-shm']) rmSync(join(copy, `anchors.db${name}`), { force: true });
  return copy;
}

/** What the verifier hands to `verifyLog`. */
export function optionsOf(
  ground: Ground,
  { hasStamps, hasWitnesses }: Verifier,
): NonNullable<Parameters<typeof verifyLog>[1]> {
  const { vkey, policy, anchors, tsa, seenNote } = ground;
  return {
    threads: 0,
    ...(hasWitnesses ? { policy, held: [seenNote] } : { vkey }),
    ...(hasStamps && { anchors, tsaCertificates: tsa.root.pem }),
  };
}
