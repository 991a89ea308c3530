import type { BodyRules } from './body.ts';
import type { Route } from './route.ts';
import { Router } from './router.ts';
import type { Schemas } from './schemas.ts';

/** A route with its schemas compiled. */
export interface CompiledRoute {
  readonly route: Route;
  readonly query: (parameters: URLSearchParams) => Readonly<Record<string, unknown>>;
  readonly body: BodyRules | undefined;
}

/** A router over all routes of a server. */
export function compileRoutes(routes: readonly Route[], schemas: Schemas): Router<CompiledRoute> {
  const router = new Router<CompiledRoute>();
  for (const route of routes) {
    const { body } = route;
    const rules = body && { ...body, check: body.schema && schemas.body(body.schema) };
    router.add(route, { route, query: schemas.query(route.query), body: rules });
  }
  return router;
}
