// The S3 store against a bucket of ours: the suite, every fault once in every call, a bucket that only pretends, Object Lock.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { newSignerKey } from 'indelible';
import { utf8Encode } from 'indelible/bytes';
import { formatCheckpoint, parseSignerKey, signNote } from 'indelible/note';
import { type S3Options, S3TileStore } from 'indelible/store';
import { tileConformance } from 'indelible/store/tiles/conformance';
import { type Fault, S3Double } from '../support/s3-double.ts';

const place = 's3://archive/logs/audit';
const retention = { days: 30 } as const;

describe('a bucket', () => {
  for (const options of [{}, { retention, legalHold: true }] as const) {
    for (const { name, run } of tileConformance) {
      test(`${name}${'retention' in options ? ', locked' : ''}`, async (t) => {
        const double = await S3Double.start(t);
        const client = double.client(t);
        return run(() => S3TileStore.open(place, { ...options, client }));
      });
    }
  }

  const faults: readonly Fault[] = [
    'error-before',
    'error-after',
    'slow-down',
    'lost-before',
    'lost-after',
    'conflict',
    'truncated',
    'wrong-etag',
  ];
  for (const fault of faults) {
    test(`every call fails once with ${fault}, and nothing is lost or written over`, async (t) => {
      const calls = await course(t, 0, undefined);
      assert.ok(calls >= 9);
      for (let failing = 1; failing <= calls; failing += 1) await course(t, failing, fault);
    });
  }

  test('three calls in ten fail', async (t) => {
    const double = await S3Double.start(t);
    let state = 7;
    double.behaviour.fault = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state % 10 < 3 ? faults[state % 5] : undefined;
    };
    const store = await S3TileStore.open(place, { client: double.client(t), timeoutMs: 2_000 });
    for (let at = 0; at < 20; at += 1) {
      const path = `tile/0/${String(at).padStart(3, '0')}`;
      await store.putImmutable(path, utf8Encode(path));
    }
    for (let at = 0; at < 20; at += 1) {
      const path = `tile/0/${String(at).padStart(3, '0')}`;
      assert.deepEqual(await store.read(path, 100), utf8Encode(path));
      assert.equal(double.objects.get(`logs/audit/${path}`)!.length, 1);
    }
  });

  test('a clock that is wrong is told at once, and a denial too', async (t) => {
    const double = await S3Double.start(t);
    const store = await S3TileStore.open(place, { client: double.client(t) });
    double.behaviour.fault = () => 'skew';
    const asked = double.requests.length;
    await assert.rejects(
      store.putImmutable('tile/0/000', utf8Encode('x')),
      (error: Error & { code: string }) => {
        assert.match(error.message, /RequestTimeTooSkewed/);
        return error.code === 'not_permitted';
      },
    );
    await assert.rejects(store.read('tile/0/000', 9), { code: 'not_permitted' });
    assert.equal(double.requests.length, asked + 2);
  });

  test('what stays away is unreachable, and says that it may be tried again', async (t) => {
    const double = await S3Double.start(t);
    const store = await S3TileStore.open(place, { client: double.client(t) });
    double.behaviour.fault = () => 'slow-down';
    await assert.rejects(store.read('tile/0/000', 9), { code: 'unreachable', retryable: true });
  });
});

