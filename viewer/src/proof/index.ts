/**
 * The check in the page: keys that this browser pinned, checkpoints that it saw, and every row that it shows.
 *
 * The server is asked for bytes and for nothing else; a verdict is made here, from the bytes, under a key that this browser
 * keeps. Since the key (at the first visit) and this very page come from the server, what is detected is a database that
 * was changed under an honest server. A hostile server could serve another page: against that stand the command line,
 * proof files and witnesses, and the viewer says so.
 */

export { LogVerifier, type LogVerifierOptions } from './log-verifier.ts';
export type {
  CheckedRow,
  HeadVerdict,
  Row,
  RowVerdict,
  SeenCheckpoint,
  SignedHead,
} from './model.ts';
export { type Pin, Pins } from './pins.ts';
