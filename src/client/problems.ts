import {
  isLogError,
  type JsonObject,
  type JsonValue,
  LogError,
  type LogErrorCode,
  logErrorCodes,
  misuse,
  misuseCodes,
  parseJson,
} from '../bytes/index.ts';
import { type EventCode, EventError, eventCodes } from '../event/index.ts';

/** Answers nest events, which may be as deep as the format allows, in a few objects of their own. */
const ANSWER_DEPTH_MAX = 40;

/** An object out of an answer, as it came: nothing in it is believed. */
export type Answer = JsonObject;

/** Reads an answer that must be one JSON object. Throws `LogError` `answer_invalid`. */
export function readAnswer(text: string): Answer {
  let value: JsonValue;
  try {
    value = parseJson(text, { maxDepth: ANSWER_DEPTH_MAX });
  } catch (cause) {
    throw invalidAnswer('it is not JSON', cause);
  }
  if (!isObject(value)) throw invalidAnswer('it is not an object');
  return value;
}

/** The error for an answer that no server of ours gives. */
export function invalidAnswer(what: string, cause?: unknown): LogError {
  return new LogError('answer_invalid', `the server's answer cannot be read: ${what}`, {
    cause,
    hint: 'is the address that of an Indelible server, and nothing between that answers in its place?',
  });
}

/** Whether a JSON value is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text out of an answer. Throws `LogError` `answer_invalid`. */
export function textOf(answer: Answer, name: string): string {
  const value = answer[name];
  if (typeof value === 'string') return value;
  throw invalidAnswer(`${name} is not a text`);
}

/** A count out of an answer. Throws `LogError` `answer_invalid`. */
export function countOf(answer: Answer, name: string): number {
  const value = answer[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidAnswer(`${name} is not a count`);
}

/** A list out of an answer. Throws `LogError` `answer_invalid`. */
export function listOf(answer: Answer, name: string): readonly JsonValue[] {
  const value = answer[name];
  if (Array.isArray(value)) return value;
  throw invalidAnswer(`${name} is not a list`);
}

/** A list of texts out of an answer. Throws `LogError` `answer_invalid`. */
export function textsOf(answer: Answer, name: string): readonly string[] {
  return listOf(answer, name).map((value) => {
    if (typeof value === 'string') return value;
    throw invalidAnswer(`${name} holds something else than texts`);
  });
}

/**
 * The error that a problem document (RFC 9457) stands for: the same that the embedded log throws, by its code. `status` is
 * the answer's own, since the document may come from anybody.
 */
export function errorOfProblem(problem: Answer, status: number): Error {
  const { code, detail, title, pointer, hint, retryable } = problem;
  const message = firstText(detail, title) ?? `the server answered ${status}`;
  const hintText = typeof hint === 'string' ? { hint } : {};
  if (isOneOf(eventCodes, code)) {
    const at = typeof pointer === 'string' ? pointer : '';
    // The message is put together again from its parts: what it began with is left out of the rule.
    const subject = at === '' ? 'The event ' : `${at} `;
    const rest = message.startsWith(subject) ? message.slice(subject.length) : message;
    const advice = typeof hint === 'string' ? hint : '';
    const rule = rest.endsWith(`. ${advice}`) ? rest.slice(0, -advice.length - 2) : rest;
    return new EventError(code as EventCode, at, { rule, hint: advice });
  }
  if (isOneOf(misuseCodes, code)) return misuse('range', code as (typeof misuseCodes)[number], message);
  const isRetryable = retryable === true || isPassing(status);
  if (isOneOf(logErrorCodes, code)) {
    return new LogError(code as LogErrorCode, message, { retryable: isRetryable, ...hintText });
  }
  if (status === 401 || status === 403) {
    return new LogError('credential_refused', message, hintText);
  }
  if (status === 404) return new LogError('not_found', message, hintText);
  if (isPassing(status)) return new LogError('unreachable', message, { retryable: true, ...hintText });
  return new LogError('request_refused', `${message} (${status})`, hintText);
}

/** Whether an answer with this status may be another one later. */
export function isPassing(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
}

/** Whether the same request may succeed later. */
export function isRetryable(error: unknown): boolean {
  return isLogError(error) && error.retryable;
}

function isOneOf(codes: readonly string[], code: JsonValue | undefined): boolean {
  return typeof code === 'string' && codes.includes(code);
}

function firstText(...values: readonly (JsonValue | undefined)[]): string | undefined {
  return values.find((value) => typeof value === 'string' && value !== '') as string | undefined;
}
