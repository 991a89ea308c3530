/**
 * Evidence: entries with all that is needed to check them, in one file that its reader needs nobody's help for.
 *
 * What is asked for is a query or some ids. What goes in besides is what a verifier would have to ask for otherwise: the log's first
 * entry, the records of keys, those of erasures and retention that concern what is selected, the tiles that lead to one checkpoint,
 * cosignatures and timestamps, and sentences that say what is not shown. The log's key signs all of it. Format: spec/evidence.md; `src/verify` checks it.
 */
export type { EvidenceWriting } from './evidence.ts';
export type { EvidenceSelection } from './selection.ts';
export { takeEvidence } from './take.ts';
