import {
  certificatesOf,
  judgeStamps,
  type PublishedStamp,
  parseStampFile,
  STAMP_FILE_BYTES_MAX,
  STAMP_NUMBERS_MAX,
  STAMPS_JUDGED_MAX,
  stampPath,
} from '../anchor/index.ts';
import { equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { systemClock } from '../platform/index.ts';
import { CHECKPOINT_PATH, isLogError } from '../store/index.ts';
import { type Discovery, readHead, type Stamped } from '../verify/index.ts';
import { type ReadFile, readNoting, type StrangeFile } from './published-files.ts';

/** Files that are read at once. */
const FILES_AT_ONCE = 16;

/** With this begins each file of a time-stamp. */
const BEGINNING = utf8Encode('{"authority":"');

/** What is published of time-stamps, judged as far as it goes without the log. */
export interface PublishedStamps {
  readonly stamped: readonly Stamped[];
  /** What lies there and is none. */
  readonly discoveries: readonly Discovery[];
  /** How many numbers are taken. */
  readonly end: number;
}

/** Which of them are read, and whom to believe. */
export interface StampsAsked {
  /** Certificates of authorities to trust, in PEM or DER. */
  readonly certificates?: string | Uint8Array | undefined;
  /** How many numbers were taken when somebody looked last: the search for the newest begins there. */
  readonly from?: number | undefined;
  /** Whether what was judged is enough, so that no older ones are read. They come in groups, the newest first. */
  readonly isEnough?: (stamped: readonly Stamped[]) => boolean;
}

/**
 * The published time-stamps of a log, the newest {@link STAMPS_JUDGED_MAX}: each covers the whole log up to its size. Nothing that is
 * there is believed. Read before the checkpoint, none is ahead of it, as they are published after it. Throws a misuse `option_invalid`
 * for certificates that are none; and where certificates were given, what `read` throws. Who trusts no authority misses nothing.
 */
export async function publishedStamps(
  read: ReadFile,
  { certificates, from = 0, isEnough }: StampsAsked = {},
): Promise<PublishedStamps> {
  const trusted = certificatesOf({
    name: 'the option tsaCertificates',
    ...(certificates !== undefined && { certificates }),
  });
  const judging = { certificates: () => trusted, now: systemClock.wall() };
  const unread = new Set<string>();
  const reading = certificates === undefined ? passingOver(read, unread) : read;
  const { end, answersAll } = await endOf(reading, from);
  if (answersAll && end === 0) {
    if (certificates === undefined) return { stamped: [], discoveries: [], end };
    const what = 'Whatever time-stamp is asked for is answered: what lies there cannot be told';
    return {
      stamped: [],
      discoveries: [discovery('timestamp_invalid', stampPath(STAMP_NUMBERS_MAX - 1), what)],
      end,
    };
  }
  const oldest = Math.max(0, end - STAMPS_JUDGED_MAX);
  const discoveries: Discovery[] = [];
  let stamps: Sized[] = [];
  for (let to = end; to > oldest; to -= FILES_AT_ONCE) {
    const some = await readSome(reading, Math.max(oldest, to - FILES_AT_ONCE), to, unread);
    stamps = [...some.stamps, ...stamps];
    discoveries.unshift(...some.discoveries);
    if (isEnough?.(await judgeStamps(some.stamps, judging)) === true) break;
  }
  return { stamped: await judgeStamps(stamps, judging), discoveries, end };
}

/** The published time-stamps in the order of their numbers, the newest `most` of them; what is none is passed over. */
export async function* everyStamp(read: ReadFile, most: number): AsyncGenerator<PublishedStamp> {
  const { end } = await endOf(read, 0);
  for (let from = Math.max(0, end - most); from < end; from += FILES_AT_ONCE) {
    yield* (await readSome(read, from, Math.min(end, from + FILES_AT_ONCE))).stamps;
  }
}

interface Sized extends PublishedStamp {
  readonly size: number;
}

async function readSome(
  read: ReadFile,
  from: number,
  to: number,
  unread: ReadonlySet<string> = new Set(),
): Promise<{ readonly stamps: Sized[]; readonly discoveries: Discovery[] }> {
  const files = await Promise.all(
    Array.from({ length: to - from }, async (_, at) => {
      const strange: StrangeFile[] = [];
      const path = stampPath(from + at);
      return { path, strange, bytes: await readNoting(read, strange)(path, STAMP_FILE_BYTES_MAX) };
    }),
  );
  const discoveries: Discovery[] = [];
  const stamps = files.flatMap(({ path, strange: [strange], bytes }): Sized[] => {
    if (strange !== undefined) {
      const what = `${path} is ${strange.kind}, and was not followed`;
      discoveries.push(discovery('not_a_file', path, what));
      return [];
    }
    if (bytes === undefined && unread.has(path)) return [];
    try {
      if (bytes === undefined)
        throw new VerificationError('malformed_timestamp', 'It is missing, and later ones are there.');
      const stamp = parseStampFile(bytes);
      return [{ ...stamp, size: readHead(stamp.note)?.size ?? 0 }];
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      const why = error.message.replace(/\.$/, '');
      discoveries.push(discovery('timestamp_invalid', path, `${path} shows nothing: ${why}`));
      return [];
    }
  });
  return { stamps, discoveries };
}

function discovery(code: Discovery['code'], path: string, what: string): Discovery {
  return { code, from: 0, to: 0, what, ofLog: true, detail: { about: 'evidence', path } };
}

/** Takes for absent what cannot be read, and notes it. */
function passingOver(read: ReadFile, unread: Set<string>): ReadFile {
  return async (path, bytesMax) => {
    try {
      return await read(path, bytesMax);
    } catch (error) {
      if (!isLogError(error) && (error as NodeJS.ErrnoException).errno === undefined) throw error;
      unread.add(path);
      return undefined;
    }
  };
}

/** How many numbers are taken, and whether the place answers whatever it is asked for. */
interface Numbers {
  readonly end: number;
  readonly answersAll: boolean;
}

/** How many numbers are taken: they are consecutive. Asked for in growing steps from where it was, then halved. */
async function endOf(read: ReadFile, from: number): Promise<Numbers> {
  let answersAll: boolean | undefined;
  const isTaken = async (number: number): Promise<boolean> => {
    const there = await lookAt(read, number);
    if (there !== 'other') return there === 'stamp';
    // A damaged one, or the page that a web server gives for whatever is not there.
    answersAll ??= (await lookAt(read, STAMP_NUMBERS_MAX - 1)) !== 'nothing';
    return !answersAll;
  };
  let low = from > 0 && (await isTaken(from - 1)) ? from : 0;
  let step = 1;
  while (low + step <= STAMP_NUMBERS_MAX && (await isTaken(low + step - 1))) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, STAMP_NUMBERS_MAX);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isTaken(middle)) low = middle + 1;
    else high = middle;
  }
  return low >= STAMP_NUMBERS_MAX
    ? { end: 0, answersAll: true }
    : { end: low, answersAll: answersAll === true };
}

