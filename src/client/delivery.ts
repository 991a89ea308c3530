import { isLogError, VerificationError } from '../bytes/index.ts';
import type { Connection } from './connection.ts';
import type { History, KnownRoot, SignedTree } from './history.ts';
import { errorOfProblem, invalidAnswer, isObject, listOf, readAnswer, textOf } from './problems.ts';
import { parseSent, type Receipt, verifyReceipt } from './receipt.ts';

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

/** Sends events, in their order, and verifies what the server says became of them. */
export class Delivery {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /**
   * Sends one batch. Each event has its own outcome; throws where there is none: nobody answered until `untilMs`, the
   * answer cannot be read, or the server has shown another history (`forked`, `rolled_back`).
   */
  async send(texts: readonly string[], untilMs: number): Promise<Delivered[]> {
    const { connection, history, log } = this.#options;
    const asked = await history.seen();
    const answered = await connection.ask({
      path: `/v1/logs/${log}/events?prove=true`,
      body: `[${texts.join(',')}]`,
      untilMs,
    });
    const answer = readAnswer(answered.text());
    const results = listOf(answer, 'results');
    if (results.length !== texts.length) {
      throw invalidAnswer(`${texts.length} events were sent, and it has ${results.length} results`);
    }
    const tree = answer['checkpoint'] === undefined ? undefined : history.open(textOf(answer, 'checkpoint'));
    const known: KnownRoot[] = [];
    const delivered = results.map((result, position) => this.#judge(result, texts[position]!, tree, known));
    if (tree !== undefined) await history.admit(tree, { asked, known });
    return delivered;
  }

  #judge(result: unknown, text: string, tree: SignedTree | undefined, known: KnownRoot[]): Delivered {
    const answer = result as Parameters<typeof isObject>[0];
    if (!isObject(answer)) throw invalidAnswer('a result is not an object');
    if (answer['ok'] !== true) {
      const problem = answer['problem'];
      if (!isObject(problem)) throw invalidAnswer('a refusal comes without its reason');
      return { ok: false, error: errorOfProblem(problem, Number(problem['status'])) };
    }
    const receipt = answer['receipt'];
    if (!isObject(receipt) || tree === undefined)
      throw invalidAnswer('a receipt comes without its checkpoint');
    try {
      const { pseudonymKey } = this.#options;
      const verified = verifyReceipt(receipt, parseSent(text), { tree, pseudonymKey });
      known.push(verified.before);
      return { ok: true, receipt: verified.receipt, isRepeat: verified.isRepeat };
    } catch (error) {
      if (error instanceof VerificationError || isLogError(error)) return { ok: false, error };
      throw error;
    }
  }
}
