import { type Painter, painter, type Shown, safeJson } from './terminal.ts';

/** The reader of our output went away, as `head` does when it has seen enough. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

/**
 * One output stream with back pressure. Nothing but {@link Shown} text, JSON made by {@link safeJson} and CSV reaches
 * it, so nothing that a log holds can steer the terminal.
 */
export class Output {
  readonly #stream: NodeJS.WriteStream;
  readonly paint: Painter;
  /** Why nothing can be written any more: the reader went away, or the disk is full. */
  #failure: Error | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.paint = painter(stream);
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED';
      this.#failure ??= gone ? new ReaderGone('the reader of the output went away', { cause: error }) : error;
    });
  }

  /** Whether a person is looking. */
  get terminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Columns of the terminal; 0 where there is none, which means: cut nothing. */
  get columns(): number {
    return this.terminal ? (this.#stream.columns ?? 80) : 0;
  }

  /** One line. */
  async line(line: Shown): Promise<void> {
    await this.write(`${line.text}\n`);
  }

  /** Several lines. */
  async lines(lines: readonly Shown[]): Promise<void> {
    if (lines.length > 0) await this.write(`${lines.map((line) => line.text).join('\n')}\n`);
  }

  /** One value as one line of JSON. */
  async json(value: unknown): Promise<void> {
    await this.write(`${safeJson(value)}\n`);
  }

  /** Text that is safe already. Resolves when the stream takes more; throws {@link ReaderGone} when nobody reads, or why it cannot write. */
  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stream.write(text)) return;
    await this.#room();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stream.destroyed) throw new ReaderGone('the output was closed');
  }

  /** Resolves when the stream takes more, or never will. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done).off('close', done);
        resolve();
      };
      this.#stream.once('drain', done).once('close', done);
    });
  }

  /** Overwrites the current line of a terminal, for progress. `''` clears it. */
  redraw(line: Shown | undefined): void {
    if (this.terminal && this.#failure === undefined) this.#stream.write(`\r\u001b[2K${line?.text ?? ''}`);
  }

  /** Resolves when everything written has left this process; throws why it could not. */
  async flush(): Promise<void> {
    if (this.#failure === undefined && !this.#stream.destroyed) {
      await new Promise<void>((resolve) => {
        this.#stream.write('', () => resolve());
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
