import { Command, Option } from 'commander';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { readTextFile, systemClock } from '../platform/index.ts';
import {
  createWitness,
  createWitnessHandler,
  type NamedKey,
  openWitness,
  readLogList,
  Witness,
  watchedLogs,
} from '../witness/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { parsePort, stopSignal, tlsOf } from './serve.ts';
import { serverRoom } from './server-room.ts';
import { show } from './terminal.ts';

const PORT_DEFAULT = 4041;

/** Where a witness lives: `--data DIR`. */
export function dataOption(): Option {
  return new Option('--data <dir>', 'folder of the witness').makeOptionMandatory();
}

const initHelp = `
Example:
  indelible witness init --data witness --name witness.example

  Prints the verifier key, which logs put into their policies. The database remembers what was cosigned: a witness that
  lost it must never sign again, so that this command refuses a folder that holds any part of one.
`;

/** `witness init --data DIR --name NAME`. */
export function witnessInitCommand(io: Io): Command {
  return new Command('init')
    .description('make the keys and the database of a witness')
    .addOption(dataOption())
    .requiredOption('--name <name>', 'its name for ever: schema-less URL style, as witness.example')
    .option('--mldsa', 'give it an ML-DSA-44 key, too, which signs beside the Ed25519 key')
    .addHelpText('after', initHelp)
    .action(async ({ data, name, mldsa }: { data: string; name: string; mldsa?: true }) => {
      for (const vkey of createWitness(data, { name, mldsa: mldsa === true }))
        await io.out.line(show`${vkey}`);
    });
}

interface ServeOptions {
  readonly data: string;
  readonly vkey: readonly string[];
  readonly origin: readonly string[];
  readonly logs?: string;
  readonly port: number;
  readonly host: string;
  readonly behindProxy?: true;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

const serveHelp = `
Example:
  indelible witness serve --data witness --vkey "$(cat log.vkey)"
  indelible witness serve --data witness --logs logs.txt --host 0.0.0.0 --tls-cert server.crt --tls-key server.key

  Each --origin belongs to the --vkey in the same place; without one, the origin is the key's name.
  --logs takes a policy, of which the log lines count, or a list that begins with logs/v0.
  Stop it with Ctrl-C or SIGTERM.
`;

/** `witness serve --data DIR --vkey KEY`. */
export function witnessServeCommand(io: Io): Command {
  const append = (text: string, before: readonly string[]): string[] => [...before, text];
  return new Command('serve')
    .description('be a witness: cosign checkpoints over HTTP')
    .addOption(dataOption())
    .addOption(
      new Option('--vkey <key>', 'verifier key of a log to watch; may be given often')
        .argParser(append)
        .default([]),
    )
    .addOption(
      new Option('--origin <origin>', "origin of that log (default: the key's name)")
        .argParser(append)
        .default([]),
    )
    .option('--logs <file>', 'file that lists logs to watch')
    .addOption(new Option('--port <port>', 'port, 0 for any').argParser(parsePort).default(PORT_DEFAULT))
    .option(
      '--host <address>',
      'address to listen on; beyond loopback only with TLS or --behind-proxy',
      '127.0.0.1',
    )
    .option('--behind-proxy', 'a proxy in front speaks TLS')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'private key, PEM')
    .addHelpText('after', serveHelp)
    .action((options: ServeOptions) => serve(io, options));
}

async function serve(io: Io, options: ServeOptions): Promise<void> {
  const logs = watchedLogs([...namedKeys(options), ...listed(options.logs)]);
  const tls = tlsOf(options);
  const { store, cosigners } = openWitness(options.data);
  try {
    const { listen, operatorLogger } = await serverRoom();
    const logger = operatorLogger({ write: (line: string) => void process.stderr.write(line) });
    const witness = new Witness({ store, cosigners, logs, now: systemClock.wall });
    const server = await listen(createWitnessHandler(witness, logger), {
      port: options.port,
      host: options.host,
      isBehindProxy: options.behindProxy === true,
      ...(tls === undefined ? {} : { tls }),
    });
    try {
      await io.out.line(show`Witness at ${io.out.paint('bold', server.url)}`);
      for (const { key } of cosigners) await io.out.line(show`Key: ${key.text}`);
      for (const { origin } of logs) await io.out.line(show`Log: ${origin}`);
      await stopSignal();
    } finally {
      await server.close();
    }
  } finally {
    store.close();
  }
}

function namedKeys({ vkey, origin }: ServeOptions): NamedKey[] {
  if (origin.length > vkey.length) throw new UsageError('each --origin needs a --vkey');
  return vkey.map((text, at) => ({
    vkey: text,
    ...(origin[at] === undefined ? {} : { origin: origin[at] }),
  }));
}

function listed(file: string | undefined): NamedKey[] {
  return file === undefined ? [] : readLogList(readTextFile(file, NOTE_BYTES_MAX));
}
