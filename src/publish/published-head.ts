import { equalBytes, VerificationError } from '../bytes/index.ts';
import { openWithPolicy } from '../note/index.ts';
import type { TileReader } from '../store/index.ts';
import {
  Audit,
  type AuditReport,
  describe,
  findingOfSignature,
  policyOf,
  readHead,
  type Trust,
} from '../verify/index.ts';
import { isCosigned, type KeySearchLimits } from './key-search.ts';
import { PublishedKey } from './published-keys.ts';

/**
 * Logs that claim more entries than this are not audited before it is known who has signed that: whoever serves these can make an
 * audit read 4 GiB, as much as a search for changes of keys.
 */
const UNSIGNED_ENTRIES_MAX = 65_536;

/** With what checkpoints are judged before an audit. */
export interface HeadSettings {
  readonly reader: TileReader;
  readonly trust: Trust;
  readonly keySearch?: KeySearchLimits | undefined;
}

/**
 * Looks at the signatures on a checkpoint before anything that it claims to cover is read: whoever serves the files can claim what they
 * like.
 */
export class Heads {
  readonly #settings: HeadSettings;
  /** The checkpoint that was not refused. */
  #passed: Uint8Array | undefined;

  constructor(settings: HeadSettings) {
    this.#settings = settings;
  }

  /**
   * The report that refuses a checkpoint; undefined where an audit is to go on: it is signed; or another key has signed it, which may
   * have taken the place of the known one, and the log is not so large that reading all of it would be in the power of who serves it.
   */
  async refusalOf(checkpoint: Uint8Array): Promise<AuditReport | undefined> {
    if (this.#passed !== undefined && equalBytes(this.#passed, checkpoint)) return undefined;
    const claim = readHead(checkpoint);
    const error = claim && (await this.#judge(checkpoint, claim.size));
    if (error !== undefined) return refuse(error, claim!.size, this.#settings.trust);
    this.#passed = checkpoint;
    return undefined;
  }

  async #judge(checkpoint: Uint8Array, size: number): Promise<VerificationError | undefined> {
    const { reader, trust, keySearch } = this.#settings;
    const asked = policyOf(trust);
    // As in the audit, witnesses are not asked for: the audit itself says what they have signed.
    const policy = { ...asked, quorum: undefined };
    const error = await failureOf(async () => openWithPolicy(checkpoint, policy));
    if (error === undefined || !mayBeReplaced.has(error.code)) return error;
    if (size <= UNSIGNED_ENTRIES_MAX || isCosigned(checkpoint, asked)) return undefined;
    const unknown = await failureOf(() => new PublishedKey(reader, policy, keySearch).open(checkpoint));
    return unknown !== undefined && mayBeReplaced.has(unknown.code) ? unknown : undefined;
  }
}

/** Errors of which entries may say more: who took the place of whom. */
const mayBeReplaced: ReadonlySet<string> = new Set([
  'signature_unknown',
  'key_retired',
  'policy_unsatisfied',
  'origin_mismatch',
]);

async function failureOf(open: () => Promise<unknown>): Promise<VerificationError | undefined> {
  try {
    await open();
    return undefined;
  } catch (error) {
    if (error instanceof VerificationError) return error;
    throw error;
  }
}

/** A report of nothing but this. */
function refuse(error: VerificationError, size: number, trust: Trust): AuditReport {
  const nothing = new Audit({ checkpoint: new Uint8Array(0), last: -1 }, { trust }).conclude();
  const what = `The checkpoint does not verify, and nothing that it claims to cover was read: ${error.message.replace(/\.$/, '')}`;
  const finding = describe({
    code: findingOfSignature(error),
    from: 0,
    to: Math.max(size - 1, 0),
    what,
    ofLog: true,
    detail: { code: error.code },
  });
  return { ...nothing, findings: [finding], omitted: 0 };
}
