import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import {
  AnchorStore,
  addPolicyWitness,
  mayMakeLike,
  newPolicy,
  problemOfWitnessUrl,
  removePolicyWitness,
  type WitnessState,
  witnessStates,
} from '../anchor/index.ts';
import { type LogPaths, logPaths, openLog, readCosigner, readVerifierKey } from '../log/index.ts';
import { keyTypes, POLICY_LENGTH_MAX, parsePolicy, parseVerifierKey } from '../note/index.ts';
import { readTextFile, replaceFile, systemClock } from '../platform/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { given, jsonOption, logOption, parseCount } from './options.ts';
import { show } from './terminal.ts';

/** Where a witness that signs by hand takes checkpoints. */
const BY_HAND = 'none';

const addHelp = `
Example:
  indelible witness add https://witness.example witness.example+5f2a61c0+BKv… --log audit

  What opens the log for writing and stays, an application or a server, shows its checkpoints to the witness, in the background.
  A command that ends at once does not: then it is indelible witness now --log audit.
  More than half of the witnesses have to cosign, unless --quorum says how many; where it was all of them, it stays all.
  The witness needs the log's key: indelible key --log audit. The URL ${BY_HAND} is for one that signs by hand.
`;

/** `witness add URL VKEY --log DIR`. */
export function addCommand(io: Io): Command {
  return new Command('add')
    .description('add a witness to the policy of a log')
    .argument('<url>', `where the witness takes checkpoints; ${BY_HAND} for one that signs by hand`)
    .argument('<vkey>', "the witness's verifier key")
    .addOption(logOption())
    .option('--name <name>', "its name in the policy (default: the key's)")
    .addOption(quorumOption())
    .addHelpText('after', addHelp)
    .action(async (url: string, vkey: string, options: { log: string; name?: string; quorum?: number }) => {
      await add(io, url, vkey, options);
    });
}

async function add(
  io: Io,
  url: string,
  vkey: string,
  { log: dir, name, quorum }: { log: string; name?: string; quorum?: number },
): Promise<void> {
  const problem = url === BY_HAND ? undefined : problemOfWitnessUrl(url);
  if (problem !== undefined) throw new UsageError(`a witness cannot be at ${url}: ${problem}`);
  const key = parseVerifierKey(vkey);
  const paths = logPaths(dir);
  const { own, vkey: logKey } = await ownKeysOf(dir, paths);
  const witness = {
    own,
    name: name ?? (key.type === keyTypes.mldsa44 ? `${key.name}/mldsa44` : key.name),
    vkey,
    ...given({ url: url === BY_HAND ? undefined : url, quorum }),
  };
  const change = (text: string | undefined): string => addPolicyWitness(text ?? newPolicy([logKey]), witness);
  // Whoever removes and adds a witness has looked into why it refused.
  changePolicy(paths, change, (store) => store.dropWitness(url));
  await io.out.line(show`${join(dir, 'policy')}: ${quorumWords(paths)}`);
  if (witness.url === undefined) return;
  await io.words.line(
    show`${witness.name} is shown checkpoints by what keeps the log open for writing. Show it one now: indelible witness now --log ${dir}`,
  );
}

const listHelp = `
Example:
  indelible witness list --log audit

  Signatures are verified; whether the log still is what was signed, verify --policy audit/policy tells.
`;

/** `witness list --log DIR`. */
export function listCommand(io: Io): Command {
  return new Command('list')
    .description('print the witnesses of a log, and how far each has cosigned it')
    .addOption(logOption())
    .addOption(jsonOption('print them as JSON'))
    .addHelpText('after', listHelp)
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      const paths = logPaths(dir);
      const policy = parsePolicy(readPolicy(paths) ?? newPolicy([]));
      const origin = parseVerifierKey(await vkeyOf(dir, paths)).name;
      const now = systemClock.wall();
      const states = existsSync(paths.anchors)
        ? withAnchors(paths, (store) => witnessStates(store, policy, { origin, now }))
        : witnessStates(undefined, policy, { origin, now });
      if (json === true) return io.out.json(states);
      for (const state of states.witnesses) await io.out.line(lineOf(state));
      await io.out.line(show`${quorumWords(paths)}; cosigned so up to size ${String(states.size)}`);
    });
}

const removeHelp = `
Example:
  indelible witness remove witness.example --log audit --quorum 2

  As many of those that are left have to cosign as before, or all where it was all, unless --quorum says how many.
`;

/** `witness remove NAME --log DIR`. */
export function removeCommand(io: Io): Command {
  return new Command('remove')
    .description('take a witness out of the policy of a log')
    .argument('<name>', 'its name in the policy: see witness list')
    .addOption(logOption())
    .addOption(quorumOption())
    .addHelpText('after', removeHelp)
    .action(async (name: string, { log: dir, quorum }: { log: string; quorum?: number }) => {
      const paths = logPaths(dir);
      changePolicy(paths, (text) => removePolicyWitness(text ?? newPolicy([]), name, quorum));
      await io.out.line(show`${join(dir, 'policy')}: ${quorumWords(paths)}`);
    });
}

