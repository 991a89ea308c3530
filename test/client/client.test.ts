import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from 'indelible';
import { AuditClient } from 'indelible/client';
import { signIn } from '../support/folders.ts';
import type { HostileServer } from './hostile-server.ts';
import { all, forkOf, key, makeWorld, origin } from './world.ts';

/** Says that the test has answered. */
const done = (..._: unknown[]): true => true;

test('records, proves, gets and searches as the embedded log does', async (t) => {
  const { log, client } = await makeWorld(t);
  const remote = client();
  const receipt = await remote.record(signIn('e-1'));
  assert.deepEqual(Object.keys(receipt), ['id', 'index', 'leafHash', 'checkpoint']);
  assert.deepEqual(receipt, await log.record(signIn('e-1')));
  assert.deepEqual(await remote.get('e-1'), await log.get('e-1'));
  assert.equal(await remote.get('nobody'), undefined);
  const results = await remote.recordMany([
    signIn('e-2'),
    { action: 'no dots' } as never,
    signIn('e-3'),
    signIn('e-1'),
  ]);
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [true, false, true, true],
  );
  assert.equal((results[1] as unknown as { error: { code: string } }).error.code, 'event_field_invalid');
  assert.equal(results[3]?.ok && results[3].receipt.index, receipt.index);
  assert.deepEqual((await remote.prove(receipt)).proof, (await log.prove(receipt)).proof);
  const ids = (await all(remote.query('action:user.signed_in'))).map(({ id }) => id);
  assert.deepEqual(ids, ['e-3', 'e-2', 'e-1']);
  const page = await remote.query('', { limit: 2 }).page();
  assert.deepEqual(
    page.events.map(({ id }) => id),
    ['e-3', 'e-2'],
  );
  const rest = await remote.query('', { limit: 2, cursor: page.next! }).page();
  assert.equal(rest.events[0]?.id, 'e-1');
  const { size } = await remote.checkpoint();
  assert.equal(size, 4);
});

test('concurrent calls share requests', async (t) => {
  const { server, client } = await makeWorld(t);
  const remote = client();
  const receipts = await Promise.all(Array.from({ length: 300 }, (_, n) => remote.record(signIn(`e-${n}`))));
  assert.deepEqual(
    receipts.map(({ index }) => index),
    receipts.map((_, n) => n + 1),
  );
  assert.ok(server.requests.length <= 3, server.requests.join('\n'));
});

test('the same content under one id is a repeat, other content a conflict', async (t) => {
  const remote = (await makeWorld(t)).client();
  const first = await remote.record(signIn('e-1'));
  assert.equal((await remote.record(signIn('e-1'))).leafHash, first.leafHash);
  await assert.rejects(remote.record(signIn('e-1', 'u_2')), { name: 'LogError', code: 'id_conflict' });
});

for (const [what, spoil] of Object.entries({
  'the server dies before it did anything': (server: HostileServer) => {
    let left = 2;
    server.before = (_, response) => left-- > 0 && done(response.destroy());
  },
  'the answer is lost after the commit': (server: HostileServer) => {
    let left = 2;
    server.instead = (_, response) => left-- > 0 && done(response.destroy());
  },
  'the answer breaks off in the middle': (server: HostileServer) => {
    let left = 1;
    server.instead = (_, response) => {
      if (left-- <= 0) return false;
      response.writeHead(200, { 'content-length': '5000' });
      response.write('{"results":[{"ok":true');
      setTimeout(() => response.destroy(), 20);
      return true;
    };
  },
  'a proxy answers 502 with a page': (server: HostileServer) => {
    let left = 2;
    server.before = (_, response) => left-- > 0 && done(response.writeHead(502).end('<h1>Bad gateway</h1>'));
  },
})) {
  test(`${what}: tried again under the same id, recorded once`, async (t) => {
    const { log, server, client } = await makeWorld(t);
    spoil(server);
    const receipt = await client({ retryMs: 10_000 }).record({ ...signIn(), id: undefined } as never);
    assert.equal(receipt.index, 1);
    assert.equal((await log.checkpoint()).size, 2);
  });
}

test('Retry-After is honoured', async (t) => {
  const { server, client } = await makeWorld(t);
  let left = 1;
  server.before = (_, response) => left-- > 0 && done(response.writeHead(429, { 'retry-after': '1' }).end());
  const began = performance.now();
  await client({ retryMs: 10_000 }).record(signIn('e-1'));
  assert.ok(performance.now() - began >= 1000);
});

test('a server that stays away is unreachable, and that may pass', async (t) => {
  const { server, client } = await makeWorld(t);
  await server.close();
  await assert.rejects(client({ retryMs: 300 }).record(signIn('e-1')), {
    code: 'unreachable',
    retryable: true,
  });
});

test('a key that is not taken is refused at once', async (t) => {
  const { server, client } = await makeWorld(t);
  server.before = (_, response) => done(response.writeHead(401).end());
  await assert.rejects(client().record(signIn('e-1')), { code: 'credential_refused' });
  assert.equal(server.requests.length, 1);
});

