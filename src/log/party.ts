import type { WitnessAnswer, WitnessRecord } from '../anchor/index.ts';
import type { Policy, VerifierKey } from '../note/index.ts';
import type { AnchorHandle } from './anchor-thread.ts';
import type { FollowerStatus } from './followers/index.ts';

/** First and longest pause before a witness that was away is asked again, milliseconds. */
const AWAY_MS = { first: 1_000, longest: 300_000 } as const;

/** The same for one that never knew the log, or answers nonsense: time alone mends that rarely. */
const DECLINED_MS = { first: 30_000, longest: 3_600_000 } as const;

/** The same for one that knew the log, and does not know the key that signs it now: whoever runs it is being told. */
const FORGOTTEN_MS = { first: 5_000, longest: 300_000 } as const;

/**
 * One witness of a policy that can be asked: all its keys (of which one may be Ed25519 and one ML-DSA-44) answer at one address.
 */
export class Party {
  readonly url: string;
  /** Its names in the policy. */
  readonly name: string;
  readonly keys: readonly VerifierKey[];
  /** Up to which size it is believed to have seen the log. */
  size = 0;
  /** Whether the log has an entry of its refusal. */
  isRecorded = false;
  asking: Promise<void> | undefined;
  /** When it cosigned last, by the clock of this machine, milliseconds since the epoch; 0 where it never did. */
  #cosignedAt = 0;
  #refusal: WitnessRecord['refusal'];
  #isLoaded = false;
  #failure: { readonly message: string; readonly attempts: number } | undefined;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(url: string, witnesses: Policy['witnesses']) {
    this.url = url;
    this.name = witnesses.map(({ name }) => name).join('+');
    this.keys = witnesses.map(({ key }) => key);
  }

  /** The witnesses of a policy that have an address; the others sign by hand. */
  static ofPolicy({ witnesses }: Policy): Party[] {
    const urls = [...new Set(witnesses.flatMap(({ url }) => url ?? []))];
    return urls.map(
      (url) =>
        new Party(
          url,
          witnesses.filter((witness) => witness.url === url),
        ),
    );
  }

  get refusal(): WitnessRecord['refusal'] {
    return this.#refusal;
  }

  /** Takes up what is remembered of it, once. */
  async load(store: AnchorHandle): Promise<void> {
    if (this.#isLoaded) return;
    const record = await store.witness(this.url);
    this.#isLoaded = true;
    this.size = record?.size ?? 0;
    this.#cosignedAt = record?.at ?? 0;
    this.#refusal = record?.refusal;
  }

  isFree(now: number): boolean {
    return !this.isFinal && this.asking === undefined && now >= this.#notBefore;
  }

  /** Whether it has cosigned a log of this size, and did so after that time of the wall clock. */
  isFresh(size: number, since: number): boolean {
    return this.size === size && this.#cosignedAt > since;
  }

  /** Whether it is asked no more. */
  get isFinal(): boolean {
    return this.#refusal !== undefined && this.#refusal.kind !== 'unknown';
  }

  /** Says that it is being asked, until `asking` settles. */
  begin(asking: Promise<void>): void {
    this.asking = asking.finally(() => {
      this.asking = undefined;
    });
  }

  cosigned(size: number, at: number): void {
    this.size = size;
    this.#cosignedAt = at;
    this.#refusal = undefined;
    this.isRecorded = false;
    this.#failure = undefined;
    this.#notBefore = Number.NEGATIVE_INFINITY;
  }

  refuse({ refusal }: WitnessRecord): void {
    this.#refusal = refusal;
  }

  /** Takes an answer that was no signature. */
  answered(answer: Extract<WitnessAnswer, { kind: 'unknown' | 'declined' | 'away' }>, now: number): void {
    const { why, kind } = answer;
    if (kind === 'away') this.failed(why, now, AWAY_MS, answer.retryAfterMs ?? 0);
    else this.failed(why, now, kind === 'unknown' && this.size > 0 ? FORGOTTEN_MS : DECLINED_MS);
  }

  failed(
    message: string,
    now: number,
    { first, longest } = AWAY_MS as { first: number; longest: number },
    least = 0,
  ): void {
    const attempts = (this.#failure?.attempts ?? 0) + 1;
    this.#failure = { message, attempts };
    this.#notBefore = now + Math.max(least, Math.min(longest, first * 2 ** (attempts - 1)));
  }

  status(
    logSize: number,
    isHolding: boolean,
    publisher: { readonly error: unknown; readonly attempts: number } | undefined,
  ): FollowerStatus {
    const failure =
      publisher === undefined
        ? this.#failure
        : { message: (publisher.error as Error).message, attempts: publisher.attempts };
    return {
      name: `witness/${this.name}`,
      size: this.size,
      lag: Math.max(0, logSize - this.size),
      state: this.#state(isHolding, failure !== undefined),
      ...(failure !== undefined && { lastError: failure }),
    };
  }

  #state(isHolding: boolean, isFailing: boolean): FollowerStatus['state'] {
    if (this.isFinal) return 'refused';
    if (!isHolding) return 'waiting';
    if (isFailing || this.#refusal !== undefined) return 'failing';
    return this.asking === undefined ? 'following' : 'applying';
  }
}
