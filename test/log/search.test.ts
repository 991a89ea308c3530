// Answers of the index: the same as reading the whole log and asking `matches` of each event.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import type { StoredEntry } from 'indelible';
import { type Filter, matches, parseQuery, type RecordedEvent } from 'indelible/event';
import { Searcher, SearchIndex, type SearchOrder } from '#dist/log/search/index.js';
import { anyEvent, anyFilter, entriesOf, eventOf, NOON, signIns } from './search-world.ts';

const orders: readonly SearchOrder[] = ['index', 'occurredAt'];

class World {
  readonly entries: StoredEntry[] = [];
  readonly events: RecordedEvent[] = [];
  readonly index = SearchIndex.open('');
  readonly searcher: Searcher;
  fetched = 0;

  constructor(entries: readonly StoredEntry[], pageMsMax = 60_000) {
    this.searcher = new Searcher(
      this.index,
      (indexes) => {
        this.fetched += indexes.length;
        return indexes.map((index) => this.events[index]!);
      },
      { pageMsMax },
    );
    this.grow(entries);
  }

  grow(entries: readonly StoredEntry[], batch = 100): void {
    for (let done = 0; done < entries.length; done += batch) {
      const some = entries.slice(done, done + batch);
      this.entries.push(...some);
      this.events.push(...some.map(eventOf));
      const from = this.index.cursor();
      assert.equal(this.index.apply(some, { from, to: { size: this.entries.length, root: '' } }), 'applied');
    }
  }

  expected(filter: Filter, order: SearchOrder): number[] {
    const found = this.events.filter((event) => matches(filter, event)).toReversed();
    if (order === 'occurredAt') found.sort((a, b) => Date.parse(b.occurredAt) - Date.parse(a.occurredAt));
    return found.map(({ index }) => index);
  }

  all(filter: Filter, order: SearchOrder, limit: number): number[] {
    const found: number[] = [];
    let cursor: string | undefined;
    do {
      const page = this.searcher.page({ filter, order, limit, ...(cursor === undefined ? {} : { cursor }) });
      assert.equal(page.complete, this.entries.length);
      assert.ok(page.events.length <= limit);
      found.push(...page.events.map(({ index }) => index));
      cursor = page.next;
    } while (cursor !== undefined);
    return found;
  }
}

