import { type VerificationCode, VerificationError } from '../bytes/index.ts';

/**
 * Runs a strict decoder inside the reader of a larger format, and reports its complaint as that format's own.
 * A reader of notes then learns that the note is malformed, and finds in `cause` which character of which
 * base64 was to blame.
 */
export function readWithin<T>(code: VerificationCode, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof VerificationError)) throw cause;
    throw new VerificationError(code, `${what}: ${cause.message}`, cause.details, { cause });
  }
}
