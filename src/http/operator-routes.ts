import type { Foundation } from './foundation.ts';
import { isLoopback } from './peer.ts';
import { ProblemError, problemResponse } from './problem.ts';
import type { Route } from './route.ts';
import { secure } from './security-headers.ts';
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
      handle: () => metricsOf(house),
    },
  ];
}

/**
 * Metrics without a key, for a listener of their own that only this machine reaches: nothing else is answered there, and
 * no page of a browser that was led here under another name.
 */
export function metricsAnswer(house: Foundation): (request: Request) => Promise<Response> {
  return async (request) => {
    const { hostname, pathname } = new URL(request.url);
    const isAsked = pathname === '/metrics' && request.method === 'GET' && isLoopback(hostname);
    const none = new ProblemError(404, 'route_unknown', 'There is no such address here.');
    return secure(isAsked ? await metricsOf(house) : problemResponse(none, house.instance), false);
  };
}

async function metricsOf({ metrics }: Foundation): Promise<Response> {
  return new Response(await metrics.registry.metrics(), {
    headers: { 'content-type': metrics.registry.contentType },
  });
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
