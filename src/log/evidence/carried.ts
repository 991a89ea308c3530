import {
  AnchorStore,
  certificatesOf,
  type StampedCheckpoint,
  type TimestampSettings,
} from '../../anchor/index.ts';
import { base64Encode, utf8Decode, VerificationError } from '../../bytes/index.ts';
import { parseCheckpoint, parseNote } from '../../note/index.ts';
import { LogError } from '../../store/index.ts';
import { EVIDENCE_CERTIFICATES_MAX } from '../../verify/index.ts';
import type { SignedCheckpoint } from '../reader.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import type { Witnessing } from '../witnessing.ts';

/** Most time-stamp tokens that one file carries: each of them, with its chain, takes some kilobytes, and so do the tiles of its size. */
export const STAMPS_CARRIED_MAX = 64;

/** What outside parties have signed about a log, and who they are. */
export interface OutsideParties {
  /** The file with what they signed; '' where there is none. */
  readonly anchors: string;
  readonly witnessing: Witnessing | undefined;
  /** Who time-stamps the log. Throws a misuse where the settings cannot be read. */
  readonly settings: () => TimestampSettings | undefined;
}

/** What of it travels in a file. */
export interface Carried {
  /** The policy that the operator follows, as text. */
  readonly policy: string | null;
  readonly witnessed: SignedCheckpoint | null;
  readonly stamps: readonly (Pick<StampedCheckpoint, 'authority' | 'token'> & {
    readonly checkpoint: SignedCheckpoint;
  })[];
  /** Certificates of the settings, in DER, each once. */
  readonly certificates: readonly Uint8Array[];
}

/**
 * Collects what outside parties have signed of the first `size` entries: the newest checkpoint with a quorum; and for each entry, of each
 * authority, the first time-stamp that covers it, which bounds its time most tightly. All of it is of this history, or nothing is
 * made: throws `LogError` `rolled_back` where a stamped or cosigned checkpoint is not, `log_damaged` where one is none, `io_failed`
 * where `anchors.db` cannot be read.
 */
export async function carriedIn(
  parties: OutsideParties,
  reader: ReaderHandle,
  { size, indexes }: { readonly size: number; readonly indexes: readonly number[] },
): Promise<Carried> {
  const { witnessing, settings } = parties;
  const witnessed = witnessing?.newest(0, size) ?? null;
  const stamps = stampsCovering(parties.anchors, size, indexes).map(carriedStamp);
  for (const { checkpoint } of [...(witnessed === null ? [] : [{ checkpoint: witnessed }]), ...stamps])
    await reader.checkContinues(checkpoint);
  return {
    policy: witnessing?.policyText ?? null,
    witnessed,
    stamps,
    certificates: certificatesFor(stamps, settings),
  };
}

function stampsCovering(path: string, size: number, indexes: readonly number[]): StampedCheckpoint[] {
  const store = AnchorStore.openReadable(path);
  if (store === undefined) return [];
  try {
    const sizes = new Map<string, number[]>();
    for (const stamp of store.timestampsUpTo(size))
      sizes.set(stamp.authority, [...(sizes.get(stamp.authority) ?? []), stamp.size]);
    const most = Math.max(1, Math.floor(STAMPS_CARRIED_MAX / Math.max(1, sizes.size)));
    return [...sizes]
      .slice(0, STAMPS_CARRIED_MAX)
      .flatMap(([authority, all]) =>
        thinned(firstCovering(all, indexes), most).map((stamped) =>
          store.timestamp({ size: stamped, authority }),
        ),
      )
      .filter((stamp) => stamp !== undefined);
  } finally {
    store.close();
  }
}

/** Of sizes, the first that covers each index. Both ascend. */
function firstCovering(sizes: readonly number[], indexes: readonly number[]): number[] {
  const found = new Set<number>();
  let at = 0;
  for (const index of indexes) {
    while (at < sizes.length && sizes[at]! <= index) at += 1;
    if (at === sizes.length) break;
    found.add(sizes[at]!);
  }
  return [...found];
}

/** At most so many of a list, evenly, its last among them. */
function thinned(items: readonly number[], most: number): number[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, place) => items[Math.ceil(((place + 1) * items.length) / most) - 1]!,
  );
}

function carriedStamp({ authority, token, note, size }: StampedCheckpoint): Carried['stamps'][number] {
  try {
    const checkpoint = parseCheckpoint(parseNote(note).text);
    return {
      ...{ authority, token },
      checkpoint: { size: checkpoint.size, root: base64Encode(checkpoint.root), note: utf8Decode(note) },
    };
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new LogError('log_damaged', `what ${authority} time-stamped at size ${size} is no checkpoint`, {
      cause,
      hint: 'run verify: it names everything that was changed',
    });
  }
}

/** The certificates that the settings name for whoever has stamped: they may complete a chain that a token leaves short. */
function certificatesFor(stamps: Carried['stamps'], settings: OutsideParties['settings']): Uint8Array[] {
  const names = new Set(stamps.map(({ authority }) => authority));
  const authorities = names.size === 0 ? [] : (settings()?.authorities ?? []);
  const found = authorities.filter(({ name }) => names.has(name)).flatMap((one) => certificatesOf(one) ?? []);
  const once = new Map(found.map((der) => [base64Encode(der), der]));
  return [...once.values()].slice(0, EVIDENCE_CERTIFICATES_MAX);
}
