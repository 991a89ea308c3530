/** The content type of a problem (RFC 9457, section 3). */
export const PROBLEM_TYPE = 'application/problem+json';

/** What went wrong (RFC 9457), with our stable codes beside the members of the standard. */
export interface Problem {
  /** `about:blank`, or a link into the documentation of errors. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** The message for people. */
  readonly detail: string;
  /** The stable code, as in `docs/errors.md`. */
  readonly code: string;
  /** JSON pointer into the body, where one value is to blame. */
  readonly pointer?: string;
  readonly hint?: string;
  /** Whether the same request may succeed later. */
  readonly retryable?: boolean;
  /** The id of the request, to be found again in the server's own log. */
  readonly requestId?: string;
}
