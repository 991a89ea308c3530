import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Log, LogError, type LogPaths, logPaths, openLog, type Receipt } from '../log/index.ts';
import { parseSignerKey, type Signer } from '../note/index.ts';
import { ask } from './ask.ts';
import { type Attack, CannotStage, type Scene } from './attack.ts';
import { Attacker } from './attacker.ts';
import { attacks } from './attacks.ts';
import { differences, type Fingerprint, fingerprint, Stage } from './stage.ts';

/** One attack and what the verifier said to it. */
export interface DrillRow {
  readonly attack: string;
  /** Whether the verifier noticed. */
  readonly caught: boolean;
  /** Whether it has to. False for the control, and for what no log can show by itself. */
  readonly expected: boolean;
  /** The codes of what it found; empty where it found nothing. */
  readonly by: string;
  /** The first finding, in the verifier's words. */
  readonly words: string;
  /** Why the attack could not be staged. */
  readonly skipped?: string;
}

/** How a drill is run. */
export interface DrillOptions {
  /** File of the signing key; `log.key` in the folder by default. Without a key, some attacks are skipped. */
  readonly key?: string;
  /** Called before each attack. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends the drill before the next attack, with the signal's reason, and clears the stage. */
  readonly signal?: AbortSignal;
}

/** Events that are recorded on the copy, so that there is a newer state and a receipt to hold. */
const newerEvents = 6;

/** Everything that the attacks start from. */
interface Ground {
  readonly origin: string;
  readonly vkey: string;
  /** An old copy. */
  readonly old: string;
  /** The newest state, with its mark beside it. */
  readonly now: string;
  readonly size: number;
  readonly signer: Signer | undefined;
  /** File of the real key, where there is one. */
  readonly key: string;
  /** Checkpoints of receipts that somebody holds. */
  readonly held: readonly string[];
}

/**
 * Stages every attack on a copy of the log in `dir`, and reports what the verifier said. The log is only read: its files
 * are hashed before and after, and a difference that no writer explains is thrown.
 */
export async function drill(dir: string, options: DrillOptions = {}): Promise<DrillRow[]> {
  const paths = logPaths(dir);
  if (!existsSync(paths.database)) throw new LogError('log_missing', `there is no log at ${paths.dir}`);
  const before = await fingerprint(paths.dir, paths.mark);
  await using stage = await Stage.open();
  const ground = await prepare(stage, paths.dir, options.key);
  const rows: DrillRow[] = [];
  for (const attack of attacks) {
    options.signal?.throwIfAborted();
    options.onProgress?.(rows.length, attacks.length);
    rows.push(await run(stage, ground, attack));
  }
  await assertUntouched(paths, before, ground);
  return rows;
}

async function prepare(stage: Stage, dir: string, keyFile: string | undefined): Promise<Ground> {
  const old = stage.path();
  let named: { readonly origin: string; readonly vkey: string };
  let held: string[];
  {
    await using log = await openLog(dir, { readOnly: true });
    named = { origin: log.origin, vkey: log.vkey };
    await log.backup(old);
    held = [(await log.checkpoint()).note];
  }
  const key = keyFile ?? join(dir, 'log.key');
  const signer = existsSync(key) ? parseSignerKey(readFileSync(key, 'utf8').trim()) : undefined;
  const now = signer === undefined ? old : await stage.copy(old);
  if (signer !== undefined) held = await recordNewer(now, key);
  return { ...named, old, now, size: await makeIndex(now), signer, key, held };
}

/** Has the copy make its search index, so that there is one to attack. Returns the size of the log. */
async function makeIndex(dir: string): Promise<number> {
  await using log = await openLog(dir, { readOnly: true });
  return (await log.query('', { limit: 1 }).page()).size;
}

/** Records a few events on a copy, as the application would have gone on, and returns the checkpoints of the receipts. */
async function recordNewer(copy: string, key: string): Promise<string[]> {
  // A copy has no mark beside it, as the log knows and would say.
  await using log: Log = await openLog(copy, { service: 'drill', key, warn: () => {} });
  const receipts: Receipt[] = [];
  for (let number = 0; number < newerEvents; number++) {
    receipts.push(
      await log.record({
        action: 'drill.staged',
        actor: { type: 'drill', id: 'drill', name: 'the drill' },
        targets: [{ type: 'step', id: String(number) }],
        reason: 'An event on a copy, so that there is something newer than an old backup.',
      }),
    );
  }
  return receipts.map(({ checkpoint }) => checkpoint);
}

async function sizeOf(dir: string): Promise<number> {
  await using log = await openLog(dir, { readOnly: true });
  return (await log.checkpoint()).size;
}

async function run(stage: Stage, ground: Ground, attack: Attack): Promise<DrillRow> {
  const { name, expected, verifier = {}, needsKey } = attack;
  if (needsKey === true && ground.signer === undefined) {
    return skipped(attack, 'It can only be staged with the signing key: name it with --key.');
  }
  const copy = await stage.copy(ground.now, { mark: verifier.mark === true });
  try {
    await attack.apply(sceneOf(ground, copy));
    const held = verifier.held === true ? ground.held : undefined;
    const answer = await ask(copy, {
      vkey: ground.vkey,
      held,
      index: verifier.index === true,
      size: ground.size,
    });
    return { attack: name, expected, ...answer };
  } catch (error) {
    if (error instanceof CannotStage) return skipped(attack, error.message);
    throw error;
  } finally {
    await stage.drop(copy);
  }
}

function skipped({ name, expected }: Attack, reason: string): DrillRow {
  return { attack: name, caught: false, expected, by: '', words: reason, skipped: reason };
}

function sceneOf({ origin, size, signer, key, old }: Ground, copy: string): Scene {
  const attacker = new Attacker(copy);
  // Never the genesis, nothing that was pruned, and never the last two: those are for the attack on the tail.
  const from = attacker.unbrokenFrom();
  const middle = Math.max(1, from, Math.min(from + Math.floor((size - from) / 2), size - 4));
  return { attacker, origin, size, middle, next: middle + 1, signer, key, old };
}

/** Throws if a file of the log changed, unless the log grew: then somebody else was recording meanwhile. */
async function assertUntouched({ dir, mark }: LogPaths, before: Fingerprint, ground: Ground): Promise<void> {
  const changed = differences(before, await fingerprint(dir, mark));
  if (changed.length === 0 || (await sizeOf(dir)) !== (await sizeOf(ground.old))) return;
  throw new Error(`the drill changed ${changed.join(', ')}`);
}
