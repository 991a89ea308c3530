import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDecimal, parseJson } from '../bytes/index.ts';
import type { Handler, Listening, listen } from '../http/index.ts';
import { readTextFile } from '../platform/index.ts';
import { dataOption } from './api-key.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { kmsClient } from './key-spec.ts';
import { parseTime } from './options.ts';
import { serverRoom } from './server-room.ts';
import { addSignInOptions, oidcOf, type SignInFlags, signInHelp } from './sign-in-options.ts';
import { show } from './terminal.ts';

interface ServeOptions extends SignInFlags {
  readonly data: string;
  readonly port: number;
  readonly host: string;
  readonly behindProxy?: true | string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly publicUrl?: string;
  readonly metricsPort?: number;
  readonly eraseDelay?: number;
  readonly sentences?: string;
  readonly kms?: string;
}

/** Bytes of a file of sentences. */
const SENTENCES_BYTES_MAX = 1024 * 1024;

const help = `
Example:
  indelible serve --data data/server
  indelible serve --data data/server --host 0.0.0.0 --tls-cert server.crt --tls-key server.key
  indelible serve --data data/server --host 0.0.0.0 --behind-proxy 10.0.0.0/8 --public-url https://audit.example.com

  On a new data directory it makes a log named main and an API key, which it prints this once.
  Stop it with Ctrl-C or SIGTERM: what is under way is finished first.

  A log has log.key in its folder, or NAME.kms.json beside the folder: a key that AWS KMS unwraps whenever the log is opened. With
  --kms, logs that are new get such a key. Region, credentials and endpoint are those of the AWS tools.
`;

const PORT_DEFAULT = 4040;

/** `serve --data DIR`: the server. */
export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .description('serve logs, their API and the viewer over HTTP')
    .addOption(dataOption())
    .addOption(new Option('--port <port>', 'port, 0 for any').argParser(parsePort).default(PORT_DEFAULT))
    .option(
      '--host <address>',
      'address to listen on; beyond loopback only with TLS or --behind-proxy',
      '127.0.0.1',
    )
    .option(
      '--behind-proxy [addresses]',
      'a proxy in front speaks TLS; its addresses, whose X-Forwarded-For is believed',
    )
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'private key, PEM')
    .option('--sentences <file>', 'JSON: what happened, in words, by action; the viewer shows it')
    .option('--kms <id>', 'wrap the keys of new logs by this key of AWS KMS: its id, ARN or alias')
    .option('--public-url <url>', 'where others reach this server, as https://audit.example.com')
    .addOption(
      new Option(
        '--metrics-port <port>',
        'serve /metrics on a port of 127.0.0.1 of its own, without a key',
      ).argParser(parsePort),
    )
    .addOption(
      new Option(
        '--erase-delay <time>',
        'how long an approved erasure waits, as 72h, 3d or 30m (default: 72h)',
      ).argParser(parseTime),
    );
  return addSignInOptions(command)
    .addHelpText('after', help + signInHelp)
    .action((options: ServeOptions) => serve(io, options));
}

/** Reads a port. */
export function parsePort(text: string): number {
  let port: number;
  try {
    port = parseDecimal(text);
  } catch {
    throw new InvalidArgumentError('It is not a port.');
  }
  if (port > 65_535) throw new InvalidArgumentError('It is not a port.');
  return port;
}

/** Checked by the handler, as everything that it is given. */
function sentencesIn(file: string): Readonly<Record<string, string>> {
  return parseJson(readTextFile(file, SENTENCES_BYTES_MAX)) as Readonly<Record<string, string>>;
}

