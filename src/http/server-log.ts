import { type AuditEvent, isLogError } from '../log/index.ts';
import type { Clock } from '../platform/index.ts';
import type { FailureReason } from './credentials.ts';
import type { Logger } from './handler-options.ts';
import type { Call, Caller, Logs, TakenLog } from './route.ts';

/** The name under which callers that may see all logs find it. */
export const SERVER_LOG = '_server';

/** Failed authentication is written down once in so long, added up. */
export const AGGREGATE_MS = 60_000;

/** Addresses that one entry names; the rest is counted. */
export const ADDRESSES_MAX = 16;

interface Failures {
  count: number;
  others: number;
  readonly since: number;
  readonly addresses: Map<string, number>;
}

/**
 * The log of the server itself: who was given keys and links, and who was turned away. An attacker who hammers at the
 * door makes one entry a minute for each kind of failure, however hard he tries.
 */
export class ServerLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #failures = new Map<FailureReason, Failures>();
  readonly #timer: NodeJS.Timeout;
  readonly #logs: Logs;
  #taken: Promise<TakenLog> | undefined;

  constructor(parts: { logs: Logs; clock: Clock; logger: Logger }) {
    this.#logs = parts.logs;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#timer = setInterval(() => void this.flush(), AGGREGATE_MS).unref();
  }

  /** Counts one failure; its entry follows within a minute. Never slow, never fails. */
  authenticationFailed(reason: FailureReason, peer: Call['peer']): void {
    let failures = this.#failures.get(reason);
    if (failures === undefined) {
      failures = { count: 0, others: 0, since: this.#clock.wall(), addresses: new Map() };
      this.#failures.set(reason, failures);
    }
    failures.count += 1;
    const address = peer.client ?? 'unknown';
    const known = failures.addresses.get(address);
    if (known === undefined && failures.addresses.size >= ADDRESSES_MAX) failures.others += 1;
    else failures.addresses.set(address, (known ?? 0) + 1);
  }

  /** Records what an administrator did. Resolves when it is on the disk: what is not recorded is not done. */
  async administered(
    action: string,
    caller: Caller | undefined,
    target: { readonly type: string; readonly id: string; readonly [attribute: string]: unknown },
    peer: Call['peer'] | undefined,
    metadata: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const actor =
      caller === undefined
        ? { type: 'operator', id: 'command-line' }
        : { type: caller.kind, id: caller.id, name: caller.name };
    const event = {
      action,
      actor,
      targets: [target],
      ...(peer?.client === undefined ? {} : { context: { ip: peer.client } }),
      ...(Object.keys(metadata).length === 0 ? {} : { metadata: { ...metadata, ...socketOf(peer) } }),
    };
    const { log } = await this.#log();
    await log.record(event as AuditEvent);
  }

  /** Writes down what was counted. */
  async flush(): Promise<void> {
    const events = [...this.#failures].map(([reason, { count, others, since, addresses }]) => ({
      action: 'authentication.failed',
      outcome: 'denied' as const,
      severity: 'medium' as const,
      actor: { type: 'credential', id: reason },
      targets: [{ type: 'server', id: 'door' }],
      metadata: {
        count,
        since: new Date(since).toISOString(),
        addresses: [...addresses].map(([address, times]) => ({ address, times })),
        fromOtherAddresses: others,
      },
    }));
    this.#failures.clear();
    if (events.length === 0) return;
    try {
      const { log } = await this.#log();
      const results = await log.recordMany(events);
      for (const result of results) if (!result.ok) throw result.error;
    } catch (error) {
      this.#logger.error({ err: error }, 'failed authentication could not be recorded');
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    (await this.#taken?.catch(() => undefined))?.release();
  }

  #log(): Promise<TakenLog> {
    this.#taken ??= takeOrCreate(this.#logs);
    // What failed once may succeed later, when the disk has room again.
    this.#taken.catch(() => {
      this.#taken = undefined;
    });
    return this.#taken;
  }
}

function socketOf(peer: Call['peer'] | undefined): Record<string, unknown> {
  return peer?.socket === undefined ? {} : { socket: peer.socket };
}

async function takeOrCreate(logs: Logs): Promise<TakenLog> {
  const there = await logs.take(SERVER_LOG);
  if (there !== undefined) return there;
  try {
    await logs.create({ name: SERVER_LOG });
  } catch (error) {
    if (!isLogError(error, 'log_exists')) throw error;
  }
  return (await logs.take(SERVER_LOG))!;
}
