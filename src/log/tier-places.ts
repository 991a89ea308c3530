import { fileURLToPath } from 'node:url';
import type { Publication } from '../anchor/index.ts';
import { base64Encode, VerificationError } from '../bytes/index.ts';
import { NOTE_BYTES_MAX, openNote, parseCheckpoint, parseVerifierKey } from '../note/index.ts';
import { CHECKPOINT_PATH, DirectoryTileStore } from '../store/index.ts';
import type { ReportedKey } from '../verify/index.ts';
import type { History, PlaceFact } from './tier-model.ts';

/** What lies at a place where a log is noted to be published. */
export interface PlaceSight {
  /** The file of the checkpoint; undefined where none is there. */
  readonly checkpoint: Uint8Array | undefined;
  /** Until when the place itself says that nobody deletes or replaces that file, milliseconds since the epoch. */
  readonly lockedUntil?: number;
}

/** Looks at a place by its URL; answers undefined for one at which it does not look. What it throws is told as it is. */
export type PlaceLook = (url: string) => Promise<PlaceSight | undefined>;

/** How long a place is waited for, milliseconds: whoever asks what vouches for a log is not held up by a place that is away. */
export const PLACE_WAIT_MS = 5_000;

/** What published checkpoints are held against. */
interface Against {
  readonly origin: string;
  /** The keys that the log has had. */
  readonly keys: readonly ReportedKey[];
  /** Of which history a checkpoint is. */
  readonly historyOf: (state: { readonly size: number; readonly root: string }) => Promise<History>;
  readonly look: PlaceLook;
  readonly contradictions: string[];
}

/** Looks at every place that is noted: a note is anybody's who can write to the disk. */
export function placesOf(published: readonly Publication[], against: Against): Promise<PlaceFact[]> {
  return Promise.all(published.map(async (place) => ({ ...place, ...(await found(place, against)) })));
}

/** Looks into folders of this machine, which are named `file:`, and at no other place. */
export async function lookInFolders(url: string): Promise<PlaceSight | undefined> {
  if (!url.startsWith('file:')) return undefined;
  const reader = DirectoryTileStore.reading(fileURLToPath(url));
  try {
    return { checkpoint: await reader.read(CHECKPOINT_PATH, NOTE_BYTES_MAX) };
  } finally {
    await reader.close();
  }
}

async function found({ url }: Publication, against: Against): Promise<Pick<PlaceFact, 'seen' | 'problem'>> {
  let sight: PlaceSight | undefined;
  try {
    sight = await within(PLACE_WAIT_MS, against.look(url));
  } catch (error) {
    return { problem: `cannot be read: ${wordsOf(error, url)}` };
  }
  if (sight === undefined) return {};
  const { checkpoint, lockedUntil } = sight;
  if (checkpoint === undefined) return { problem: 'nothing lies there' };
  try {
    return await judged(checkpoint, lockedUntil, { url, ...against });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    return { problem: `what lies there is no checkpoint of this log: ${error.message}` };
  }
}

/** A checkpoint that a key of this log has signed and that this log continues; any other is told. */
async function judged(
  checkpoint: Uint8Array,
  lockedUntil: number | undefined,
  { url, origin, keys, historyOf, contradictions }: Against & { readonly url: string },
): Promise<Pick<PlaceFact, 'seen' | 'problem'>> {
  const opened = openNote(
    checkpoint,
    keys.map(({ vkey }) => parseVerifierKey(vkey)),
  );
  const { origin: named, size, root } = parseCheckpoint(opened.text);
  if (named !== origin) return { problem: 'what lies there is another log' };
  const signedBy = keys.filter(({ vkey }) => opened.verified.some(({ key }) => key.text === vkey));
  if (!signedBy.some((key) => isSignerOf(key, size))) {
    return { problem: 'what lies there is signed by a key that does not sign the log at that size' };
  }
  const history = await historyOf({ size, root: base64Encode(root) });
  if (history === 'this') return { seen: { size, ...(lockedUntil !== undefined && { lockedUntil }) } };
  contradictions.push(`At ${url} lie ${size} entries of ${history}, signed by a key of this log.`);
  return { problem: `what lies there is of ${history}` };
}

function isSignerOf({ first, last, compromisedSince }: ReportedKey, size: number): boolean {
  return compromisedSince === undefined && size >= first && size <= (last ?? size);
}

/** Without the place, which the sentence names already. */
function wordsOf(error: unknown, url: string): string {
  const words = error instanceof Error ? error.message : String(error);
  return words.startsWith(`${url}: `) ? words.slice(url.length + 2) : words;
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} seconds`)), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
