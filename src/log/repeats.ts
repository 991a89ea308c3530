import { equalBytes } from '../bytes/index.ts';
import { type Draft, parseEntry, sameEvent } from '../event/index.ts';
import { type Hash, hashLeaf, planInclusion, rootFromInclusion } from '../merkle/index.ts';
import { type HeadTransaction, isLogError, LogError, type NewEntry } from '../store/index.ts';
import type { Edge } from './edge.ts';
import { missingEntry, prunedOf } from './pruned.ts';
import { TreeReader } from './tiles.ts';

/** What became of one draft: taken in at an index, or refused. */
export type Answer = { readonly index: number; readonly leaf: Hash } | { readonly error: LogError };

/** What was recorded before this transaction. */
export class Known {
  readonly #transaction: HeadTransaction;
  readonly #edge: Edge | undefined;
  readonly #tree: TreeReader;

  constructor(transaction: HeadTransaction, edge: Edge | undefined) {
    this.#transaction = transaction;
    this.#edge = edge;
    this.#tree = new TreeReader(transaction);
  }

  async find(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return ids.length === 0 ? new Map() : this.#transaction.findIds(ids);
  }

  /**
   * The entry at an index, proven: a receipt for bytes that somebody has changed would be a lie under our signature.
   * Throws `LogError` `log_damaged`, `entry_pruned`: whether this is the same event, nobody can tell any more.
   */
  async at(index: number): Promise<StoredParts> {
    const [stored] = await this.#transaction.readEntries(index, index + 1);
    const edge = this.#edge;
    if (stored !== undefined && edge !== undefined && index < edge.size) {
      const proof = await this.#tree.prove(planInclusion(index, edge.size), edge.size);
      const path = { index, size: edge.size, leafHash: hashLeaf(stored.entry), proof };
      if (equalBytes(rootFromInclusion(path), edge.root())) return stored;
    }
    const damaged = new LogError(
      'log_damaged',
      `the id of entry ${index} is known, and the entry is not what was recorded`,
      { hint: 'run verify: it names everything that was changed' },
    );
    if (stored !== undefined) throw damaged;
    throw missingEntry(index, await prunedOf(this.#transaction), damaged);
  }
}

/** As {@link repeat}. That what was recorded under one id is damaged, or was pruned, is the answer to that id, and to no other. */
export async function repeated(
  read: () => StoredParts | Promise<StoredParts>,
  draft: Draft,
  place: Place,
): Promise<Answer> {
  try {
    return repeat(await read(), draft, place);
  } catch (error) {
    if (isLogError(error, 'log_damaged') || isLogError(error, 'entry_pruned')) return { error };
    throw error;
  }
}

/** What repeats are compared with. */
type StoredParts = Pick<NewEntry, 'entry' | 'disclosures'>;

/** Where an id is known to be. */
interface Place {
  readonly id: string;
  readonly index: number;
}

/** Answers an event whose id is there already: the same event is a repeat, another one a conflict. */
function repeat(stored: StoredParts, draft: Draft, { id, index }: Place): Answer {
  const entry = parseEntry(stored.entry);
  if (entry.id !== id) {
    throw new LogError('log_damaged', `the id ${id} leads to entry ${index}, which has another id`, {
      hint: 'run verify: it names everything that was changed',
    });
  }
  if (sameEvent(draft, entry, stored.disclosures)) return { index, leaf: hashLeaf(stored.entry) };
  const message = `the id ${id} was recorded at index ${index} with other content`;
  return {
    error: new LogError('id_conflict', message, {
      hint: 'an id names one event for ever: give a new event a new id',
    }),
  };
}
