import { workerData } from 'node:worker_threads';
import { answerQuestions } from './asked-thread.ts';
import {
  type DisclosureReading,
  type DisclosuresOf,
  openDisclosures,
  type SealedFile,
} from './disclosure-reading.ts';

let open: ((files: readonly SealedFile[]) => DisclosuresOf) | undefined;

answerQuestions((files: readonly SealedFile[]): DisclosuresOf => {
  open ??= openDisclosures(workerData as DisclosureReading);
  return open(files);
});
