/**
 * Passport: sign-ins, failed ones and sign-outs, whichever the strategy.
 *
 *     passport.use(new LocalStrategy(verify));
 *     auditPassport(passport, { recorder: audit });
 *
 * Passport tells nobody what its strategies decide; so each strategy is given the notes of its own `fail`, and each request those of its
 * `logIn` and `logOut`. Passport has no passwords, roles or second factors of its own. docs/auth.md has the table.
 */

import { misuse } from '../bytes/index.ts';
import type { Actor, AuditEvent, EventContext } from '../event/index.ts';
import { recordAuth } from './auth-recording.ts';
import { checkKnownOptions } from './known-options.ts';
import { checkRecorder, type OnUnrecorded, type Recorder } from './recording.ts';

export type { OnUnrecorded, Recorder } from './recording.ts';

/** How Passport is recorded. */
export interface AuditPassportOptions {
  /** Where to record. */
  readonly recorder: Recorder;
  /** The actor that a signed-in user is. Default: `{ type: 'user', id: user.id }`. */
  readonly actor?: (user: never) => Actor;
  /** The name with which somebody tries to sign in; it is sealed. Default: `username`, else `email`, of the body. */
  readonly attempted?: (request: never) => string | undefined;
  /** Called where something could not be recorded. Default: the request fails, as Passport's requests do: `next(error)`. */
  readonly onError?: OnUnrecorded;
}

/** What of Passport is used. */
export interface PassportLike {
  use(...words: never): unknown;
  authenticate(...words: never): unknown;
}

type Done = (error?: unknown) => void;

interface AuthRequest {
  user?: unknown;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly socket?: { readonly remoteAddress?: string };
  logIn?: (user: unknown, options: unknown, done?: Done) => void;
  login?: (user: unknown, options: unknown, done?: Done) => void;
  logOut?: (options: unknown, done?: Done) => void;
  logout?: (options: unknown, done?: Done) => void;
}

interface Strategy {
  readonly name?: string;
  authenticate(request: AuthRequest, options?: unknown): void;
  fail(challenge?: unknown, status?: number): void;
  error(error: unknown): void;
}

interface Inside {
  readonly _strategies?: Record<string, Strategy>;
  use(...words: unknown[]): unknown;
}

/**
 * Records what the strategies of a Passport decide, those that it has and those that it will be given. Call it once. Throws misuse
 * `option_unknown`, `option_invalid`.
 */
export function auditPassport<P extends PassportLike>(passport: P, options: AuditPassportOptions): P {
  checkKnownOptions(options, ['recorder', 'actor', 'attempted', 'onError']);
  checkRecorder(options.recorder);
  const inside = passport as unknown as Inside;
  if (inside._strategies === undefined) {
    throw misuse('type', 'option_invalid', 'this is no Passport 0.7, or it does not tell its strategies');
  }
  const notes = new Notes(options);
  for (const [name, strategy] of Object.entries(inside._strategies)) notes.follow(name, strategy);
  const use = inside.use.bind(inside);
  inside.use = (...words) => {
    const result = use(...words);
    const strategy = words.at(-1) as Strategy;
    notes.follow(typeof words[0] === 'string' ? words[0] : (strategy.name ?? 'unknown'), strategy);
    return result;
  };
  return passport;
}

class Notes {
  readonly #options: AuditPassportOptions;
  readonly #followed = new WeakSet<object>();

  constructor(options: AuditPassportOptions) {
    this.#options = options;
  }

  follow(name: string, strategy: Strategy): void {
    if (this.#followed.has(strategy)) return;
    this.#followed.add(strategy);
    const notes = this;
    const authenticate = strategy.authenticate;
    // Passport calls it on an object of the request's own, which has `fail` and `error` for this request.
    strategy.authenticate = function (this: Strategy, request, given) {
      notes.#followRequest(request);
      const fail = this.fail.bind(this);
      this.fail = (challenge, status) => {
        notes.#record(notes.#failed(name, request)).then(
          () => fail(challenge, status),
          (error: unknown) => this.error(error),
        );
      };
      authenticate.call(this, request, given);
    };
  }

  #followRequest(request: AuthRequest): void {
    if (this.#followed.has(request)) return;
    this.#followed.add(request);
    const { logIn, logOut } = request;
    if (logIn !== undefined) {
      const told: NonNullable<AuthRequest['logIn']> = (user, options, done) => {
        const next = (typeof options === 'function' ? options : done) as Done | undefined;
        const given = typeof options === 'function' ? {} : options;
        // Without a session it is a request that is allowed, as each with a bearer's token is, and not a sign-in.
        const signsIn = (given as { readonly session?: boolean } | undefined)?.session !== false;
        logIn.call(
          request,
          user,
          given,
          this.#then(next, () => (signsIn ? this.#signedIn(request, user) : undefined)),
        );
      };
      request.logIn = told;
      request.login = told;
    }
    if (logOut !== undefined) {
      const told: NonNullable<AuthRequest['logOut']> = (options, done) => {
        const next = (typeof options === 'function' ? options : done) as Done | undefined;
        const { user } = request;
        const event = (): AuditEvent | undefined =>
          user === undefined
            ? undefined
            : { ...this.#base(request), action: 'user.signed_out', actor: this.#actorOf(user) };
        logOut.call(request, typeof options === 'function' ? {} : options, this.#then(next, event));
      };
      request.logOut = told;
      request.logout = told;
    }
  }

  /** What to call when Passport is done: it records, and only then goes on. */
  #then(next: Done | undefined, eventOf: () => AuditEvent | undefined): Done {
    return (error) => {
      if (error !== undefined && error !== null) {
        next?.(error);
        return;
      }
      Promise.resolve()
        .then(eventOf)
        .then((event) => this.#record(event))
        .then(
          () => next?.(),
          (failure: unknown) => next?.(failure),
        );
    };
  }

  async #record(event: AuditEvent | undefined): Promise<void> {
    if (event !== undefined) await recordAuth(this.#options.recorder, [event], this.#options.onError);
  }

  #signedIn(request: AuthRequest, user: unknown): AuditEvent {
    return { ...this.#base(request), action: 'user.signed_in', actor: this.#actorOf(user) };
  }

  #failed(strategy: string, request: AuthRequest): AuditEvent {
    const { attempted: nameOf } = this.#options;
    const { username, email } = request.body ?? {};
    const attempted = nameOf === undefined ? (username ?? email) : nameOf(request as never);
    return {
      ...this.#base(request),
      action: 'user.sign_in_failed',
      outcome: 'denied',
      actor: { type: 'anonymous', id: 'unknown' },
      metadata: {
        strategy,
        ...(typeof attempted === 'string' ? { attempted: attempted.toWellFormed().slice(0, 500) } : {}),
      },
    };
  }

  #base(request: AuthRequest): { readonly context?: EventContext } {
    const userAgent = request.headers['user-agent'];
    const ip = request.socket?.remoteAddress;
    const context = {
      ...(ip === undefined ? {} : { ip }),
      ...(typeof userAgent === 'string' ? { userAgent: userAgent.toWellFormed() } : {}),
    };
    return Object.keys(context).length === 0 ? {} : { context };
  }

  #actorOf(user: unknown): Actor {
    const { actor } = this.#options;
    if (actor !== undefined) return actor(user as never);
    return { type: 'user', id: String((user as { readonly id?: unknown }).id) };
  }
}
