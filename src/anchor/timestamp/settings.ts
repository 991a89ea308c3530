import { existsSync } from 'node:fs';
import { type JsonValue, misuse, parseJson, utf8Encode, VerificationError } from '../../bytes/index.ts';
import { readTextFile, replaceFile } from '../../platform/index.ts';
import { parseCertificates } from './certificates.ts';

/** A time-stamping authority, and what to expect of it. */
export interface TimestampAuthority {
  /** Its name in this log: 1 to 48 of `a-z 0-9 . _ -`. Tokens are kept under it. */
  readonly name: string;
  /** Where it is asked: http or https. The answer is signed, so that http does no harm to it. */
  readonly url: string;
  /**
   * The certificates to trust, its own or any above it: a file in PEM or DER. Without them a token is kept that is consistent with
   * the certificate inside, and whoever has them verifies it later.
   */
  readonly certificates?: string | Uint8Array;
  /** The policy to ask for, and to insist on: an object identifier. */
  readonly policy?: string;
}

/** How a log is time-stamped. */
export interface TimestampSettings {
  /** At most {@link AUTHORITIES_MAX}; each is asked by itself. */
  readonly authorities: readonly TimestampAuthority[];
  /** How often each is asked where the log grew, milliseconds. Default {@link TIMESTAMP_EVERY_MS_DEFAULT}. */
  readonly everyMs?: number;
}

/** How often a log that grows is time-stamped, milliseconds: once an hour. */
export const TIMESTAMP_EVERY_MS_DEFAULT = 3_600_000;

/** Authorities that one log asks. */
export const AUTHORITIES_MAX = 16;

/** Most bytes of the file of settings. */
const SETTINGS_BYTES_MAX = 4 * 1024 * 1024;

const namePattern = /^[a-z0-9][a-z0-9._-]{0,47}$/;
const policyPattern = /^[0-2](\.(0|[1-9]\d*)){1,31}$/;

/** Refuses settings that cannot be meant, by name. Throws a misuse `option_invalid`, `option_unknown`. */
export function checkTimestampSettings(settings: unknown): asserts settings is TimestampSettings {
  checkNames(settings, 'timestamps', ['authorities', 'everyMs']);
  const { authorities, everyMs } = settings as { readonly authorities?: unknown; readonly everyMs?: unknown };
  if (!Array.isArray(authorities) || authorities.length > AUTHORITIES_MAX) {
    throw invalid(`timestamps.authorities is a list of at most ${AUTHORITIES_MAX} authorities`);
  }
  if (everyMs !== undefined && !(Number.isSafeInteger(everyMs) && (everyMs as number) >= 1)) {
    throw misuse('range', 'option_invalid', 'timestamps.everyMs must be a whole number of milliseconds');
  }
  authorities.forEach(checkAuthority);
  const names = authorities.map(({ name }: TimestampAuthority) => name);
  if (new Set(names).size < names.length) throw invalid('two time-stamping authorities bear one name');
}

/** Refuses an authority that cannot be asked. Throws a misuse `option_invalid`, `option_unknown`. */
export function checkAuthority(authority: unknown): asserts authority is TimestampAuthority {
  checkNames(authority, 'an authority', ['name', 'url', 'certificates', 'policy']);
  const { name, url, certificates, policy } = authority as Record<keyof TimestampAuthority, unknown>;
  if (typeof name !== 'string' || !namePattern.test(name)) {
    throw invalid('a time-stamping authority needs a name: 1 to 48 of a-z 0-9 . _ -');
  }
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    throw invalid(`the address of ${name} is no http or https URL`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw invalid(`the address of ${name} holds a credential, which would end up in logs`);
  }
  if (policy !== undefined && !(typeof policy === 'string' && policyPattern.test(policy))) {
    throw invalid(`the policy of ${name} is no object identifier, as 1.2.3.4`);
  }
  certificatesOf({ name, certificates } as TimestampAuthority);
}

/** The certificates to trust for an authority, in DER; undefined where none were given. Throws a misuse `option_invalid`. */
export function certificatesOf({
  name,
  certificates,
}: Pick<TimestampAuthority, 'name' | 'certificates'>): readonly Uint8Array[] | undefined {
  if (certificates === undefined) return undefined;
  try {
    return parseCertificates(typeof certificates === 'string' ? utf8Encode(certificates) : certificates);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw invalid(`the certificates of ${name} cannot be read: ${error.message}`);
  }
}

/** The settings in a file; undefined where there is none. Throws a misuse `option_invalid`, `LogError` `io_failed`. */
export function readTimestampSettings(path: string): TimestampSettings | undefined {
  if (!existsSync(path)) return undefined;
  const text = readTextFile(path, SETTINGS_BYTES_MAX);
  let settings: JsonValue;
  try {
    settings = parseJson(text);
  } catch (error) {
    throw invalid(`${path} cannot be read: ${(error as Error).message}`);
  }
  checkTimestampSettings(settings);
  return settings;
}

/** Writes settings into a file, whole or not at all; certificates have to be PEM. The inverse of {@link readTimestampSettings}. */
export function writeTimestampSettings(path: string, settings: TimestampSettings): void {
  checkTimestampSettings(settings);
  replaceFile(path, `${JSON.stringify(settings, null, 2)}\n`);
}

function checkNames(value: unknown, what: string, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw invalid(`${what} is described by an object`);
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    throw misuse(
      'type',
      'option_unknown',
      `unknown option ${name} of ${what}: known are ${known.join(', ')}`,
    );
  }
}

function invalid(message: string): TypeError {
  return misuse('type', 'option_invalid', message) as TypeError;
}
