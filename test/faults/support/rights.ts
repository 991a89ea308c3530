// What this machine lets a fault test do. Each answer is the reason to skip, in words, or false.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** Why no file system can be mounted here, or false. */
export const mountingRefused: string | false = refusal();

function refusal(): string | false {
  if (process.platform !== 'linux') return 'mounting a file system of its own needs Linux';
  if (process.getuid?.() !== 0) return 'mounting a file system of its own needs root';
  // Being root is not enough within a container: the namespace may refuse it.
  const tried = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], {
    encoding: 'utf8',
  });
  if (tried.error !== undefined) return 'mounting cannot be tried: the Debian package util-linux is missing';
  return tried.status === 0 ? false : `this machine refuses to mount: ${tried.stderr.trim()}`;
}

/** Why a program cannot be used here, or false; `debianPackage` brings it. */
export function toolMissing(program: string, debianPackage: string): string | false {
  const found = spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: toolPath } });
  return found.status === 0 ? false : `${program} is missing (Debian package ${debianPackage})`;
}

/** Where mkfs and losetup lie as well. */
export const toolPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Runs a program to its end and returns what it printed. Throws, with what it complained about, where it fails. */
export function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: toolPath },
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Mounts a memory file system of `kib` KiB in a folder of its own until the test ends, and returns where. */
export function mountSmall(t: Pick<TestContext, 'after'>, kib: number): string {
  const path = mkdtempSync(join(tmpdir(), 'indelible-disk-'));
  run('mount', '-t', 'tmpfs', '-o', `size=${kib}k`, 'indelible-test', path);
  t.after(() => {
    // Lazily, so that a test that failed with open files leaves no mount behind.
    run('umount', '-l', path);
    rmdirSync(path);
  });
  return path;
}
