// A log and its witnesses, which are processes of their own: quorums lost and regained, histories that do not continue.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, createMldsaKey, isLogError, type Log, logPaths, openLog, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import { keyTypes, openWithPolicy, parseCheckpoint, parseNote, parsePolicy } from 'indelible/note';
import { publishLog } from 'indelible/publish';
import { parseProof, verifyProof } from 'indelible/verify';
import { watchedLogs } from 'indelible/witness';
import { urlOf } from '../publish/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { makeWitness, policyText, serveWitness, type WitnessProcess } from '../support/witness-process.ts';
import { startWitness } from '../witness/world.ts';

const origin = 'example.com/witnessed';
const fast = { everyMs: 20, timeoutMs: 2_000 };

/** A log in a folder of its own, closed again. */
async function newLog(t: TestContext, events = 3): Promise<{ dir: string; vkey: string }> {
  const dir = join(temporaryFolder(t), 'log');
  await using log = await createLog(dir, { origin, thread: 'caller' });
  await log.recordMany(Array.from({ length: events }, (_, at) => signIn(`e-${at}`)));
  return { dir, vkey: log.vkey };
}

async function witnesses(t: TestContext, vkey: string, count: number): Promise<WitnessProcess[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const dir = join(temporaryFolder(t), 'witness');
      makeWitness(dir, `w${at + 1}.example`);
      return serveWitness(t, dir, vkey);
    }),
  );
}

async function opened(t: TestContext, dir: string, policy: string, warn = (_: string) => {}): Promise<Log> {
  const log = await openLog(dir, { witnesses: policy, publish: fast, warn, thread: 'caller' });
  t.after(() => log.close());
  return log;
}

const states = (log: Log) => log.followers.list().map(({ state }) => state);

async function until(what: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(20);
  }
}

async function refusals(log: Log): Promise<unknown[]> {
  const { events } = await log.query('action:log.witness_refused').page();
  return events.map(({ metadata }) => metadata);
}

