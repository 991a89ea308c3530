import type {
  Append,
  Head,
  HeadTransaction,
  LogStore,
  Prune,
  StoredEntry,
  TileId,
  Withdrawal,
} from 'indelible/store';
import type { CommitHooks, CommitStep } from '#dist/log/commit.js';

/** The steps of the commit path, in order; the coverage test compares them with the source. */
export const commitSteps = [
  'sealed',
  'taken',
  'answered',
  'signed',
  'appended',
  'committed',
  'released',
] as const satisfies readonly CommitStep[];

/** The calls of a store that a commit makes. */
export const storeCalls = ['begin', 'findIds', 'readEntries', 'readTiles', 'append', 'commit'] as const;

/** A place where something can go wrong. */
export type FaultPoint = `step:${CommitStep}` | `${'before' | 'after'}:${(typeof storeCalls)[number]}`;

/** What goes wrong there: an exception, a promise that is rejected a moment later, or the end of the process. */
export type FaultEffect = 'throw' | 'reject' | 'kill';

/** A trap at one point: harmless until it is armed, and then it snaps once. */
export class Trap {
  readonly reached = new Set<FaultPoint>();
  readonly #point: FaultPoint | undefined;
  readonly #effect: FaultEffect;
  #armed = false;

  constructor(point?: FaultPoint, effect: FaultEffect = 'throw') {
    this.#point = point;
    this.#effect = effect;
  }

  arm(): void {
    this.#armed = true;
  }

  /** Called wherever the trap may lie. */
  at(point: FaultPoint): void | Promise<void> {
    this.reached.add(point);
    if (!this.#armed || point !== this.#point) return undefined;
    this.#armed = false;
    const failure = new Error(`a test made ${point} fail`);
    if (this.#effect === 'kill') process.kill(process.pid, 'SIGKILL');
    if (this.#effect === 'throw') throw failure;
    return new Promise((_, reject) => setImmediate(() => reject(failure)));
  }

  /** The trap as hooks into the commit path. */
  get hooks(): CommitHooks {
    return { at: (step) => this.at(`step:${step}`) };
  }
}

/** A store whose calls can fail before they did anything, and after they did everything. */
export class TrappedStore implements LogStore {
  readonly #store: LogStore;
  readonly #trap: Trap;

  constructor(store: LogStore, trap: Trap) {
    this.#store = store;
    this.#trap = trap;
  }

  async begin(): Promise<HeadTransaction> {
    await this.#trap.at('before:begin');
    const transaction = await this.#store.begin();
    try {
      await this.#trap.at('after:begin');
    } catch (error) {
      // The answer is lost, and nobody is left who could give the lock back: so it is given back here.
      await transaction.rollback();
      throw error;
    }
    return new TrappedTransaction(transaction, this.#trap);
  }

  head() {
    return this.#store.head();
  }
  readEntries(from: number, to: number) {
    return this.#store.readEntries(from, to);
  }
  findIds(ids: readonly string[]) {
    return this.#store.findIds(ids);
  }
  readTiles(tiles: readonly TileId[]) {
    return this.#store.readTiles(tiles);
  }
  close() {
    return this.#store.close();
  }
}

class TrappedTransaction implements HeadTransaction {
  readonly taken: Head | undefined;
  readonly #transaction: HeadTransaction;
  readonly #trap: Trap;

  constructor(transaction: HeadTransaction, trap: Trap) {
    this.#transaction = transaction;
    this.#trap = trap;
    this.taken = transaction.taken;
  }

  withdraw(withdrawals: readonly Withdrawal[]) {
    return this.#transaction.withdraw(withdrawals);
  }
  prune(prune: Prune) {
    return this.#transaction.prune(prune);
  }
  append(append: Append): Promise<void> {
    return this.#around('append', () => this.#transaction.append(append));
  }
  commit(): Promise<void> {
    return this.#around('commit', () => this.#transaction.commit());
  }
  findIds(ids: readonly string[]): Promise<Map<string, number>> {
    return this.#around('findIds', () => this.#transaction.findIds(ids));
  }
  readEntries(from: number, to: number): Promise<StoredEntry[]> {
    return this.#around('readEntries', () => this.#transaction.readEntries(from, to));
  }
  head() {
    return this.#transaction.head();
  }
  readTiles(tiles: readonly TileId[]): Promise<(Uint8Array | undefined)[]> {
    return this.#around('readTiles', () => this.#transaction.readTiles(tiles));
  }
  rollback() {
    return this.#transaction.rollback();
  }

  async #around<T>(
    call: Exclude<(typeof storeCalls)[number], 'begin'>,
    work: () => T | Promise<T>,
  ): Promise<T> {
    await this.#trap.at(`before:${call}`);
    const answer = await work();
    await this.#trap.at(`after:${call}`);
    return answer;
  }
}
