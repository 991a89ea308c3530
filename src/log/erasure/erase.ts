import { misuse } from '../../bytes/index.ts';
import { type Actor, isSubject, LOG_ITSELF } from '../../event/index.ts';

/** How many different people have to approve an erasure. */
export const APPROVERS_MIN = 2;

/** How long followers are waited for where the caller does not say, milliseconds. */
export const FOLLOWERS_WAIT_MS_DEFAULT = 10_000;

/** How long readers are waited for that keep the files in use where the caller does not say, milliseconds. */
export const SCOUR_MS_MAX = 30_000;

/** Most characters of a ground, and of an id of a request or a person. */
const WORDS_CHARACTERS_MAX = 256;

/** What no erasure reaches, whoever asks: it has to be seen to elsewhere. */
export const OUT_OF_REACH = [
  'backups of the log, and copies of its files',
  'exports, proofs and evidence that were handed out',
  'copies that clients, sinks and their spools keep',
  'blocks that the file system or the disk has freed and not overwritten yet, and its snapshots',
  'memory of processes, swap and core dumps',
] as const;

/** What {@link OUT_OF_REACH} is beside that on PostgreSQL. */
export const OUT_OF_REACH_POSTGRES = [
  'the write-ahead log of the server (pg_wal), and its archive',
  'replicas that lag, and replication slots that hold segments back',
  'the logs of the server, where it writes statements or their parameters',
] as const;

/** How a subject is erased. */
export interface EraseOptions {
  /** Whose values: `type/id`. */
  readonly subject: string;
  /** On what ground, as `gdpr-17`. It stays in the open for ever: name no person. */
  readonly basis: string;
  /** The request that asked for it. In the open for ever. */
  readonly requestId: string;
  /** Who approved it: ids of two different people at least. In the open for ever, so an address is refused. */
  readonly approvedBy: readonly string[];
  /** Who asks the log to; the log itself by default. */
  readonly actor?: Actor;
  /** Counts what would be erased, and erases nothing. */
  readonly dryRun?: boolean;
  /** How long followers are waited for, milliseconds. Default {@link FOLLOWERS_WAIT_MS_DEFAULT}. */
  readonly followersWaitMs?: number;
  /** How long readers are waited for that keep old pages of the files in use, milliseconds. Default {@link SCOUR_MS_MAX}. */
  readonly filesWaitMs?: number;
}

/** What an erasure has done. */
export interface ErasureResult {
  readonly subject: string;
  /** The entry that records it; absent after a dry run, and where `alreadyErased` is there. */
  readonly id?: string;
  readonly index?: number;
  /**
   * The entry that records an earlier erasure of this subject, where nothing has come since that could be erased: then nothing was
   * recorded, and what that erasure had left in files was removed.
   */
  readonly alreadyErased?: number;
  /** Values in entries below this index. */
  readonly below: number;
  /** How many values were removed, and from how many entries. */
  readonly values: number;
  readonly entries: number;
  /** The digest of what was removed, as the entry has it; absent where no entry was written. */
  readonly digest?: string;
  /** Whether no byte is left in the files of the log; `residue` says why not. */
  readonly isClean: boolean;
  readonly residue?: string;
  /** Followers that have not passed the entry yet: what they keep is not erased until they have. */
  readonly lagging: readonly { readonly name: string; readonly size: number }[];
  /** What no erasure reaches. */
  readonly outOfReach: readonly string[];
}

const waits = ['followersWaitMs', 'filesWaitMs'] as const;
const names = ['subject', 'basis', 'requestId', 'approvedBy', 'actor', 'dryRun', ...waits];

/**
 * Refuses what is no erasure, before anything is looked at. Throws a misuse `option_unknown`, `option_invalid`: there is no way
 * to name an action, a time, an outcome or an id, since none of them can ever be erased; `subject_not_erasable` for the log itself.
 */
export function checkErase(options: EraseOptions): void {
  if (typeof options !== 'object' || options === null) throw invalid('erase takes {subject, basis, …}');
  for (const name of Object.keys(options)) {
    if (!names.includes(name))
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
  }
  const { subject, basis, requestId, approvedBy } = options;
  checkSubject(subject);
  if (subject === LOG_ITSELF) {
    const why = `${LOG_ITSELF} is the log itself: what it says of itself is never erased`;
    throw misuse('type', 'subject_not_erasable', why);
  }
  for (const [name, text] of Object.entries({ basis, requestId })) checkWords(name, text);
  checkApprovers(approvedBy, 'an erasure');
  for (const name of waits) {
    const waitMs = options[name] ?? 0;
    if (!Number.isSafeInteger(waitMs) || waitMs < 0)
      throw misuse('range', 'option_invalid', `${name} must be a whole number of milliseconds`);
  }
}

/** Refuses fewer than two different people, or names that are none. `what` needs them. Throws a misuse `option_invalid`. */
export function checkApprovers(approvedBy: unknown, what: string): void {
  if (!Array.isArray(approvedBy)) throw invalid('approvedBy is a list of the people who approved it');
  for (const approver of approvedBy as readonly string[]) {
    checkWords('approvedBy', approver);
    if (approver.includes('@'))
      throw invalid('approvedBy stays in the open for ever: give an id, not an address');
  }
  const people = new Set((approvedBy as readonly string[]).map((approver) => approver.trim().toLowerCase()));
  if (people.size < APPROVERS_MIN) {
    throw invalid(`${what} needs the approval of ${APPROVERS_MIN} different people: approvedBy`);
  }
}

/** Refuses what is no subject. Throws a misuse `option_invalid`. */
export function checkSubject(subject: unknown): void {
  if (!isSubject(subject)) throw invalid('a subject is written type/id, as user/u_42');
}

function checkWords(name: string, text: unknown): void {
  const isWords =
    typeof text === 'string' &&
    text.trim() !== '' &&
    text.length <= WORDS_CHARACTERS_MAX &&
    text.isWellFormed() &&
    !/\p{Cc}/u.test(text);
  if (!isWords)
    throw invalid(`${name} must be a text of 1 to ${WORDS_CHARACTERS_MAX} characters, on one line`);
}

function invalid(message: string): TypeError {
  return misuse('type', 'option_invalid', message) as TypeError;
}
