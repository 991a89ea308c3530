import { Command } from 'commander';
import { withPostgresLogKeys } from '../postgres/index.ts';
import type { Io } from './io.ts';
import {
  type ChangeOptions,
  change,
  changeOptions,
  REVOKE,
  ROTATE,
  revokeOptions,
  type WithPlace,
  wantedOf,
} from './key-change.ts';
import { given } from './options.ts';
import { connected } from './pg-connection.ts';
import { originAt, originOption, urlArgument } from './pg-origin.ts';

interface PgChangeOptions extends ChangeOptions {
  readonly origin?: string;
  readonly dir: string;
}

const help = `
Examples:
  indelible pg key rotate "$DATABASE_URL" --dir audit --root-key offline/root.key
  indelible pg key revoke "$DATABASE_URL" --dir audit --root-key offline/root.key --since 2026-01-31T12:00:00Z

  It is indelible key rotate and revoke, for a log in PostgreSQL. An instance that reads the key from the same file goes on by
  itself; hand the new log.key to each of the others: what they are asked to record is refused until they have it.
`;

/** `pg key rotate|revoke URL --dir DIR`: another key signs a log in PostgreSQL; see `key`. */
export function pgKeyCommand(io: Io): Command {
  const command = new Command('key')
    .description('replace or revoke the key of a log in the database')
    .addHelpText('after', help);
  command.addCommand(
    pgChangeOptions(new Command('rotate').description(ROTATE)).action(
      (url: string, options: PgChangeOptions) =>
        change(io, options, { rotate: true }, inDatabase(url, options)),
    ),
  );
  command.addCommand(
    revokeOptions(pgChangeOptions(new Command('revoke').description(REVOKE))).action(
      (url: string, options: PgChangeOptions) =>
        change(io, options, wantedOf(options), inDatabase(url, options)),
    ),
  );
  return command;
}

function pgChangeOptions(command: Command): Command {
  command
    .addArgument(urlArgument())
    .addOption(originOption())
    .requiredOption('--dir <dir>', 'folder of this instance, with the signing key and the mark');
  return changeOptions(command);
}

const inDatabase = (url: string, { origin: named, dir }: PgChangeOptions): WithPlace => ({
  dir,
  run: (options, work) =>
    connected(url, async (connection) => {
      const origin = await originAt(connection, named);
      await withPostgresLogKeys(connection.client, { origin, dir, ...given(options) }, work);
    }),
});
