import { keyChangeId, parseEntry } from '../event/index.ts';
import type { Awaitable, LogReader, SqliteReader, StoredEntry } from '../store/index.ts';
import {
  type KeyEntry,
  type KeyTimeline,
  keyTimeline,
  type ReportedKey,
  reportedKeys,
} from '../verify/index.ts';
import { genesisOf } from './genesis.ts';

/** How many changes of keys are looked for at once. */
const CHANGES_AT_ONCE = 8;

/** Who signs a log, and the entries that say so. */
export interface LogKeys {
  readonly timeline: KeyTimeline;
  /** The first entry, and every change. */
  readonly entries: readonly KeyEntry[];
}

/** The keys of a log, as plain data. */
export interface KeyHistory {
  readonly origin: string;
  /** The key that signs now. */
  readonly vkey: string;
  /** The key that may replace it; null: none can. */
  readonly rootVkey: string | null;
  /** In the order in which they came. */
  readonly keys: readonly ReportedKey[];
  /** The entries that say so: the first of the log, and every change. Whoever pins a key follows it through them. */
  readonly entries: readonly KeyEntry[];
}

/**
 * Who signs the log in `reader`, by the entries that are stored there. Changes have ids of their own, by which they are found. An
 * entry that was taken away or put there changes nothing: what a change does, the root key has signed, and a head that the
 * remaining keys have not signed is refused. Throws `LogError` `log_damaged`.
 */
export async function keysOf(reader: LogReader): Promise<LogKeys> {
  const steps = reading(reader);
  let step = steps.next();
  while (step.done !== true) step = steps.next(await step.value);
  return step.value;
}

/** {@link keysOf}, of a file, at once. */
export function keysOfFile(reader: SqliteReader): LogKeys {
  const steps = reading(reader);
  let step = steps.next();
  while (step.done !== true) step = steps.next(step.value);
  return step.value;
}

/** As plain data, for those who ask from elsewhere. */
export function historyOf({ timeline, entries }: LogKeys): KeyHistory {
  const { origin, rootKey, current } = timeline;
  return {
    origin,
    vkey: current.at(-1)!.text,
    rootVkey: rootKey?.text ?? null,
    keys: reportedKeys(timeline),
    entries,
  };
}

/** Asks for what it needs step by step, so that one text serves stores that answer at once and those that answer later. */
function* reading(reader: LogReader): Generator<Awaitable<unknown>, LogKeys, unknown> {
  const [first] = (yield reader.readEntries(0, 1)) as StoredEntry[];
  genesisOf(first);
  const changes: KeyEntry[] = [];
  for (let next = 1; ; next += CHANGES_AT_ONCE) {
    const ids = Array.from({ length: CHANGES_AT_ONCE }, (_, at) => keyChangeId(next + at));
    const found = (yield reader.findIds(ids)) as ReadonlyMap<string, number>;
    for (const id of ids) {
      const index = found.get(id);
      if (index === undefined) break;
      const [stored] = (yield reader.readEntries(index, index + 1)) as StoredEntry[];
      if (stored === undefined || idOf(stored) !== id) break;
      changes.push({ index, entry: stored.entry });
    }
    if (changes.length < next + CHANGES_AT_ONCE - 1) break;
  }
  changes.sort((one, other) => one.index - other.index);
  const timeline = keyTimeline(first!.entry, changes);
  return { timeline, entries: [{ index: 0, entry: first!.entry }, ...changes] };
}

function idOf({ entry }: StoredEntry): string | undefined {
  try {
    return parseEntry(entry).id;
  } catch {
    return undefined;
  }
}
