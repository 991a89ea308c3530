import { parseJson } from '../../bytes/index.ts';
import {
  erasureStepEvent,
  loosens,
  type RetentionRule,
  retentionStepEvent,
  shortens,
} from '../../event/index.ts';
import type { ErasureAsked, RetentionAsked } from '../../wire/index.ts';
import type { RequestKind } from './desk.ts';

/** The erasure of a subject. */
export const erasureKind: RequestKind<ErasureAsked> = {
  name: 'erasure',
  noun: 'erasure',
  conflict: 'erasure_conflict',
  keep: ({ subject, basis, requestId }) => ({ subject, basis, request_id: requestId, policy: null }),
  read: ({ subject, basis, request_id: requestId }) => ({ subject, basis, requestId }),
  async begin(log, asked) {
    // Who will approve it is not known yet; what is asked for is looked at as it will be then.
    const { alreadyErased } = await log.erase({ ...asked, approvedBy: ['one', 'another'], dryRun: true });
    return alreadyErased === undefined ? undefined : { index: alreadyErased, values: 0 };
  },
  async execute(log, asked, approvedBy) {
    const done = await log.erase({ ...asked, approvedBy, actor: { type: 'server', id: 'erasures' } });
    return { ...done, index: done.index ?? done.alreadyErased };
  },
  step: (step, { id, asked: { subject, basis, requestId }, notBefore }, by) =>
    erasureStepEvent(step, { erasure: id, subject, basis, requestId, ...(notBefore && { notBefore }) }, by),
};

/** A change of the policy of retention. One that keeps nothing for a shorter time takes one person and no delay. */
export const retentionKind: RequestKind<RetentionAsked> = {
  name: 'retention',
  noun: 'change of the policy',
  conflict: 'retention_conflict',
  keep: ({ rules, entries, basis, requestId }) => ({
    ...{ subject: '', basis, request_id: requestId },
    policy: JSON.stringify(entries === undefined ? rules : { rules, entries }),
  }),
  read: ({ policy, basis, request_id: requestId }) => ({
    ...policyOf(policy ?? '[]'),
    ...{ basis, requestId },
  }),
  async begin(log, { rules, entries, basis }, by) {
    log.retention.check(rules);
    const { rules: from, entries: keeping } = await log.retention.policy();
    if (shortens(from, rules) || loosens(keeping, entries ?? keeping)) return undefined;
    const receipt = await log.retention.set(rules, { by, reason: basis, ...(entries && { entries }) });
    return { index: receipt?.index };
  },
  async execute(log, { rules, entries, basis }, approvedBy) {
    const by = { type: 'server', id: 'retention' };
    // It has waited here.
    const how = { by, reason: basis, approvedBy, delayMs: 0, ...(entries && { entries }) };
    const receipt = await log.retention.set(rules, how);
    return { index: receipt?.index };
  },
  step: (step, { id, asked: { rules, entries, basis, requestId }, notBefore }, by) => {
    const about = { change: id, rules, ...(entries && { entries }), basis, requestId };
    return retentionStepEvent(step, { ...about, ...(notBefore && { notBefore }) }, by);
  },
};

/** As it is kept: rules alone, where nothing was said of entries. */
function policyOf(text: string): Pick<RetentionAsked, 'rules' | 'entries'> {
  const kept = parseJson(text) as unknown as
    | readonly RetentionRule[]
    | Pick<RetentionAsked, 'rules' | 'entries'>;
  return 'rules' in kept ? kept : { rules: kept };
}