/** A short life of a store, in which one call fails. Answers how many calls it was. */
async function course(
  t: Parameters<typeof S3Double.start>[0],
  failing: number,
  fault: Fault,
): Promise<number> {
  const double = await S3Double.start(t);
  const client = double.client(t);
  const options: S3Options = { client, timeoutMs: 2_000 };
  double.behaviour.fault = ({ number, method }) => {
    // A conflict is the answer to a conditional write, and to nothing else.
    return number === failing && (fault !== 'conflict' || method === 'PUT') ? fault : undefined;
  };
  const store = await S3TileStore.open(place, options);
  await store.putImmutable('tile/0/000', utf8Encode('tile'));
  await store.putImmutable('tile/0/000', utf8Encode('tile'));
  await store.putCheckpoint(utf8Encode('first'), undefined);
  await store.putCheckpoint(utf8Encode('second'), utf8Encode('first'));
  await assert.rejects(store.putCheckpoint(utf8Encode('third'), utf8Encode('first')), {
    code: 'archive_conflict',
  });
  await assert.rejects(store.putImmutable('tile/0/000', utf8Encode('other')), { code: 'archive_conflict' });
  assert.deepEqual(await store.read('tile/0/000', 100), utf8Encode('tile'));
  const texts = (key: string) =>
    double.objects.get(`logs/audit/${key}`)!.map(({ bytes }) => bytes!.toString());
  assert.deepEqual(texts('tile/0/000'), ['tile'], `${fault} at ${failing}`);
  assert.deepEqual(texts('checkpoint'), ['first', 'second'], `${fault} at ${failing}`);
  return double.requests.length;
}

describe('a bucket that only pretends is refused when it is opened', () => {
  for (const [what, behaviour, options] of [
    ['ignores If-None-Match', { ignores: 'If-None-Match' }, {}],
    ['ignores If-Match', { ignores: 'If-Match' }, {}],
    ['has no Object Lock', { lock: false }, { retention }],
    ['forgets a retention', { ignores: 'lock' }, { retention }],
    ['deletes what is locked', { ignores: 'deletes' }, { retention: { days: 1, mode: 'GOVERNANCE' } }],
  ] as const) {
    test(`one that ${what}`, async (t) => {
      const double = await S3Double.start(t, behaviour);
      await assert.rejects(S3TileStore.open(place, { ...options, client: double.client(t) }), {
        code: 'archive_unsuitable',
      });
    });
  }

  test('without a retention asked for, Object Lock is not needed, and nothing of the trial stays', async (t) => {
    const double = await S3Double.start(t, { lock: false });
    await S3TileStore.open(place, { client: double.client(t) });
    for (const key of double.objects.keys()) assert.equal(double.newest(key), undefined, key);
  });
});

test('every object is under retention, under a hold, and no retention falls short', async (t) => {
  const double = await S3Double.start(t);
  const now = Date.parse('2031-01-01T00:00:00Z');
  const options = { client: double.client(t), retention, legalHold: true, now: () => now };
  const store = await S3TileStore.open(place, options);
  await store.putImmutable('tile/0/000', utf8Encode('tile'));
  await store.putImmutable('disclosures/000', utf8Encode('sealed'));
  await store.putCheckpoint(utf8Encode('first'), undefined);
  await store.putCheckpoint(utf8Encode('second'), utf8Encode('first'));
  for (const [key, versions] of double.objects) {
    if (key.includes('/probe/')) continue;
    for (const { mode, until, hold } of versions) {
      assert.deepEqual(
        { mode, until, hold },
        { mode: 'COMPLIANCE', until: now + 30 * 86_400_000, hold: true },
        key,
      );
    }
  }
  assert.deepEqual(double.objects.get('logs/audit/checkpoint')!.length, 2);
});

test('attack-45: what was written over or hidden is found in the newest version, and read in the oldest', async (t) => {
  const double = await S3Double.start(t);
  const client = double.client(t);
  const store = await S3TileStore.open(place, { client, retention });
  await store.putImmutable('tile/0/000', utf8Encode('honest'));
  await store.putImmutable('tile/0/001', utf8Encode('honest too'));
  double.overwrite('logs/audit/tile/0/000', Buffer.from('forged'));
  double.overwrite('logs/audit/tile/0/001', undefined);
  assert.deepEqual(await store.read('tile/0/000', 100), utf8Encode('forged'));
  assert.equal(await store.read('tile/0/001', 100), undefined);
  await assert.rejects(store.putImmutable('tile/0/000', utf8Encode('honest')), { code: 'archive_conflict' });
  const oldest = await S3TileStore.reading(place, { client, oldestVersions: true });
  assert.deepEqual(await oldest.read('tile/0/000', 100), utf8Encode('honest'));
  assert.deepEqual(await oldest.read('tile/0/001', 100), utf8Encode('honest too'));
  assert.equal(await oldest.read('tile/0/00', 100), undefined);
});

