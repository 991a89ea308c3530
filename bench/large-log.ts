import { existsSync } from 'node:fs';
import { runInChild } from './run-child.ts';
import type { Task } from './scenario.ts';

/** Builds the large log in a process of its own, unless an earlier run kept one of this size. */
export async function ensureLargeLog(parent: string, task: Omit<Task, 'dir'>): Promise<void> {
  if (existsSync(task.log)) {
    console.log(`\nlarge log: taken from ${task.log}`);
    return;
  }
  console.log(`\nlarge log: recording ${task.size.toLocaleString('en-US')} events`);
  const figures = await runInChild({ module: 'scenarios/build.ts', parent, task });
  console.log(`  ${Math.round(figures['rate']!).toLocaleString('en-US')} events/s`);
}
