import { base64Encode } from '../../bytes/index.ts';
import { openEntry, parseEntry, type RecordedEvent } from '../../event/index.ts';
import { type Frontier, hashLeaf } from '../../merkle/index.ts';
import { LogError, type StoredEntry } from '../../store/index.ts';
import { prunedBetween } from '../walk.ts';
import type { CursorStore } from './cursors.ts';
import {
  BATCH_ENTRIES_DEFAULT,
  BATCH_ENTRIES_MAX,
  type Follower,
  type FollowerBatch,
  type FollowerCursor,
  type FollowerSource,
  type FollowerState,
  type FollowerStatus,
} from './follower.ts';
import { type Failure, isFinal, lastErrorOf, Pauses } from './pause.ts';

/** The first pause after a failure, milliseconds; it doubles with each further one. */
const RETRY_MS_MIN = 100;

/** What a {@link Tail} works with. */
export interface TailParts {
  readonly follower: Follower;
  readonly source: FollowerSource;
  readonly cursors: CursorStore;
  readonly holder: string;
  /** Whether this process has the lease. */
  readonly isHolding: () => boolean;
  readonly signal: AbortSignal;
  readonly pollMs: number;
  readonly retryMsMax: number;
  /** Told when it is left alone for good. */
  readonly warn: (message: string) => void;
}

/** One follower on its way through the log. */
export class Tail {
  readonly #parts: TailParts;
  readonly #pauses: Pauses;
  /** All that was seen; undefined until the cursor is read and checked, and whenever somebody else may have moved it. */
  #seen: Frontier | undefined;
  #logSize = 0;
  #size = 0;
  #state: FollowerState = 'waiting';
  #failure: Failure | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: TailParts) {
    this.#parts = parts;
    this.#pauses = new Pauses(parts.signal);
  }

  /** Goes to work. It ends with the signal. */
  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when no work is under way any more. */
  stopped(): Promise<void> {
    return this.#running;
  }

  /** Ends a pause. */
  wake(): void {
    this.#pauses.wake();
  }

  status(): FollowerStatus {
    return {
      name: this.#parts.follower.name,
      size: this.#size,
      lag: Math.max(0, this.#logSize - this.#size),
      state: this.#state,
      ...lastErrorOf(this.#failure),
    };
  }

  async #run(): Promise<void> {
    const { signal, isHolding, pollMs } = this.#parts;
    while (!signal.aborted && this.#state !== 'refused') {
      if (!isHolding()) {
        // Whoever has the lease moves the cursor: it is read again afterwards.
        this.#seen = undefined;
        this.#state = 'waiting';
        await this.#pauses.wait(pollMs);
        continue;
      }
      try {
        const moved = await this.#step();
        if (!moved) await this.#pauses.wait(pollMs);
      } catch (error) {
        await this.#failed(error);
      }
    }
    if (signal.aborted) this.#state = 'stopped';
  }

  /** One batch; false where there is none. */
  async #step(): Promise<boolean> {
    const { source } = this.#parts;
    this.#seen ??= await this.#resume();
    const seen = this.#seen;
    const head = await source.checkpoint();
    this.#logSize = head.size;
    if (head.size === seen.size) {
      await this.#idle();
      this.#state = 'following';
      return false;
    }
    const batch = await this.#read(seen, head);
    this.#state = 'applying';
    await this.#parts.follower.apply(batch.batch);
    this.#moved(seen, batch.frontier);
    return true;
  }

  async #idle(): Promise<void> {
    const { follower, signal } = this.#parts;
    if (follower.idle === undefined) return;
    await follower.idle(signal);
    this.#failure = undefined;
  }

  /** The place to go on from, held against the log: a follower does not go on in a history that it has not seen. */
  async #resume(): Promise<Frontier> {
    const { cursors, follower, source } = this.#parts;
    const seen = cursors.load(follower.name);
    await source.checkContinues(cursorOf(seen));
    this.#size = seen.size;
    return seen;
  }

  /**
   * The next entries. Their hashes extend the frontier, and the result has to lie in the log's signed tree before the
   * follower gets to see any of them: what it passes on is what was recorded.
   */
  async #read(seen: Frontier, head: FollowerCursor): Promise<{ batch: FollowerBatch; frontier: Frontier }> {
    const { source, follower, signal } = this.#parts;
    const most = Math.min(follower.batchMax ?? BATCH_ENTRIES_DEFAULT, BATCH_ENTRIES_MAX);
    const from = seen.size;
    const to = Math.min(head.size, from + Math.max(1, most));
    const entries = to > from ? await source.entries(from, to) : [];
    const frontier = seen.clone();
    for (const { index, entry } of entries) {
      await this.#passPruned(frontier, index);
      if (index === frontier.size) frontier.append(hashLeaf(entry));
    }
    await this.#passPruned(frontier, to);
    if (frontier.size !== to) {
      throw new LogError('log_damaged', `entries are missing between ${from} and ${to}`, {
        hint: 'run verify: it names everything that was changed',
      });
    }
    const { size, root } = cursorOf(frontier);
    if (size !== head.size) await source.checkContinues({ size, root });
    else if (root !== head.root) throw rolledBack(size);
    return { batch: new Batch({ from, to, root, entries, signal }), frontier };
  }

  /** Takes the hashes of entries before an index that are not there, if the log was pruned of them, out of its tiles. */
  async #passPruned(frontier: Frontier, to: number): Promise<void> {
    if (frontier.size >= to || (await this.#parts.source.minimum()) < to) return;
    for await (const { hash } of prunedBetween(this.#parts.source, frontier.size, to)) frontier.append(hash);
  }

  #moved(seen: Frontier, to: Frontier): void {
    const { cursors, holder, follower } = this.#parts;
    // In a process that sleeps for longer than its lease, another one has taken over meanwhile.
    const moved = cursors.move(holder, follower.name, { from: seen.size, to });
    this.#seen = moved ? to : undefined;
    if (moved) this.#size = to.size;
    this.#failure = undefined;
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#parts.signal.aborted) return;
    const attempts = (this.#failure?.attempts ?? 0) + 1;
    this.#failure = { error, attempts };
    if (isFinal(error)) {
      this.#state = 'refused';
      this.#parts.warn(stoppedWords(this.#parts.follower.name, error as LogError));
      return;
    }
    this.#state = 'failing';
    await this.#pauses.wait(Math.min(this.#parts.retryMsMax, RETRY_MS_MIN * 2 ** (attempts - 1)), {
      wakes: false,
    });
  }
}

