import { Argument, InvalidArgumentError, Option } from 'commander';
import { LogError } from '../bytes/index.ts';
import { originsOf } from '../postgres/index.ts';
import { UsageError } from './exit.ts';
import type { Connected } from './pg-connection.ts';

/** Where the database is. */
export function urlArgument(): Argument {
  return new Argument('<url>', 'postgres://user@host/database').argParser((text: string) => {
    if (!/^postgres(ql)?:\/\//.test(text)) throw new InvalidArgumentError('It begins with postgres://.');
    return text;
  });
}

/** Which log of the database. */
export function originOption(): Option {
  return new Option('--origin <name>', 'which log (default: the only one of the database)');
}

/** The log that was named, or the only one there is. */
export async function originAt({ database }: Connected, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const origins = await originsOf(database);
  if (origins.length === 1) return origins[0]!;
  if (origins.length === 0)
    throw new LogError('log_missing', 'this database has no log', { hint: 'indelible pg init begins one' });
  throw new UsageError(`there are ${origins.length} logs: name one with --origin`);
}