describe('two witnesses', () => {
  test('cosign; receipts, checkpoints, proofs and the audit say so', async (t) => {
    const { dir, vkey } = await newLog(t);
    const both = await witnesses(t, vkey, 2);
    const text = policyText(vkey, both, 2);
    const policy = parsePolicy(text);
    const log = await opened(t, dir, text);
    const receipt = await log.record(signIn('new'));
    assert.deepEqual(Object.keys(receipt), ['id', 'index', 'leafHash', 'checkpoint']);
    assert.deepEqual(JSON.parse(JSON.stringify(receipt)), { ...receipt });

    const witnessed = await receipt.witnessed({ timeoutMs: 10_000 });
    const { checkpoint, verified } = openWithPolicy(utf8Encode(witnessed.checkpoint), policy);
    assert.ok(checkpoint.size > receipt.index);
    assert.equal(verified.length, 3);
    assert.deepEqual({ ...witnessed, checkpoint: '' }, { ...receipt, checkpoint: '' });

    const newest = await log.checkpoint({ witnessed: true });
    openWithPolicy(utf8Encode(newest.note), policy);
    const { proof, entry } = await log.prove(receipt);
    const verdict = verifyProof({ proof: utf8Encode(proof), entry, policy });
    assert.equal(verdict.index, receipt.index);

    // Under another quorum the same proof does not hold.
    const third = makeWitness(join(temporaryFolder(t), 'witness'), 'w3.example');
    const more = parsePolicy(policyText(vkey, [...both, { vkey: third }], 3));
    assert.throws(() => verifyProof({ proof: utf8Encode(proof), entry, policy: more }), {
      code: 'policy_unsatisfied',
    });

    const report = await log.verify({ policy });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(
      report.witnessed?.witnesses.map(({ witness }) => witness),
      ['w1.example', 'w2.example'],
    );
    assert.match(report.anchored, /cosigned.* by w1\.example, w2\.example/);
    const missing = await log.verify({ policy: more });
    assert.deepEqual(
      missing.findings.map(({ detail }) => detail),
      [{ code: 'policy_unsatisfied' }],
    );
  });

  test('a quorum that is lost comes back, and the witness that stayed goes on alone', async (t) => {
    const { dir, vkey } = await newLog(t);
    const [one, other] = await witnesses(t, vkey, 2);
    const log = await opened(t, dir, policyText(vkey, [one!, other!], 2));
    await (await log.record(signIn())).witnessed();
    await other!.kill();
    const alone = await log.record(signIn());
    await assert.rejects(alone.witnessed({ timeoutMs: 300 }), (error) => {
      assert.ok(isLogError(error, 'not_witnessed') && error.retryable);
      return true;
    });
    assert.deepEqual(states(log), ['following', 'failing']);
    // What was witnessed before still proves what it covers.
    assert.ok((await log.checkpoint({ witnessed: true })).size <= alone.index + 1);
    await serveWitness(t, other!.dir, vkey, Number(new URL(other!.url).port));
    await alone.witnessed({ timeoutMs: 15_000 });
    assert.deepEqual(states(log), ['following', 'following']);
  });

  test('what the quorum cosigned is not forgotten, however many checkpoints come after it', async (t) => {
    const { dir, vkey } = await newLog(t);
    const [one, other] = await witnesses(t, vkey, 2);
    const policy = policyText(vkey, [one!, other!], 2);
    const log = await opened(t, dir, policy);
    const first = await log.record(signIn());
    const { size } = parseCheckpoint(parseNote(utf8Encode((await first.witnessed()).checkpoint)).text);
    await other!.kill();
    // One of two cosigns each of these, and nobody the last of them.
    const store = AnchorStore.open(logPaths(dir).anchors);
    t.after(() => store.close());
    for (let more = 0; more < 400; more++) {
      await log.record(signIn());
      const head = await log.checkpoint();
      store.addSignatures({ size: head.size, note: utf8Encode(head.note), at: Date.now() }, []);
    }
    store.thinPublished();
    assert.equal((await log.checkpoint({ witnessed: true })).size, size);
    assert.equal((await log.prove(first.id)).proof.match(/— w\d\.example/g)?.length, 2);
    const report = await verifyLog(dir, { policy: parsePolicy(policy) });
    assert.ok(report.ok, JSON.stringify(report.findings));
    writeFileSync(join(dir, 'policy'), policy);
    assert.equal((await log.tier()).witnessed?.size, size);
  });

  test('go on over a restart of the log, and of both of them', async (t) => {
    const { dir, vkey } = await newLog(t);
    const both = await witnesses(t, vkey, 2);
    writeFileSync(join(dir, 'policy'), policyText(vkey, both, 2));
    let size = 0;
    const running = [...both];
    for (let round = 0; round < 2; round++) {
      await using log = await openLog(dir, { publish: fast, thread: 'caller' });
      const { checkpoint } = await (await log.record(signIn())).witnessed();
      const grown = Number(checkpoint.split('\n')[1]);
      assert.ok(grown > size);
      size = grown;
      for (const [at, witness] of running.entries()) {
        await witness.kill();
        running[at] = await serveWitness(t, witness.dir, vkey, Number(new URL(witness.url).port));
      }
    }
    // Who forgot where the witnesses stand asks them.
    for (const file of ['anchors.db', 'anchors.db-wal', 'anchors.db-shm'])
      rmSync(join(dir, file), { force: true });
    await using log = await openLog(dir, { publish: fast, thread: 'caller' });
    await (await log.record(signIn())).witnessed();
  });
});

