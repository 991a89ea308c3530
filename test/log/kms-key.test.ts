import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KMS } from '@aws-sdk/client-kms';
import {
  createLog,
  kmsKey,
  kmsSigner,
  newSignerKey,
  openLog,
  rotateKey,
  signerOf,
  verifyLog,
  wrapKey,
} from 'indelible';
import { startedWith } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type KmsDouble, startKms } from '../support/kms-double.ts';

const origin = 'example.com/audit';
const kmsKeyId = 'arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000000';

/** The real client of AWS, told to ask the double. */
function clientOf(kms: KmsDouble): KMS {
  return new KMS({
    endpoint: kms.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 2,
  });
}

/** The last part of a private key, which may hold a plus itself. */
function secretOf(text: string): string {
  return text.split('+').slice(4).join('+');
}

test('a key that KMS unwraps opens the log, and stands in no file of it', async (t) => {
  const kms = await startKms(t);
  const client = clientOf(kms);
  t.after(() => client.destroy());
  const dir = join(temporaryFolder(t), 'log');
  const text = newSignerKey(origin);
  const wrapped = await wrapKey(text, { client, kmsKeyId });
  assert.ok(!wrapped.includes(secretOf(text)));
  const key = kmsKey({ client, wrapped });
  const rootText = newSignerKey(`${origin}/root`);
  const wrappedRoot = await wrapKey(rootText, { client, kmsKeyId });
  const rootVkey = signerOf(rootText).vkey;
  {
    await using log = await createLog(dir, { origin, key, rootVkey, heartbeatMs: 0 });
    await log.record(signIn('a'));
  }
  {
    await using log = await openLog(dir, { key, heartbeatMs: 0 });
    await log.record(signIn('b'));
    assert.equal(log.vkey, signerOf(text).vkey);
  }
  const { vkey } = signerOf(text);
  assert.deepEqual(kms.asked.at(-1), {
    operation: 'Decrypt',
    context: { 'indelible:name': origin, 'indelible:vkey': vkey },
  });
  for (const name of readdirSync(dir)) {
    const bytes = readFileSync(join(dir, name));
    assert.equal(bytes.includes(secretOf(text)), false, name);
  }
  // The root key, too: a rotation by a wrapped root key to a wrapped successor.
  const next = newSignerKey(origin);
  const successor = await kmsSigner({ client, wrapped: await wrapKey(next, { client, kmsKeyId }) });
  const root = await kmsSigner({ client, wrapped: wrappedRoot });
  await rotateKey(dir, root, { successor, old: signerOf(text) });
  await assert.rejects(openLog(dir, { key }), { code: 'key_mismatch' });
  assert.deepEqual((await verifyLog(dir, { vkey })).findings, []);
});

test('a service that refuses, is overloaded or says nothing is told apart, and no secret is in what is said', async (t) => {
  const kms = await startKms(t);
  const client = clientOf(kms);
  t.after(() => client.destroy());
  const text = newSignerKey(origin);
  const wrapped = await wrapKey(text, { client, kmsKeyId });
  const secret = secretOf(text);
  const open = kmsKey({ client, wrapped, timeoutMs: 700 });
  for (const [trouble, code, retryable] of [
    ['denied', 'key_missing', false],
    ['throttled', 'unreachable', true],
    ['broken', 'unreachable', true],
    ['silent', 'unreachable', true],
    ['other key', 'key_mismatch', false],
  ] as const) {
    kms.trouble = trouble;
    await assert.rejects(open(), (error: Error & { code?: string; retryable?: boolean }) => {
      assert.equal(error.code, code, `${trouble}: ${error.message}`);
      assert.equal(error.retryable, retryable, trouble);
      assert.equal(`${error.message} ${error.stack} ${JSON.stringify(error)}`.includes(secret), false);
      return true;
    });
  }
  kms.trouble = 'none';
  assert.equal(await open(), text);
  // A ciphertext that is put under another name is not opened.
  const moved = wrapped.replace(`"name": "${origin}"`, '"name": "example.com/other"');
  await assert.rejects(kmsKey({ client, wrapped: moved })(), { code: 'key_missing' });
  for (const bad of ['', '{}', 'PRIVATE+KEY', wrapped.replace('/1"', '/2"'), 'x'.repeat(70_000)])
    assert.throws(() => kmsKey({ client, wrapped: bad }), { code: 'key_mismatch' });
});

test('key wrap makes a key that only KMS opens, and --key kms: records with it', async (t) => {
  const kms = await startKms(t);
  const folder = temporaryFolder(t);
  const env = {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
  const file = join(folder, 'log.kms.json');
  const run = (words: readonly string[], input = '') => startedWith(words, { env, input });
  const made = await run(['key', 'wrap', '--kms', kmsKeyId, '--name', origin, '--out', file]);
  assert.equal(made.status, 0, made.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const log = join(folder, 'log');
  const init = await run(['init', log, '--origin', origin, '--key', `kms:${file}`]);
  assert.equal(init.status, 0, init.stderr);
  assert.ok(init.stdout.includes(made.stdout.trim()));
  const event = `${JSON.stringify(signIn('a'))}\n`;
  const recorded = await run(['record', '--log', log, '--key', `kms:${file}`], event);
  assert.equal(recorded.status, 0, recorded.stderr);
  assert.ok(!readdirSync(log).includes('log.key'));
  kms.trouble = 'denied';
  const refused = await run(['record', '--log', log, '--key', `kms:${file}`], event);
  assert.equal(refused.status, 3);
  assert.match(refused.stderr, /key_missing/);
});
