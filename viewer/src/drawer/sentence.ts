import type { RecordedEvent, RecordedTarget } from '../../../src/event/index.ts';

/** A part of a sentence: words, or somebody or something that can be named and linked to. */
export type Piece = string | { readonly party: RecordedTarget };

/** What happened, by action; `{actor}` and `{target}` stand for those of the event. */
const templates: Readonly<Record<string, string>> = {
  'user.signed_in': '{actor} signed in',
  'user.sign_in_failed': '{actor} tried to sign in',
  'user.signed_out': '{actor} signed out',
  'user.locked': '{actor} locked the account of {target}',
  'user.unlocked': '{actor} unlocked the account of {target}',
  'user.created': '{actor} created the user {target}',
  'user.invited': '{actor} invited {target}',
  'user.updated': '{actor} changed the user {target}',
  'user.deleted': '{actor} deleted the user {target}',
  'mfa.enrolled': '{actor} set up a second factor',
  'mfa.challenged': '{actor} was asked for a second factor',
  'mfa.failed': '{actor} failed the second factor',
  'mfa.removed': '{actor} removed a second factor of {target}',
  'password.changed': '{actor} changed a password',
  'password.reset_requested': '{actor} asked for a new password',
  'password.reset': '{actor} reset the password of {target}',
  'session.revoked': '{actor} ended a session of {target}',
  'api_key.created': '{actor} created the API key {target}',
  'api_key.revoked': '{actor} revoked the API key {target}',
  'role.assigned': '{actor} gave a role to {target}',
  'role.removed': '{actor} took a role from {target}',
  'permission.changed': '{actor} changed who may do what on {target}',
  'policy.updated': '{actor} changed the policy {target}',
  'sso.configured': '{actor} configured single sign-on',
  'sso.disabled': '{actor} switched single sign-on off',
  'record.created': '{actor} created {target}',
  'record.updated': '{actor} changed {target}',
  'record.deleted': '{actor} deleted {target}',
  'record.read_sensitive': '{actor} read {target}, which is sensitive',
  'data.exported': '{actor} exported data of {target}',
  'data.imported': '{actor} imported data into {target}',
  'config.changed': '{actor} changed the configuration of {target}',
  'billing.refunded': '{actor} refunded {target}',
  'agent.tool_called': '{actor} called the tool {target}',
  'agent.tool_approved': '{actor} approved the tool call {target}',
  'agent.tool_denied': '{actor} refused the tool call {target}',
  'source.started': 'A process of {source} began to record',
  'source.heartbeat': 'A process of {source} gave a sign of life',
  'source.stopped': 'A process of {source} stopped recording, and said so',
  'log.created': 'The log was created',
  'log.opened': 'The log was opened for writing',
  'log.viewed': '{actor} looked at this log',
  'log.exported': '{actor} exported from this log',
  'log.erasure_requested': '{actor} asked for an erasure',
  'log.erasure_approved': '{actor} approved an erasure',
  'log.erasure_blocked': 'An erasure is due, and something stands in its way',
  'log.erasure_cancelled': '{actor} cancelled an erasure',
  'log.hold_placed': '{actor} placed a legal hold',
  'log.hold_released': '{actor} released a legal hold',
  'log.retention_requested': '{actor} asked for another policy of retention',
  'log.retention_approved': '{actor} approved another policy of retention',
  'log.retention_cancelled': '{actor} cancelled a change of the policy of retention',
  'log.retention_applied': 'Sealed values had passed their period and were removed, on record',
  'log.pruned': 'Old entries were pruned from this log, on record; their hashes stay',
  'log.erased': 'Sealed values were erased from this log, on record',
  'log.key_rotated': 'The key that signs this log was replaced',
  'log.config_changed': 'The configuration of this log was changed',
  'log.clock_jumped': 'The clock of the machine jumped',
  'log.source_gap': 'Events of a source are missing',
};

/** What the server's operator wrote for actions of their own; it stands before what is here. */
let learned: Readonly<Record<string, string>> = {};

/** Takes the sentences of a server. What is not a text is left out. */
export function learnSentences(sentences: Readonly<Record<string, unknown>> = {}): void {
  const texts = Object.entries(sentences).filter(([, text]) => typeof text === 'string');
  learned = Object.fromEntries(texts) as Record<string, string>;
}

function templateOf(event: RecordedEvent): string {
  const find = (from: Readonly<Record<string, string>>): string | undefined =>
    Object.hasOwn(from, event.action) ? from[event.action] : undefined;
  // What the log says of itself is not the operator's to reword.
  return (event.action.startsWith('log.') ? undefined : find(learned)) ?? find(templates) ?? fallback(event);
}

const endings: Readonly<Record<string, string>> = {
  failure: ' (failed)',
  denied: ' (denied)',
  unknown: ' (how it ended is not known)',
};

/** An event in plain words. It never stands in for the event itself, which is shown below it. */
export function sentenceOf(event: RecordedEvent): Piece[] {
  const template = templateOf(event);
  const pieces = template.split(/(\{\w+\})/).flatMap((part): Piece[] => {
    if (part === '{actor}') return [{ party: event.actor }];
    if (part === '{source}') return [event.source.service];
    if (part !== '{target}') return part === '' ? [] : [part];
    return [event.targets[0] === undefined ? 'something' : { party: event.targets[0] }];
  });
  const { onBehalfOf } = event.actor;
  const behalf: Piece[] = onBehalfOf === undefined ? [] : [' on behalf of ', { party: onBehalfOf }];
  const others = event.targets.length - 1;
  const more = others > 0 && template.includes('{target}') ? ` and ${others} more` : '';
  return [...pieces, more, ...behalf, endings[event.outcome] ?? '', '.'].filter((piece) => piece !== '');
}

/** `invoice.sent` of an invoice: "… sent the invoice in_7". */
function fallback({ action, targets }: RecordedEvent): string {
  const words = action.split('.').at(-1)!.replaceAll('_', ' ');
  const [first] = targets;
  if (first === undefined) return `{actor}: ${action.replaceAll(/[._]/g, ' ')}`;
  return `{actor} ${words} the ${first.type.replaceAll(/[_:]+/g, ' ')} {target}`;
}

/** The address that a party may be linked to: https alone, and none with a user's name in it. */
export function linkOf(party: RecordedTarget): string | undefined {
  const href = Object.hasOwn(party, 'href') ? party['href'] : undefined;
  if (typeof href !== 'string' || !URL.canParse(href)) return undefined;
  const { protocol, username, password } = new URL(href);
  return protocol === 'https:' && username === '' && password === '' ? href : undefined;
}
