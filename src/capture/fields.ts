import { misuse } from '../bytes/index.ts';
import type { EventValue } from '../event/index.ts';
import { isSecretName, isSecretText } from './credentials.ts';

/** Characters of one value out of a body or a query; what is longer is cut. */
export const FIELD_CHARACTERS_MAX = 1024;

/** Characters of all of them together, as JSON: what comes then is left out. */
export const FIELDS_CHARACTERS_MAX = 8192;

/** Objects and lists inside one another; what is deeper is left out. */
const DEPTH_MAX = 4;

/** Elements of one list, and fields of one object. */
const ELEMENTS_MAX = 64;

/** Stands where a value was that looks like a credential. */
const LEFT_OUT = '(left out)';

/** Refuses an allow-list that names a credential: the mistake is told when the application starts. Throws misuse `option_invalid`. */
export function checkAllowed(names: readonly string[] | undefined, option: string): readonly string[] {
  if (names === undefined) return [];
  if (!Array.isArray(names) || names.some((name) => typeof name !== 'string' || name === '')) {
    throw misuse('type', 'option_invalid', `${option} must be a list of names of fields`);
  }
  const secret = names.find((name) => name.split('.').some(isSecretName));
  if (secret === undefined) return names;
  throw misuse(
    'range',
    'option_invalid',
    `${option} names ${secret}, which looks like a credential: those are never recorded`,
  );
}

/**
 * The named fields of a body or a query, fit for an event: `name`, or `customer.name` for one further in. Cut where they are
 * long, without whatever looks like a credential. Undefined where there is none of them.
 */
export function pickFields(
  source: unknown,
  names: readonly string[],
): Record<string, EventValue> | undefined {
  const picked: Record<string, EventValue> = {};
  let left = FIELDS_CHARACTERS_MAX;
  for (const name of names) {
    const value = fit(valueAt(source, name.split('.')), DEPTH_MAX);
    if (value === undefined) continue;
    left -= name.length + JSON.stringify(value).length;
    if (left < 0) break;
    picked[name] = value;
  }
  return Object.keys(picked).length === 0 ? undefined : picked;
}

function valueAt(source: unknown, steps: readonly string[]): unknown {
  let value = source;
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** A value as an event can hold it; undefined for what it cannot. */
function fit(value: unknown, depth: number): EventValue | undefined {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return fitText(value);
  if (typeof value === 'number') {
    const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
    return isExact ? value : String(value);
  }
  if (typeof value !== 'object' || depth === 0) return undefined;
  if (Array.isArray(value)) {
    return value.slice(0, ELEMENTS_MAX).map((element) => fit(element, depth - 1) ?? null);
  }
  const entries = Object.entries(value)
    .slice(0, ELEMENTS_MAX)
    .filter(([name]) => !isSecretName(name) && name.isWellFormed() && !/^(_sd|_sd_alg|\.\.\.)$/.test(name))
    .map(([name, inner]) => [name, fit(inner, depth - 1)] as const)
    .filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries) as Record<string, EventValue>;
}

function fitText(text: string): string {
  return isSecretText(text) ? LEFT_OUT : text.slice(0, FIELD_CHARACTERS_MAX).toWellFormed();
}
