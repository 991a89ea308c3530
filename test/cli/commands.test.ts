import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { indelible, jsonLines, started } from './cli-process.ts';

const origin = 'test.example/log';

function events(...list: object[]): string {
  return list.map((event) => `${JSON.stringify(event)}\n`).join('');
}

function signIns(count: number): string {
  return events(...Array.from({ length: count }, (_, number) => signIn(`e${number}`, `u_${number % 3}`)));
}

/** A log with `count` sign-ins, ids e0, e1, …, and the receipts. */
function logWith(
  t: Parameters<typeof temporaryFolder>[0],
  count: number,
): { dir: string; log: string; receipts: string } {
  const dir = temporaryFolder(t);
  const log = join(dir, 'log');
  assert.equal(indelible(['init', log, '--origin', origin]).status, 0);
  const input = events(
    ...Array.from({ length: count }, (_, number) => signIn(`e${number}`, `u_${number % 3}`)),
  );
  const recorded = indelible(['record', '--log', log], { input });
  assert.equal(recorded.status, 0, recorded.stderr);
  return { dir, log, receipts: recorded.stdout };
}

describe('init and key', () => {
  test('makes a log and prints its public keys', (t) => {
    const log = join(temporaryFolder(t), 'log');
    const made = indelible(['init', log, '--origin', origin]);
    assert.equal(made.status, 0, made.stderr);
    assert.match(
      made.stdout,
      /^log key {3}test\.example\/log\+[0-9a-f]{8}\+\S+\nroot key {2}test\.example\/log\S*\+[0-9a-f]{8}\+\S+\n$/,
    );
    assert.match(made.stderr, /root\.key offline/);
    for (const name of ['log.db', 'log.key', 'log.vkey', 'root.key'])
      assert.ok(existsSync(join(log, name)), name);
    assert.equal(statSync(join(log, 'log.key')).mode & 0o777, 0o600);
    assert.ok(made.stdout.includes(readFileSync(join(log, 'log.vkey'), 'utf8').trim()));

    const shown = indelible(['key', '--log', log]);
    assert.equal(shown.stdout, made.stdout);
    const json = JSON.parse(indelible(['key', '--log', log, '--json']).stdout);
    assert.deepEqual(Object.keys(json), ['origin', 'vkey', 'rootVkey']);
    assert.equal(json.origin, origin);
  });

  test('makes it in the folder that it stands in', (t) => {
    const cwd = join(temporaryFolder(t), 'here');
    mkdirSync(cwd);
    const made = indelible(['init', '.', '--origin', origin], { cwd });
    assert.equal(made.status, 0, made.stderr);
    assert.equal(indelible(['record', '--log', '.'], { cwd, input: events(signIn()) }).status, 0);
    const run = indelible(['verify', '.', '--index'], { cwd });
    assert.equal(run.status, 0, run.stdout + run.stderr);
  });

  test('refuses to make a second log in the same place', (t) => {
    const log = join(temporaryFolder(t), 'log');
    indelible(['init', log, '--origin', origin]);
    const again = indelible(['init', log, '--origin', origin]);
    assert.equal(again.status, 3);
    assert.match(again.stderr, /log_exists/);
  });

  test('a root key that is none is misuse, and leaves nothing behind', (t) => {
    const log = join(temporaryFolder(t), 'log');
    const run = indelible(['init', log, '--origin', origin, '--root-vkey', 'junk']);
    assert.equal(run.status, 2);
    assert.match(run.stderr, /^indelible: --root-vkey: /);
    assert.ok(!existsSync(log));
  });

  test('takes a root key that is kept elsewhere, a key file and a mark of its own', (t) => {
    const dir = temporaryFolder(t);
    const [first, log, key, mark] = ['first', 'log', 'elsewhere.key', 'elsewhere.mark'].map((name) =>
      join(dir, name),
    ) as [string, string, string, string];
    const { rootVkey } = JSON.parse(indelible(['init', first, '--origin', origin, '--json']).stdout);
    const made = indelible([
      'init',
      log,
      '--origin',
      origin,
      '--root-vkey',
      rootVkey,
      '--key',
      key,
      '--mark',
      mark,
      '--json',
    ]);
    assert.equal(made.status, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).rootVkey, rootVkey);
    assert.ok(!existsSync(join(log, 'root.key')));
    assert.ok(!existsSync(join(log, 'log.key')));
    assert.ok(existsSync(key));
    assert.doesNotMatch(made.stderr, /offline/);
    const without = indelible(['record', '--log', log, '--mark', mark], { input: events(signIn()) });
    assert.equal(without.status, 3);
    assert.match(without.stderr, /key_missing/);
    const recorded = indelible(['record', '--log', log, '--key', key, '--mark', mark], {
      input: events(signIn()),
    });
    assert.equal(recorded.status, 0, recorded.stderr);
    assert.ok(existsSync(mark));
    assert.ok(!existsSync(`${log}.mark`));
  });

  test('takes no key that is there already, unless it is said to have signed nothing', (t) => {
    const dir = temporaryFolder(t);
    const [first, second, key] = ['first', 'second', 'a.key'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    const init = (log: string, ...more: string[]) =>
      indelible(['init', log, '--origin', origin, '--key', key, ...more]);
    assert.equal(init(first).status, 0);
    const again = init(second);
    assert.equal(again.status, 3);
    assert.match(again.stderr, /^indelible: there is a signing key .*\(key_exists\)/);
    assert.match(again.stderr, /--reuse-key/);
    assert.ok(!existsSync(second));
    assert.equal(init(second, '--reuse-key').status, 0);
  });

  test('a mark that cannot be kept where it should be is said before anything is made', (t) => {
    const dir = temporaryFolder(t);
    const run = indelible([
      'init',
      join(dir, 'log'),
      '--origin',
      origin,
      '--mark',
      join(dir, 'no', 'log.mark'),
    ]);
    assert.equal(run.status, 3);
    assert.match(run.stderr, /^indelible: the mark of the log cannot be kept at .*ENOENT/);
    assert.deepEqual(readdirSync(dir), []);
  });
});

