import { createContextStorage } from '#context-storage';
import { misuse } from '../bytes/index.ts';
import type { Actor, EventContext, Target } from '../event/index.ts';
import type { ContextStorage } from './storage.ts';

/** Fields that the context of one request may have. */
export const CONTEXT_FIELDS_MAX = 32;

/** What is true of everything that happens in one request, or one job. */
export interface Ambient {
  /**
   * Who acts. A function is asked at each `record`, for whoever signs in while the request lasts; it answers undefined while
   * nobody is known.
   */
  readonly actor?: Actor | (() => Actor | undefined);
  /** Where it came from: what `context` of each event gets in the fields that the event leaves out. */
  readonly context?: EventContext;
  /** The part of the application that acts, where `service` or `version` were not told to the log when it was opened. */
  readonly source?: { readonly service?: string; readonly version?: string };
}

/** One context that is entered, perhaps more than once: a request, whose actor may become known while it lasts. */
export class Scope {
  #ambient: Ambient;
  /** Hears the action of each event that a log is handed within it, and within {@link asActor} and {@link onBehalfOf} there. */
  readonly hear: ((action: string) => void) | undefined;

  /** Throws misuse `argument_invalid` for a context that is none. */
  constructor(ambient: Ambient, hear?: (action: string) => void) {
    checkAmbient(ambient);
    this.#ambient = ambient;
    this.hear = hear;
  }

  /** What holds within it now. */
  get ambient(): Ambient {
    return this.#ambient;
  }

  /** Says who acts within it from now on. */
  setActor(actor: Actor | undefined): void {
    const { actor: _before, ...rest } = this.#ambient;
    this.#ambient = actor === undefined ? rest : { ...rest, actor };
  }

  /** Runs `work` within it. Throws misuse `context_unavailable` in a runtime that cannot carry a context. */
  run<T>(work: () => T): T {
    return storage.run(this, work);
  }
}

/** One storage for the process, even where two copies of this package are loaded: they must not lose each other's actors. */
const storageKey = Symbol.for('indelible.context.1');
const kept = globalThis as unknown as Record<symbol, ContextStorage<Scope> | undefined>;
kept[storageKey] ??= createContextStorage<Scope>();
const storage: ContextStorage<Scope> = kept[storageKey];

/** The context of this code; undefined outside of any. */
export function currentContext(): Ambient | undefined {
  return storage.getStore()?.ambient;
}

/** Who acts here, as far as is known. */
export function currentActor(): Actor | undefined {
  const actor = currentContext()?.actor;
  return typeof actor === 'function' ? actor() : actor;
}

/**
 * Runs `work` within this context and no other: nothing of the one around it is left. Throws misuse `argument_invalid` for a
 * context that is none, `context_unavailable` in a runtime that cannot carry one.
 */
export function runInContext<T>(ambient: Ambient, work: () => T): T {
  return new Scope(ambient).run(work);
}

/** Runs `work` with another actor; everything else of the context around it stays. */
export function asActor<T>(actor: Actor, work: () => T): T {
  const around = storage.getStore();
  return new Scope({ ...around?.ambient, actor }, around?.hear).run(work);
}

/** Tells whoever listens to this context that a log was handed an event. */
export function hearAction(event: unknown): void {
  const hear = storage.getStore()?.hear;
  if (hear === undefined) return;
  const { action } = Object(event) as { readonly action?: unknown };
  if (typeof action === 'string') hear(action);
}

/**
 * Runs `work` on behalf of `principal`: the current actor (an agent, a job, an administrator who impersonates) is the one that
 * acts, and the events say for whom. Throws misuse `argument_invalid` where nobody acts, or acts for another already: an event
 * has room for one, so which of them is meant is the caller's to say, with {@link asActor}.
 */
export function onBehalfOf<T>(principal: Target, work: () => T): T {
  const actor = currentActor();
  if (actor === undefined) {
    throw misuse('type', 'argument_invalid', 'onBehalfOf needs an actor: call it within asActor');
  }
  if (actor.onBehalfOf !== undefined) {
    throw misuse(
      'type',
      'argument_invalid',
      'the actor acts on behalf of another already: name both with asActor',
    );
  }
  return asActor({ ...actor, onBehalfOf: principal }, work);
}

/**
 * Says who acts from here to the end of the request: for whatever finds it out while the request is under way. Throws misuse
 * `argument_invalid` outside of any context.
 */
export function setActor(actor: Actor | undefined): void {
  const scope = storage.getStore();
  if (scope === undefined) {
    throw misuse('type', 'argument_invalid', 'setActor needs a context around it: see runInContext');
  }
  scope.setActor(actor);
}

/** Runs `work` without any context: what it records says for itself who did it, and from where. */
export function withoutContext<T>(work: () => T): T {
  return storage.getStore() === undefined ? work() : runInContext({}, work);
}

const ambientNames = ['actor', 'context', 'source'];

function checkAmbient(ambient: Ambient): void {
  if (typeof ambient !== 'object' || ambient === null) {
    throw misuse('type', 'argument_invalid', 'a context is an object: {actor, context, source}');
  }
  for (const name of Object.keys(ambient)) {
    if (ambientNames.includes(name)) continue;
    throw misuse(
      'type',
      'argument_invalid',
      `a context has no ${name}: known are ${ambientNames.join(', ')}`,
    );
  }
  const names = Object.keys(ambient.context ?? {});
  if (names.length > CONTEXT_FIELDS_MAX) {
    throw misuse('range', 'argument_invalid', `a context has at most ${CONTEXT_FIELDS_MAX} fields`);
  }
  const odd = names.find((name) => !/^[A-Za-z][A-Za-z0-9]{0,63}$/.test(name));
  if (odd === undefined) return;
  throw misuse('type', 'argument_invalid', `fields of a context have names of letters and digits: ${odd}`);
}
