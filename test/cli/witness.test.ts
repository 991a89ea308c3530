// The commands around witnesses, as somebody new would use them; servers are real processes.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, openLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import {
  cosignerKeyFromSeed,
  formatVerifierKey,
  keyTypes,
  parseCosignerKey,
  parseNote,
  parseVerifierKey,
} from 'indelible/note';
import { temporaryFolder } from '../support/folders.ts';
import { makeWitness, serveWitness } from '../support/witness-process.ts';
import { type Ended, indelible, program, started } from './cli-process.ts';

/** The log is made in this process: starting another one takes most of the time of a command. */
async function world(t: TestContext) {
  const cwd = temporaryFolder(t);
  const run = (words: string, input?: string): Ended =>
    indelible(words.split(' '), { cwd, ...(input === undefined ? {} : { input }) });
  const ok = (words: string, input?: string): string => {
    const { status, stdout, stderr } = run(words, input);
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  };
  const log = await createLog(join(cwd, 'audit'), { origin: 'example.com/audit', thread: 'caller' });
  await log.close();
  const { vkey } = log;
  return { cwd, run, ok, vkey };
}

test('a witness is added in one line, and proofs and verify demand it from then on', async (t) => {
  const { cwd, ok, run, vkey } = await world(t);
  makeWitness(join(cwd, 'w'), 'w.example');
  const witness = await serveWitness(t, join(cwd, 'w'), vkey);
  ok(`witness add ${witness.url} ${witness.vkey} --log audit`);
  // Until it has signed, the policy is not satisfied.
  const before = run('verify audit --policy audit/policy');
  assert.equal(before.status, 1);
  assert.match(before.stdout, /quorum witnesses has cosigned no checkpoint/);
  {
    await using log = await openLog(join(cwd, 'audit'), { publish: { everyMs: 20 } });
    await (await log.record({ id: 'e-1', action: 'a.b', actor: { type: 'user', id: 'u' } })).witnessed();
  }
  const listed = JSON.parse(ok('witness list --log audit --json'));
  assert.ok(listed.size >= 2);
  assert.match(ok('verify audit --policy audit/policy'), /cosigned (up to size \d+ )?by w\.example/);
  ok('prove --log audit e-1 --out p.tlog-proof --entry e.json');
  ok('verify --proof p.tlog-proof --entry e.json --policy audit/policy');
  ok('witness remove w.example --log audit');
  assert.match(readFileSync(join(cwd, 'audit/policy'), 'utf8'), /quorum none/);
});

test('now: commands alone have a log witnessed, and are told where a witness has not cosigned', async (t) => {
  const { cwd, ok, run, vkey } = await world(t);
  makeWitness(join(cwd, 'w'), 'w.example');
  const witness = await serveWitness(t, join(cwd, 'w'), vkey);
  assert.equal(run('witness now --log audit').status, 3);
  const added = run(`witness add ${witness.url} ${witness.vkey} --log audit`);
  assert.match(added.stderr, /Show it one now: indelible witness now --log audit/);
  assert.match(ok('witness now --log audit'), /^w\.example {2}cosigned up to size 1\n$/);
  ok('verify audit --policy audit/policy');
  {
    await using log = await openLog(join(cwd, 'audit'), { readOnly: true });
    assert.equal((await log.checkpoint({ witnessed: true })).size, 1);
  }
  // Again, though nothing has grown: the witness is asked, and signs anew.
  assert.deepEqual(JSON.parse(ok('witness now --log audit --json')), {
    witness: 'w.example',
    cosigned: true,
    size: 1,
    lag: 0,
  });
  await witness.kill();
  const away = run('witness now --log audit');
  assert.equal(away.status, 3);
  assert.match(away.stderr, /^w\.example {2}has not cosigned: \S+/m);
});

