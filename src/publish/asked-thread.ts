import { parentPort, type TransferListItem, Worker } from 'node:worker_threads';
import { type PlainError, plainError, reviveError } from '../platform/index.ts';
import { LogError } from '../store/index.ts';

/** What a thread is, and what it may take. */
export interface AskedThreadOptions {
  /** Its `workerData`; plain. */
  readonly data: unknown;
  /** What it does, in words. */
  readonly what: string;
  /** Megabytes of short-lived objects. Where nothing is said, there come to lie as many as a hundred, which makes nothing faster. */
  readonly youngMbMax: number;
}

type Reply<Answer> = { readonly answer: Answer } | { readonly error: PlainError };

/** A thread that answers questions, in their order. It keeps the process alive only while an answer is due. */
export class AskedThread<Question, Answer> {
  readonly #worker: Worker;
  readonly #what: string;
  readonly #waiting: PromiseWithResolvers<Answer>[] = [];
  #gone: LogError | undefined;

  /** `module` calls {@link answerQuestions}. */
  constructor(module: URL, { data, what, youngMbMax }: AskedThreadOptions) {
    this.#what = what;
    this.#worker = new Worker(module, {
      workerData: data,
      resourceLimits: { maxYoungGenerationSizeMb: youngMbMax },
    });
    this.#worker.on('message', (reply: Reply<Answer>) => {
      const { resolve, reject } = this.#waiting.shift()!;
      if (this.#waiting.length === 0) this.#worker.unref();
      if ('answer' in reply) resolve(reply.answer);
      else reject(reviveError(reply.error));
    });
    this.#worker.on('error', (cause) => this.#lost(cause));
    this.#worker.on('exit', () => this.#lost(undefined));
    this.#worker.unref();
  }

  /** Rejects with what answering it threw, or with `LogError` `worker_failed` where the thread is gone. */
  ask(question: Question): Promise<Answer> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const asked = Promise.withResolvers<Answer>();
    this.#waiting.push(asked);
    this.#worker.ref();
    this.#worker.postMessage(question);
    return asked.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #lost(cause: unknown): void {
    this.#gone ??= new LogError('worker_failed', `the thread that ${this.#what} has ended`, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#gone);
  }
}

/** Answers the questions of an {@link AskedThread}, on that thread. `moved` names what of an answer need not be copied. */
export function answerQuestions<Question, Answer>(
  answer: (question: Question) => Answer,
  moved: (answer: Answer) => TransferListItem[] = () => [],
): void {
  const port = parentPort!;
  port.on('message', (question: Question) => {
    try {
      const answered = answer(question);
      port.postMessage({ answer: answered } satisfies Reply<Answer>, moved(answered));
    } catch (error) {
      port.postMessage({ error: plainError(error) } satisfies Reply<Answer>);
    }
  });
}
