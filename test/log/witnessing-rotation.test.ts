// Another key signs a log that is witnessed: a witness that was not told cosigns nothing, says so, and goes on once it was.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, type Log, newSignerKey, openLog, rotateKey } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { openWithPolicy, parsePolicy, parseSignerKey } from 'indelible/note';
import { indelible } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { makeWitness, policyText, serveWitness, type WitnessProcess } from '../support/witness-process.ts';

const origin = 'example.com/witnessed';
const root = parseSignerKey(newSignerKey(`${origin}/root`));

async function until(what: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(50);
  }
}

/** A log with one witness, whose policy lies in its folder, and which has cosigned it. */
async function witnessedLog(t: TestContext): Promise<{ dir: string; vkey: string; witness: WitnessProcess }> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  await using log = await createLog(dir, { origin, rootVkey: root.vkey, thread: 'caller' });
  makeWitness(join(folder, 'witness'), 'w1.example');
  const witness = await serveWitness(t, join(folder, 'witness'), log.vkey);
  writeFileSync(join(dir, 'policy'), policyText(log.vkey, [witness], 1));
  return { dir, vkey: log.vkey, witness };
}

async function opened(t: TestContext, dir: string, warn = (_: string) => {}): Promise<Log> {
  const log = await openLog(dir, { publish: { everyMs: 20, timeoutMs: 2_000 }, warn, thread: 'caller' });
  t.after(() => log.close());
  return log;
}

async function refusals(log: Log): Promise<unknown[]> {
  const { events } = await log.query('action:log.witness_refused').page();
  return events.map(({ metadata }) => (metadata as { kind: string }).kind);
}

const stateOf = (log: Log) => log.followers.list()[0]?.state;

/** What Node is told before it runs a program, so that this is killed before it puts a file of this name in place. */
function killedBefore(name: string): string[] {
  const script = `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module';
    const { renameSync } = fs;
    fs.renameSync = (from, to) => {
      if (to.endsWith('/${name}')) process.kill(process.pid, 'SIGKILL');
      renameSync(from, to);
    };
    syncBuiltinESMExports();`;
  return ['--import', `data:text/javascript,${encodeURIComponent(script)}`];
}