describe('record', () => {
  test('answers each line with a receipt, in order, and a repeat with the same one', (t) => {
    const { log, receipts } = logWith(t, 5);
    const first = jsonLines(receipts);
    assert.deepEqual(
      first.map(({ id }) => id),
      ['e0', 'e1', 'e2', 'e3', 'e4'],
    );
    assert.deepEqual(Object.keys(first[0]!), ['id', 'index', 'leafHash', 'checkpoint']);
    const again = jsonLines(
      indelible(['record', '--log', log], { input: events(signIn('e3', 'u_0')) }).stdout,
    );
    assert.equal(again[0]!.index, first[3]!.index);
    assert.equal(again[0]!.leafHash, first[3]!.leafHash);
  });

  test('keeps the order over several windows', (t) => {
    const { receipts } = logWith(t, 5000);
    const lines = jsonLines(receipts);
    assert.equal(lines.length, 5000);
    lines.forEach(({ id, index }, number) => {
      assert.equal(id, `e${number}`);
      if (number > 0) assert.ok(index > lines[number - 1]!.index);
    });
  });

  test('names a bad line, goes on with the rest, and ends with 2', (t) => {
    const { dir, log } = logWith(t, 1);
    const file = join(dir, 'events.jsonl');
    const bad = [
      JSON.stringify(signIn('good-1')),
      'no json',
      '',
      '{"action":"a.b","action":"a.c","actor":{"type":"user","id":"u"}}',
      JSON.stringify({ action: 'UPPER', actor: { type: 'user', id: 'u' } }),
      JSON.stringify({ ...signIn('good-1'), action: 'user.signed_out' }),
      JSON.stringify({ ...signIn(), action: 'log.erased' }),
      `{"action":"a.b","actor":{"type":"user","id":"u"},"reason":"${'x'.repeat(3 * 1024 * 1024)}"}`,
      JSON.stringify(signIn('good-2')),
    ];
    writeFileSync(file, Buffer.concat([Buffer.from(bad.join('\n')), Buffer.from('\n\xff\n', 'latin1')]));
    const run = indelible(['record', '--log', log, file]);
    assert.equal(run.status, 2);
    assert.deepEqual(
      jsonLines(run.stdout).map(({ id }) => id),
      ['good-1', 'good-2'],
    );
    const refused = run.stderr.split('\n').filter((line) => line.startsWith('line '));
    assert.deepEqual(
      refused.map((line) => Number(/^line (\d+):/.exec(line)?.[1])),
      [2, 4, 5, 6, 7, 8, 10],
    );
    assert.match(refused[2] ?? '', /\/action .*event_field_invalid/);
    assert.match(refused[3] ?? '', /id_conflict/);
    assert.match(refused[4] ?? '', /action_reserved/);
    assert.match(run.stderr, /2 recorded, 7 refused/);
  });

  test('a file that is not there is a failed operation', (t) => {
    const { log } = logWith(t, 1);
    const run = indelible(['record', '--log', log, join(log, 'absent.jsonl')]);
    assert.equal(run.status, 3);
    assert.match(run.stderr, /ENOENT/);
  });
});

