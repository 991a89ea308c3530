// The same suite on a real S3 server: Ceph's gateway where it is installed, or whatever INDELIBLE_TEST_S3 names.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { utf8Encode } from 'indelible/bytes';
import { S3TileStore } from 'indelible/store';
import { tileConformance } from 'indelible/store/tiles/conformance';
import { type S3Server, startS3, whyNoCeph } from '../support/ceph.ts';

describe('a real S3 server', { skip: whyNoCeph() }, () => {
  let server: S3Server;
  let client: S3Client;
  const bucket = `indelible-${randomBytes(4).toString('hex')}`;
  const locked = `${bucket}-locked`;
  let places = 0;

  before(async () => {
    server = await startS3();
    const { endpoint, accessKeyId, secretAccessKey } = server;
    client = new S3Client({
      endpoint,
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
    });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    await client.send(new CreateBucketCommand({ Bucket: locked, ObjectLockEnabledForBucket: true }));
  });
  after(async () => {
    client.destroy();
    await server.stop();
  });

  const newPlace = () => `s3://${bucket}/log-${places++}`;

  for (const { name, run } of tileConformance) {
    test(name, () => {
      const place = newPlace();
      return run(() => S3TileStore.open(place, { client }));
    });
  }

  test('under retention, a file is kept and read though it is hidden; a server that lets it be written over is refused', async () => {
    const place = `s3://${locked}/log`;
    if (await writesOver()) {
      // Ceph 16 does: it honours If-None-Match in buckets without versions only.
      const opening = S3TileStore.open(place, { client, retention: { days: 1 } });
      await assert.rejects(opening, { code: 'archive_unsuitable' });
      return;
    }
    const store = await S3TileStore.open(place, { client, retention: { days: 1 } });
    await store.putImmutable('tile/0/000', utf8Encode('honest'));
    await store.putCheckpoint(utf8Encode('note'), undefined);
    const Key = 'log/tile/0/000';
    const { Versions } = await client.send(new ListObjectVersionsCommand({ Bucket: locked, Prefix: Key }));
    const VersionId = Versions![0]!.VersionId;
    const { Retention } = await client.send(
      new GetObjectRetentionCommand({ Bucket: locked, Key, VersionId }),
    );
    assert.equal(Retention?.Mode, 'COMPLIANCE');
    await assert.rejects(client.send(new DeleteObjectCommand({ Bucket: locked, Key, VersionId })));
  });

  test('what was hidden or written over is read in its oldest version', async () => {
    const put = (Key: string, Body: string) =>
      client.send(new PutObjectCommand({ Bucket: locked, Key, Body }));
    await put('old/tile/0/000', 'honest');
    await put('old/tile/0/000', 'forged');
    await put('old/tile/0/001', 'honest too');
    await client.send(new DeleteObjectCommand({ Bucket: locked, Key: 'old/tile/0/001' }));
    const newest = await S3TileStore.reading(`s3://${locked}/old`, { client });
    assert.deepEqual(await newest.read('tile/0/000', 100), utf8Encode('forged'));
    assert.equal(await newest.read('tile/0/001', 100), undefined);
    const oldest = await S3TileStore.reading(`s3://${locked}/old`, { client, oldestVersions: true });
    assert.deepEqual(await oldest.read('tile/0/000', 100), utf8Encode('honest'));
    assert.deepEqual(await oldest.read('tile/0/001', 100), utf8Encode('honest too'));
  });

  test('more versions than a page of their list holds', async () => {
    const put = (Key: string, Body: string) =>
      client.send(new PutObjectCommand({ Bucket: locked, Key, Body }));
    await put('many/tile/0/000', 'honest');
    await put('many/tile/0/000.p/1', 'neighbour');
    for (let at = 0; at < 1_020; at += 20)
      await Promise.all(Array.from({ length: 20 }, () => put('many/tile/0/000', `forged ${at}`)));
    const oldest = await S3TileStore.reading(`s3://${locked}/many`, { client, oldestVersions: true });
    assert.deepEqual(await oldest.read('tile/0/000', 100), utf8Encode('honest'));
    assert.deepEqual(await oldest.read('tile/0/000.p/1', 100), utf8Encode('neighbour'));
  });

  /** Whether the server takes a second conditional write where versions are kept. */
  async function writesOver(): Promise<boolean> {
    const put = () =>
      client.send(new PutObjectCommand({ Bucket: locked, Key: 'twice', Body: 'x', IfNoneMatch: '*' }));
    await put();
    return put().then(
      () => true,
      () => false,
    );
  }

  test('a bucket without Object Lock is refused where retention is asked for', async () => {
    const opening = S3TileStore.open(newPlace(), { client, retention: { days: 1 } });
    await assert.rejects(opening, { code: 'archive_unsuitable' });
  });
});
