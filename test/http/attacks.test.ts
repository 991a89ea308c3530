// Attacks at the door of a server, each under its number.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { EventPage, Problem, ReceiptWire } from 'indelible/wire';
import { codeOf, startHandler, startListening } from './server.ts';

const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };
const events = '/v1/logs/alpha/events';
const asJson = { 'content-type': 'application/json' };

test('attack-14, attack-16: a repeat is answered, and neither log nor credential can be claimed', async (context) => {
  const { ask, key } = await startHandler(context);
  const [writer, other] = [await key(['write', 'read'], 'alpha'), await key(['write'], 'alpha')];
  const json = { id: 'e-1', ...event };
  const first = (await (await ask('POST', events, { key: writer, json })).json()) as ReceiptWire;
  const again = (await (await ask('POST', events, { key: writer, json })).json()) as ReceiptWire;
  assert.equal(again.index, first.index);
  const replayed = await ask('POST', events, { key: other, json });
  assert.equal(replayed.status, 409);
  assert.equal(await codeOf(replayed), 'id_conflict');
  const forged = { ...event, source: { service: 'root', instance: 'x', seq: 0, credential: 'somebody' } };
  assert.equal((await ask('POST', events, { key: writer, json: forged })).status, 422);
  assert.equal((await ask('POST', events, { key: writer, json: { ...event, log: 'beta' } })).status, 422);
  const page = (await (await ask('GET', `${events}?limit=1`, { key: writer })).json()) as EventPage;
  assert.equal(page.events[0]?.source.credential, writer.split('_')[1]);
});

test('attack-17: a flood from one key is held back, and other keys are served', async (context) => {
  const { ask, key } = await startHandler(context, { rate: { perSecond: 1, burst: 20 } });
  const [flooder, other] = [await key(['write']), await key(['write'])];
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ask('POST', events, { key: flooder, json: event })),
  );
  const held = answers.filter(({ status }) => status === 429);
  assert.ok(held.length >= 75, `${held.length} of 100`);
  assert.ok(held.every(({ headers }) => Number(headers.get('retry-after')) >= 1));
  assert.equal((await ask('POST', events, { key: other, json: event })).status, 201);
});

test('attack-17: links and viewer tokens have a limit of their own, far below that of requests', async (context) => {
  // For them no time passes, however slow the machine is.
  const clock = { wall: () => Date.now(), monotonic: () => 0 };
  const { ask, key } = await startHandler(context, { clock });
  const [maker, other] = [await key(['read']), await key(['read'])];
  const json = { log: 'alpha', origins: ['https://app.example'] };
  let held = 0;
  for (let count = 0; count < 150; count += 1) {
    for (const answer of [
      await ask('POST', '/v1/links', { key: maker }),
      await ask('POST', '/v1/viewer-tokens', { key: maker, json }),
    ]) {
      if (answer.status === 429) held += 1;
      else assert.equal(answer.status, 201);
    }
  }
  assert.equal(held, 100);
  assert.equal((await ask('GET', '/v1/session', { key: maker })).status, 200);
  assert.equal((await ask('POST', '/v1/links', { key: other })).status, 201);
});

test('attack-17: more at once than can be served is refused with 503, probes excepted', async (context) => {
  const { ask, key } = await startHandler(context, { underWayMax: 4 });
  const writer = await key(['write']);
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => ask('POST', events, { key: writer, json: event })),
  );
  const busy = answers.filter(({ status }) => status === 503);
  assert.equal(busy.length, 36);
  assert.equal(busy[0]?.headers.get('retry-after'), '1');
  assert.equal((await ask('GET', '/healthz')).status, 200);
});

