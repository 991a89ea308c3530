import type { JsonObject, JsonValue } from '../bytes/index.ts';
import type { Actor, AuditEvent, Change, Target } from '../event/index.ts';
import { compact, toWord } from './names.ts';
import { idOf, listOf, objectOf, textOf, timeOf, Unmappable } from './record.ts';

/*
 * One GitHub webhook delivery: {"event": "issues", "payload": {"action": "opened", "sender": {…}, …}}, with the name
 * that GitHub sends as X-GitHub-Event, becomes github.issues.opened. The shape that GitHub's own API gives for a
 * delivery (guid, delivered_at, event, request.payload) is read too. People are named by GitHub's numeric id, which
 * survives a change of login; the login goes into a sealed attribute beside it.
 */

/** What an event may be about, most specific first: member of the payload, type of the target. */
const subjects: readonly (readonly [member: string, type: string])[] = [
  ['pull_request', 'pull_request'],
  ['issue', 'issue'],
  ['comment', 'comment'],
  ['review', 'review'],
  ['rule', 'branch_protection_rule'],
  ['alert', 'alert'],
  ['key', 'deploy_key'],
  ['deployment', 'deployment'],
  ['workflow_run', 'workflow_run'],
  ['check_run', 'check_run'],
  ['release', 'release'],
  ['milestone', 'milestone'],
  ['label', 'label'],
  ['project', 'project'],
  ['hook', 'webhook'],
  ['forkee', 'repository'],
  ['security_advisory', 'security_advisory'],
  ['invitation', 'invitation'],
  ['member', 'user'],
  ['user', 'user'],
  ['blocked_user', 'user'],
  ['assignee', 'user'],
  ['requested_reviewer', 'user'],
  ['requested_team', 'team'],
  ['team', 'team'],
  ['installation', 'installation'],
  ['repository', 'repository'],
  ['organization', 'organization'],
];

/** The member of the payload that an event is about where its name does not say so. */
const primaryMembers: ReadonlyMap<string, string> = new Map([
  ['branch_protection_rule', 'rule'],
  ['dependabot_alert', 'alert'],
  ['deploy_key', 'key'],
  ['fork', 'forkee'],
  ['issues', 'issue'],
  ['issue_comment', 'comment'],
  ['member', 'member'],
  ['membership', 'member'],
  ['meta', 'hook'],
  ['org_block', 'blocked_user'],
  ['ping', 'hook'],
  ['secret_scanning_alert', 'alert'],
  ['team_add', 'team'],
]);

const targetsMax = 32;
const changesMax = 256;

/** Maps one delivery. Throws `Unmappable` where it lacks what an event needs. */
export function mapGitHub(delivery: JsonObject): AuditEvent {
  const request = objectOf(delivery['request']);
  const payload = objectOf(delivery['payload']) ?? objectOf(request?.['payload']);
  const name = textOf(delivery['event']) ?? headerOf(delivery, request, 'x-github-event');
  if (name === undefined) throw new Unmappable('the delivery does not name its event (X-GitHub-Event)');
  if (payload === undefined) throw new Unmappable('the delivery has no payload');
  const verb = textOf(payload['action']);
  const guid = textOf(delivery['guid']) ?? headerOf(delivery, request, 'x-github-delivery');
  return compact({
    id: guid !== undefined && /^[A-Za-z0-9._:-]{1,100}$/.test(guid) ? `github:${guid}` : undefined,
    action: `github.${toWord(name)}${verb === undefined ? '' : `.${toWord(verb)}`}`,
    occurredAt: timeOf(delivery['delivered_at']) ?? timeFrom(name, verb, payload),
    actor: actorOf(payload),
    targets: targetsOf(name, payload),
    changes: changesOf(name, payload),
    context: guid === undefined ? undefined : { requestId: guid },
    labels: compact({
      githubEvent: name,
      ref: textOf(payload['ref']),
      refType: textOf(payload['ref_type']),
      scope: textOf(payload['scope']),
      repositorySelection: textOf(payload['repository_selection']),
    }),
  }) as AuditEvent;
}

function headerOf(delivery: JsonObject, request: JsonObject | undefined, header: string): string | undefined {
  const headers = objectOf(delivery['headers']) ?? objectOf(request?.['headers']) ?? {};
  return textOf(Object.entries(headers).find(([key]) => key.toLowerCase() === header)?.[1]);
}

/**
 * A delivery does not say when it was sent, so the thing that changed must tell: the moment named after what happened
 * (`closed_at`, `published_at`), else its last update. Undefined leaves the time of the import, as any event without one.
 */
