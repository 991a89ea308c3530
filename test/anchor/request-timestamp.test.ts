// Asking a time-stamping authority: what it may answer, and what is done with the rest.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  checkTimestampSettings,
  readTimestampSettings,
  requestTimestamp,
  TIMESTAMP_ANSWER_BYTES_MAX,
  writeTimestampSettings,
} from 'indelible/anchor';
import { temporaryFolder } from '../support/folders.ts';
import {
  type Chain,
  forgeToken,
  granted,
  listen,
  makeChain,
  openssl,
  opensslMissing,
  POLICY,
  questionParts,
  rejected,
  reply,
} from '../support/tsa.ts';

const text = Buffer.from('example.com/audit\n3\npipUvjMpT/1aXExjf9dUYwtxqJLoNW46Zmpcin/9FRg=\n');

describe('requestTimestamp', { skip: opensslMissing }, () => {
  let folder: string;
  let chain: Chain;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(folder);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function authority(t: TestContext, behave?: (question: Buffer, response: ServerResponse) => void) {
    const tsa = await listen(t, folder, chain);
    tsa.behave = behave;
    const settings = { name: 'tsa', url: tsa.url, certificates: chain.root.pem };
    const ask = (more: object = {}, of: object = {}) =>
      requestTimestamp({ ...settings, ...of }, { text, now: Date.now(), ...more });
    return { tsa, ask };
  }
  const forge = (question: Buffer, more: object = {}) =>
    granted(forgeToken({ text, signer: chain.tsa, nonce: questionParts(question).nonce, ...more }));

  test('the question is what openssl asks too, and the answer what openssl verifies', async (t) => {
    const { tsa, ask } = await authority(t);
    const { token, verdict } = await ask({}, { policy: POLICY });
    assert.equal(verdict.trust, 'anchored');
    const question = tsa.questions[0]!;
    writeFileSync(join(folder, 'q'), question);
    const shown = String(openssl(['ts', '-query', '-in', join(folder, 'q'), '-text']));
    assert.match(shown, /Version: 1\nHash Algorithm: sha256\n/);
    assert.match(shown, /Policy OID: \S+\n/);
    assert.match(shown, /Nonce: 0x[0-9A-F]{31,32}\nCertificate required: yes\nExtensions:/);
    assert.deepEqual(questionParts(question).imprint, createHash('sha256').update(text).digest());
    writeFileSync(join(folder, 'token'), token);
    const words = ['-in', join(folder, 'token'), '-token_in', '-queryfile', join(folder, 'q')];
    openssl(['ts', '-verify', ...words, '-CAfile', chain.root.cert]);
    await ask();
    const [first, second] = tsa.questions.map((asked) =>
      Buffer.from(questionParts(asked).nonce).toString('hex'),
    );
    assert.notEqual(first, second, 'no nonce comes twice');
  });

  const wrong: readonly (readonly [string, string, (question: Buffer) => Buffer])[] = [
    ['another imprint', 'timestamp_imprint_mismatch', (q) => forge(q, { text: Buffer.from('other') })],
    ['another nonce', 'timestamp_nonce_mismatch', (q) => forge(q, { nonce: Buffer.from([9]) })],
    ['no nonce', 'timestamp_nonce_mismatch', (q) => forge(q, { nonce: undefined })],
    [
      'a time ahead',
      'timestamp_time_invalid',
      (q) => forge(q, { genTime: new Date(Date.now() + 3_600_000) }),
    ],
    [
      'a time before the last stamp',
      'timestamp_time_invalid',
      (q) => forge(q, { genTime: new Date(Date.now() - 3_600_000) }),
    ],
    ['rejected: bad algorithm', 'timestamp_refused', () => rejected(0, 'not that one')],
    ['rejected: no source of time', 'timestamp_refused', () => rejected(14, 'no clock')],
    ['half an answer', 'malformed_timestamp', (q) => forge(q).subarray(0, 300)],
    ['something behind it', 'malformed_timestamp', (q) => Buffer.concat([forge(q), Buffer.from('x')])],
    ['a page', 'malformed_timestamp', () => Buffer.from('<html>welcome</html>')],
    ['nothing', 'malformed_timestamp', () => Buffer.alloc(0)],
    ['granted, without a token', 'malformed_timestamp', () => Buffer.from('30053003020100', 'hex')],
  ];
  for (const [name, code, make] of wrong) {
    test(`an answer that is not believed: ${name}`, async (t) => {
      const { ask } = await authority(t, (question, response) => void response.end(make(question)));
      await assert.rejects(ask({ notBefore: Date.now() }), { name: 'VerificationError', code });
    });
  }

  test('why an authority says no is told', async (t) => {
    const { ask } = await authority(
      t,
      (_, response) => void response.end(rejected(15, 'ask the sales team')),
    );
    await assert.rejects(ask(), { message: /rejected: unknown policy; ask the sales team\./ });
    const strict = await authority(t);
    await assert.rejects(strict.ask({}, { policy: '1.2.3.4.9' }), { code: 'timestamp_refused' });
  });

  test('an answer under another policy than the one that was asked for is not believed', async (t) => {
    const { ask } = await authority(t, (question, response) => void response.end(forge(question)));
    await assert.rejects(ask({}, { policy: '1.2.3.4.2' }), { code: 'timestamp_policy_mismatch' });
  });

  for (const status of [429, 408, 500, 503]) {
    test(`status ${status} is tried again later`, async (t) => {
      const { ask } = await authority(t, (_, response) => void response.writeHead(status).end());
      await assert.rejects(ask(), { name: 'LogError', code: 'unreachable', retryable: true });
    });
  }

  test('redirects are not followed, and other refusals are told', async (t) => {
    const { tsa, ask } = await authority(
      t,
      (_, response) => void response.writeHead(302, { location: '/x' }).end(),
    );
    await assert.rejects(ask(), { code: 'answer_invalid', message: /status 302/ });
    assert.equal(tsa.questions.length, 1);
    tsa.behave = (_, response) => void response.writeHead(404).end();
    await assert.rejects(ask(), { code: 'answer_invalid', retryable: false });
  });

  test('a huge answer is not taken in, whatever length it says', async (t) => {
    let sent = 0;
    const { ask } = await authority(t, (_, response) => {
      const more = (): void => {
        sent += 65_536;
        if (response.write(Buffer.alloc(65_536, 0x30)) || sent < 200_000_000) setImmediate(more);
      };
      response.on('close', () => {
        sent = Number.POSITIVE_INFINITY;
      });
      response.on('error', () => {});
      more();
    });
    await assert.rejects(ask(), {
      code: 'answer_invalid',
      message: new RegExp(`${TIMESTAMP_ANSWER_BYTES_MAX} bytes`),
    });
  });

  test('who does not answer is not waited for: before the answer, in the midst of it, after the log is closed', async (t) => {
    const { tsa, ask } = await authority(t, () => {});
    await assert.rejects(ask({ timeoutMs: 100 }), { code: 'unreachable', message: /in time/ });
    tsa.behave = (question, response) => void response.write(reply(folder, chain, question).subarray(0, 10));
    await assert.rejects(ask({ timeoutMs: 300 }), { code: 'unreachable' });
    const closing = new AbortController();
    setTimeout(() => closing.abort(), 50);
    await assert.rejects(ask({ signal: closing.signal }), { code: 'unreachable' });
    await assert.rejects(ask({}, { url: 'http://127.0.0.1:9/' }), { code: 'unreachable', retryable: true });
  });
});

