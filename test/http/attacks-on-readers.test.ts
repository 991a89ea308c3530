// Attacks on who reads, by whoever writes, lies, or was let in once.

import assert from 'node:assert/strict';
import test from 'node:test';
import { hashLeaf } from 'indelible/merkle';
import { verifyProof } from 'indelible/verify';
import type { EventPage, EventWire, LogSummary, RecordAnswer } from 'indelible/wire';
import { codeOf, startHandler, startListening } from './server.ts';

const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } };
const events = '/v1/logs/alpha/events';
const ndjson = { 'content-type': 'application/x-ndjson' };

test('attack-15: a proof of one log proves nothing under the key of another', async (context) => {
  const { ask, key } = await startHandler(context);
  const reader = await key(['write', 'read']);
  const bytes = async (path: string): Promise<Uint8Array> =>
    new Uint8Array(await (await ask('GET', path, { key: reader })).arrayBuffer());
  const evidence = [];
  for (const log of ['alpha', 'beta']) {
    const json = { id: 'e-1', ...event };
    assert.equal((await ask('POST', `/v1/logs/${log}/events`, { key: reader, json })).status, 201);
    const { vkey } = (await (await ask('GET', `/v1/logs/${log}`, { key: reader })).json()) as LogSummary;
    const at = `/v1/logs/${log}/events/e-1`;
    evidence.push({ vkey, proof: await bytes(`${at}/proof`), entry: await bytes(`${at}/entry`) });
  }
  for (const [from, { proof }] of evidence.entries()) {
    for (const [to, { vkey }] of evidence.entries()) {
      for (const [of, { entry }] of evidence.entries()) {
        const verify = () => verifyProof({ proof, entry, policy: { vkey } });
        if (from === to && of === to) assert.ok(verify().index > 0);
        else assert.throws(verify, { name: 'VerificationError' }, `${from} ${to} ${of}`);
      }
    }
  }
});

const hostile = [
  '\u001b[2J\u001b]52;c;cm0gLXJmIH4=\u0007',
  'a\r\nset-cookie: x=1\r\n\r\n<script>alert(1)</script>',
  '\u202egnp.exe',
  '<img src=x onerror=alert(1)>',
  'javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
];

test('attack-24, attack-27: what is hostile in an event leaves as data, whatever opens it', async (context) => {
  const { ask, key } = await startHandler(context);
  const reader = await key(['write', 'read', 'audit']);
  const id = 'e-';
  const json = hostile.map((text, at) => ({
    ...event,
    id: `${id}${at}`,
    actor: { type: 'user', id: `u_${at}`, name: text },
    reason: text,
  }));
  const { results } = (await (await ask('POST', events, { key: reader, json })).json()) as RecordAnswer;
  assert.ok(results.every(({ ok }) => ok));
  const at = `${events}/${encodeURIComponent(`${id}0`)}`;
  const stem = '/v1/logs/alpha';
  const paths = [events, at, `${at}/proof`, `${at}/entry`, `${stem}/export`, `${stem}/export?format=csv`];
  for (const path of [...paths, `${stem}/stats`, `${events}?q=%3Cscript%3E(`, `${stem}/%3Cscript%3E`]) {
    const { status, headers, body } = await ask('GET', path, { key: reader });
    await body?.cancel();
    assert.ok(status < 500, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/, path);
    assert.doesNotMatch(headers.get('content-type') ?? '', /html|svg|xml|script/, path);
    assert.equal(headers.get('set-cookie'), null, path);
    assert.doesNotMatch(headers.get('content-disposition') ?? '', /html|svg/, path);
  }
  // The log's own entries, which say that it was read and exported, are left out.
  const newest = `${events}?limit=6&q=${encodeURIComponent('actor:user/u_*')}`;
  const page = (await (await ask('GET', newest, { key: reader })).json()) as EventPage;
  const shown = page.events.map(({ reason }) => reason);
  assert.deepEqual(shown, hostile.toReversed());
  const text = await (await ask('GET', newest, { key: reader })).text();
  for (const code of ['\u001b', '\u0007', '\r', '\n']) assert.ok(!text.includes(code));
});

test('attack-31: what is public of a log tells nothing of a sealed value that is easy to guess', async (context) => {
  const { ask, key } = await startHandler(context);
  const admin = await key(['write', 'read', 'admin']);
  const json = { ...event, id: 'e-1', metadata: { pin: '4711' } };
  assert.equal((await ask('POST', events, { key: admin, json })).status, 201);
  assert.equal((await ask('PATCH', '/v1/logs/alpha', { key: admin, json: { isPublic: true } })).status, 200);
  const note = await (await ask('GET', '/logs/alpha/checkpoint')).text();
  const tile = await ask('GET', `/logs/alpha/tile/0/000.p/${note.split('\n')[1]}`);
  assert.equal(tile.status, 200);
  const leaves = Buffer.from(await tile.arrayBuffer()).toString('hex');
  const entry = await (await ask('GET', `${events}/e-1/entry`, { key: admin })).text();
  // The control: the hash is there, and whoever has the entry finds it.
  assert.ok(leaves.includes(Buffer.from(hashLeaf(Buffer.from(entry))).toString('hex')));
  assert.ok(!entry.includes('4711'));
  // Everything but the nonce and the salt is known to the guesser, and still no guess is right.
  const { nonce } = (await JSON.parse(entry)) as { nonce: string };
  for (const guess of ['', 'A'.repeat(nonce.length), nonce.toLowerCase()]) {
    const guessed = hashLeaf(Buffer.from(entry.replace(nonce, guess)));
    assert.ok(!leaves.includes(Buffer.from(guessed).toString('hex')));
  }
  for (const path of [`/logs/alpha/tile/entries/000.p/1`, events, `${events}/e-1`, '/v1/logs/alpha/export']) {
    assert.equal((await ask('GET', path)).status, 401, path);
  }
});

