// The query language: what each query asks for, which events fit, and what is said where a text is no query.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Filter,
  formatFilter,
  judgeMatch,
  matches,
  openEntry,
  parseQuery,
  type QueryError,
  queryLimits,
  type RecordedEvent,
  wordFields,
} from 'indelible/event';
import { readBack, recordSample, sampleEvent, sampleWith } from './sample.ts';

const sample = readBack(sampleEvent).event;
const word = (field: string, value: string, prefix = false) => ({ kind: 'word', field, value, prefix });
const party = (field: string, value: string, prefix = false) => ({ kind: 'party', field, value, prefix });
const text = (tokens: string, prefix = false) => ({ kind: 'text', tokens: tokens.split(' '), prefix });
const all = (...filters: unknown[]) => ({ kind: 'all', filters });
const any = (...filters: unknown[]) => ({ kind: 'any', filters });
const not = (filter: unknown) => ({ kind: 'not', filter });
const after = (time: string) => ({ kind: 'after', time: `${time}.000Z` });
const before = (time: string) => ({ kind: 'before', time: `${time}.000Z` });

const parsed: readonly (readonly [query: string, filter: unknown])[] = [
  ['', all()],
  ['   ', all()],
  ['*', all()],
  ['action:user.signed_in', word('action', 'user.signed_in')],
  ['ACTION:User.Signed_In', word('action', 'user.signed_in')],
  ['action:role.*', word('action', 'role.', true)],
  ['action:*', word('action', '', true)],
  ['outcome:Success', word('outcome', 'success')],
  ['outcome:succ*', word('outcome', 'succ', true)],
  ['outcome:success,failure', any(word('outcome', 'success'), word('outcome', 'failure'))],
  ['severity:high', word('severity', 'high')],
  ['id:evt-1', word('id', 'evt-1')],
  ['ip:2001:db8::1', word('ip', '2001:db8::1')],
  ['ip:10.0.*', word('ip', '10.0.', true)],
  [
    'source:web correlation:c session:s request:r',
    all(word('source', 'web'), word('correlation', 'c'), word('session', 's'), word('request', 'r')),
  ],
  ['actor:user/u_42', party('actor', 'user/u_42')],
  ['actor:u_42', party('actor', 'u_42')],
  ['actor:user/*', party('actor', 'user/', true)],
  ['actor:*', party('actor', '', true)],
  ['actor:"arn:aws:iam::1:user/Jane Doe"', party('actor', 'arn:aws:iam::1:user/Jane Doe')],
  ['target:"a b"*', party('target', 'a b', true)],
  ['target:a,"b,c",d*', any(party('target', 'a'), party('target', 'b,c'), party('target', 'd', true))],
  ['actor:"say \\"hi\\" \\\\"', party('actor', 'say "hi" \\')],
  ['-outcome:success', not(word('outcome', 'success'))],
  ['NOT outcome:success', not(word('outcome', 'success'))],
  ['--id:1', not(not(word('id', '1')))],
  ['-(id:1 id:2)', not(all(word('id', '1'), word('id', '2')))],
  ['hello', text('hello')],
  ['Hello World', all(text('hello'), text('world'))],
  ['"Hello World"', text('hello world')],
  ['foo-bar', text('foo bar')],
  ['prom*', text('prom', true)],
  ['"team le"*', text('team le', true)],
  ['"role:admin"', text('role admin')],
  ['id:1 OR id:2', any(word('id', '1'), word('id', '2'))],
  ['id:1 OR id:2 OR id:3 x', all(any(word('id', '1'), word('id', '2'), word('id', '3')), text('x'))],
  ['x id:1 OR id:2', all(text('x'), any(word('id', '1'), word('id', '2')))],
  ['id:1 AND id:2', all(word('id', '1'), word('id', '2'))],
  ['(id:1) OR (actor:2)', any(word('id', '1'), party('actor', '2'))],
  ['(id:1 x) OR actor:2', any(all(word('id', '1'), text('x')), party('actor', '2'))],
  ['(id:1)', word('id', '1')],
  ['OReilly ANDy NOTe', all(text('oreilly'), text('andy'), text('note'))],
  ['"OR"', text('or')],
  ['after:2026-01-31', after('2026-01-31T00:00:00')],
  ['before:2026-01', before('2026-01-01T00:00:00')],
  ['after:2026', after('2026-01-01T00:00:00')],
  ['after:2026-01-31T12:30', after('2026-01-31T12:30:00')],
  ['after:2026-01-31T12:30:05+02:00', after('2026-01-31T10:30:05')],
  ['created:2026-01-31', all(after('2026-01-31T00:00:00'), before('2026-02-01T00:00:00'))],
  ['created:2026-12', all(after('2026-12-01T00:00:00'), before('2027-01-01T00:00:00'))],
  ['created:2024-02', all(after('2024-02-01T00:00:00'), before('2024-03-01T00:00:00'))],
  ['created:2026-01-31T12:30', all(after('2026-01-31T12:30:00'), before('2026-01-31T12:31:00'))],
  [
    'created:2026-01-31T12:30:05.5Z',
    all(
      { kind: 'after', time: '2026-01-31T12:30:05.500Z' },
      { kind: 'before', time: '2026-01-31T12:30:05.600Z' },
    ),
  ],
  ['created:>2026-01', after('2026-02-01T00:00:00')],
  ['created:>=2026-01', after('2026-01-01T00:00:00')],
  ['created:<2026-01', before('2026-01-01T00:00:00')],
  ['created:<=2026-01', before('2026-02-01T00:00:00')],
  ['created:2025-12..2026-01-15', all(after('2025-12-01T00:00:00'), before('2026-01-16T00:00:00'))],
  ['created:9999', after('9999-01-01T00:00:00')],
];

