import { parseJson } from '../../bytes/index.ts';
import { erasureStepEvent, type RetentionRule, retentionStepEvent, shortens } from '../../event/index.ts';
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
  keep: ({ rules, basis, requestId }) => ({
    ...{ subject: '', basis, request_id: requestId },
    policy: JSON.stringify(rules),
  }),
  read: ({ policy, basis, request_id: requestId }) => ({
    rules: parseJson(policy ?? '[]') as unknown as readonly RetentionRule[],
    ...{ basis, requestId },
  }),
  async begin(log, { rules, basis }, by) {
    log.retention.check(rules);
    const { rules: from } = await log.retention.policy();
    if (shortens(from, rules)) return undefined;
    const receipt = await log.retention.set(rules, { by, reason: basis });
    return { index: receipt?.index };
  },
  async execute(log, { rules, basis }, approvedBy) {
    const by = { type: 'server', id: 'retention' };
    // It has waited here.
    const receipt = await log.retention.set(rules, { by, reason: basis, approvedBy, delayMs: 0 });
    return { index: receipt?.index };
  },
  step: (step, { id, asked: { rules, basis, requestId }, notBefore }, by) =>
    retentionStepEvent(step, { change: id, rules, basis, requestId, ...(notBefore && { notBefore }) }, by),
};
