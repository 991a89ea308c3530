import { checkTimestampSettings, type TimestampSettings } from '../anchor/index.ts';
import { misuse } from '../bytes/index.ts';
import type { ForkedFrom } from '../event/index.ts';
import type { CommitMeter, QueueLimits } from './queue.ts';
import type { PublishOptions } from './witnessing.ts';

/** How a log is opened. */
export interface OpenOptions {
  /**
   * Where the signing key lies; `log.key` in the folder by default. Or a function that answers the key itself
   * (`PRIVATE+KEY+…`), asked once: for keys that a key management service unwraps when the log is opened.
   */
  readonly key?: string | (() => string | Promise<string>);
  /** Where the high-water mark lies; a sibling of the folder by default. Keep it on another medium if you can. */
  readonly mark?: string;
  /** The name of this service in every event's `source`; {@link SERVICE_DEFAULT} by default. */
  readonly service?: string;
  /** The version of this service in every event's `source`. */
  readonly version?: string;
  /** Opens for reading only: needs no signing key, changes nothing. Default false. */
  readonly readOnly?: boolean;
  /** Creates the log where there is none, and says so through `warn`. */
  readonly createIfMissing?: CreationOptions;
  /**
   * Where the disk is waited for: on threads of their own (default), or on the caller's. The caller's thread
   * suits scripts and tests; in a server it would stall every request at each commit.
   */
  readonly thread?: 'worker' | 'caller';
  /** Limits of what may wait to be recorded. */
  readonly queue?: QueueLimits;
  /** Hears how recording goes: batches, their durations, their failures. */
  readonly meter?: CommitMeter;
  /** Secret of the keyed hash that stands for personal ids, for logs created with `personalIds: 'pseudonymise'`. */
  readonly pseudonymKey?: Uint8Array;
  /**
   * How often this process says that it is there, milliseconds, from which a reader tells when it fell silent
   * (`source.started`, `source.heartbeat`, `source.stopped`); 0: never. Default 20,000; the first when so long has passed
   * since the first event.
   */
  readonly heartbeatMs?: number;
  /**
   * Time-stamping authorities (RFC 3161) that sign, now and then, that the log stood so at that time; what `timestamps.json` in the
   * folder says by default.
   */
  readonly timestamps?: TimestampSettings;
  /**
   * Keys under which an archive keeps the values of subjects: those of a subject that is erased are destroyed. The path of their
   * file, or what destroys them; `subject-keys.db` in the folder, where it is there, if not given.
   */
  readonly subjectKeys?: string | SubjectKeys;
  /**
   * Who witnesses the log: the text of a policy (c2sp.org/tlog-policy). The file `policy` in the folder, where there is one, if not
   * given. The newest checkpoint is shown to its witnesses as the log grows, and proofs carry what they sign.
   */
  readonly witnesses?: string;
  /** How checkpoints are shown to witnesses. */
  readonly publish?: PublishOptions;
  /** Receives warnings; `process.emitWarning` by default. */
  readonly warn?: (message: string) => void;
}

/** What an archive of values under keys of their own offers to an erasure. */
export interface SubjectKeys {
  /** Destroys the keys of these subjects, for values in entries below an index, for good. Where there are none, it does nothing. */
  destroy(subjects: readonly string[], below: number): Promise<void> | void;
}

/** How a log is created; fixed for its life. */
export interface CreationOptions {
  /** The name of the log for ever: schema-less URL style, as `example.com/audit`. */
  readonly origin: string;
  /** The verifier key of a root key kept elsewhere. Without one, `root.key` is made, to be moved offline. */
  readonly rootVkey?: string;
  /** What happens to ids of actors and targets that look personal (hold an `@`). Default `refuse`. */
  readonly personalIds?: 'refuse' | 'allow' | 'pseudonymise';
}

/** Options of `createLog`. */
export interface CreateOptions extends Omit<OpenOptions, 'createIfMissing' | 'readOnly'>, CreationOptions {
  /**
   * Takes the key file that `key` names, where one was prepared. Without it a key file that is there is refused (`key_exists`):
   * a key that has signed one log and signs another makes two histories under one name, which nobody can tell apart.
   */
  readonly reuseKey?: boolean;
}

/** What a log is made with. */
export interface Making {
  readonly origin: string;
  readonly rootVkey?: string | undefined;
  readonly personalIds?: CreationOptions['personalIds'] | undefined;
  readonly reuseKey?: boolean | undefined;
  /** The log that it takes the place of: its second entry says so. */
  readonly forkedFrom?: ForkedFrom | undefined;
}