// What only reads shares one log: six sign-ins, by u_0, u_1, u_2, u_0, u_1, u_2.
let dir = '';
let log = '';
let receipts = '';
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'indelible-'));
  log = join(dir, 'log');
  assert.equal(indelible(['init', log, '--origin', origin]).status, 0);
  const recorded = indelible(['record', '--log', log], { input: signIns(6) });
  assert.equal(recorded.status, 0, recorded.stderr);
  receipts = recorded.stdout;
});
after(() => rmSync(dir, { recursive: true, force: true }));

describe('query and show', () => {
  test('find what was recorded, newest first, with id and index', () => {
    const all = jsonLines(indelible(['query', '--log', log, '', '--json', '--limit', '1000']).stdout);
    assert.ok(all.length >= 7);
    const mine = jsonLines(indelible(['query', '--log', log, 'actor:user/u_1', '--json']).stdout);
    assert.deepEqual(
      mine.map(({ id }) => id),
      ['e4', 'e1'],
    );
    assert.ok(mine[0]!.index > mine[1]!.index);
    const limited = indelible(['query', '--log', log, 'action:user.signed_in', '--json', '--limit', '2']);
    assert.equal(jsonLines(limited.stdout).length, 2);
    const cursor = /--cursor (\S+)/.exec(limited.stderr)?.[1] ?? '';
    const next = indelible([
      'query',
      '--log',
      log,
      'action:user.signed_in',
      '--json',
      '--limit',
      '2',
      '--cursor',
      cursor,
    ]);
    assert.deepEqual(
      jsonLines(next.stdout).map(({ id }) => id),
      ['e3', 'e2'],
    );
  });

  test('a query may begin with a negation, and may be several words', () => {
    const run = indelible(['query', '--log', log, '-actor:user/u_1', 'action:user.*', '--json']);
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(
      jsonLines(run.stdout).map(({ id }) => id),
      ['e5', 'e3', 'e2', 'e0'],
    );
  });

  test('a table for people', () => {
    const run = indelible(['query', '--log', log, 'action:user.*']);
    assert.match(run.stdout, /^INDEX {2}WHEN \(UTC\).*WHO.*WHAT\n/);
    assert.match(run.stdout, /user\.signed_in {2}success {2}user\/u_1 “Name of u_1”/);
    assert.match(run.stderr, /6 found; complete up to size \d+/);
  });

  test('a query that cannot be read is misuse, and says where', () => {
    const run = indelible(['query', '--log', log, 'actor:"unclosed']);
    assert.equal(run.status, 2);
    assert.match(run.stderr, /query_invalid/);
    assert.equal(run.stdout, '');
  });

  test('show prints one event, whole', () => {
    const run = indelible(['show', '--log', log, 'e1']);
    assert.equal(run.status, 0);
    assert.match(run.stdout, /user\.signed_in · success/);
    assert.match(run.stdout, /203\.0\.113\.9/);
    assert.equal(
      JSON.parse(indelible(['show', '--log', log, 'e1', '--json']).stdout).context.ip,
      '203.0.113.9',
    );
    const absent = indelible(['show', '--log', log, 'e9']);
    assert.equal(absent.status, 3);
    assert.match(absent.stderr, /"e9"/);
  });

  test('an empty id, or an empty folder, is misuse', () => {
    for (const words of [
      ['show', '--log', log, ''],
      ['prove', '--log', log, '', '--out', join(dir, 'p0'), '--entry', join(dir, 'e0')],
      ['show', '--log', '', 'e1'],
      ['verify', ''],
      ['drill', ''],
    ]) {
      const run = indelible(words);
      assert.equal(run.status, 2, words.join(' '));
      assert.match(run.stderr, /An id is never empty|Name the folder/);
    }
  });
});

