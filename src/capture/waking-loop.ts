/** Pauses after an attempt that failed, milliseconds: each twice the one before. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 10_000;

/**
 * Work that is done when there is some, and again after a growing pause while it fails. It runs in the surroundings in which the
 * loop was made, not in those of whoever wakes it: work that was left behind by one request is not done in the name of another.
 */
export class WakingLoop {
  readonly #work: () => Promise<boolean>;
  readonly #running: Promise<void>;
  #isStopped = false;
  #isWoken = false;
  #wake = (): void => {};

  /** `work` resolves to whether it is done; it never rejects. */
  constructor(work: () => Promise<boolean>) {
    this.#work = work;
    this.#running = this.#run();
  }

  /** There is work. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  /** Begins nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = PAUSE_MS_MIN;
    while (!this.#isStopped) {
      if (!this.#isWoken) await this.#sleep(undefined);
      if (this.#isStopped) return;
      this.#isWoken = false;
      if (await this.#work()) {
        pauseMs = PAUSE_MS_MIN;
        continue;
      }
      // Stopped while it worked, nobody would end the pause.
      if (this.#isStopped) return;
      await this.#sleep(pauseMs, () => this.#isStopped);
      this.#isWoken = true;
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
  }

  /** Until it is woken, or so long; a pause after a failure ends early only when `mayWake` says so. Keeps no process alive. */
  #sleep(ms: number | undefined, mayWake: () => boolean = () => true): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms).unref();
      this.#wake = () => {
        if (!mayWake()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
