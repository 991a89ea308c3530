/** What carries a value across `await`: the part of `AsyncLocalStorage` that is used here. */
export interface ContextStorage<T> {
  getStore(): T | undefined;
  run<R>(store: T, work: () => R): R;
}
