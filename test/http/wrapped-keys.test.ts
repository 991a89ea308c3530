// A server whose logs sign with keys that only AWS KMS opens.

import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KMS } from '@aws-sdk/client-kms';
import { type KmsClient, verifyLog } from 'indelible';
import { createHandler, type HandlerOptions } from 'indelible/http';
import { startedWith } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { type KmsDouble, startKms } from '../support/kms-double.ts';
import { serve } from '../support/served.ts';

const keyId = 'alias/audit';

function environment(kms: KmsDouble): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_KMS: kms.endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  };
}

function clientOf(t: TestContext, kms: KmsDouble): () => KmsClient {
  const client = new KMS({
    endpoint: kms.endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  t.after(() => client.destroy());
  return () => client;
}

/** A handler over a data directory, and what is asked of it by a key that may do everything. */
async function handlerOver(t: TestContext, options: HandlerOptions, known?: string) {
  const handler = createHandler(options);
  t.after(() => handler.close());
  const scopes = ['write', 'read', 'audit', 'admin'] as const;
  const key = known ?? (await handler.desk.createKey({ name: 'all', scopes })).key;
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await handler(
      new Request(`http://localhost${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    );
    const value = (await answer.json()) as { code?: string; retryable?: boolean };
    return { status: answer.status, code: value.code, retryable: value.retryable };
  };
  const record = () => ask('POST', '/v1/logs/main/events', signIn());
  return { handler, key, ask, record };
}

/** Every file below a folder that holds a private key. */
function secretsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => {
    const path = join(folder, name);
    return statSync(path).isFile() && readFileSync(path).includes('PRIVATE+KEY');
  });
}

test('serve --kms: new logs have wrapped keys, and open again without the flag', async (t) => {
  const kms = await startKms(t);
  const env = environment(kms);
  const first = await serve(t, { flags: ['--kms', keyId], env });
  await first.record(signIn());
  await first.post('/v1/logs', { name: 'acme' });
  await first.stop();
  const logs = join(first.data, 'logs');
  for (const name of ['main', 'acme', '_server']) {
    assert.equal(existsSync(join(logs, name, 'log.key')), false, name);
    assert.equal(statSync(join(logs, `${name}.kms.json`)).mode & 0o777, 0o600);
  }
  // The root keys wait to be taken away, as those of every new log do.
  assert.ok(secretsIn(logs).every((path) => path.endsWith('root.key')));

  const again = await serve(t, { data: first.data, env });
  await again.post('/v1/logs/main/events', signIn(), first.key);
  await again.post('/v1/logs', { name: 'other' }, first.key);
  await again.stop();
  assert.equal(existsSync(join(logs, 'other', 'log.key')), true);
  assert.equal(existsSync(join(logs, 'other.kms.json')), false);
  const vkey = readFileSync(join(logs, 'main', 'log.vkey'), 'utf8').trim();
  const report = await verifyLog(join(logs, 'main'), { vkey });
  assert.deepEqual(report.findings, []);
  const contexts = kms.asked.filter(({ operation }) => operation === 'Decrypt').map(({ context }) => context);
  assert.ok(contexts.some((context) => context['indelible:vkey'] === vkey));
});

test('a log that was made elsewhere under a wrapped key is served from its file beside it', async (t) => {
  const kms = await startKms(t);
  const folder = temporaryFolder(t);
  const wrapped = join(folder, 'log.kms.json');
  const run = async (...words: string[]) => {
    const { status, stderr } = await startedWith(words, { env: environment(kms) });
    assert.equal(status, 0, stderr);
  };
  await run('key', 'wrap', '--kms', keyId, '--name', 'example.com/main', '--out', wrapped);
  await run(
    'init',
    join(folder, 'data/logs/main'),
    '--origin',
    'example.com/main',
    '--key',
    `kms:${wrapped}`,
  );
  cpSync(wrapped, join(folder, 'data/logs/main.kms.json'));
  const { record } = await handlerOver(t, { data: join(folder, 'data'), kms: { client: clientOf(t, kms) } });
  assert.equal((await record()).status, 201);
});

test('a service that refuses leaves the log to readers; one that is away is asked again', async (t) => {
  const kms = await startKms(t);
  const data = join(temporaryFolder(t), 'data');
  const options = { data, kms: { client: clientOf(t, kms), keyId } };
  const first = await handlerOver(t, options);
  await first.handler.desk.ensureLog('main');
  assert.equal((await first.record()).status, 201);
  await first.handler.close();

  const again = await handlerOver(t, options, first.key);
  kms.trouble = 'throttled';
  assert.deepEqual(await again.record(), { status: 503, code: 'unreachable', retryable: true });
  kms.trouble = 'none';
  assert.equal((await again.record()).status, 201);
  await again.handler.close();

  kms.trouble = 'denied';
  const refused = await handlerOver(t, options, first.key);
  assert.equal((await refused.record()).code, 'key_missing');
  assert.equal((await refused.ask('GET', '/v1/logs/main/events')).status, 200);
  await refused.handler.close();

  // Without a client, the log is read all the same.
  const without = await handlerOver(t, { data }, first.key);
  assert.equal((await without.record()).code, 'key_missing');
  assert.equal((await without.ask('GET', '/v1/logs/main/events')).status, 200);
});

test('a wrapped key that is there is never written over, and none is left of a log that was not made', async (t) => {
  const kms = await startKms(t);
  const data = join(temporaryFolder(t), 'data');
  const { handler, ask } = await handlerOver(t, { data, kms: { client: clientOf(t, kms), keyId } });
  const beside = (name: string) => join(data, 'logs', `${name}.kms.json`);
  writeFileSync(beside('kept'), 'somebody’s');
  assert.deepEqual(await ask('POST', '/v1/logs', { name: 'kept' }), {
    status: 409,
    code: 'key_exists',
    retryable: false,
  });
  assert.equal(readFileSync(beside('kept'), 'utf8'), 'somebody’s');
  assert.equal(existsSync(join(data, 'logs', 'kept')), false);

  // What is left of a log: nothing is made over it.
  writeFileSync(join(data, 'logs', 'gone.mark'), 'a mark');
  assert.equal((await ask('POST', '/v1/logs', { name: 'gone' })).code, 'log_exists');
  assert.equal(existsSync(beside('gone')), false);

  kms.trouble = 'throttled';
  assert.equal((await ask('POST', '/v1/logs', { name: 'later' })).code, 'unreachable');
  kms.trouble = 'none';
  await handler.desk.ensureLog('later');
  const wrapped = readFileSync(beside('later'), 'utf8');
  assert.equal((await ask('POST', '/v1/logs', { name: 'later' })).code, 'log_exists');
  assert.equal(readFileSync(beside('later'), 'utf8'), wrapped);
});

test('kms needs a client', () => {
  const wrong = { data: 'data', kms: { keyId } } as unknown as HandlerOptions;
  assert.throws(() => createHandler(wrong), { code: 'option_invalid' });
});
