import { isLogError, VerificationError } from '../bytes/index.ts';
import type { Connection } from './connection.ts';
import type { History, KnownRoot, SignedTree } from './history.ts';
import {
  type Answer,
  errorOfProblem,
  invalidAnswer,
  isObject,
  listOf,
  readAnswer,
  textOf,
} from './problems.ts';
import { parseSent, type Receipt, verifyReceipt } from './receipt.ts';
import { breath } from './runtime.ts';

/** Receipts that are verified in one go, a few milliseconds; then whatever else waits in this process has its turn. */
const TOGETHER_MAX = 32;

/** What became of one event of a delivery. */
export type Delivered =
  | { readonly ok: true; readonly receipt: Receipt; readonly isRepeat: boolean }
  | { readonly ok: false; readonly error: Error };

/** What a delivery works with. */
export interface DeliveryOptions {
  readonly connection: Connection;
  readonly history: History;
  readonly log: string;
  readonly pseudonymKey: Uint8Array | undefined;
}

/** A batch that the server has answered. Nothing of it is verified yet. */
export interface AnsweredBatch {
  readonly texts: readonly string[];
  /** The text of the answer. */
  readonly text: string;
  /** What had been seen when the batch was sent. */
  readonly asked: SignedTree | undefined;
}

/** Hears what became of the events of a batch from this position on. */
export type Tell = (position: number, delivered: readonly Delivered[]) => void;

/** Sends events, in their order, and verifies what the server says became of them. */
export class Delivery {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Sends one batch and verifies the answer. Throws as `ask` and `verify`. */
  async send(texts: readonly string[], untilMs: number): Promise<Delivered[]> {
    const outcomes: Delivered[] = [];
    await this.verify(await this.ask(texts, untilMs), (_, delivered) => outcomes.push(...delivered));
    return outcomes;
  }

  /** Sends one batch. Throws what the connection throws: nobody answered until `untilMs`, the key is not taken. */
  async ask(texts: readonly string[], untilMs: number): Promise<AnsweredBatch> {
    const { connection, history, log } = this.#options;
    const asked = await history.seen();
    const path = `/v1/logs/${log}/events?prove=true`;
    const answered = await connection.ask({ path, body: `[${texts.join(',')}]`, untilMs });
    return { texts, text: answered.text(), asked };
  }

  /**
   * Verifies an answer, and tells of its events a few at a time, in their order. Each event has its own outcome; throws
   * where there is none: the answer cannot be read, or the server has shown another history (`forked`, `rolled_back`).
   */
  async verify({ texts, text, asked }: AnsweredBatch, tell: Tell): Promise<void> {
    const { history } = this.#options;
    const answer = readAnswer(text);
    const results = listOf(answer, 'results');
    if (results.length !== texts.length) {
      throw invalidAnswer(`${texts.length} events were sent, and it has ${results.length} results`);
    }
    const receipts = results.map(receiptOf);
    const tree =
      answer['checkpoint'] === undefined ? undefined : await history.open(textOf(answer, 'checkpoint'));
    if (tree !== undefined)
      await history.admit(tree, { asked, known: await this.#known(receipts, texts, tree) });
    for (let from = 0; from < receipts.length; from += TOGETHER_MAX) {
      if (from > 0) await breath();
      const few = receipts.slice(from, from + TOGETHER_MAX);
      tell(
        from,
        few.map((receipt, position) => this.#judge(receipt, texts[from + position]!, tree)),
      );
    }
  }

  /** What the receipt of the event that was recorded next after the last tree tells of that tree: it saves asking for tiles. */
  async #known(
    receipts: readonly (Answer | Error)[],
    texts: readonly string[],
    tree: SignedTree,
  ): Promise<KnownRoot[]> {
    const size = (await this.#options.history.seen())?.size;
    const position = receipts.findIndex((one) => !(one instanceof Error) && one['index'] === size);
    if (position < 0) return [];
    const receipt = receipts[position] as Answer;
    try {
      return [this.#verified(receipt, texts[position]!, tree).before()];
    } catch {
      // Its own event will hear of it.
      return [];
    }
  }

  #judge(receipt: Answer | Error, text: string, tree: SignedTree | undefined): Delivered {
    if (receipt instanceof Error) return { ok: false, error: receipt };
    if (tree === undefined) throw invalidAnswer('a receipt comes without its checkpoint');
    try {
      const verified = this.#verified(receipt, text, tree);
      return { ok: true, receipt: verified.receipt, isRepeat: verified.isRepeat };
    } catch (error) {
      if (error instanceof VerificationError || isLogError(error)) return { ok: false, error };
      throw error;
    }
  }

  #verified(receipt: Answer, text: string, tree: SignedTree): ReturnType<typeof verifyReceipt> {
    return verifyReceipt(receipt, parseSent(text), { tree, pseudonymKey: this.#options.pseudonymKey });
  }
}

/** The receipt in a result, or the error for which there is none. */
function receiptOf(result: Parameters<typeof isObject>[0]): Answer | Error {
  if (!isObject(result)) throw invalidAnswer('a result is not an object');
  if (result['ok'] !== true) {
    const problem = result['problem'];
    if (!isObject(problem)) throw invalidAnswer('a refusal comes without its reason');
    return errorOfProblem(problem, Number(problem['status']));
  }
  const receipt = result['receipt'];
  if (!isObject(receipt)) throw invalidAnswer('a receipt is not an object');
  return receipt;
}
