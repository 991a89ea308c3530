// What every runtime with fetch gives: clocks, randomness, pauses. The one file of the room that asks for the time.

/** Milliseconds since the epoch, by this machine's clock. */
export function wallMs(): number {
  return Date.now();
}

/** A time as events bear it: RFC 3339, UTC, milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Between 0 and 1; spreads the retries of many clients, and protects nothing. */
export function jitter(): number {
  return Math.random();
}

/** A UUID version 7 (RFC 9562, section 5.7): 48 bits of `ms`, 74 random bits. */
export function uuidv7(ms: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = ms;
  for (let position = 5; position >= 0; position -= 1) {
    bytes[position] = time % 256;
    time = Math.floor(time / 256);
  }
  bytes[6] = 0x70 + (bytes[6]! % 16);
  bytes[8] = 0x80 + (bytes[8]! % 64);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Lets everything else that waits in this process have its turn. */
export function breath(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

/** Waits; ends early, and quietly, when the signal fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return wait(ms, signal, () => {});
}

/** As `pause`, and keeps no process alive by itself, where the runtime makes that difference. */
export function restfulPause(ms: number, signal: AbortSignal): Promise<void> {
  return wait(ms, signal, rest);
}

function wait(ms: number, signal: AbortSignal, made: (timer: unknown) => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    made(timer);
    signal.addEventListener('abort', done);
  });
}

/** Calls `work` again and again. Where the runtime tells timers apart that keep a process alive, this one does not. */
export function every(ms: number, work: () => void): () => void {
  const timer: unknown = setInterval(work, ms);
  rest(timer);
  return () => clearInterval(timer as number);
}

function rest(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) (timer as { unref(): void }).unref();
}