test('each query asks for exactly this', () => {
  for (const [query, filter] of parsed) assert.deepEqual(parseQuery(query), filter, query);
  const asked = new Set(
    JSON.stringify(parsed)
      .match(/"field":"\w+"/g)
      ?.map((match) => match.slice(9, -1)),
  );
  for (const field of wordFields) assert.ok(asked.has(field), field);
});

test('a filter is written back as a query that asks for the same', () => {
  for (const [query] of parsed) {
    const filter = parseQuery(query);
    assert.deepEqual(parseQuery(formatFilter(filter)), filter, `${query} became ${formatFilter(filter)}`);
  }
  assert.equal(
    formatFilter(parseQuery(' actor:user/u_42   -"Free  Text" OR x* ')),
    'actor:user/u_42 (-"free text") OR (x*)',
  );
});

test('any filter that the parser can make survives being written and read', () => {
  const leaf = fc.oneof(
    fc.record({
      kind: fc.constant('word'),
      field: fc.constantFrom('action', 'id', 'ip', 'session'),
      value: fc.string({ unit: 'grapheme' }),
      prefix: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('party'),
      field: fc.constantFrom('actor', 'target'),
      value: fc.string({ unit: 'binary' }),
      prefix: fc.boolean(),
    }),
    fc.record({ kind: fc.constantFrom('after', 'before'), time: fc.constant('2026-01-31T12:00:00.000Z') }),
    fc.record({
      kind: fc.constant('text'),
      tokens: fc.array(fc.stringMatching(/^[a-z0-9ßж日]{1,8}$/), { minLength: 1, maxLength: 3 }),
      prefix: fc.boolean(),
    }),
  );
  const { filter } = fc.letrec<{ filter: unknown }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.record({
        kind: fc.constantFrom('all', 'any'),
        filters: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not'), filter: tie('filter') }),
    ),
  }));
  const lowered = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_, part) =>
      part?.field === 'action' ? { ...part, value: part.value.toLowerCase() } : part,
    );
  fc.assert(
    fc.property(filter, (given) => {
      const wanted = lowered(given) as Filter;
      assert.deepEqual(parseQuery(formatFilter(wanted)), wanted, formatFilter(wanted));
    }),
  );
});

