// What a witness may answer, and what of it is believed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { askWitness, problemOfWitnessUrl, WITNESS_ANSWER_BYTES_MAX } from 'indelible/anchor';
import {
  cosignerKeyFromSeed,
  keyTypes,
  parseAddCheckpoint,
  parseCosignerKey,
  parseNote,
} from 'indelible/note';
import { TestLog } from '../witness/world.ts';

const log = new TestLog().grow(7);
const seed = (byte: number) => new Uint8Array(32).fill(byte);
const ed25519 = parseCosignerKey(cosignerKeyFromSeed('w.example', keyTypes.cosignatureV1, seed(1)));
const mldsa = parseCosignerKey(cosignerKeyFromSeed('w.example', keyTypes.mldsa44, seed(2)));
const stranger = parseCosignerKey(cosignerKeyFromSeed('x.example', keyTypes.cosignatureV1, seed(3)));
const { text } = parseNote(log.note());

interface Said {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | ReadableStream;
}

async function ask(said: Said | ((url: string, init: RequestInit) => Promise<Response>), timeoutMs = 200) {
  const fetch =
    typeof said === 'function'
      ? said
      : async () =>
          new Response(said.body ?? '', { status: said.status ?? 200, headers: said.headers ?? {} });
  const question = { oldSize: 3, proof: log.proof(3, 7), note: log.note(), url: 'http://127.0.0.1:1/w/' };
  return askWitness({ ...question, keys: [ed25519.key, mldsa.key], fetch, timeoutMs });
}

test('the request is what the specification says, to the prefix that was given', async () => {
  const sent: { url: string; init: RequestInit }[] = [];
  await ask(async (url, init) => {
    sent.push({ url, init });
    return new Response('', { status: 500 });
  });
  const { url, init } = sent[0]!;
  assert.equal(url, 'http://127.0.0.1:1/w/add-checkpoint');
  assert.equal(init.redirect, 'manual');
  const { oldSize, proof, note } = parseAddCheckpoint(init.body as Uint8Array);
  assert.deepEqual({ oldSize, proof, note }, { oldSize: 3, proof: log.proof(3, 7), note: log.note() });
});

describe('signatures', () => {
  const line = ed25519.cosign(text, 1_700_000_000n);

  test('of its own keys are kept, those of others dropped', async () => {
    const both = [line, mldsa.cosign(text, 1_700_000_000n)];
    const body = [stranger.cosign(text, 5n), ...both, ''].join('\n');
    assert.deepEqual(await ask({ body }), { kind: 'cosigned', lines: both });
  });

  const bad: Record<string, string> = {
    'of nobody known': `${stranger.cosign(text, 5n)}\n`,
    'over another checkpoint': `${ed25519.cosign(parseNote(log.note(6)).text, 5n)}\n`,
    'without a time': `${mldsa.cosign(text, 0n)}\n`,
    'one good, one bad': `${line}\n${mldsa.cosign(parseNote(log.note(6)).text, 5n)}\n`,
    'in the year 10000': `${ed25519.cosign(text, 253_402_300_800n)}\n`,
    'at a time that no clock has': `${ed25519.cosign(text, 2n ** 62n)}\n`,
    'no line at all': '',
    'without a last newline': line,
    'not signature lines': '<html>\n',
  };
  for (const [name, body] of Object.entries(bad)) {
    test(`${name}: declined`, async () => {
      assert.equal((await ask({ body })).kind, 'declined');
    });
  }
});

describe('refusals', () => {
  const size = { 'content-type': 'text/x.tlog.size' };
  const cases: [string, Said, object][] = [
    ['409 with a size', { status: 409, headers: size, body: '5\n' }, { kind: 'size', size: 5 }],
    ['409 without its type', { status: 409, body: '5\n' }, { kind: 'fork', status: 409 }],
    [
      '409 with a size that is none',
      { status: 409, headers: size, body: '05\n' },
      { kind: 'fork', status: 409 },
    ],
    ['409 and nothing', { status: 409 }, { kind: 'fork', status: 409 }],
    ['422', { status: 422 }, { kind: 'fork', status: 422 }],
    ['429', { status: 429 }, { kind: 'away', why: 'it answered 429' }],
    [
      '503 with Retry-After',
      { status: 503, headers: { 'retry-after': '7' } },
      { kind: 'away', why: 'it answered 503', retryAfterMs: 7_000 },
    ],
    [
      '429 that would switch itself off for good',
      { status: 429, headers: { 'retry-after': '99999999' } },
      { kind: 'away', why: 'it answered 429', retryAfterMs: 3_600_000 },
    ],
  ];
  for (const [name, said, wanted] of cases) {
    test(name, async () => assert.deepEqual(await ask(said), wanted));
  }
  for (const status of [400, 403, 404, 307, 204, 413]) {
    const kind = status === 403 || status === 404 ? 'unknown' : 'declined';
    test(`${status}: ${kind}`, async () => {
      const answer = await ask(async () => new Response(null, { status }));
      assert.equal(answer.kind, kind);
    });
  }
});

describe('limits', () => {
  test('an answer without end is cut off', async () => {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1024;
        controller.enqueue(new Uint8Array(1024).fill(65));
      },
    });
    assert.equal((await ask({ body })).kind, 'declined');
    assert.ok(sent <= WITNESS_ANSWER_BYTES_MAX + 65_536);
  });

  test('one that never answers is away', async () => {
    const hang = (_: string, { signal }: RequestInit) =>
      new Promise<Response>((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(signal!.reason));
      });
    const keep = setInterval(() => {}, 1000);
    assert.deepEqual(await ask(hang, 50), { kind: 'away', why: 'it did not answer within 50 ms' });
    clearInterval(keep);
  });

  test('one that cannot be reached is away', async () => {
    const answer = await ask((url, init) => globalThis.fetch(url, init));
    assert.equal(answer.kind, 'away');
  });
});

test('addresses', () => {
  for (const url of ['https://w.example', 'http://127.0.0.1:4041/prefix/']) {
    assert.equal(problemOfWitnessUrl(url), undefined, url);
  }
  for (const url of [
    'w.example',
    'file:///etc/passwd',
    'https://a:b@w.example',
    'https://w.example/?q',
    'https://w.example/#f',
  ]) {
    assert.ok(problemOfWitnessUrl(url), url);
  }
});
