import { join } from 'node:path';
import { AnchorStore, readTimestampSettings, TIMESTAMP_EVERY_MS_DEFAULT } from '../anchor/index.ts';
import { utf8Encode, VerificationError } from '../bytes/index.ts';
import { parseEntry } from '../event/index.ts';
import { COSIGN_REFRESH_MS_DEFAULT, isLogError, type Log } from '../log/index.ts';
import { openNote, type Policy, parseCheckpoint, satisfiesPolicy } from '../note/index.ts';
import type { Found } from './found.ts';
import { inWords } from './judge.ts';

/** So many times may what is asked for now and then stay out before it is told. */
const TIMES = 4;

/** What outside parties have not signed lately. */
export type Overdue = Pick<Found, 'code' | 'message'>;

/**
 * Judges the ages of what outside parties have signed, for whoever runs the log: by the policy of its witnesses and the settings of its
 * time-stamps, which a monitor elsewhere would be told. A log that stands still is not stamped again, and is not called old for it.
 */
export async function overdueOf(log: Log, nowMs: number): Promise<Overdue[]> {
  return [...(await cosignaturesOverdue(log, nowMs)), ...(await stampsOverdue(log, nowMs))];
}

async function stampsOverdue(log: Log, nowMs: number): Promise<Overdue[]> {
  const everyMs = stampedEveryMs(log.dir);
  if (everyMs === undefined) return [];
  const reach = newestStamped(log.anchorsPath);
  const since = await recordedMs(log, reach);
  if (since === undefined || nowMs - since <= TIMES * everyMs) return [];
  const message = `Time-stamps cover only the first ${reach} entries: entry ${reach} has waited for one for ${inWords(nowMs - since)}.`;
  return [{ code: 'timestamp_old', message }];
}

/** How often the log is to be stamped; undefined where it is not, or nobody can read how. */
function stampedEveryMs(dir: string): number | undefined {
  try {
    const { authorities = [], everyMs = TIMESTAMP_EVERY_MS_DEFAULT } =
      readTimestampSettings(join(dir, 'timestamps.json')) ?? {};
    return authorities.length === 0 ? undefined : everyMs;
  } catch {
    // Whoever opens the log says so.
    return undefined;
  }
}

function newestStamped(anchorsPath: string): number {
  let anchors: AnchorStore | undefined;
  try {
    anchors = AnchorStore.openReadable(anchorsPath);
    return anchors?.newestTimestamps()[0]?.size ?? 0;
  } catch (error) {
    if (!isLogError(error, 'io_failed')) throw error;
    return 0;
  } finally {
    anchors?.close();
  }
}

async function cosignaturesOverdue(log: Log, nowMs: number): Promise<Overdue[]> {
  const { witnessPolicy: policy } = log;
  if (policy?.quorum === undefined) return [];
  const maxMs = TIMES * COSIGN_REFRESH_MS_DEFAULT;
  const { size, atMs } = await newestCosigned(log, policy);
  const since = await recordedMs(log, size);
  if (since !== undefined && nowMs - since > maxMs) {
    const message = `The quorum ${policy.quorum} cosigns only the first ${size} entries: entry ${size} has waited for it for ${inWords(nowMs - since)}.`;
    return [{ code: 'cosignature_old', message }];
  }
  if (size === 0 || nowMs - atMs <= maxMs) return [];
  const message = `The quorum ${policy.quorum} has cosigned nothing for ${inWords(nowMs - atMs)}.`;
  return [{ code: 'cosignature_old', message }];
}

/** How far the quorum has cosigned the log, and when it last did: by those of its witnesses who are the latest. */
async function newestCosigned(
  log: Log,
  policy: Policy,
): Promise<{ readonly size: number; readonly atMs: number }> {
  try {
    const note = utf8Encode((await log.checkpoint({ witnessed: true })).note);
    const { text, verified } = openNote(
      note,
      policy.witnesses.map(({ key }) => key),
    );
    const latest = verified.toSorted((one, other) => Number((other.timestamp ?? 0n) - (one.timestamp ?? 0n)));
    const enough = latest.findIndex((_, at) =>
      satisfiesPolicy(policy, { verified: latest.slice(0, at + 1) }),
    );
    const atMs = Number(latest[enough]?.timestamp ?? 0n) * 1000;
    return { size: parseCheckpoint(text).size, atMs };
  } catch (error) {
    if (!isLogError(error, 'not_witnessed') && !(error instanceof VerificationError)) throw error;
    return { size: 0, atMs: 0 };
  }
}

/** When an entry was recorded, milliseconds since the epoch; undefined where there is none, or it cannot be read. */
async function recordedMs(log: Log, index: number): Promise<number | undefined> {
  try {
    const [entry] = await log.reader.entries(index, index + 1);
    return entry === undefined ? undefined : Date.parse(parseEntry(entry.entry).recordedAt);
  } catch (error) {
    if (!isLogError(error) && !(error instanceof VerificationError)) throw error;
    return undefined;
  }
}