const refused: readonly (readonly [query: string, position: number, says: RegExp])[] = [
  ['user:x', 0, /Did you mean actor:\?/],
  ['x actions:y', 2, /Did you mean action:\?/],
  ['since:2026', 0, /Did you mean after:\?/],
  ['https://example.com', 0, /no field https.*put it into quotes/],
  ['actor:', 6, /a value is missing.*actor:\*/],
  ['outcome:a', 8, /It is one of success, failure, denied, unknown/],
  ['severity:urgent', 9, /It is one of info, low/],
  ['outcome:success,', 16, /a value is missing/],
  ['after:yesterday', 6, /yesterday is no time/],
  ['after:2026-02-30', 6, /no time/],
  ['after:2026-*', 6, /no time/],
  ['after:*', 6, /no time/],
  ['created:2026..', 8, /no time/],
  ['created:>', 8, /no time/],
  ['id:1 OR', 5, /OR stands between two terms/],
  ['OR id:1', 0, /a term is missing/],
  ['id:1 OR OR id:2', 8, /a term is missing/],
  ['id:1 AND', 5, /AND stands between two terms/],
  ['AND id:1', 0, /AND stands between two terms/],
  ['id:1 OR actor:2', 5, /OR stands between terms of one kind.*parentheses/],
  ['id:1 OR hello', 5, /OR stands between terms of one kind/],
  ['(id:1', 0, /never closed/],
  ['id:1)', 4, /closes nothing/],
  ['()', 0, /empty/],
  ['x (  )', 2, /empty/],
  ['"hello', 0, /never closed/],
  ['"a\\n"', 2, /backslash/],
  ['a*b', 2, /a space is missing.*quotes/],
  ['actor:a(b)', 7, /a space is missing/],
  ['"a"b', 3, /a space is missing/],
  ['-', 0, /minus/],
  ['- x', 0, /minus/],
  ['NOT', 0, /NOT stands in front/],
  ['!!!', 0, /no letters or digits/],
  ['""', 0, /no letters or digits/],
  [`${'('.repeat(9)}x${')'.repeat(9)}`, 9, /nests too deep/],
  [`${'-'.repeat(9)}x`, 9, /nests too deep/],
  [Array(65).fill('x').join(' '), 128, /too many terms/],
  ['x'.repeat(queryLimits.charactersMax + 1), queryLimits.charactersMax, /too long/],
];

test('what is no query is refused with its position, and with what to do', () => {
  for (const [query, position, says] of refused) {
    assert.throws(
      () => parseQuery(query),
      (error: QueryError) => {
        assert.deepEqual([error.code, error.name], ['query_invalid', 'RangeError']);
        assert.match(error.message, says, query);
        assert.equal(error.position, position, `${query}: ${error.message}`);
        assert.ok(error.message.includes(`position ${position} `) && error.message.endsWith(error.hint));
        return true;
      },
    );
  }
  assert.throws(() => parseQuery(7 as never), { code: 'query_invalid' });
});

test('limits of a query, at the limit', () => {
  assert.equal(parseQuery(Array(queryLimits.termsMax).fill('x').join(' ')).kind, 'all');
  assert.equal(
    parseQuery(`${'('.repeat(queryLimits.depthMax)}x${')'.repeat(queryLimits.depthMax)}`).kind,
    'text',
  );
  assert.equal(parseQuery(`"${'x'.repeat(queryLimits.charactersMax - 2)}"`).kind, 'text');
});

