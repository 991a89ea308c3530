import { misuse } from '../bytes/index.ts';
import type { Policy } from '../note/index.ts';
import type { Clock } from '../platform/index.ts';
import type { Held, Trust } from '../verify/index.ts';
import type { Found } from './found.ts';
import type { Limits } from './judge.ts';
import { isFolder, type PlaceSettings } from './places.ts';
import type { WebhookOptions } from './webhook.ts';

/** How often everything is read again, milliseconds. */
export const WHOLE_MS_DEFAULT = 86_400_000;

/** How a log is watched. */
export interface MonitorOptions extends PlaceSettings, Limits {
  /** The log's key, or a policy, from somewhere else than the log. */
  readonly trust: Trust;
  /** The file in which the monitor remembers; made where there is none, and the monitor says so. */
  readonly state: string;
  /** Receipts and checkpoints that somebody else kept: compared by the tiles when they are new, and whenever everything is read. */
  readonly held?: readonly Held[];
  /** How often everything is read again, milliseconds; 0: never. {@link WHOLE_MS_DEFAULT} by default. */
  readonly wholeEveryMs?: number;
  /** How long a value may stay after the policy of retention has it go, milliseconds. {@link RETENTION_GRACE_MS_DEFAULT} by default. */
  readonly retentionGraceMs?: number;
  /**
   * How long reading may take, milliseconds, where the log is published or served: in all while nobody known has signed the checkpoint
   * that is there, for the next file once somebody has. {@link LOOK_TIMEOUT_MS_DEFAULT} by default.
   */
  readonly lookTimeoutMs?: number;
  readonly webhook?: WebhookOptions;
  readonly clock?: Pick<Clock, 'wall'>;
}

/** What one look has shown. Plain data. */
export interface LookReport {
  readonly at: string;
  readonly origin: string;
  /** Whether the log could be read. */
  readonly isReached: boolean;
  /** Why not. */
  readonly problem?: string;
  /** How much of the log is authenticated. */
  readonly size: number;
  /** How many entries are new. */
  readonly added: number;
  /** `recordedAt` of the newest entry; empty where there is none. */
  readonly recordedAt: string;
  readonly isWhole: boolean;
  /** How many findings hold now, told or not. */
  readonly holds: number;
  /** What is to be told now: what is new, and what an earlier look found and did not live to tell. */
  readonly tell: readonly Found[];
  /** Findings that the webhook has not taken yet. */
  readonly waiting: number;
}

/** Refuses limits that a place cannot meet. Throws a misuse `option_invalid`. */
export function checkOptions(options: MonitorOptions, policy: Policy): void {
  const refuse = (message: string): never => {
    throw misuse('type', 'option_invalid', message);
  };
  const [first, ...others] = policy.logs;
  if (first === undefined) refuse('a policy for a monitor names the key of the log');
  if (others.some(({ key }) => key.name !== first!.key.name))
    refuse('a monitor watches one log: the policy names several');
  const { maxCosignatureAgeMs, maxTimestampAgeMs, tsaCertificates, anchors, lookTimeoutMs = 1 } = options;
  if (!(lookTimeoutMs > 0)) refuse('a look takes some time: its limit is more than none');
  if (maxCosignatureAgeMs !== undefined && policy.quorum === undefined)
    refuse('the age of cosignatures is asked of the witnesses of a policy with a quorum');
  if (maxTimestampAgeMs !== undefined && tsaCertificates === undefined)
    refuse('the age of time-stamps is asked of authorities whose certificates are given');
  if (anchors !== undefined && !isFolder(options))
    refuse('a copy of anchors.db goes with the folder of a log, and not where it is published');
}