/** What begins like a time-stamp, or is no file at all, takes its number. */
async function lookAt(read: ReadFile, number: number): Promise<'stamp' | 'other' | 'nothing'> {
  const strange: StrangeFile[] = [];
  try {
    const bytes = await readNoting(read, strange)(stampPath(number), BEGINNING.length);
    if (bytes === undefined) return strange.length > 0 ? 'stamp' : 'nothing';
    return equalBytes(bytes.subarray(0, BEGINNING.length), BEGINNING) ? 'stamp' : 'other';
  } catch (error) {
    if (isAbsence(error)) return 'nothing';
    throw error;
  }
}

/**
 * Whether a server says in its own way that a file is not there: it redirects, or refuses the question. Whoever may not list a bucket
 * is told that a file is forbidden where there is none; the checkpoint says whether all is.
 */
function isAbsence(error: unknown): boolean {
  return isLogError(error, 'not_permitted') || (isLogError(error, 'unreachable') && !error.retryable);
}

/** The checkpoint, read once more where a time-stamp is ahead of it: what was read first may be a moment old. */
export async function upToStamps(
  read: ReadFile,
  checkpoint: Uint8Array,
  stamped: readonly Stamped[],
): Promise<Uint8Array> {
  const size = sizeOf(checkpoint);
  if (stamped.every(({ note }) => sizeOf(utf8Encode(note)) <= size)) return checkpoint;
  const again = await readNoting(read, [])(CHECKPOINT_PATH, NOTE_BYTES_MAX);
  return again !== undefined && sizeOf(again) > size ? again : checkpoint;
}

/**
 * Without those that are ahead of the checkpoint and whose authority nobody trusts: a checkpoint that comes out of a cache, or from a
 * copy that was being made, is behind them, and no one was shown anything else.
 */
export function withoutAhead(stamped: readonly Stamped[], checkpoint: Uint8Array): Stamped[] {
  const size = sizeOf(checkpoint);
  return stamped.filter(
    ({ note, verdict }) =>
      !('time' in verdict) || verdict.trust === 'anchored' || sizeOf(utf8Encode(note)) <= size,
  );
}

function sizeOf(note: Uint8Array): number {
  return readHead(note)?.size ?? 0;
}
