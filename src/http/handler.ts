import type { Clock } from '../platform/index.ts';
import { checkAccess, reachesServerLog } from './access.ts';
import { noBody, RequestBody } from './body.ts';
import type { CompiledRoute } from './compiled-route.ts';
import { type Recognised, requireSameSite, WrongCredential } from './credentials.ts';
import type { Foundation } from './foundation.ts';
import type { Connection } from './peer.ts';
import { notFound, ProblemError, problemOf, problemResponse } from './problem.ts';
import type { Call, Caller, OpenLog, TakenLog } from './route.ts';
import type { Match, Router } from './router.ts';
import { secure } from './security-headers.ts';
import type { ViewerFiles } from './viewer-files.ts';

/** One request on its way through the house. */
interface Passage {
  readonly request: Request;
  readonly url: URL;
  readonly requestId: string;
  readonly peer: Call['peer'];
  readonly isSecure: boolean;
}

/** Answers requests: everything that is the same for all routes happens here, in this order. */
export class Dispatcher {
  readonly #house: Foundation;
  readonly #router: Router<CompiledRoute>;
  readonly #files: ViewerFiles;
  readonly #clock: Clock;
  #requests = 0;

  constructor(house: Foundation, router: Router<CompiledRoute>, files: ViewerFiles) {
    this.#house = house;
    this.#files = files;
    this.#router = router;
    this.#clock = house.clock;
  }

