import { parentPort, workerData } from 'node:worker_threads';
import { type PlainError, plainError, randomBytes } from '../platform/index.ts';
import { SubjectKeys } from '../store/index.ts';
import { type SealRequest, sealBundle } from './sealing.ts';

/** What the thread that seals is started with; plain data. */
export interface SealerData {
  /** Where the keys of the subjects lie. */
  readonly subjectKeys: string;
}

/** What came of a bundle. */
export type SealAnswer = { readonly bytes: Uint8Array } | { readonly error: PlainError };

/** The entry of the thread: seals bundles in the order in which they are handed in. */
if (parentPort !== null) {
  const port = parentPort;
  const { subjectKeys } = workerData as SealerData;
  let keys: SubjectKeys | undefined;
  port.on('message', (request: SealRequest) => {
    try {
      keys ??= SubjectKeys.open(subjectKeys, randomBytes);
      const bytes = sealBundle(request, keys);
      port.postMessage({ bytes } satisfies SealAnswer, [bytes.buffer as ArrayBuffer]);
    } catch (error) {
      port.postMessage({ error: plainError(error) } satisfies SealAnswer);
    }
  });
}
