import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../support/folders.ts';
import { indelible } from './cli-process.ts';

const commands = [
  'init',
  'record',
  'import',
  'query',
  'show',
  'prove',
  'verify',
  'export',
  'backup',
  'drill',
  'key',
];

describe('help teaches', () => {
  test('the program shows first steps and exit codes', () => {
    const run = indelible(['--help']);
    assert.equal(run.status, 0);
    for (const command of commands) assert.match(run.stdout, new RegExp(`^ {2}${command} `, 'm'));
    assert.match(run.stdout, /First steps:/);
    assert.match(run.stdout, /Exit status:[\s\S]*0 {2}done[\s\S]*1 [\s\S]*2 [\s\S]*3 /);
    assert.equal(run.stderr, '');
  });

  for (const command of commands) {
    test(`${command} shows an example of itself`, () => {
      const run = indelible([command, '--help']);
      assert.equal(run.status, 0);
      assert.match(run.stdout, new RegExp(`Examples?:[\\s\\S]*indelible ${command} `));
      assert.match(run.stdout, /Exit status:/);
    });
  }

  test('help COMMAND is the same', () => {
    assert.equal(indelible(['help', 'prove']).stdout, indelible(['prove', '--help']).stdout);
  });

  test('--version prints the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    assert.equal(indelible(['--version']).stdout, `${version}\n`);
  });
});

describe('misuse ends with 2 and says what is wrong', () => {
  const cases: readonly [words: string[], message: RegExp][] = [
    [[], /Usage: indelible/],
    [['exprot'], /unknown command 'exprot'[\s\S]*export/],
    [['verify', 'x', '--vkye', 'k'], /unknown option '--vkye'[\s\S]*--vkey/],
    [['query', '--log', 'x', '--limt', '1'], /unknown option '--limt'[\s\S]*--limit/],
    [['query'], /'--log <dir>'/],
    [['init', 'x'], /--origin/],
    [['show', '--log', 'x'], /missing required argument 'id'/],
    [['query', '--log', 'x', '--limit', '0'], /--limit/],
    [['query', '--log', 'x', '--limit', '1e3'], /--limit/],
    [['export', '--log', 'x', '--format', 'xlsx'], /jsonl, csv/],
    [['import', '--log', 'x', '--from', 'okta', 'f'], /jsonl, cloudtrail, github/],
    [['key', '--log', 'x', 'extra'], /too many arguments/],
  ];
  for (const [words, message] of cases) {
    test(['indelible', ...words].join(' '), () => {
      const run = indelible(words);
      assert.equal(run.status, 2);
      assert.match(run.stderr, message);
      assert.equal(run.stdout, '');
    });
  }
});

describe('an operation that fails ends with 3', () => {
  for (const words of [
    ['query', '--log', 'absent', 'x'],
    ['record', '--log', 'absent'],
    ['verify', 'absent'],
    ['drill', 'absent'],
    ['key', '--log', 'absent'],
  ]) {
    test(['indelible', ...words].join(' '), (t) => {
      const run = indelible(words, { cwd: temporaryFolder(t) });
      assert.equal(run.status, 3);
      assert.match(run.stderr, /^indelible: .*log_missing/);
      assert.equal(run.stdout, '');
    });
  }
});
