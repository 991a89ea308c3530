import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../support/folders.ts';
import { indelible, jsonLines, program } from './cli-process.ts';

const poison = 'x\u001b[2J\u001b]52;c;cm0=\u0007\u009b31m\u202etxt\u2066\r\n\ttail\u0000end';
/** The same as a word of a command, which can hold no NUL. */
const poisonedWord = poison.replaceAll('\u0000', '');
const noZero = existsSync('/dev/zero') ? false : 'this system has no /dev/zero';
const noFullDevice = existsSync('/dev/full') ? false : 'this system has no /dev/full';
/** Anything below U+0020 but the line feed, C1, DEL, and the controls that turn text around. */
const raw = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

/** A log whose one event carries the poison in every field that takes any text, values and names. */
function poisonedLog(t: Parameters<typeof temporaryFolder>[0]): string {
  const log = join(temporaryFolder(t), 'log');
  assert.equal(indelible(['init', log, '--origin', 'test.example/hostile']).status, 0);
  const event = {
    id: 'poisoned',
    action: 'text.shown',
    outcome: 'failure',
    actor: { type: 'user', id: 'u\u202e_1', name: poison, [poison]: poison },
    targets: [{ type: 'thing', id: `=cmd${'\u2066'}`, name: poison }],
    changes: [{ path: '/a', from: poison, to: poison }],
    context: { ip: '203.0.113.1', userAgent: poison },
    reason: poison,
    error: { code: poison, message: poison },
    metadata: { [poison]: poison },
  };
  const run = indelible(['record', '--log', log], { input: `${JSON.stringify(event)}\n` });
  assert.equal(run.status, 0, run.stderr);
  return log;
}

describe('attack-24: no command shows a terminal what it would obey', () => {
  test('query, show, export, verify, prove', (t) => {
    const log = poisonedLog(t);
    const out = (name: string): string => join(log, name);
    for (const words of [
      ['query', '--log', log, ''],
      ['query', '--log', log, '', '--json'],
      ['show', '--log', log, 'poisoned'],
      ['show', '--log', log, 'poisoned', '--json'],
      ['export', '--log', log, '--format', 'jsonl'],
      ['prove', '--log', log, 'poisoned', '--out', out('p'), '--entry', out('e'), '--disclosures', out('d')],
      ['verify', log],
      ['verify', log, '--json'],
      ['query', '--log', log, poisonedWord],
      ['show', '--log', log, poisonedWord],
    ]) {
      const run = indelible(words);
      assert.doesNotMatch(run.stdout, raw, words[0]);
      assert.doesNotMatch(run.stderr, raw, words[0]);
      if (words.at(-1) !== poisonedWord) assert.equal(run.status, 0, words.join(' ') + run.stderr);
    }
  });

  test('what a refusal quotes is escaped too', (t) => {
    const log = poisonedLog(t);
    const run = indelible(['record', '--log', log], {
      input: `${JSON.stringify({ action: poison, [poison]: 1 })}\n`,
    });
    assert.equal(run.status, 2);
    assert.doesNotMatch(run.stderr, raw);
    const option = indelible(['query', `--${poisonedWord}`]);
    assert.equal(option.status, 2);
    assert.doesNotMatch(option.stderr, raw);
  });

  test('the JSON still means what was recorded', (t) => {
    const log = poisonedLog(t);
    const [line] = indelible(['export', '--log', log, '--format', 'jsonl', 'id:poisoned']).stdout.split('\n');
    assert.equal(JSON.parse(line ?? '').reason, poison);
  });
});

describe('attack-25: no cell of an export is a formula', () => {
  test('every field of a hostile event', (t) => {
    const log = join(temporaryFolder(t), 'log');
    indelible(['init', log, '--origin', 'test.example/csv']);
    const starts = ['=1+1', '+1', '-1', '@A1', '\t=1', '\r=1', '＝1', '＋1', '－1', '＠1', ' =1'];
    const lines = starts.map((start, number) => ({
      id: `f${number}`,
      action: 'cell.written',
      actor: { type: 'user', id: start.trim(), name: start },
      targets: [{ type: 'cell', id: `=${number}`, name: `${start}","=1` }],
      context: { ip: start, userAgent: start, requestId: start, sessionId: start },
      reason: start,
      error: { code: start, message: start },
    }));
    // Ids cannot begin with @ where personal ids are refused.
    const input = lines
      .map((line) =>
        JSON.stringify({ ...line, actor: { ...line.actor, id: line.actor.id.replace('@', 'a') } }),
      )
      .join('\n');
    const recorded = indelible(['record', '--log', log], { input });
    assert.equal(recorded.status, 0, recorded.stderr);
    const run = indelible(['export', '--log', log, '--format', 'csv']);
    for (const record of parseCsv(run.stdout)) {
      for (const cell of record) assert.doesNotMatch(cell, /^[\s]*[=+\-@＝＋－＠]|^[\t\r\n]/, cell);
    }
    assert.equal(
      parseCsv(run.stdout).filter((record) => record.includes('cell.written')).length,
      starts.length,
    );
  });
});

