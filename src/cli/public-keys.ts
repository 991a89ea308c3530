import { parseEntry, parseGenesis } from '../event/index.ts';
import type { Log } from '../log/index.ts';
import type { Io } from './io.ts';
import { show } from './terminal.ts';

/** The public keys of a log. */
export interface PublicKeys {
  readonly origin: string;
  /** Verifies its checkpoints. */
  readonly vkey: string;
  /** Authorises a change of the log key; null where none can. Read from the first entry, where it cannot be changed. */
  readonly rootVkey: string | null;
}

/** Reads the public keys of a log. */
export async function readPublicKeys(log: Log): Promise<PublicKeys> {
  const { origin, vkey } = log;
  for await (const { entry } of log.entries({ to: 1 })) {
    return { origin, vkey, rootVkey: parseGenesis(parseEntry(entry)).rootKey };
  }
  return { origin, vkey, rootVkey: null };
}

/** Prints them: a line each, or JSON. */
export async function printPublicKeys(io: Io, keys: PublicKeys, json: boolean | undefined): Promise<void> {
  if (json === true) {
    await io.out.json(keys);
    return;
  }
  await io.out.line(show`log key   ${keys.vkey}`);
  await io.out.line(show`root key  ${keys.rootVkey ?? 'none'}`);
}
