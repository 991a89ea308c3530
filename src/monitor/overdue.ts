import {
  changeInForce,
  passedBefore,
  type RetentionPolicy,
  type RetentionReach,
  samePolicy,
} from '../event/index.ts';
import type { Telling } from './found.ts';
import { inWords } from './judge.ts';
import { isDamage, type WatchedPlace } from './places.ts';
import type { MonitorState } from './state.ts';

/** How long a value may stay after its period, where the monitor is not told, milliseconds: 7 days. */
export const RETENTION_GRACE_MS_DEFAULT = 7 * 86_400_000;

/** How often it is looked for what has outlived the policy, while the log says nothing of it, milliseconds. */
const JUDGE_EVERY_MS = 86_400_000;

/** What is judged, and when. */
export interface OverdueSettings {
  readonly nowMs: number;
  readonly graceMs: number;
}

/**
 * Looks for the first entry with sealed values that the policy in force should have removed by now: `log.retention_applied` is what a
 * log promises its readers, and a policy that nobody applies is none. Once a day, and whenever the log says something that may change
 * the answer; what was found stands until then. A place that is damaged says nothing here: that is told elsewhere.
 */
export async function judgeOverdue(
  state: MonitorState,
  place: Pick<WatchedPlace, 'firstOverdue'>,
  { nowMs, graceMs }: OverdueSettings,
): Promise<MonitorState> {
  const { changes, applied, judgedAt } = state.retention;
  if (judgedAt > 0 && nowMs - judgedAt < JUDGE_EVERY_MS && nowMs >= judgedAt) return state;
  const known = { changes, applied, judgedAt: nowMs };
  const change = changeInForce(changes, new Date(nowMs).toISOString());
  // A policy that has just come into force has as long to be applied as a value has to go.
  if (change === undefined || Date.parse(change.notBefore) > nowMs - graceMs)
    return { ...state, retention: known };
  const { size } = state.base;
  const asked = {
    size,
    rules: reaching(change.to, { size, atMs: nowMs - graceMs }),
    applied: samePolicy(applied, change.to) ? applied : [],
  };
  try {
    const index = await place.firstOverdue(asked);
    const overdue = index === undefined ? {} : { overdue: { index, policy: change.index } };
    return { ...state, retention: { ...known, ...overdue } };
  } catch (error) {
    if (isDamage(error)) return state;
    throw error;
  }
}

/** What is told of it, by every look until it is over. */
export function overdueTellings(
  { retention: { overdue } }: Pick<MonitorState, 'retention'>,
  graceMs: number,
): Telling[] {
  if (overdue === undefined) return [];
  const { index, policy } = overdue;
  const message = `Entry ${index} has sealed values that have outlived the policy of retention of entry ${policy} by more than ${inWords(graceMs)}: nothing has removed them, and no hold keeps them.`;
  return [{ code: 'retention_overdue', from: index, to: index, key: String(policy), message }];
}

function reaching(
  policy: RetentionPolicy,
  { size, atMs }: { readonly size: number; readonly atMs: number },
): RetentionReach[] {
  return policy.map(({ match, keep }) => ({ match, keep, before: passedBefore(keep, atMs), below: size }));
}
