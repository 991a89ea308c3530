import { misuse } from '../bytes/index.ts';
import type { ContextStorage } from './storage.ts';

/** What carries a context where the runtime has nothing that does: nothing. The counterpart is `platform/context-storage.ts`. */
export function createContextStorage<T>(): ContextStorage<T> {
  return {
    getStore: () => undefined,
    run: () => {
      throw misuse(
        'type',
        'context_unavailable',
        'this runtime cannot carry a context across await: name the actor in each event',
      );
    },
  };
}
