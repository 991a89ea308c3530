import { existsSync } from 'node:fs';
import {
  AnchorStore,
  problemOfWitnessUrl,
  WITNESS_TIMEOUT_MS_DEFAULT,
  type WitnessFetch,
} from '../anchor/index.ts';
import { base64Encode, misuse, utf8Decode, VerificationError } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import {
  type Cosigner,
  NOTE_BYTES_MAX,
  openNote,
  type Policy,
  parseCheckpoint,
  parsePolicy,
  satisfiesPolicy,
} from '../note/index.ts';
import { readTextFile, systemClock } from '../platform/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import type { FollowerRunner } from './followers/index.ts';
import { readCosigner } from './keys.ts';
import type { OpenOptions } from './options.ts';
import type { LogHome } from './paths.ts';
import { PUBLISH_MS_DEFAULT, Publisher } from './publisher.ts';
import type { SignedCheckpoint } from './reader.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** How checkpoints are shown to witnesses. */
export interface PublishOptions {
  /** How often at most, milliseconds; {@link PUBLISH_MS_DEFAULT} if not given. */
  readonly everyMs?: number;
  /** How long a witness may take, milliseconds; {@link WITNESS_TIMEOUT_MS_DEFAULT} if not given. */
  readonly timeoutMs?: number;
  /** What sends the requests; the runtime's own `fetch` if not given. */
  readonly fetch?: WitnessFetch;
}

/** How long `witnessed` waits where the caller does not say, milliseconds. */
export const WITNESSED_WAIT_MS_DEFAULT = 30_000;

/** Published checkpoints that are looked at for one with a quorum, newest first. */
const CANDIDATES_MAX = 64;

/** How often a waiting caller looks, milliseconds: another process may be the one that publishes. */
const LOOK_MS = 50;

/** Who witnesses a log, read before it is opened. */
export interface WitnessSettings {
  readonly policy: Policy;
  /** The policy as it was written. */
  readonly policyText: string;
  readonly cosigner?: Cosigner;
}

/**
 * Reads who witnesses a log: the policy that was handed in, or the file `policy` in its folder. Undefined where there is neither.
 * Throws `malformed_policy`, misuse `option_invalid` for an address that is none; for a log that is only read, what is wrong with
 * the file is a warning, and the log is read without.
 */
export function witnessSettings(
  home: Pick<LogHome, 'policy' | 'mldsaKey'>,
  options: Pick<OpenOptions, 'witnesses' | 'readOnly'>,
  { origin, warn }: { origin?: string; warn: (message: string) => void },
): WitnessSettings | undefined {
  try {
    const text = options.witnesses ?? policyIn(home.policy);
    if (text === undefined) return undefined;
    const policy = parsePolicy(text);
    for (const { url } of policy.witnesses) {
      const problem = url === undefined ? undefined : problemOfWitnessUrl(url);
      if (problem !== undefined)
        throw misuse('range', 'option_invalid', `a witness cannot be at ${url}: ${problem}`);
    }
    if (options.readOnly === true || home.mldsaKey === '' || !existsSync(home.mldsaKey))
      return { policy, policyText: text };
    return { policy, policyText: text, cosigner: readCosigner(home.mldsaKey, origin) };
  } catch (error) {
    if (options.readOnly !== true || options.witnesses !== undefined) throw error;
    warn(`the policy ${home.policy} is left aside: ${(error as Error).message}`);
    return undefined;
  }
}

function policyIn(path: string): string | undefined {
  return path === '' || !existsSync(path) ? undefined : readTextFile(path, NOTE_BYTES_MAX);
}

/** The witnessed side of an open log: which of its checkpoints a quorum has cosigned. */
export class Witnessing {
  readonly policy: Policy;
  readonly policyText: string;
  readonly #home: LogHome;
  readonly #reader: ReaderHandle;
  readonly #isWritten: boolean;
  #publisher: Publisher | undefined;
  #store: AnchorStore | undefined;
  /** Notes that were looked at, and whether the quorum has signed them: cosignatures are verified once. */
  readonly #judged = new Map<string, SignedCheckpoint | undefined>();

