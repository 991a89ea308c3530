import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** The built program, as npm would link it. */
export const program = join(import.meta.dirname, '../../dist/cli/main.js');

/** What a command left behind. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end in a process of its own, with nobody at the terminal. */
export function indelible(
  words: readonly string[],
  options: { input?: string | Uint8Array; cwd?: string; node?: readonly string[] } = {},
): Ended {
  const { NO_COLOR: _, FORCE_COLOR: __, NODE_OPTIONS: ___, ...env } = process.env;
  const run = spawnSync(process.execPath, [...(options.node ?? []), program, ...words], {
    input: options.input ?? '',
    cwd: options.cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (run.error !== undefined) throw run.error;
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

/** The same without waiting for it here, so that several can run at once. */
export async function started(words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = { status: null as number | null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  ended.status = await new Promise((resolve) => child.on('close', resolve));
  return ended;
}

/** The same with an environment and an input, for commands that talk to something that runs in this process. */
export async function startedWith(
  words: readonly string[],
  { env, input = '' }: { readonly env?: Readonly<Record<string, string>>; readonly input?: string },
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const ended = { status: null as number | null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  ended.status = await new Promise((resolve) => child.on('close', resolve));
  return ended;
}

/** What receipts and events have in common, as far as tests look. */
export interface JsonLine {
  readonly id: string;
  readonly index: number;
  readonly action: string;
  leafHash: string;
  readonly checkpoint: string;
}

/** The values of JSON lines: receipts or events. */
export function jsonLines(text: string): JsonLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
