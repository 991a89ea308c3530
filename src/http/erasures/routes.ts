import { isMisuse } from '../../bytes/index.ts';
import type { PlacedHold } from '../../event/index.ts';
import type { ErasureAsked, ErasureList, HoldAsked, HoldList, HoldWire } from '../../wire/index.ts';
import type { Foundation } from '../foundation.ts';
import { problems } from '../logs/answers.ts';
import { json, writable } from '../logs/deps.ts';
import { actorOf } from '../logs/views.ts';
import { ProblemError } from '../problem.ts';
import type { Call, Route, Schema } from '../route.ts';
import { shape } from '../shapes.ts';
import type { Opened } from './desk.ts';

const BODY_BYTES_MAX = 16_384;

/** A ground, or the id of a request. */
export const words: Schema = { type: 'string', minLength: 1, maxLength: 256 };

/** A body of JSON, and what it has to be. */
export const body = (schema: Schema): NonNullable<Route['body']> => ({
  contentTypes: ['application/json'],
  bytesMax: BODY_BYTES_MAX,
  schema: { type: 'object', additionalProperties: false, ...schema },
});

const erasure = { description: 'The erasure.', schema: shape('Erasure') };

/** Who may see what is asked for, and what stands in the way. */
export const seeing = ['privacy', 'approve', 'admin', 'audit'] as const;

/** Erasures and holds of a log. Both need a log that can be written, since every step is an entry. */
export function erasureRoutes(house: Foundation): Route[] {
  return [...requestRoutes(house), ...stepRoutes(house), ...holdRoutes()];
}

function requestRoutes({ erasures }: Foundation): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/logs/{log}/erasures',
      operationId: 'requestErasure',
      summary:
        'Asks for the erasure of a subject’s values. Another person approves it; it is done after a delay.',
      access: ['privacy'],
      body: body({
        required: ['subject', 'basis', 'requestId'],
        properties: {
          subject: { type: 'string', maxLength: 512, description: 'type/id' },
          basis: words,
          requestId: words,
        },
      }),
      answers: { 201: erasure, ...problems(400, 404, 409) },
      handle: async (call) => {
        const asked = (await call.body.json()) as ErasureAsked;
        const made = await ofTheCaller(() => erasures.request(openOf(call), asked, call.caller!));
        return json(made, { status: 201, headers: { location: `${call.url.pathname}/${made.id}` } });
      },
    },
    {
      method: 'GET',
      path: '/v1/logs/{log}/erasures',
      operationId: 'listErasures',
      summary: 'Erasures that were asked for, the newest first.',
      access: seeing,
      answers: { 200: { description: 'The erasures.', schema: shape('ErasureList') }, ...problems(404) },
      handle: async ({ log }) => json({ erasures: erasures.list(log.name) } satisfies ErasureList),
    },
    {
      method: 'GET',
      path: '/v1/logs/{log}/erasures/{erasure}',
      operationId: 'getErasure',
      summary: 'One erasure, and how it stands.',
      access: seeing,
      answers: { 200: erasure, ...problems(404) },
      handle: async ({ log, params }) => json(erasures.find(log.name, params['erasure']!)),
    },
  ];
}

function stepRoutes({ erasures }: Foundation): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/logs/{log}/erasures/{erasure}/approval',
      operationId: 'approveErasure',
      summary: 'Approves an erasure that another person asked for; its delay begins.',
      access: ['approve'],
      answers: { 200: erasure, ...problems(404, 409) },
      handle: async (call) =>
        json(await erasures.approve(openOf(call), call.params['erasure']!, call.caller!)),
    },
    {
      method: 'DELETE',
      path: '/v1/logs/{log}/erasures/{erasure}',
      operationId: 'cancelErasure',
      summary: 'Cancels an erasure that is not done yet.',
      access: ['privacy', 'approve'],
      answers: { 200: erasure, ...problems(404, 409) },
      handle: async (call) =>
        json(await erasures.cancel(openOf(call), call.params['erasure']!, call.caller!)),
    },
  ];
}

function holdRoutes(): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/logs/{log}/holds',
      operationId: 'listHolds',
      summary: 'The legal holds that are in force.',
      access: seeing,
      answers: { 200: { description: 'The holds.', schema: shape('HoldList') }, ...problems(404) },
      handle: async ({ log }) => json({ holds: (await log.log.holds.list()).map(holdOf) } satisfies HoldList),
    },
    {
      method: 'POST',
      path: '/v1/logs/{log}/holds',
      operationId: 'placeHold',
      summary: 'Places a legal hold: what it covers is not erased. It is an entry.',
      access: ['admin'],
      body: body({
        required: ['name'],
        minProperties: 2,
        properties: {
          name: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' },
          ...Object.fromEntries(
            ['subject', 'actor', 'target', 'from', 'to'].map((field) => [
              field,
              { type: 'string', maxLength: 512 },
            ]),
          ),
          query: { type: 'string', minLength: 1, maxLength: 4096 },
          reason: { type: 'string', minLength: 1, maxLength: 1000 },
        },
      }),
      answers: { 201: { description: 'The holds.', schema: shape('HoldList') }, ...problems(400, 404, 409) },
      handle: async (call) => {
        const { log } = openOf(call);
        const asked = (await call.body.json()) as HoldAsked;
        await ofTheCaller(() => log.holds.place({ ...asked, by: actorOf(call.caller!) }));
        return json({ holds: (await log.holds.list()).map(holdOf) } satisfies HoldList, { status: 201 });
      },
    },
    {
      method: 'DELETE',
      path: '/v1/logs/{log}/holds/{hold}',
      operationId: 'releaseHold',
      summary: 'Releases a legal hold. It is an entry.',
      access: ['admin'],
      answers: { 204: { description: 'It is not in force any more.' }, ...problems(404) },
      handle: async (call) => {
        await openOf(call).log.holds.release(call.params['hold']!, { by: actorOf(call.caller!) });
        return new Response(null, { status: 204 });
      },
    },
  ];
}

/** What the log refuses as misuse came in with the request. */
export async function ofTheCaller<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isMisuse(error) || ['query_invalid', 'subject_not_erasable'].includes(error.code)) throw error;
    throw new ProblemError(400, 'body_invalid', error.message);
  }
}

/** The log of a call, which must be writable, and its name. */
export function openOf(call: Call): Opened {
  return { name: call.log.name, log: writable(call) };
}

function holdOf(hold: PlacedHold): HoldWire {
  const { name, index, at, subject, actor, target, from, to, query } = hold;
  const cover = { subject, actor, target, from, to, query };
  const given = Object.fromEntries(Object.entries(cover).filter(([, value]) => value !== undefined));
  return { name, index, at, ...given };
}