test('now: an alarm stands in the log when the command has ended', async (t) => {
  const { cwd, ok } = await world(t);
  const server = createServer((_, response) => response.writeHead(422).end());
  t.after(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  ok(`witness add http://127.0.0.1:${port} ${makeWitness(join(cwd, 'w'), 'w.example')} --log audit`);
  const { status, stderr } = await started(['witness', 'now', '--log', join(cwd, 'audit')]);
  assert.equal(status, 3);
  assert.match(stderr, /holds another history of this log than the one here, of 1 entries: run verify/);
  await using log = await openLog(join(cwd, 'audit'), { readOnly: true, thread: 'caller' });
  const { events } = await log.query('action:log.witness_refused').page();
  assert.equal(events.length, 1);
});

test('serve: its statuses, a stop that is graceful, and no start without its database', async (t) => {
  const { cwd, run, vkey } = await world(t);
  makeWitness(join(cwd, 'w'), 'w.example');
  const witness = await serveWitness(t, join(cwd, 'w'), vkey);
  const answer = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body: 'nonsense' });
  assert.equal(answer.status, 400);
  witness.child.kill('SIGTERM');
  for (let waited = 0; witness.child.exitCode === null && waited < 5_000; waited += 20) await sleep(20);
  assert.equal(witness.child.exitCode, 0);
  for (const end of ['', '-wal', '-shm']) rmSync(join(cwd, `w/witness.db${end}`), { force: true });
  const { status, stderr } = run(`witness serve --data w --vkey ${vkey} --port 0`);
  assert.equal(status, 3);
  assert.match(stderr, /witness_missing/);
  assert.equal(run('witness init --data w --name w.example').status, 3);
  assert.equal(run('witness serve --data w').status, 2);
});

test('a witness beyond loopback needs TLS, or a proxy that speaks it', async (t) => {
  const { cwd, run, vkey } = await world(t);
  makeWitness(join(cwd, 'w'), 'w.example');
  const { status, stderr } = run(`witness serve --data w --vkey ${vkey} --host 0.0.0.0 --port 0`);
  assert.equal(status, 2);
  assert.match(stderr, /--tls-cert/);
});

