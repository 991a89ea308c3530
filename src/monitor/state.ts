import { existsSync } from 'node:fs';
import {
  base64Encode,
  equalBytes,
  hexEncode,
  type JsonValue,
  LogError,
  parseJson,
  sha256,
  utf8Encode,
} from '../bytes/index.ts';
import { type KeptSources, SourceBook } from '../log/index.ts';
import { readTextFile, replaceFile } from '../platform/index.ts';
import { readHead } from '../verify/index.ts';
import { type Base, rangeOf } from './continuation.ts';
import type { Found, Telling } from './found.ts';
import { type KeptRetention, NO_RETENTION, RetentionBook } from './retention-book.ts';

/** Most bytes of a state: sources, changes of keys and what is to be told are bounded. */
export const STATE_BYTES_MAX = 64 * 1024 * 1024;

/** Findings that wait to be told or delivered; of more, the oldest stay and the rest are counted. */
export const WAITING_MAX = 1000;

const FORMAT = 'indelible-monitor/v1';

/** A finding that waits for its webhook. */
export interface Waiting {
  readonly found: Found;
  readonly attempts: number;
  /** Not before, milliseconds since the epoch. */
  readonly notBefore: number;
}

/** All that a monitor remembers: plain data, the same size however long the log is. */
export interface MonitorState {
  /** The keys that the operator gave, for ever, and the name that they bear. */
  readonly vkeys: readonly string[];
  readonly origin: string;
  /** Counts the writings of the file, so that two monitors over one file notice each other. */
  readonly generation: number;
  /** The newest checkpoint that was authenticated, a signed note; empty before the first. */
  readonly note: string;
  readonly base: Base;
  /** What the last entry says of when it was recorded; empty before the first. */
  readonly recordedAt: string;
  /** When the log was last looked at and there, by the monitor’s clock: milliseconds since the epoch. */
  readonly seenAt: number;
  /** When everything was last read, and whether that was in order. */
  readonly wholeAt: number;
  readonly isWholeIntact: boolean;
  /** What was wrong with entries when they were read: it holds until everything was read again, and what a record says for ever. */
  readonly flaws: readonly Telling[];
  /** The first entry and those that change keys, standard base64. */
  readonly genesis: string;
  readonly keyChanges: readonly { readonly index: number; readonly entry: string }[];
  readonly sources: KeptSources;
  /** The policy of retention, how far it was applied, and what has outlived it. */
  readonly retention: KeptRetention;
  /** How many time-stamps were published when they were looked for last; absent in a state of an earlier time. */
  readonly stampsSeen?: number;
  /** Which receipts and checkpoints of others agreed when they were compared last, as a digest; absent where some did not. */
  readonly heldAgreed?: string;
  /** Ids of what was found the last time, and holds until it is not. */
  readonly standing: readonly string[];
  /** What nobody has been told yet, and what the webhook has not taken yet. */
  readonly untold: readonly Found[];
  readonly waiting: readonly Waiting[];
  readonly omitted: number;
}

/** The state of a monitor that has seen nothing. */
export function newState(vkeys: readonly string[], origin: string): MonitorState {
  return {
    vkeys,
    origin,
    generation: 0,
    note: '',
    base: { size: 0, hashes: [] },
    recordedAt: '',
    seenAt: 0,
    wholeAt: 0,
    isWholeIntact: true,
    flaws: [],
    genesis: '',
    keyChanges: [],
    sources: { keys: [], sources: [] },
    retention: NO_RETENTION,
    standing: [],
    untold: [],
    waiting: [],
    omitted: 0,
  };
}

/**
 * The file in which a monitor remembers: one line of JSON, and one with its digest. It is replaced as a whole and has reached the disk
 * before anything is told. One that was damaged, or belongs to another log or key, is refused, and never begun anew: what it holds is
 * the measure, and whoever can make a monitor forget can show it another history.
 */
export class StateFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is remembered; undefined where there is no file. Throws `LogError` `state_invalid`. */
  load(): MonitorState | undefined {
    if (!existsSync(this.path)) return undefined;
    const text = readTextFile(this.path, STATE_BYTES_MAX);
    const [line = '', digest = '', ...rest] = text.split('\n');
    if (digest !== digestOf(line) || rest.join('') !== '') throw this.#invalid('it was changed or cut off');
    let value: JsonValue;
    try {
      value = parseJson(line);
    } catch (cause) {
      throw this.#invalid('it is no JSON', cause);
    }
    const { format, ...state } = value as unknown as MonitorState & { readonly format: unknown };
    if (format !== FORMAT) throw this.#invalid('it is of another kind or version');
    const whole = { ...state, flaws: state.flaws ?? [], retention: retentionIn(state) };
    this.#check(whole);
    return whole;
  }

  /** Replaces the file, unless somebody else did since. Throws `LogError` `state_invalid`. */
  save(state: MonitorState): MonitorState {
    const there = this.load()?.generation ?? 0;
    if (there !== state.generation) throw this.#invalid('another monitor writes it, too: give each its own');
    const next = { ...state, generation: state.generation + 1 };
    const line = JSON.stringify({ format: FORMAT, ...next });
    replaceFile(this.path, `${line}\n${digestOf(line)}\n`, 0o600);
    return next;
  }

  /** The parts have to fit: the range gives the root that the note signs. */
  #check({ note, base, sources, retention }: MonitorState): void {
    try {
      const range = rangeOf(base);
      const head = note === '' ? undefined : readHead(utf8Encode(note));
      const fits =
        head === undefined ? base.size === 0 : head.size === base.size && equalBytes(head.root, range.root());
      if (!fits) throw this.#invalid('its checkpoint is not over what it remembers');
      new SourceBook(sources);
      new RetentionBook(retention);
    } catch (cause) {
      if (cause instanceof LogError) throw cause;
      throw this.#invalid('it cannot be read', cause);
    }
  }

  #invalid(why: string, cause?: unknown): LogError {
    return new LogError('state_invalid', `the state ${this.path} of the monitor cannot be used: ${why}`, {
      hint: 'find out what happened; to begin anew, move the file away: the monitor will say that it has seen nothing yet',
      ...(cause !== undefined && { cause }),
    });
  }
}

/** The root over what is authenticated, standard base64. */
export function rootOfState({ note }: Pick<MonitorState, 'note'>): string {
  const head = note === '' ? undefined : readHead(utf8Encode(note));
  return head === undefined ? '' : base64Encode(head.root);
}

/** The log's own name, once it is known; until then that of the key, which may be a root key with a name of its own. */
export function originOf({ note, origin }: Pick<MonitorState, 'note' | 'origin'>): string {
  return (note === '' ? undefined : readHead(utf8Encode(note)))?.origin ?? origin;
}

/** A state of an earlier time remembers less: what it has seen of the policy is not known. */
function retentionIn({ base, retention }: Pick<MonitorState, 'base'> & Partial<MonitorState>): KeptRetention {
  if (retention !== undefined) return { ...NO_RETENTION, ...retention };
  return { ...NO_RETENTION, ...(base.size > 0 && { isPartial: true }) };
}

function digestOf(line: string): string {
  return `sha256 ${hexEncode(sha256(utf8Encode(line)))}`;
}
