/**
 * The codes of a refused event. Callers branch on them, `docs/errors.md` explains them, and over HTTP they
 * travel in problem documents.
 */
export const eventCodes = [
  // A name that begins with `log.`: only the log itself writes those.
  'action_reserved',
  // A field that this version does not know, somewhere where all fields are known.
  'event_field_unknown',
  // A required field that is not there.
  'event_field_missing',
  // A field that breaks its rule: the wrong kind of value, a pattern, a choice.
  'event_field_invalid',
  // A name that RFC 9901 keeps for itself: `_sd`, `_sd_alg`, `...`.
  'event_name_reserved',
  // A value that JSON cannot hold: NaN, a function, a Date inside metadata, half a surrogate pair.
  'event_value_invalid',
  // A time that is not RFC 3339, does not exist, or is finer than a millisecond.
  'event_time_invalid',
  // A time more than five minutes ahead of the log's clock.
  'event_time_future',
  // Beyond a limit: characters, elements, bytes.
  'event_too_large',
  // Objects and arrays inside one another beyond the limit.
  'event_too_deep',
  // An id with an `@`: ids can never be erased.
  'personal_id',
  // A path in `clear` or `seals` that names nothing that could be sealed.
  'seal_path_invalid',
] as const;

/** One of `eventCodes`. */
export type EventCode = (typeof eventCodes)[number];

/** What a refusal says, beside its code. */
export interface RefusalReason {
  /** The rule that was broken, as a clause that follows the name of the field: "must be a string". */
  readonly rule: string;
  /** What to do about it, as a sentence. */
  readonly hint: string;
}

/**
 * An event that is refused, whole: nothing of it is written, and nothing is ever shortened to make it fit.
 * The neighbours it was handed in with are not affected. Test `code`, which is stable; show `message` to the
 * developer.
 */
export class EventError extends TypeError {
  override readonly name = 'EventError';
  readonly code: EventCode;
  /** JSON pointer (RFC 6901) to the value that broke the rule; empty for the event as a whole. */
  readonly pointer: string;
  readonly rule: string;
  readonly hint: string;

  constructor(code: EventCode, pointer: string, { rule, hint }: RefusalReason, options?: ErrorOptions) {
    super(`${pointer === '' ? 'The event' : pointer} ${rule}. ${hint}`, options);
    this.code = code;
    this.pointer = pointer;
    this.rule = rule;
    this.hint = hint;
  }
}

/** The names and positions that lead from the event to the value under inspection. */
export type Path = (string | number)[];

/** The JSON pointer (RFC 6901) that a path writes. */
export function pointerTo(path: readonly (string | number)[]): string {
  let pointer = '';
  for (const step of path) pointer += `/${escapeStep(String(step))}`;
  return pointer;
}

/**
 * The names in a JSON pointer, or undefined if it is not one. The inverse of `pointerTo`, but for positions,
 * which stay text.
 */
export function parsePointer(pointer: string): string[] | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined;
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** One name as a step of a JSON pointer. */
export function escapeStep(step: string): string {
  return step.includes('~') || step.includes('/') ? step.replaceAll('~', '~0').replaceAll('/', '~1') : step;
}

/** The refusal of the value that `path` leads to. The caller throws it. */
export function refusal(
  code: EventCode,
  path: readonly (string | number)[],
  rule: string,
  hint: string,
): EventError {
  return new EventError(code, pointerTo(path), { rule, hint });
}

/**
 * The name among `known` that was most probably meant by `name`, or undefined if none is near. Near means
 * equal but for case and separators, or at most a third of its letters away.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const wanted = fold(name);
  let nearest: string | undefined;
  let nearestDistance = Math.floor(Math.min(wanted.length, 24) / 3) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, fold(candidate));
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

function fold(name: string): string {
  return name.slice(0, 64).replaceAll(/[-_ ]/g, '').toLowerCase();
}

/** Levenshtein's distance, in one row. Both texts are short. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, position) => position);
  for (let i = 1; i <= a.length; i += 1) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = diagonal + (a[i - 1] === b[j - 1] ? 0 : 1);
      diagonal = row[j]!;
      row[j] = Math.min(substituted, row[j]! + 1, row[j - 1]! + 1);
    }
  }
  return row[b.length]!;
}
