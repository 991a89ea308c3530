import { misuse, VerificationError } from '../bytes/index.ts';
import { type KeyType, keyTypes, parsePolicy, parseVerifierKey, type VerifierKey } from '../note/index.ts';
import type { WatchedLog } from './witness.ts';

/** The first line of a list of logs as witness-network.org publishes it. */
const LOG_LIST = 'logs/v0';

/** A pair of `--origin` and `--vkey`: the origin is the name of the key unless it is said otherwise. */
export interface NamedKey {
  readonly origin?: string;
  readonly vkey: string;
}

/**
 * The logs that a witness watches: keys by their name, or under an origin of their own. Several keys of one origin are one log.
 * Throws `malformed_key`; misuse where a key is no log's, or where there is no log at all.
 */
export function watchedLogs(named: readonly NamedKey[]): WatchedLog[] {
  const byOrigin = new Map<string, VerifierKey[]>();
  for (const { origin, vkey } of named) {
    const key = parseVerifierKey(vkey);
    if (!logTypes.includes(key.type))
      throw misuse('type', 'key_type_invalid', `${key.name} is not the key of a log`);
    const name = origin ?? key.name;
    const keys = byOrigin.get(name) ?? [];
    if (!keys.some(({ text }) => text === key.text)) keys.push(key);
    byOrigin.set(name, keys);
  }
  if (byOrigin.size === 0) throw misuse('range', 'option_invalid', 'a witness needs a log to watch');
  return [...byOrigin].map(([origin, keys]) => ({ origin, keys }));
}

/**
 * The keys in a file of logs: a policy (c2sp.org/tlog-policy), of which the `log` lines count; or a list as witness-network.org
 * publishes it (`logs/v0`; lines `vkey`, `origin`, `qpd`, `contact`). Throws `malformed_policy`.
 */
export function readLogList(text: string): NamedKey[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines[0] !== LOG_LIST) return parsePolicy(text).logs.map(({ key }) => ({ vkey: key.text }));
  const logs: { origin?: string; vkey: string }[] = [];
  for (const line of lines.slice(1)) {
    const space = line.indexOf(' ');
    const [keyword, value] = [line.slice(0, space), line.slice(space + 1)];
    if (keyword === 'vkey') logs.push({ vkey: value });
    else if (keyword === 'origin' && logs.length > 0) logs.at(-1)!.origin = value;
    else if ((keyword !== 'qpd' && keyword !== 'contact') || logs.length === 0) {
      throw new VerificationError('malformed_policy', `This is not a list of logs. It has a line ${line}`);
    }
  }
  return logs;
}

const logTypes: readonly KeyType[] = [keyTypes.ed25519, keyTypes.mldsa44];
