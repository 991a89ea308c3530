/** What the statements of evidence depend on. */
export interface EvidenceFacts {
  readonly size: number;
  readonly selected: number;
  readonly complete: { readonly from: number; readonly to: number } | null;
  readonly isQuery: boolean;
  readonly withheld: number;
  /** Entries below it may have been pruned; 0 where none was. */
  readonly pruned: number;
  readonly hasTimestamps: boolean;
  /** How many entries the checkpoint covers that witnesses have cosigned; 0 where there is none. */
  readonly witnessed: number;
}

/** What an evidence file does not show, in sentences for whoever is handed it. */
export function statementsOf(facts: EvidenceFacts): string[] {
  const { size, selected, complete, isQuery, withheld, pruned, hasTimestamps, witnessed } = facts;
  return [
    `It shows that ${selected === 1 ? 'this entry is' : `these ${selected} entries are`} in the log as recorded. Whether what was recorded is true it does not show.`,
    ...(complete?.from === 0 && complete.to === size
      ? []
      : [
          isQuery
            ? 'Which entries the query finds is the word of whoever made this file: other entries of the log may match it too.'
            : 'The entries were named one by one; the log holds others, which may concern the same matter.',
        ]),
    ...(complete === null
      ? []
      : [
          `Every entry from ${complete.from} to ${complete.to - 1} is here. What was never recorded is in no log: gaps in the numbers of a source tell of it, where a source numbers its events.`,
        ]),
    ...(complete?.from === 0 && complete.to === size
      ? []
      : [
          'Of the log’s records of erasures, of retention and of gaps in the numbers of a source those are here that concern these entries; others, and legal holds, are not.',
        ]),
    `Nothing is said of entries behind the first ${size}.`,
    ...(pruned === 0
      ? []
      : [
          `Entries below the index ${pruned} were pruned from the log by its policy of retention, but for the log’s own: whether others among them concern the same matter, the log does not tell any more.`,
        ]),
    hasTimestamps
      ? 'The times in the entries are the word of the application and the operator; the time-stamp tokens bound them from above.'
      : 'The times in the entries are the word of the application and the operator.',
    withheld === 0
      ? 'No sealed value that the log still held was left out.'
      : `${withheld} sealed ${withheld === 1 ? 'value was' : 'values were'} left out; their digests are in the entries.`,
    witnessed === 0
      ? 'No witness has cosigned what is here: that the log shows the same history to everybody is vouched for by receipts that others hold.'
      : `That the log shows the same history to everybody is vouched for, of its first ${witnessed} entries, by the witnesses that have cosigned them, and by receipts that others hold.`,
  ];
}