/** Records of an RFC 4180 text. */
function parseCsv(text: string): string[][] {
  return text
    .split('\r\n')
    .filter((record) => record !== '')
    .map((record) =>
      [...record.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(
        ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
      ),
    );
}

describe('pipes', () => {
  test('a reader that goes away ends a listing quietly', async (t) => {
    const dir = temporaryFolder(t);
    const log = join(dir, 'log');
    indelible(['init', log, '--origin', 'test.example/pipe']);
    const events = Array.from({ length: 3000 }, (_, number) =>
      JSON.stringify({
        id: `p${number}`,
        action: 'a.b',
        actor: { type: 'user', id: 'u' },
        reason: 'x'.repeat(200),
      }),
    ).join('\n');
    writeFileSync(join(dir, 'events'), events);
    assert.equal(indelible(['record', '--log', log, join(dir, 'events')]).status, 0);
    const child = spawn(process.execPath, [program, 'export', '--log', log, '--format', 'jsonl']);
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(status, 0);
    assert.equal(stderr, '');
  });

  test('attack-47: files of others that have no end, or are of another kind, are refused', {
    skip: noZero,
  }, (t) => {
    const dir = temporaryFolder(t);
    const at = (name: string): string => join(dir, name);
    indelible(['init', at('log'), '--origin', 'test.example/zero']);
    indelible(['record', '--log', at('log')], {
      input: '{"id":"e","action":"a.b","actor":{"type":"user","id":"u"}}\n',
    });
    indelible(['prove', '--log', at('log'), 'e', '--out', at('p'), '--entry', at('e')]);
    const vkey = readFileSync(at('log/log.vkey'), 'utf8').trim();
    const lines = 'extra line\n'.repeat(300_000);
    writeFileSync(at('many'), readFileSync(at('p'), 'utf8') + lines);
    for (const [status, ...words] of [
      [0, '--proof', at('p'), '--entry', at('e')],
      [1, '--proof', '/dev/zero', '--entry', at('e')],
      [1, '--proof', at('many'), '--entry', at('e')],
      [1, '--proof', at('p'), '--entry', '/dev/zero'],
      [3, '--proof', at('p'), '--entry', at('e'), '--disclosures', '/dev/zero'],
      [3, '--proof', dir, '--entry', at('e')],
      [3, at('log'), '--held', '/dev/zero'],
    ] as const) {
      const run = indelible(['verify', ...words, '--vkey', vkey]);
      assert.equal(run.status, status, `${words.join(' ')}: ${run.stderr}`);
      assert.doesNotMatch(run.stderr, /this is a bug/);
    }
    assert.equal(indelible(['verify', at('log'), '--policy', '/dev/zero']).status, 3);
    for (const name of ['log.mark', 'log/index.db', 'log/log.db']) {
      rmSync(at(name), { force: true });
      symlinkSync('/dev/zero', at(name));
      const run = indelible(['verify', at('log'), '--index']);
      assert.ok([1, 3].includes(run.status ?? 0), `${name}: ${run.status} ${run.stderr}`);
      assert.doesNotMatch(run.stderr, /this is a bug/);
    }
  });

  test('output that cannot be written is a failure, not a finding', { skip: noFullDevice }, (t) => {
    const dir = temporaryFolder(t);
    const log = join(dir, 'log');
    indelible(['init', log, '--origin', 'test.example/full']);
    const events = Array.from(
      { length: 3000 },
      (_, number) => `{"id":"f${number}","action":"a.b","actor":{"type":"user","id":"u"}}\n`,
    );
    writeFileSync(join(dir, 'events'), events.join(''));
    for (const [command, ...words] of [
      ['record', '--log', log, join(dir, 'events')],
      ['export', '--log', log],
      ['export', '--log', log, '--format', 'csv', 'action:a.b'],
      ['query', '--log', log],
      ['verify', log],
      ['help', 'query'],
    ]) {
      const shell = (redirect: string) =>
        spawnSync('/bin/sh', ['-c', `"$@" ${redirect}`, 'sh', process.execPath, program, command!, ...words]);
      const run = shell('> /dev/full');
      assert.equal(run.status, 3, command);
      assert.match(String(run.stderr), /^indelible: ENOSPC[^\n]*\n$/, command);
      if (command === 'record') assert.equal(shell('> /dev/full 2> /dev/full').status, 3);
    }
  });

  test('a person who types a line has the receipt before the next', async (t) => {
    const log = join(temporaryFolder(t), 'log');
    indelible(['init', log, '--origin', 'test.example/typed']);
    const child = spawn(process.execPath, [program, 'record', '--log', log]);
    const receipts = child.stdout[Symbol.asyncIterator]();
    for (const id of ['first', 'second']) {
      child.stdin.write(`{"id":"${id}","action":"a.b","actor":{"type":"user","id":"u"}}\n`);
      const { value } = await receipts.next();
      assert.equal(jsonLines(String(value))[0]?.id, id);
    }
    child.stdin.end();
    assert.equal(await new Promise((resolve) => child.on('close', resolve)), 0);
  });

  test('receipts that nobody reads stop the recording with a failure', async (t) => {
    const dir = temporaryFolder(t);
    const log = join(dir, 'log');
    indelible(['init', log, '--origin', 'test.example/gone']);
    const child = spawn(process.execPath, [program, 'record', '--log', log]);
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    child.stdin.on('error', () => undefined);
    const line = (number: number): string =>
      `{"id":"g${number}","action":"a.b","actor":{"type":"user","id":"u"}}\n`;
    let sent = 0;
    const feed = setInterval(() => {
      for (let count = 0; count < 200; count++) child.stdin.write(line(sent++));
    }, 5);
    const status = await new Promise((resolve) => child.on('close', resolve));
    clearInterval(feed);
    assert.equal(status, 3);
    assert.match(stderr, /receipts/);
    assert.equal(indelible(['verify', log]).status, 0);
  });
});