describe('verify', () => {
  test('says what was read, by which key, and what nothing outside vouches for', () => {
    const run = indelible(['verify', log]);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /test\.example\/log · \d+ entries/);
    assert.match(run.stdout, /with the key found inside/);
    assert.match(run.stdout, /No change was found/);
    assert.match(run.stdout, /The search index was not compared: --index does\.\n$/);
    const vkey = readFileSync(join(log, 'log.vkey'), 'utf8').trim();
    const pinned = indelible(['verify', log, '--vkey', vkey, '--index']);
    assert.equal(pinned.status, 0, pinned.stdout);
    assert.match(pinned.stdout, /index +covers \d+ of \d+ entries/);
    assert.doesNotMatch(pinned.stdout, /found inside|not compared/);
  });

  test('believes no other key', (t) => {
    const other = join(temporaryFolder(t), 'other');
    indelible(['init', other, '--origin', origin]);
    const vkey = readFileSync(join(other, 'log.vkey'), 'utf8').trim();
    const run = indelible(['verify', log, '--vkey', vkey]);
    assert.equal(run.status, 1, run.stdout + run.stderr);
  });

  test('takes a policy', () => {
    const policy = join(dir, 'policy');
    writeFileSync(policy, `log ${readFileSync(join(log, 'log.vkey'), 'utf8').trim()}\nquorum none\n`);
    assert.equal(indelible(['verify', log, '--policy', policy]).status, 0);
    assert.equal(indelible(['verify', log, '--policy', policy, '--vkey', 'x']).status, 2);
  });

  test('compares with receipts and checkpoints that somebody held', () => {
    const held = join(dir, 'receipts.jsonl');
    writeFileSync(held, receipts);
    const run = indelible(['verify', log, '--held', held]);
    assert.equal(run.status, 0, run.stdout);
    assert.match(run.stdout, /6 receipts/);
    const forged = jsonLines(receipts);
    forged[1]!.leafHash = forged[2]!.leafHash;
    writeFileSync(held, forged.map((receipt) => JSON.stringify(receipt)).join('\n'));
    assert.equal(indelible(['verify', log, '--held', held]).status, 1);
    writeFileSync(held, forged[3]!.checkpoint);
    assert.equal(indelible(['verify', log, '--held', held]).status, 0);
  });

  test('evidence of another key does not make the log a broken one', (t) => {
    const other = join(temporaryFolder(t), 'other');
    indelible(['init', other, '--origin', origin]);
    const foreign = indelible(['record', '--log', other], { input: events(signIn('e-1')) });
    const held = join(dir, 'foreign.jsonl');
    writeFileSync(held, foreign.stdout);
    const run = indelible(['verify', log, '--held', held]);
    assert.equal(run.status, 1, run.stdout);
    assert.match(run.stdout, /1 finding: what was held is not of this log, in which no change was found\./);
    assert.doesNotMatch(run.stdout, /forked|rolled_back|not consistent|not what was signed/);
  });

  test('a file that holds neither receipt nor checkpoint is misuse, not a finding', () => {
    const held = join(dir, 'no-receipts');
    const [receipt] = jsonLines(receipts);
    for (const text of [
      '',
      ' \n\n',
      'junk',
      '[]',
      '{"not":"a receipt"}',
      `${JSON.stringify(receipt)}\nnull\n`,
      JSON.stringify({ ...receipt, index: -1 }),
      JSON.stringify({ ...receipt, leafHash: 'AAAA' }),
      JSON.stringify({ ...receipt, checkpoint: 'nothing signed' }),
    ]) {
      writeFileSync(held, text);
      const run = indelible(['verify', log, '--held', held]);
      assert.equal(run.status, 2, text);
      assert.match(run.stderr, /^indelible: .*no-receipts.*receipt[^\n]*\n$/);
      assert.equal(run.stdout, '');
    }
  });

  test('prints its report as JSON', () => {
    const report = JSON.parse(indelible(['verify', log, '--json']).stdout);
    assert.equal(report.ok, true);
    assert.equal(report.origin, origin);
    assert.deepEqual(report.findings, []);
  });

  test('is misuse without anything to verify, or with both', () => {
    assert.equal(indelible(['verify']).status, 2);
    assert.equal(indelible(['verify', log, '--proof', 'p', '--entry', 'e', '--vkey', 'k']).status, 2);
    assert.equal(indelible(['verify', log, '--entry', 'e']).status, 2);
    assert.equal(indelible(['verify', '--proof', 'p']).status, 2);
  });
});