describe('by hand', () => {
  test('request, sign, add-signature, twice; the second with a proof', async (t) => {
    const { cwd, ok, run, vkey } = await world(t);
    const witness = makeWitness(join(cwd, 'w'), 'w.example');
    assert.equal(run('witness add-signature nothing --log audit').status, 3);
    ok(`witness add none ${witness} --log audit`);
    writeFileSync(join(cwd, 'request'), ok('witness request --log audit'));
    const signature = ok(`witness sign request --data w --vkey ${vkey}`);
    assert.match(signature, /^— w\.example \S+\n$/);
    ok('witness add-signature - --log audit', signature);
    {
      await using log = await openLog(join(cwd, 'audit'), { thread: 'caller' });
      await log.record({ action: 'a.b', actor: { type: 'user', id: 'u_1' } });
    }
    writeFileSync(join(cwd, 'later'), ok('witness request --log audit'));
    const refused = run(`witness sign later --data w --vkey ${vkey}`);
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /--old 1/);
    writeFileSync(join(cwd, 'later'), ok('witness request --log audit --old 1'));
    writeFileSync(join(cwd, 'signature'), ok(`witness sign later --data w --vkey ${vkey}`));
    assert.match(ok('witness add-signature signature --log audit'), /up to size 3/);
    assert.match(ok('verify audit --policy audit/policy'), /cosigned by w\.example/);
    assert.equal(statSync(join(cwd, 'audit/anchors.db')).mode & 0o777, 0o600);
    // Where the log has forgotten the checkpoint, the request brings it back.
    for (const end of ['', '-wal', '-shm']) rmSync(join(cwd, `audit/anchors.db${end}`), { force: true });
    assert.equal(run('witness add-signature signature --log audit').status, 1);
    ok('witness add-signature signature --log audit --request later');
    // A signature of somebody else is none.
    const other = makeWitness(join(cwd, 'x'), 'x.example');
    assert.ok(other);
    const foreign = ok(`witness sign request --data x --vkey ${vkey}`);
    assert.equal(run('witness add-signature - --log audit', foreign).status, 1);
  });

  test('publish says for whom it waits, and for what', async (t) => {
    const { cwd, ok, run, vkey } = await world(t);
    const record = async (): Promise<void> => {
      await using log = await openLog(join(cwd, 'audit'), { thread: 'caller', heartbeatMs: 0 });
      await log.record({ action: 'a.b', actor: { type: 'user', id: 'u_1' } });
    };
    const publish = (): { said: string; waits: unknown } => {
      const { status, stdout, stderr } = run(
        `publish --log audit --to file://${cwd}/public --no-disclosures --json`,
      );
      assert.equal(status, 0, stderr);
      return { said: stderr, waits: JSON.parse(stdout).waits };
    };
    assert.deepEqual(publish(), { said: '', waits: { entries: 0, witnesses: [] } });
    ok(`witness add none ${makeWitness(join(cwd, 'w'), 'w.example')} --log audit`);
    const first = publish();
    assert.match(
      first.said,
      /Waiting for w\.example, who signs by hand, to cosign size 1: indelible witness request --log audit/,
    );
    assert.deepEqual(first.waits, { entries: 0, witnesses: [{ name: 'w.example' }] });
    writeFileSync(join(cwd, 'request'), ok('witness request --log audit'));
    await record();
    // What was shown is what is published: the newer entries wait for the next request.
    assert.match(publish().said, /2 newer entries wait: .*indelible witness request --log audit/);
    ok('witness add-signature - --log audit', ok(`witness sign request --data w --vkey ${vkey}`));
    const signed = publish();
    assert.doesNotMatch(signed.said, /Waiting for/);
    assert.deepEqual(signed.waits, { entries: 2, witnesses: [] });
    writeFileSync(join(cwd, 'request'), ok('witness request --log audit --old 1'));
    ok('witness add-signature - --log audit', ok(`witness sign request --data w --vkey ${vkey}`));
    assert.deepEqual(publish(), { said: '', waits: { entries: 0, witnesses: [] } });
    // One with an address that has not answered is told by it; a quorum that is there waits for nobody.
    ok(`witness add http://127.0.0.1:9 ${makeWitness(join(cwd, 'x'), 'x.example')} --log audit --quorum 2`);
    assert.match(publish().said, /Waiting for x\.example \(http:\/\/127\.0\.0\.1:9\) to cosign size 3/);
    const policy = readFileSync(join(cwd, 'audit/policy'), 'utf8').replace('witnesses all', 'witnesses 1');
    writeFileSync(join(cwd, 'audit/policy'), policy);
    assert.deepEqual(publish(), { said: '', waits: { entries: 0, witnesses: [] } });
  });

  test('a checkpoint alone, a second history, and a log that is not watched', async (t) => {
    const { cwd, ok, run, vkey } = await world(t);
    makeWitness(join(cwd, 'w'), 'w.example');
    const body = ok('witness request --log audit');
    writeFileSync(join(cwd, 'checkpoint'), body.slice(body.indexOf('\n\n') + 2));
    for (const _ of ['first', 'again']) ok(`witness sign checkpoint --data w --vkey ${vkey}`);
    // The same key signs another beginning.
    const key = join(cwd, 'audit/log.key');
    const twin = { origin: 'example.com/audit', key, reuseKey: true, thread: 'caller' } as const;
    await (await createLog(join(cwd, 'other'), twin)).close();
    const forked = ok('witness request --log other').replace('old 0', 'old 1');
    const refused = run(`witness sign - --data w --vkey ${vkey}`, forked);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /consistency_invalid/);
    const unknown = run(`witness sign - --data w --vkey ${vkey} --origin example.com/other`, body);
    assert.equal(unknown.status, 3);
    const spoilt = run(
      `witness sign - --data w --vkey ${vkey}`,
      body.replace(/^— .*$/m, `— example.com/audit ${'A'.repeat(92)}`),
    );
    assert.equal(spoilt.status, 1);
  });
});

