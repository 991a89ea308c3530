import { LogError, type LogErrorCode } from '../bytes/index.ts';

/** An error as it crosses a thread: structured cloning would keep the message and lose the code. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An error as plain data, its code and other fields included. */
export function plainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), fields: {} };
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error)) {
    if (name === 'name' || typeof value === 'function') continue;
    if (value === undefined || typeof value !== 'object' || Array.isArray(value)) fields[name] = value;
  }
  if (error.cause instanceof Error) fields['cause'] = plainError(error.cause);
  return { name: error.name, message: error.message, stack: error.stack, fields };
}

/** The inverse of {@link plainError}: the same name, message, code; `LogError` and `TypeError` keep their class. */
export function reviveError({ name, message, stack, fields }: PlainError): Error {
  const { cause: below, ...rest } = fields;
  const cause = below === undefined ? undefined : reviveError(below as PlainError);
  const error =
    name === 'LogError'
      ? new LogError(rest['code'] as LogErrorCode, message, {
          retryable: rest['retryable'] === true,
          cause,
          ...(typeof rest['hint'] === 'string' ? { hint: rest['hint'] } : {}),
        })
      : Object.assign(make(name, message, cause), rest);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function make(name: string, message: string, cause: unknown): Error {
  const options = cause === undefined ? undefined : { cause };
  if (name === 'TypeError') return new TypeError(message, options);
  if (name === 'RangeError') return new RangeError(message, options);
  const error = new Error(message, options);
  error.name = name;
  return error;
}
