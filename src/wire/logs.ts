import type { Tier } from './tier.ts';

/** `POST /v1/logs`. */
export interface LogRequest {
  /** `[a-z0-9][a-z0-9-]{0,62}` */
  readonly name: string;
  /** The origin in its checkpoints; made from the server's own if absent. */
  readonly origin?: string;
  readonly personalIds?: 'refuse' | 'allow' | 'pseudonymise';
  /** Serve checkpoint and hash tiles without a credential. Entries never are. */
  readonly isPublic?: boolean;
}

/** A log as a server lists it. */
export interface LogSummary {
  readonly name: string;
  readonly origin: string;
  /** The verifier key, as the server says; a verifier pins what it was given elsewhere. */
  readonly vkey: string;
  readonly size: number;
  /** Root over all entries, standard base64. */
  readonly root: string;
  /** The newest signed checkpoint. */
  readonly checkpoint: string;
  readonly isPublic: boolean;
}

/**
 * `GET /v1/logs/{log}/keys`: who signs the log, as the server says, and the entries from which a verifier follows it by itself. They lie
 * in the open.
 */
export interface LogKeyList {
  readonly vkey: string;
  readonly rootVkey: string | null;
  /** The first entry, and every change of keys, by rising index; the bytes in standard base64. */
  readonly entries: readonly { readonly index: number; readonly entry: string }[];
}

/** `GET /v1/logs`: those that the credential may see. */
export interface LogList {
  readonly logs: readonly LogSummary[];
  /** Those whose head cannot be read, or is not signed by the log: their verification says more. */
  readonly unreadable?: readonly string[];
  /** There are more: asked for with `after` this name. */
  readonly next?: string;
}

/** What one audit by the server found. */
export interface AuditSummary {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly depth: 'whole' | 'incremental';
  /** The size that was audited. */
  readonly size: number;
  readonly isIntact: boolean;
  /** The first findings, in the words of `indelible verify`. */
  readonly findings: readonly { readonly code: string; readonly message: string; readonly index?: number }[];
  /** What outside parties have not signed for long, two audits in a row: it says nothing of the log; absent where there is none. */
  readonly overdue?: readonly { readonly code: string; readonly message: string }[];
}

/** Events that a source said it sent, or should have, and that are not here. */
export interface SourceGap {
  readonly service: string;
  readonly instance: string;
  /** `seq`: numbers are missing; `heartbeat`: the source fell silent without a `source.stopped`. */
  readonly kind: 'seq' | 'heartbeat';
  readonly missingFrom?: number;
  readonly missingTo?: number;
  readonly since: string;
}

/** `GET /v1/logs/{log}/verification`: the server's own opinion, named so. */
export interface Verification {
  readonly size: number;
  readonly checkpoint: string;
  /** The last whole audit, and the last of any depth. */
  readonly lastWhole?: AuditSummary;
  readonly last?: AuditSummary;
  readonly isRunning: boolean;
  readonly gaps: readonly SourceGap[];
  /** What vouches for this log, and who could still do what to it unseen, as it is set up now. */
  readonly tier: Tier;
}