describe('answers', () => {
  let large: World;
  before(() => {
    const events = fc.sample(anyEvent, { numRuns: 900, seed: 11 });
    large = new World(entriesOf(events));
  });

  test('of a log of many zones, for any filter', () => {
    fc.assert(
      fc.property(
        anyFilter,
        fc.constantFrom(...orders),
        fc.integer({ min: 1, max: 400 }),
        (filter, order, limit) => {
          assert.deepEqual(large.all(filter, order, limit), large.expected(filter, order));
        },
      ),
      { numRuns: 250 },
    );
  });

  test('of small logs, for any filter', () => {
    fc.assert(
      fc.property(
        fc.array(anyEvent, { maxLength: 12 }),
        fc.array(anyFilter, { minLength: 1, maxLength: 8 }),
        (events, filters) => {
          const world = new World(entriesOf(events));
          for (const filter of filters) {
            for (const order of orders)
              assert.deepEqual(world.all(filter, order, 3), world.expected(filter, order));
          }
          world.index.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test('where disclosures are missing, or lie beside an entry that they are not of', () => {
    const entries = entriesOf(fc.sample(anyEvent, { numRuns: 120, seed: 5 }));
    const shuffled = entries.map((stored, position) => ({
      ...stored,
      disclosures: [
        ...stored.disclosures.slice(1),
        ...entries[(position + 1) % entries.length]!.disclosures.slice(0, 1),
      ],
    }));
    const world = new World(shuffled);
    fc.assert(
      fc.property(anyFilter, fc.constantFrom(...orders), (filter, order) => {
        assert.deepEqual(world.all(filter, order, 50), world.expected(filter, order));
      }),
      { numRuns: 200 },
    );
  });

  test('by time, where entries come late, from two sources one after the other, or in no order at all', () => {
    const minute = 60_000;
    const patterns: Record<string, (index: number) => number> = {
      late: (index) => index * 1000 - (index % 100 === 0 ? (index * 7919) % (900 * minute) : 0),
      twice: (index) => (index % 9000) * 1000,
      shuffled: (index) => (index * 7919) % 18_000,
    };
    for (const [name, time] of Object.entries(patterns)) {
      const events = Array.from({ length: 18_000 }, (_, index) => ({
        action: index % 3 === 0 ? 'a.b' : 'a.c',
        actor: { type: 'user', id: `u_${index % 1000}` },
        occurredAt: new Date(NOON - 20_000_000 + time(index)),
      }));
      const world = new World(entriesOf(events));
      const middle = new Date(NOON - 20_000_000 + 9_000_000).toISOString();
      for (const query of [
        '',
        'action:a.b',
        'actor:u_7',
        'actor:u_7 action:a.b',
        `before:${middle} action:a.c`,
      ]) {
        const filter = parseQuery(query);
        const expected = world.expected(filter, 'occurredAt');
        const found: number[] = [];
        let cursor: string | undefined;
        for (const limit of [1, 30, 500, 20_000]) {
          const page = world.searcher.page({
            filter,
            order: 'occurredAt',
            limit,
            ...(cursor === undefined ? {} : { cursor }),
          });
          found.push(...page.events.map(({ index }) => index));
          cursor = page.next;
          if (cursor === undefined) break;
        }
        while (cursor !== undefined) {
          const page = world.searcher.page({ filter, order: 'occurredAt', limit: 20_000, cursor });
          found.push(...page.events.map(({ index }) => index));
          cursor = page.next;
        }
        assert.deepEqual(found, expected, `${name}: ${query}`);
      }
      world.index.close();
    }
  });

  test('in the words of the query language', () => {
    const world = new World(signIns(600));
    const counts: Record<string, number> = {
      '': 600,
      '*': 600,
      'actor:user/u_3': 86,
      'actor:u_3': 86,
      'actor:user/*': 600,
      'actor:nobody': 0,
      '-outcome:success': 60,
      'outcome:failure actor:u_0': 9,
      word77: 1,
      'word59*': 11,
      '"word77 nothing"': 0,
      'id:id-5': 1,
      'source:worker action:user.*': 200,
      'before:2026-05-04T12:05:00Z': 300,
      'after:2026-05-04T12:05:00Z before:2026-05-04T12:05:10Z': 10,
      '(word1) OR (outcome:failure actor:u_0)': 10,
    };
    for (const [query, count] of Object.entries(counts)) {
      for (const order of orders)
        assert.equal(world.all(parseQuery(query), order, 64).length, count, `${query} by ${order}`);
    }
  });
});

describe('the work', () => {
  test('fetches little more than it returns', () => {
    const world = new World(signIns(3000));
    const queries = [
      'actor:user/u_3',
      'word77',
      '-outcome:success',
      'outcome:failure actor:u_0',
      'after:2026-05-04T12:10:00Z',
      '',
    ];
    for (const query of queries) {
      for (const order of orders) {
        world.fetched = 0;
        const { events } = world.searcher.page({ filter: parseQuery(query), order, limit: 50 });
        assert.ok(
          world.fetched <= events.length + 1,
          `${query} by ${order}: ${world.fetched} for ${events.length}`,
        );
      }
    }
  });

  test('ends when its time is up, and goes on where it was', () => {
    const world = new World(signIns(2000), 0);
    const filter = parseQuery('-word1 -action:user.*');
    const first = world.searcher.page({ filter, order: 'index', limit: 5 });
    assert.deepEqual(first.events, []);
    // Nothing fits, and a page that takes no time finds it out in many pages.
    assert.deepEqual(
      world.all(parseQuery('-word5'), 'index', 100),
      world.expected(parseQuery('-word5'), 'index'),
    );
    assert.deepEqual(
      world.all(parseQuery('-word5'), 'occurredAt', 100),
      world.expected(parseQuery('-word5'), 'occurredAt'),
    );
    assert.deepEqual(world.all(filter, 'index', 5), []);
  });
});

describe('pages', () => {
  for (const order of orders) {
    test(`stay what they are while the log grows, by ${order}`, () => {
      const world = new World(entriesOf(fc.sample(anyEvent, { numRuns: 300, seed: 3 })));
      const filter = parseQuery('-outcome:denied');
      const expected = world.expected(filter, order);
      const found: number[] = [];
      let cursor: string | undefined;
      do {
        const page = world.searcher.page({
          filter,
          order,
          limit: 20,
          ...(cursor === undefined ? {} : { cursor }),
        });
        assert.equal(page.complete, 300);
        found.push(...page.events.map(({ index }) => index));
        world.grow(entriesOf(fc.sample(anyEvent, { numRuns: 7 }), world.entries.length));
        cursor = page.next;
      } while (cursor !== undefined);
      assert.deepEqual(found, expected);
      assert.ok(world.searcher.page({ filter, order, limit: 1 }).complete > 300);
    });
  }

  test('end exactly at the last event', () => {
    const world = new World(signIns(40));
    for (const order of orders) {
      const page = world.searcher.page({ filter: parseQuery(''), order, limit: 40 });
      assert.equal(page.events.length, 40);
      assert.equal(page.next, undefined);
    }
  });

  test('a cursor that is of another query, another order, or none at all is misuse', () => {
    const world = new World(signIns(40));
    const filter = parseQuery('action:user.*');
    const { next } = world.searcher.page({ filter, order: 'index', limit: 5 });
    const page = (cursor: string, query = 'action:user.*', order: SearchOrder = 'index') =>
      world.searcher.page({ filter: parseQuery(query), order, limit: 5, cursor });
    assert.equal(page(next!).events[0]!.index, 34);
    const text = Buffer.from(next!, 'base64url').toString();
    const forged = (change: (text: string) => string) => Buffer.from(change(text)).toString('base64url');
    const invalid = { name: 'RangeError', code: 'cursor_invalid' };
    assert.throws(() => page(next!, 'action:role.*'), invalid);
    assert.throws(() => page(next!, 'action:user.*', 'occurredAt'), invalid);
    for (const cursor of ['', 'x', '34', next!.slice(0, -1), `${next}A`, `${next}=`])
      assert.throws(() => page(cursor), invalid);
    for (const from of ['"at":[35]', '"size":40', '"v":1']) {
      for (const to of [
        '"at":[-1]',
        '"at":[1.5]',
        '"at":[1,2]',
        '"at":{}',
        '"size":-1',
        '"v":2',
        '"at":["1"]',
      ]) {
        if (from.slice(0, 4) === to.slice(0, 4))
          assert.throws(() => page(forged((json) => json.replace(from, to))), invalid, to);
      }
    }
    assert.deepEqual(page(forged((json) => json.replace('"at":[35]', '"at":[0]'))).events, []);
  });
});