test('attack-18: what is too large or too deep is refused before it costs anything', async (context) => {
  const { ask, key } = await startHandler(context);
  const writer = await key(['write']);
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
  assert.ok(bomb.length < 100_000);
  const before = process.memoryUsage().arrayBuffers;
  const inflated = await ask('POST', events, {
    key: writer,
    body: bomb,
    headers: { ...asJson, 'content-encoding': 'gzip' },
  });
  assert.equal(inflated.status, 413);
  assert.equal(await codeOf(inflated), 'body_too_large');
  assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  const deep = await ask('POST', events, { key: writer, body: '['.repeat(1_000_000), headers: asJson });
  assert.equal(deep.status, 400);
  const wide = `{${Array.from({ length: 100_000 }, (_, at) => `"k${at}":1`).join(',')}}`;
  assert.ok(
    [400, 422].includes((await ask('POST', events, { key: writer, body: wide, headers: asJson })).status),
  );
  const large = await ask('POST', events, {
    key: writer,
    body: 'x'.repeat(5 * 1024 * 1024),
    headers: asJson,
  });
  assert.equal(large.status, 413);
  const torn = await ask('POST', events, {
    key: writer,
    body: bomb.subarray(0, 50),
    headers: { ...asJson, 'content-encoding': 'gzip' },
  });
  assert.equal(torn.status, 400);
});

const hostile: Readonly<Record<string, string | Uint8Array>> = {
  'doubled name': '{"action":"a.b","action":"c.d","actor":{"type":"user","id":"u"}}',
  '__proto__ in the event': '{"action":"a.b","actor":{"type":"user","id":"u"},"__proto__":{"x":1}}',
  'constructor in the event': '{"action":"a.b","actor":{"type":"user","id":"u"},"constructor":{"x":1}}',
  'lone surrogate': '{"action":"a.b","actor":{"type":"user","id":"\\ud800"}}',
  'byte order mark': '\ufeff{"action":"a.b","actor":{"type":"user","id":"u"}}',
  'ill-formed UTF-8': Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d),
  'number without end': '{"action":"a.b","actor":{"type":"user","id":"u"},"metadata":{"n":1e400}}',
  'inexact number': '{"action":"a.b","actor":{"type":"user","id":"u"},"metadata":{"n":9007199254740993}}',
  'text behind': '{"action":"a.b","actor":{"type":"user","id":"u"}} {}',
  empty: '',
};

for (const [name, body] of Object.entries(hostile)) {
  test(`attack-19, attack-20, attack-21: refused with a code: ${name}`, async (context) => {
    const { ask, key } = await startHandler(context);
    const response = await ask('POST', events, { key: await key(['write']), body, headers: asJson });
    assert.ok([400, 422].includes(response.status), String(response.status));
    const problem = (await response.json()) as Problem;
    assert.match(problem.code, /^[a-z_]+$/);
    assert.equal(Object.hasOwn(Object.prototype, 'x'), false);
  });
}

test('attack-30: every route of a log answers alike for a foreign log and for none', async (context) => {
  const { ask, key, handler } = await startHandler(context);
  const scopes = ['write', 'read', 'audit', 'admin'] as const;
  const bound = await key(scopes, 'alpha');
  const owner = await key(scopes, 'beta');
  const made = await ask('POST', '/v1/logs/beta/events', { key: owner, json: { id: 'secret-1', ...event } });
  assert.equal(made.status, 201);
  const routes = handler.routes.filter(({ path }) => path.includes('{log}'));
  assert.ok(routes.length >= 8, `${routes.length} routes`);
  for (const { method, path, body } of routes) {
    const at = (log: string): string =>
      path
        .replace('{log}', log)
        .replace('{id}', 'secret-1')
        .replace(/\{tile\+\}/, '0/000.p/1')
        .replace(/\{bundle\+\}/, '000.p/1')
        .replace(/\{stamp\+\}/, '000');
    const headers: Record<string, string> =
      body === undefined ? {} : { 'content-type': body.contentTypes[0] ?? '' };
    const send = body === undefined ? {} : { body: '{}' };
    const shown = [];
    for (const log of ['beta', 'nobody', '_server']) {
      const response = await ask(method, at(log), { key: bound, headers, ...send });
      const { requestId: _, ...problem } = (await response.json()) as Problem;
      shown.push({ status: response.status, problem });
    }
    assert.equal(shown[0]?.status, 404, `${method} ${path}`);
    assert.deepEqual(shown[1], shown[0], `${method} ${path}`);
    assert.deepEqual(shown[2], shown[0], `${method} ${path}`);
    assert.equal((await ask(method, at('beta'), { headers, ...send })).status, 401, `${method} ${path}`);
    assert.equal((await ask(method, at('nobody'), { headers, ...send })).status, 401, `${method} ${path}`);
  }
  // An id of another log is no id of this one.
  for (const tail of ['', '/proof', '/entry']) {
    if (!routes.some(({ path }) => path === `/v1/logs/{log}/events/{id}${tail}`)) continue;
    const response = await ask('GET', `/v1/logs/alpha/events/secret-1${tail}`, { key: bound });
    assert.equal(response.status, 404, tail);
  }
});

