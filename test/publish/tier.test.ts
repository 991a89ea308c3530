// `indelible tier` looks at the bucket in which a log is published, and says what it finds there.

import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog, type Log, openLog, type Tier } from 'indelible';
import { publishLog } from 'indelible/publish';
import { type Ended, startedWith } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { S3Double } from '../support/s3-double.ts';

const DAY_MS = 86_400_000;
const bucket = 's3://archive/audit';

/** A log that is published in a bucket, and the command that looks there. */
async function published(t: TestContext, days?: number) {
  const double = await S3Double.start(t);
  const log = await newLog(t);
  const retention = days === undefined ? {} : { retention: { days } };
  await publishLog(log, { to: bucket, s3: { client: double.client(t), ...retention }, disclosures: false });
  return { double, log, tier: tierOver(log, double.endpoint) };
}

async function newLog(t: TestContext): Promise<Log> {
  const dir = join(temporaryFolder(t), 'log');
  const log = await createLog(dir, { origin: 'example.com/tier', thread: 'caller', heartbeatMs: 0 });
  t.after(() => log.close());
  await log.record(signIn());
  return log;
}

/** `indelible tier` as a person starts it, the bucket's address on the command line and the credentials in the environment. */
function tierOver({ dir }: Log, endpoint: string): (...flags: string[]) => Promise<Ended> {
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
  return (...flags) =>
    startedWith(['tier', '--log', dir, '--s3-endpoint', endpoint, '--s3-region', 'us-east-1', ...flags], {
      env,
    });
}

/** What the command says of the only place, by JSON. */
async function placeIn(tier: (...flags: string[]) => Promise<Ended>, ...flags: string[]) {
  const { status, stdout, stderr } = await tier('--json', ...flags);
  const said = JSON.parse(stdout) as Tier;
  return { status, stderr, said, place: said.published[0]! };
}

/** Whether the layer stands in the report. */
function holds({ layers }: Tier, part: string): boolean {
  return layers.find(({ name }) => name.includes(part))!.holds;
}

test('a locked place: until when, by its own word and by the note', async (t) => {
  const { double, log, tier } = await published(t, 10);
  const { status, place, said, stderr } = await placeIn(tier);
  assert.equal(status, 0, stderr);
  assert.deepEqual([place.url, place.seen?.size, place.problem], [bucket, 2, undefined]);
  const until = Date.parse(place.seen!.lockedUntil!);
  assert.equal(until, double.newest('audit/checkpoint')!.until);
  assert.ok(Math.abs(until - Date.now() - 10 * DAY_MS) < 600_000);
  assert.deepEqual([holds(said, 'published'), holds(said, 'locked')], [true, true]);
  const { stdout } = await tier();
  assert.match(stdout, /yes {2}locked +s3:\/\/archive\/audit until .*, as it says itself/);

  // The log goes on: what lies there covers less.
  await log.record(signIn());
  assert.match((await tier()).stdout, /s3:\/\/archive\/audit up to size 2 of 3/);

  // Written over past the lock, as an administrator can, by the same bytes without a lock.
  double.overwrite('audit/checkpoint', double.newest('audit/checkpoint')!.bytes);
  const unlocked = await placeIn(tier);
  assert.deepEqual([unlocked.place.seen, holds(unlocked.said, 'locked')], [{ size: 2 }, false]);
  assert.match((await tier()).stdout, /no {3}locked .*noted until .*, which the place does not say itself/);
});

test('a lock in GOVERNANCE mode is none', async (t) => {
  const double = await S3Double.start(t);
  const log = await newLog(t);
  const s3 = { client: double.client(t), retention: { days: 10, mode: 'GOVERNANCE' as const } };
  await publishLog(log, { to: bucket, s3, disclosures: false });
  assert.equal(double.newest('audit/checkpoint')!.mode, 'GOVERNANCE');
  const { place, said } = await placeIn(tierOver(log, double.endpoint));
  assert.deepEqual([place.seen, holds(said, 'locked')], [{ size: 2 }, false]);
});

test('a place without a lock is read, and called published, not locked', async (t) => {
  const { tier } = await published(t);
  const { status, place, said } = await placeIn(tier);
  assert.deepEqual([status, place.seen, place.problem], [0, { size: 2 }, undefined]);
  assert.deepEqual([holds(said, 'published'), holds(said, 'locked')], [true, false]);
  assert.match((await tier()).stdout, /no {3}locked +nothing is locked against deletion/);
});