describe('a witness catches what the log’s own key signs', () => {
  const cleanups: (() => unknown)[] = [];
  const suite = { after: (cleanup: () => unknown) => void cleanups.push(cleanup) } as unknown as TestContext;
  let base: { dir: string; copy: string; text: string };

  before(async () => {
    const { dir, vkey } = await newLog(suite);
    const text = policyText(vkey, await witnesses(suite, vkey, 2), 1);
    const copy = join(temporaryFolder(suite), 'copy');
    cpSync(dir, copy, { recursive: true });
    cpSync(`${dir}.mark`, `${copy}.mark`);
    await using log = await openLog(dir, { witnesses: text, publish: fast, thread: 'caller' });
    for (let at = 0; at < 5; at++) await log.record(signIn());
    await (await log.record(signIn('last'))).witnessed();
    await until(() => log.followers.list().every(({ lag }) => lag === 0));
    base = { dir, copy, text };
  });

  after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup();
  });

  /** The log, and a copy of it as it was before its witnesses saw more, with key and mark: both the test's own. */
  function branched(t: TestContext): { dir: string; copy: string; text: string } {
    const folder = temporaryFolder(t);
    for (const name of ['dir', 'copy'] as const) {
      cpSync(base[name], join(folder, name), { recursive: true });
      cpSync(`${base[name]}.mark`, join(folder, `${name}.mark`));
    }
    return { dir: join(folder, 'dir'), copy: join(folder, 'copy'), text: base.text };
  }

  test('attack-10: a log that was rolled back, with its own memory: both witnesses are ahead of it', async (t) => {
    const { copy, text } = branched(t);
    const warnings: string[] = [];
    const log = await opened(t, copy, text, (warning) => warnings.push(warning));
    await until(() => states(log).every((state) => state === 'refused'));
    await until(async () => (await refusals(log)).length === 2);
    const kinds = (await refusals(log)).map((one) => (one as { kind: string }).kind);
    assert.deepEqual(kinds, ['ahead', 'ahead']);
    assert.equal(warnings.length, 2);
    // Never again, not after a restart either, and no second entry.
    await log.close();
    const again = await opened(t, copy, text);
    const receipt = await again.record(signIn());
    await assert.rejects(receipt.witnessed({ timeoutMs: 500 }), { code: 'not_witnessed' });
    assert.deepEqual(states(again), ['refused', 'refused']);
    assert.equal((await refusals(again)).length, 2);
  });

  test('attack-11: two histories under one key: the second is refused, and an entry of it says so', async (t) => {
    const { copy, text } = branched(t);
    {
      // Grown past what the witnesses have seen, in another way.
      await using log = await openLog(copy, { thread: 'caller' });
      for (let at = 0; at < 20; at++) await log.record(signIn());
    }
    const log = await opened(t, copy, text);
    await until(() => states(log).every((state) => state === 'refused'));
    await until(async () => (await refusals(log)).length === 2);
    const [first] = (await refusals(log)) as { kind: string; size: number; root: string }[];
    assert.equal(first!.kind, 'fork');
    assert.ok(first!.size > 20);
  });

  test('attack-05: the newest entries cut off, head and mark with them: the cosigned checkpoint is larger', async (t) => {
    const { dir, copy, text } = branched(t);
    // An old copy in the place of the log, mark included; what the witnesses signed is still there.
    for (const file of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(join(dir, file), { force: true });
    rmSync(`${dir}.mark`, { force: true });
    cpSync(join(copy, 'log.db'), join(dir, 'log.db'));
    const policy = parsePolicy(text);
    const report = await verifyLog(dir, { policy });
    assert.ok(report.findings.some(({ code }) => code === 'rolled_back'));
    const log = await opened(t, dir, text);
    await assert.rejects(log.prove('e-1'), { code: 'rolled_back' });
    // With anchors.db cut off as well, the policy alone tells that the quorum is missing.
    await log.close();
    for (const file of ['anchors.db', 'anchors.db-wal', 'anchors.db-shm'])
      rmSync(join(dir, file), { force: true });
    const bare = await verifyLog(dir, { policy });
    assert.deepEqual(
      bare.findings.map(({ detail }) => detail),
      [{ code: 'policy_unsatisfied' }],
    );
  });

  test('attack-06, attack-13: the history rewritten and signed anew by the stolen key', async (t) => {
    const { dir, copy, text } = branched(t);
    {
      await using log = await openLog(copy, { thread: 'caller' });
      for (let at = 0; at < 30; at++) await log.record(signIn(undefined, 'u_forged'));
    }
    for (const file of ['log.db', 'log.db-wal', 'log.db-shm']) rmSync(join(dir, file), { force: true });
    cpSync(join(copy, 'log.db'), join(dir, 'log.db'));
    cpSync(`${copy}.mark`, `${dir}.mark`);
    // The key's own signature is good, and without the witnesses nothing is found.
    const blind = join(temporaryFolder(t), 'blind');
    mkdirSync(blind);
    cpSync(join(copy, 'log.db'), join(blind, 'log.db'));
    const policy = parsePolicy(text);
    assert.equal((await verifyLog(blind, { vkey: policy.logs[0]!.key.text })).ok, true);
    const report = await verifyLog(dir, { policy });
    assert.ok(report.findings.some(({ code }) => code === 'forked'));
    const log = await opened(t, dir, text);
    await until(() => states(log).every((state) => state === 'refused'));
  });
});

