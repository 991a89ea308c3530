import type { RecordedEvent } from './model.ts';
import { type Filter, hasWords, matches, wordOf } from './query.ts';
import { searchText, tokenize } from './tokens.ts';

/** Members of `context` by which a query can ask: a reader may not see them. */
const contextMembers: ReadonlyMap<string, string> = new Map([
  ['ip', 'ip'],
  ['session', 'sessionId'],
  ['request', 'requestId'],
]);

/**
 * Whether an event is one that the filter asks for, as far as its reader can tell: undefined where values that are withheld decide
 * it. Where nothing is withheld it is what `matches` says.
 */
export function judgeMatch(filter: Filter, event: RecordedEvent): boolean | undefined {
  switch (filter.kind) {
    case 'all':
      return every(filter.filters, event);
    case 'any': {
      const contrary = every(
        filter.filters.map((part) => ({ kind: 'not', filter: part })),
        event,
      );
      return contrary === undefined ? undefined : !contrary;
    }
    case 'not': {
      const verdict = judgeMatch(filter.filter, event);
      return verdict === undefined ? undefined : !verdict;
    }
    case 'text':
      return judgeText(filter, event);
    case 'word':
      return matches(filter, event) || (isHidden(event, filter.field) ? undefined : false);
    default:
      return matches(filter, event);
  }
}

function every(filters: readonly Filter[], event: RecordedEvent): boolean | undefined {
  let verdict: boolean | undefined = true;
  for (const part of filters) {
    const one = judgeMatch(part, event);
    if (one === false) return false;
    if (one === undefined) verdict = undefined;
  }
  return verdict;
}

/** Words that follow one another within one line of one value do so whatever else there is; elsewhere a hidden value may part them. */
function judgeText(filter: Extract<Filter, { kind: 'text' }>, event: RecordedEvent): boolean | undefined {
  if (event.withheld.length === 0) return matches(filter, event);
  const lines = searchText(event).split('\n');
  return lines.some((line) => hasWords(tokenize(line), filter.tokens, filter.prefix)) || undefined;
}

/** Whether the event may have a value for the field that its reader does not see. */
function isHidden(event: RecordedEvent, field: Extract<Filter, { kind: 'word' }>['field']): boolean {
  const member = contextMembers.get(field);
  if (member === undefined || wordOf(event, field) !== undefined) return false;
  return event.withheld.some(({ path }) => path === '/context' || path === `/context/${member}`);
}
