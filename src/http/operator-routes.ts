import type { Foundation } from './foundation.ts';
import type { Route } from './route.ts';

/** What `/readyz` asks before it says yes; each answers a reason why not, or undefined. */
export type ReadinessCheck = () => Promise<string | undefined> | string | undefined;

/** Routes for whoever runs the server: probes and metrics. */
export function operatorRoutes(house: Foundation, checks: readonly ReadinessCheck[]): Route[] {
  const text = { type: 'object', properties: { status: { type: 'string' }, reasons: { type: 'array' } } };
  return [
    {
      method: 'GET',
      path: '/healthz',
      operationId: 'isAlive',
      summary: 'Whether the process answers at all.',
      access: 'public',
      isAlwaysOpen: true,
      answers: { 200: { description: 'It does.', schema: text } },
      handle: async () => Response.json({ status: 'alive' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      operationId: 'isReady',
      summary:
        'Whether the server takes requests: not while it starts or stops, nor when an audit found damage.',
      access: 'public',
      isAlwaysOpen: true,
      answers: {
        200: { description: 'It does.', schema: text },
        503: {
          description: 'It does not; the reasons name no log.',
          contentType: 'application/json',
          schema: text,
        },
      },
      handle: () => readiness(house, checks),
    },
    {
      method: 'GET',
      path: '/metrics',
      operationId: 'getMetrics',
      summary: 'Metrics in the format of Prometheus.',
      access: ['admin'],
      answers: { 200: { description: 'The metrics.', contentType: 'text/plain' } },
      handle: async () =>
        new Response(await house.metrics.registry.metrics(), {
          headers: { 'content-type': house.metrics.registry.contentType },
        }),
    },
  ];
}

async function readiness(house: Foundation, checks: readonly ReadinessCheck[]): Promise<Response> {
  const reasons: string[] = [];
  if (house.gate.isClosed) reasons.push('stopping');
  for (const check of checks) {
    const reason = await check();
    if (reason !== undefined) reasons.push(reason);
  }
  const isReady = reasons.length === 0;
  return Response.json(isReady ? { status: 'ready' } : { status: 'not ready', reasons }, {
    status: isReady ? 200 : 503,
  });
}