/** A server that answers as `answer` says, for what no witness of ours does. */
async function fake(
  t: TestContext,
  answer: (count: number) => { status: number; headers?: Record<string, string>; body?: string } | 'hang',
): Promise<{ url: string; count: () => number }> {
  let count = 0;
  const server: Server = createServer((request, response) => {
    request.resume();
    count += 1;
    const said = answer(count);
    if (said === 'hang') return;
    response.writeHead(said.status, said.headers).end(said.body ?? '');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count };
}

describe('witnesses of others', () => {
  const key = (t: TestContext) => makeWitness(join(temporaryFolder(t), 'witness'), 'fake.example');

  test('omniwitness: a 409 without a size is a fork: an alarm, an entry, never a retry', async (t) => {
    const { dir, vkey } = await newLog(t);
    const { url, count } = await fake(t, () => ({ status: 409 }));
    const log = await opened(t, dir, policyText(vkey, [{ vkey: key(t), url }], 1));
    await until(() => states(log)[0] === 'refused');
    await until(async () => (await refusals(log)).length === 1);
    for (let at = 0; at < 5; at++) await log.record(signIn());
    await sleep(600);
    assert.equal(count(), 1);
  });

  test('litewitness: 403 for an unknown log is no alarm, and is asked again much later', async (t) => {
    const { dir, vkey } = await newLog(t);
    const { url, count } = await fake(t, () => ({ status: 403 }));
    const log = await opened(t, dir, policyText(vkey, [{ vkey: key(t), url }], 1));
    await until(() => count() === 1);
    await log.record(signIn());
    await sleep(600);
    assert.equal(count(), 1);
    assert.deepEqual(states(log), ['failing']);
    assert.match(log.followers.list()[0]!.lastError!.message, /does not know this log/);
    assert.deepEqual(await refusals(log), []);
  });

  test('429 and its Retry-After: not asked before', async (t) => {
    const { dir, vkey } = await newLog(t);
    const { url, count } = await fake(t, () => ({ status: 429, headers: { 'retry-after': '60' } }));
    const log = await opened(t, dir, policyText(vkey, [{ vkey: key(t), url }], 1));
    await until(() => count() === 1);
    for (let at = 0; at < 3; at++) await log.record(signIn());
    await sleep(1_500);
    assert.equal(count(), 1);
    assert.match(log.followers.list()[0]!.lastError!.message, /429/);
  });

  test('a redirect is not followed', async (t) => {
    const { dir, vkey } = await newLog(t);
    const elsewhere = await fake(t, () => ({ status: 200, body: 'no' }));
    const headers = { location: `${elsewhere.url}/add-checkpoint` };
    const { url, count } = await fake(t, () => ({ status: 307, headers }));
    const log = await opened(t, dir, policyText(vkey, [{ vkey: key(t), url }], 1));
    await until(() => count() === 1);
    await until(() => states(log)[0] === 'failing');
    assert.equal(elsewhere.count(), 0);
    assert.match(log.followers.list()[0]!.lastError!.message, /redirects/);
  });

  test('one that hangs slows neither record nor the other witness', async (t) => {
    const { dir, vkey } = await newLog(t);
    const [good] = await witnesses(t, vkey, 1);
    const { url, count } = await fake(t, () => 'hang');
    const log = await opened(t, dir, policyText(vkey, [good!, { vkey: key(t), url }], 1));
    await until(() => count() === 1);
    const started = performance.now();
    for (let at = 0; at < 5; at++) await (await log.record(signIn())).witnessed();
    assert.ok(performance.now() - started < 1_900, 'five times witnessed while one request hangs');
    assert.equal(count(), 1);
    await log.close();
  });
});

test('a log that stands still is shown once, and again when it grows', async (t) => {
  const { dir, vkey } = await newLog(t);
  const witness = startWitness(t, watchedLogs([{ vkey }]));
  const url = 'http://127.0.0.1:4041';
  let count = 0;
  const fetch = async (to: string, init: RequestInit): Promise<Response> => {
    count += 1;
    return witness.handler(new Request(to, init));
  };
  // Both keys of one witness: one request asks for both.
  const text = policyText(
    vkey,
    witness.keys.map((key) => ({ vkey: key.text, url })),
    2,
  );
  const publish = { ...fast, fetch };
  await using log = await openLog(dir, { witnesses: text, publish, thread: 'caller', heartbeatMs: 0 });
  await until(() => log.followers.list()[0]?.state === 'following' && log.followers.list()[0]!.size > 0);
  const before = count;
  await sleep(800);
  assert.equal(count, before);
  await (await log.record(signIn())).witnessed();
  assert.equal(count, before + 1);
});

test('what witnesses sign is written on another thread: the application’s own never waits for that disk', async (t) => {
  const { dir, vkey } = await newLog(t);
  const witness = startWitness(t, watchedLogs([{ vkey }]));
  const fetch = (to: string, init: RequestInit) => witness.handler(new Request(to, init));
  const [key] = witness.keys;
  const policy = policyText(vkey, [{ vkey: key!.text, url: 'http://127.0.0.1:4041' }], 1);
  const here = (): never => assert.fail('written on the thread of the application');
  for (const method of ['addSignatures', 'putWitness', 'putPublished', 'thinPublished'] as const)
    t.mock.method(AnchorStore.prototype, method, here);
  await using log = await openLog(dir, { witnesses: policy, publish: { ...fast, fetch } });
  for (let at = 0; at < 3; at += 1) await (await log.record(signIn())).witnessed({ timeoutMs: 10_000 });
  assert.equal(states(log)[0], 'following');
  await log.close();
  t.mock.restoreAll();
  const store = AnchorStore.open(join(dir, 'anchors.db'));
  assert.ok(store.witness('http://127.0.0.1:4041')!.size > 3);
  store.close();
});

test('a log that stands still is cosigned anew now and then; what was signed first is kept, and the newest is shown', async (t) => {
  const { dir, vkey } = await newLog(t);
  createMldsaKey(join(dir, 'log.mldsa.key'), origin);
  const begunAt = Math.floor(Date.now() / 1000) * 1000;
  let [count, clock] = [0, begunAt];
  const witness = startWitness(t, watchedLogs([{ vkey }]), { now: () => clock });
  const fetch = async (to: string, init: RequestInit): Promise<Response> => {
    count += 1;
    clock += 60_000;
    return witness.handler(new Request(to, init));
  };
  const url = 'http://127.0.0.1:4041';
  const keys = witness.keys.map((key) => ({ vkey: key.text, url }));
  const policy = policyText(vkey, keys, 2);
  const publish = { ...fast, fetch, refreshMs: 100 };
  const timesIn = (note: string | Uint8Array) =>
    openWithPolicy(typeof note === 'string' ? utf8Encode(note) : note, parsePolicy(policy)).verified.flatMap(
      ({ timestamp }) => timestamp ?? [],
    );
  {
    await using log = await openLog(dir, { witnesses: policy, publish, thread: 'caller', heartbeatMs: 0 });
    const toFiles = () => publishLog(log, { to: urlOf(join(dir, '../public')), disclosures: false });
    await until(() => count >= 2);
    const shown = (await toFiles()).note;
    await until(() => count >= 5);
    const later = (await toFiles()).note;
    assert.ok(timesIn(later)[0]! > timesIn(shown)[0]!);
    const { size, note } = await log.checkpoint({ witnessed: true });
    assert.equal(size, (await log.checkpoint()).size);
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    const [newest, first] = store.newestPublished(2);
    const rows = store.publishedFrom(0, 9).length;
    store.close();
    assert.equal(rows, 1);
    const [old, fresh] = [timesIn(first!.note), timesIn(newest!.note)];
    assert.deepEqual([old.length, fresh.length], [2, 2]);
    assert.ok(
      old.every((time) => time === BigInt(begunAt / 1000 + 60)),
      String(old),
    );
    assert.ok(
      fresh.every((time) => time >= old[0]! + 180n),
      String(fresh),
    );
    assert.ok(timesIn(note).every((time) => time >= old[0]! + 180n));
    // One line of each key, however often it was signed.
    assert.equal(Buffer.from(newest!.note).toString().split('\n— ').length - 1, 4);
    const report = await log.verify({ policy: parsePolicy(policy) });
    assert.deepEqual(report.findings, []);
  }
  // Every day by default: not again after a restart, either.
  await using again = await openLog(dir, {
    ...{ witnesses: policy, publish: { ...fast, fetch }, thread: 'caller', heartbeatMs: 0 },
  });
  const before = count;
  await sleep(500);
  assert.equal(count, before);
  assert.equal(states(again)[0], 'following');
});

test('a log signs its published checkpoints by ML-DSA-44, too, where it has the key, and no others', async (t) => {
  const { dir, vkey } = await newLog(t);
  const paths = logPaths(dir);
  const mldsa = createMldsaKey(paths.mldsaKey, origin);
  assert.throws(() => createMldsaKey(paths.mldsaKey, origin), { code: 'key_exists' });
  const [witness] = await witnesses(t, vkey, 1);
  const text = `log ${mldsa}\n${policyText(vkey, [witness!], 1)}`;
  const log = await opened(t, dir, text);
  const { checkpoint } = await (await log.record(signIn())).witnessed();
  const { verified } = openWithPolicy(utf8Encode(checkpoint), parsePolicy(text));
  const own = verified.find(({ key }) => key.type === keyTypes.mldsa44);
  assert.equal(own?.timestamp, 0n);
  assert.equal(own?.key.name, origin);
  const { note } = await log.checkpoint();
  assert.equal(note.split('\n').filter((line) => line.startsWith('—')).length, 1);
  const { proof } = await log.prove('e-0');
  assert.equal(
    parseProof(utf8Encode(proof))
      .checkpoint.split('\n')
      .filter((line) => line.startsWith('—')).length,
    3,
  );
});

describe('opening', () => {
  test('for reading only makes no file, asks nobody, and a policy that is none is left aside', async (t) => {
    const { dir, vkey } = await newLog(t);
    const { url, count } = await fake(t, () => ({ status: 500 }));
    writeFileSync(
      join(dir, 'policy'),
      policyText(vkey, [{ vkey: makeWitness(join(temporaryFolder(t), 'w'), 'f.example'), url }], 1),
    );
    {
      await using log = await openLog(dir, { readOnly: true, thread: 'caller' });
      assert.ok(log.witnessPolicy);
      await log.prove('e-0');
      await assert.rejects(log.checkpoint({ witnessed: true }), { code: 'not_witnessed' });
      await sleep(300);
    }
    assert.equal(count(), 0);
    assert.equal(existsSync(join(dir, 'anchors.db')), false);
    writeFileSync(join(dir, 'policy'), 'quorum nobody\n');
    const warnings: string[] = [];
    await using log = await openLog(dir, {
      readOnly: true,
      warn: (one) => warnings.push(one),
      thread: 'caller',
    });
    assert.equal(log.witnessPolicy, undefined);
    assert.equal(warnings.length, 1);
    await assert.rejects(log.checkpoint({ witnessed: true }), { code: 'malformed_policy' });
  });

  for (const [what, text, code] of [
    ['is none', 'quorum nobody\n', 'malformed_policy'],
    ['is half of one', 'log ', 'malformed_policy'],
    ['is bytes', '\u0000\uffff', 'malformed_policy'],
    ['names an address that is none', undefined, 'option_invalid'],
    ['is a folder', null, undefined],
  ] as const) {
    test(`to write, where the policy ${what}: the log goes on, and says that its witnesses are missing`, async (t) => {
      const { dir, vkey } = await newLog(t);
      const policy = join(dir, 'policy');
      const witness = {
        vkey: makeWitness(join(temporaryFolder(t), 'w'), 'f.example'),
        url: 'https://u:p@w.example',
      };
      if (text === null) mkdirSync(policy);
      else writeFileSync(policy, text ?? policyText(vkey, [witness], 1));
      const warnings: string[] = [];
      {
        await using log = await openLog(dir, { warn: (one) => warnings.push(one), publish: fast });
        const receipt = await log.record(signIn('recorded'));
        assert.match(
          warnings.join(),
          /goes on without its witnesses, since the policy .*policy cannot be used/,
        );
        const [status, ...others] = log.followers.list();
        assert.deepEqual([status!.name, status!.state, others.length], ['witness/policy', 'refused', 0]);
        assert.equal(status!.lastError?.code, code ?? status!.lastError?.code);
        const refused = code === undefined ? () => true : { code };
        await assert.rejects(receipt.witnessed(), refused);
        await assert.rejects(log.checkpoint({ witnessed: true }), refused);
        assert.equal(log.witnessPolicy, undefined);
        await log.prove('recorded');
        assert.ok((await log.verify({ vkey })).ok);
        if (text !== undefined && text !== null)
          assert.match((await log.tier()).contradictions.join(), /policy of the log cannot be read/);
      }
      // Handed in by the program it is a mistake of the program.
      if (typeof text === 'string')
        await assert.rejects(openLog(dir, { witnesses: text }), { code: 'malformed_policy' });
      // It is mended, and the witnesses are asked again.
      rmSync(policy, { recursive: true });
      const { url, count } = await fake(t, () => ({ status: 500 }));
      writeFileSync(policy, policyText(vkey, [{ ...witness, url }], 1));
      await using log = await openLog(dir, { publish: fast });
      await until(() => count() > 0);
      assert.ok(await log.get('recorded'));
    });
  }

  test('a log without witnesses says so', async (t) => {
    const { dir } = await newLog(t);
    await using log = await openLog(dir, { thread: 'caller' });
    const receipt = await log.record(signIn());
    await assert.rejects(receipt.witnessed(), { code: 'no_witnesses' });
    await assert.rejects(log.checkpoint({ witnessed: true }), { code: 'no_witnesses' });
    assert.equal(existsSync(join(dir, 'anchors.db')), false);
  });

  test('options that are none are refused by name', async (t) => {
    const { dir } = await newLog(t);
    const wrong = [
      [{ publish: { everyMS: 1 } }, 'option_unknown'],
      [{ publish: { everyMs: 0 } }, 'option_invalid'],
      [{ witnesses: 7 }, 'option_invalid'],
      [{ witnesses: 'nothing\n' }, 'malformed_policy'],
    ] as const;
    for (const [options, code] of wrong) await assert.rejects(openLog(dir, options as never), { code });
    const vkey = makeWitness(join(temporaryFolder(t), 'w'), 'f.example');
    for (const url of ['ftp://w.example', 'https://user:pass@w.example', 'https://w.example/?a=b']) {
      const witnesses = `witness W ${vkey} ${url}\nquorum W\n`;
      await assert.rejects(openLog(dir, { witnesses }), { code: 'option_invalid' });
    }
  });
});

test('a file of cosignatures that somebody changed is found, and proves nothing', async (t) => {
  const { dir, vkey } = await newLog(t);
  const [witness] = await witnesses(t, vkey, 1);
  const text = policyText(vkey, [witness!], 1);
  {
    await using log = await openLog(dir, { witnesses: text, publish: fast, thread: 'caller' });
    await (await log.record(signIn())).witnessed();
  }
  const store = AnchorStore.open(join(dir, 'anchors.db'));
  for (const published of store.newestPublished(64)) {
    const note = Buffer.from(published.note);
    note[note.length - 9] = note[note.length - 9] === 65 ? 66 : 65;
    store.putPublished({ ...published, note });
  }
  store.close();
  const policy = parsePolicy(text);
  const report = await verifyLog(dir, { policy });
  assert.ok(report.findings.length > 0);
  await using log = await openLog(dir, { readOnly: true, witnesses: text, thread: 'caller' });
  const { proof, entry } = await log.prove('e-0');
  assert.throws(() => verifyProof({ proof: utf8Encode(proof), entry, policy }), {
    code: 'policy_unsatisfied',
  });
  writeFileSync(join(dir, 'anchors.db'), 'nothing of the sort');
  const broken = await verifyLog(dir, { vkey });
  assert.ok(broken.findings.some(({ code }) => code === 'table_damaged'));
});
