import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { csvCell, csvRecord } from 'indelible/event';
import { tableLines } from '#dist/cli/table.js';
import { columnsOf, escapeText, fit, safeJson, show } from '#dist/cli/terminal.js';

/** Texts that steer a terminal, hide something, or read as something else. */
const hostile = [
  '\u001b[2J\u001b[H',
  '\u001b]52;c;cm0gLXJm\u0007',
  '\u001b]8;;https://evil.example\u0007click\u001b]8;;\u0007',
  '\u009b31mred',
  'line\r\nSet-Cookie: a=b',
  'tab\tand\u0000nul',
  '\u202egnp.exe',
  '\u2066isolated\u2069',
  '\u200bzero\ufeffwidth',
  '\u2028separator\u2029',
  '\u007fdelete\u0085next line',
  `lone ${String.fromCharCode(0xd800)} surrogate`,
  'tag \u{e0041}\u{e0042}',
];
const raw =
  /[\u0000-\u001f\u007f-\u009f\u200b\u2028-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]|\p{Surrogate}/u;

describe('attack-24: text from a log cannot steer a terminal', () => {
  for (const text of hostile) {
    test(JSON.stringify(text).replace(/[^\x20-\x7e]/g, '?'), () => {
      assert.doesNotMatch(escapeText(text), raw);
      assert.doesNotMatch(show`${text}`.text, raw);
      assert.doesNotMatch(fit(text, 5).text, raw);
      const line = safeJson({ [text]: text });
      assert.doesNotMatch(line, raw);
      // What was escaped is still the same value.
      assert.equal(JSON.parse(line)[text], text);
    });
  }

  test('plain text stays as it is, in every script', () => {
    for (const text of ['plain', 'naïve Größe', '日本語', 'می‌خواهم', '👩‍🚀 ok', 'back\\slash']) {
      assert.equal(escapeText(text), text);
    }
  });

  test('escapes are written as JSON writes them', () => {
    assert.equal(escapeText('a\u001b[31m\u202eb\n\t'), 'a\\u001b[31m\\u202eb\\n\\t');
    assert.equal(escapeText('\u{e0041}'), '\\udb40\\udc41');
  });
});

describe('columns', () => {
  test('are counted as a terminal does', () => {
    assert.equal(columnsOf('abc'), 3);
    assert.equal(columnsOf('日本'), 4);
    assert.equal(columnsOf('é'), 1);
    assert.equal(columnsOf('👩‍🚀'), 2);
  });

  test('a cell is cut with an ellipsis and never beyond its width', () => {
    assert.equal(fit('abcdef', 6).text, 'abcdef');
    assert.equal(fit('abcdefg', 6).text, 'abcde…');
    assert.equal(fit('日本語日本語', 5).text, '日本…');
  });

  test('a table lines up', () => {
    const paint = (_: unknown, value: string) => show`${value}`;
    const lines = tableLines(
      [{ title: 'N', align: 'right' }, { title: 'NAME', width_max: 4 }, { title: 'X' }],
      [
        ['1', '日本語', 'a'],
        ['20', 'b', 'c\n'],
      ],
      paint as never,
    ).map((line) => line.text);
    assert.deepEqual(lines, [' N  NAME  X', ' 1  日…   a', '20  b     c\\n']);
  });
});

describe('attack-25: a spreadsheet runs nothing', () => {
  const formulas = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    ' =1',
    '＝1',
    '＋1',
    '－1',
    '＠x',
    '=cmd|"/c calc"!A1',
  ];
  for (const formula of formulas) {
    test(JSON.stringify(formula), () => {
      const cell = csvCell(formula);
      const inside = cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell;
      assert.ok(inside.startsWith("'"), cell);
      assert.doesNotMatch(cell, /[\u0000-\u0009\u000b-\u001f]/);
    });
  }

  test('cells are quoted as RFC 4180 says', () => {
    assert.equal(csvCell('plain'), 'plain');
    assert.equal(csvCell('a,b'), '"a,b"');
    assert.equal(csvCell('say "hi"'), '"say ""hi"""');
    assert.equal(csvCell('two\nlines'), '"two\nlines"');
    assert.equal(csvCell('a;=1'), '"a;=1"');
    assert.equal(csvCell(undefined), '');
    assert.equal(csvCell(-5), '-5');
    assert.equal(csvRecord(['a', 1, undefined]), 'a,1,\r\n');
  });

  test('controls are written out', () => {
    assert.equal(csvCell('\u001b[31m'), '"\\u001b[31m"');
  });
});
