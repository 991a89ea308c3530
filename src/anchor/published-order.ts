import type { DatabaseSync } from 'node:sqlite';
import { VerificationError } from '../bytes/index.ts';
import { parseNote } from '../note/index.ts';
import { type PublishedCheckpoint, publishedOf } from './anchor-rows.ts';

/** How many of the newest published checkpoints stay, whatever their number in an hour. */
export const PUBLISHED_KEPT_MIN = 256;

/** Rows that are read at once. */
const ROWS_AT_ONCE = 256;

/** Sets of signers that are told apart at most: a few witnesses that come and go make a few. */
const SIGNER_SETS_MAX = 1_024;

/** In one hour the newest of each set of signers stays. */
const HOUR_MS = 3_600_000;

/**
 * Every published checkpoint of at most `size` entries, largest first, read by pages; one that was signed again comes twice, with its
 * newest signatures first.
 */
export function* publishedByPages(
  db: DatabaseSync,
  size: number,
  again: PublishedCheckpoint | undefined,
): Generator<PublishedCheckpoint, void, undefined> {
  const rows = db.prepare('SELECT size, note, at FROM published WHERE size <= ? ORDER BY size DESC LIMIT ?');
  let left = again !== undefined && again.size <= size ? again : undefined;
  for (let to = size; ; ) {
    const page = rows.all(to, ROWS_AT_ONCE).map(publishedOf);
    for (const published of page) {
      if (left !== undefined && left.size >= published.size) {
        yield left;
        left = undefined;
      }
      yield published;
    }
    if (page.length < ROWS_AT_ONCE) break;
    to = page.at(-1)!.size - 1;
  }
  if (left !== undefined) yield left;
}

/**
 * Sets of signers, of which one covers another where it has all of its keys. Nothing is verified here: a line counts as its key's, and
 * as one, however long it is.
 */
export class SignerSets {
  readonly #sets: Set<string>[] = [];

  /** Takes up the signers of a note; answers whether no set so far has them all. */
  add(note: Uint8Array): boolean {
    const signers = signersOf(note);
    if (this.#sets.some((known) => signers.every((signer) => known.has(signer)))) return false;
    if (this.#sets.length < SIGNER_SETS_MAX) this.#sets.push(new Set(signers));
    return true;
  }
}

/** The keys that have put a line under a note, as the lines say; none of what is no note. */
function signersOf(note: unknown): string[] {
  try {
    if (!(note instanceof Uint8Array)) return [];
    return parseNote(note).signatures.map(({ name, keyId }) => `${name} ${keyId}`);
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

/**
 * Of published checkpoints, largest first, those that no larger one makes needless: its signers have not all signed a larger one. The
 * newest of each witness is among them, and so is the newest that satisfies a policy, whichever that is.
 */
export function standingOf(published: Iterable<PublishedCheckpoint>): PublishedCheckpoint[] {
  const sets = new SignerSets();
  const standing: PublishedCheckpoint[] = [];
  for (const one of published) {
    if (sets.add(one.note)) standing.push(one);
    if (standing.length === SIGNER_SETS_MAX) break;
  }
  return standing;
}

/**
 * The sizes of published checkpoints that add nothing: behind the newest {@link PUBLISHED_KEPT_MIN}, each one that another of the same
 * hour follows, which all its signers have signed. A busy log publishes one every second.
 */
export function needlessIn(published: Iterable<PublishedCheckpoint>): number[] {
  const hours = new Map<number, SignerSets>();
  const needless: number[] = [];
  let count = 0;
  for (const { size, note, at } of published) {
    const hour = Math.floor(at / HOUR_MS);
    const sets = hours.get(hour) ?? new SignerSets();
    hours.set(hour, sets);
    const adds = sets.add(note);
    count += 1;
    if (!adds && count > PUBLISHED_KEPT_MIN) needless.push(size);
  }
  return needless;
}
