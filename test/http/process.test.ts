// The server as it is run: a process that is started, signalled, killed, and started again.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { indelible } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type Served, serve } from '../support/served.ts';

const event = (id: string) => ({ id, action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } });

async function statusOf({ url }: Served, id: string, key: string): Promise<number> {
  const answer = await fetch(`${url}/v1/logs/main/events/${id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  await answer.body?.cancel();
  return answer.status;
}

/** Resolves once nobody listens there any more. */
async function deaf(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  for (;;) {
    const refused = await new Promise<boolean>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.destroy();
        resolve(false);
      }).once('error', () => resolve(true));
    });
    if (refused) return;
  }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal}: a request that is under way is answered, and what it recorded stays`, async (context) => {
    const server = await serve(context);
    const body = JSON.stringify(event('under-way'));
    const request = requestHttp(`${server.url}/v1/logs/main/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.key}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        expect: '100-continue',
      },
    });
    const { promise: answered, resolve, reject } = Promise.withResolvers<number | undefined>();
    request.once('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('error', reject);
    request.flushHeaders();
    await new Promise((goOn) => request.once('continue', goOn));
    request.write(body.slice(0, 10));
    server.signal(signal);
    await deaf(server.url);
    request.end(body.slice(10));
    assert.equal(await answered, 201);
    assert.deepEqual(await server.ended, { status: 0, signal: null });
    const again = await serve(context, { data: server.data });
    assert.equal(again.key, '', 'the first key is shown once');
    assert.equal(await statusOf(again, 'under-way', server.key), 200);
    // The cursors of its followers, the marks and the audits were closed in order: nothing is found wrong.
    await again.stop();
    const verified = indelible(['verify', path.join(server.data, 'logs/main'), '--index']);
    assert.equal(verified.status, 0, verified.stderr);
  });
}

test('a stream that is open does not keep the server from stopping', async (context) => {
  const server = await serve(context);
  const headers = { authorization: `Bearer ${server.key}` };
  const stream = await fetch(`${server.url}/v1/logs/main/stream`, { headers });
  assert.equal(stream.status, 200);
  const begun = Date.now();
  assert.deepEqual(await server.stop(), { status: 0, signal: null });
  assert.ok(Date.now() - begun < 30_000);
  await stream.text().catch(() => {});
});

test('SIGKILL: what was acknowledged is there when it is started again, and a repeat is answered with the same', async (context) => {
  const server = await serve(context);
  const first = await server.post('/v1/logs/main/events', event('kept'));
  const sent = Array.from({ length: 200 }, (_, n) => event(`rush-${n}`));
  const outcomes = sent.map((one) =>
    server.post('/v1/logs/main/events', one).then(
      () => one.id,
      () => undefined,
    ),
  );
  await Promise.race(outcomes);
  assert.deepEqual(await server.stop('SIGKILL'), { status: null, signal: 'SIGKILL' });
  const acknowledged = (await Promise.all(outcomes)).filter((id) => id !== undefined);
  assert.ok(acknowledged.length > 0);
  const again = await serve(context, { data: server.data });
  for (const id of acknowledged) assert.equal(await statusOf(again, id, server.key), 200, id);
  const repeated = await again.post('/v1/logs/main/events', event('kept'), server.key);
  for (const name of ['id', 'index', 'leafHash']) assert.equal(repeated[name], first[name], name);
  for (const one of sent) await again.post('/v1/logs/main/events', one, server.key);
  await again.stop();
  const report = JSON.parse(indelible(['verify', path.join(server.data, 'logs/main'), '--json']).stdout);
  assert.equal(report.ok, true);
});

test('two servers on one data directory write one log, and a key revoked by one is refused by the other', async (context) => {
  const one = await serve(context);
  const other = await serve(context, { data: one.data });
  const made = (await one.post('/v1/keys', { name: 'writer', scopes: ['write'] })) as {
    key: string;
    id: string;
  };
  await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      [one, other][n % 2]!.post('/v1/logs/main/events', event(`e-${n}`), made.key),
    ),
  );
  for (const server of [one, other]) assert.equal(await statusOf(server, 'e-1', one.key), 200);
  const headers = { authorization: `Bearer ${one.key}` };
  const revoked = await fetch(`${one.url}/v1/keys/${made.id}`, { method: 'DELETE', headers });
  assert.ok(revoked.ok);
  await revoked.body?.cancel();
  await assert.rejects(other.post('/v1/logs/main/events', event('late'), made.key), /401/);
  await Promise.all([one.stop(), other.stop()]);
  const verified = indelible(['verify', path.join(one.data, 'logs/main'), '--index']);
  assert.equal(verified.status, 0, verified.stderr);
});

test('a port that is taken is a failed operation, and the first key is shown all the same', async (context) => {
  const server = await serve(context);
  const data = path.join(temporaryFolder(context), 'data');
  const run = indelible(['serve', '--data', data, '--port', new URL(server.url).port]);
  assert.equal(run.status, 3);
  assert.match(run.stderr, /EADDRINUSE/);
  assert.match(run.stdout, /ind_/);
});

const wrong: Readonly<Record<string, readonly [status: number, says: RegExp, ...flags: string[]]>> = {
  'a port that is none': [2, /not a port/, '--port', '70000'],
  'an address that others reach, without TLS': [
    2,
    /--tls-cert and --tls-key, or --behind-proxy/,
    '--host',
    '0.0.0.0',
  ],
  'the same by IPv6': [2, /--behind-proxy/, '--host', '::'],
  'half of what TLS needs': [2, /go together/, '--tls-cert', 'a.crt'],
  'a certificate that is not there': [3, /ENOENT/, '--tls-cert', 'a.crt', '--tls-key', 'a.key'],
  'a public address that is none': [2, /publicUrl|public-url/, '--public-url', 'audit'],
  'a proxy that is no address': [2, /squid/, '--behind-proxy', 'squid'],
  'a flag that is unknown': [2, /unknown option/, '--prot', '80'],
};

for (const [what, [status, says, ...flags]] of Object.entries(wrong)) {
  test(`does not start with ${what}`, (context) => {
    const run = indelible(['serve', '--data', path.join(temporaryFolder(context), 'data'), ...flags]);
    assert.equal(run.status, status, run.stderr);
    assert.match(run.stderr, says);
  });
}

test('speaks TLS, and then its cookie is for this host alone', async (context) => {
  const folder = temporaryFolder(context);
  const [cert, key] = [path.join(folder, 'a.crt'), path.join(folder, 'a.key')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ]);
  if (made.status !== 0) return context.skip('openssl, which makes the certificate, is not here');
  const server = await serve(context, { flags: ['--tls-cert', cert, '--tls-key', key] });
  assert.match(server.link, /^https:/);
  const headers = await new Promise<NodeJS.Dict<string | string[]>>((resolve, reject) => {
    const link = new URL(server.link);
    requestHttps(
      link,
      // Trusted by its own bytes: it has signed itself.
      { ca: readFileSync(cert) },
      (response) => {
        response.resume();
        resolve(response.headers);
      },
    )
      .once('error', reject)
      .end();
  });
  assert.match(String(headers['set-cookie'] ?? ''), /^(__Host-|$)/);
  assert.match(String(headers['strict-transport-security']), /max-age=/);
  const plain = await fetch(server.url.replace('https:', 'http:')).catch((error: Error) => error);
  assert.ok(plain instanceof Error, 'nothing is answered in the open');
});
