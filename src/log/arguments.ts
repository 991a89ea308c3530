import { misuse } from '../bytes/index.ts';
import type { Held } from '../verify/index.ts';

/** Refuses what is no id. Throws `TypeError` `argument_invalid`. */
export function checkId(id: unknown): void {
  if (typeof id !== 'string') throw invalid(`an id is a text; this is ${kindOf(id)}`);
}

/** Refuses what is neither an id nor a receipt. Throws `TypeError` `argument_invalid`. */
export function checkProvable(entry: unknown): void {
  if (typeof entry === 'string') return;
  if (!isReceipt(entry)) throw invalid('prove takes an id, or a receipt as record gave it');
}

/** Refuses what cannot be iterated. Throws `TypeError` `argument_invalid`. */
export function checkEvents(events: unknown): void {
  if (typeof (events as Iterable<unknown> | null | undefined)?.[Symbol.iterator] === 'function') return;
  throw invalid('recordMany takes an array of events, or another iterable');
}

/** Refuses a range that no log has. Throws `TypeError` or `RangeError` `argument_invalid`. */
export function checkRange(range: unknown): void {
  if (typeof range !== 'object' || range === null) throw invalid('a range is an object: {from, to}');
  const { from, to } = range as { readonly from?: unknown; readonly to?: unknown };
  for (const [name, value] of Object.entries({ from, to })) {
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) continue;
    throw misuse('range', 'argument_invalid', `${name} must be a whole number of at least 0`);
  }
}

/** Refuses what is no list of checkpoints and receipts. Throws `TypeError` `argument_invalid`. */
export function checkHeld(held: unknown): asserts held is readonly Held[] {
  const isHeld = (item: unknown): boolean => typeof item === 'string' || isReceipt(item);
  if (Array.isArray(held) && held.every(isHeld)) return;
  throw invalid('held is a list of checkpoints (texts) and receipts ({index, leafHash, checkpoint})');
}

/** Refuses what names no folder. Throws `TypeError` `argument_invalid`. */
export function checkFolder(dir: unknown): void {
  if (typeof dir !== 'string' || dir === '') throw invalid('a folder is named by a text that is not empty');
}

function isReceipt(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { index, leafHash, checkpoint } = value as Readonly<Record<string, unknown>>;
  return Number.isSafeInteger(index) && typeof leafHash === 'string' && typeof checkpoint === 'string';
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value;
}

function invalid(message: string): TypeError {
  return misuse('type', 'argument_invalid', message) as TypeError;
}
