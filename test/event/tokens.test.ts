// Words: as the search index holds them and as a query asks for them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { searchText, TOKEN_LENGTH_MAX, tokenize } from 'indelible/event';
import { readBack, recordSample, sampleEvent, sampleWith } from './sample.ts';

test('words are runs of letters and digits, in lower case', () => {
  const cases: readonly (readonly [text: string, ...words: string[]])[] = [
    [''],
    [' .,-_/@ '],
    ['Hello', 'hello'],
    ['user.signed_in', 'user', 'signed', 'in'],
    ['jane.doe+x@example.com', 'jane', 'doe', 'x', 'example', 'com'],
    ['203.0.113.9', '203', '0', '113', '9'],
    ['Crème Brûlée', 'creme', 'brulee'],
    ['Cre\u0300me', 'creme'],
    ['ΆΛΦΑ', 'αλφα'],
    ['İstanbul', 'istanbul'],
    ['ﬁle №5 ℡', 'file', 'no5', 'tel'],
    ['日本語 テスト', '日本語', 'テスト'],
    ['हिन्दी', 'हिन्दी'],
    ['Straße', 'straße'],
    ['a\u0000b', 'a', 'b'],
    ['😀smile😀', 'smile'],
    ['１２３', '123'],
  ];
  for (const [text, ...words] of cases) {
    const folded = words.map((word) =>
      /[\u3040-\u30ff\u0900-\u097f]/.test(word) ? word.normalize('NFKD') : word,
    );
    assert.deepEqual(tokenize(text), folded, text);
  }
});

test('long runs are cut where the index cuts them, and never through a character', () => {
  assert.deepEqual(tokenize('x'.repeat(200)), ['x'.repeat(TOKEN_LENGTH_MAX)]);
  assert.deepEqual(tokenize('ä'.repeat(200)), ['a'.repeat(TOKEN_LENGTH_MAX)]);
  const [word] = tokenize(`a${'𐐨'.repeat(200)}`);
  assert.equal(word, `a${'𐐨'.repeat((TOKEN_LENGTH_MAX - 2) / 2)}`);
  assert.ok(word?.isWellFormed());
});

test('plain text takes a short cut to the same words', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 200 });
  fc.assert(
    fc.property(ascii, (text) => {
      // One letter outside of ASCII sends the text the long way.
      assert.deepEqual([...tokenize(text), 'a'], tokenize(`${text} ä`));
    }),
  );
});

test('a word is its own only word, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
      for (const word of tokenize(text)) {
        assert.deepEqual(tokenize(word), [word]);
        assert.ok(word.length <= TOKEN_LENGTH_MAX);
      }
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
      for (const word of tokenize(text)) assert.deepEqual(tokenize(word), [word]);
    }),
  );
});

test('everything that a reader sees of an event is searched, and nothing that is withheld', () => {
  const text = searchText(readBack(sampleEvent).event);
  const seen = [
    'user.role_changed',
    'evt-1',
    'evt-0',
    'req-8f3a2c',
    'u_42',
    'Jane Doe',
    'jane@example.com',
    'Max Power',
    'John Roe',
    'Platform',
  ];
  const values = [
    '/role',
    'member',
    'admin',
    '203.0.113.9',
    'Mozilla/5.0',
    's_1',
    'Promoted to team lead',
    'E42',
    'production',
    'pro',
    '12',
    '12.5',
    'INV-9',
  ];
  for (const value of [...seen, ...values]) assert.ok(text.split('\n').includes(value), value);
  assert.equal(text.includes('userAgent'), false);

  const withheld = searchText(readBack(sampleWith({ reason: undefined })).event);
  assert.equal(withheld.includes('Promoted'), false);
  assert.equal(recordSample(sampleEvent).text.includes('Promoted'), false);
});
