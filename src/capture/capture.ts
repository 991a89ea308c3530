import { isLogError, type LogError, misuse } from '../bytes/index.ts';
import { type ContextualEvent, currentActor, currentContext, Scope } from '../context/index.ts';
import type { Actor, EventContext } from '../event/index.ts';
import { systemClock } from '../platform/index.ts';
import { type AuditLog, canSpool, type OnFailure, type Recorded, type RecordOptions } from './audit-log.ts';
import { anonymous, type Call, CallRecords, type CallRules } from './calls.ts';
import { isCoverageHeard, RequestCoverage } from './coverage/runtime.ts';
import { type ContextOptions, ContextRule, type RequestFacts } from './request-context.ts';

/** How a framework's requests are captured. `Request` is the framework's own. */
export interface CaptureOptions<Request> extends ContextOptions {
  /** Where everything is recorded. */
  readonly log: AuditLog;
  /** Who makes a request, undefined while nobody is known. Asked at each event, so that whoever signed in meanwhile is seen. */
  readonly actor?: (request: Request) => Actor | undefined;
  /** Records calls by rule. Without it only the context is set. */
  readonly calls?: CallRules;
  /** The part of the application that these requests belong to; see `Ambient.source`. */
  readonly source?: { readonly service?: string; readonly version?: string };
  /** Hears what could be neither recorded nor spooled once its answer was out. `process.emitWarning` by default. */
  readonly warn?: (message: string) => void;
}

/** Options that every integration knows. */
export const captureNames: readonly string[] = [
  'log',
  'actor',
  'calls',
  'source',
  'warn',
  'trustedProxies',
  'forwardedHeader',
  'requestIdHeader',
];

/** How a request ended, as its framework tells. */
export interface Ending {
  readonly route: string | undefined;
  readonly status: number | undefined;
  readonly isAborted?: boolean;
  readonly error?: unknown;
  readonly body?: unknown;
  readonly query?: unknown;
}

/** What is the same for all frameworks: the context of each request, and its call by rule. */
export class Capture<Request> {
  readonly #options: CaptureOptions<Request>;
  readonly #context: ContextRule;
  readonly #calls: CallRecords | undefined;
  /** Whether an answer waits for its record; undefined where calls are not recorded. */
  readonly onFailure: OnFailure | undefined;

  /** Throws misuse `option_unknown`, `option_invalid`. */
  constructor(options: CaptureOptions<Request>, moreNames: readonly string[] = []) {
    const names = [...captureNames, ...moreNames];
    for (const name of Object.keys(options)) {
      if (names.includes(name)) continue;
      throw misuse('type', 'option_unknown', `unknown option ${name}: known are ${names.join(', ')}`);
    }
    if (typeof options.log?.record !== 'function') {
      throw misuse('type', 'option_invalid', 'log must be an open log, a client or a recorder');
    }
    this.#options = options;
    this.#context = new ContextRule(options);
    this.#calls = options.calls && new CallRecords(options.calls);
    const spools = canSpool(options.log);
    if (options.calls?.onFailure === 'spool' && !spools) {
      throw misuse(
        'type',
        'option_invalid',
        'calls.onFailure: spool needs a log that spools: see openRecorder',
      );
    }
    this.onFailure = this.#calls && (options.calls?.onFailure ?? (spools ? 'spool' : 'block'));
  }

  /** Whether the end of a request matters to anybody: to the rules, or to a coverage that listens. */
  get follows(): boolean {
    return this.onFailure !== undefined || isCoverageHeard();
  }

  /** Whether bodies must be read. */
  get readsBody(): boolean {
    return this.#calls?.readsBody === true;
  }

  /** Begins a request. */
  begin(request: Request, facts: RequestFacts): RequestAudit {
    const { log, actor, source } = this.#options;
    const coverage = isCoverageHeard() ? new RequestCoverage() : undefined;
    const ambient = {
      context: this.#context.contextOf(facts),
      ...(actor !== undefined && { actor: () => actor(request) }),
      ...(source !== undefined && { source }),
    };
    const scope = new Scope(ambient, coverage && ((action) => coverage.hear(action)));
    return new RequestAudit(log, scope, systemClock.monotonic(), coverage);
  }

