import { equalBytes, hexEncode, sha256, utf8Encode, VerificationError } from '../bytes/index.ts';
import { EMPTY_ROOT, type Hash, verifyConsistency } from '../merkle/index.ts';
import {
  type Checkpoint,
  type Cosigner,
  formatNote,
  isCosignedName,
  keyTypes,
  openCheckpoint,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  type VerifierKey,
  withSignatures,
} from '../note/index.ts';
import type { SeenCheckpoint, WitnessStore } from './witness-store.ts';

/** A log that a witness watches. */
export interface WatchedLog {
  readonly origin: string;
  /** Its keys: one of them has to have signed. */
  readonly keys: readonly VerifierKey[];
}

/** What a {@link Witness} works with. */
export interface WitnessParts {
  readonly store: WitnessStore;
  /** Its keys: each signs. */
  readonly cosigners: readonly Cosigner[];
  readonly logs: readonly WatchedLog[];
  /** The wall clock, milliseconds. */
  readonly now: () => number;
}

/** The answer to `add-checkpoint`. */
export type Verdict =
  | {
      readonly status: 200;
      readonly lines: readonly string[];
      readonly origin: string;
      readonly size: number;
    }
  /** Another size was cosigned last: this one. */
  | { readonly status: 409; readonly size: number; readonly why: string }
  | { readonly status: 400 | 403 | 404 | 422; readonly why: string };

/** A request that is refused, on its way out. */
class Refusal extends Error {
  readonly verdict: Exclude<Verdict, { status: 200 }>;

  constructor(verdict: Exclude<Verdict, { status: 200 }>) {
    super(verdict.why);
    this.verdict = verdict;
  }
}

/**
 * A witness: cosigns a checkpoint if it continues the last one that it cosigned of the same log (c2sp.org/tlog-witness).
 *
 * What is judged and what is kept are one transaction, and a signature leaves only when its checkpoint is on the disk. So whatever
 * dies, and however many ask at once, no two roots of one size are ever cosigned.
 */
export class Witness {
  readonly #parts: WitnessParts;
  readonly #logs: ReadonlyMap<string, WatchedLog>;
  readonly #byName: ReadonlyMap<string, string>;

  constructor(parts: WitnessParts) {
    this.#parts = parts;
    this.#logs = new Map(parts.logs.map((log) => [log.origin, log]));
    this.#byName = new Map(parts.logs.map(({ origin }) => [hexEncode(sha256(utf8Encode(origin))), origin]));
  }

  /** Answers one request, given as its body. Throws `LogError` where the database fails; then nothing was signed. */
  addCheckpoint(body: Uint8Array): Verdict {
    try {
      return this.#judge(body);
    } catch (error) {
      if (error instanceof Refusal) return error.verdict;
      throw error;
    }
  }

  /** The largest checkpoint that was cosigned of the log whose origin has this SHA-256, in hexadecimal; undefined for none. */
  checkpoint(originHash: string): Uint8Array | undefined {
    const origin = this.#byName.get(originHash);
    return origin === undefined ? undefined : this.#parts.store.seen(origin)?.note;
  }

  /** The steps in the order of the specification, because what is answered first tells what is wrong. */
  #judge(body: Uint8Array): Verdict {
    const { oldSize, proof, note } = refusing(400, () => parseAddCheckpoint(body));
    const claim = readClaim(note);
    const log = this.#logs.get(claim.origin);
    if (log === undefined) throw new Refusal({ status: 404, why: 'this witness does not watch the log' });
    const { checkpoint } = refusing(403, () => openCheckpoint(note, log));
    const { size, root } = checkpoint;
    if (oldSize > size) {
      throw new Refusal({
        status: 400,
        why: `the old size ${oldSize} is larger than the checkpoint's, ${size}`,
      });
    }
    const { store, now } = this.#parts;
    const at = now();
    let lines: readonly string[] = [];
    store.advance(log.origin, at, (last) => {
      requireSize(oldSize, last);
      requireContinuation({ oldSize, oldRoot: last?.root, proof, size, root });
      lines = this.#sign(note, at);
      return { size, root, note: withSignatures(onlyOf(note, log.keys), lines) };
    });
    return { status: 200, lines, origin: log.origin, size };
  }

  #sign(note: Uint8Array, at: number): string[] {
    const { text } = parseNote(note);
    const timestamp = timestampOf(at);
    // An ML-DSA-44 signature cannot name a log of a longer name: it is cosigned with Ed25519 alone.
    const canName = isCosignedName(parseCheckpoint(text).origin);
    const able = this.#parts.cosigners.filter(({ key }) => canName || key.type !== keyTypes.mldsa44);
    if (able.length === 0)
      throw new Refusal({ status: 400, why: 'the name of the log is too long to cosign' });
    return able.map((cosigner) => cosigner.cosign(text, timestamp));
  }
}

function requireSize(oldSize: number, last: SeenCheckpoint | undefined): void {
  const size = last?.size ?? 0;
  if (oldSize === size) return;
  throw new Refusal({ status: 409, size, why: `the size last cosigned is ${size}, not ${oldSize}` });
}

interface Step {
  readonly oldSize: number;
  /** The root that was cosigned last; undefined where nothing was. */
  readonly oldRoot: Hash | undefined;
  readonly proof: readonly Hash[];
  readonly size: number;
  readonly root: Hash;
}

function requireContinuation({ oldSize, oldRoot, proof, size, root }: Step): void {
  const refuse = (why: string): never => {
    throw new Refusal({ status: 422, why });
  };
  if (size === 0 && !equalBytes(root, EMPTY_ROOT)) refuse('an empty log has the root of the empty tree');
  if (oldSize === 0) {
    if (proof.length > 0) refuse('of the empty tree nothing is proven');
    return;
  }
  try {
    verifyConsistency({ size1: oldSize, root1: oldRoot!, size2: size, root2: root, proof });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    refuse(error.message);
  }
}

/** The note with the log's own signatures and no others: what is served again is what was checked. */
function onlyOf(note: Uint8Array, keys: readonly VerifierKey[]): Uint8Array {
  const { text, signatures } = parseNote(note);
  const kept = signatures.filter(({ name, keyId }) =>
    keys.some((key) => key.name === name && key.keyId === keyId),
  );
  return formatNote({ text, signatures: kept });
}

/** POSIX seconds. A cosignature of the time 0 would say nothing of its time. */
function timestampOf(ms: number): bigint {
  const bytes = new DataView(new ArrayBuffer(8));
  const seconds = Math.max(1, Math.floor(ms / 1000));
  bytes.setUint32(0, Math.floor(seconds / 2 ** 32));
  bytes.setUint32(4, seconds % 2 ** 32);
  return bytes.getBigUint64(0);
}

/**
 * What the checkpoint says, before anybody has verified it. A signature that is not even base64 is one that fails, as litewitness
 * answers; anything else that cannot be read is no request.
 */
function readClaim(note: Uint8Array): Checkpoint {
  try {
    return parseCheckpoint(parseNote(note).text);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const isSignature = error.code === 'malformed_note' && error.cause !== undefined;
    throw new Refusal({ status: isSignature ? 403 : 400, why: error.message });
  }
}

/** Runs a check, and refuses with this status where the evidence does not hold. */
function refusing<Result>(status: 400 | 403, check: () => Result): Result {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new Refusal({ status, why: error.message });
  }
}
