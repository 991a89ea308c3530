import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import { misuse } from '../bytes/index.ts';
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
}

/**
 * Writes events into the application's own transactions: they are there if and only if it commits, and a sequencer takes them into
 * the log. It needs no signing key, takes no lock and tells nobody.
 */
export class Outbox {
  readonly origin: string;
  readonly #source: OutboxBody['source'];
  readonly #personalIds: PersonalIds;

  constructor(options: OutboxOptions) {
    if (typeof options?.origin !== 'string' || options.origin === '') {
      throw misuse('type', 'option_invalid', 'origin must name the log, as example.com/audit');
    }
    const { origin, service = SERVICE_DEFAULT, version, personalIds = 'refuse' } = options;
    this.origin = origin;
    this.#personalIds = personalIds;
    this.#source = { service, instance: randomUUID(), ...(version === undefined ? {} : { version }) };
  }

  /**
   * Records an event with the transaction: it becomes an entry if that commits, and never was if not. Resolves with the event's id when
   * the statement has been sent and answered; `awaitReceipt(id)` waits for the entry. Throws `EventError` where the event is refused
   * (the transaction is as it was), and `LogError` `schema_missing`, `not_permitted`, `unreachable` where the statement fails.
   */
  async recordIn(transaction: ApplicationTransaction, event: AuditEvent): Promise<string> {
    const call = callWithin(transaction);
    const { id, body } = this.#prepare(event);
    try {
      await call('indelible.outbox_put', [this.origin, id, body]);
    } catch (error) {
      throw postgresFailure(error, 'the event could not be put into the outbox');
    }
    return id;
  }

  /** Checks the event by the rules of the log, so that what is wrong is said to whoever can mend it. */
  #prepare(given: AuditEvent): { readonly id: string; readonly body: string } {
    const now = systemClock.wall();
    const occurredAt = new Date(now).toISOString();
    const made = uuidv7(now);
    prepareEvent(given, {
      id: made,
      occurredAt,
      now,
      source: { ...this.#source, seq: null },
      personalIds: this.#personalIds === 'pseudonymise' ? 'allow' : this.#personalIds,
    });
    const event = { ...given, id: given.id ?? made, occurredAt: given.occurredAt ?? occurredAt };
    return { id: event.id, body: JSON.stringify({ event, source: this.#source } satisfies OutboxBody) };
  }
}

/** Who acts, and from where. */
export interface Acting {
  readonly actor: Actor;
  readonly context?: EventContext | undefined;
}

const acting = new AsyncLocalStorage<Acting>();

/** Runs `work` on behalf of somebody: {@link withActor} finds out by itself within it, through every `await`. */
export function runAs<T>(who: Acting, work: () => T): T {
  return acting.run(who, work);
}

/** On whose behalf this code runs, as a framework or {@link runAs} has said. */
export function currentActor(): Acting | undefined {
  return acting.getStore();
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
