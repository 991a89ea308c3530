/**
 * What becomes of a request to erase. `pending`: it waits for a second person. `approved`: its delay runs. `due`: it is done at the
 * next look. `blocked`: something is in the way, which `why` names; it is tried again. `done` and `cancelled` are the end.
 */
export type ErasureState = 'pending' | 'approved' | 'due' | 'blocked' | 'done' | 'cancelled';

/** `POST /v1/logs/{log}/erasures`. */
export interface ErasureAsked {
  /** Whose values: `type/id`. */
  readonly subject: string;
  /** On what ground. In the open for ever. */
  readonly basis: string;
  /** The request that asked for it. In the open for ever. */
  readonly requestId: string;
}

/** An erasure that was asked for, as a server says. */
export interface ErasureWire extends ErasureAsked {
  readonly id: string;
  readonly state: ErasureState;
  /** Who asked for it and who approved it: `api_key/…` or `session/…`. */
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly approvedBy?: string;
  readonly approvedAt?: string;
  /** When it is done at the earliest. */
  readonly dueAt?: string;
  readonly endedAt?: string;
  /** What is in the way, or what is left. */
  readonly why?: string;
  /** The entry that records it, and how many values were removed. */
  readonly index?: number;
  readonly values?: number;
}

/** `GET /v1/logs/{log}/erasures`, the newest first. */
export interface ErasureList {
  readonly erasures: readonly ErasureWire[];
}

/** `POST /v1/logs/{log}/holds`: at least one of what it may cover. */
export interface HoldAsked {
  readonly name: string;
  readonly subject?: string;
  readonly actor?: string;
  readonly target?: string;
  readonly from?: string;
  readonly to?: string;
  readonly query?: string;
  readonly reason?: string;
}

/** A hold that is in force, with the entry that placed it. */
export interface HoldWire extends Omit<HoldAsked, 'reason'> {
  readonly index: number;
  readonly at: string;
}

/** `GET /v1/logs/{log}/holds`. */
export interface HoldList {
  readonly holds: readonly HoldWire[];
}