test('key mldsa makes the key of a second signature, once', async (t) => {
  const { cwd, ok, run } = await world(t);
  assert.match(ok('key mldsa --log audit'), /^example\.com\/audit\+[0-9a-f]{8}\+B/);
  assert.equal(statSync(join(cwd, 'audit/log.mldsa.key')).mode & 0o777, 0o600);
  assert.equal(run('key mldsa --log audit').status, 3);
});

test('the log itself is no witness of it: by no key of its own, and under no other name', async (t) => {
  const { cwd, ok, run, vkey } = await world(t);
  const second = ok('key mldsa --log audit').trim();
  const parts = (text: string) => parseVerifierKey(text);
  const { publicKey } = parts(vkey);
  const renamed = formatVerifierKey({ name: 'w.example', type: keyTypes.cosignatureV1, publicKey });
  const secondRenamed = formatVerifierKey({ ...parts(second), name: 'w.example' });
  const root = parts(readFileSync(join(cwd, 'audit/root.vkey'), 'utf8').trim());
  const ofRoot = formatVerifierKey({ ...root, name: 'w.example', type: keyTypes.cosignatureV1 });
  const strange = makeWitness(join(cwd, 'w'), 'example.com/audit');
  for (const own of [second, renamed, secondRenamed, ofRoot, strange]) {
    const { status, stderr } = run(`witness add none ${own} --log audit --name self`);
    assert.deepEqual([status, /witness_is_log/.test(stderr)], [3, true]);
  }
  assert.equal(existsSync(join(cwd, 'audit/policy')), false);
});

test('four witnesses that are added at once are four', async (t) => {
  const { cwd, ok } = await world(t);
  const keys = [1, 2, 3, 4].map((at) => makeWitness(join(cwd, `w${at}`), `w${at}.example`));
  const added = keys.map((key) => {
    const child = spawn(process.execPath, [program, 'witness', 'add', 'none', key, '--log', 'audit'], {
      cwd,
      stdio: 'ignore',
    });
    return once(child, 'exit');
  });
  assert.deepEqual(
    (await Promise.all(added)).map(([code]) => code),
    [0, 0, 0, 0],
  );
  assert.equal(ok('witness list --log audit').match(/by hand/g)?.length, 4);
});

test('a witness that is added again is asked, though the process died while the policy was written', async (t) => {
  const { cwd, run, ok } = await world(t);
  const [url, key] = ['http://127.0.0.1:9', makeWitness(join(cwd, 'w'), 'w.example')];
  const anchors = (act: (store: AnchorStore) => unknown): unknown => {
    const store = AnchorStore.open(join(cwd, 'audit/anchors.db'));
    try {
      return act(store);
    } finally {
      store.close();
    }
  };
  anchors((store) => store.putWitness({ url, size: 9, at: 1 }));
  ok(`witness add none ${makeWitness(join(cwd, 'v'), 'v.example')} --log audit`);
  // What is refused forgets nothing.
  assert.equal(run(`witness add ${url} ${key} --log audit --name v.example`).status, 3);
  assert.notEqual(
    anchors((store) => store.witness(url)),
    undefined,
  );
  const dying = `import fs from 'node:fs';import {syncBuiltinESMExports as sync} from 'node:module';const move=fs.renameSync;
    fs.renameSync=(from,to)=>{move(from,to);if(to.endsWith('policy'))process.kill(process.pid,'SIGKILL')};sync()`;
  const words = ['witness', 'add', url, key, '--log', 'audit'];
  const node = ['--import', `data:text/javascript,${encodeURIComponent(dying)}`];
  assert.equal(indelible(words, { cwd, node }).status, null);
  assert.match(readFileSync(join(cwd, 'audit/policy'), 'utf8'), /w\.example/);
  assert.equal(
    anchors((store) => store.witness(url)),
    undefined,
  );
});

const NOBODY = 65_534;
const notRoot = process.getuid?.() === 0 ? false : 'only root gives files away';

