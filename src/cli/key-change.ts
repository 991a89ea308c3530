import { Command, Option } from 'commander';
import { VerificationError } from '../bytes/index.ts';
import type { KeyStatement } from '../event/index.ts';
import {
  applyKeyChange,
  authoriseKeyChange,
  type FinishedKeyChange,
  finishKeyChange,
  type KeyChangeWanted,
  type KeysChanged,
  type KeyWorkOptions,
  type KeyWorkplace,
  logPaths,
  readRequest,
  requestKeyChange,
  type Since,
  withLogKeys,
} from '../log/index.ts';
import { type Policy, parsePolicy } from '../note/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { readStatements, writeStatements } from './key-files.ts';
import { keyLines } from './key-lines.ts';
import { isFile, signerAt } from './key-spec.ts';
import { given, jsonOption, keyOption, logOption, markOption } from './options.ts';
import { show } from './terminal.ts';
import { readPolicy } from './witness-list.ts';

/** How a key is replaced or revoked, wherever the log is. */
export interface ChangeOptions {
  readonly key?: string;
  readonly newKey?: string;
  readonly mark?: string;
  readonly rootKey?: string;
  readonly request?: string;
  readonly authorisation?: string;
  readonly since?: string;
  readonly vkey?: string;
  readonly json?: boolean;
}

const rotateHelp = `
Examples:
  indelible key rotate --log audit --root-key offline/root.key

  With the root key on another machine:
  indelible key rotate --log audit --request rotate.json
  indelible key root sign rotate.json --root-key root.key --out signed.json      (on that machine)
  indelible key rotate --log audit --authorisation signed.json

  Processes that have the log open go on by themselves where they read the key from the same file.
  Those who pinned the old key, or the root key, need do nothing; hand the new key to those who pin the newest.
`;

const revokeHelp = `
Example:
  indelible key revoke --log audit --root-key offline/root.key --since 2026-01-31T12:00:00Z

  Revokes the key that signs now, which is replaced in the same step; or, with --vkey, one that was replaced before.
  What it signed from then on is not believed any more, unless an outside party had seen it before.
`;

/** `key rotate`: another key signs from now on. */
export function rotateCommand(io: Io): Command {
  return changeOptions(new Command('rotate').description(ROTATE).addOption(logOption()))
    .addHelpText('after', rotateHelp)
    .action((options: LocalOptions) => change(io, options, { rotate: true }, inFolder(options)));
}

/** `key revoke`: what a key signed from some point on is not believed any more. */
export function revokeCommand(io: Io): Command {
  return revokeOptions(changeOptions(new Command('revoke').description(REVOKE).addOption(logOption())))
    .addHelpText('after', revokeHelp)
    .action((options: LocalOptions) => change(io, options, wantedOf(options), inFolder(options)));
}

/** What the commands say of themselves. */
export const ROTATE = 'replace the key that signs the log';
/** See {@link ROTATE}. */
export const REVOKE = 'revoke a key that others have, or may have';

interface LocalOptions extends ChangeOptions {
  readonly log: string;
}

/** Where a log is whose keys are to change. */
export interface WithPlace {
  /** The folder with its policy of witnesses, where it has one. */
  readonly dir: string;
  /** Runs `work` there. */
  run(options: KeyWorkOptions, work: (place: KeyWorkplace) => Promise<void>): Promise<void>;
}

const inFolder = ({ log }: LocalOptions): WithPlace => ({
  dir: log,
  run: (options, work) => withLogKeys(log, options, work),
});

/** Which key is revoked, and from where on. */
export function revokeOptions(command: Command): Command {
  return command
    .option('--since <time|index>', 'from when on it may have been used by others; needed for a new request')
    .option('--vkey <key>', 'the key, where it is not the one that signs now');
}

/** What every change of keys takes. */
export function changeOptions(command: Command): Command {
  return command
    .addOption(keyOption())
    .option('--new-key <key>', 'the new key, where it is in no file: env:NAME, kms:FILE')
    .addOption(markOption())
    .option('--root-key <key>', 'the root key: a file, env:NAME, kms:FILE')
    .addOption(
      new Option('--request <file>', 'write what the root key has to sign elsewhere').conflicts('rootKey'),
    )
    .addOption(new Option('--authorisation <file>', 'what it has signed').conflicts(['rootKey', 'request']))
    .addOption(jsonOption('print the keys as JSON'));
}

/** What `revoke` asks for. */
export function wantedOf({ since, vkey, authorisation }: ChangeOptions): KeyChangeWanted {
  if (since === undefined) {
    if (authorisation !== undefined) return { rotate: false };
    throw new UsageError('--since says from when on the key is not believed: a time, or an index');
  }
  return { rotate: false, revoke: { since: sinceOf(since), ...given({ vkey }) } };
}

