import { existsSync } from 'node:fs';
import {
  AnchorStore,
  mayBeWitnessed,
  type PublishedCheckpoint,
  problemOfWitnessUrl,
  WITNESS_TIMEOUT_MS_DEFAULT,
  type WitnessFetch,
} from '../anchor/index.ts';
import { base64Encode, misuse, utf8Decode, VerificationError } from '../bytes/index.ts';
import type { AuditEvent } from '../event/index.ts';
import {
  type Cosigner,
  isCosignedName,
  NOTE_BYTES_MAX,
  openNote,
  type Policy,
  parseCheckpoint,
  parsePolicy,
  satisfiesPolicy,
} from '../note/index.ts';
import { readTextFile, systemClock } from '../platform/index.ts';
import { isLogError, LogError } from '../store/index.ts';
import { type AnchorHandle, anchorsHere, openAnchors } from './anchor-thread.ts';
import type { FollowerRunner, FollowerStatus, LeaseTask } from './followers/index.ts';
import { readCosigner } from './keys.ts';
import type { OpenOptions } from './options.ts';
import type { LogHome } from './paths.ts';
import { COSIGN_REFRESH_MS_DEFAULT, PUBLISH_MS_DEFAULT, Publisher } from './publisher.ts';
import type { SignedCheckpoint } from './reader.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** How checkpoints are shown to witnesses. */
export interface PublishOptions {
  /** How often at most, milliseconds; {@link PUBLISH_MS_DEFAULT} if not given. */
  readonly everyMs?: number;
  /** How long a witness may take, milliseconds; {@link WITNESS_TIMEOUT_MS_DEFAULT} if not given. */
  readonly timeoutMs?: number;
  /** How old a cosignature becomes while the log stands still, milliseconds; {@link COSIGN_REFRESH_MS_DEFAULT} if not given. */
  readonly refreshMs?: number;
  /** What sends the requests; the runtime's own `fetch` if not given. */
  readonly fetch?: WitnessFetch;
}

/** How long `witnessed` waits where the caller does not say, milliseconds. */
export const WITNESSED_WAIT_MS_DEFAULT = 30_000;

/** Published checkpoints that are verified for one with a quorum: those that bear the lines for one, which honest ones do not in vain. */
const CANDIDATES_MAX = 4_096;

/** Verdicts over notes that are remembered. */
const JUDGED_MAX = 128;

/** How often a waiting caller looks, milliseconds: another process may be the one that publishes. */
const LOOK_MS = 50;

/** Who witnesses a log, read before it is opened. */
export interface WitnessSettings {
  readonly policy: Policy;
  /** The policy as it was written. */
  readonly policyText: string;
  readonly cosigner?: Cosigner;
}

/** A policy in the folder of a log that is none: the log goes on without, and whoever asks for its witnesses is told why. */
export interface WitnessProblem {
  readonly problem: Error & { readonly code?: string };
}

/** Who witnesses a log, or why nobody knows. */
export type WitnessedBy = WitnessSettings | WitnessProblem;

/**
 * Reads who witnesses a log: the policy that was handed in, or the file `policy` in its folder. Undefined where there is neither.
 * Throws `malformed_policy`, misuse `option_invalid` for an address that is none, where it was handed in. What is wrong with the file
 * is a warning, and answered: an application does not lose its log for it.
 */
export function witnessSettings(
  home: Pick<LogHome, 'policy' | 'mldsaKey'>,
  options: Pick<OpenOptions, 'witnesses' | 'readOnly'>,
  { origin, warn }: { origin?: string; warn: (message: string) => void },
): WitnessedBy | undefined {
  const given = options.witnesses;
  let text: string | undefined;
  let policy: Policy;
  try {
    text = given ?? policyIn(home.policy);
    if (text === undefined) return undefined;
    policy = checkedPolicy(text);
  } catch (error) {
    if (given !== undefined) throw error;
    const { message } = error as Error;
    warn(`the log goes on without its witnesses, since the policy ${home.policy} cannot be used: ${message}`);
    return { problem: error as Error };
  }
  const settings = { policy, policyText: text };
  if (options.readOnly === true || home.mldsaKey === '' || !existsSync(home.mldsaKey)) return settings;
  const cosigner = readCosigner(home.mldsaKey, origin);
  return isCosignedName(cosigner.key.name) ? { ...settings, cosigner } : settings;
}

function policyIn(path: string): string | undefined {
  return path === '' || !existsSync(path) ? undefined : readTextFile(path, NOTE_BYTES_MAX);
}

function checkedPolicy(text: string): Policy {
  const policy = parsePolicy(text);
  for (const { url } of policy.witnesses) {
    const problem = url === undefined ? undefined : problemOfWitnessUrl(url);
    if (problem !== undefined)
      throw misuse('range', 'option_invalid', `a witness cannot be at ${url}: ${problem}`);
  }
  return policy;
}

/** What a {@link Witnessing} needs of its log. */
interface LogSide {
  readonly home: LogHome;
  readonly reader: ReaderHandle;
  readonly isWritten: boolean;
  readonly warn: (message: string) => void;
}

/** The witnessed side of an open log: which of its checkpoints a quorum has cosigned. */
export class Witnessing {
  /** Absent where the file of the policy cannot be used. */
  readonly policy: Policy | undefined;
  /** As it was given. */
  readonly policyText: string | undefined;
  readonly #problem: Error | undefined;
  readonly #home: LogHome;
  readonly #reader: ReaderHandle;
  readonly #isWritten: boolean;
  readonly #warn: (message: string) => void;
  #publisher: Publisher | undefined;
  /** Absent where the log is only read. */
  #record: ((event: AuditEvent) => Promise<unknown>) | undefined;
  #store: AnchorStore | undefined;
  /** Notes that were looked at, and whether the quorum has signed them: cosignatures are verified once. */
  readonly #judged = new Map<string, SignedCheckpoint | undefined>();

