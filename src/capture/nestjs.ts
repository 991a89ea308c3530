import type { IncomingMessage } from 'node:http';
import type { ContextualEvent } from '../context/index.ts';
import type { AuditLog, Recorded, RecordOptions } from './audit-log.ts';
import { outcomeOf } from './calls.ts';
import type { CaptureOptions } from './capture.ts';
import { auditExpress, type ExpressMiddleware, type ExpressRequest, OWN_ROUTE } from './express.ts';

export type { AuditLog, OnFailure, Recorded, RecordOptions } from './audit-log.ts';
export type { Call, CallRules } from './calls.ts';
export type { RequestAudit } from './capture.ts';

/** What is injected: `constructor(private readonly audit: AuditService) {}`. Events get the context of the request around them. */
export class AuditService {
  readonly #log: AuditLog;

  /** @internal Use {@link AuditModule}. */
  constructor(log: AuditLog) {
    this.#log = log;
  }

  /** Records an event, as the log does. */
  record(event: ContextualEvent, options?: RecordOptions): Promise<Recorded> {
    return this.#log.record(event, options);
  }
}

/** What an event of {@link Audited} says, apart from who acts, from where, and how it ended. */
export type AuditedEvent = Omit<ContextualEvent, 'actor' | 'context' | 'outcome' | 'action'>;

interface AuditedHandler {
  readonly action: ContextualEvent['action'];
  readonly describe: ((request: ExpressRequest, result: unknown) => AuditedEvent) | undefined;
}

const handlers = new WeakMap<object, AuditedHandler>();

/**
 * Marks a handler: each of its calls is recorded under this action, before its answer goes out. `describe` says what it was done
 * to. An answer whose event cannot be recorded becomes that error.
 */
export function Audited(
  action: ContextualEvent['action'],
  describe?: (request: ExpressRequest, result: unknown) => AuditedEvent,
): MethodDecorator {
  return (_target, _name, descriptor) => {
    handlers.set(descriptor.value as object, { action, describe });
  };
}

/** A dynamic module of NestJS, as far as it is made here. */
export interface AuditDynamicModule {
  readonly module: typeof AuditModule;
  readonly global: true;
  readonly providers: { readonly provide: never; readonly useValue: unknown }[];
  readonly exports: never[];
}

/** What a consumer of middleware offers. */
interface ConsumerLike {
  apply(middleware: ExpressMiddleware): { forRoutes(route: { path: string; method: number }): unknown };
}

/** `RequestMethod.ALL` of NestJS. */
const ALL_METHODS = 5;

/**
 * For NestJS 11 on Express: `imports: [AuditModule.forRoot({ log })]`. It sets the context of each request, offers
 * {@link AuditService} and `request.audit`, records calls by rule, and the handlers that {@link Audited} marks.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module with forRoot is how NestJS has it
export class AuditModule {
  /** Throws misuse `option_unknown`, `option_invalid`. */
  static forRoot<Request extends IncomingMessage = ExpressRequest>(
    options: CaptureOptions<Request>,
  ): AuditDynamicModule {
    const middleware = auditExpress(options);
    const service = new AuditService(options.log);
    class ConfiguredAuditModule extends AuditModule {
      /** Called by NestJS. */
      configure(consumer: ConsumerLike): void {
        consumer.apply(middleware).forRoutes({ path: OWN_ROUTE, method: ALL_METHODS });
      }
    }
    return {
      module: ConfiguredAuditModule,
      global: true,
      providers: [
        { provide: AuditService as never, useValue: service },
        // The token under which NestJS looks for interceptors of all routes; a text, so that nothing of it is loaded here.
        { provide: 'APP_INTERCEPTOR' as never, useValue: new AuditInterceptor(options.log) },
      ],
      exports: [AuditService as never],
    };
  }
}

interface ExecutionLike {
  getHandler(): object;
  getType(): string;
  switchToHttp(): { getRequest(): ExpressRequest };
}

interface ObserverLike {
  next(value: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

interface ObservableLike {
  subscribe(observer: ObserverLike): { unsubscribe(): void };
}

/** Records the handlers that are marked. @internal */
class AuditInterceptor {
  readonly #log: AuditLog;

  constructor(log: AuditLog) {
    this.#log = log;
  }

  /** Called by NestJS. */
  intercept(execution: ExecutionLike, next: { handle(): ObservableLike }): ObservableLike {
    const source = next.handle();
    const marked = handlers.get(execution.getHandler());
    if (marked === undefined || execution.getType() !== 'http') return source;
    const request = execution.switchToHttp().getRequest();
    const record = (outcome: ContextualEvent['outcome'], result: unknown): Promise<Recorded> => {
      const said = marked.describe?.(request, result) ?? {};
      return request.audit.run(() => this.#log.record({ ...said, action: marked.action, outcome: outcome! }));
    };
    return observed(source, record);
  }
}

/** The same values, each handed on once it is recorded. Made by the source's own class, so that RxJS need not be loaded here. */
function observed(
  source: ObservableLike,
  record: (outcome: ContextualEvent['outcome'], result: unknown) => Promise<Recorded>,
): ObservableLike {
  const Observable = source.constructor as new (
    subscribe: (observer: ObserverLike) => () => void,
  ) => ObservableLike;
  return new Observable((observer) => {
    let last: Promise<unknown> = Promise.resolve();
    let isRecorded = false;
    const subscription = source.subscribe({
      next: (value) => {
        // A handler that streams is one call.
        const recorded = isRecorded ? last : last.then(() => record('success', value));
        isRecorded = true;
        last = recorded.then(() => observer.next(value));
        // Rejected, it stays so: what follows meets the same error, of which an observer hears the first.
        last.catch((error) => observer.error(error));
      },
      error: (error) => {
        const status = Number((Object(error) as { readonly status?: unknown }).status ?? 500);
        const outcome = outcomeOf({ status, isAborted: false });
        last
          .then(() => record(outcome, undefined))
          .then(
            () => observer.error(error),
            (failure) => observer.error(failure),
          );
      },
      complete: () => {
        last
          .then(() => (isRecorded ? undefined : record('success', undefined)))
          .then(
            () => observer.complete(),
            (error) => observer.error(error),
          );
      },
    });
    return () => subscription.unsubscribe();
  });
}
