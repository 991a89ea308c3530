import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer, Job } from './child.ts';
import type { Figures, Task } from './scenario.ts';

/** What a run in a process of its own needs beside the scenario's task. */
export interface RunOptions {
  readonly module: string;
  /** The run's empty folder is made in here and removed after it. */
  readonly parent: string;
  readonly task: Omit<Task, 'dir'>;
  /** Where V8 leaves one `.cpuprofile` for each thread; `undefined` for an undisturbed run. */
  readonly profiles?: string;
}

/** Runs one scenario once in a new process and resolves to its figures; rejects with the scenario's own stack. */
export async function runInChild({ module, parent, task, profiles }: RunOptions): Promise<Figures> {
  const dir = mkdtempSync(join(parent, 'run-'));
  const flags = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  try {
    return await exchange({ module, task: { ...task, dir } }, flags);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function exchange(job: Job, flags: readonly string[]): Promise<Figures> {
  const child = fork(new URL('./child.ts', import.meta.url), {
    execArgv: [...flags],
    serialization: 'advanced',
  });
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    child.once('message', (message) => {
      answer = message as Answer;
    });
    child.once('error', reject);
    // Only after the exit, so that the next run has both cores for itself and profiles are on the disk.
    child.once('exit', (code, signal) => {
      if (answer === undefined)
        reject(new Error(`${job.module} ended without an answer (${signal ?? code})`));
      else if ('failure' in answer) reject(new Error(`${job.module}: ${answer.failure}`));
      else resolve(answer.figures);
    });
    child.send(job);
  });
}
