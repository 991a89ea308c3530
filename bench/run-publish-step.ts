import { fork } from 'node:child_process';
import type { PublishStep, PublishStepAnswer } from './publish-step.ts';

/** What a step took. */
export type PublishStepResult = Exclude<PublishStepAnswer, { readonly failure: string }>;

/** Runs one step in a new process. Rejects with what it threw. */
export function runPublishStep(step: PublishStep): Promise<PublishStepResult> {
  const child = fork(new URL('./publish-step.ts', import.meta.url), { execArgv: [] });
  return new Promise((resolve, reject) => {
    let answer: PublishStepAnswer | undefined;
    child.once('message', (message) => {
      answer = message as PublishStepAnswer;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer === undefined) reject(new Error(`${step.step} ended without an answer (${signal ?? code})`));
      else if ('failure' in answer) reject(new Error(`${step.step}: ${answer.failure}`));
      else resolve(answer);
    });
    child.send(step);
  });
}
