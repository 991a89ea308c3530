/**
 * Names for what most applications record, grown from the logging vocabulary of OWASP. They are suggestions,
 * which editors offer while an `action` is typed: any other name is as good, as long as one thing always has
 * the same. Say the thing first, then what happened to it, in the past tense; how it ended is the `outcome`.
 */
export const actionVocabulary = [
  // Signing in, and what guards it.
  'user.signed_in',
  'user.sign_in_failed',
  'user.signed_out',
  'user.locked',
  'user.unlocked',
  'mfa.enrolled',
  'mfa.challenged',
  'mfa.failed',
  'mfa.removed',
  'password.changed',
  'password.reset_requested',
  'password.reset',
  'session.created',
  'session.expired',
  'session.revoked',
  'token.issued',
  'token.refreshed',
  'token.revoked',
  'sso.configured',
  'sso.disabled',
  'api_key.created',
  'api_key.revoked',
  // Who may do what.
  'user.created',
  'user.invited',
  'user.updated',
  'user.deleted',
  'user.impersonated',
  'user.impersonation_ended',
  'role.assigned',
  'role.removed',
  'permission.changed',
  'policy.updated',
  // What was done with data, settings and money.
  'record.created',
  'record.updated',
  'record.deleted',
  'record.read_sensitive',
  'sql.executed',
  'data.exported',
  'data.imported',
  'config.changed',
  'billing.plan_changed',
  'billing.payment_method_changed',
  'billing.refunded',
  // What software did in somebody's name.
  'agent.tool_called',
  'agent.tool_approved',
  'agent.tool_denied',
  // A source that begins, lives and ends: their absence shows that recording has stopped.
  'source.started',
  'source.heartbeat',
  'source.stopped',
] as const;

/** One of `actionVocabulary`. */
export type KnownAction = (typeof actionVocabulary)[number];

/** The name of what happened: one of the vocabulary's, or any other. */
export type Action = KnownAction | (string & Record<never, never>);
