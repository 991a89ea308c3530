import type { Filter } from '../event/index.ts';
import type { Log, SourceWatch } from '../log/index.ts';
import type { LogError } from '../store/index.ts';
import type { LogRequest, LogSummary, Scope } from '../wire/index.ts';

/** A JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1). */
export type Schema = Readonly<Record<string, unknown>>;

/** Who is asking, from the credential alone. */
export interface Caller {
  readonly kind: 'key' | 'session' | 'viewer-token';
  /** The public id of the key, the session or the token; goes into `source.credential` and `log.viewed`. */
  readonly id: string;
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The one log that it may touch; undefined: all. */
  readonly log: string | undefined;
  /** What `source.service` says of events that it writes. */
  readonly service: string;
  /** Joined to every question, where the credential sees only a part. */
  readonly filter: Filter | undefined;
  readonly expiresAt: number | undefined;
}

/** One request, after everything that is the same for all routes: its credential, limits, parameters. */
export interface Call {
  readonly request: Request;
  readonly url: URL;
  readonly params: Readonly<Record<string, string>>;
  /** The query string, validated and coerced by the route's schema. */
  readonly query: Readonly<Record<string, unknown>>;
  /** Undefined only on public routes. */
  readonly caller: Caller | undefined;
  /** The body within its limits, decompressed. Throws problems `body_too_large`, `body_invalid`. */
  readonly body: Body;
  /** The address of the socket's peer, and of the client as trusted proxies tell it. */
  readonly peer: { readonly socket: string | undefined; readonly client: string | undefined };
  readonly requestId: string;
  /** Whether the credential is good yet: asked by answers that go on for long. */
  readonly isStillLetIn: () => boolean;
  /** The opened log, where the path names one that this caller may see; the router answers 404 before otherwise. */
  readonly log: OpenLog;
}

/** A request body. Each may be taken once. */
export interface Body {
  readonly contentType: string;
  bytes(): Promise<Uint8Array>;
  /** Strict JSON: no duplicate keys, no depth over 32; checked against the route's schema where it has one. */
  json(): Promise<unknown>;
}

/** A log under the server's roof. */
export interface OpenLog {
  readonly name: string;
  readonly log: Log;
  readonly isPublic: boolean;
  /** Why nothing can be recorded: what was found when the log was opened. It is then open for reading alone. */
  readonly damage: LogError | undefined;
  /** What is missing of whom (`gaps`); absent where the log is open for reading only. */
  readonly sources?: SourceWatch;
}

/** All logs of a server: opened at need, closed when they rest. */
export interface Logs {
  /** Opens a log and keeps it open until `release`; undefined where there is none. */
  take(name: string): Promise<TakenLog | undefined>;
  /** The tenants' logs, in order; not those that the server keeps of itself, whose names begin with `_`. */
  names(): Promise<readonly string[]>;
  summary(name: string): Promise<LogSummary | undefined>;
  /** Makes a log. Throws `LogError` `log_exists`, misuse `option_invalid`. Only the server itself makes `_…`. */
  create(request: LogRequest): Promise<LogSummary>;
  /** Whether checkpoint and hash tiles are served without a credential. */
  setPublic(name: string, isPublic: boolean, by?: Caller): Promise<LogSummary | undefined>;
  close(): Promise<void>;
}

/** A log that is not closed under its user's hands. */
export interface TakenLog extends OpenLog {
  release(): void;
}

/**
 * What a caller must hold: any one of these scopes; `anyone`: any credential at all; `public`: none. Where a `public`
 * path names a `{log}`, no credential is asked for if the log is public, any credential for this log if it is not.
 */
export type Access = 'public' | 'anyone' | readonly Scope[];

/** One route: what answers, and what `/openapi.json` says of it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** OpenAPI's form: `/v1/logs/{log}/events/{id}`. A last `{path+}` takes the rest, slashes too. `{log}` is resolved, and checked against the caller, before `handle`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly access: Access;
  /** Whether a short-lived viewer token may call it. False if absent. */
  readonly forViewerTokens?: boolean;
  /** Answers also when the server is as busy as it may be: for probes. Such a route asks for no credential. */
  readonly isAlwaysOpen?: boolean;
  /** Whether its answer goes on for long: the log stays taken until the last byte was read. False if absent. */
  readonly isStreamed?: boolean;
  /** An object schema of the query string; unknown parameters are refused. */
  readonly query?: Schema;
  readonly body?: {
    readonly contentTypes: readonly string[];
    /** Bytes after decompression. */
    readonly bytesMax: number;
    readonly schema?: Schema;
  };
  readonly answers: Readonly<
    Record<
      number,
      {
        readonly description: string;
        /** JSON if absent. Several where the request chooses. */
        readonly contentType?: string | readonly string[];
        /** Of JSON; a name of `shapes.ts`, by `shape`. */
        readonly schema?: Schema;
      }
    >
  >;
  handle(call: Call): Promise<Response>;
}