/** `source.service` where the caller names none. */
export const SERVICE_DEFAULT = 'app';

const openNames = [
  'key',
  'mark',
  'service',
  'version',
  'readOnly',
  'createIfMissing',
  'thread',
  'queue',
  'meter',
  'pseudonymKey',
  'heartbeatMs',
  'timestamps',
  'subjectKeys',
  'witnesses',
  'publish',
  'warn',
];
const creationNames = ['origin', 'rootVkey', 'personalIds'];

/** Refuses options that nobody reads, by name. Throws `TypeError` `option_unknown`. */
export function checkOptions(given: object, of: 'open' | 'create' | 'creation'): void {
  const known = {
    open: openNames,
    create: [
      ...openNames.filter((name) => name !== 'createIfMissing' && name !== 'readOnly'),
      ...creationNames,
      'reuseKey',
    ],
    creation: creationNames,
  }[of];
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = known.find(
      (other) => other.toLowerCase() === name.toLowerCase() || distanceIsOne(other, name),
    );
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`;
    throw misuse('type', 'option_unknown', `unknown option ${name}: ${hint}`);
  }
}

/** Refuses a pause that is none. Throws `RangeError` `option_invalid`. */
function checkHeartbeat(ms: number | undefined): void {
  if (ms === undefined || ms === 0 || (Number.isSafeInteger(ms) && ms > 0)) return;
  throw misuse('range', 'option_invalid', 'heartbeatMs must be a whole number of milliseconds, or 0');
}

/** Refuses what is wrong in the values of options that a log is opened with. Throws a misuse `option_invalid`. */
export function checkValues(options: OpenOptions): void {
  const { queue, heartbeatMs, timestamps, witnesses, publish, subjectKeys } = options;
  if (
    subjectKeys !== undefined &&
    typeof subjectKeys !== 'string' &&
    typeof subjectKeys?.destroy !== 'function'
  )
    throw misuse('type', 'option_invalid', 'subjectKeys must be the path of a file, or what destroys keys');
  checkLimits(queue);
  checkHeartbeat(heartbeatMs);
  if (timestamps !== undefined) checkTimestampSettings(timestamps);
  checkPublish(witnesses, publish);
}

/** Where warnings go. */
export function warnOf(options: OpenOptions): (message: string) => void {
  return options.warn ?? ((message) => process.emitWarning(message, { type: 'IndelibleWarning' }));
}

/** The times that say how checkpoints are shown, milliseconds. */
const publishTimes: ReadonlySet<string> = new Set(['everyMs', 'timeoutMs', 'refreshMs']);

/** Refuses what is no way to publish. Throws `TypeError` `option_unknown`, `RangeError` `option_invalid`. */
function checkPublish(witnesses: unknown, publish: PublishOptions | undefined): void {
  if (witnesses !== undefined && typeof witnesses !== 'string') {
    throw misuse('type', 'option_invalid', 'witnesses must be the text of a policy');
  }
  for (const [name, value] of Object.entries(publish ?? {})) {
    if (name === 'fetch') continue;
    if (!publishTimes.has(name)) {
      throw misuse(
        'type',
        'option_unknown',
        `unknown option publish.${name}: known are everyMs, timeoutMs, refreshMs, fetch`,
      );
    }
    if (value !== undefined && !(Number.isSafeInteger(value) && Number(value) >= 1)) {
      throw misuse('range', 'option_invalid', `publish.${name} must be a whole number of at least 1`);
    }
  }
}

/** Refuses limits that limit nothing. Throws `RangeError` `option_invalid`. */
function checkLimits(limits: QueueLimits | undefined): void {
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (name !== 'eventsMax' && name !== 'charactersMax') {
      throw misuse(
        'type',
        'option_unknown',
        `unknown option queue.${name}: known are eventsMax, charactersMax`,
      );
    }
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) {
      throw misuse('range', 'option_invalid', `queue.${name} must be a whole number of at least 1`);
    }
  }
}

/** Whether one inserted, dropped or changed letter turns one name into the other. */
function distanceIsOne(left: string, right: string): boolean {
  const [short, long] = left.length < right.length ? [left, right] : [right, left];
  if (long.length - short.length > 1) return false;
  let at = 0;
  while (at < short.length && short[at] === long[at]) at += 1;
  return short.slice(at + (short.length === long.length ? 1 : 0)) === long.slice(at + 1);
}
