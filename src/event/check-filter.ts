import { misuse } from '../bytes/index.ts';
import { type Filter, wordFields } from './query.ts';
import { queryLimits } from './query-parser.ts';

/** A joined filter is one level deeper than the parts that a query may be made of, for each time it is joined. */
const DEPTH_MAX = queryLimits.depthMax * 4;

/** Takes a filter that somebody built by hand. Throws `TypeError` `query_invalid` where it is none. */
export function checkFilter(filter: unknown, depth = 0): asserts filter is Filter {
  if (typeof filter !== 'object' || filter === null || depth > DEPTH_MAX) throw notAFilter();
  const given = filter as Readonly<Record<string, unknown>>;
  switch (given['kind']) {
    case 'all':
    case 'any':
      if (!Array.isArray(given['filters'])) throw notAFilter();
      for (const part of given['filters']) checkFilter(part, depth + 1);
      return;
    case 'not':
      checkFilter(given['filter'], depth + 1);
      return;
    default:
      if (!isLeaf(given)) throw notAFilter();
  }
}

function isLeaf(filter: Readonly<Record<string, unknown>>): boolean {
  const { kind, field, value, prefix, time, tokens } = filter;
  const isValue = typeof value === 'string' && typeof prefix === 'boolean';
  if (kind === 'word') return isValue && (wordFields as readonly unknown[]).includes(field);
  if (kind === 'party') return isValue && (field === 'actor' || field === 'target');
  if (kind === 'after' || kind === 'before') return typeof time === 'string';
  if (kind !== 'text' || typeof prefix !== 'boolean' || !Array.isArray(tokens)) return false;
  return tokens.every((token) => typeof token === 'string');
}

function notAFilter(): TypeError {
  return misuse(
    'type',
    'query_invalid',
    'This is neither a query nor a filter as parseQuery makes it.',
  ) as TypeError;
}