/** A batch whose events are opened when somebody asks for them. */
class Batch implements FollowerBatch {
  readonly from: number;
  readonly to: number;
  readonly root: string;
  readonly entries: readonly StoredEntry[];
  readonly signal: AbortSignal;
  #events: readonly RecordedEvent[] | undefined;

  constructor(batch: Omit<FollowerBatch, 'events'>) {
    this.from = batch.from;
    this.to = batch.to;
    this.root = batch.root;
    this.entries = batch.entries;
    this.signal = batch.signal;
  }

  get events(): readonly RecordedEvent[] {
    this.#events ??= this.entries.map(({ index, entry, disclosures }) => {
      return openEntry(parseEntry(entry), disclosures, index).event;
    });
    return this.#events;
  }
}

function cursorOf(frontier: Frontier): FollowerCursor {
  return { size: frontier.size, root: base64Encode(frontier.root()) };
}

function stoppedWords(name: string, { message, code, hint }: LogError): string {
  const more = hint === undefined ? '' : `; ${hint}`;
  return `the follower ${name} has stopped, until the log is opened again: ${message} (${code})${more}`;
}

function rolledBack(size: number): LogError {
  return new LogError(
    'rolled_back',
    `the first ${size} entries do not give the root of the log's checkpoint`,
    {
      hint: 'its history was replaced; verify against receipts',
    },
  );
}