test('settings are refused by name, and read as they were written', (t) => {
  const one = { name: 'a', url: 'https://tsa.example.com/' };
  const refused: readonly (readonly [unknown, string])[] = [
    [null, 'option_invalid'],
    [{ authorities: 'x' }, 'option_invalid'],
    [{ authorities: [], every: 1 }, 'option_unknown'],
    [{ authorities: [], everyMs: 0 }, 'option_invalid'],
    [{ authorities: [one, one] }, 'option_invalid'],
    [{ authorities: Array(17).fill(one) }, 'option_invalid'],
    [{ authorities: [{ ...one, name: 'A b' }] }, 'option_invalid'],
    [{ authorities: [{ ...one, url: 'file:///etc' }] }, 'option_invalid'],
    [{ authorities: [{ ...one, url: 'https://user:secret@tsa.example.com/' }] }, 'option_invalid'],
    [{ authorities: [{ ...one, policy: '1.2.x' }] }, 'option_invalid'],
    [{ authorities: [{ ...one, certificates: 'none' }] }, 'option_invalid'],
    [{ authorities: [{ ...one, ca: 'x' }] }, 'option_unknown'],
  ];
  for (const [settings, code] of refused) {
    assert.throws(() => checkTimestampSettings(settings), { code }, JSON.stringify(settings));
  }
  const path = join(temporaryFolder(t), 'timestamps.json');
  assert.equal(readTimestampSettings(path), undefined);
  writeTimestampSettings(path, { everyMs: 5, authorities: [one] });
  assert.deepEqual(readTimestampSettings(path), { everyMs: 5, authorities: [one] });
  writeFileSync(path, '{"authorities":[],"authorities":[]}');
  assert.throws(() => readTimestampSettings(path), { code: 'option_invalid' });
});
