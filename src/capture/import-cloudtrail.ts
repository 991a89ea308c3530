import type { JsonObject, JsonValue } from '../bytes/index.ts';
import type { Actor, AuditEvent, Target } from '../event/index.ts';
import { compact, toWord } from './names.ts';
import { listOf, objectOf, requireObject, requireText, textOf, timeOf } from './record.ts';

/*
 * One AWS CloudTrail record (docs.aws.amazon.com/awscloudtrail, "record contents"):
 * {"eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", "userIdentity": {…}, "eventID": "…", …}
 * becomes aws.ec2.describe_instances. Ids of an actor stay readable for ever, so a person is named by the principal id
 * that AWS drew, and the user name goes into a sealed attribute beside it.
 */

/** Request parameters that name what the call was about, and the type of that thing. */
const parameterTargets: ReadonlyMap<string, string> = new Map([
  ['bucketName', 's3_bucket'],
  ['cacheClusterId', 'cache_cluster'],
  ['clusterName', 'cluster'],
  ['dBInstanceIdentifier', 'db_instance'],
  ['functionName', 'function'],
  ['groupId', 'security_group'],
  ['groupName', 'group'],
  ['imageId', 'image'],
  ['instanceId', 'instance'],
  ['instanceProfileName', 'instance_profile'],
  ['keyId', 'kms_key'],
  ['keyName', 'key_pair'],
  ['loadBalancerName', 'load_balancer'],
  ['policyArn', 'policy'],
  ['policyName', 'policy'],
  ['roleArn', 'iam_role'],
  ['roleName', 'iam_role'],
  ['secretId', 'secret'],
  ['snapshotId', 'snapshot'],
  ['streamName', 'stream'],
  ['subnetId', 'subnet'],
  ['tableName', 'table'],
  ['topicArn', 'topic'],
  ['trailName', 'trail'],
  ['userName', 'iam_user'],
  ['volumeId', 'volume'],
  ['vpcId', 'vpc'],
]);

/** Most targets that an event may have (spec/entry.md). */
const targetsMax = 32;
const searchDepthMax = 5;

/** Maps one CloudTrail record. Throws `Unmappable` where it lacks what an event needs. */
export function mapCloudTrail(record: JsonObject): AuditEvent {
  const service = requireText(record, 'eventSource').replace(/\.amazonaws\.com$/, '');
  const name = requireText(record, 'eventName');
  const errorCode = textOf(record['errorCode']);
  const failedLogin = textOf(objectOf(record['responseElements'])?.['ConsoleLogin']) === 'Failure';
  return compact({
    id: idFrom(record),
    action: `aws.${toWord(service)}.${toWord(name)}`,
    occurredAt: timeOf(record['eventTime']) ?? timeOf(record['@timestamp']),
    outcome: failedLogin ? 'failure' : outcomeOf(errorCode),
    actor: actorOf(requireObject(record, 'userIdentity')),
    targets: targetsOf(record),
    correlationId: textOf(record['sharedEventID']),
    context: compact({
      ip: textOf(record['sourceIPAddress']),
      userAgent: textOf(record['userAgent']),
      requestId: textOf(record['requestID']),
    }),
    error:
      errorCode === undefined
        ? undefined
        : compact({ code: errorCode, message: textOf(record['errorMessage']) }),
    labels: compact({
      awsRegion: textOf(record['awsRegion']),
      awsAccount: textOf(record['recipientAccountId']),
      awsEventType: textOf(record['eventType']),
    }),
  }) as AuditEvent;
}

/** AWS promises that `eventID` is unique, and delivers a record more than once now and then. */
function idFrom(record: JsonObject): string | undefined {
  const id = textOf(record['eventID']);
  return id !== undefined && /^[A-Za-z0-9._:-]{1,100}$/.test(id) ? `cloudtrail:${id}` : undefined;
}

function outcomeOf(errorCode: string | undefined): 'success' | 'failure' | 'denied' {
  if (errorCode === undefined) return 'success';
  return /AccessDenied|Unauthorized|NotAuthorized|Forbidden/i.test(errorCode) ? 'denied' : 'failure';
}

/** Whose call it was. Ids with an `@` come last: such an id is a mail address, and a log refuses it by default. */
function actorOf(identity: JsonObject): Actor {
  const principal = textOf(identity['principalId']);
  const [principalId, session] = principal?.split(':') ?? [];
  const candidates = [
    principalId,
    textOf(identity['arn']),
    textOf(identity['invokedBy']),
    textOf(identity['accountId']),
    textOf(identity['userName']),
  ].filter((id) => id !== undefined && id !== '');
  const id = candidates.find((candidate) => !candidate?.includes('@')) ?? candidates[0] ?? 'unknown';
  return compact({
    type: toWord(textOf(identity['type']) ?? 'unknown'),
    id,
    name:
      textOf(identity['userName']) ??
      textOf(objectOf(objectOf(identity['sessionContext'])?.['sessionIssuer'])?.['userName']),
    sessionName: session,
    arn: textOf(identity['arn']),
    accountId: textOf(identity['accountId']),
    accessKeyId: textOf(identity['accessKeyId']),
    invokedBy: textOf(identity['invokedBy']),
  }) as Actor;
}

/** What the call was about: the resources that AWS names, then those that the request names. */
function targetsOf(record: JsonObject): Target[] {
  const found = new Map<string, Target>();
  const add = (type: string, id: string, account?: string): void => {
    // An id that may be a mail address could never be erased; the original beside it still has it.
    if (id.includes('@') || found.size >= targetsMax) return;
    // A bucket's name beside its ARN says nothing new.
    for (const known of found.values())
      if (known.id.endsWith(`:${id}`) || known.id.endsWith(`/${id}`)) return;
    found.set(`${type}/${id}`, compact({ type, id, accountId: account }) as Target);
  };
  for (const item of listOf(record['resources'])) {
    const resource = objectOf(item);
    const id = textOf(resource?.['ARN']) ?? textOf(resource?.['ARNPrefix']);
    if (id === undefined) continue;
    const type = (textOf(resource?.['type']) ?? 'resource').replace(/^AWS::/, '');
    add(toWord(type), id, textOf(resource?.['accountId']));
  }
  walkParameters(record['requestParameters'], add, 0);
  return [...found.values()];
}

function walkParameters(
  value: JsonValue | undefined,
  add: (type: string, id: string) => void,
  depth: number,
): void {
  if (depth > searchDepthMax) return;
  if (Array.isArray(value)) {
    for (const item of value) walkParameters(item, add, depth + 1);
    return;
  }
  for (const [key, inner] of Object.entries(objectOf(value) ?? {})) {
    const type = parameterTargets.get(key.charAt(0).toLowerCase() + key.slice(1));
    // EC2 writes some parameters as {"tag": 1, "content": "i-…"}.
    const id = textOf(inner) ?? textOf(objectOf(inner)?.['content']);
    if (type !== undefined && id !== undefined) add(type, id);
    else walkParameters(inner, add, depth + 1);
  }
}
