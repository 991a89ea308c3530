import { readFile } from 'node:fs/promises';
import { type JsonValue, parseJson } from '../bytes/index.ts';
import type { Held } from '../verify/index.ts';
import { UsageError } from './exit.ts';

/**
 * Reads what a user kept: a file of receipts, one JSON object a line as `record` prints them, or of one checkpoint
 * (a signed note). Whether it is genuine is the verifier's question; only what is neither is refused here.
 */
export async function readHeldFile(file: string): Promise<Held[]> {
  const text = await readFile(file, 'utf8');
  if (!text.trimStart().startsWith('{')) return [text];
  return text
    .split('\n')
    .flatMap((line, place) => (line.trim() === '' ? [] : [parseReceipt(line, `${file}, line ${place + 1}`)]));
}

function parseReceipt(line: string, where: string): Held {
  let value: JsonValue;
  try {
    value = parseJson(line);
  } catch {
    throw new UsageError(`${where}: this is no receipt as record prints it, nor a checkpoint`);
  }
  const { checkpoint, index, leafHash } = value as Record<string, JsonValue | undefined>;
  if (typeof checkpoint !== 'string' || typeof index !== 'number' || typeof leafHash !== 'string') {
    throw new UsageError(`${where}: a receipt has index, leafHash and checkpoint`);
  }
  return { checkpoint, index, leafHash };
}