  constructor(settings: WitnessedBy, log: LogSide) {
    if ('problem' in settings) this.#problem = settings.problem;
    else {
      this.policy = settings.policy;
      this.policyText = settings.policyText;
    }
    this.#home = log.home;
    this.#reader = log.reader;
    this.#isWritten = log.isWritten;
    this.#warn = log.warn;
  }

  /** Begins to show checkpoints to the witnesses, where this process may write. */
  start(
    followers: FollowerRunner,
    settings: WitnessedBy,
    options: {
      options: Pick<OpenOptions, 'publish' | 'thread'>;
      record: (event: AuditEvent) => Promise<unknown>;
      warn: (message: string) => void;
    },
  ): void {
    if (!this.#isWritten) return;
    this.#record = options.record;
    if ('problem' in settings) {
      followers.addTask(unwitnessed(settings));
      return;
    }
    const { cosigner, policy } = settings;
    if (!policy.witnesses.some(({ url }) => url !== undefined)) return;
    const { record, warn } = options;
    const { publish = {} } = options.options;
    this.#publisher = new Publisher({
      policy,
      openStore: () => this.#openWritten(options.options.thread === 'caller', warn),
      source: this.#reader,
      record,
      cosign: cosigner && ((text) => cosigner.cosign(text, 0n)),
      fetch: publish.fetch ?? globalThis.fetch,
      timeoutMs: publish.timeoutMs ?? WITNESS_TIMEOUT_MS_DEFAULT,
      everyMs: publish.everyMs ?? PUBLISH_MS_DEFAULT,
      refreshMs: publish.refreshMs ?? COSIGN_REFRESH_MS_DEFAULT,
      clock: systemClock,
      warn,
    });
    followers.addTask(this.#publisher);
  }

  /**
   * Shows the newest checkpoint to every witness that has an address, once, and says how each stands then. Throws what is wrong with
   * the policy, where it cannot be used.
   */
  async now({ fetch, timeoutMs }: Pick<PublishOptions, 'fetch' | 'timeoutMs'>): Promise<FollowerStatus[]> {
    if (this.#problem !== undefined) throw this.#problem;
    const { mldsaKey } = this.#home;
    const read = mldsaKey !== '' && existsSync(mldsaKey) ? readCosigner(mldsaKey) : undefined;
    // One that was made when longer names were taken signs nothing: no ML-DSA-44 signature can name it.
    const cosigner = read !== undefined && isCosignedName(read.key.name) ? read : undefined;
    const publisher = new Publisher({
      policy: this.policy!,
      openStore: () => this.#openWritten(true, this.#warn),
      source: this.#reader,
      ...(this.#record !== undefined && { record: this.#record }),
      cosign: cosigner && ((text) => cosigner.cosign(text, 0n)),
      fetch: fetch ?? globalThis.fetch,
      timeoutMs: timeoutMs ?? WITNESS_TIMEOUT_MS_DEFAULT,
      everyMs: PUBLISH_MS_DEFAULT,
      refreshMs: COSIGN_REFRESH_MS_DEFAULT,
      clock: systemClock,
      warn: this.#warn,
    });
    return publisher.once();
  }

  /** The newest checkpoint that the quorum has cosigned, of at least `size` entries, and at most `sizeMax`. */
  newest(size = 0, sizeMax?: number): SignedCheckpoint | undefined {
    const store = this.policy && this.#readable();
    if (store === undefined) return undefined;
    return store.everyPublished((published) => this.#newestOf(published, size), sizeMax);
  }

  #newestOf(published: Iterable<PublishedCheckpoint>, size: number): SignedCheckpoint | undefined {
    let candidates = 0;
    for (const one of published) {
      if (one.size < size || candidates === CANDIDATES_MAX) return undefined;
      if (!mayBeWitnessed(this.policy!, one.note)) continue;
      candidates += 1;
      const found = this.#judge(one.note);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Waits until the quorum has cosigned a checkpoint of at least `size` entries. Throws `LogError` `not_witnessed`, which is
   * retryable, when `timeoutMs` have passed; and what is wrong with the policy, where it cannot be used.
   */
  async until(size: number, timeoutMs: number): Promise<SignedCheckpoint> {
    if (this.#problem !== undefined) throw this.#problem;
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
    if (this.#judged.size > JUDGED_MAX) this.#judged.clear();
    const found = this.#witnessed(note, text);
    this.#judged.set(text, found);
    return found;
  }

  #witnessed(note: Uint8Array, text: string): SignedCheckpoint | undefined {
    const policy = this.policy!;
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

  /** Without a folder there is nowhere to keep it but the one store that this process reads, too. */
  async #openWritten(here: boolean, warn: (message: string) => void): Promise<AnchorHandle> {
    const { anchors } = this.#home;
    if (anchors === '') return anchorsHere(this.#shared());
    return here ? anchorsHere(AnchorStore.open(anchors)) : openAnchors(anchors, warn);
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

/** Stands in the place of the witnesses whom a policy does not tell, so that somebody sees it. */
function unwitnessed({ problem: { message, code } }: WitnessProblem): LeaseTask {
  return {
    run: ({ signal }) => new Promise((done) => signal.addEventListener('abort', () => done())),
    wake: () => {},
    list: () => [
      {
        name: 'witness/policy',
        size: 0,
        lag: 0,
        state: 'refused',
        lastError: { message, ...(code !== undefined && { code }), attempts: 1 },
      },
    ],
  };
}
