import { entryKeepings, RETENTION_RULES_MAX } from '../../event/index.ts';
import type { RetentionAsked, RetentionWire } from '../../wire/index.ts';
import type { Foundation } from '../foundation.ts';
import { problems } from '../logs/answers.ts';
import { json } from '../logs/deps.ts';
import type { Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { body, ofTheCaller, openOf, seeing, words } from './routes.ts';

const change = { description: 'The change.', schema: shape('RetentionChange') };

/** The policy of retention of a log. What shortens it needs a log that can be written, and a second person. */
export function retentionRoutes(house: Foundation): Route[] {
  return [...policyRoutes(house), ...stepRoutes(house)];
}

function policyRoutes({ retention, rounds }: Foundation): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs/{log}/retention',
      operationId: 'getRetention',
      summary: 'How long sealed values and entries are kept, and changes of it that were asked for.',
      access: seeing,
      answers: { 200: { description: 'The policy.', schema: shape('Retention') }, ...problems(404) },
      handle: async ({ log }) => {
        const at = rounds.appliedAt(log.name);
        const policy: RetentionWire = {
          ...(await log.log.retention.policy()),
          changes: retention.list(log.name),
          ...(at === undefined ? {} : { appliedAt: new Date(at).toISOString() }),
        };
        return json(policy);
      },
    },
    {
      method: 'POST',
      path: '/v1/logs/{log}/retention/changes',
      operationId: 'requestRetention',
      summary:
        'Asks for another policy. One that keeps nothing for a shorter time is in force at once; another takes two people and a delay.',
      access: ['privacy'],
      body: body({
        required: ['rules', 'basis', 'requestId'],
        properties: {
          rules: {
            type: 'array',
            maxItems: RETENTION_RULES_MAX,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['match', 'keep'],
              properties: {
                match: { type: 'string', maxLength: 129, description: 'an action, record.*, or *' },
                keep: { type: 'string', maxLength: 8, description: 'a number with h, d, w, mo or y' },
              },
            },
          },
          entries: {
            enum: [...entryKeepings],
            description:
              'what becomes of entries that have passed the longest period; as it is, where it is left out',
          },
          basis: words,
          requestId: words,
        },
      }),
      answers: { 201: change, ...problems(400, 404, 409) },
      handle: async (call) => {
        const asked = (await call.body.json()) as RetentionAsked;
        const made = await ofTheCaller(() => retention.request(openOf(call), asked, call.caller!));
        return json(made, { status: 201, headers: { location: `${call.url.pathname}/${made.id}` } });
      },
    },
  ];
}

function stepRoutes({ retention }: Foundation): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs/{log}/retention/changes/{change}',
      operationId: 'getRetentionChange',
      summary: 'One change of the policy, and how it stands.',
      access: seeing,
      answers: { 200: change, ...problems(404) },
      handle: async ({ log, params }) => json(retention.find(log.name, params['change']!)),
    },
    {
      method: 'POST',
      path: '/v1/logs/{log}/retention/changes/{change}/approval',
      operationId: 'approveRetention',
      summary: 'Approves a change that another person asked for; its delay begins.',
      access: ['approve'],
      answers: { 200: change, ...problems(404, 409) },
      handle: async (call) =>
        json(await retention.approve(openOf(call), call.params['change']!, call.caller!)),
    },
    {
      method: 'DELETE',
      path: '/v1/logs/{log}/retention/changes/{change}',
      operationId: 'cancelRetention',
      summary: 'Cancels a change that is not done yet.',
      access: ['privacy', 'approve'],
      answers: { 200: change, ...problems(404, 409) },
      handle: async (call) =>
        json(await retention.cancel(openOf(call), call.params['change']!, call.caller!)),
    },
  ];
}