  /** Records how a request ended, where the rules want it. With `block` it rejects where that fails; else it never does. */
  async end(audit: RequestAudit, method: string, ending: Ending): Promise<void> {
    const { onFailure } = this;
    if (ending.route !== undefined) audit.coverage?.end({ method, route: ending.route });
    if (this.#calls === undefined || onFailure === undefined) return;
    const { route, status, isAborted = false, error, ...parts } = ending;
    const durationMs = systemClock.monotonic() - audit.beganMs;
    const call: Call = { method, route, status, durationMs, isAborted, error };
    try {
      const event = this.#calls.eventOf(call, parts);
      if (event === undefined) return;
      await audit.recordCall(event, { onFailure });
    } catch (cause) {
      if (onFailure === 'block' && !isAborted) throw cause;
      this.#warn(`a call of ${method} ${route ?? '(no route)'} could not be recorded: ${reasonOf(cause)}`);
    }
  }

  /** Says that an answer was out, or the client gone, before it was known that its call cannot be recorded. */
  late(method: string, route: string | undefined, cause: unknown): void {
    this.#warn(`a call of ${method} ${route ?? '(no route)'} could not be recorded: ${reasonOf(cause)}`);
  }

  #warn(message: string): void {
    const { warn = (text: string) => process.emitWarning(text, { type: 'IndelibleWarning' }) } =
      this.#options;
    warn(message);
  }
}

/** The audit of one request: what `request.audit` is. */
export class RequestAudit {
  /** By a monotonic clock, milliseconds. @internal */
  readonly beganMs: number;
  /** Where a coverage listened when the request began. @internal */
  readonly coverage: RequestCoverage | undefined;
  readonly #log: AuditLog;
  readonly #scope: Scope;

  /** @internal */
  constructor(log: AuditLog, scope: Scope, beganMs: number, coverage?: RequestCoverage) {
    this.#log = log;
    this.#scope = scope;
    this.beganMs = beganMs;
    this.coverage = coverage;
  }

  /** Where the request comes from: what `context` of its events says. */
  get context(): EventContext {
    return this.#scope.ambient.context ?? {};
  }

  /** Says who makes this request, from here on. */
  setActor(actor: Actor | undefined): void {
    this.#scope.setActor(actor);
  }

  /** Records an event of this request, as the log does: also where the runtime has lost track of which request this is, or takes it for another. */
  record(event: ContextualEvent, options?: RecordOptions): Promise<Recorded> {
    if (options?.onFailure === 'spool' && !canSpool(this.#log)) {
      throw misuse('type', 'option_invalid', 'onFailure: spool needs a log that spools: see openRecorder');
    }
    const record = (): Promise<Recorded> => this.#log.record(event, options);
    return this.#isAround() ? record() : this.run(record);
  }

  /**
   * Whether what runs here runs within this request, with whichever actor. A callback of a connection that requests share may run
   * within another one, whose actor this event must not get.
   */
  #isAround(): boolean {
    const around = currentContext()?.context;
    return around !== undefined && around === this.#scope.ambient.context;
  }

  /** Runs `work` within this request. */
  run<T>(work: () => T): T {
    return this.#scope.run(work);
  }

  /** Records the call itself; by nobody, where nobody is known. @internal */
  recordCall(event: Omit<ContextualEvent, 'actor'>, options: RecordOptions): Promise<Recorded> {
    return this.run(() => this.#log.record({ ...event, actor: currentActor() ?? anonymous }, options));
  }
}

/** Why something failed, without what it was about. */
function reasonOf(error: unknown): string {
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
  return isLogError(error) ? `${error.code}: ${(error as LogError).message}` : `${code ?? message}`;
}

/** The answer where a call must not happen unrecorded, and cannot be recorded. RFC 9457. */
export const unrecorded = Object.freeze({
  status: 503,
  type: 'application/problem+json',
  body: JSON.stringify({
    status: 503,
    code: 'not_recorded',
    title: 'The call could not be recorded',
    detail: 'What it was about to answer is withheld. It may have taken effect.',
  }),
});
