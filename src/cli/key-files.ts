import { type JsonValue, parseJson, VerificationError } from '../bytes/index.ts';
import { createExclusive, readTextFile } from '../platform/index.ts';
import { UsageError } from './exit.ts';

/** Most bytes of a request or an authorisation: two notes. */
const FILE_BYTES_MAX = 65_536;

/** What the files that travel to the root key and back are called in themselves. */
const formats = {
  request: 'indelible-key-request/1',
  authorisation: 'indelible-key-authorisation/1',
} as const;

/** Writes the texts that the root key is to sign, or has signed. Refuses to replace a file. */
export function writeStatements(
  path: string,
  kind: keyof typeof formats,
  statements: readonly string[],
): void {
  const text = `${JSON.stringify({ format: formats[kind], statements }, null, 2)}\n`;
  if (!createExclusive(path, text)) throw new UsageError(`${path} is there already`);
}

/** Reads them. What is no such file is misuse: it was the user who named it. */
export function readStatements(path: string, kind: keyof typeof formats): string[] {
  let value: JsonValue;
  try {
    value = parseJson(readTextFile(path, FILE_BYTES_MAX));
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UsageError(`${path}: ${error.message}`);
  }
  const { format, statements } = (value ?? {}) as {
    readonly format?: unknown;
    readonly statements?: unknown;
  };
  const isList = Array.isArray(statements) && statements.every((one) => typeof one === 'string');
  if (format !== formats[kind] || !isList || statements.length === 0 || statements.length > 2)
    throw new UsageError(`${path} holds no ${kind} of a change of keys`);
  return statements as string[];
}
