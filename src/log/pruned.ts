import { parseEntry, pruningId, pruningOf } from '../event/index.ts';
import {
  type Awaitable,
  LogError,
  type LogReader,
  type SqliteReader,
  type StoredEntry,
} from '../store/index.ts';

/** How far a log has been pruned. */
export interface PrunedState {
  /** How often. */
  readonly number: number;
  /** Entries below it may be gone, those of the log's own excepted; 0 where none is. */
  readonly minimum: number;
  /** How many of the log's own entries stand below it. */
  readonly kept: number;
}

const never: PrunedState = { number: 0, minimum: 0, kept: 0 };

/**
 * How far the log in `reader` has been pruned, by the entry that records the newest pruning. Prunings are numbered, and each has an id
 * of its own, so that the newest is found with few questions however many there are. An entry that was put there by somebody else
 * makes a hole be called pruned here; that it is no record, `verify` finds.
 */
export async function prunedOf(reader: LogReader): Promise<PrunedState> {
  const steps = looking(reader);
  let step = steps.next();
  while (step.done !== true) step = steps.next(await step.value);
  return step.value;
}

/** {@link prunedOf}, of a file, at once. */
export function prunedOfFile(reader: SqliteReader): PrunedState {
  const steps = looking(reader);
  let step = steps.next();
  while (step.done !== true) step = steps.next(step.value);
  return step.value;
}

/** What is thrown where an entry is not there: it was pruned, or else `otherwise`. */
export function missingEntry(index: number, { minimum }: PrunedState, otherwise: LogError): LogError {
  if (index >= minimum) return otherwise;
  return new LogError(
    'entry_pruned',
    `entry ${index} was pruned: its bytes are gone, by the policy of retention`,
    {
      hint: 'its hash and its id are here still; an archive may hold it: see the entry log.pruned',
    },
  );
}

/** Doubles the number until there is none, then halves the span in which the last one lies. */
function* looking(reader: LogReader): Generator<Awaitable<unknown>, PrunedState, unknown> {
  const find = function* (number: number): Generator<Awaitable<unknown>, number | undefined, unknown> {
    const id = pruningId(number);
    return ((yield reader.findIds([id])) as ReadonlyMap<string, number>).get(id);
  };
  let last: { readonly number: number; readonly index: number } | undefined;
  let end = 1;
  for (let index = yield* find(end); index !== undefined; index = yield* find(end)) {
    last = { number: end, index };
    end *= 2;
  }
  if (last === undefined) return never;
  while (last.number + 1 < end) {
    const number: number = Math.floor((last.number + end) / 2);
    const index: number | undefined = yield* find(number);
    if (index === undefined) end = number;
    else last = { number, index };
  }
  const [stored] = (yield reader.readEntries(last.index, last.index + 1)) as StoredEntry[];
  return { number: last.number, ...(stored === undefined ? nothing : recordIn(stored)) };
}

const nothing = { minimum: 0, kept: 0 };

function recordIn({ entry, index }: StoredEntry): Pick<PrunedState, 'minimum' | 'kept'> {
  try {
    const { minimum, kept } = pruningOf(parseEntry(entry), index);
    return { minimum, kept };
  } catch {
    return nothing;
  }
}
