import { base64Decode, type JsonValue, parseJson, utf8Encode, VerificationError } from '../bytes/index.ts';
import { HASH_BYTES } from '../merkle/index.ts';
import { parseCheckpoint, parseNote } from '../note/index.ts';
import { readTextFile } from '../platform/index.ts';
import type { Held } from '../verify/index.ts';
import { UsageError } from './exit.ts';

/** Most bytes of such a file: a million receipts. */
const HELD_BYTES_MAX = 500_000_000;

/**
 * Reads what a user kept: a file of receipts, one JSON object a line as `record` prints them, or of one checkpoint
 * (a signed note). Whether it is genuine is the verifier's question. What can be read as neither is refused here: a wrong
 * file name is misuse, and must not look like a log that was rewritten.
 */
export async function readHeldFile(file: string): Promise<Held[]> {
  const text = readTextFile(file, HELD_BYTES_MAX);
  if (text.trim() === '') throw new UsageError(`${file} is empty: it holds no receipt and no checkpoint`);
  if (!text.trimStart().startsWith('{')) return [readCheckpoint(text, file)];
  return text
    .split('\n')
    .flatMap((line, place) => (line.trim() === '' ? [] : [parseReceipt(line, `${file}, line ${place + 1}`)]));
}

/** The text of a checkpoint, once it is known to be one. */
function readCheckpoint(text: string, where: string): string {
  try {
    parseCheckpoint(parseNote(utf8Encode(text)).text);
    return text;
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UsageError(
      `${where}: this is no receipt as record prints it, nor a checkpoint: ${error.message}`,
    );
  }
}

function parseReceipt(line: string, where: string): Held {
  let value: JsonValue;
  try {
    value = parseJson(line);
  } catch {
    throw new UsageError(`${where}: this is no receipt as record prints it, nor a checkpoint`);
  }
  const { checkpoint, index, leafHash } = (value ?? {}) as Record<string, JsonValue | undefined>;
  if (typeof checkpoint !== 'string' || !isIndex(index) || !isLeafHash(leafHash)) {
    throw new UsageError(`${where}: a receipt has index, leafHash and checkpoint, as record prints them`);
  }
  return { checkpoint: readCheckpoint(checkpoint, where), index, leafHash };
}

function isIndex(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isLeafHash(value: JsonValue | undefined): value is string {
  if (typeof value !== 'string') return false;
  try {
    return base64Decode(value).length === HASH_BYTES;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}