  /** Never rejects: what goes wrong becomes a problem. */
  async answer(request: Request, connection: Connection): Promise<Response> {
    const started = this.#clock.monotonic();
    this.#requests += 1;
    const requestId = `${this.#house.instance}-${this.#requests.toString(36)}`;
    const url = new URL(request.url);
    const passage: Passage = {
      request,
      url,
      requestId,
      peer: {
        socket: connection.address,
        client: this.#house.proxies.clientOf(connection.address, request.headers.get('x-forwarded-for')),
      },
      isSecure: this.#isSecure(url, connection, request),
    };
    let match: Match<CompiledRoute> | undefined;
    let response: Response;
    try {
      match = this.#match(passage);
      response = match === undefined ? this.#besideRoutes(passage) : await this.#pass(passage, match);
    } catch (error) {
      response = this.#problem(error, passage);
    }
    this.#house.metrics.answered(
      match?.target.route.operationId,
      response.status,
      this.#clock.monotonic() - started,
    );
    return this.#finish(response, passage);
  }

  #isSecure(url: URL, connection: Connection, request: Request): boolean {
    if (this.#house.publicUrl !== undefined) return this.#house.publicUrl.protocol === 'https:';
    if (connection.isEncrypted === true || url.protocol === 'https:') return true;
    const isTrusted = connection.address !== undefined && this.#house.proxies.isTrusted(connection.address);
    return isTrusted && request.headers.get('x-forwarded-proto') === 'https';
  }

  /** The route; undefined where there is none. Throws `method_unknown`. */
  #match({ request, url }: Passage): Match<CompiledRoute> | undefined {
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    if (method === 'OPTIONS') return undefined;
    const match = this.#router.find(method, url.pathname);
    if (match !== undefined) return match;
    const methods = this.#router.methodsOf(url.pathname);
    if (methods.length === 0) return undefined;
    throw new ProblemError(405, 'method_unknown', 'This address knows other methods.', {
      headers: { allow: methods.join(', ') },
    });
  }

  async #pass(passage: Passage, { target, params }: Match<CompiledRoute>): Promise<Response> {
    const { gate } = this.#house;
    if (target.route.isAlwaysOpen === true) return this.#handle(passage, target, params, undefined);
    gate.enter();
    try {
      const caller = this.#recognise(passage, target);
      return await this.#handle(passage, target, params, caller);
    } finally {
      gate.leave();
    }
  }

  #recognise(passage: Passage, { route }: CompiledRoute): Caller | undefined {
    const { request, url } = passage;
    // Who comes to sign in may bring a cookie that has expired.
    if (route.access === 'public' && !route.path.includes('{log}')) return undefined;
    const recognised = this.#recogniseOrRefuse(passage);
    if (recognised === undefined) return undefined;
    const { caller, origins } = recognised;
    if (caller.kind === 'session') requireSameSite(request, this.#house.originOf(url));
    if (caller.kind === 'viewer-token') {
      const origin = request.headers.get('origin');
      if (origin !== null && origin !== this.#house.originOf(url) && origins?.includes(origin) !== true) {
        throw new ProblemError(403, 'cross_site', 'This token is not for pages of this origin.');
      }
      if (route.forViewerTokens !== true) throw notFound();
    }
    if (!this.#house.rates.take(caller.id)) {
      throw new ProblemError(429, 'rate_limited', 'This credential asks too often.', {
        retryAfter: this.#house.rates.waitSeconds(caller.id),
      });
    }
    return caller;
  }

  /**
   * An address that tried too many wrong credentials waits. What is right is right all the same: strangers behind the
   * same proxy, or callers whose address nobody knows, are not shut out by one who guesses, which is hopeless anyway.
   */
  #recogniseOrRefuse({ request, peer }: Passage): Recognised | undefined {
    try {
      return this.#house.credentials.recognise(request);
    } catch (error) {
      if (!(error instanceof WrongCredential)) throw error;
      this.#house.serverLog.authenticationFailed(error.reason, peer);
      const address = peer.client ?? '';
      if (this.#house.failures.take(address)) throw error;
      throw new ProblemError(429, 'rate_limited', 'Too many wrong credentials came from this address.', {
        retryAfter: this.#house.failures.waitSeconds(address),
      });
    }
  }

  async #handle(
    passage: Passage,
    target: CompiledRoute,
    params: Readonly<Record<string, string>>,
    caller: Caller | undefined,
  ): Promise<Response> {
    const { request, url, peer, requestId } = passage;
    const taken = await this.#takeLog(target, params['log'], caller);
    let release = (): void => taken?.release();
    try {
      checkAccess(target.route, caller, taken);
      const call: Call = {
        request,
        url,
        params,
        query: target.query(url.searchParams),
        caller,
        body: target.body === undefined ? noBody : new RequestBody(request, target.body),
        peer,
        requestId,
        isStillLetIn: () => this.#isStillLetIn(request),
        log: taken as OpenLog,
      };
      const response = await target.route.handle(call);
      if (request.method === 'HEAD') {
        void response.body?.cancel();
        return new Response(null, response);
      }
      if (target.route.isStreamed !== true || response.body === null) return response;
      const streamed = new Response(untilRead(response.body, release), response);
      release = () => {};
      return streamed;
    } finally {
      release();
    }
  }

  /** Whether the credential that opened a long answer would open it now. */
  #isStillLetIn(request: Request): boolean {
    try {
      return this.#house.credentials.recognise(request) !== undefined;
    } catch (error) {
      if (error instanceof WrongCredential) return false;
      throw error;
    }
  }

  /** The log that the path names. Without a credential, whether there is one is not told: 401 comes first. */
  async #takeLog(
    { route }: CompiledRoute,
    name: string | undefined,
    caller: Caller | undefined,
  ): Promise<TakenLog | undefined> {
    if (name === undefined) return undefined;
    if (caller === undefined && route.access !== 'public') return undefined;
    if (caller?.log !== undefined && caller.log !== name) throw notFound();
    if (name.startsWith('_') && !reachesServerLog(route, caller)) throw notFound();
    const taken = await this.#house.logs.take(name);
    if (taken === undefined && caller !== undefined) throw notFound();
    return taken;
  }

  /** What no route answers: preflights, and the files of the viewer. */
  #besideRoutes(passage: Passage): Response {
    if (passage.request.method === 'OPTIONS') return this.#preflight(passage);
    const file = this.#files.answer(passage.request, passage.url.pathname);
    if (file !== undefined) return file;
    throw new ProblemError(404, 'route_unknown', 'There is no such address here.');
  }

  /** A browser asks whether a page of another origin may ask. Only those that hold a viewer token may. */
  #preflight({ request }: Passage): Response {
    const origin = request.headers.get('origin');
    if (origin === null || !this.#house.tokens.embeds(origin)) {
      throw new ProblemError(403, 'cross_site', 'Pages of this origin may not ask here.');
    }
    return new Response(null, {
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET',
        'access-control-allow-headers': 'authorization, last-event-id, if-none-match',
        'access-control-max-age': '600',
        vary: 'origin',
      },
    });
  }

  #problem(error: unknown, { requestId, request, url }: Passage): Response {
    const { status, code } = problemOf(error);
    if (status >= 500) {
      this.#house.logger.error(
        { requestId, method: request.method, path: url.pathname, code, err: error },
        'a request failed',
      );
    }
    return problemResponse(error, requestId);
  }

  #finish(response: Response, { request, isSecure, requestId }: Passage): Response {
    const { headers } = response;
    headers.set('x-request-id', requestId);
    const origin = request.headers.get('origin');
    if (origin !== null && this.#house.mayRead(request, origin)) {
      headers.set('access-control-allow-origin', origin);
      headers.set('access-control-expose-headers', 'etag, retry-after, x-request-id');
      headers.set('cross-origin-resource-policy', 'cross-origin');
      if (headers.get('vary')?.includes('origin') !== true) headers.append('vary', 'origin');
    }
    return secure(response, isSecure);
  }
}

/** The same stream; `done` is called once when it has been read to its end, failed, or nobody reads it any more. */
function untilRead(body: ReadableStream<Uint8Array>, done: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done: isOver, value } = await reader.read();
        if (value !== undefined) return controller.enqueue(value);
        if (isOver) controller.close();
      } catch (error) {
        controller.error(error);
      }
      done();
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
}
