import { type CommitMeter, isLogError } from '../log/index.ts';
import { type Clock, randomBytes, systemClock } from '../platform/index.ts';
import type { ErasureAsked, RetentionAsked, ViewerSession } from '../wire/index.ts';
import { ApiKeys } from './api-keys.ts';
import { Credentials } from './credentials.ts';
import { ServerDatabase } from './database.ts';
import { RequestDesk } from './erasures/desk.ts';
import { erasureKind, retentionKind } from './erasures/kinds.ts';
import { RetentionRounds } from './erasures/rounds.ts';
import {
  ADMISSION_RATE,
  checkHandlerOptions,
  ERASURE_DELAY_MS_DEFAULT,
  FAILURE_RATE,
  type HandlerOptions,
  type Logger,
  RATE_DEFAULT,
  silent,
  UNDER_WAY_MAX_DEFAULT,
} from './handler-options.ts';
import { Gate, TokenBuckets } from './limits.ts';
import type { LogRegistry } from './logs/index.ts';
import { Metrics } from './metrics.ts';
import { TrustedProxies } from './peer.ts';
import { ServerLog } from './server-log.ts';
import { Sessions } from './sessions.ts';
import { OIDC_ISSUER_PREFIX, SignIn } from './sign-in/index.ts';
import { ViewerTokens } from './viewer-tokens.ts';

/** How long requests under way may take to finish when the server stops. */
const PATIENCE_MS = 10_000;

/** Opens the logs of a data directory. */
export type LogsOpener = (house: {
  readonly data: string;
  readonly origin: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly meter: CommitMeter;
}) => LogRegistry;

/** Everything that stands as long as a handler does. */
export class Foundation {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly publicUrl: URL | undefined;
  /** Tells the requests of one process from those of another. */
  readonly instance = Array.from(randomBytes(4), (byte) => byte.toString(16).padStart(2, '0')).join('');
  readonly proxies: TrustedProxies;
  /** What the viewer is told with its session. */
  readonly sentences: Pick<ViewerSession, 'sentences'>;
  readonly keys: ApiKeys;
  readonly sessions: Sessions;
  readonly tokens: ViewerTokens;
  /** Undefined where no OpenID provider is configured. */
  readonly signIn: SignIn | undefined;
  readonly credentials: Credentials;
  readonly serverLog: ServerLog;
  readonly gate: Gate;
  readonly rates: TokenBuckets;
  readonly failures: TokenBuckets;
  /** Links and viewer tokens that keys make. */
  readonly admissions: TokenBuckets;
  readonly metrics: Metrics;
  readonly logs: LogRegistry;
  /** Erasures that were asked for. */
  readonly erasures: RequestDesk<ErasureAsked>;
  /** Changes of policies of retention that were asked for, and the application of those in force. */
  readonly retention: RequestDesk<RetentionAsked>;
  readonly rounds: RetentionRounds;
  /** Resolves when the writer of a log no longer knows what it wrote: only a new process finds out. */
  readonly failure: Promise<Error>;
  readonly #database: ServerDatabase;

  constructor(options: HandlerOptions, openLogs: LogsOpener) {
    checkHandlerOptions(options);
    const { data, publicUrl, clock = systemClock, logger = silent } = options;
    this.clock = clock;
    this.logger = logger;
    this.publicUrl = publicUrl === undefined ? undefined : new URL(publicUrl);
    this.proxies = new TrustedProxies(options.trustedProxies ?? []);
    this.sentences = options.sentences === undefined ? {} : { sentences: { ...options.sentences } };
    this.#database = new ServerDatabase(data);
    this.keys = new ApiKeys(this.#database, clock);
    this.sessions = new Sessions(this.#database, clock);
    this.signIn =
      options.oidc && new SignIn(options.oidc, { key: this.#database.secret('sign-in'), clock, logger });
    // Whom other rules let in has to sign in again.
    this.sessions.endOthers(OIDC_ISSUER_PREFIX, this.signIn?.sessionIssuer);
    this.tokens = new ViewerTokens(this.#database, clock);
    this.credentials = new Credentials(this.keys, this.sessions, this.tokens);
    const origin = this.publicUrl?.host ?? 'localhost';
    this.gate = new Gate(options.underWayMax ?? UNDER_WAY_MAX_DEFAULT);
    this.rates = new TokenBuckets(options.rate ?? RATE_DEFAULT, clock);
    this.failures = new TokenBuckets(FAILURE_RATE, clock);
    this.admissions = new TokenBuckets(ADMISSION_RATE, clock);
    this.metrics = new Metrics(this.gate);
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failure = promise;
    const { metrics } = this;
    const meter: CommitMeter = {
      committed: (events, refused, durationMs) => metrics.committed(events, refused, durationMs),
      failed: (error) => {
        metrics.failed();
        if (isLogError(error, 'outcome_unknown')) resolve(error);
      },
    };
    this.logs = openLogs({ data, origin, logger, clock, meter });
    metrics.watch(this.logs);
    const delayMs = options.erasureDelayMs ?? ERASURE_DELAY_MS_DEFAULT;
    const parts = { database: this.#database, logs: this.logs, clock, logger, delayMs };
    this.erasures = new RequestDesk({ ...parts, kind: erasureKind });
    this.retention = new RequestDesk({ ...parts, kind: retentionKind });
    this.rounds = new RetentionRounds(parts);
    this.serverLog = new ServerLog({ logs: this.logs, clock, logger });
  }

  /** The origin under which browsers know this server. */
  originOf(url: URL): string {
    return this.publicUrl?.origin ?? url.origin;
  }

  /** Whether a page of this origin may read the answer: it holds a token that names it. */
  mayRead(request: Request, origin: string): boolean {
    if (!this.tokens.embeds(origin)) return false;
    const header = request.headers.get('authorization');
    const token = header?.slice('Bearer '.length);
    return token !== undefined && this.tokens.recognise(token)?.origins.includes(origin) === true;
  }

  /** Lets what is under way finish, then closes everything. */
  async close(): Promise<void> {
    await this.gate.close(PATIENCE_MS);
    await Promise.all([this.erasures, this.retention, this.rounds].map((one) => one.close()));
    this.keys.close();
    await this.serverLog.close();
    await this.logs.close();
    this.metrics.close();
    this.#database.close();
  }
}