describe('a log that belongs to somebody else than who adds its witnesses', { skip: notRoot }, () => {
  const give = (folder: string, uid: number): void => {
    for (const name of ['.', ...readdirSync(folder)]) chownSync(join(folder, name), uid, uid);
  };

  test('what root adds and removes leaves nothing that the log cannot open', async (t) => {
    const { cwd, ok } = await world(t);
    give(join(cwd, 'audit'), NOBODY);
    ok(`witness add none ${makeWitness(join(cwd, 'w'), 'w.example')} --log audit`);
    ok('witness remove w.example --log audit');
    for (const name of readdirSync(join(cwd, 'audit')).filter((one) => one.startsWith('anchors.db'))) {
      const { uid, gid, mode } = statSync(join(cwd, 'audit', name));
      assert.deepEqual([name, uid, gid, mode & 0o777], [name, NOBODY, NOBODY, 0o600]);
    }
  });

  test('who may write the policy and read no secret adds and removes them', async (t) => {
    const { cwd, ok } = await world(t);
    ok('key mldsa --log audit');
    const key = makeWitness(join(cwd, 'w'), 'w.example');
    chmodSync(cwd, 0o755);
    chownSync(join(cwd, 'audit'), NOBODY, NOBODY);
    const asNobody = `process.setgroups([]);process.setgid(${NOBODY});process.setuid(${NOBODY})`;
    const node = ['--import', `data:text/javascript,${encodeURIComponent(asNobody)}`];
    const run = (words: string): Ended => indelible(words.split(' '), { cwd, node });
    for (const kept of [false, true]) {
      const added = run(`witness add http://127.0.0.1:9 ${key} --log audit`);
      assert.equal(added.status, 0, added.stderr);
      assert.equal(existsSync(join(cwd, 'audit/anchors.db')), kept);
      const removed = run('witness remove w.example --log audit');
      assert.equal(removed.status, 0, removed.stderr);
      AnchorStore.open(join(cwd, 'audit/anchors.db')).close();
    }
  });
});

test('a cosignature by hand bears a time that has come', async (t) => {
  const { ok, run } = await world(t);
  const cosigner = parseCosignerKey(
    cosignerKeyFromSeed('w.example', keyTypes.mldsa44, new Uint8Array(32).fill(91)),
  );
  ok(`witness add none ${cosigner.key.text} --log audit`);
  const request = ok('witness request --log audit');
  const { text } = parseNote(Buffer.from(request.slice(request.indexOf('\n\n') + 2)));
  const soon = BigInt(Math.floor(Date.now() / 1000));
  for (const time of [0n, soon + 400n, 2n ** 62n]) {
    const { status, stderr } = run('witness add-signature - --log audit', `${cosigner.cosign(text, time)}\n`);
    assert.deepEqual([status, /cosignature_time_invalid/.test(stderr)], [1, true]);
  }
  ok('witness add-signature - --log audit', `${cosigner.cosign(text, soon)}\n`);
  assert.match(ok('witness list --log audit'), /cosigned so up to size 1/);
});

test('an origin that no cosignature can name is refused before anything is made', async (t) => {
  const { cwd, run } = await world(t);
  const origin = `example.com/${'a'.repeat(244)}`;
  const { status, stderr } = run(`init long --origin ${origin}`);
  assert.deepEqual([status, /name_length_invalid/.test(stderr)], [2, true]);
  assert.equal(existsSync(join(cwd, 'long')), false);
  assert.equal(run(`init long --origin ${origin.slice(1)}`).status, 0);
  assert.equal(run('key mldsa --log long').status, 0);
});

test('what is wrong on the command line is said before anything is written', async (t) => {
  const { cwd, run, vkey } = await world(t);
  const witness = makeWitness(join(cwd, 'w'), 'w.example');
  assert.equal(run(`witness add ftp://w.example ${witness} --log audit`).status, 2);
  assert.equal(run('witness add https://w.example nonsense --log audit').status, 1);
  // The log's own key is no witness's.
  assert.match(run(`witness add https://w.example ${vkey} --log audit`).stderr, /witness_is_log/);
  assert.equal(run(`witness add https://w.example ${witness} --log audit --quorum 2`).status, 2);
  assert.equal(run('witness remove w.example --log audit').status, 3);
  assert.equal(existsSync(join(cwd, 'audit/policy')), false);
});
