import { equalBytes } from '../bytes/index.ts';
import { type Draft, parseEntry, parseGenesis, prepareEvent } from '../event/index.ts';
import { openCheckpoint, parseVerifierKey, type Signer } from '../note/index.ts';
import { type Clock, randomBytes, systemClock, uuidv7 } from '../platform/index.ts';
import { type Head, LogError, type LogReader, type LogStore, SqliteStore } from '../store/index.ts';
import { type CommitHooks, type CommitReply, Committer } from './commit.ts';
import { checkTime, Edge } from './edge.ts';
import { inOurWords } from './failure.ts';
import { GroupCommit } from './group.ts';
import { readSigner } from './keys.ts';
import { MARK_INTERVAL_MS, Mark } from './mark.ts';
import type { LogPaths } from './paths.ts';

/** What a writer is opened with; plain data, so that it crosses to a thread. */
export interface WriterOptions {
  readonly paths: LogPaths;
  readonly service: string;
  /** A UUID of this process start. */
  readonly instance: string;
  readonly announce: boolean;
}

/** What tests replace, on the caller's own thread. */
export interface WriterSeams {
  readonly clock?: Clock;
  readonly hooks?: CommitHooks;
  readonly drain?: () => void;
  readonly warn?: (message: string) => void;
}

/** What is known of a log once it has been opened. */
export interface Identity {
  readonly origin: string;
  /** The verifier key of the key that signs now. */
  readonly vkey: string;
  readonly personalIds: 'refuse' | 'allow' | 'pseudonymise';
  readonly size: number;
}

/** The one place where a log is written: its store, its key, its queue of commits. */
export class Writer {
  readonly identity: Identity;
  readonly #store: LogStore;
  readonly #committer: Committer;
  readonly #group: GroupCommit;
  #settling: NodeJS.Timeout | undefined;

  private constructor(identity: Identity, store: LogStore, committer: Committer, drain?: () => void) {
    this.identity = identity;
    this.#store = store;
    this.#committer = committer;
    this.#group = new GroupCommit(committer, drain);
  }

  /**
   * Opens the log for writing. Everything that the next signature will rest on is derived from the disk
   * and compared first: the schema, the genesis entry, the head's signature and time, the root that follows
   * from the stored right edge, the mark. Throws `LogError`.
   */
  static async open(options: WriterOptions, seams: WriterSeams = {}): Promise<Writer> {
    const clock = seams.clock ?? systemClock;
    const store = SqliteStore.open(options.paths.database, {
      jitter: Math.random,
      now: () => clock.monotonic(),
    });
    try {
      const head = await mustHaveHead(store);
      const { origin, personalIds, logKeys } = await readGenesis(store);
      const signer = readSigner(options.paths.key, origin);
      checkKey(signer, logKeys);
      checkHead(head, origin, signer.vkey);
      const edge = await Edge.load(store, head);
      await checkTime(store, head);
      const mark = new Mark(options.paths.mark, seams.warn ?? (() => {}));
      await mark.check(store, origin, [parseVerifierKey(signer.vkey)]);
      await placeMark(mark, store, clock);
      const committer = new Committer(
        {
          store,
          origin,
          signer,
          clock,
          random: randomBytes,
          ownDraft: (event) => ownDraft(event, options, clock),
          mark,
          hooks: seams.hooks,
          announce: options.announce,
        },
        { head, edge },
      );
      const identity = { origin, vkey: signer.vkey, personalIds, size: head.size };
      return new Writer(identity, store, committer, seams.drain);
    } catch (error) {
      await store.close();
      throw inOurWords(error);
    }
  }

  /** Records drafts; see `GroupCommit.submit`. */
  async commit(drafts: readonly Draft[]): Promise<CommitReply> {
    const reply = await this.#group.submit(drafts);
    // The mark follows soon after the last commit of a burst; during one, the next commit moves it.
    this.#settling ??= setTimeout(() => this.#settle(), MARK_INTERVAL_MS).unref();
    return reply;
  }

  /** Answers everything that was submitted, moves the mark, releases the files. Idempotent. */
  async close(): Promise<void> {
    clearTimeout(this.#settling);
    await this.#group.close();
    await this.#committer.settle().catch(() => {});
    await this.#store.close();
  }

  #settle(): void {
    this.#settling = undefined;
    // The lock is taken for a moment between commits; a failure here leaves a mark that lags.
    this.#group.idle(() => this.#committer.settle()).catch(() => {});
  }
}

/** The draft of one of the log's own entries: it takes no sequence number of the application's. */
export function ownDraft(
  event: object,
  options: Pick<WriterOptions, 'service' | 'instance'>,
  clock: Clock,
): Draft {
  const now = clock.wall();
  return prepareEvent(event, {
    id: uuidv7(now),
    occurredAt: new Date(now).toISOString(),
    now,
    source: { service: options.service, instance: options.instance, seq: null },
    personalIds: 'allow',
    own: true,
  });
}

/** The genesis entry of the log. Throws `LogError` `log_damaged` where there is none that can be read. */
export async function readGenesis(reader: LogReader): Promise<ReturnType<typeof parseGenesis>> {
  const [first] = await reader.readEntries(0, 1);
  try {
    if (first === undefined) throw new LogError('log_damaged', 'entry 0 is missing');
    return parseGenesis(parseEntry(first.entry));
  } catch (cause) {
    throw new LogError('log_damaged', 'entry 0 is not the genesis of a log', { cause });
  }
}

async function mustHaveHead(store: LogStore): Promise<Head> {
  const head = await store.head();
  if (head === undefined)
    throw new LogError('log_damaged', 'the log has no head: its creation did not finish');
  return head;
}

function checkKey(signer: Signer, logKeys: readonly string[]): void {
  if (logKeys.includes(signer.vkey)) return;
  throw new LogError('key_mismatch', 'the signing key is not a key of this log', {
    hint: `the log was created with ${logKeys.join(', ')}`,
  });
}

function checkHead(head: Head, origin: string, vkey: string): void {
  try {
    const { checkpoint } = openCheckpoint(head.checkpoint, { origin, keys: [parseVerifierKey(vkey)] });
    if (checkpoint.size === head.size && equalBytes(checkpoint.root, head.root)) return;
  } catch (cause) {
    throw new LogError('head_invalid', 'the checkpoint of the head is not signed by the key of the log', {
      cause,
    });
  }
  throw new LogError('head_invalid', 'the checkpoint of the head is not the one of its size and root');
}

/** The mark is moved once at open, so that a place where it cannot be kept is known before it is needed. */
async function placeMark(mark: Mark, store: LogStore, clock: Clock): Promise<void> {
  const transaction = await store.begin();
  try {
    const head = transaction.taken;
    if (head !== undefined && mark.lags(head)) mark.write(head, clock.monotonic());
  } catch (cause) {
    throw new LogError('io_failed', `the mark cannot be kept at ${mark.path}: ${(cause as Error).message}`, {
      cause,
      hint: 'say where it may lie (mark, --mark), outside the folder of the log',
    });
  } finally {
    await transaction.rollback();
  }
}
