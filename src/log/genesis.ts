import { type Genesis, parseEntry, parseGenesis } from '../event/index.ts';
import { LogError, type StoredEntry } from '../store/index.ts';

/** What entry 0 says of its log. Throws `LogError` `log_damaged` where it is not a genesis entry. */
export function genesisOf(first: StoredEntry | undefined): Genesis {
  try {
    if (first === undefined) throw new LogError('log_damaged', 'entry 0 is missing');
    return parseGenesis(parseEntry(first.entry));
  } catch (cause) {
    throw new LogError('log_damaged', 'entry 0 is not the genesis of a log', { cause });
  }
}
