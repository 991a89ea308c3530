import { type Filter, tokenize, type WordField } from '../../event/index.ts';
import { behind, type Dictionary, type NameKind, type NameUse } from './dictionary.ts';
import { idMark, type Mark, targetName, textMark } from './terms.ts';
import type { TimeWindow } from './zones.ts';

/** An SQL expression over the columns of `events`, and what stands for its question marks. */
export interface ColumnTest {
  readonly sql: string;
  readonly values: readonly (number | string)[];
}

/**
 * How a filter is answered: what every event that fits has in common, as far as the index can tell. It may let others pass,
 * which are held against the filter afterwards; it never keeps one out.
 */
export interface Plan {
  /** Nothing fits: a name that no event uses. */
  readonly nothing: boolean;
  /** An FTS5 expression. Without one, `events` is read from the newest on. */
  readonly terms: string | undefined;
  readonly columns: ColumnTest;
  readonly window: TimeWindow;
}

/** Names that one value, ending in a star, may stand for; beyond, names are compared event by event. */
const NAMES_MAX = 64;

/** Types of actors that are tried where a query gives an id alone. */
const TYPES_MAX = 64;

/** Shortest beginning of a term that is looked up: FTS5 reads every entry of every term that begins so. */
const PREFIX_LENGTH_MIN = 3;

/** Words of one text that are looked up; the longest, which are the rarest as a rule. */
const WORDS_MAX = 12;

/** What more than one event in so many fits is common: it is tested on rows that something rarer, or nothing, has found. */
const COMMON_SHARE = 8;

/** What more than one event in so many fits is not looked up beside something rarer: testing the rarer one's rows is faster. */
const FREQUENT_SHARE = 32;

const ALL_TIMES: TimeWindow = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** What is known of the events that fit one part of a filter. An empty object: nothing. */
interface Condition {
  readonly nothing?: boolean;
  readonly terms?: string;
  readonly columns?: ColumnTest;
  readonly window?: TimeWindow;
  /** How many events fit at most. */
  readonly uses?: number;
}

const ANYTHING: Condition = {};
const NOTHING: Condition = { nothing: true, uses: 0 };

/** Plans how to find what fits `filter` in an index of `size` entries. */
export function planFilter(filter: Filter, dictionary: Dictionary, size: number): Plan {
  const parts = conjuncts(filter).map((part) => new Planner(dictionary).condition(part, false));
  const selective = worthLookingUp(parts, size);
  const whole = every(parts);
  return {
    nothing: whole.nothing ?? false,
    terms: every(selective).terms,
    columns: whole.columns ?? { sql: 'TRUE', values: [] },
    window: whole.window ?? ALL_TIMES,
  };
}

/** The parts that are looked up by their terms; the others are tested on the rows that these find. */
function worthLookingUp(parts: readonly Condition[], size: number): Condition[] {
  const found = parts.filter(({ terms }) => terms !== undefined);
  const counted = found.filter(({ columns, uses }) => columns !== undefined && uses !== undefined);
  const rarest = Math.min(...counted.map(({ uses }) => uses!));
  const isAlone = counted.length === found.length;
  return found.filter((part) => {
    if (!counted.includes(part)) return true;
    const isDriver = isAlone && part.uses === rarest;
    return part.uses! * (isDriver ? COMMON_SHARE : FREQUENT_SHARE) <= size;
  });
}

/** The filters that all have to fit. */
function conjuncts(filter: Filter): Filter[] {
  return filter.kind === 'all' ? filter.filters.flatMap(conjuncts) : [filter];
}

/** Turns filters into conditions; `negated` stands for a minus somewhere above. */
class Planner {
  readonly #dictionary: Dictionary;

  constructor(dictionary: Dictionary) {
    this.#dictionary = dictionary;
  }

  condition(filter: Filter, negated: boolean): Condition {
    switch (filter.kind) {
      case 'all':
      case 'any': {
        const parts = filter.filters.map((part) => this.condition(part, negated));
        return (filter.kind === 'all') === negated ? some(parts) : every(parts);
      }
      case 'not':
        return this.condition(filter.filter, !negated);
      case 'word':
        return this.#word(filter.field, filter, negated);
      case 'party':
        if (filter.field === 'actor') return this.#actor(filter, negated);
        // Marks of a target may say too much, and so too little of the contrary.
        return negated ? ANYTHING : target(filter);
      case 'after':
      case 'before':
        return time((filter.kind === 'after') === negated ? 'before' : 'after', filter.time);
      default:
        return negated ? ANYTHING : words(filter.tokens, filter.prefix);
    }
  }

