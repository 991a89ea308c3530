// The counterpart of `context/storage-portable.ts`, chosen by the import condition `node` of `#context-storage`.

import { AsyncLocalStorage } from 'node:async_hooks';
import type { ContextStorage } from '../context/index.ts';

/** What carries a context through every `await`, timer and callback that begins within it. */
export function createContextStorage<T>(): ContextStorage<T> {
  return new AsyncLocalStorage<T>();
}
