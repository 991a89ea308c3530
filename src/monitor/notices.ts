import type { Telling } from './found.ts';
import type { MonitorState } from './state.ts';

/** A monitor that remembered nothing says so: whoever takes its memory away can show it another history. */
export function beginnings(before: MonitorState, now: MonitorState, nowMs: number): Telling[] {
  if (before.note !== '' || now.note === '') return [];
  const message = `Nothing was seen of ${now.origin} before: the ${now.base.size} entries that are there now become the measure.`;
  return [
    { code: 'monitor_began', from: 0, to: Math.max(now.base.size - 1, 0), message, key: String(nowMs) },
  ];
}

/** A server has not everything any more, as the log's own record says: what was read before cannot be read again there. */
export function unreadWhole({ base }: MonitorState, minimum: number): Telling {
  const message = `Not everything can be read again: the first ${minimum} entries were pruned, and lie in an archive of the log. What is left was read.`;
  return { code: 'log_pruned', from: 0, to: Math.max(base.size - 1, 0), message };
}
