/**
 * The process in which one run of one scenario happens: takes `{ module, task }` as its only message, answers with the figures
 * and ends by itself, so that V8 writes its profiles if it was asked for any.
 */
import type { Figures, Scenario, Task } from './scenario.ts';

/** What the parent sends. */
export interface Job {
  readonly module: string;
  readonly task: Task;
}

/** What the parent hears: figures, or why there are none. */
export type Answer = { readonly figures: Figures } | { readonly failure: string };

process.once('message', async (job: Job) => {
  let answer: Answer;
  try {
    const scenario = (await import(new URL(job.module, import.meta.url).href)) as Scenario;
    answer = { figures: await scenario.run(job.task) };
  } catch (error) {
    answer = { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send!(answer, () => process.disconnect());
});
