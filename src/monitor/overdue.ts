import {
  changeInForce,
  keepMs,
  passedBefore,
  type RetentionReach,
  ruleFor,
  samePolicy,
} from '../event/index.ts';
import type { Telling } from './found.ts';
import { inWords } from './judge.ts';
import { isDamage, type WatchedPlace } from './places.ts';
import type { KeptChange } from './retention-book.ts';
import type { MonitorState } from './state.ts';
import { prunedBelow } from './whole.ts';

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
 * Looks for the first entry with sealed values that the policy should have removed by now: `log.retention_applied` is what a log
 * promises its readers, and a policy that nobody applies is none. Once a day, and whenever the log says something that may change
 * the answer; what was found stands until then. A place that is damaged says nothing here: that is told elsewhere.
 */
export async function judgeOverdue(
  state: MonitorState,
  place: Pick<WatchedPlace, 'firstOverdue'>,
  { nowMs, graceMs }: OverdueSettings,
): Promise<MonitorState> {
  const { overdue: _, ...retention } = state.retention;
  const { changes, applied, judgedAt } = retention;
  if (judgedAt > 0 && nowMs - judgedAt < JUDGE_EVERY_MS && nowMs >= judgedAt) return state;
  const known = { ...retention, judgedAt: nowMs };
  const change = changeInForce(changes, textOf(nowMs));
  const { size } = state.base;
  const rules = reaching(changes, { size, nowMs, graceMs });
  if (change === undefined || rules.every(({ below }) => below === 0)) return { ...state, retention: known };
  const minimum = prunedBelow(retention, size);
  const asked = { size, rules, applied: samePolicy(applied, change.to) ? applied : [], minimum };
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

/**
 * What all policies that were in force since the grace began would have removed: a value has to go where each of them said so. So a
 * policy that has just come into force has as long to be applied as a value has to go, and one that says the same anew has not.
 */
function reaching(
  changes: readonly KeptChange[],
  { size, nowMs, graceMs }: OverdueSettings & { readonly size: number },
): RetentionReach[] {
  const since = textOf(nowMs - graceMs);
  const first = changeInForce(changes, since);
  if (first === undefined) return [];
  const later = changes.filter(({ notBefore }) => notBefore > since && notBefore <= textOf(nowMs));
  const policies = [first, ...later].map(({ to }) => to);
  // The more a pattern says, the earlier it comes: each stands for the actions that no longer pattern matches, as in `shortens`.
  const matches = [...new Set(policies.flat().map(({ match }) => match))].sort(bySpecificity);
  return matches.map((match) => {
    const kept = policies.map((policy) => ruleFor(policy, match.replace('*', '!'))?.keep);
    const keep = kept.reduce((one, other) => (msOf(other) > msOf(one) ? other : one));
    // What one of them keeps for ever has no period.
    return keep === undefined
      ? { match, keep: FOR_EVER, before: passedBefore(FOR_EVER, 0), below: 0 }
      : { match, keep, before: passedBefore(keep, nowMs - graceMs), below: size };
  });
}

const FOR_EVER = '100y';

function bySpecificity(one: string, other: string): number {
  const saying = (match: string): number => match.replace('*', '').length;
  return saying(other) - saying(one) || Number(one.endsWith('*')) - Number(other.endsWith('*'));
}

function msOf(keep: string | undefined): number {
  return keepMs(keep) ?? Number.POSITIVE_INFINITY;
}

function textOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