  #word(field: WordField, wanted: { value: string; prefix: boolean }, negated: boolean): Condition {
    if (field === 'action' || field === 'outcome' || field === 'severity')
      return this.#name(field, wanted, negated);
    if (negated) return ANYTHING;
    if (field === 'ip' || field === 'source') return term(field, wanted);
    return wordsOf(wanted);
  }

  #name(
    kind: 'action' | 'outcome' | 'severity',
    { value, prefix }: { value: string; prefix: boolean },
    negated: boolean,
  ): Condition {
    const found = prefix
      ? this.#dictionary.beginning(kind, value, NAMES_MAX + 1)
      : [this.#dictionary.find(kind, value)].filter((name) => name !== undefined);
    if (found.length > NAMES_MAX) return { columns: nameTest(kind, [value], negated) };
    if (!negated) return named(kind, found);
    const rest = kind === 'severity' ? ANYTHING : this.#others(kind, found);
    return { ...rest, columns: noneOf(kind, found) };
  }

  /** All names of a kind but these, if there are not too many. */
  #others(kind: NameKind, names: readonly NameUse[]): Condition {
    const all = this.#dictionary.beginning(kind, '', NAMES_MAX + 1);
    const others = all.filter(({ id }) => !names.some((name) => name.id === id));
    return all.length > NAMES_MAX ? ANYTHING : marked(kind, others);
  }

  /** An actor is asked for by `type/id`, or by the id alone, whatever its type. */
  #actor({ value, prefix }: { value: string; prefix: boolean }, negated: boolean): Condition {
    if (prefix && value === '') return negated ? NOTHING : ANYTHING;
    const types = this.#dictionary.names('actorType', TYPES_MAX + 1);
    if (types.length > TYPES_MAX) return ANYTHING;
    const names = [value, ...types.map((type) => `${type}/${value}`)];
    if (prefix) return this.#actorsBeginning(value, { types, names, negated });
    const found = names
      .map((name) => this.#dictionary.find('actor', name))
      .filter((name) => name !== undefined);
    return negated ? { columns: noneOf('actor', found) } : named('actor', found);
  }

  #actorsBeginning(
    value: string,
    { types, names, negated }: { types: readonly string[]; names: readonly string[]; negated: boolean },
  ): Condition {
    const columns = nameTest('actor', names, negated);
    if (negated) return { columns };
    // All actors of a type share a mark; `user/*` and `us*` mean every user.
    const whole = types.filter((type) => `${type}/`.startsWith(value));
    const single = names
      .slice(whole.length > 0 ? 1 : 0)
      .filter((name) => !whole.some((type) => name.startsWith(`${type}/`)));
    const found = single.flatMap((name) => this.#dictionary.beginning('actor', name, NAMES_MAX + 1));
    if (found.length > NAMES_MAX) return { columns };
    const ofTypes = whole
      .map((type) => this.#dictionary.find('actorType', type))
      .filter((name) => name !== undefined);
    return { ...some([marked('actor', found), marked('actorType', ofTypes)]), columns };
  }
}

/** Events that bear one of these names. */
function named(kind: 'action' | 'actor' | 'outcome' | 'severity', names: readonly NameUse[]): Condition {
  return { ...marked(kind, names), columns: { sql: `events.${kind} IN (${listed(names)})`, values: [] } };
}

/** The same without a test, for names that have no column of their own. */
function marked(kind: NameKind, names: readonly NameUse[]): Condition {
  if (names.length === 0) return NOTHING;
  const terms = names.map(({ id }) => quoted(idMark(kind, id))).join(' OR ');
  return { terms, uses: names.reduce((sum, { uses }) => sum + uses, 0) };
}

function noneOf(kind: 'action' | 'actor' | 'outcome' | 'severity', names: readonly NameUse[]): ColumnTest {
  return { sql: `events.${kind} NOT IN (${listed(names)})`, values: [] };
}

function listed(names: readonly NameUse[]): string {
  return names.map(({ id }) => id).join(', ');
}

/** Tests a column's name against beginnings, for names that are too many to list. */
function nameTest(column: NameKind, prefixes: readonly string[], negated: boolean): ColumnTest {
  const values: string[] = [];
  const tests = prefixes.map((prefix) => {
    const end = behind(prefix);
    values.push(prefix, ...(end === undefined ? [] : [end]));
    return end === undefined ? 'name >= ?' : '(name >= ? AND name < ?)';
  });
  const exists = `EXISTS (SELECT 1 FROM dictionary WHERE id = events.${column} AND (${tests.join(' OR ')}))`;
  return { sql: negated ? `NOT ${exists}` : exists, values };
}

/** A target is asked for by `type/id`, or by the id alone. */
function target({ value, prefix }: { value: string; prefix: boolean }): Condition {
  if (prefix && value === '') return ANYTHING;
  const slash = value.indexOf('/');
  const [type, id] = slash < 0 ? [value, ''] : [value.slice(0, slash), value.slice(slash + 1)];
  if (prefix) {
    const byId = term('target', { value, prefix });
    const byType = term('targetType', { value: type, prefix: slash < 0 });
    return some([byId, id === '' ? byType : every([byType, term('target', { value: id, prefix })])]);
  }
  const byId = { terms: `${quoted(textMark('target', targetName('', value)))}*` };
  return slash < 0 ? byId : some([byId, term('target', { value: targetName(type, id), prefix })]);
}

function term(kind: Mark, { value, prefix }: { value: string; prefix: boolean }): Condition {
  const mark = textMark(kind, value);
  if (!prefix) return { terms: quoted(mark) };
  return value.length < PREFIX_LENGTH_MIN ? ANYTHING : { terms: `${quoted(mark)}*` };
}

/** A value that stands in an event among its words. */
function wordsOf({ value, prefix }: { value: string; prefix: boolean }): Condition {
  const tokens = tokenize(value);
  // Beyond ASCII the end of a text can change the letters before it: a final sigma, an accent that is still to come.
  const isAscii = /^[\0-\x7f]*$/.test(value);
  return prefix && !isAscii ? words(tokens.slice(0, -1), false) : words(tokens, prefix);
}

function words(tokens: readonly string[], prefix: boolean): Condition {
  // A filter that was not parsed may ask for words that are none.
  if (
    tokens.some(
      (token, position) =>
        !wordPattern.test(token) && !(token === '' && prefix && position === tokens.length - 1),
    )
  ) {
    return NOTHING;
  }
  const whole = prefix ? tokens.slice(0, -1) : tokens;
  const last = prefix ? tokens.at(-1) : undefined;
  const longest = [...new Set(whole)].toSorted((a, b) => b.length - a.length).slice(0, WORDS_MAX);
  const terms = longest.map(quoted);
  if (last !== undefined && last.length >= PREFIX_LENGTH_MIN) terms.push(`${quoted(last)}*`);
  return terms.length === 0 ? ANYTHING : { terms: terms.join(' AND ') };
}

const wordPattern = /^[\p{L}\p{N}\p{M}]+$/u;

const canonicalTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

function time(side: 'after' | 'before', text: string): Condition {
  const ms = canonicalTime.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) return ANYTHING;
  return side === 'after'
    ? { columns: { sql: 'events.occurred >= ?', values: [ms] }, window: { ...ALL_TIMES, from: ms } }
    : { columns: { sql: 'events.occurred < ?', values: [ms] }, window: { ...ALL_TIMES, to: ms } };
}

