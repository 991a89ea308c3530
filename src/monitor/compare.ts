import { utf8Encode, VerificationError } from '../bytes/index.ts';
import { type Believed, openBelieved, readHead, type Stamped } from '../verify/index.ts';
import { seenUpTo, type Telling } from './found.ts';
import type { WatchedPlace } from './places.ts';
import type { MonitorState } from './state.ts';
import { continues } from './tree.ts';

/** What somebody outside has seen of a log. */
export interface SeenOutside {
  readonly notes: readonly Uint8Array[];
  /** What goes with `the log that …`: `witnesses were shown`. */
  readonly seen: string;
}

/** What others saw last has to be in the log as it is now. */
export async function compareSeen(
  { notes, seen }: SeenOutside,
  { note }: Pick<MonitorState, 'note'>,
  place: WatchedPlace,
): Promise<Telling[]> {
  const heads = notes.flatMap((one) => ({ note: one, head: readHead(one) }));
  const newest = heads.reduce<(typeof heads)[number] | undefined>(
    (best, one) => ((one.head?.size ?? -1) > (best?.head?.size ?? -1) ? one : best),
    undefined,
  );
  if (newest?.head === undefined) return [];
  const log = readHead(utf8Encode(note))!;
  const proof = [newest.note, utf8Encode(note)];
  const at = { from: 0, to: Math.max(log.size - 1, 0), proof };
  if (newest.head.size > log.size) {
    const message = `The log has ${log.size} entries; the one that ${seen} had ${newest.head.size}.`;
    return [{ code: 'rolled_back', message, ...at, key: seenUpTo(newest.head.size) }];
  }
  if ((await continues(newest.head, log, place)) !== 'no') return [];
  const message = `The log of ${log.size} entries does not continue the one of ${newest.head.size} that ${seen}.`;
  return [{ code: 'forked', message, ...at }];
}

/** The checkpoints of this log that trusted authorities have stamped: anybody can have anything stamped. */
export function stampedNotes(stamped: readonly Stamped[], believed: Believed, origin: string): Uint8Array[] {
  return stamped.flatMap(({ note, verdict }) => {
    const bytes = utf8Encode(note);
    const isTrusted = 'time' in verdict && verdict.trust === 'anchored';
    return isTrusted && readHead(bytes)?.origin === origin && isSigned(bytes, believed) ? [bytes] : [];
  });
}

function isSigned(note: Uint8Array, believed: Believed): boolean {
  try {
    openBelieved(note, believed, { quorum: false, revoked: true });
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}
