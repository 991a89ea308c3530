import type { Foundation } from './foundation.ts';
import type { Route } from './route.ts';
import { shape } from './shapes.ts';

/** Routes for whoever runs the server: probes and metrics. */
export function operatorRoutes(house: Foundation): Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      operationId: 'isAlive',
      summary: 'Whether the process answers at all.',
      access: 'public',
      isAlwaysOpen: true,
      answers: { 200: { description: 'It does.', schema: shape('Alive') } },
      handle: async () => Response.json({ status: 'alive' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      operationId: 'isReady',
      summary:
        'Whether the server takes requests, and what its last audits found. Damage in one log does not close the others.',
      access: 'public',
      isAlwaysOpen: true,
      answers: {
        200: { description: 'It does.', schema: shape('Readiness') },
        503: {
          description: 'It does not; the reasons name no log.',
          contentType: 'application/json',
          schema: shape('Readiness'),
        },
      },
      handle: async () => readiness(house),
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

function readiness(house: Foundation): Response {
  const audit = house.logs.audits.overall();
  const isReady = !house.gate.isClosed;
  return Response.json(
    {
      ...(isReady ? { status: 'ready' } : { status: 'not ready', reasons: ['stopping'] }),
      ...(audit === undefined ? {} : { audit }),
    },
    { status: isReady ? 200 : 503 },
  );
}
