import { createHmac } from 'node:crypto';
import { base64urlEncode, canonicalize, type JsonValue, misuse } from '../bytes/index.ts';
import { PSEUDONYM_KEY_BYTES_MIN, parsePointer } from '../event/index.ts';
import { holdsCredential } from './credentials.ts';

/**
 * A JSON pointer in which `*` stands for any one step, `**` for any number of steps, and `{credential}` for one that is named like a
 * credential.
 */
export type PathPattern = string;

/** A step of a pattern that stands for any name that says it holds a credential: `hashed_password`, `apiKey`, `totpSecret`. */
const CREDENTIAL_STEP = '{credential}';

/** What is never shown, unless `redact` says something else: fields that are named like a credential, at any depth. */
export const redactDefault: readonly PathPattern[] = Object.freeze([`/**/${CREDENTIAL_STEP}`]);

/** What stands where a value was redacted and there is no key. */
export const REDACTED = '[redacted]';

/** How values are hidden in `changes`. */
export interface RedactionOptions {
  /** Paths whose values are hidden; that they changed is still told. Default: {@link redactDefault}. */
  readonly redact?: readonly PathPattern[];
  /**
   * A secret of at least 16 bytes. With it, a hidden value is replaced by its keyed digest, so that two events can be compared; without,
   * by `[redacted]`. A digest without a key would tell a short value to whoever guesses it.
   */
  readonly digestKey?: Uint8Array;
}

/** Whether a path, as its steps, fits one of some patterns. */
export type PathTest = (steps: readonly string[]) => boolean;

/** Compiles patterns. Throws `TypeError` `option_invalid` where one is no JSON pointer. */
export function pathTest(option: string, patterns: readonly PathPattern[]): PathTest {
  const compiled = patterns.map((pattern) => {
    const steps = typeof pattern === 'string' ? parsePointer(pattern) : undefined;
    if (steps !== undefined) return steps;
    throw misuse(
      'type',
      'option_invalid',
      `${option} holds ${String(pattern)}, which is no JSON pointer: /a/*/b`,
    );
  });
  return (steps) => compiled.some((pattern) => fits(pattern, 0, steps, 0));
}

function fits(pattern: readonly string[], at: number, steps: readonly string[], from: number): boolean {
  const wanted = pattern[at];
  if (wanted === undefined) return from === steps.length;
  if (wanted === '**') {
    for (let to = from; to <= steps.length; to += 1) if (fits(pattern, at + 1, steps, to)) return true;
    return false;
  }
  if (from >= steps.length) return false;
  return fitsStep(wanted, steps[from]!) && fits(pattern, at + 1, steps, from + 1);
}

function fitsStep(wanted: string, step: string): boolean {
  return wanted === '*' || wanted === step || (wanted === CREDENTIAL_STEP && holdsCredential(step));
}

/** Hides values. */
export interface Redaction {
  readonly hides: PathTest;
  readonly hide: (value: JsonValue) => JsonValue;
}

/** Makes the redaction that the options describe. Throws misuse `option_invalid`, `pseudonym_key_invalid`. */
export function redactionOf({ redact = redactDefault, digestKey }: RedactionOptions): Redaction {
  if (digestKey !== undefined && digestKey.length < PSEUDONYM_KEY_BYTES_MIN) {
    throw misuse(
      'range',
      'pseudonym_key_invalid',
      `digestKey must have at least ${PSEUDONYM_KEY_BYTES_MIN} bytes`,
    );
  }
  const digest = (value: JsonValue, key: Uint8Array): string =>
    base64urlEncode(new Uint8Array(createHmac('sha256', key).update(canonicalize(value)).digest()));
  return {
    hides: pathTest('redact', redact),
    hide: (value) => (digestKey === undefined ? REDACTED : `hmac-sha256:${digest(value, digestKey)}`),
  };
}
