/**
 * The logs of a server, and the routes into them.
 *
 * `registry.ts` keeps the logs of a data directory open while they are used. The routes are data (`route.ts`): each does its
 * own thing with a log that the foundation has opened for a caller that it has identified. Reading leaves a trace: `views.ts`
 * gathers who read what into entries of the log itself.
 */
import type { Route } from '../route.ts';
import type { LogRouteDeps } from './deps.ts';
import { eventRoutes } from './events.ts';
import { exportRoute } from './export.ts';
import { logsRoutes } from './log-routes.ts';
import { EXPORTS_MAX, Places, STREAMS_MAX } from './places.ts';
import { Pulse } from './pulse.ts';
import { recordRoute } from './record.ts';
import { statsRoute } from './stats.ts';
import { streamRoute } from './stream.ts';
import { tileRoutes } from './tiles.ts';
import { verificationRoutes } from './verification.ts';

export type { LogRouteDeps } from './deps.ts';
export { BATCH_BYTES_MAX, BATCH_EVENTS_MAX } from './record.ts';
export { LOGS_OPEN_MAX, LogRegistry, type LogsOptions, openLogs, type Vitals } from './registry.ts';

/** Every route of the logs. */
export function logRoutes(deps: LogRouteDeps): Route[] {
  const desk = {
    ...deps,
    pulse: new Pulse(),
    streams: new Places('streams', STREAMS_MAX),
    exports: new Places('exports', EXPORTS_MAX),
  };
  return [
    ...logsRoutes(desk),
    recordRoute(desk),
    ...eventRoutes(desk),
    statsRoute(desk),
    exportRoute(desk),
    streamRoute(desk),
    ...verificationRoutes(desk),
    ...tileRoutes(desk),
  ];
}
export type { KmsKeys } from './wrapped-keys.ts';
