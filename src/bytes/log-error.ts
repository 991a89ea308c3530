/** Every code that a {@link LogError} can carry; `docs/errors.md` explains each. */
export const logErrorCodes = [
  'answer_invalid',
  'archive_conflict',
  'archive_unsuitable',
  'closed',
  'credential_refused',
  'disk_full',
  'entry_pruned',
  'evidence_outdated',
  'evidence_too_large',
  'head_invalid',
  'head_moved',
  'held',
  'hold_exists',
  'id_conflict',
  'index_behind',
  'index_corrupt',
  'io_failed',
  'key_exists',
  'key_insecure',
  'key_mismatch',
  'key_missing',
  'key_retired',
  'keys_exposed',
  'log_damaged',
  'log_exists',
  'log_missing',
  'log_replaced',
  'mark_invalid',
  'no_witnesses',
  'not_durable',
  'not_found',
  'not_permitted',
  'not_witnessed',
  'outbox_refused',
  'outbox_row_invalid',
  'outcome_unknown',
  'overloaded',
  'query_stalled',
  'pruning_refused',
  'read_only',
  'receipt_pending',
  'request_refused',
  'retention_changed',
  'rolled_back',
  'rows_differ',
  'schema_changed',
  'schema_missing',
  'schema_newer',
  'spool_full',
  'spool_locked',
  'sqlite_too_old',
  'state_invalid',
  'store_contract',
  'unreachable',
  'witness_exists',
  'witness_missing',
  'witness_is_log',
  'witness_refused',
  'worker_failed',
] as const;

/** One of {@link logErrorCodes}. */
export type LogErrorCode = (typeof logErrorCodes)[number];

/** What a {@link LogError} carries beside its code and message. */
export interface LogErrorOptions {
  /** Whether the same call may succeed later, unchanged. Default false. */
  readonly retryable?: boolean;
  /** What the caller can do about it, in one sentence. */
  readonly hint?: string;
  /** The failure underneath. */
  readonly cause?: unknown;
}

/**
 * An operation that failed: the disk, the lock, the queue, the state that a log was found in.
 * Test `code`, not `instanceof`: an error that crossed a thread or a process keeps its code only.
 */
export class LogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: LogErrorCode, message: string, options: LogErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

/** Whether `error` is a {@link LogError} with this code, also when it crossed a thread. */
export function isLogError(error: unknown, code?: LogErrorCode): error is LogError {
  if (!(error instanceof Error) || error.name !== 'LogError') return false;
  return code === undefined || (error as LogError).code === code;
}