  constructor(settings: WitnessSettings, log: { home: LogHome; reader: ReaderHandle; isWritten: boolean }) {
    this.policy = settings.policy;
    this.policyText = settings.policyText;
    this.#home = log.home;
    this.#reader = log.reader;
    this.#isWritten = log.isWritten;
  }

  /** Begins to show checkpoints to the witnesses, where this process may write. */
  start(
    followers: FollowerRunner,
    settings: WitnessSettings,
    options: {
      publish: PublishOptions;
      record: (event: AuditEvent) => Promise<unknown>;
      warn: (message: string) => void;
    },
  ): void {
    const { cosigner, policy } = settings;
    if (!this.#isWritten || !policy.witnesses.some(({ url }) => url !== undefined)) return;
    const { publish, record, warn } = options;
    this.#publisher = new Publisher({
      policy,
      // Without a folder there is nowhere to keep it but the one store that this process reads, too.
      openStore: () => (this.#home.anchors === '' ? this.#shared() : AnchorStore.open(this.#home.anchors)),
      source: this.#reader,
      record,
      cosign: cosigner && ((text) => cosigner.cosign(text, 0n)),
      fetch: publish.fetch ?? globalThis.fetch,
      timeoutMs: publish.timeoutMs ?? WITNESS_TIMEOUT_MS_DEFAULT,
      everyMs: publish.everyMs ?? PUBLISH_MS_DEFAULT,
      clock: systemClock,
      warn,
    });
    followers.addTask(this.#publisher);
  }

  /** The newest checkpoint that the quorum has cosigned, of at least `size` entries, and at most `sizeMax`. */
  newest(size = 0, sizeMax?: number): SignedCheckpoint | undefined {
    const store = this.#readable();
    if (store === undefined) return undefined;
    for (const published of store.newestPublished(CANDIDATES_MAX, sizeMax)) {
      if (published.size < size) return undefined;
      const found = this.#judge(published.note);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Waits until the quorum has cosigned a checkpoint of at least `size` entries. Throws `LogError` `not_witnessed`, which is
   * retryable, when `timeoutMs` have passed.
   */
  async until(size: number, timeoutMs: number): Promise<SignedCheckpoint> {
    const end = systemClock.monotonic() + timeoutMs;
    for (;;) {
      const found = this.newest(size);
      if (found !== undefined) return found;
      if (systemClock.monotonic() >= end) {
        throw new LogError('not_witnessed', `the quorum has cosigned no checkpoint of ${size} entries yet`, {
          retryable: true,
          hint: 'the state of each witness is in log.followers.list(), and in indelible witness list',
        });
      }
      this.#publisher?.wake();
      await new Promise((done) => setTimeout(done, LOOK_MS));
    }
  }

  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  #judge(note: Uint8Array): SignedCheckpoint | undefined {
    const text = utf8Decode(note);
    if (this.#judged.has(text)) return this.#judged.get(text);
    if (this.#judged.size > 2 * CANDIDATES_MAX) this.#judged.clear();
    const found = this.#witnessed(note, text);
    this.#judged.set(text, found);
    return found;
  }

  #witnessed(note: Uint8Array, text: string): SignedCheckpoint | undefined {
    const { policy } = this;
    try {
      const opened = openNote(
        note,
        policy.witnesses.map(({ key }) => key),
      );
      const { origin, size, root } = parseCheckpoint(opened.text);
      if (origin !== this.#reader.identity.origin || !satisfiesPolicy(policy, opened)) return undefined;
      return { size, root: base64Encode(root), note: text };
    } catch (error) {
      // What nobody has signed, or somebody has changed, is nothing to go by.
      if (error instanceof VerificationError) return undefined;
      throw error;
    }
  }

  /** Who only reads makes no file. */
  #readable(): AnchorStore | undefined {
    if (this.#store !== undefined) return this.#store;
    const { anchors } = this.#home;
    if (anchors !== '' && !existsSync(anchors)) return undefined;
    if (this.#isWritten) return this.#shared();
    try {
      this.#store = AnchorStore.openReadable(anchors);
    } catch (error) {
      // What cannot be read is left aside, as it is where it is not there: the log can be read without.
      if (!isLogError(error, 'io_failed')) throw error;
    }
    return this.#store;
  }

  #shared(): AnchorStore {
    this.#store ??= AnchorStore.open(this.#home.anchors);
    return this.#store;
  }
}
