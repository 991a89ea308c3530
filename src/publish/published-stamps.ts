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
import { VerificationError } from '../bytes/index.ts';
import { systemClock } from '../platform/index.ts';
import { isLogError } from '../store/index.ts';
import { type Discovery, readHead, type Stamped } from '../verify/index.ts';
import { type ReadFile, readNoting, type StrangeFile } from './published-files.ts';

/** Files that are read at once. */
const FILES_AT_ONCE = 16;

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
 * for certificates that are none, and what `read` throws.
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
  const end = await endOf(read, from);
  if (end >= STAMP_NUMBERS_MAX) {
    const what = 'Whatever time-stamp is asked for is answered: what lies there cannot be told';
    return { stamped: [], discoveries: [discovery('timestamp_invalid', stampPath(end - 1), what)], end: 0 };
  }
  const oldest = Math.max(0, end - STAMPS_JUDGED_MAX);
  const discoveries: Discovery[] = [];
  let stamps: Sized[] = [];
  for (let to = end; to > oldest; to -= FILES_AT_ONCE) {
    const some = await readSome(read, Math.max(oldest, to - FILES_AT_ONCE), to);
    stamps = [...some.stamps, ...stamps];
    discoveries.unshift(...some.discoveries);
    if (isEnough?.(await judgeStamps(some.stamps, judging)) === true) break;
  }
  return { stamped: await judgeStamps(stamps, judging), discoveries, end };
}

/** The published time-stamps in the order of their numbers, the newest `most` of them; what is none is passed over. */
export async function* everyStamp(read: ReadFile, most: number): AsyncGenerator<PublishedStamp> {
  const taken = await endOf(read, 0);
  const end = taken >= STAMP_NUMBERS_MAX ? 0 : taken;
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

/** How many numbers are taken: they are consecutive. Asked for in growing steps from where it was, then halved. */
async function endOf(read: ReadFile, from: number): Promise<number> {
  let low = from > 0 && (await isTaken(read, from - 1)) ? from : 0;
  let step = 1;
  while (low + step <= STAMP_NUMBERS_MAX && (await isTaken(read, low + step - 1))) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, STAMP_NUMBERS_MAX);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isTaken(read, middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whoever may not list a bucket is told that a file is forbidden where there is none; the checkpoint says whether all is. */
async function isTaken(read: ReadFile, number: number): Promise<boolean> {
  const strange: StrangeFile[] = [];
  try {
    const bytes = await readNoting(read, strange)(stampPath(number), 0);
    return bytes !== undefined || strange.length > 0;
  } catch (error) {
    if (isLogError(error, 'not_permitted')) return false;
    throw error;
  }
}