function timeFrom(name: string, verb: string | undefined, payload: JsonObject): string | undefined {
  const subject = objectOf(payload[primaryMembers.get(name) ?? name]);
  const repository = objectOf(payload['repository']);
  return (
    timeOf(payload['starred_at']) ??
    timeOf(payload['effective_date']) ??
    timeOf(subject?.[`${verb ?? ''}_at`]) ??
    timeOf(subject?.['updated_at']) ??
    timeOf(objectOf(payload['head_commit'])?.['timestamp']) ??
    (name === 'push' ? timeOf(repository?.['pushed_at']) : undefined) ??
    timeOf(subject?.['created_at']) ??
    timeOf(repository?.['updated_at'])
  );
}

function actorOf(payload: JsonObject): Actor {
  const sender = objectOf(payload['sender']);
  const id = idOf(sender?.['id']) ?? idOf(sender?.['login']);
  // Advisories and the like are GitHub's own doing and name no sender.
  if (sender === undefined || id === undefined) return { type: 'service', id: 'github.com' };
  return compact({
    type: toWord(textOf(sender['type']) ?? 'user'),
    id,
    name: textOf(sender['login']),
    siteAdmin: sender['site_admin'] === true ? true : undefined,
  }) as Actor;
}

function targetsOf(name: string, payload: JsonObject): Target[] {
  const found = new Map<string, Target>();
  const add = (target: Target | undefined): void => {
    // An id that may be a mail address could never be erased; the original beside it still has it.
    if (target === undefined || target.id.includes('@') || found.size >= targetsMax) return;
    const key = `${target.type}/${target.id}`;
    if (!found.has(key)) found.set(key, target);
  };
  const primary = primaryMembers.get(name) ?? name;
  const ordered = [...subjects].sort(([a], [b]) => Number(b === primary) - Number(a === primary));
  const reference = textOf(payload['ref']);
  const repository = idOf(objectOf(payload['repository'])?.['id']);
  if (reference !== undefined && repository !== undefined) {
    add(compact({ type: 'git_ref', id: `${repository}:${reference}`, name: reference }) as Target);
  }
  for (const [member, type] of ordered) add(targetFrom(type, objectOf(payload[member])));
  add(targetFrom('account', objectOf(objectOf(payload['marketplace_purchase'])?.['account'])));
  add(targetFrom('user', objectOf(objectOf(payload['membership'])?.['user'])));
  for (const list of ['repositories', 'repositories_added', 'repositories_removed']) {
    for (const item of listOf(payload[list])) add(targetFrom('repository', objectOf(item)));
  }
  return [...found.values()];
}

function targetFrom(type: string, thing: JsonObject | undefined): Target | undefined {
  const number = idOf(thing?.['number']);
  const id = idOf(thing?.['id']) ?? textOf(thing?.['ghsa_id']) ?? number ?? idOf(thing?.['login']);
  if (thing === undefined || id === undefined) return undefined;
  return compact({
    type,
    id,
    name:
      textOf(thing['full_name']) ??
      textOf(thing['login']) ??
      textOf(thing['title']) ??
      textOf(thing['name']) ??
      textOf(thing['tag_name']) ??
      textOf(thing['summary']),
    number,
    url: textOf(thing['html_url']),
  }) as Target;
}

/** GitHub writes `{"changes": {"title": {"from": "old"}}}`; what it became stands in the thing itself. */
function changesOf(name: string, payload: JsonObject): Change[] | undefined {
  const changes: Change[] = [];
  const before = textOf(payload['before']);
  const after = textOf(payload['after']);
  if (before !== undefined && after !== undefined) changes.push({ path: '/sha', from: before, to: after });
  const subject = objectOf(payload[primaryMembers.get(name) ?? name]);
  collectChanges(objectOf(payload['changes']) ?? {}, subject, '', changes);
  return changes.length === 0 ? undefined : changes.slice(0, changesMax);
}

function collectChanges(
  from: JsonObject,
  subject: JsonObject | undefined,
  path: string,
  into: Change[],
): void {
  for (const [key, value] of Object.entries(from)) {
    const inner = objectOf(value);
    if (inner === undefined) continue;
    const here = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const known: JsonValue | undefined = inner['to'] ?? subject?.[key];
    if ('from' in inner) into.push(compact({ path: here, from: inner['from'], to: known }) as Change);
    // `old_issue` and `new_issue` are whole things, not changes; the original has them.
    else if (path.split('/').length < 4 && inner['id'] === undefined) {
      collectChanges(inner, objectOf(subject?.[key]), here, into);
    }
  }
}
