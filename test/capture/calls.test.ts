import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CallRecords, outcomeOf } from '#dist/capture/calls.js';
import { pickFields } from '#dist/capture/fields.js';

const call = { method: 'POST', route: '/x', status: 200, durationMs: 1.26, isAborted: false };

describe('credentials are never recorded', () => {
  const names = [
    ...[
      'password',
      'newPassword',
      'pass_word',
      'passphrase',
      'secret',
      'client_secret',
      'token',
      'access-token',
    ],
    ...[
      'Authorization',
      'cookie',
      'set-cookie',
      'apiKey',
      'api_key',
      'x-api-key',
      'sessionId',
      'otp',
      'pin',
      'cvv',
    ],
    ...['creditCardNumber', 'private_key', 'csrf', 'user.password', 'code', 'refreshToken'],
  ];
  for (const name of names) {
    test(`an allow-list that names ${name} is refused`, () => {
      assert.throws(() => new CallRecords({ body: [name] }), {
        code: 'option_invalid',
        message: new RegExp(name),
      });
      assert.throws(() => new CallRecords({ query: [name] }), { code: 'option_invalid' });
    });
  }
  test('nor in the names that integrations of a second factor, of a shop or of a cloud give them', () => {
    const names = ['verificationCode', 'recovery_codes', 'backupCodes', 'smsCode', 'pass', 'passkey'];
    const more = ['encryptionKey', 'magicLink', 'sig', 'auth', 'user[password]', 'PASSWORD', 'resetCode'];
    const variables = Object.fromEntries([...names, ...more].map((name) => [name, 'x']));
    assert.deepEqual(pickFields({ variables: { ...variables, id: 1 } }, ['variables']), {
      variables: { id: 1 },
    });
  });

  test('nor within a text: an address, a query, a document of GraphQL, JSON, a known key', () => {
    const texts = [
      'https://user:hunter2@example.org/',
      'https://example.org/back?token=abc',
      'https://example.org/blob?sv=1&sig=abc',
      'mutation { login(name: "a", password: "hunter2") { id } }',
      '{"password":"hunter2"}',
      String.raw`{\"api_key\": \"abc\"}`,
      'xoxb-123-abc',
      'sk-proj-abcdefgh1234',
      'github_pat_11ABC',
      'ASIAABCDEFGHIJKLMNOP',
      'see eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc',
    ];
    for (const text of texts) assert.deepEqual(pickFields({ text }, ['text']), { text: '(left out)' }, text);
    const harmless = ['https://example.org/a?page=2', 'a token gesture', 'the password was changed', 'SK-1'];
    for (const text of harmless) assert.deepEqual(pickFields({ text }, ['text']), { text });
  });

  test('however a text is made up, looking at it takes no time', () => {
    const made = ['eyJ', 'eyJ-', '//', '//a:', 'password', '-----BEGIN ', 'sk-', 'token"'];
    const began = performance.now();
    for (const part of made) pickFields({ text: part.repeat(250_000) }, ['text']);
    assert.ok(performance.now() - began < 1000);
  });

  test('nor further in what is allowed, nor where a value gives itself away', () => {
    const body = {
      user: { id: 'u_1', password: 'x', nested: { apiKey: 'x', list: [{ token: 'x', ok: 1 }] } },
      note: 'Bearer abcdef',
      jwt: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc',
      text: 'a key: ind_abcdef',
    };
    assert.deepEqual(pickFields(body, ['user', 'note', 'text']), {
      user: { id: 'u_1', nested: { list: [{ ok: 1 }] } },
      note: '(left out)',
      text: '(left out)',
    });
  });
});

test('fields are cut to what an event can hold, so that no body makes a record fail', () => {
  const deep = { a: { b: { c: { d: { e: 1 } } } } };
  const picked = pickFields(
    {
      long: 'x'.repeat(5000),
      odd: '\ud800',
      huge: 2 ** 60,
      nan: Number.NaN,
      big: 10n,
      made: { _sd: [1], ok: true },
      deep,
      list: Array.from({ length: 500 }, (_, n) => n),
      call: () => 1,
    },
    ['long', 'odd', 'huge', 'nan', 'big', 'made', 'deep', 'list', 'call', 'missing', 'toString', '__proto__'],
  );
  assert.equal(String(picked?.['long']).length, 1024);
  assert.deepEqual(picked?.['odd'], '\ufffd');
  assert.deepEqual([picked?.['huge'], picked?.['nan']], [String(2 ** 60), 'NaN']);
  assert.deepEqual(picked?.['made'], { ok: true });
  assert.deepEqual(picked?.['deep'], { a: { b: { c: {} } } });
  assert.equal((picked!['list'] as unknown[]).length, 64);
  for (const name of ['big', 'call', 'missing', 'toString']) assert.ok(!Object.hasOwn(picked!, name), name);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, 'y'.repeat(1000)]));
  const kept = Object.keys(pickFields(many, Object.keys(many)) ?? {});
  assert.ok(kept.length > 4 && kept.length < 9, 'all of them together have a limit');
  assert.equal(pickFields('text', ['a']), undefined);
  assert.equal(pickFields({}, ['a']), undefined);
});

test('outcomes by status', () => {
  const outcome = (status: number | undefined, isAborted = false) => outcomeOf({ status, isAborted });
  assert.deepEqual(
    [200, 204, 301, 399].map((status) => outcome(status)),
    Array(4).fill('success'),
  );
  assert.deepEqual(
    [400, 401, 403, 404, 429].map((status) => outcome(status)),
    Array(5).fill('denied'),
  );
  assert.deepEqual(
    [500, 503].map((status) => outcome(status)),
    ['failure', 'failure'],
  );
  assert.deepEqual([outcome(undefined), outcome(200, true)], ['unknown', 'unknown']);
});

test('rules: what is recorded, what is skipped, under which name', () => {
  const wanted = (rules: object, change: object = {}) =>
    new CallRecords(rules).eventOf({ ...call, ...change }, {}) !== undefined;
  assert.equal(wanted({}, { method: 'GET' }), false);
  assert.equal(wanted({ record: 'all' }, { method: 'GET' }), true);
  assert.equal(wanted({ record: () => true }, { method: 'OPTIONS' }), true);
  assert.equal(wanted({ skip: ['/x'] }), false);
  assert.equal(wanted({ skip: ['GET /x'] }), true);
  assert.equal(wanted({ skip: ['/metrics/*'] }, { route: '/metrics/a' }), false);
  assert.equal(wanted({ skip: ({ status }: { status: number }) => status === 200 }), false);
  assert.equal(wanted({}, { route: undefined }), false);
  const named = new CallRecords({
    action: ({ method }) => `api.${method.toLowerCase()}`,
    outcome: () => 'unknown',
  });
  const event = named.eventOf(call, {});
  assert.deepEqual([event?.action, event?.outcome], ['api.post', 'unknown']);
  assert.deepEqual(event?.metadata, { method: 'POST', route: '/x', status: 200, durationMs: 1.3 });
  assert.throws(() => new CallRecords({ sample: 0.1 } as never), { code: 'option_unknown' });
  assert.throws(() => new CallRecords({ body: 'all' as never }), { code: 'option_invalid' });
});