describe('a log whose key was replaced', () => {
  test('says once that its witness does not know the new key, and that it cosigns again when it does', async (t) => {
    const { dir, vkey, witness } = await witnessedLog(t);
    const warnings: string[] = [];
    const log = await opened(t, dir, (warning) => warnings.push(warning));
    await (await log.record(signIn('before'))).witnessed();
    assert.deepEqual((await log.tier()).warnings, []);
    await rotateKey(dir, root);
    const after = await log.record(signIn('after'));
    await until(() => stateOf(log) === 'failing');
    await until(async () => (await refusals(log)).length > 0);
    const now = (await log.keys()).vkey;
    assert.notEqual(now, vkey);
    const told = () => warnings.filter((warning) => warning.includes('w1') || warning.includes('W1'));
    assert.equal(told().length, 1, warnings.join('\n'));
    assert.ok(told()[0]!.includes(now));
    assert.deepEqual(await refusals(log), ['unknown']);
    const tier = await log.tier();
    assert.match(tier.warnings.join(), /W1 has cosigned nothing since .*key that signs it now/);
    // It is asked on, and nothing is told twice: neither by this process nor by the next.
    for (let at = 0; at < 3; at += 1) await log.record(signIn());
    await sleep(6_000);
    await log.close();
    const again = await opened(t, dir, (warning) => warnings.push(warning));
    await again.record(signIn());
    await until(() => stateOf(again) === 'failing');
    await sleep(300);
    assert.deepEqual([told().length, await refusals(again)], [1, ['unknown']]);

    const list = indelible(['witness', 'list', '--log', dir]);
    assert.match(list.stdout, /REFUSES: it does not know the key/);
    assert.match(indelible(['tier', '--log', dir]).stdout, /warning {2}The witness W1 has cosigned nothing/);

    // Its operator adds the key.
    const port = Number(new URL(witness.url).port);
    await witness.kill();
    await serveWitness(t, witness.dir, [vkey, now], port);
    const cosigned = await (await again.record(signIn())).witnessed({ timeoutMs: 20_000 });
    assert.ok(cosigned.index > after.index);
    openWithPolicy(utf8Encode(cosigned.checkpoint), parsePolicy(policyText(now, [witness], 1)));
    await until(() => stateOf(again) === 'following');
    assert.match(told()[1]!, /cosigns the log again/);
    assert.deepEqual((await again.tier()).warnings, []);
    assert.match(indelible(['witness', 'list', '--log', dir]).stdout, /cosigned up to size \d+, at [^R]*\n/);
    // And once more, after the next change: each is told.
    await rotateKey(dir, root);
    await again.record(signIn());
    await until(async () => (await refusals(again)).length === 2);
  });

  test('a witness that never knew the log is told as such, and is no entry', async (t) => {
    const { dir, witness } = await witnessedLog(t);
    const port = Number(new URL(witness.url).port);
    await witness.kill();
    const stranger = parseSignerKey(newSignerKey('example.com/other')).vkey;
    await serveWitness(t, witness.dir, stranger, port);
    const warnings: string[] = [];
    const log = await opened(t, dir, (warning) => warnings.push(warning));
    await until(() => stateOf(log) === 'failing');
    await log.record(signIn());
    await sleep(200);
    assert.equal(warnings.filter((warning) => warning.includes('W1')).length, 1);
    assert.match((await log.tier()).warnings.join(), /W1/);
    assert.deepEqual(await refusals(log), []);
  });

  for (const [words, path] of [
    ['before its key has its place', 'log.key'],
    ['before its key has its name', 'log.vkey'],
  ] as const) {
    test(`a rotation that was killed ${words} tells each witness as well once it is finished`, async (t) => {
      const folder = temporaryFolder(t);
      const dir = join(folder, 'log');
      assert.equal(indelible(['init', dir, '--origin', origin]).status, 0);
      renameSync(join(dir, 'root.key'), join(folder, 'root.key'));
      const before = readFileSync(join(dir, 'log.vkey'), 'utf8').trim();
      const vkey = makeWitness(join(folder, 'witness'), 'w1.example');
      writeFileSync(join(dir, 'policy'), policyText(before, [{ vkey, url: 'https://w1.example' }], 1));
      const rest = ['--log', dir, '--root-key', join(folder, 'root.key')];
      const revoke = ['key', 'revoke', ...rest, '--since', '1'];
      const killed = indelible(revoke, { node: killedBefore(path) });
      assert.equal(killed.status, null, 'it was killed');
      assert.equal(killed.stderr, '');
      assert.equal(readFileSync(join(dir, 'log.vkey'), 'utf8').trim(), before);
      const told = indelible(revoke);
      assert.equal(told.status, 0, told.stderr);
      const now = readFileSync(join(dir, 'log.vkey'), 'utf8').trim();
      assert.notEqual(now, before);
      assert.match(told.stderr, /cut off is finished now. Nothing else was done/);
      assert.ok(told.stderr.includes(`From now on ${now} signs the log`), told.stderr);
      const line = told.stderr.split('\n').find((one) => one.includes('witness W1 (https://w1.example)'));
      assert.ok(line?.includes(`puts --vkey ${now} in the place of ${before}.`), told.stderr);
      assert.ok(told.stdout.includes(now) && told.stdout.includes('revoked'), told.stdout);
      // It changed the key once.
      const { keys } = JSON.parse(indelible(['key', 'list', '--log', dir, '--json']).stdout);
      assert.deepEqual(
        keys.map((key: { vkey: string }) => key.vkey),
        [before, now],
      );
    });
  }

  test('key rotate says the new key, and what each witness has to be told', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    assert.equal(indelible(['init', dir, '--origin', origin]).status, 0);
    renameSync(join(dir, 'root.key'), join(folder, 'root.key'));
    const rotate = () => indelible(['key', 'rotate', '--log', dir, '--root-key', join(folder, 'root.key')]);
    assert.doesNotMatch(rotate().stderr, /Tell the witness/);
    const logVkey = readFileSync(join(dir, 'log.vkey'), 'utf8').trim();
    const vkey = makeWitness(join(folder, 'witness'), 'w1.example');
    const byHand = makeWitness(join(folder, 'witness2'), 'w2.example');
    const witnesses = [{ vkey, url: 'https://w1.example' }, { vkey: byHand }];
    writeFileSync(join(dir, 'policy'), policyText(logVkey, witnesses, 1));
    const told = rotate();
    assert.equal(told.status, 0, told.stderr);
    const now = indelible(['key', '--log', dir]).stdout.match(/log key +(\S+)/)![1]!;
    for (const [name, where] of [
      ['W1', 'https://w1.example'],
      ['W2', 'by hand'],
    ]) {
      const line = told.stderr.split('\n').find((one) => one.includes(`witness ${name} `));
      assert.ok(line?.includes(where!) && line.includes(`--vkey ${now}`), told.stderr);
    }
    // One that others have must go there: beside the new one, it would let a thief go on.
    const revoke = (...options: string[]) => {
      const { status, stderr } = indelible([
        ...['key', 'revoke', '--log', dir, '--root-key', join(folder, 'root.key'), '--since', '1'],
        ...options,
      ]);
      assert.equal(status, 0, stderr);
      const line = stderr.split('\n').find((one) => one.includes('witness W1 '));
      assert.doesNotMatch(line ?? '', /beside the old one/);
      return line ?? stderr;
    };
    const line = revoke();
    const next = indelible(['key', '--log', dir]).stdout.match(/log key +(\S+)/)![1]!;
    assert.ok(line.includes(`puts --vkey ${next} in the place of ${now}.`), line);
    const early = revoke('--vkey', logVkey);
    assert.ok(early.includes(`takes --vkey ${logVkey} away`) && !early.includes(next), early);
    // A policy that is none keeps no key from being replaced.
    writeFileSync(join(dir, 'policy'), 'nonsense\n');
    const replaced = rotate();
    assert.equal(replaced.status, 0, replaced.stderr);
    assert.match(replaced.stderr, /witnesses of the log are not known/);
    assert.ok(existsSync(join(dir, 'log.vkey')));
  });
});
