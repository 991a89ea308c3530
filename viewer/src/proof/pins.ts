import { parseJson } from '../../../src/bytes/index.ts';
import type { SeenCheckpoint } from './model.ts';

/** How this browser came by the key of a log. */
export interface Pin {
  readonly vkey: string;
  /** `first-use`: from the server, when the log was first opened here. `given`: by somebody who had it elsewhere. */
  readonly origin: 'first-use' | 'given';
  readonly at: string;
}

/**
 * What this browser keeps of a log between visits: its key, and the last checkpoint. Never an event. Where storage is
 * refused (a private window), it lasts as long as the page.
 */
export class Pins {
  readonly #prefix: string;
  readonly #fallback = new Map<string, string>();

  /** `root` is the server's address: two servers may have a log of one name. */
  constructor(root: string) {
    this.#prefix = `indelible ${root}`;
  }

  pin(log: string): Pin | undefined {
    return this.#read(`${log} key`, isPin);
  }

  setPin(log: string, pin: Pin): void {
    this.#write(`${log} key`, pin);
  }

  seen(log: string): SeenCheckpoint | undefined {
    return this.#read(`${log} checkpoint`, isSeen);
  }

  /** Keeps the larger: another window may have come further. */
  setSeen(log: string, seen: SeenCheckpoint): void {
    if ((this.seen(log)?.size ?? 0) <= seen.size) this.#write(`${log} checkpoint`, seen);
  }

  /** Forgets the checkpoint, which belongs to a key that is no longer trusted. */
  forgetSeen(log: string): void {
    const name = `${this.#prefix} ${log} checkpoint`;
    this.#fallback.delete(name);
    try {
      localStorage.removeItem(name);
    } catch {
      // Nothing was kept there.
    }
  }

  #read<T>(name: string, isValid: (value: unknown) => value is T): T | undefined {
    const key = `${this.#prefix} ${name}`;
    let text = this.#fallback.get(key);
    try {
      text = localStorage.getItem(key) ?? text;
    } catch {
      // Storage is refused here.
    }
    if (text === undefined) return undefined;
    try {
      const value: unknown = parseJson(text);
      return isValid(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  #write(name: string, value: object): void {
    const key = `${this.#prefix} ${name}`;
    const text = JSON.stringify(value);
    this.#fallback.set(key, text);
    try {
      localStorage.setItem(key, text);
    } catch {
      // Full, or refused: it lasts as long as the page.
    }
  }
}

function isPin(value: unknown): value is Pin {
  const { vkey, origin, at } = (value ?? {}) as Partial<Pin>;
  return typeof vkey === 'string' && (origin === 'first-use' || origin === 'given') && typeof at === 'string';
}

function isSeen(value: unknown): value is SeenCheckpoint {
  const { size, root, at } = (value ?? {}) as Partial<SeenCheckpoint>;
  return Number.isSafeInteger(size) && typeof root === 'string' && typeof at === 'string';
}
