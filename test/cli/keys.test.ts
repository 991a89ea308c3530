import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type Ended, indelible, program, startedWith } from './cli-process.ts';

const origin = 'test.example/log';

function done(words: readonly string[], input = ''): Ended {
  const ended = indelible(words, { input });
  assert.equal(ended.status, 0, `${words.join(' ')}: ${ended.stderr}`);
  return ended;
}

/** A log whose root key lies elsewhere. */
function makeLog(t: TestContext): { folder: string; log: string; root: string; vkey: string } {
  const folder = temporaryFolder(t);
  const log = join(folder, 'log');
  const root = join(folder, 'root.key');
  done(['init', log, '--origin', origin]);
  renameSync(join(log, 'root.key'), root);
  return { folder, log, root, vkey: readFileSync(join(log, 'log.vkey'), 'utf8').trim() };
}

const record = (log: string, id: string, ...more: string[]): string =>
  done(['record', '--log', log, ...more], `${JSON.stringify(signIn(id))}\n`).stdout;

describe('keys on the command line', () => {
  test('rotate, list, verify with the old key, the new one and the root key', (t) => {
    const { folder, log, root, vkey } = makeLog(t);
    const receipt = record(log, 'a');
    const rotated = done(['key', 'rotate', '--log', log, '--root-key', root]);
    const now = readFileSync(join(log, 'log.vkey'), 'utf8').trim();
    assert.notEqual(now, vkey);
    assert.match(rotated.stdout, /0 to 3 entries/);
    record(log, 'b');
    assert.ok(done(['key', '--log', log]).stdout.startsWith(`log key   ${now}\n`));
    const { keys } = JSON.parse(done(['key', 'list', '--log', log, '--json']).stdout);
    assert.deepEqual([keys[0].vkey, keys[0].last, keys[1].vkey], [vkey, 3, now]);
    const held = join(folder, 'receipts.jsonl');
    writeFileSync(held, receipt);
    const rootVkey = readFileSync(join(log, 'root.vkey'), 'utf8').trim();
    for (const pinned of [vkey, now, rootVkey]) done(['verify', log, '--vkey', pinned, '--held', held]);
    const wrong = indelible(['key', 'rotate', '--log', log, '--root-key', join(log, 'log.key')]);
    assert.equal(wrong.status, 1, wrong.stderr);
    assert.equal(indelible(['key', 'rotate', '--log', log]).status, 2);
  });

  test('the root key on another machine: a request goes there, an authorisation comes back', (t) => {
    const { folder, log, root, vkey } = makeLog(t);
    const [request, signed] = [join(folder, 'request.json'), join(folder, 'signed.json')];
    done(['key', 'revoke', '--log', log, '--since', '1', '--request', request]);
    const shown = done(['key', 'root', 'sign', request, '--root-key', root, '--out', signed]);
    assert.match(shown.stderr, /indelible\/key-rotation\/v1\n(?:.*\n)*.*indelible\/key-revocation\/v1/);
    done(['key', 'revoke', '--log', log, '--authorisation', signed]);
    const { keys } = JSON.parse(done(['key', 'list', '--log', log, '--json']).stdout);
    assert.equal(keys[0].vkey, vkey);
    assert.equal(keys[0].compromisedSince.size, 1);
    record(log, 'a');
    done(['verify', log, '--vkey', keys[1].vkey]);
    const again = indelible(['key', 'rotate', '--log', log, '--authorisation', signed]);
    assert.equal(again.status, 1, again.stderr);
    const junk = indelible(['key', 'rotate', '--log', log, '--authorisation', join(log, 'log.vkey')]);
    assert.equal(junk.status, 2, junk.stderr);
    const made = done(['key', 'root', 'make', join(folder, 'r.key'), '--name', 'example.com/root']);
    assert.match(made.stdout, /^example\.com\/root\+/);
  });

  test('a key in the environment signs, and is in no file', async (t) => {
    const { log, vkey } = makeLog(t);
    const text = readFileSync(join(log, 'log.key'), 'utf8').trim();
    rmSync(join(log, 'log.key'));
    const words = ['record', '--log', log, '--key', 'env:INDELIBLE_LOG_KEY'];
    const input = `${JSON.stringify(signIn('a'))}\n`;
    const ended = await startedWith(words, { input, env: { INDELIBLE_LOG_KEY: text } });
    assert.equal(ended.status, 0, ended.stderr);
    assert.equal((ended.stdout + ended.stderr).includes(text), false);
    const none = await startedWith(words, { input, env: { INDELIBLE_LOG_KEY: '' } });
    assert.equal(none.status, 3);
    done(['verify', log, '--vkey', vkey]);
  });

  test('killed at any moment, a rotation leaves a log that records and verifies', async (t) => {
    const { log, root } = makeLog(t);
    const rootVkey = readFileSync(join(log, 'root.vkey'), 'utf8').trim();
    done(['key', 'rotate', '--log', log, '--root-key', root]);
    const started = performance.now();
    done(['key', 'rotate', '--log', log, '--root-key', root]);
    const whole = performance.now() - started;
    for (let round = 0; round < 6; round += 1) {
      const child = spawn(process.execPath, [program, 'key', 'rotate', '--log', log, '--root-key', root]);
      const ended = new Promise((resolve) => child.once('close', resolve));
      await sleep(whole * (0.45 + round * 0.1));
      child.kill('SIGKILL');
      await ended;
      record(log, `k${round}`);
      assert.equal(
        JSON.parse(done(['key', 'list', '--log', log, '--json']).stdout).keys.at(-1).vkey,
        readFileSync(join(log, 'log.vkey'), 'utf8').trim(),
      );
    }
    done(['verify', log, '--vkey', rootVkey]);
    done(['key', 'rotate', '--log', log, '--root-key', root]);
    assert.ok(readdirSync(log).filter((name) => name.endsWith('.next')).length === 0);
  });

  test('fork begins another log that names the one it takes the place of', (t) => {
    const { folder, log } = makeLog(t);
    record(log, 'a');
    const to = join(folder, 'next');
    done(['fork', log, '--origin', 'test.example/log-2', '--to', to]);
    assert.match(
      done(['verify', to]).stdout,
      /forked +in the place of test\.example\/log, which ended at 3 entries/,
    );
    assert.ok(existsSync(join(log, 'log.key')));
    assert.equal(indelible(['fork', log, '--origin', origin, '--to', join(folder, 'x')]).status, 2);
  });
});
