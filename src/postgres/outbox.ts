import { randomUUID } from 'node:crypto';
import { misuse } from '../bytes/index.ts';
import {
  currentActor as actorHere,
  type ContextualEvent,
  currentContext,
  currentSource,
  fillEvent,
  runInContext,
} from '../context/index.ts';
import {
  type Actor,
  type AuditEvent,
  type EventContext,
  type PersonalIds,
  prepareEvent,
} from '../event/index.ts';
import { SERVICE_DEFAULT } from '../log/index.ts';
import { systemClock, uuidv7 } from '../platform/index.ts';
import { postgresFailure } from './failure.ts';
import { drawSealing } from './sealing.ts';
import { type ApplicationTransaction, callWithin } from './transaction.ts';

/** For whom an outbox takes events. */
export interface OutboxOptions {
  /** The origin of the log that they are for. */
  readonly origin: string;
  /** The name of this service in every event's `source`. */
  readonly service?: string;
  /** The version of this service in every event's `source`. */
  readonly version?: string;
  /** As the log was created with. Default `refuse`. */
  readonly personalIds?: PersonalIds;
}

/** An event as it waits in the outbox. */
export interface OutboxBody {
  readonly event: AuditEvent;
  readonly source: { readonly service: string; readonly instance: string; readonly version?: string };
  /** The fields of the event's `context` that it took from around the call. */
  readonly filled?: readonly string[];
  /** When it was handed in: its `occurredAt` where it does not say, which does not tell a repeat from another event. */
  readonly handedInAt?: string;
  /** The nonce of its entry and the salts of its sealed values, drawn when it was handed in: see `sealing.ts`. */
  readonly sealing?: string;
}

/**
 * Writes events into the application's own transactions: they are there if and only if it commits, and a sequencer takes them into
 * the log. It needs no signing key, takes no lock and tells nobody.
 */
export class Outbox {
  readonly origin: string;
  readonly #source: OutboxBody['source'];
  readonly #told: { readonly service?: string; readonly version?: string };
  readonly #personalIds: PersonalIds;

  constructor(options: OutboxOptions) {
    if (typeof options?.origin !== 'string' || options.origin === '') {
      throw misuse('type', 'option_invalid', 'origin must name the log, as example.com/audit');
    }
    const { origin, service = SERVICE_DEFAULT, version, personalIds = 'refuse' } = options;
    this.origin = origin;
    this.#personalIds = personalIds;
    this.#told = {
      ...(options.service !== undefined && { service }),
      ...(version !== undefined && { version }),
    };
    this.#source = { service, instance: randomUUID(), ...(version === undefined ? {} : { version }) };
  }

  /**
   * Records an event with the transaction: it becomes an entry if that commits, and never was if not. Resolves with the event's id when
   * the statement has been sent and answered; `awaitReceipt(id)` waits for the entry. What it leaves out is taken from the context around
   * the call, as by `Log.record`. Throws `EventError` where the event is refused
   * (the transaction is as it was), and `LogError` `schema_missing`, `not_permitted`, `unreachable` where the statement fails.
   */
  async recordIn(transaction: ApplicationTransaction, event: ContextualEvent): Promise<string> {
    const call = callWithin(transaction);
    const { id, body } = this.#prepare(event);
    try {
      await call('indelible.outbox_put', [this.origin, id, body]);
    } catch (error) {
      throw postgresFailure(error, 'the event could not be put into the outbox');
    }
    return id;
  }

  /** Checks the event by the rules of the log, so that what is wrong is said to whoever can mend it, and seals it. */
  #prepare(said: ContextualEvent): { readonly id: string; readonly body: string } {
    const { event: filledEvent, names: filled } = fillEvent(said);
    const given = filledEvent as AuditEvent;
    const source = { ...this.#source, ...currentSource(), ...this.#told };
    const now = systemClock.wall();
    const occurredAt = new Date(now).toISOString();
    const made = uuidv7(now);
    const draft = prepareEvent(given, {
      id: made,
      occurredAt,
      now,
      source: { ...source, seq: null },
      filled,
      personalIds: this.#personalIds === 'pseudonymise' ? 'allow' : this.#personalIds,
    });
    const event = { ...given, id: given.id ?? made };
    const sealing = drawSealing(draft);
    const told = { source, handedInAt: occurredAt, sealing, ...(filled.length > 0 && { filled }) };
    const body: OutboxBody = { event, ...told };
    return { id: event.id, body: JSON.stringify(body) };
  }
}

/** Who acts, and from where. */
export interface Acting {
  readonly actor: Actor;
  readonly context?: EventContext | undefined;
}

/**
 * Runs `work` on behalf of somebody: {@link withActor} finds out by itself within it, through every `await`, and so does every
 * `record`: it is the context of `indelible/context`. Where it says no `context`, the one around it stays.
 */
export function runAs<T>(who: Acting, work: () => T): T {
  const around = currentContext();
  const context = who.context ?? around?.context;
  return runInContext({ ...around, actor: who.actor, ...(context !== undefined && { context }) }, work);
}

/** On whose behalf this code runs, as a framework or {@link runAs} has said. */
export function currentActor(): Acting | undefined {
  const actor = actorHere();
  return actor === undefined ? undefined : { actor, context: currentContext()?.context };
}

/**
 * Tells the database who acts in this transaction, so that captured rows bear it. Without `actor`, the one of the request
 * ({@link runAs}). It ends with the transaction. Throws `TypeError` `argument_invalid` where nobody is known.
 */
export async function withActor(
  transaction: ApplicationTransaction,
  actor?: Actor,
  context?: EventContext,
): Promise<void> {
  const who: Acting | undefined = actor === undefined ? currentActor() : { actor, context };
  if (who === undefined) {
    throw misuse('type', 'argument_invalid', 'withActor needs an actor: hand one over, or run within runAs');
  }
  const call = callWithin(transaction);
  try {
    await call('indelible.act_as', [
      JSON.stringify(who.actor),
      who.context === undefined ? '' : JSON.stringify(who.context),
    ]);
  } catch (error) {
    throw postgresFailure(error, 'the actor could not be told to the database');
  }
}