test('attack-36: an outsider who blames another address is the one who waits', async (context) => {
  // A clock that stands still: no bucket fills again.
  const clock = { wall: () => Date.now(), monotonic: () => 0 };
  const { ask } = await startHandler(context, { trustedProxies: ['10.0.0.0/8'], clock });
  const from = async (address: string): Promise<number> => {
    const headers = { 'x-forwarded-for': '203.0.113.5' };
    return (await ask('GET', '/v1/session', { key: 'ind_wrong', from: address, headers })).status;
  };
  for (let round = 0; round < 60; round += 1) await from('192.0.2.1');
  assert.equal(await from('192.0.2.1'), 429);
  assert.equal(await from('203.0.113.5'), 401);
});

test('attack-36: behind a trusted proxy the last address that it did not add itself counts', async (context) => {
  const { ask } = await startHandler(context, { trustedProxies: ['10.0.0.0/8'] });
  const from = async (forwarded: string): Promise<number> =>
    (
      await ask('GET', '/v1/session', {
        key: 'ind_wrong',
        from: '10.0.0.1',
        headers: { 'x-forwarded-for': forwarded },
      })
    ).status;
  for (let round = 0; round < 60; round += 1) await from(`203.0.113.${round}, 198.51.100.7`);
  assert.equal(await from('203.0.113.250, 198.51.100.7'), 429);
  assert.equal(await from('198.51.100.7, 198.51.100.8'), 401);
});

/** What a server says to raw bytes, until it hangs up or the time is over. */
function raw(
  context: TestContext,
  port: number,
  text: string,
  waitMs: number,
): Promise<{ text: string; isOver: boolean }> {
  const socket = connect(port, '127.0.0.1');
  context.after(() => socket.destroy());
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.write(text);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ text: received, isOver: false }), waitMs);
    socket
      .on('error', () => {})
      .on('close', () => {
        clearTimeout(timer);
        resolve({ text: received, isOver: true });
      });
  });
}

const smuggled: Readonly<Record<string, string>> = {
  'two lengths':
    'POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 30\r\n\r\nabcdGET /v1/keys HTTP/1.1\r\n',
  'length and chunks':
    'POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/keys HTTP/1.1\r\nHost: a\r\n\r\n',
  'chunked that is not last':
    'POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'space before the colon': 'GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nabcd',
  'folded header': 'GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\nContent-Length: \r\n 4\r\n\r\nabcd',
  'bare line feed': 'GET /healthz HTTP/1.1\nHost: a\nContent-Length: 4\n\nabcd',
  'no host': 'GET /healthz HTTP/1.1\r\n\r\n',
  'headers without end': `GET /healthz HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`,
};

test('attack-37: requests that two readers would read differently are refused, and the connection ends', async (context) => {
  const { port } = await startListening(context, await startHandler(context));
  for (const [name, text] of Object.entries(smuggled)) {
    const { text: answer, isOver } = await raw(context, port, text, 3000);
    assert.match(answer, /^HTTP\/1\.1 4\d\d /, name);
    assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, name);
    assert.ok(isOver, name);
  }
});

test('attack-37: a client that never ends its headers is not waited for', {
  timeout: 30_000,
}, async (context) => {
  const { port } = await startListening(context, await startHandler(context));
  const { text, isOver } = await raw(context, port, 'GET /healthz HTTP/1.1\r\nHost: a\r\nX: ', 16_000);
  assert.ok(isOver);
  assert.match(text, /^HTTP\/1\.1 408 /);
});