test('answers that are not ours', async (t) => {
  const { server, client } = await makeWorld(t);
  for (const text of [
    '',
    'hello',
    '[]',
    '{}',
    '{"results":[]}',
    '{"results":[{"ok":true}]}',
    '{"a":1,"a":2}',
  ]) {
    server.before = (_, response) => done(response.end(text));
    await assert.rejects(client().record(signIn('e-1')), { code: 'answer_invalid' }, text);
  }
});

interface Answered {
  results: {
    ok: boolean;
    receipt: {
      index: number;
      leafHash: string;
      proof: string;
      bytes: { entry: string; disclosures: string[] };
    };
  }[];
  checkpoint: string;
}

const entryOf = (answer: Answered): string =>
  Buffer.from(answer.results[0]!.receipt.bytes.entry, 'base64').toString();
const withEntry = (answer: Answered, entry: string): void => {
  answer.results[0]!.receipt.bytes.entry = Buffer.from(entry).toString('base64');
};

for (const [what, code, bend] of [
  [
    'an entry with other content',
    'inclusion_invalid',
    (answer: Answered) => withEntry(answer, entryOf(answer).replace('u_1', 'u_9')),
  ],
  [
    'another index',
    'receipt_invalid',
    (answer: Answered) => {
      answer.results[0]!.receipt.index += 1;
    },
  ],
  [
    'another leaf hash',
    'receipt_invalid',
    (answer: Answered) => {
      answer.results[0]!.receipt.leafHash = 'AAAA';
    },
  ],
  [
    'withheld values',
    'receipt_invalid',
    (answer: Answered) => void answer.results[0]!.receipt.bytes.disclosures.pop(),
  ],
  [
    'a value that was not sent',
    'receipt_invalid',
    (answer: Answered) =>
      void answer.results[0]!.receipt.bytes.disclosures.splice(
        0,
        1,
        '["AAAAAAAAAAAAAAAAAAAAAA","name","Mallory"]',
      ),
  ],
  [
    'a checkpoint that nobody signed',
    'signature_invalid',
    (answer: Answered) => {
      answer.checkpoint = answer.checkpoint.replace(/\n\d+\n/, '\n99\n');
    },
  ],
  [
    'a proof under another checkpoint',
    'receipt_invalid',
    (answer: Answered) => {
      answer.results[0]!.receipt.proof = answer.results[0]!.receipt.proof.replace(
        /— .*\n/,
        (line) => `${line}${line}`,
      );
    },
  ],
] as const) {
  test(`a receipt with ${what} is refused: ${code}`, async (t) => {
    const { server, client } = await makeWorld(t);
    server.bend = (_, answer) => {
      bend(answer as unknown as Answered);
      return answer;
    };
    await assert.rejects(client().record(signIn('e-1')), { name: 'VerificationError', code });
  });
}

test('attack-15: a receipt of another event, true in every part, is refused', async (t) => {
  const { log, server, client } = await makeWorld(t);
  await log.record(signIn('e-0', 'u_0'));
  const remote = client();
  const other = (await remote.record(signIn('e-0', 'u_0'))).id;
  assert.equal(other, 'e-0');
  let kept: Answered | undefined;
  server.bend = (_, answer) => {
    kept = structuredClone(answer) as unknown as Answered;
    return answer;
  };
  await remote.record(signIn('e-1'));
  server.bend = () => kept as unknown as Record<string, unknown>;
  await assert.rejects(remote.record(signIn('e-2')), { code: 'receipt_invalid' });
});

test('a server that records something else under the id, and proves that, is refused', async (t) => {
  const { server, client } = await makeWorld(t);
  for (const [id, sent, recorded] of [
    ['e-1', '"id":"u_1"', '"id":"u_9"'],
    ['e-2', 'Name of u_1', 'Name of u_9'],
    ['e-3', '"targets":[]', '"targets":[],"reason":"none was given"'],
  ] as const) {
    server.before = (request) => {
      assert.ok(request.path.includes('/events?') && request.body.includes(sent));
      request.body = request.body.replaceAll(sent, recorded);
      return false;
    };
    await assert.rejects(
      client().record(signIn(id)),
      { name: 'VerificationError', code: 'receipt_invalid' },
      id,
    );
  }
});

test('a log under another key is refused, and so is its receipt', async (t) => {
  const { folder, server, client } = await makeWorld(t);
  const remote = client();
  const other = await createLog(join(folder, 'other'), { origin, thread: 'caller' });
  t.after(() => other.close());
  server.log = other;
  await assert.rejects(remote.record(signIn('e-1')), { name: 'VerificationError', code: /signature/ });
});

