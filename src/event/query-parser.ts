import { misuse } from '../bytes/index.ts';
import { type Filter, type WordField, wordFields } from './query.ts';
import { readPeriod } from './query-time.ts';
import { nearestName } from './refusal.ts';
import { eventFields } from './rules.ts';
import { tokenize } from './tokens.ts';

/** Limits of a query. */
export const queryLimits = Object.freeze({
  charactersMax: 4096,
  termsMax: 64,
  depthMax: 8,
});

/** A text that is no query: a `RangeError` with the code `query_invalid`, that knows where and what to do. */
export type QueryError = RangeError & {
  readonly code: 'query_invalid';
  /** Where in the text, in UTF-16 code units from 0. */
  readonly position: number;
  readonly hint: string;
};

/**
 * Reads the query language:
 *
 *     actor:user/u_42 action:role.* -outcome:success target:doc/9 after:2026-01-01 "free text"
 *
 * Terms stand side by side, and an event has to fit all of them. `OR` between two terms asks for either, and
 * binds them before their neighbours; a minus in front asks for the contrary; parentheses group; `*` at the
 * end of a value stands for any end. An empty query fits everything. Throws `QueryError`.
 */
export function parseQuery(text: string): Filter {
  if (typeof text !== 'string') throw misuse('type', 'query_invalid', 'A query is a text.');
  if (text.length > queryLimits.charactersMax) {
    throw queryError(
      queryLimits.charactersMax,
      'the query is too long',
      `It has at most ${queryLimits.charactersMax} characters.`,
    );
  }
  return new Parser(text).query();
}

/** A filter and what it was written as, which decides whether OR may stand beside it. */
interface Term {
  readonly filter: Filter;
  /** The name of its field, `text`, or `group` for parentheses. */
  readonly kind: string;
}

/** One value behind a field's colon. */
interface Value {
  readonly text: string;
  readonly prefix: boolean;
  readonly quoted: boolean;
  readonly position: number;
}

const fieldNames: readonly string[] = ['actor', 'target', ...wordFields, 'after', 'before', 'created'];

/** What people call our fields elsewhere. */
const fieldNamesElsewhere: ReadonlyMap<string, string> = new Map(
  Object.entries({
    user: 'actor',
    who: 'actor',
    by: 'actor',
    resource: 'target',
    object: 'target',
    on: 'target',
    event: 'action',
    type: 'action',
    status: 'outcome',
    result: 'outcome',
    level: 'severity',
    since: 'after',
    from: 'after',
    until: 'before',
    to: 'before',
    date: 'created',
    time: 'created',
    service: 'source',
    trace: 'correlation',
  }),
);

