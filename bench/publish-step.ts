/**
 * One step of a published log's life in a process of its own, so that its memory is its own: takes a {@link PublishStep} as its only message,
 * answers with how long it took and the most memory that it had, and ends.
 */
import { openLog } from 'indelible';
import { publishLog, restoreLog, verifyPublished } from 'indelible/publish';

/** What is to be done. */
export interface PublishStep {
  readonly step: 'publish' | 'tree' | 'full' | 'restore';
  /** The folder of the log. */
  readonly log: string;
  /** The URL of what is published, and the folder to restore into. */
  readonly url: string;
  readonly to: string;
  /** Where the keys of subjects lie, or come to lie; sealed values are left out without. */
  readonly subjectKeys?: string;
}

/** What came of it. */
export type PublishStepAnswer =
  | { readonly size: number; readonly root: string; readonly ms: number; readonly peakRssMb: number }
  | { readonly failure: string };

/** Threads that verify. */
const THREADS = 2;

async function run({ step, log: dir, url, to, subjectKeys }: PublishStep) {
  const keys = subjectKeys === undefined ? {} : { subjectKeys };
  if (step === 'restore') return restoreLog({ from: url, to, ...keys });
  if (step !== 'publish') {
    const report = await verifyPublished(url, { depth: step, threads: THREADS, ...keys });
    if (!report.ok) throw new Error(`it does not verify: ${JSON.stringify(report.findings[0])}`);
    return { size: report.size, root: report.root! };
  }
  await using log = await openLog(dir, { readOnly: true });
  return await publishLog(log, { to: url, disclosures: subjectKeys !== undefined, ...keys });
}

process.once('message', async (asked: PublishStep) => {
  let answer: PublishStepAnswer;
  try {
    const begin = performance.now();
    const { size, root } = await run(asked);
    const ms = performance.now() - begin;
    answer = { size, root, ms, peakRssMb: process.resourceUsage().maxRSS / 1024 };
  } catch (error) {
    answer = { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send!(answer, () => process.disconnect());
});