async function serve(io: Io, options: ServeOptions): Promise<void> {
  const { data, behindProxy, publicUrl } = options;
  const { createHandler, listen, operatorLogger } = await serverRoom();
  const logger = operatorLogger({ write: (line: string) => void process.stderr.write(line) });
  const oidc = oidcOf(options);
  let kms: ReturnType<typeof kmsClient> | undefined;
  if (
    oidc !== undefined &&
    publicUrl === undefined &&
    (behindProxy !== undefined || options.tlsCert !== undefined)
  ) {
    throw new UsageError('--oidc-issuer needs --public-url, the address that people come back to');
  }
  const handler = createHandler({
    data,
    logger,
    ...(oidc === undefined ? {} : { oidc }),
    ...(publicUrl === undefined ? {} : { publicUrl }),
    kms: {
      client: () => (kms ??= kmsClient()),
      ...(options.kms === undefined ? {} : { keyId: options.kms }),
    },
    ...(options.eraseDelay === undefined ? {} : { erasureDelayMs: options.eraseDelay }),
    ...(options.sentences === undefined ? {} : { sentences: sentencesIn(options.sentences) }),
    ...(typeof behindProxy === 'string' ? { trustedProxies: behindProxy.split(',') } : {}),
  });
  const listening: Listening[] = [];
  try {
    const tls = tlsOf(options);
    // Before anybody can ask: who finds the server ready finds its first log and key.
    const key = await prepare(handler);
    const server = await listenOrShow(io, key, handler, {
      port: options.port,
      host: options.host,
      isBehindProxy: behindProxy !== undefined,
      ...(tls === undefined ? {} : { tls }),
    });
    listening.push(server);
    const url = publicUrl ?? server.url;
    await welcome(io, { handler, data, url, key });
    if (options.metricsPort !== undefined) {
      const metrics = await listen(handler.metrics, { port: options.metricsPort, host: '127.0.0.1' });
      listening.push(metrics);
      await io.out.line(show`Metrics:                          ${metrics.url}/metrics`);
    }
    handler.startAudits();
    // Whoever starts it again learns what landed; a writer that does not know must not go on.
    const failure = await Promise.race([stopSignal(), handler.failure]);
    if (failure !== undefined) throw failure;
  } finally {
    await Promise.all([...listening.map((one) => one.close()), handler.close()]);
  }
}

/** The certificate and the key that the options name. */
export function tlsOf({
  tlsCert,
  tlsKey,
}: Pick<ServeOptions, 'tlsCert' | 'tlsKey'>): { cert: string; key: string } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError('--tls-cert and --tls-key go together');
  }
  return { cert: readFileSync(tlsCert, 'utf8'), key: readFileSync(tlsKey, 'utf8') };
}

/** Listens; where that fails, the first key is shown all the same, since nobody could ever see it again. */
async function listenOrShow(
  io: Io,
  key: string | undefined,
  ...listening: Parameters<typeof listen>
): Promise<Listening> {
  try {
    const server = await serverRoom();
    return await server.listen(...listening);
  } catch (error) {
    if (key !== undefined) await io.out.line(show`Key (write read audit admin):     ${key}`);
    throw error;
  }
}

/** On a new data directory: a first log, and a key that may do everything with it. */
async function prepare({ desk }: Handler): Promise<string | undefined> {
  if (!desk.isNew) return undefined;
  await desk.ensureLog('main');
  const { key } = await desk.createKey({ name: 'first key', scopes: ['write', 'read', 'audit', 'admin'] });
  return key;
}

interface Welcome {
  readonly handler: Handler;
  readonly data: string;
  readonly url: string;
  readonly key: string | undefined;
}

/** What a person needs to begin: the address, a way into the viewer, a key, and a command to try it with. */
async function welcome(io: Io, { handler, data, url, key }: Welcome): Promise<void> {
  const { desk } = handler;
  const address = new URL(url).origin;
  const { paint } = io.out;
  await io.out.line(show`Serving ${data} at ${paint('bold', address)}`);
  await io.out.line(show``);
  await io.out.line(
    show`Viewer, once, within 15 minutes:  ${desk.createLink(address, ['read', 'audit', 'admin'])}`,
  );
  if (key === undefined) {
    await io.out.line(
      show`Another key:                      indelible api-key create --data ${data} --name NAME --scopes write,read`,
    );
    return;
  }
  await io.out.line(show`Key (write read audit admin):     ${key}`);
  await io.out.line(
    show`  It is shown this once. Another: indelible api-key create --data ${data} --name NAME --scopes write,read`,
  );
  await io.out.line(show``);
  await io.out.line(show`Record an event:`);
  await io.out.line(show`  curl ${address}/v1/logs/main/events -H 'authorization: Bearer ${key}' \\`);
  await io.out.line(show`    -H 'content-type: application/json' \\`);
  await io.out.line(show`    -d '{"action":"user.signed_in","actor":{"type":"user","id":"u_42"}}'`);
}

const signals = ['SIGINT', 'SIGTERM'] as const;

/** Resolves when somebody asks the process to end. A second time, it ends at once. */
export function stopSignal(): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => {
    for (const signal of signals) process.off(signal, stop);
    resolve(undefined);
  };
  for (const signal of signals) process.once(signal, stop);
  return promise;
}