class Parser {
  readonly #text: string;
  #position = 0;
  #terms = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  query(): Filter {
    const filter = this.#conjunction();
    if (this.#position < this.#text.length) {
      throw queryError(
        this.#position,
        'this parenthesis closes nothing',
        'Remove it, or put it into quotes.',
      );
    }
    return filter;
  }

  /** Terms that all have to fit, up to the end or a closing parenthesis. */
  #conjunction(): Filter {
    const filters: Filter[] = [];
    this.#skipSpace();
    while (this.#position < this.#text.length && this.#peek() !== ')') {
      const start = this.#position;
      if (this.#takeWord('AND')) {
        this.#skipSpace();
        if (filters.length === 0 || this.#atEnd())
          throw queryError(start, 'AND stands between two terms', QUOTE_HINT);
      }
      filters.push(this.#disjunction());
      this.#skipSpace();
    }
    return filters.length === 1 ? filters[0]! : { kind: 'all', filters };
  }

  /** Terms with OR between them, one of which has to fit. */
  #disjunction(): Filter {
    const terms = [this.#term()];
    for (;;) {
      this.#skipSpace();
      const start = this.#position;
      if (!this.#takeWord('OR')) break;
      this.#skipSpace();
      if (this.#atEnd()) throw queryError(start, 'OR stands between two terms', QUOTE_HINT);
      const term = this.#term();
      const other = terms.at(-1)!;
      if (term.kind !== other.kind && term.kind !== 'group' && other.kind !== 'group') {
        const hint = 'Put parentheses around what belongs together: (action:a) OR (actor:b).';
        throw queryError(start, 'OR stands between terms of one kind, or parentheses', hint);
      }
      terms.push(term);
    }
    return terms.length === 1
      ? terms[0]!.filter
      : { kind: 'any', filters: terms.map(({ filter }) => filter) };
  }

  #term(): Term {
    const start = this.#position;
    this.#terms += 1;
    if (this.#terms > queryLimits.termsMax) {
      throw queryError(start, 'the query has too many terms', `It has at most ${queryLimits.termsMax}.`);
    }
    const isNegated = this.#takeWord('NOT') || this.#take('-');
    if (!isNegated) return this.#primary();
    if (this.#text[start] !== '-') this.#skipSpace();
    else if (this.#atEnd() || isSpace(this.#peek())) {
      throw queryError(start, 'a minus stands directly in front of a term', QUOTE_HINT);
    }
    if (this.#atEnd()) throw queryError(start, 'NOT stands in front of a term', QUOTE_HINT);
    const { filter, kind } = this.#nested(() => this.#term());
    return { filter: { kind: 'not', filter }, kind };
  }

  #primary(): Term {
    const start = this.#position;
    if (this.#take('(')) return this.#group(start);
    if (this.#takeWord('OR') || this.#takeWord('AND'))
      throw queryError(start, 'here a term is missing', QUOTE_HINT);
    const field = /^[A-Za-z]+(?=:)/.exec(this.#text.slice(start, start + 32))?.[0];
    if (field !== undefined) return this.#field(field, start);
    return { filter: this.#freeText(), kind: 'text' };
  }

  #group(start: number): Term {
    const filter = this.#nested(() => this.#conjunction());
    if (!this.#take(')'))
      throw queryError(start, 'this parenthesis is never closed', 'Close it, or put it into quotes.');
    if (
      filter.kind === 'all' &&
      filter.filters.length === 0 &&
      this.#text.slice(start + 1, this.#position - 1).trim() === ''
    ) {
      throw queryError(start, 'these parentheses are empty', 'Remove them.');
    }
    return { filter, kind: 'group' };
  }

  #nested<T>(parse: () => T): T {
    this.#depth += 1;
    if (this.#depth > queryLimits.depthMax) {
      throw queryError(
        this.#position,
        'the query nests too deep',
        `It nests at most ${queryLimits.depthMax} deep.`,
      );
    }
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #field(written: string, start: number): Term {
    const field = written.toLowerCase();
    if (!fieldNames.includes(field)) {
      const meant = fieldNamesElsewhere.get(field) ?? nearestName(field, fieldNames);
      const hint = meant === undefined ? `Fields are ${fieldNames.join(', ')}.` : `Did you mean ${meant}:?`;
      throw queryError(
        start,
        `there is no field ${written}`,
        `${hint} To search for a text with a colon, put it into quotes.`,
      );
    }
    this.#position += written.length + 1;
    const filters = [filterOf(field, this.#value(field))];
    while (this.#take(',')) filters.push(filterOf(field, this.#value(field)));
    return { filter: filters.length === 1 ? filters[0]! : { kind: 'any', filters }, kind: field };
  }

  #freeText(): Filter {
    const value = this.#value(undefined);
    if (value.text === '' && value.prefix) return { kind: 'all', filters: [] };
    const tokens = tokenize(value.text);
    if (tokens.length > 0) return { kind: 'text', tokens, prefix: value.prefix };
    throw queryError(
      value.position,
      'this has no letters or digits to search for',
      'Search for words; marks between them do not matter.',
    );
  }

  /**
   * A value: in quotes, or up to the next space, comma (behind a field) or parenthesis. A star behind it
   * opens its end.
   */
  #value(field: string | undefined): Value {
    const position = this.#position;
    const quoted = this.#peek() === '"';
    const text = quoted ? this.#quoted() : this.#bare(field !== undefined);
    const prefix = this.#take('*');
    const next = this.#peek();
    if (next !== '' && next !== ')' && !isSpace(next) && !(next === ',' && field !== undefined)) {
      throw queryError(
        this.#position,
        'here a space is missing',
        'A star stands at the end of a value; put everything else into quotes.',
      );
    }
    if (text === '' && !prefix && !quoted) {
      throw queryError(
        position,
        `a value is missing behind ${field}:`,
        `Write ${field}:* to ask for any value.`,
      );
    }
    return { text, prefix, quoted, position };
  }

  #quoted(): string {
    const start = this.#position;
    let text = '';
    this.#position += 1;
    for (;;) {
      const character = this.#peek();
      this.#position += 1;
      if (character === '"') return text;
      if (character === '')
        throw queryError(
          start,
          'this quotation mark is never closed',
          'Close it, or write \\" for the mark itself.',
        );
      text += character === '\\' ? this.#escaped() : character;
    }
  }

  #escaped(): string {
    const character = this.#peek();
    if (character !== '"' && character !== '\\') {
      throw queryError(
        this.#position - 1,
        'a backslash escapes a quotation mark or a backslash',
        'Write \\\\ for a backslash.',
      );
    }
    this.#position += 1;
    return character;
  }

  #bare(stopsAtComma: boolean): string {
    const end = stopsAtComma ? /[\s"()*,]|$/ : /[\s"()*]|$/;
    const rest = this.#text.slice(this.#position);
    const text = rest.slice(0, rest.search(end));
    this.#position += text.length;
    return text;
  }

  #peek(): string {
    return this.#text.charAt(this.#position);
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#position += 1;
    return true;
  }

  /** Takes a word in capitals that stands alone. */
  #takeWord(word: string): boolean {
    if (!this.#text.startsWith(word, this.#position)) return false;
    const next = this.#text.charAt(this.#position + word.length);
    if (next !== '' && next !== '(' && next !== ')' && !isSpace(next)) return false;
    this.#position += word.length;
    return true;
  }

  #skipSpace(): void {
    while (isSpace(this.#peek())) this.#position += 1;
  }

  #atEnd(): boolean {
    return this.#position >= this.#text.length || this.#peek() === ')';
  }
}

const QUOTE_HINT = 'To search for the word itself, put it into quotes.';

function filterOf(field: string, value: Value): Filter {
  if (field === 'actor' || field === 'target')
    return { kind: 'party', field, value: value.text, prefix: value.prefix };
  if (field === 'after' || field === 'before' || field === 'created') return timeFilter(field, value);
  const wanted =
    field === 'action' || field === 'outcome' || field === 'severity' ? value.text.toLowerCase() : value.text;
  checkChoice(field, wanted, value);
  return { kind: 'word', field: field as WordField, value: wanted, prefix: value.prefix };
}

/** A word that can never be there is a slip worth telling about. */
function checkChoice(field: string, wanted: string, { prefix, position }: Value): void {
  if (field !== 'outcome' && field !== 'severity') return;
  const choices: readonly string[] = eventFields[field].rule.choices;
  if (choices.some((choice) => (prefix ? choice.startsWith(wanted) : choice === wanted))) return;
  throw queryError(position, `there is no ${field} ${wanted}`, `It is one of ${choices.join(', ')}.`);
}

function timeFilter(field: 'after' | 'before' | 'created', value: Value): Filter {
  const bounds = readPeriod(value.text, field);
  if (bounds === undefined || value.prefix) {
    throw queryError(
      value.position,
      `${value.text || 'this'} is no time`,
      'Write 2026, 2026-01, 2026-01-31 or 2026-01-31T12:00:00Z.',
    );
  }
  const filters: Filter[] = [];
  if (bounds.from !== undefined) filters.push({ kind: 'after', time: bounds.from });
  if (bounds.to !== undefined) filters.push({ kind: 'before', time: bounds.to });
  return filters.length === 1 ? filters[0]! : { kind: 'all', filters };
}

function isSpace(character: string): boolean {
  return character !== '' && /\s/.test(character);
}

function queryError(position: number, complaint: string, hint: string): Error {
  const message = `At position ${position} of the query ${complaint}. ${hint}`;
  return Object.assign(misuse('range', 'query_invalid', message), { position, hint });
}
