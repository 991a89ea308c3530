import { type FoundGap, SourceBook } from '../log/index.ts';
import type { Telling } from './found.ts';
import type { MonitorState } from './state.ts';

/** What was found in entries and is remembered; of more, the first stay. */
export const FLAWS_MAX = 256;

/** Missing numbers that are told again by every look; of more, all are told once. */
const GAPS_STANDING_MAX = 256;

/** What a record says stays said: that a reading of everything found no fault with what is there now does not end it. */
export function isLasting({ code }: Telling): boolean {
  return code === 'retention_invalid' || code === 'pruning_invalid';
}

/** What was found, and what is new with it. */
export function flawsAfter(flaws: readonly Telling[], found: readonly Telling[]): readonly Telling[] {
  return [...flaws, ...found].slice(0, FLAWS_MAX);
}

/** What an earlier look found and holds still: faults of entries, until everything was read anew, and numbers that never came. */
export function standingTellings({ flaws, sources, recordedAt }: MonitorState): Telling[] {
  return [...flaws, ...standingGaps(new SourceBook(sources), recordedAt)];
}

/** What is missing and was not told yet, by the log's own clock: what was recorded and is not published yet is not missing. */
export function newGaps(book: SourceBook, recordedAt: string): Telling[] {
  return tellingsOf(book, recordedAt, (gap) => {
    if (gap.isReported) return false;
    gap.report();
    return true;
  });
}

/** A source that fell silent is told once: one that ended without a word never speaks again. A number that is missing may come. */
function standingGaps(book: SourceBook, recordedAt: string): Telling[] {
  const isStanding = (gap: FoundGap): boolean => gap.isReported && gap.gap.kind === 'seq';
  return tellingsOf(book, recordedAt, isStanding).slice(0, GAPS_STANDING_MAX);
}

function tellingsOf(book: SourceBook, recordedAt: string, isMeant: (gap: FoundGap) => boolean): Telling[] {
  if (recordedAt === '') return [];
  const tellings: Telling[] = [];
  for (const found of book.gaps({ nowMs: Date.parse(recordedAt) })) {
    if (!isMeant(found)) continue;
    const { service, instance, kind, since, missingFrom, missingTo } = found.gap;
    const who = `The source ${instance} of ${service}`;
    const message =
      kind === 'seq'
        ? `${who} has handed in its events ${missingFrom} to ${missingTo}, which were due by ${since}, and the log does not have them.`
        : `${who} has fallen silent after ${since} without saying that it stops.`;
    // No entry shows it: what is missing concerns the log.
    tellings.push({
      code: kind === 'seq' ? 'source_gap' : 'source_silent',
      message,
      from: 0,
      to: 0,
      key: message,
    });
  }
  return tellings;
}
