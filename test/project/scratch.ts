// Temporary folders, fenced examples and child processes for the package and docs tests.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { projectRoot } from './source-tree.ts';

/** One fenced block of a Markdown file. */
export interface Fence {
  /** The file's path from the project's root. */
  readonly file: string;
  /** The line of the opening fence, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly code: string;
}

/** Every fenced block of one Markdown file, in order. */
export function fencesOf(file: string): Fence[] {
  const lines = readFileSync(path.join(projectRoot, file), 'utf8').split('\n');
  const fences: Fence[] = [];
  for (let at = 0; at < lines.length; at++) {
    const language = /^```(\S*)/.exec(lines[at] ?? '')?.[1];
    if (language !== undefined) {
      const end = lines.indexOf('```', at + 1);
      if (end < 0) {
        throw new Error(`${file}:${at + 1} opens a fenced block that nothing closes`);
      }
      fences.push({ file, line: at + 1, language, code: `${lines.slice(at + 1, end).join('\n')}\n` });
      at = end;
    }
  }
  return fences;
}

/** A temporary folder that goes away with the test. */
export function scratchFolder(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'indelible-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What a child process left behind. */
export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end in a folder; its output is returned, never printed. */
export function run(
  command: string,
  args: readonly string[],
  folder: string,
  env: NodeJS.ProcessEnv = {},
): Ran {
  const result = spawnSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', ...env },
    timeout: 120_000,
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (result.error !== undefined) {
    throw result.error;
  }
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}