describe('prove and verify --proof', () => {
  test('files that stand alone, with the sealed values for whoever may see them', () => {
    const [proof, entry, values] = ['p.tlog-proof', 'e.json', 'd.jsonl'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    const made = indelible([
      'prove',
      '--log',
      log,
      'e1',
      '--out',
      proof,
      '--entry',
      entry,
      '--disclosures',
      values,
    ]);
    assert.equal(made.status, 0, made.stderr);
    assert.match(readFileSync(proof, 'utf8'), /^c2sp\.org\/tlog-proof@v1\n/);
    assert.doesNotMatch(readFileSync(entry, 'utf8'), /203\.0\.113\.9/);
    const vkey = readFileSync(join(log, 'log.vkey'), 'utf8').trim();
    const ask = ['verify', '--proof', proof, '--entry', entry, '--vkey', vkey];
    const run = indelible(ask);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /The proof holds/);
    const opened = indelible([...ask, '--disclosures', values]);
    assert.equal(opened.status, 0, opened.stderr);
    assert.match(opened.stdout, /203\.0\.113\.9/);
    assert.equal(JSON.parse(indelible([...ask, '--json']).stdout).id, 'e1');

    const changed = readFileSync(entry);
    changed[20]! ^= 1;
    writeFileSync(entry, changed);
    assert.equal(indelible(ask).status, 1);
  });

  test('an id that is unknown is a failed operation', () => {
    const run = indelible(['prove', '--log', log, 'e7', '--out', join(log, 'p'), '--entry', join(log, 'e')]);
    assert.equal(run.status, 3);
    assert.match(run.stderr, /not_found/);
    assert.ok(!existsSync(join(log, 'p')));
  });
});

describe('export', () => {
  test('every event, oldest first, as JSON lines', () => {
    const run = indelible(['export', '--log', log, '--format', 'jsonl']);
    assert.equal(run.status, 0, run.stderr);
    const lines = jsonLines(run.stdout);
    for (const [place, { index }] of lines.entries()) assert.equal(index, place);
    assert.deepEqual(
      lines.filter(({ action }) => action === 'user.signed_in').map(({ id }) => id),
      Array.from({ length: 6 }, (_, number) => `e${number}`),
    );
  });

  test('what a query matches', () => {
    const lines = jsonLines(
      indelible(['export', '--log', log, '--format', 'jsonl', 'actor:user/u_2']).stdout,
    );
    assert.deepEqual(
      lines.map(({ id }) => id),
      ['e5', 'e2'],
    );
  });

  test('CSV with a head line', () => {
    const run = indelible(['export', '--log', log, '--format', 'csv', 'action:user.*']);
    const [head, ...rows] = run.stdout.trimEnd().split('\r\n');
    assert.match(head ?? '', /^index,id,occurred_at,/);
    assert.equal(rows.length, 6);
  });
});

describe('a search index that is behind', () => {
  test('is said loudly: an answer with holes never ends with 0', async (t) => {
    const { log } = logWith(t, 5);
    assert.equal(indelible(['query', '--log', log]).status, 0);
    const more = events(...Array.from({ length: 3 }, (_, number) => signIn(`late${number}`, 'u_late')));
    // Somebody keeps the index locked, so nobody can bring it up to date.
    const lock = new DatabaseSync(join(log, 'index.db'));
    t.after(() => lock.close());
    lock.exec('BEGIN IMMEDIATE');
    const recorded = indelible(['record', '--log', log], { input: more });
    assert.equal(recorded.status, 0, recorded.stderr);
    const asked = [
      ['query', '--log', log, 'actor:user/u_late'],
      ['query', '--log', log, 'actor:user/u_late', '--json'],
      ['export', '--log', log, 'actor:user/u_late'],
      ['export', '--log', log, '--format', 'csv', 'actor:user/u_late'],
    ].map(async (words) => ({ words, run: await started(words) }));
    for (const { words, run } of await Promise.all(asked)) {
      assert.equal(run.status, 3, `${words.join(' ')}: ${run.stdout}${run.stderr}`);
      assert.match(run.stderr, /index_behind/);
    }
    // Without a query the entries themselves are read.
    assert.equal(indelible(['export', '--log', log]).status, 0);
    lock.exec('ROLLBACK');
    const whole = indelible(['export', '--log', log, 'actor:user/u_late']);
    assert.equal(whole.status, 0, whole.stderr);
    assert.equal(jsonLines(whole.stdout).length, 3);
  });
});

describe('backup', () => {
  test('a copy without keys that verifies, and is not overwritten', (t) => {
    const { dir, log } = logWith(t, 5);
    const to = join(dir, 'copy');
    const run = indelible(['backup', '--log', log, '--to', to]);
    assert.equal(run.status, 0, run.stderr);
    assert.ok(!existsSync(join(to, 'log.key')));
    assert.ok(!existsSync(join(to, 'root.key')));
    assert.equal(indelible(['verify', to]).status, 0);
    assert.equal(jsonLines(indelible(['query', '--log', to, 'action:user.*', '--json']).stdout).length, 5);
    assert.equal(indelible(['backup', '--log', log, '--to', to]).status, 3);
  });
});
