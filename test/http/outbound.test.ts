// attack-33: what a server asks the outside, and where it lets nobody lead it.

import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ANSWER_BYTES_MAX, Outbound, type Resolve } from '#dist/http/sign-in/outbound.js';

type Fetch = Outbound['fetch'];
const ask = (fetch: Fetch, url: string) =>
  fetch(url, { method: 'GET', headers: {}, body: undefined, redirect: 'manual' } as never);

/** Answers every question for a name with the next of the given lists. */
function names(...answers: readonly (readonly string[])[]): { resolve: Resolve; asked: string[] } {
  const asked: string[] = [];
  const resolve: Resolve = (hostname, _, callback) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(hostname);
    const found = addresses.map(
      (address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }),
    );
    callback(null, found);
  };
  return { resolve, asked };
}

/** A provider of this machine, and how often it was asked. */
async function provider(
  context: TestContext,
  answer: RequestListener,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const refused = { name: 'OutboundError' };

const addresses = [
  'https://169.254.169.254/latest/meta-data',
  'https://[::ffff:169.254.169.254]/',
  'https://[::ffff:a9fe:a9fe]/',
  'https://2852039166/',
  'https://0xa9.0xfe.0xa9.0xfe/',
  'https://0251.0376.0251.0376/',
  'https://[fe80::1]/',
  'https://[64:ff9b::a9fe:a9fe]/',
  'https://[2002:a9fe:a9fe::]/',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://0/',
  'https://[::1]/',
  'https://[::]/',
  'https://10.0.0.1/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://100.64.0.1/',
  'https://[fc00::1]/',
  'https://224.0.0.1/',
];

for (const url of addresses) {
  test(`attack-33: ${url} is not asked, whoever names it`, async () => {
    const { resolve, asked } = names(['203.0.113.7']);
    const { fetch } = new Outbound(new URL('https://idp.example'), resolve);
    await assert.rejects(ask(fetch, url), refused);
    assert.deepEqual(asked, []);
  });
}

for (const url of [
  'http://other.example/',
  'https://other.example:8443/',
  'https://idp.example:444/',
  'http://idp.example/',
  'https://user:secret@idp.example/',
  'ftp://idp.example/',
  'file:///etc/passwd',
]) {
  test(`attack-33: ${url} is neither the issuer nor https on its port`, async () => {
    const { resolve, asked } = names(['203.0.113.7']);
    await assert.rejects(ask(new Outbound(new URL('https://idp.example'), resolve).fetch, url), refused);
    assert.deepEqual(asked, []);
  });
}

test('attack-33: a name is judged by every address that it leads to, at the connection that is made', async () => {
  for (const answer of [
    ['169.254.169.254'],
    ['203.0.113.7', '127.0.0.1'],
    ['::1'],
    ['::ffff:10.0.0.1'],
    [],
  ]) {
    const { resolve, asked } = names(answer);
    const { fetch } = new Outbound(new URL('https://idp.example'), resolve);
    await assert.rejects(ask(fetch, 'https://keys.example/jwks'), refused);
    assert.deepEqual(asked, ['keys.example']);
  }
});

test('attack-33: not even the issuer\u2019s own name may lead to the metadata of a cloud', async () => {
  const { resolve, asked } = names(['169.254.169.254']);
  await assert.rejects(
    ask(new Outbound(new URL('https://idp.example'), resolve).fetch, 'https://idp.example/'),
    refused,
  );
  assert.deepEqual(asked, ['idp.example']);
});

test('attack-33: a name that leads elsewhere the second time is judged the second time', async (context) => {
  const { url, asked } = await provider(context, (_, response) => response.end('{}'));
  const issuer = new URL(url.replace('127.0.0.1', 'localhost'));
  const { resolve } = names(['127.0.0.1'], ['169.254.169.254']);
  const { fetch } = new Outbound(issuer, resolve);
  assert.equal((await ask(fetch, `${issuer.origin}/first`)).status, 200);
  await assert.rejects(ask(fetch, `${issuer.origin}/second`), refused);
  assert.deepEqual(asked, ['/first']);
});

test('attack-33: a redirect is an answer, and is not followed', async (context) => {
  const elsewhere = await provider(context, (_, response) => response.end('secret'));
  const { url, asked } = await provider(context, (_, response) =>
    response.writeHead(302, { location: `${elsewhere.url}/` }).end(),
  );
  const answer = await ask(new Outbound(new URL(url)).fetch, `${url}/token`);
  assert.equal(answer.status, 302);
  assert.deepEqual([asked, elsewhere.asked], [['/token'], []]);
});

test('attack-33: an answer without end is cut off', async (context) => {
  const { url } = await provider(context, (_, response) => {
    response.writeHead(200);
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', more);
    more();
  });
  await assert.rejects(ask(new Outbound(new URL(url)).fetch, `${url}/jwks`), {
    ...refused,
    message: `the answer has more than ${ANSWER_BYTES_MAX} bytes`,
  });
});
