import type { Stats } from '../../wire/index.ts';
import type { Call, Route } from '../route.ts';
import { shape } from '../shapes.ts';
import { problems, querySchema } from './answers.ts';
import { askedOf, fieldsOf } from './asked.ts';
import { type Desk, json } from './deps.ts';

/** Milliseconds that counting may take. */
const STATS_MS_MAX = 40;

/** How long counting waits for the search index, milliseconds. */
const INDEX_WAIT_MS = 500;

/** `GET /v1/logs/{log}/stats`. */
export function statsRoute(desk: Desk): Route {
  return {
    method: 'GET',
    path: '/v1/logs/{log}/stats',
    operationId: 'countEvents',
    summary:
      'How many events match a query: by action, actor, outcome, and by time. Counts come from the index.',
    access: ['read', 'audit'],
    query: {
      properties: {
        q: querySchema,
        buckets: { type: 'integer', minimum: 1, maximum: 500, default: 60, description: 'Bars at most.' },
      },
    },
    answers: {
      200: { description: 'Counts; isExact says whether all were counted.', schema: shape('Stats') },
      ...problems(400, 404, 503),
    },
    handle: (call) => stats(desk, call),
  };
}

async function stats({ logs }: Desk, call: Call): Promise<Response> {
  const asked = askedOf(call);
  const bucketsMax = (call.query['buckets'] as number | undefined) ?? 60;
  const request = { filter: asked.joined, bucketsMax, msMax: STATS_MS_MAX, waitMs: INDEX_WAIT_MS };
  const counts = await call.log.log.reader.stats(request);
  logs.views.saw(call, { indexes: [], fields: fieldsOf(asked.filter), query: asked.text });
  const { from, to, buckets, ...rest } = counts;
  const answer: Stats = {
    ...rest,
    buckets: buckets.map((bucket) => ({ ...bucket, from: time(bucket.from) })),
    ...(from === undefined || to === undefined ? {} : { from: time(from), to: time(to) }),
  };
  return json(answer);
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
