import { execFileSync } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { formatNumber, percentile } from './statistics.ts';

/** On what and with what the figures were measured, ready to print. */
export type Machine = Readonly<
  Record<'cpu' | 'load' | 'memory' | 'system' | 'disk' | 'sync' | 'node' | 'sqlite' | 'commit', string>
>;

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
  2035054128: 'overlayfs',
  26985: 'nfs',
  26: 'apfs',
};

/** Describes this machine and the disk below `dir`; takes a fifth of a second, mostly in `fdatasync`. */
export function describeMachine(dir: string, project: string): Machine {
  const processors = cpus();
  return {
    cpu: `${processors[0]?.model ?? 'unknown'}, ${processors.length} cores`,
    load: `${formatNumber(loadavg()[0] ?? 0)} processes running or waiting in the minute before`,
    memory: `${formatNumber(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()} ${process.arch}`,
    disk: `${fileSystemOf(dir)}${deviceOf(dir)}`,
    sync: measureSync(dir),
    node: process.version,
    sqlite: sqliteVersion(),
    commit: commitOf(project),
  };
}

/** The name of the file system that holds `dir`. */
export function fileSystemOf(dir: string): string {
  const number = statfsSync(dir).type;
  return FILE_SYSTEMS[number] ?? `file system 0x${number.toString(16)}`;
}

/** True where a sync costs nothing, because there is no disk: figures from there mean nothing for durable writes. */
export function isMemoryDisk(dir: string): boolean {
  return ['tmpfs', 'ramfs'].includes(fileSystemOf(dir));
}

/** 4 KiB appended and synced, 300 times: the price of any durable commit on this disk. */
function measureSync(dir: string): string {
  const path = join(dir, 'sync-probe');
  const file = openSync(path, 'w');
  const page = new Uint8Array(4096);
  const times = Array.from({ length: 300 }, () => {
    const begin = performance.now();
    writeSync(file, page);
    fdatasyncSync(file);
    return performance.now() - begin;
  });
  closeSync(file);
  rmSync(path);
  const [half, most] = [percentile(times, 0.5), percentile(times, 0.99)].map(formatNumber);
  return `fdatasync of 4 KiB: median ${half} ms, p99 ${most} ms`;
}

function deviceOf(dir: string): string {
  try {
    const line = output('df', ['-P', dir]).split('\n').at(-1);
    return ` on ${line?.split(/\s+/)[0]}`;
  } catch {
    return '';
  }
}

function sqliteVersion(): string {
  const database = new DatabaseSync(':memory:');
  const row = database.prepare('SELECT sqlite_version() AS version').get() as { version: string };
  database.close();
  return row.version;
}

/** The commit, marked where the working tree differs from it, so that no figure is credited to code that did not give it. */
function commitOf(project: string): string {
  try {
    const git = (...args: string[]) => output('git', ['-C', project, ...args]);
    const commit = git('rev-parse', '--short=12', 'HEAD');
    const changed = git('status', '--porcelain', '--', 'src', 'bench', 'package.json') !== '';
    return changed ? `${commit} and uncommitted changes` : commit;
  } catch {
    const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      version: string;
    };
    return `none (version ${version})`;
  }
}

/** What a command prints, without its complaints; throws where it fails or is absent. */
function output(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