test('a checkpoint that is gone is a problem, and vouches for nothing', async (t) => {
  const { double, tier } = await published(t, 10);
  double.overwrite('audit/checkpoint', undefined);
  const { status, place, said } = await placeIn(tier);
  assert.deepEqual([status, place.seen, place.problem], [0, undefined, 'nothing lies there']);
  assert.deepEqual([holds(said, 'published'), holds(said, 'locked')], [false, false]);
  assert.match(
    (await tier()).stdout,
    /s3:\/\/archive\/audit: noted up to size 2, .*, but nothing lies there/,
  );
});

test('the checkpoint of another log, and what is none, are told; another history of this one is evidence', async (t) => {
  const { double, log, tier } = await published(t, 10);
  const other = await newLog(t);
  const put = (bytes: string | Buffer) => double.overwrite('audit/checkpoint', Buffer.from(bytes));
  put((await other.checkpoint()).note);
  const another = await placeIn(tier);
  assert.equal(another.status, 0);
  assert.match(another.place.problem!, /^what lies there is no checkpoint of this log: /);
  assert.deepEqual([another.place.seen, holds(another.said, 'published')], [undefined, false]);

  put('<html>404</html>');
  assert.match((await placeIn(tier)).place.problem!, /^what lies there is no checkpoint of this log: /);

  // A thief with the key signs a longer log: what lies there is one of it, and this log does not continue it.
  const thief = join(temporaryFolder(t), 'thief');
  await log.close();
  cpSync(log.dir, thief, { recursive: true });
  rmSync(join(thief, 'followers.db'), { force: true });
  await using forged = await openLog(thief, { thread: 'caller', heartbeatMs: 0 });
  for (const reason of ['a', 'b', 'c']) await forged.record({ ...signIn(), reason });
  put((await forged.checkpoint()).note);
  const fork = await placeIn(tier);
  assert.equal(fork.status, 1);
  assert.match(fork.place.problem!, /^what lies there is of /);
  assert.equal(fork.said.contradictions.length, 1);
  assert.match((await tier()).stdout, /contradicted {2}At s3:\/\/archive\/audit lie /);
});

test('a bucket that cannot be read is said in words, and the rest of the report stands', async (t) => {
  const { double, log, tier } = await published(t, 10);
  const faults = [
    ['skew', 'RequestTimeTooSkewed'],
    ['error-before', 'InternalError'],
    ['lost-before', 'socket hang up'],
    ['slow-down', 'SlowDown'],
  ] as const;
  for (const [fault, words] of faults) {
    double.behaviour.fault = () => fault;
    const { status, place, said } = await placeIn(tier);
    assert.equal(status, 0);
    assert.match(place.problem!, new RegExp(`^cannot be read: (?!s3:).*${words}`), fault);
    assert.equal(holds(said, 'signed'), true);
    assert.deepEqual([holds(said, 'published'), holds(said, 'locked')], [false, false]);
  }
  // Nobody listens there any more.
  const { port } = await freePort();
  const { status, stdout, stderr } = await tierOver(log, `http://127.0.0.1:${port}`)();
  assert.equal(status, 0, stderr);
  assert.match(
    stdout,
    /s3:\/\/archive\/audit: noted up to size 2, .*, but cannot be read: (?!s3:).*ECONNREFUSED/,
  );
  assert.match(stdout, /yes {2}signed/);
  assert.match(stdout, /answered by/);
});

test('a bucket that says nothing holds nobody up', async (t) => {
  const { log } = await published(t, 10);
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const { status, place } = await placeIn(tierOver(log, `http://127.0.0.1:${port}`));
  assert.equal(status, 0);
  assert.match(place.problem!, /^cannot be read: /);
});

test('--offline asks no bucket, and says so', async (t) => {
  const { double, tier } = await published(t, 10);
  const before = double.requests.length;
  const { status, place, said } = await placeIn(tier, '--offline');
  assert.deepEqual([status, place.seen, place.problem], [0, undefined, undefined]);
  assert.deepEqual([holds(said, 'published'), holds(said, 'locked')], [false, false]);
  assert.match((await tier('--offline')).stdout, /s3:\/\/archive\/audit: noted .*, not looked at/);
  assert.equal(double.requests.length, before);
  await tier();
  assert.ok(double.requests.length > before);
});

async function freePort(): Promise<{ port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return { port };
}
