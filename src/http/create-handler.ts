import type { ApiKeyCreated, ApiKeyRequest, Scope } from '../wire/index.ts';
import { compileRoutes } from './compiled-route.ts';
import { erasureRoutes, retentionRoutes } from './erasures/index.ts';
import { Foundation } from './foundation.ts';
import { Dispatcher } from './handler.ts';
import type { HandlerOptions } from './handler-options.ts';
import { keyRoutes } from './key-routes.ts';
import { logRoutes, openLogs } from './logs/index.ts';
import { openApiRoute } from './openapi.ts';
import { metricsAnswer, operatorRoutes } from './operator-routes.ts';
import type { Connection } from './peer.ts';
import { problemOf } from './problem.ts';
import type { Route } from './route.ts';
import { Schemas } from './schemas.ts';
import { linkUrl, sessionRoutes } from './session-routes.ts';
import { signInRoutes } from './sign-in/index.ts';
import { ViewerFiles } from './viewer-files.ts';

/** What lets a person or a program in, made by whoever runs the process: no request can ask for these. */
export interface FrontDesk {
  /** Whether no key was ever made: a data directory that is new. */
  readonly isNew: boolean;
  /** Makes an API key; the answer is the only time that it is shown. */
  createKey(request: ApiKeyRequest): Promise<ApiKeyCreated>;
  /** A link that opens the viewer once, with these scopes, under the address by which people reach the server. */
  createLink(origin: string, scopes: readonly Scope[]): string;
  /** Makes a log if there is none of this name. */
  ensureLog(name: string): Promise<void>;
}

/** A handler of requests, and what it holds open. */
export interface Handler {
  /** Answers one request. Never rejects. `connection` says what the request cannot: who is at the other end. */
  (request: Request, connection?: Connection): Promise<Response>;
  readonly desk: FrontDesk;
  /** The routes that it answers, as `/openapi.json` describes them. */
  readonly routes: readonly Route[];
  /** Resolves when the writer of a log no longer knows what it wrote: close, and start a new process. */
  readonly failure: Promise<Error>;
  /** Answers `GET /metrics` without a key, and nothing else: for a listener on loopback. */
  readonly metrics: (request: Request) => Promise<Response>;
  /** Does the erasures that are due now; it happens by itself every few seconds. */
  erase(): Promise<void>;
  /** Does the changes of policies of retention that are due, and applies the policies that have not been for a day; as {@link erase}. */
  retain(): Promise<void>;
  /** Audits every log now and by the hour, as long as the handler is open. */
  startAudits(): void;
  /** Lets requests under way finish, takes no more, and closes logs and files. */
  close(): Promise<void>;
}

/**
 * A server as one function from `Request` to `Response`, to be mounted wherever such functions are. Opens the data
 * directory; `close` when done.
 */
export function createHandler(options: HandlerOptions): Handler {
  const house = new Foundation(options, ({ data, origin, logger, meter }) =>
    openLogs(data, {
      originBase: origin,
      meter,
      kms: options.kms,
      warn: (message) => logger.warn({}, message),
    }),
  );
  const others = [
    ...operatorRoutes(house),
    ...keyRoutes(house),
    ...sessionRoutes(house),
    ...signInRoutes(house),
    ...erasureRoutes(house),
    ...retentionRoutes(house),
    ...logRoutes({ logs: house.logs, problemOf }),
  ];
  const routes = [...others, openApiRoute(others)];
  const dispatcher = new Dispatcher(house, compileRoutes(routes, new Schemas()), new ViewerFiles());
  let closing: Promise<void> | undefined;
  const answer = (request: Request, connection: Connection = {}): Promise<Response> =>
    dispatcher.answer(request, connection);
  const close = (): Promise<void> => {
    closing ??= house.close();
    return closing;
  };
  return Object.assign(answer, {
    desk: deskOf(house),
    routes,
    failure: house.failure,
    metrics: metricsAnswer(house),
    erase: () => house.erasures.run(),
    retain: async () => {
      await house.retention.run();
      await house.rounds.run();
    },
    startAudits: () => house.logs.audits.start(),
    close,
  });
}

function deskOf(house: Foundation): FrontDesk {
  return {
    get isNew() {
      return house.keys.isEmpty;
    },
    createKey: async (request) => {
      const created = house.keys.create(request);
      await house.serverLog.administered(
        'api_key.created',
        undefined,
        { type: 'api-key', id: created.id, name: created.name },
        undefined,
        { scopes: created.scopes },
      );
      return created;
    },
    createLink: (origin, scopes) =>
      linkUrl(
        house.publicUrl?.origin ?? origin,
        house.sessions.createLink({ name: 'operator', scopes, issuer: '' }).token,
      ),
    ensureLog: async (name) => {
      if (!(await house.logs.names()).includes(name)) await house.logs.create({ name });
    },
  };
}
