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

/** Something that takes two people and was asked for, as a server says. */
export interface RequestWire {
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
  /** The entry that records it, and how many values were removed; of an erasure with nothing left to erase, the record from before. */
  readonly index?: number;
  readonly values?: number;
}

/** An erasure that was asked for. */
export interface ErasureWire extends ErasureAsked, RequestWire {}

/** How long the sealed values of some actions are kept. */
export interface RetentionRuleWire {
  readonly match: string;
  readonly keep: string;
}

/** What becomes of the bytes of entries that have passed the longest period: kept, pruned when an archive holds them, or pruned. */
export type EntryKeepingWire = 'keep' | 'archived' | 'delete';

/** `POST /v1/logs/{log}/retention/changes`. */
export interface RetentionAsked {
  readonly rules: readonly RetentionRuleWire[];
  /** As it is, where it is left out. */
  readonly entries?: EntryKeepingWire;
  /** On what ground. Sealed in the change itself, in the open in the steps that lead to it. */
  readonly basis: string;
  /** The request that asked for it. In the open for ever. */
  readonly requestId: string;
}

/** A change of the policy that was asked for. One that shortens nothing is `done` at once. */
export interface RetentionChangeWire extends RetentionAsked, RequestWire {}

/** `GET /v1/logs/{log}/retention`: the policy in force, as the log says, and what was asked for, the newest first. */
export interface RetentionWire {
  readonly rules: readonly RetentionRuleWire[];
  readonly entries: EntryKeepingWire;
  readonly index?: number;
  readonly at?: string;
  /** A policy in the log whose time has not come. */
  readonly pending?: {
    readonly rules: readonly RetentionRuleWire[];
    readonly entries: EntryKeepingWire;
    readonly index: number;
    readonly notBefore: string;
  };
  readonly changes: readonly RetentionChangeWire[];
  /** When the server applied it last. */
  readonly appliedAt?: string;
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