test('a server that forks is found out by the next receipt, with both checkpoints in hand', async (t) => {
  const world = await makeWorld(t);
  const remote = world.client();
  await remote.record(signIn('e-1'));
  const fork = await forkOf(t, world);
  const seen = await remote.record(signIn('e-2'));
  world.server.log = fork;
  await fork.recordMany([signIn('f-1'), signIn('f-2'), signIn('f-3')]);
  await assert.rejects(
    remote.record(signIn('e-3')),
    (error: Error & { code: string; details: Record<string, string> }) => {
      assert.equal(error.code, 'forked');
      assert.equal(error.details['older'], seen.checkpoint);
      assert.match(error.details['newer']!, /^example\.com\/audit\n/);
      return true;
    },
  );
  await assert.rejects(remote.checkpoint(), { code: 'forked' });
  await assert.rejects(all(remote.query()), { code: /forked|inclusion_invalid|tile_invalid/ });
  world.server.log = world.log;
  await remote.record(signIn('e-4'));
});

test('a fork of the same size is found out too', async (t) => {
  const world = await makeWorld(t);
  const remote = world.client();
  await remote.record(signIn('e-1'));
  const fork = await forkOf(t, world);
  await remote.record(signIn('e-2'));
  await fork.record(signIn('f-1'));
  while ((await fork.checkpoint()).size > (await world.log.checkpoint()).size)
    await world.log.record(signIn());
  await remote.checkpoint();
  world.server.log = fork;
  await assert.rejects(remote.checkpoint(), { code: 'forked' });
});

test('a server that goes back is found out, also by the next life of the client', async (t) => {
  const world = await makeWorld(t);
  const state = join(world.folder, 'state');
  const first = world.client({ state });
  await first.record(signIn('e-1'));
  const old = await forkOf(t, world);
  await first.record(signIn('e-2'));
  await first.record(signIn('e-3'));
  await first.close();
  assert.match(readFileSync(join(state, 'checkpoint'), 'utf8'), /^example\.com\/audit\n4\n/);
  world.server.log = old;
  const second = world.client({ state });
  await assert.rejects(second.checkpoint(), { code: 'rolled_back' });
  await assert.rejects(second.record(signIn('e-4')), { code: /rolled_back|forked/ });
});

test('others write too: consistency is proven by tiles', async (t) => {
  const { log, server, client } = await makeWorld(t);
  const remote = client();
  await remote.record(signIn('e-1'));
  await log.recordMany(Array.from({ length: 700 }, () => signIn()));
  await remote.record(signIn('e-2'));
  assert.ok(server.requests.some((request) => request.includes('/tile/1/')));
  const asked = server.requests.length;
  await remote.record(signIn('e-3'));
  assert.equal(
    server.requests.length,
    asked + 1,
    'whose event comes next needs no tiles: its own proof tells',
  );
  assert.equal((await remote.get('e-2'))?.id, 'e-2');
});

test('an event that is shown otherwise than it was recorded is refused', async (t) => {
  const { server, client } = await makeWorld(t);
  const remote = client();
  await remote.record(signIn('e-1'));
  server.bend = (_, answer) => {
    const [event] = (answer['events'] as never[]) ?? [answer];
    const { bytes } = event as unknown as { bytes: { entry: string } };
    bytes.entry = Buffer.from(Buffer.from(bytes.entry, 'base64').toString().replace('u_1', 'u_9')).toString(
      'base64',
    );
    return answer;
  };
  await assert.rejects(remote.get('e-1'), { code: 'inclusion_invalid' });
  await assert.rejects(remote.query('action:user.signed_in').page(), { code: 'inclusion_invalid' });
});

test('the options are held to what is known', (t) => {
  void t;
  const good = { url: 'https://audit.example.com', key, vkey: 'x' };
  const vkey = 'example.com/audit+00000000+AQ==';
  const code = (options: object) => {
    try {
      new AuditClient({ ...good, ...options } as never);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return undefined;
  };
  assert.equal(code({ vkei: vkey }), 'option_unknown');
  assert.equal(code({ vkey }), 'malformed_key');
  assert.equal(code({ key: 'two words' }), 'option_invalid');
  assert.equal(existsSync('state'), false);
});

test('no key travels in the open, and none in an address', async (t) => {
  const { log } = await makeWorld(t);
  const make =
    (url: string, more = {}) =>
    () =>
      new AuditClient({ url, key, vkey: log.vkey, ...more });
  for (const url of [
    'http://audit.example.com',
    'https://me@audit.example.com',
    'ftp://audit.example.com',
    'audit',
    'https://a.example/?key=x',
  ]) {
    assert.throws(make(url), { code: 'option_invalid' }, url);
  }
  make('http://audit.example.com', { allowPlainHttp: true })();
  make('https://audit.example.com/indelible/v1/logs/acme')();
  assert.throws(make('https://audit.example.com/logs/acme', { log: 'other' }), { code: 'option_invalid' });
  assert.throws(make('https://audit.example.com', { onFailure: 'spool' }), { code: 'option_invalid' });
  for (const state of ['', 1, null, {}, { checkpoints: {} }, { checkpoints: { read: () => undefined } }])
    assert.throws(make('https://audit.example.com', { state } as never), { code: 'option_invalid' });
});
