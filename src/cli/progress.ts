import type { Output } from './output.ts';
import { show } from './terminal.ts';

/** How often the line is drawn. */
const interval_ms = 100;
/** Work that ends sooner than this shows nothing. */
const patience_ms = 400;

/** A line on the terminal that says how far a long work is. Silent where stderr is no terminal. */
export class Progress {
  readonly #output: Output;
  readonly #label: string;
  readonly #began = performance.now();
  #drawn = 0;
  #visible = false;

  constructor(output: Output, label: string) {
    this.#output = output;
    this.#label = label;
  }

  /** Tells how much is done, of how much if that is known. Cheap: draws at most ten times a second. */
  at(done: number, total?: number): void {
    if (!this.#output.terminal) return;
    const now = performance.now();
    if (now - this.#began < patience_ms || now - this.#drawn < interval_ms) return;
    this.#drawn = now;
    this.#visible = true;
    const rate = Math.round((done * 1000) / (now - this.#began));
    const count = total === undefined ? group(done) : `${group(done)} of ${group(total)}`;
    const bar = total === undefined ? '' : `${drawBar(done, total)} `;
    this.#output.redraw(show`${this.#label} ${bar}${count} · ${group(rate)}/s`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#visible) this.#output.redraw(undefined);
    this.#visible = false;
  }
}

function drawBar(done: number, total: number): string {
  const width = 24;
  const full = total === 0 ? width : Math.min(width, Math.floor((done / total) * width));
  return '━'.repeat(full) + '─'.repeat(width - full);
}

/** A count with its thousands apart: 12,345. */
export function group(count: number): string {
  return count.toLocaleString('en-US');
}
