// A real S3 server for tests: Ceph's RADOS gateway over one monitor and one object store in memory, in a folder that goes away.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where an S3 server is, and who may ask it. */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  stop(): Promise<void>;
}

/** How long the gateway may take to answer, milliseconds: it takes a quarter of a minute on an idle machine. */
const START_MS_MAX = 180_000;

const programs = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];

/** Why there is no real server here; false where there can be one. */
export function whyNoCeph(): string | false {
  if (process.env['INDELIBLE_TEST_S3'] !== undefined) return false;
  const missing = programs.filter((name) => !existsSync(`/usr/bin/${name}`));
  return missing.length === 0
    ? false
    : `no S3 server: ${missing.join(', ')} not installed (npm run test:s3 installs them as root)`;
}

/** The server that `INDELIBLE_TEST_S3` names, with the credentials of the AWS variables beside it, or one of our own. */
export async function startS3(): Promise<S3Server> {
  const { INDELIBLE_TEST_S3: endpoint, AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = process.env;
  if (endpoint === undefined) return startCeph();
  return { endpoint, accessKeyId: id ?? '', secretAccessKey: secret ?? '', stop: async () => {} };
}

async function startCeph(): Promise<S3Server> {
  const dir = mkdtempSync(join(tmpdir(), 'indelible-ceph-'));
  const children: ChildProcess[] = [];
  const [v1, v2, port] = [await freePort(), await freePort(), await freePort()];
  const conf = join(dir, 'ceph.conf');
  const run = (name: string, ...words: string[]): string =>
    execFileSync(name, ['-c', conf, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
    });
  const start = (name: string, ...words: string[]): void => {
    children.push(spawn(name, ['-c', conf, '-f', ...words], { stdio: 'ignore' }));
  };
  const stop = async (): Promise<void> => {
    const ended = children.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
    await Promise.race([Promise.all(ended), sleep(5_000)]);
    rmSync(dir, { recursive: true, force: true });
  };
  const [cluster, disk] = [randomUUID(), randomUUID()];
  const monitor = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  try {
    for (const name of ['mon', 'osd', 'rgw']) mkdirSync(join(dir, name));
    writeFileSync(conf, configuration({ dir, cluster, monitor, port }));
    execFileSync('monmaptool', ['--create', '--fsid', cluster, '--addv', 'a', monitor, join(dir, 'monmap')], {
      stdio: 'ignore',
    });
    run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', join(dir, 'monmap'));
    start('ceph-mon', '-i', 'a');
    run('ceph', '--connect-timeout', '60', 'osd', 'new', disk, '0');
    run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', disk);
    start('ceph-osd', '-i', '0');
    start('radosgw', '-n', 'client.rgw', '--ms_mon_client_mode=crc');
    const endpoint = `http://127.0.0.1:${port}`;
    await answers(endpoint);
    const [accessKeyId, secretAccessKey] = ['indelible', 'indelible-test'];
    const user = [
      'user',
      'create',
      '--uid=t',
      '--display-name=t',
      `--access-key=${accessKeyId}`,
      `--secret-key=${secretAccessKey}`,
    ];
    run('radosgw-admin', '--ms_mon_client_mode=crc', ...user);
    return { endpoint, accessKeyId, secretAccessKey, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Places {
  readonly dir: string;
  readonly cluster: string;
  readonly monitor: string;
  readonly port: number;
}

function configuration({ dir, cluster, monitor, port }: Places): string {
  return `[global]
fsid = ${cluster}
mon host = ${monitor}
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 536870912
run dir = ${dir}
log file = ${dir}/$name.log
admin socket = ${dir}/$name.asok
pid file = ${dir}/$name.pid
[mon]
mon data = ${dir}/mon
[osd]
osd data = ${dir}/osd
[client.rgw]
rgw data = ${dir}/rgw
rgw frontends = beast endpoint=127.0.0.1:${port}
`;
}

async function answers(endpoint: string): Promise<void> {
  for (const end = performance.now() + START_MS_MAX; performance.now() < end; await sleep(250)) {
    const answer = await fetch(endpoint).catch(() => undefined);
    if (answer !== undefined && answer.status < 500) return;
  }
  throw new Error(`the gateway did not answer within ${START_MS_MAX} ms`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