function quorumOption(): Option {
  return new Option('--quorum <count>', 'how many of all witnesses have to cosign').argParser(parseCount);
}

/**
 * Changes the policy of a log, one process at a time: under the lock of `anchors.db`, which ends with whoever holds it. What `before`
 * does there has reached the disk before the policy changes, and is harmless where it then does not. Somebody else than the log's owner
 * may be one who can write the policy and not that file: nothing is made there that the owner could not open.
 */
function changePolicy(
  paths: LogPaths,
  change: (text: string | undefined) => string,
  before: (store: AnchorStore) => void = () => {},
): void {
  const replace = (): void => replaceFile(paths.policy, change(readPolicy(paths)));
  if (!mayHoldAnchors(paths)) {
    replace();
    return;
  }
  withAnchors(paths, (store) => {
    // What is refused changes nothing.
    change(readPolicy(paths));
    before(store);
    store.exclusively(replace);
  });
}

function mayHoldAnchors(paths: LogPaths): boolean {
  if (existsSync(paths.anchors)) return may(paths.anchors, constants.R_OK | constants.W_OK);
  return mayMakeLike(besideAnchors(paths));
}

/** What a new `anchors.db` is made like: the log; of a log in PostgreSQL, the folder. */
function besideAnchors({ database, anchors }: LogPaths): string {
  return existsSync(database) ? database : dirname(anchors);
}

/** Whether a file is there and this process may do so with it. */
function may(path: string, mode: number = constants.R_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** The key of a log, and all that are its own, as far as they can be read here: those that sign it and did, its root key, and its second one. */
async function ownKeysOf(
  dir: string,
  paths: LogPaths,
): Promise<{ readonly vkey: string; readonly own: readonly string[] }> {
  const beside = [paths.vkey, paths.rootVkey].filter((path) => may(path));
  const files = beside.map((path) => readVerifierKey(path).text);
  const second = may(paths.mldsaKey) ? [readCosigner(paths.mldsaKey).key.text] : [];
  const vkey = await vkeyOf(dir, paths);
  if (!may(paths.database)) return { vkey, own: [vkey, ...files, ...second] };
  await using log = await openLog(dir, { readOnly: true });
  const { keys, rootVkey } = await log.keys();
  const root = rootVkey === null ? [] : [rootVkey];
  return { vkey, own: [...keys.map((key) => key.vkey), ...root, ...files, ...second] };
}

/** The text of the policy in the folder of a log; undefined where there is none. */
export function readPolicy({ policy }: LogPaths): string | undefined {
  return existsSync(policy) ? readTextFile(policy, POLICY_LENGTH_MAX) : undefined;
}

/** The log's verifier key; of a log in PostgreSQL, or that cannot be read here, the one in its folder. */
export async function vkeyOf(dir: string, paths: LogPaths): Promise<string> {
  if (!may(paths.database) && may(paths.vkey)) return readVerifierKey(paths.vkey).text;
  await using log = await openLog(dir, { readOnly: true });
  return log.vkey;
}

/** Runs `act` on the log's `anchors.db`. */
export function withAnchors<Result>(paths: LogPaths, act: (store: AnchorStore) => Result): Result {
  const store = AnchorStore.open(paths.anchors, besideAnchors(paths));
  try {
    return act(store);
  } finally {
    store.close();
  }
}

function quorumWords(paths: LogPaths): string {
  const { witnesses, groups, quorum } = parsePolicy(readPolicy(paths) ?? newPolicy([]));
  if (quorum === undefined) return 'no witness is asked for';
  const group = groups.find(({ name }) => name === quorum);
  const count = group === undefined ? 1 : group.threshold;
  return `${count} of ${group?.members.length ?? witnesses.length} have to cosign`;
}

function lineOf({ name, url, size, timestamp, isAhead, refusal }: WitnessState) {
  const ahead = isAhead === true ? ' (a cosignature of a time ahead of the clock counts for nothing)' : '';
  const when = timestamp === undefined ? '' : `, at ${new Date(timestamp * 1000).toISOString()}`;
  const words =
    refusal === undefined
      ? ''
      : refusal === 'unknown'
        ? ' REFUSES: it does not know the key that signs the log; give whoever runs it log.vkey'
        : ` REFUSES: it holds ${refusal === 'fork' ? 'another history' : 'a longer history'}; run verify`;
  return show`${name}  ${url ?? 'by hand'}  cosigned ${size === 0 ? 'nothing yet' : `up to size ${size}${when}`}${ahead}${words}`;
}
