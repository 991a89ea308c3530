// What is indexed of an entry: never less than a reader can see of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { searchText, tokenize } from 'indelible/event';
import { Skimmer } from '#dist/log/search/skim.js';
import { Terms, targetName, textMark } from '#dist/log/search/terms.js';
import { anyEvent, entriesOf, eventOf } from './search-world.ts';

function wordsOf(text: string): string[] {
  const terms = new Terms();
  terms.words(text);
  return new TextDecoder().decode(terms.bytes()).split(' ').slice(0, -1);
}

describe('words', () => {
  test('are the tokens of the query language, in every script', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: 'grapheme', maxLength: 40 })),
        (text) => {
          fc.pre(text.isWellFormed());
          assert.deepEqual(wordsOf(text), tokenize(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('are cut like those of the query language, and stay apart from their neighbours', () => {
    assert.deepEqual(wordsOf(`${'a'.repeat(70)}-b`), ['a'.repeat(64), 'b']);
    assert.deepEqual(wordsOf('Ä'.repeat(70)), tokenize('Ä'.repeat(70)));
    assert.deepEqual(wordsOf('  ..'), []);
  });

  test('fill a buffer that grows', () => {
    const text = 'ümläut '.repeat(20_000);
    assert.equal(wordsOf(text).length, 20_000);
  });
});

describe('marks', () => {
  test('are one term each, whatever they hold, and never a word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 100 }), (text) => {
        fc.pre(text.isWellFormed());
        const mark = textMark('target', text);
        assert.match(mark, /^_t/);
        assert.doesNotMatch(mark, /[\0-\x20"']/);
        assert.ok(new TextEncoder().encode(mark).length <= 64);
      }),
    );
  });
});

describe('skimming', () => {
  test('finds every word that a reader can see, and the columns', () => {
    const terms = new Terms();
    const skimmer = new Skimmer(terms);
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 5 }), (events) => {
        for (const stored of entriesOf(events)) {
          terms.clear();
          const columns = skimmer.skim(stored);
          const found = new Set(new TextDecoder().decode(terms.bytes()).split(' '));
          const event = eventOf(stored);
          for (const token of tokenize(searchText(event)))
            assert.ok(found.has(token), `${token} of ${searchText(event)}`);
          for (const { type, id } of event.targets) {
            assert.ok(found.has(textMark('targetType', type)));
            assert.ok(found.has(textMark('target', targetName(type, id))));
          }
          assert.deepEqual(columns, {
            occurred: Date.parse(event.occurredAt),
            action: event.action,
            outcome: event.outcome,
            severity: event.severity ?? '',
            actorType: event.actor.type,
            actorId: event.actor.id,
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  test('finds nothing that only seals, salts or names', () => {
    const terms = new Terms();
    const [stored] = entriesOf([
      { action: 'a.b', actor: { type: 'user', id: '1', phone: '555' }, metadata: { secretname: 'visible' } },
    ]);
    new Skimmer(terms).skim(stored!);
    const words = new TextDecoder()
      .decode(terms.bytes())
      .split(' ')
      .filter((word) => word !== '');
    assert.deepEqual(
      words.toSorted(),
      ['0', '1', '555', '_vworker', 'a', 'b', 'id', 'user', 'visible'].toSorted(),
    );
  });

  test('takes an entry that is none for what it is: an error of ours, never another, never an endless loop', () => {
    const [stored] = entriesOf([{ action: 'a.b', actor: { type: 'user', id: 'x"\\y' }, reason: 'a \\" b' }]);
    const skimmer = new Skimmer(new Terms());
    const entry = stored!.entry;
    for (let position = 0; position < entry.length; position += 1) {
      for (const change of [0, 1, 0x22, 0x5c, 0x7b, 0x5b, 0xff]) {
        const damaged = entry.slice();
        damaged[position]! ^= change || damaged[position]!;
        try {
          skimmer.skim({ ...stored!, entry: damaged });
        } catch (error) {
          assert.equal((error as Error).name, 'VerificationError', String(error));
        }
      }
    }
    const deep = new TextEncoder().encode(`{"a":${'['.repeat(30_000)}`);
    assert.throws(() => skimmer.skim({ ...stored!, entry: deep }), { name: 'VerificationError' });
  });
});
