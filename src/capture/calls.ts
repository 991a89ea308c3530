import { misuse } from '../bytes/index.ts';
import type { Actor, AuditEvent, EventValue, Outcome, Target } from '../event/index.ts';
import type { OnFailure } from './audit-log.ts';
import { checkAllowed, pickFields } from './fields.ts';

/** A call of the application's API that has been answered, or broken off. */
export interface Call {
  /** In capitals. */
  readonly method: string;
  /** The pattern of its route, as `/invoices/:id`; undefined where no route took it. Never the URL. */
  readonly route: string | undefined;
  /** The status that was answered; undefined where the client had gone before one was. */
  readonly status: number | undefined;
  readonly durationMs: number;
  /** The client went away before the answer was whole. */
  readonly isAborted: boolean;
  /** What a handler threw, as far as the framework tells. */
  readonly error?: unknown;
}

/** Which calls are recorded, and what of them. */
export interface CallRules {
  /**
   * `changes` (default): all but the safe methods of RFC 9110 (GET, HEAD, OPTIONS, TRACE). `all`: those too, except OPTIONS. Or a
   * function that says so.
   */
  readonly record?: 'changes' | 'all' | ((call: Call) => boolean);
  /** Routes that are not recorded: `/health`, `/metrics/*`, `POST /search`; or a function that says so. */
  readonly skip?: readonly string[] | ((call: Call) => boolean);
  /** Calls that no route took are recorded too. Default false: they are other people's guesses. */
  readonly unmatched?: boolean;
  /** Fields of the body that are recorded: `amount`, `customer.id`. None by default, credentials never. */
  readonly body?: readonly string[];
  /** Fields of the query that are recorded. None by default, credentials never. */
  readonly query?: readonly string[];
  /** The name of what happened. Default `api.called`. */
  readonly action?: string | ((call: Call) => string);
  /** How it ended. Default {@link outcomeOf}. */
  readonly outcome?: (call: Call) => Outcome;
  /**
   * `block`: an answer waits until its call is recorded, and is 503 where it cannot be. `spool`: it waits for nothing, which needs
   * a log that spools. Default: `spool` where the log does, else `block`.
   */
  readonly onFailure?: OnFailure;
}

const ruleNames = ['record', 'skip', 'unmatched', 'body', 'query', 'action', 'outcome', 'onFailure'];

/** Who called, where nobody is known. */
export const anonymous: Actor = Object.freeze({ type: 'anonymous', id: 'anonymous' });

const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/** How a call ended: 2xx and 3xx `success`, 4xx `denied`, 5xx `failure`; `unknown` where the client did not wait for it. */
export function outcomeOf({ status, isAborted }: Pick<Call, 'status' | 'isAborted'>): Outcome {
  if (isAborted || status === undefined) return 'unknown';
  if (status >= 500) return 'failure';
  return status >= 400 ? 'denied' : 'success';
}

/** Turns calls into events, by rule. Nothing is left to chance: what the rules name is recorded each time. */
export class CallRecords {
  readonly #rules: CallRules;
  readonly #body: readonly string[];
  readonly #query: readonly string[];

  /** Throws misuse `option_unknown`, `option_invalid`: above all where an allow-list names a credential. */
  constructor(rules: CallRules) {
    for (const name of Object.keys(rules)) {
      if (ruleNames.includes(name)) continue;
      throw misuse(
        'type',
        'option_unknown',
        `unknown option calls.${name}: known are ${ruleNames.join(', ')}`,
      );
    }
    if (rules.onFailure !== undefined && !['block', 'spool'].includes(rules.onFailure)) {
      throw misuse('type', 'option_invalid', 'calls.onFailure must be block or spool');
    }
    this.#rules = rules;
    this.#body = checkAllowed(rules.body, 'calls.body');
    this.#query = checkAllowed(rules.query, 'calls.query');
  }

  /** Whether anything of a body is wanted, so that it must be read. */
  get readsBody(): boolean {
    return this.#body.length > 0;
  }

  /** The event of a call, without its actor; undefined where the rules do not want it. */
  eventOf(call: Call, parts: { body?: unknown; query?: unknown }): Omit<AuditEvent, 'actor'> | undefined {
    if (!this.#isWanted(call)) return undefined;
    const { action = 'api.called', outcome = outcomeOf } = this.#rules;
    const { method, route, status, durationMs, isAborted, error } = call;
    const body = pickFields(parts.body, this.#body);
    const query = pickFields(parts.query, this.#query);
    const metadata: Record<string, EventValue> = {
      method,
      route: route ?? null,
      durationMs: Math.round(durationMs * 10) / 10,
      ...(status !== undefined && { status }),
      ...(isAborted && { isAborted }),
      ...(body !== undefined && { body }),
      ...(query !== undefined && { query }),
    };
    const code = error === undefined ? undefined : codeOf(error);
    return {
      action: typeof action === 'function' ? action(call) : action,
      outcome: outcome(call),
      targets: [targetOf(call)],
      metadata,
      ...(code !== undefined && { error: { code } }),
    };
  }

  #isWanted(call: Call): boolean {
    const { record = 'changes', skip = [], unmatched = false } = this.#rules;
    if (call.route === undefined && !unmatched) return false;
    if (typeof skip === 'function' ? skip(call) : skip.some((pattern) => fits(pattern, call))) return false;
    if (typeof record === 'function') return record(call);
    return record === 'all' ? call.method !== 'OPTIONS' : !safeMethods.includes(call.method);
  }
}

/** Whether a call is of a route that a rule names, as `/health`, `/metrics/*` or `POST /search`. */
function fits(pattern: string, { method, route }: Call): boolean {
  if (route === undefined) return false;
  const [, verb, path = ''] = /^(?:([A-Z]+) +)?(.*)$/.exec(pattern) ?? [];
  if (verb !== undefined && verb !== method) return false;
  return path.endsWith('*') ? route.startsWith(path.slice(0, -1)) : route === path;
}

/** The route is what was called. Its pattern tells nothing of a person, as an id that can never be erased must not. */
function targetOf({ method, route }: Call): Target {
  const verb = method.replaceAll(/[^A-Z-]/g, '').slice(0, 32);
  const pattern = (route ?? '(no route)')
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, '')
    .slice(0, 512);
  return { type: 'route', id: `${verb} ${pattern.replaceAll('@', '(at)')}` };
}

/** What an error calls itself. Its message may hold anything, so it is not recorded. */
function codeOf(error: unknown): string | undefined {
  const { code, name } = Object(error) as { readonly code?: unknown; readonly name?: unknown };
  const text = [code, name].find((one) => typeof one === 'string' && /^[\w.:-]{1,64}$/.test(one));
  return text as string | undefined;
}