/** What events that fit all parts have in common. */
function every(parts: readonly Condition[]): Condition {
  if (parts.some(({ nothing }) => nothing)) return NOTHING;
  const terms = parts.flatMap((part) => part.terms ?? []);
  const columns = parts.flatMap((part) => part.columns ?? []);
  const windows = parts.flatMap((part) => part.window ?? []);
  const uses = parts.flatMap((part) => part.uses ?? []);
  return {
    ...(terms.length > 0 && { terms: terms.map(parenthesised).join(' AND ') }),
    ...(columns.length > 0 && { columns: joined(columns, 'AND') }),
    ...(windows.length > 0 && {
      window: {
        from: Math.max(...windows.map(({ from }) => from)),
        to: Math.min(...windows.map(({ to }) => to)),
      },
    }),
    ...(uses.length > 0 && { uses: Math.min(...uses) }),
  };
}

/** What events that fit at least one part have in common: something only if each part has something of the same kind. */
function some(parts: readonly Condition[]): Condition {
  const possible = parts.filter(({ nothing }) => !nothing);
  if (possible.length === 0) return NOTHING;
  const terms = possible.flatMap((part) => part.terms ?? []);
  const columns = possible.flatMap((part) => part.columns ?? []);
  const windows = possible.flatMap((part) => part.window ?? []);
  const uses = possible.flatMap((part) => part.uses ?? []);
  const all = possible.length;
  return {
    ...(terms.length === all && { terms: terms.map(parenthesised).join(' OR ') }),
    ...(columns.length === all && { columns: joined(columns, 'OR') }),
    ...(windows.length === all && {
      window: {
        from: Math.min(...windows.map(({ from }) => from)),
        to: Math.max(...windows.map(({ to }) => to)),
      },
    }),
    ...(uses.length === all && { uses: uses.reduce((sum, each) => sum + each, 0) }),
  };
}

function joined(tests: readonly ColumnTest[], operator: 'AND' | 'OR'): ColumnTest {
  if (tests.length === 1) return tests[0]!;
  return {
    sql: tests.map(({ sql }) => `(${sql})`).join(` ${operator} `),
    values: tests.flatMap(({ values }) => values),
  };
}

function parenthesised(terms: string): string {
  return `(${terms})`;
}

/** A term as FTS5 reads it, literally: terms hold no quotation mark. */
function quoted(term: string): string {
  return `"${term}"`;
}
