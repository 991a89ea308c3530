import { LogError } from '../bytes/index.ts';
import type { Prune } from './contract.ts';

/** Throws `LogError` `store_contract` for a pruning that does not fit a log of this size. */
export function checkPrune({ below, keep }: Prune, size: number): void {
  const isIndex = Number.isSafeInteger(below) && below > 0 && below <= size && below % 256 === 0;
  const rises = keep.every((index, place) => index < below && index > (keep[place - 1] ?? -1));
  if (!isIndex || !rises)
    throw new LogError('store_contract', 'the pruning does not fit the head that was taken');
}
