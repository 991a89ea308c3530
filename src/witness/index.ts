/**
 * A witness: the second pair of eyes on a log.
 *
 * It knows one thing of each log that it watches: the largest checkpoint that it has cosigned. It cosigns another one only if a
 * proof shows that it continues that one. It reads no entry, needs no trust from the log, and none but its own key is asked of it.
 * A log that shows two histories cannot have both cosigned by it; whoever asks for its cosignature can therefore be shown only one.
 *
 * ```text
 * POST /add-checkpoint                      old size, consistency proof, checkpoint  ->  signature lines
 * GET  /<SHA-256 of the origin>/checkpoint  the largest checkpoint that it has cosigned
 * ```
 *
 * Run it where the log's operator has no hand: `indelible witness serve`, or `createWitnessHandler` in a server of your own.
 *
 * Formats: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature.
 */
export { type NamedKey, readLogList, watchedLogs } from './watched-logs.ts';
export { type Verdict, type WatchedLog, Witness, type WitnessParts } from './witness.ts';
export {
  createWitness,
  type OpenedWitness,
  openWitness,
  type WitnessFiles,
  witnessFiles,
} from './witness-folder.ts';
export { createWitnessHandler, WITNESS_REQUEST_BYTES_MAX, type WitnessLogger } from './witness-handler.ts';
export { type SeenCheckpoint, WitnessStore } from './witness-store.ts';
