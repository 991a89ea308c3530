import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { LogError } from '../bytes/index.ts';
import { type ApiKey, type Scope, scopes } from '../wire/index.ts';
import type { Io } from './io.ts';
import { jsonOption } from './options.ts';
import { serverRoom } from './server-room.ts';
import { type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible api-key create --data data/server --name billing --scopes write --log-name main
  indelible api-key list --data data/server
  indelible api-key revoke --data data/server 0123456789ab

  A key is shown once, when it is made; only its hash is kept. A running server knows of it at once, and of its end.
`;

interface CreateOptions {
  readonly data: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly logName?: string;
  readonly service?: string;
  readonly expiresAt?: string;
  readonly json?: boolean;
}

/** `api-key create|list|revoke`: the API keys of a server. */
export function apiKeyCommand(io: Io): Command {
  const command = new Command('api-key')
    .description("make, list and revoke a server's API keys")
    .addHelpText('after', help);
  command.addCommand(createCommand(io).copyInheritedSettings(command));
  command.addCommand(listCommand(io).copyInheritedSettings(command));
  command.addCommand(revokeCommand(io).copyInheritedSettings(command));
  return command;
}

/** The data directory of a server: `--data DIR`. */
export function dataOption(): Option {
  return new Option('--data <dir>', 'data directory of the server')
    .argParser((text: string) => {
      if (text === '') throw new InvalidArgumentError('Name the folder; . is the one where you are.');
      return text;
    })
    .makeOptionMandatory();
}

function createCommand(io: Io): Command {
  return new Command('create')
    .description('make a key and print it, once')
    .addOption(dataOption())
    .addOption(new Option('--name <name>', 'what it is for').makeOptionMandatory())
    .addOption(
      new Option('--scopes <list>', `of ${scopes.join(', ')}`).argParser(parseScopes).makeOptionMandatory(),
    )
    .option('--log-name <name>', 'the one log that it reaches; all logs if not given')
    .option('--service <name>', 'source.service of events written with it; its name if not given')
    .option('--expires-at <time>', 'RFC 3339, as 2030-01-01T00:00:00Z')
    .addOption(jsonOption('print it as JSON'))
    .action((options: CreateOptions) => create(io, options));
}

function parseScopes(text: string): readonly Scope[] {
  const wanted = text.split(/[ ,]+/).filter((word) => word !== '');
  const unknown = wanted.find((word) => !scopes.includes(word as Scope));
  if (unknown !== undefined || wanted.length === 0) {
    throw new InvalidArgumentError(`Scopes are ${scopes.join(', ')}.`);
  }
  return wanted as Scope[];
}

async function create(io: Io, options: CreateOptions): Promise<void> {
  const { data, name, scopes: wanted, logName, service, expiresAt, json } = options;
  const { ServerKeys } = await serverRoom();
  using keys = new ServerKeys(data);
  const created = keys.create({
    name,
    scopes: wanted,
    ...(logName === undefined ? {} : { log: logName }),
    ...(service === undefined ? {} : { service }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  if (json === true) return io.out.json(created);
  await io.out.line(show`${created.key}`);
  await io.words.line(
    show`This is the only time that it is shown. To revoke it: indelible api-key revoke --data ${data} ${created.id}`,
  );
}

function listCommand(io: Io): Command {
  return new Command('list')
    .description('list the keys, without their secrets')
    .addOption(dataOption())
    .addOption(jsonOption('print one JSON object a line'))
    .action(async ({ data, json }: { data: string; json?: boolean }) => {
      const { ServerKeys } = await serverRoom();
      using keys = new ServerKeys(data);
      for (const key of keys.list()) {
        if (json === true) await io.out.json(key);
        else await io.out.line(lineOf(key));
      }
    });
}

function lineOf(key: ApiKey): Shown {
  const state =
    key.revokedAt !== undefined
      ? `revoked ${key.revokedAt}`
      : key.lastUsedAt === undefined
        ? 'never used'
        : `last used ${key.lastUsedAt}`;
  return show`${key.id}  ${key.name}  ${key.scopes.join(' ')}  ${key.log ?? 'all logs'}  ${state}`;
}

function revokeCommand(io: Io): Command {
  return new Command('revoke')
    .description('revoke a key, and every session and token that it gave out, at once')
    .addOption(dataOption())
    .addArgument(new Argument('<id>', 'public id of the key, its second part'))
    .action(async (id: string, { data }: { data: string }) => {
      const { ServerKeys } = await serverRoom();
      using keys = new ServerKeys(data);
      if (!keys.revoke(id)) throw new LogError('not_found', `there is no key ${id}`);
      await io.words.line(show`Revoked ${id}.`);
    });
}
