import { misuse } from '../bytes/index.ts';
import type { Actor, AuditEvent, EventContext, Target } from '../event/index.ts';
import { auditDiff, type DiffOptions, diffOptionNames } from './audit-diff.ts';
import { checkKnownOptions } from './known-options.ts';

/** What every change of who may do what is told with. */
export interface ChangeTold extends DiffOptions {
  /** Who changed it. */
  readonly actor: Actor;
  /** Why: the ticket, the request, the words of whoever approved it. Sealed. */
  readonly reason: string;
  readonly context?: EventContext;
  /** Your own id, which makes recording safe to repeat. */
  readonly id?: string;
}

/** Somebody's roles, before and after. */
export interface RolesChanged extends ChangeTold {
  /** Whose roles they are. */
  readonly subject: Target;
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Where they hold: an organization, a project. */
  readonly scope?: Target;
}

/** A thing that says who may do what, before and after. Undefined where it was not, or is no more. */
export interface PolicyChanged extends ChangeTold {
  /** The policy, role, share or document whose rules changed. */
  readonly target: Target;
  readonly before: unknown;
  readonly after: unknown;
}

const toldNames = ['actor', 'reason', 'context', 'id', 'before', 'after', ...diffOptionNames];

/**
 * One event for a change of somebody's roles: `role.assigned` where any was added, else `role.removed`; each role is a target after its
 * subject, and `changes` has what was added and removed, by name. Undefined where the roles are the same, in whatever order. Throws
 * misuse `option_invalid` without a reason, and as {@link auditDiff} does.
 */
export function roleChanged(told: RolesChanged): AuditEvent | undefined {
  check(told, ['subject', 'scope']);
  const before = new Set(told.before);
  const after = new Set(told.after);
  const added = [...after].filter((role) => !before.has(role));
  const removed = [...before].filter((role) => !after.has(role));
  if (added.length + removed.length === 0) return undefined;
  const byName = (roles: Iterable<string>) => Object.fromEntries([...roles].map((role) => [role, true]));
  return event(told, {
    action: added.length > 0 ? 'role.assigned' : 'role.removed',
    targets: [
      told.subject,
      ...[...added, ...removed].map((role) => ({ type: 'role', id: role })),
      ...(told.scope === undefined ? [] : [told.scope]),
    ],
    changes: auditDiff({ roles: byName(before) }, { roles: byName(after) }, optionsIn(told)),
  });
}

/**
 * One event `permission.changed` for what somebody or something may do: grants of a user, a share of a document, the rights of a role.
 * Undefined where nothing differs. Throws as {@link roleChanged} does.
 */
export function permissionChanged(told: PolicyChanged): AuditEvent | undefined {
  return policyEvent('permission.changed', told);
}

/** One event `policy.updated` for a rule that holds for many: a password policy, an access rule. As {@link permissionChanged}. */
export function policyUpdated(told: PolicyChanged): AuditEvent | undefined {
  return policyEvent('policy.updated', told);
}

function policyEvent(action: string, told: PolicyChanged): AuditEvent | undefined {
  check(told, ['target']);
  const changes = auditDiff(told.before, told.after, optionsIn(told));
  return changes.length === 0 ? undefined : event(told, { action, targets: [told.target], changes });
}

function check(told: ChangeTold, more: readonly string[]): void {
  checkKnownOptions(told, [...toldNames, ...more]);
  if (typeof told.reason === 'string' && told.reason.trim() !== '') return;
  throw misuse('type', 'option_invalid', 'reason must say why: it is what an auditor asks first');
}

function event(told: ChangeTold, what: Omit<AuditEvent, 'actor'>): AuditEvent {
  const { id, actor, reason, context } = told;
  return {
    ...(id === undefined ? {} : { id }),
    actor,
    reason,
    ...(context === undefined ? {} : { context }),
    ...what,
  };
}

function optionsIn(told: ChangeTold): DiffOptions {
  return Object.fromEntries(Object.entries(told).filter(([name]) => diffOptionNames.includes(name)));
}
