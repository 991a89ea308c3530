import { join } from 'node:path';
import {
  AnchorStore,
  readTimestampSettings,
  type StampedCheckpoint,
  stampCheckpoint,
  TIMESTAMP_EVERY_MS_DEFAULT,
  type TimestampAuthority,
  type TimestampSettings,
} from '../anchor/index.ts';
import { base64Encode, misuse } from '../bytes/index.ts';
import { parseCheckpoint, parseNote } from '../note/index.ts';
import { systemClock } from '../platform/index.ts';
import type { ErrandOutcome, FollowerRunner } from './followers/index.ts';
import { type LogHome, TIMESTAMPS_FILE } from './paths.ts';
import type { ReaderHandle } from './reader-thread.ts';

/** How often a log is looked at that has not grown, milliseconds. */
const LOOK_MS = 5_000;

/** The first pause after an authority failed, milliseconds, and the longest. */
const RETRY_MS = { min: 5_000, max: 900_000 };

/** A time-stamp that was taken now; or why there is none. */
export type TimestampResult =
  | {
      readonly ok: true;
      readonly authority: string;
      readonly size: number;
      /** RFC 3339. */
      readonly time: string;
      /** Whether the authority's certificate leads to one in the settings. */
      readonly trust: 'anchored' | 'inside';
      /** The subject of the certificate that signed. */
      readonly signer: string;
    }
  | { readonly ok: false; readonly authority: string; readonly error: Error };

/** What {@link Timestamps} works with. */
export interface TimestampParts {
  readonly home: LogHome;
  /** As the log was opened with; the file in its folder if not given. */
  readonly given: TimestampSettings | undefined;
  readonly reader: ReaderHandle;
  readonly warn: (message: string) => void;
}

/**
 * Time-stamps of one log: each authority in its settings is asked by itself, now and then, and only where the log grew. What it signs
 * is verified, and kept in `anchors.db`; `record` knows nothing of it.
 */
export class Timestamps {
  readonly #parts: TimestampParts;
  #settings: TimestampSettings | undefined;
  #store: AnchorStore | undefined;

  constructor(parts: TimestampParts) {
    this.#parts = parts;
  }

  /** The settings that hold; undefined where there are none. Throws a misuse `option_invalid` where the file is wrong. */
  settings(): TimestampSettings | undefined {
    const { given, home } = this.#parts;
    if (given !== undefined && given.authorities.length > 0 && home.folder === undefined) {
      throw misuse('type', 'option_invalid', 'time-stamps are kept in a folder: pass dir');
    }
    this.#settings ??=
      given ??
      (home.folder === undefined ? undefined : readTimestampSettings(join(home.folder, TIMESTAMPS_FILE)));
    return this.#settings;
  }

  /** Begins to stamp. A file of settings that cannot be read is said, and keeps no log from being written. */
  follow(followers: FollowerRunner): void {
    const { given, warn } = this.#parts;
    let settings: TimestampSettings | undefined;
    try {
      settings = this.settings();
    } catch (error) {
      if (given !== undefined) throw error;
      warn(`the log is not time-stamped: ${(error as Error).message}`);
    }
    const { authorities = [], everyMs = TIMESTAMP_EVERY_MS_DEFAULT } = settings ?? {};
    for (const authority of authorities) {
      followers.addErrand({
        name: `timestamp-${authority.name}`,
        retryMsMin: Math.min(RETRY_MS.min, everyMs),
        retryMsMax: Math.min(RETRY_MS.max, everyMs),
        run: (signal) => this.#look(authority, everyMs, signal),
        failed: (error) =>
          warn(`${authority.name} has not time-stamped the log: ${(error as Error).message}`),
      });
    }
  }

  /** Has every authority stamp the newest checkpoint now, whenever the last stamp was. */
  async now(): Promise<TimestampResult[]> {
    const { authorities = [] } = this.settings() ?? {};
    if (authorities.length === 0) return [];
    const checkpoint = await this.#parts.reader.checkpoint();
    return Promise.all(
      authorities.map(async (authority): Promise<TimestampResult> => {
        try {
          await this.#checkContinues();
          const verdict = await stampCheckpoint(this.#anchors, authority, checkpoint, {
            now: systemClock.wall,
          });
          const { time, trust, signer } = verdict;
          return { ok: true, authority: authority.name, size: checkpoint.size, time, trust, signer };
        } catch (error) {
          return { ok: false, authority: authority.name, error: error as Error };
        }
      }),
    );
  }

  close(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  get #anchors(): AnchorStore {
    this.#store ??= AnchorStore.open(this.#parts.home.anchors);
    return this.#store;
  }

  /** Stamps the newest checkpoint where it is time to, and says when to look again. */
  async #look(authority: TimestampAuthority, everyMs: number, signal: AbortSignal): Promise<ErrandOutcome> {
    const checkpoint = await this.#parts.reader.checkpoint();
    const last = this.#anchors.newestTimestampOf(authority.name);
    const size = last?.size ?? 0;
    if (size === checkpoint.size) {
      return { size, logSize: size, againInMs: Math.min(everyMs, LOOK_MS) };
    }
    const now = systemClock.wall();
    // A stamp from the future was taken by a clock that has been set back since.
    const dueInMs = last === undefined || last.at > now ? 0 : last.at + everyMs - now;
    if (dueInMs > 0) return { size, logSize: checkpoint.size, againInMs: dueInMs };
    await this.#checkContinues();
    await stampCheckpoint(this.#anchors, authority, checkpoint, { now: systemClock.wall, signal });
    return { size: checkpoint.size, logSize: checkpoint.size, againInMs: everyMs };
  }

  /** What is stamped continues what was stamped: nobody is asked to vouch for a history that was replaced. */
  async #checkContinues(): Promise<void> {
    const [newest] = this.#anchors.newestTimestamps();
    const head = newest && headOf(newest);
    if (head !== undefined) await this.#parts.reader.checkContinues(head);
  }
}

/** What a stored time-stamp covers; undefined where the row holds no checkpoint, which verify reports. */
function headOf({ note }: StampedCheckpoint): { readonly size: number; readonly root: string } | undefined {
  try {
    const { size, root } = parseCheckpoint(parseNote(note).text);
    return { size, root: base64Encode(root) };
  } catch {
    return undefined;
  }
}
