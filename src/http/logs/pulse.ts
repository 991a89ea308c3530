/** Tells those who wait for a log that something was recorded in it. */
export class Pulse {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Something was recorded. */
  beat(log: string): void {
    const waiting = this.#waiting.get(log);
    this.#waiting.delete(log);
    for (const resolve of waiting ?? []) resolve();
  }

  /** Resolves with the next beat, after `ms`, or when the signal fires. */
  async next(log: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(log) ?? new Set();
    this.#waiting.set(log, waiting.add(resolve));
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
  }
}
