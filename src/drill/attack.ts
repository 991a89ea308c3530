import type { Signer } from '../note/index.ts';
import type { Attacker } from './attacker.ts';

/** What an attack works with. */
export interface Scene {
  /** The copy that is attacked. */
  readonly attacker: Attacker;
  readonly origin: string;
  /** Entries in it. */
  readonly size: number;
  /** An entry of the application, in the middle of the log or of what was not pruned from it: the victim. */
  readonly middle: number;
  /** Another one, next to it. */
  readonly next: number;
  /** The real key, for attacks of whoever holds it. */
  readonly signer: Signer | undefined;
  /** The file that holds it. */
  readonly key: string;
  /** The log as it was before its newest entries: what an old backup would be. */
  readonly old: string;
}

/** One attack of the drill. */
export interface Attack {
  /** What is done, in the words of the table. */
  readonly name: string;
  /** Whether the verifier must notice. */
  readonly expected: boolean;
  /** What the verifier is given beside the log and its pinned key. */
  readonly verifier?: {
    /** A receipt that somebody kept. */
    readonly held?: true;
    /** The high-water mark beside the folder. */
    readonly mark?: true;
    /** The order to compare the search index too. Elsewhere the log has to show by itself that it was changed. */
    readonly index?: true;
  };
  /** Whether it can only be staged with the real key. */
  readonly needsKey?: true;
  /** Does it. */
  readonly apply: (scene: Scene) => void | Promise<void>;
}

/** Thrown by an attack that this log gives nothing to: no sealed value to edit, too few entries. It is skipped, in words. */
export class CannotStage extends Error {
  override readonly name = 'CannotStage';
}