function sinceOf(text: string): Since {
  return /^[0-9]{1,16}$/.test(text) ? { index: Number(text) } : { time: text };
}

/** Changes keys, or writes down what the root key has to sign for it. */
export async function change(
  io: Io,
  options: ChangeOptions,
  wanted: KeyChangeWanted,
  within: WithPlace,
): Promise<void> {
  const { rootKey, request, authorisation } = options;
  if (rootKey === undefined && request === undefined && authorisation === undefined)
    throw new UsageError('name the root key (--root-key), or see help for a root key on another machine');
  await within.run(await workOptions(options), async (place) => {
    const finished = await finishKeyChange(place);
    if (finished !== undefined) {
      await io.words.line(show`A change of keys that was cut off is finished now. Nothing else was done.`);
      return await tellAll(io, { ...finished, json: options.json, dir: within.dir });
    }
    if (request !== undefined) {
      writeStatements(request, 'request', await requestKeyChange(place, wanted));
      await io.words.line(show`Wrote ${request}: have it signed by the root key (indelible key root sign).`);
      return;
    }
    const changed = await applied(place, options, wanted);
    await tellAll(io, { ...changed, json: options.json, dir: within.dir });
  });
}

/** What whoever changed the keys has to know, and to tell others. */
async function tellAll(
  io: Io,
  changed: FinishedKeyChange & { readonly json: boolean | undefined; readonly dir: string },
): Promise<void> {
  const { history, statements, json, dir } = changed;
  await tell(io, changed, json);
  await tellWitnesses(io, dir, { vkey: history.vkey, statements });
}

async function workOptions({ key, newKey, mark }: ChangeOptions): Promise<KeyWorkOptions> {
  if (isFile(key)) return given({ key, mark, service: 'cli' });
  if (newKey === undefined)
    throw new UsageError('the signing key is in no file: name the one that takes over with --new-key');
  return given({ mark, service: 'cli', old: await signerAt(key!), successor: await signerAt(newKey) });
}

async function applied(
  place: KeyWorkplace,
  { rootKey, authorisation }: ChangeOptions,
  wanted: KeyChangeWanted,
): Promise<FinishedKeyChange> {
  const authorised = async (): Promise<string[]> => {
    if (authorisation !== undefined) return readStatements(authorisation, 'authorisation');
    const root = await signerAt(rootKey!);
    return (await requestKeyChange(place, wanted)).map((one) => authoriseKeyChange(one, root));
  };
  const notes = await authorised();
  const changed = await applyKeyChange(place, notes);
  return { ...changed, statements: notes.map((note) => readRequest(note).statement) };
}

async function tell(io: Io, { history }: KeysChanged, json: boolean | undefined): Promise<void> {
  if (json === true) await io.out.json({ origin: history.origin, vkey: history.vkey, keys: history.keys });
  else await io.out.lines(keyLines(history, io.out.paint));
  const { vkey, keys } = history;
  await io.words.line(show`${io.words.paint('green', 'Done.')} From now on ${vkey} signs the log.`);
  if (keys.at(-1)?.isHandedOver === false) {
    await io.words.line(
      show`The key before it was not there to sign the change: whoever pinned it has to pin the root key, or the new one.`,
    );
  }
}

/** What witnesses have to know of a change. */
interface ToldWitnesses {
  readonly vkey: string;
  readonly statements: readonly KeyStatement[];
}

/**
 * Witnesses follow no change of keys by themselves: until each is given the new key, it cosigns nothing; and as long as it has a revoked
 * one, it cosigns what a thief signs.
 */
async function tellWitnesses(io: Io, dir: string, told: ToldWitnesses): Promise<void> {
  const text = readPolicy(logPaths(dir));
  if (text === undefined) return;
  let witnesses: Policy['witnesses'];
  try {
    witnesses = parsePolicy(text).witnesses;
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    await io.words.line(show`The witnesses of the log are not known: ${error.message}`);
    return;
  }
  for (const { name, url } of witnesses) {
    const where = url === undefined ? 'by hand' : url;
    await io.words.line(
      show`${io.words.paint('yellow', 'Tell the witness')} ${name} (${where}): whoever runs it ${whatToDo(told)}`,
    );
  }
}

function whatToDo({ vkey, statements }: ToldWitnesses): string {
  const revoked = statements.find((one) => one.kind === 'revocation')?.key;
  if (revoked === undefined)
    return `adds --vkey ${vkey} beside the old one, and it cosigns nothing until then.`;
  return statements.some(({ kind }) => kind === 'rotation')
    ? `puts --vkey ${vkey} in the place of ${revoked}. Until then it cosigns what others sign with that, and nothing of yours.`
    : `takes --vkey ${revoked} away, where it is still there. Until then it cosigns what others sign with that.`;
}
