import { isLogError, type LogErrorCode, VerificationError } from '../bytes/index.ts';
import { EventError } from '../event/index.ts';
import { PROBLEM_TYPE, type Problem } from '../wire/index.ts';
import { textAnswer } from './text-answer.ts';

/** The codes of problems that arise at the door, before any log is asked; `docs/errors.md` explains each. */
export const problemCodes = [
  'approver_conflict',
  'body_invalid',
  'body_too_large',
  'content_encoding_unknown',
  'content_type_unknown',
  'credential_invalid',
  'credential_missing',
  'cross_site',
  'erasure_conflict',
  'forbidden',
  'internal_error',
  'key_scopes_conflict',
  'link_invalid',
  'method_unknown',
  'parameter_invalid',
  'rate_limited',
  'retention_conflict',
  'route_unknown',
  'server_busy',
  'sign_in_invalid',
  'sign_in_refused',
  'sign_in_unavailable',
  'too_many_open',
] as const;

/** One of {@link problemCodes}. */
export type ProblemCode = (typeof problemCodes)[number];

/** What a problem says beside its status and code. */
export interface ProblemDetails {
  readonly pointer?: string;
  readonly hint?: string;
  /** Seconds; becomes `Retry-After`, and says that the same request may succeed later. */
  readonly retryAfter?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer other than the one that was asked for. Thrown by routes; the handler writes it down. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly status: number;
  readonly code: string;
  readonly details: ProblemDetails;

  constructor(
    status: number,
    code: ProblemCode | LogErrorCode,
    message: string,
    details: ProblemDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** The one way to say that something is not there, or is not for this caller: nobody can tell which. */
export function notFound(): ProblemError {
  return new ProblemError(404, 'not_found', 'There is nothing here under this name.');
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Credential required',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Event refused',
  429: 'Too many requests',
  500: 'Server error',
  503: 'Not available now',
  507: 'No space left',
};

/** What each failure of a log means to whoever asked over HTTP. What is not listed is the server's own trouble: 500. */
const statusOfLogError: Readonly<Partial<Record<LogErrorCode, number>>> = {
  closed: 503,
  disk_full: 507,
  entry_pruned: 410,
  held: 409,
  hold_exists: 409,
  id_conflict: 409,
  index_behind: 503,
  key_exists: 409,
  log_exists: 409,
  log_missing: 404,
  not_found: 404,
  outcome_unknown: 503,
  overloaded: 503,
  pruning_refused: 409,
  read_only: 503,
  retention_changed: 503,
  unreachable: 503,
  worker_failed: 503,
};

/** Misuse that came in with the request: the caller's, not ours. */
const misuseOfCaller: ReadonlySet<unknown> = new Set([
  'query_invalid',
  'cursor_invalid',
  'subject_not_erasable',
]);

/**
 * The problem that an error becomes (RFC 9457). What a caller can mend is told in full; of the server's own
 * troubles only the code leaves the house, since their messages name its paths.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return ofProblemError(error);
  if (error instanceof EventError) {
    const { code, pointer, hint } = error;
    return problem(422, code, error.message, { pointer, hint, retryable: false });
  }
  if (isLogError(error)) return ofLogError(error.code, error);
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (misuseOfCaller.has(code)) return problem(400, String(code), String(message), { retryable: false });
  if (error instanceof VerificationError) {
    return problem(
      500,
      error.code,
      'What is stored does not verify. The server has noted the particulars.',
      {},
    );
  }
  return problem(500, 'internal_error', 'The server failed. It has noted the particulars.', {});
}

function ofProblemError({ status, code, message, details }: ProblemError): Problem {
  const { pointer, hint, retryAfter } = details;
  return problem(status, code, message, {
    ...(pointer === undefined ? {} : { pointer }),
    ...(hint === undefined ? {} : { hint }),
    retryable: retryAfter !== undefined,
  });
}

/** In place of messages that name a place on the server's disk. */
const saidOfPlaces: Readonly<Partial<Record<LogErrorCode, string>>> = {
  log_exists: 'There is a log of this name, or what is left of one.',
  log_missing: 'There is nothing here under this name.',
};

function ofLogError(code: LogErrorCode, error: Error & { hint?: unknown }): Problem {
  const said = saidOfPlaces[code];
  if (said !== undefined) return problem(statusOfLogError[code] ?? 500, code, said, { retryable: false });
  const status = statusOfLogError[code] ?? 500;
  const detail = status < 500 || code === 'overloaded' ? error.message : 'The log cannot answer this now.';
  const hint = status < 500 && typeof error.hint === 'string' ? { hint: error.hint } : {};
  return problem(status, code, detail, { ...hint, retryable: status === 503 || status === 507 });
}

function problem(
  status: number,
  code: string,
  detail: string,
  more: Pick<Problem, 'pointer' | 'hint' | 'retryable'>,
): Problem {
  return { type: 'about:blank', title: titles[status] ?? 'Error', status, detail, code, ...more };
}

/** Seconds to wait before the same request is worth repeating. */
const RETRY_AFTER_S = 1;

/** The answer that carries a problem. */
export function problemResponse(error: unknown, requestId: string): Response {
  const body: Problem = { ...problemOf(error), requestId };
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE };
  const details = error instanceof ProblemError ? error.details : {};
  if (details.retryAfter !== undefined || body.status === 503) {
    headers['retry-after'] = String(details.retryAfter ?? RETRY_AFTER_S);
  }
  return textAnswer(JSON.stringify(body), {
    status: body.status,
    headers: { ...headers, ...details.headers },
  });
}