test('of a file that was written over thousands of times, the oldest version; of all checkpoints, the largest', async (t) => {
  const double = await S3Double.start(t);
  const client = double.client(t);
  const store = await S3TileStore.open(place, { client, retention });
  await store.putImmutable('tile/0/000', utf8Encode('honest'));
  await store.putImmutable('tile/0/000.p/7', utf8Encode('neighbour'));
  for (let at = 0; at < 2_500; at += 1)
    double.overwrite('logs/audit/tile/0/000', Buffer.from(`forged ${at}`));
  for (let at = 0; at < 1_200; at += 1) double.overwrite('logs/audit/tile/0/001', undefined);
  const signer = parseSignerKey(newSignerKey('log.example/x'));
  const note = (size: number) =>
    Buffer.from(
      signNote(formatCheckpoint({ origin: signer.name, size, root: new Uint8Array(32) }), [signer]),
    );
  // The largest is on the second page of three, behind smaller ones that are newer.
  for (let at = 0; at < 2_100; at += 1)
    double.overwrite('logs/audit/checkpoint', note(at === 900 ? 9_999 : at % 800));
  const oldest = await S3TileStore.reading(place, { client, oldestVersions: true });
  const listed = () => double.requests.filter(({ key, method }) => key === '' && method === 'GET').length;
  const before = listed();
  assert.deepEqual(await oldest.read('tile/0/000', 100), utf8Encode('honest'));
  assert.equal(listed() - before, 3);
  assert.deepEqual(await oldest.read('tile/0/000.p/7', 100), utf8Encode('neighbour'));
  assert.equal(await oldest.read('tile/0/001', 100), undefined);
  assert.deepEqual(Buffer.from((await oldest.read('checkpoint', 1_000))!), note(9_999));
});

test('a page of versions ends anywhere: between two versions of a file, at its last, at a mark of its deletion', async (t) => {
  for (const versionsListedMax of [1, 2, 3, 5, 7]) {
    const double = await S3Double.start(t, { versionsListedMax });
    const client = double.client(t);
    for (const key of ['tile/0/000', 'tile/0/000.p/1', 'tile/0/001']) {
      for (const text of ['first', undefined, 'second', 'third', undefined])
        double.overwrite(`logs/audit/${key}`, text === undefined ? undefined : Buffer.from(`${text} ${key}`));
    }
    const oldest = await S3TileStore.reading(place, { client, oldestVersions: true });
    for (const key of ['tile/0/000', 'tile/0/000.p/1', 'tile/0/001'])
      assert.deepEqual(
        await oldest.read(key, 100),
        utf8Encode(`first ${key}`),
        `${key} by ${versionsListedMax}`,
      );
    assert.equal(await oldest.read('tile/0/00', 100), undefined);
  }
});

test('a list of versions that goes on nowhere is an error, not a loop', async (t) => {
  const double = await S3Double.start(t);
  const client = double.client(t);
  const markers: object[] = [{}, { NextKeyMarker: 'logs/audit/tile/0/000', NextVersionIdMarker: 'same' }];
  for (const marker of markers) {
    const answer = { IsTruncated: true, Versions: [], ...marker };
    const lying = { send: async () => answer };
    const store = await S3TileStore.reading(place, { client: lying, oldestVersions: true });
    await assert.rejects(store.read('tile/0/000', 100), { code: 'io_failed' });
  }
  client.destroy();
});

test('places and options that mean nothing are refused', async () => {
  for (const url of [
    's3://',
    's3://b',
    's3://Bucket/x',
    's3://bucket/../x',
    's3://bucket/a//b',
    's3://bucket/x?y',
    'https://bucket/x',
  ]) {
    await assert.rejects(S3TileStore.reading(url), { code: 'option_invalid' }, url);
  }
  for (const given of [{ days: 0 }, { days: 0.5 }, { days: 1, mode: 'compliance' }]) {
    await assert.rejects(S3TileStore.reading(place, { retention: given } as S3Options), {
      code: 'option_invalid',
    });
  }
});
