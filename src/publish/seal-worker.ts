import { workerData } from 'node:worker_threads';
import { randomBytes } from '../platform/index.ts';
import { SubjectKeys } from '../store/index.ts';
import { answerQuestions } from './asked-thread.ts';
import { type SealRequest, sealBundle } from './sealing.ts';

/** What the thread that seals is started with; plain data. */
export interface SealerData {
  /** Where the keys of the subjects lie. */
  readonly subjectKeys: string;
}

const { subjectKeys } = workerData as SealerData;
let keys: SubjectKeys | undefined;

answerQuestions(
  (request: SealRequest): Uint8Array => {
    keys ??= SubjectKeys.open(subjectKeys, randomBytes);
    return sealBundle(request, keys);
  },
  (bytes) => [bytes.buffer as ArrayBuffer],
);