test('any text is a query, or refused by our error', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'actor:',
      'outcome:',
      'created:',
      'OR',
      'AND',
      'NOT',
      '(',
      ')',
      '"',
      '-',
      '*',
      ' ',
      ',',
      '\\',
      ':',
      '..',
      '>',
      'x',
      '2026',
      'success',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        const filter = parseQuery(pieces.join(''));
        assert.deepEqual(parseQuery(formatFilter(filter)), filter);
      } catch (error) {
        assert.equal((error as QueryError).code, 'query_invalid', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const fitting: readonly (readonly [query: string, fits: boolean])[] = [
  ['', true],
  ['actor:user/u_42', true],
  ['actor:u_42', true],
  ['actor:u_4', false],
  ['actor:u_4*', true],
  ['actor:user/*', true],
  ['actor:service/*', false],
  ['actor:*', true],
  ['actor:u_7', false],
  ['target:u_77', true],
  ['target:team/t_3', true],
  ['target:u_42', false],
  ['action:user.*', true],
  ['action:user', false],
  ['outcome:success', true],
  ['-outcome:success', false],
  ['severity:high,critical', true],
  ['id:evt-1', true],
  ['source:web', true],
  ['correlation:req-8f3a2c', true],
  ['ip:203.0.113.9', true],
  ['ip:203.0.113.*', true],
  ['ip:203.0.113', false],
  ['session:s_1', true],
  ['request:req_8f3a2c', true],
  ['after:2026-01-31T12:34:56.789Z', true],
  ['after:2026-02', false],
  ['before:2026-01-31T12:34:56.789Z', false],
  ['before:2026-02', true],
  ['created:2026-01-31', true],
  ['created:>2026-01-31', false],
  ['promoted', true],
  ['PROMOTED lead', true],
  ['"to team"', true],
  ['"team to"', false],
  ['"to te"*', true],
  ['prom*', true],
  ['promo', false],
  ['jane@example.com', true],
  ['INV-9', true],
  ['12.5', true],
  ['"jane doe" -"john roe"', false],
  ['(action:x) OR (actor:u_42)', true],
  ['action:x OR action:y', false],
];

test('events fit a query, or not', () => {
  for (const [query, fits] of fitting) assert.equal(matches(parseQuery(query), sample), fits, query);
});

test('an event without a field fits no question about it, but the contrary', () => {
  const bare = readBack(
    sampleWith({ context: undefined, severity: undefined, correlationId: undefined, targets: [] }),
  ).event;
  for (const field of ['ip', 'session', 'request', 'severity', 'correlation', 'target']) {
    assert.equal(matches(parseQuery(`${field}:*`), bare), false, field);
    assert.equal(matches(parseQuery(`-${field}:*`), bare), true, field);
  }
  for (const context of ['text', ['list'], { ip: 7 }]) {
    const odd = { ...bare, context } as RecordedEvent;
    assert.equal(matches(parseQuery('ip:*'), odd), false);
  }
});

test('whoever sees a part judges as whoever sees all, or says that it cannot be told', () => {
  const { entry, disclosures } = recordSample(sampleEvent);
  // Words that stand side by side in different values: whether anything lies between them shows in the whole alone.
  const across = [
    '"42 jane"',
    '"lead e42"',
    '"doe jane"',
    '"42 jane@example.com"',
    '"req 8f3a2c evt"',
    '"to te"*',
  ];
  const queries = [...fitting.map(([query]) => query), ...across].filter((query) => query !== '');
  const asked = queries.flatMap((query) => [
    query,
    `-(${query})`,
    `(${query}) OR (ip:203.0.113.9)`,
    `${query} roe`,
  ]);
  const filters = asked.map((query) => [query, parseQuery(query)] as const);
  const tally = { said: 0, untold: 0 };
  for (let shown = 0; shown < 2 ** disclosures.length; shown += 1) {
    const some = disclosures.filter((_, place) => (shown & (1 << place)) !== 0);
    const { event } = openEntry(entry, some, 5);
    for (const [query, filter] of filters) {
      const verdict = judgeMatch(filter, event);
      if (verdict === undefined) tally.untold += 1;
      else {
        tally.said += 1;
        assert.equal(verdict, matches(filter, sample), `${query} of ${some.join()}`);
      }
      if (some.length === disclosures.length) assert.notEqual(verdict, undefined, query);
    }
  }
  assert.ok(tally.said > 10_000 && tally.untold > 10_000, JSON.stringify(tally));
});
