import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { KeptReceipt } from './invariants.ts';

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said on its standard error. */
  readonly complaint: string;
}

/** A process of a test, which ends with the test at the latest. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ending>;
  #complaint = '';

  constructor(t: Pick<TestContext, 'after'>, command: readonly string[], options: { ipc?: boolean } = {}) {
    const [program, ...args] = command;
    this.process = spawn(program!, args, {
      // A group of its own, so that what it started (a traced program) goes with it.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint += text;
    });
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code, signal) => resolve({ code, signal, complaint: this.#complaint }));
    });
    t.after(() => this.#end());
  }

  /** Kills it, as the kernel would, and waits until it is gone. */
  async kill(): Promise<Ending> {
    this.#end();
    return this.ended;
  }

  #end(): void {
    const { pid, exitCode, signalCode } = this.process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      // It ended by itself at this very moment.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** The command line of one of the programs beside this file, told what to do in one JSON value. */
export function programOf(name: string, orders: object): string[] {
  return [process.execPath, join(import.meta.dirname, name), JSON.stringify(orders)];
}

/** The receipts in a file; a last line that was cut short by a kill was not acknowledged. */
export function keptReceipts(path: string): KeptReceipt[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as KeptReceipt);
}

/** Waits until something holds, or fails with what it waited for. */
export async function until(what: string, holds: () => boolean, patienceMs = 30_000): Promise<void> {
  const started = performance.now();
  while (!holds()) {
    if (performance.now() - started > patienceMs)
      throw new Error(`waited ${patienceMs} ms, in vain: ${what}`);
    await pause(5);
  }
}

/** Ends this process when its parent is gone: a test that was killed leaves nobody who records for ever. */
export function endWithParent(): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, 1000).unref();
}

/** Waits for `ms` milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