test('a stream ends with the key that opened it', { timeout: 20_000 }, async (context) => {
  const { ask, key } = await startHandler(context);
  const [reader, admin] = [await key(['read'], 'alpha'), await key(['admin', 'write'])];
  const stream = await ask('GET', '/v1/logs/alpha/stream', { key: reader });
  const words = stream.body!.getReader();
  assert.equal((await words.read()).done, false);
  const revoked = await ask('DELETE', `/v1/keys/${reader.split('_')[1]}`, { key: admin });
  assert.equal(revoked.status, 204);
  await ask('POST', events, { key: admin, json: { ...event, id: 'later' } });
  let said = '';
  for (let next = await words.read(); !next.done; next = await words.read()) {
    said += new TextDecoder().decode(next.value);
  }
  assert.ok(!said.includes('later'));
});

test('nobody writes into the log of the server', async (context) => {
  const { ask, key } = await startHandler(context);
  const all = await key(['write', 'read', 'audit', 'admin']);
  const json = { action: 'api_key.revoked', actor: event.actor };
  assert.equal((await ask('POST', '/v1/logs/_server/events', { key: all, json })).status, 404);
  assert.equal((await ask('GET', '/v1/logs/_server/events', { key: all })).status, 200);
});

test('one who guesses shuts nobody out, not even where nobody knows who asks', async (context) => {
  const { handler, key } = await startHandler(context, {
    clock: { wall: () => Date.now(), monotonic: () => 0 },
  });
  const right = await key(['read'], 'alpha');
  const from = async (credential: string): Promise<number> => {
    const headers = { authorization: `Bearer ${credential}` };
    return (await handler(new Request('http://localhost/v1/session', { headers }))).status;
  };
  for (let round = 0; round < 60; round += 1) await from('ind_wrong');
  assert.equal(await from('ind_wrong'), 429);
  assert.equal(await from(right), 200);
});

test('NDJSON: line ends of any kind, empty lines, a mark in front, a line too many', async (context) => {
  const { ask, key } = await startHandler(context);
  const writer = await key(['write'], 'alpha');
  const send = (body: string) => ask('POST', events, { key: writer, body, headers: ndjson });
  const line = JSON.stringify(event);
  const mixed = (await (await send(`${line}\r\n\r\n\n${line}\n{\n\ufeff${line}`)).json()) as RecordAnswer;
  assert.deepEqual(
    mixed.results.map(({ ok }) => ok),
    [true, true, false, false],
  );
  assert.deepEqual(await (await send('')).json(), { results: [] });
  const many = await send(`${line}\n`.repeat(1001));
  assert.equal(many.status, 422);
  assert.equal(await codeOf(many), 'event_too_large');
});

test('paths that say the same otherwise lead nowhere else', async (context) => {
  const server = await startHandler(context);
  const { ask, key } = server;
  const bound = await key(['write', 'read', 'audit', 'admin'], 'alpha');
  await ask('POST', '/v1/logs/beta/events', {
    key: await key(['write']),
    json: { ...event, id: 'secret-1' },
  });
  const { url } = await startListening(context, server);
  const headers = { authorization: `Bearer ${bound}` };
  for (const path of [
    '/v1/logs/alpha/../beta/events/secret-1',
    '/v1/logs/alpha/%2e%2e/beta/events/secret-1',
    '/v1/logs/alpha%2f..%2fbeta/events/secret-1',
    '/v1/logs/..%2f..%2f/events',
    '/v1/logs/alpha%00/events',
    '/v1/logs/%62eta/events/secret-1',
    '/v1/logs/BETA/events/secret-1',
    '/v1//logs/beta/events/secret-1',
    '/v1/logs/beta/events/secret-1/',
    '/logs/beta/tile/../checkpoint',
    '/logs/alpha/tile/0/../../../beta/checkpoint',
    '/v1/logs/_server/events',
    '/v1/logs/%5fserver/events',
  ]) {
    assert.equal((await ask('GET', path, { key: bound })).status, 404, path);
    assert.equal((await fetch(`${url}${path}`, { headers })).status, 404, path);
    assert.equal((await ask('HEAD', path, { key: bound })).status, 404, path);
  }
  const found = await ask('GET', '/v1/logs/beta/events/secret-1', { key: await key(['read']) });
  assert.equal(((await found.json()) as EventWire).id, 'secret-1');
});
