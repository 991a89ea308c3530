// The offline verifier of time-stamps, against openssl and against what no authority would sign.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as asn1js from 'asn1js';
import { answerAround, parseCertificates, type TimestampEvidence, verifyTimestamp } from 'indelible/anchor';
import {
  attribute,
  type Chain,
  caExtensions,
  type Forgery,
  forgeToken,
  makeChain,
  makeIdentity,
  openssl,
  opensslMissing,
  POLICY,
  reply,
  tsaExtensions,
} from '../support/tsa.ts';

const text = Buffer.from('example.com/audit\n3\npipUvjMpT/1aXExjf9dUYwtxqJLoNW46Zmpcin/9FRg=\n');

/** Where a token holds what is signed, the signature, and the certificate of its signer. */
function signedPlaces(token: Buffer, signer: Buffer): (at: number) => boolean {
  const { result } = asn1js.fromBER(new Uint8Array(token).buffer);
  const signedData = ((result as asn1js.Sequence).valueBlock.value[1] as asn1js.Constructed).valueBlock
    .value[0];
  const [, , content, , infos] = (signedData as asn1js.Sequence).valueBlock.value;
  const info = ((infos as asn1js.Set).valueBlock.value[0] as asn1js.Sequence).valueBlock.value;
  const parts = [content!, info[3]!, info[5]!].map((part) => Buffer.from(part.valueBeforeDecodeView));
  const ranges = [...parts, signer].map((part) => ({ from: token.indexOf(part), length: part.length }));
  assert.ok(ranges.every(({ from, length }) => from > 0 && length > 40));
  return (at) => ranges.some(({ from, length }) => at >= from && at < from + length);
}

describe('verifyTimestamp', { skip: opensslMissing }, () => {
  let folder: string;
  let ec: Chain;
  let rsa: Chain;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    ec = makeChain(folder, 'ec', 'ec');
    rsa = makeChain(folder, 'rsa', 'rsa');
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** The token that openssl gives for the text. */
  function stamped(chain: Chain, lines: readonly string[] = []): Buffer {
    writeFileSync(join(folder, 'text'), text);
    const query = openssl(['ts', '-query', '-data', join(folder, 'text'), '-sha256', '-cert']);
    writeFileSync(join(folder, 'answer.tsr'), reply(folder, chain, query, lines));
    return openssl(['ts', '-reply', '-in', join(folder, 'answer.tsr'), '-token_out']);
  }

  const judge = (token: Uint8Array, more: Partial<TimestampEvidence> = {}) =>
    verifyTimestamp({ text, token, certificates: [ec.root.der], now: Date.now(), ...more });
  const forged = (forgery: Partial<Forgery> = {}): Buffer => forgeToken({ text, signer: ec.tsa, ...forgery });
  const refused = (token: Uint8Array, code: string, more: Partial<TimestampEvidence> = {}) =>
    assert.rejects(judge(token, more), { name: 'VerificationError', code });

  for (const kind of ['rsa', 'ec'] as const) {
    for (const lines of [
      [],
      ['ess_cert_id_alg=sha1'],
      ['ess_cert_id_chain=yes', 'tsa_name=yes', 'accuracy=secs:1, millisecs:5'],
    ]) {
      test(`a token of openssl holds: ${kind} ${lines.join(' ')}`, async () => {
        const chain = kind === 'rsa' ? rsa : ec;
        const token = stamped(chain, lines);
        const verdict = await judge(token, { certificates: [chain.root.der], policy: POLICY });
        assert.equal(verdict.trust, 'anchored');
        assert.equal(verdict.policy, POLICY);
        assert.match(verdict.signer, new RegExp(`CN=${kind}$`));
        assert.ok(Math.abs(verdict.timeMs - Date.now()) < 60_000);
        // The authority's own certificate may be what is trusted; without any, nobody vouches for it.
        assert.equal((await judge(token, { certificates: [chain.tsa.der] })).trust, 'anchored');
        assert.equal((await judge(token, { certificates: undefined })).trust, 'inside');
        await refused(token, 'timestamp_untrusted', { certificates: [(kind === 'rsa' ? ec : rsa).root.der] });
        await refused(token, 'timestamp_untrusted', { certificates: [] });
      });
    }
  }

  test('openssl ts -verify holds what we hold, in the file that we write around a token', async () => {
    const token = forged();
    await judge(token);
    writeFileSync(join(folder, 'text'), text);
    writeFileSync(join(folder, 'out.tsr'), answerAround(token));
    const words = ['ts', '-verify', '-in', join(folder, 'out.tsr'), '-CAfile', ec.root.cert];
    openssl([...words, '-data', join(folder, 'text')]);
    writeFileSync(join(folder, 'text'), 'other');
    assert.throws(() => openssl([...words, '-data', join(folder, 'text')]));
  });

  test('what was stamped is this text, under this nonce and policy', async () => {
    const nonce = Buffer.from([1, 2, 3]);
    await judge(forged({ nonce }), { nonce });
    await refused(forged(), 'timestamp_imprint_mismatch', { text: Buffer.from('another') });
    await refused(forged({ nonce }), 'timestamp_nonce_mismatch', { nonce: Buffer.from([1, 2, 4]) });
    await refused(forged(), 'timestamp_nonce_mismatch', { nonce });
    await refused(forged(), 'timestamp_policy_mismatch', { policy: '1.2.3.4.9' });
  });

  test('SHA-1 is refused wherever it would carry weight', async () => {
    await refused(forged({ imprintHash: 'sha1' }), 'timestamp_algorithm_refused');
    await refused(forged({ digest: 'sha1' }), 'timestamp_algorithm_refused');
    await refused(forgeToken({ text, signer: rsa.tsa, digest: 'sha1' }), 'timestamp_algorithm_refused');
    const weak = makeIdentity(folder, 'weak', { extensions: tsaExtensions, issuer: ec.root, digest: 'sha1' });
    await refused(forged({ signer: weak }), 'timestamp_algorithm_refused');
  });

  const purposes: readonly (readonly [string, readonly string[], string])[] = [
    ['none', [], 'timestamp_signer_invalid'],
    ['not critical', ['extendedKeyUsage=timeStamping'], 'timestamp_signer_invalid'],
    ['another', ['extendedKeyUsage=critical,codeSigning'], 'timestamp_signer_invalid'],
    ['one more', ['extendedKeyUsage=critical,timeStamping,codeSigning'], 'timestamp_signer_invalid'],
    [
      'no right to sign',
      ['extendedKeyUsage=critical,timeStamping', 'keyUsage=critical,keyAgreement'],
      'timestamp_signer_invalid',
    ],
    [
      'an unknown critical extension',
      ['extendedKeyUsage=critical,timeStamping', '1.2.3.4.5=critical,DER:0500'],
      'timestamp_signer_invalid',
    ],
  ];
  for (const [name, extensions, code] of purposes) {
    test(`a signer's certificate with ${name} for its purpose is refused`, async () => {
      const signer = makeIdentity(folder, 'unfit', {
        extensions: [...extensions, 'subjectKeyIdentifier=hash'],
        issuer: ec.root,
      });
      await refused(forged({ signer }), code);
      await refused(forged({ signer }), code, { certificates: [signer.der] });
    });
  }

  test('the signed attributes name the certificate that signed', async () => {
    const twin = makeIdentity(folder, 'twin', { extensions: tsaExtensions, issuer: ec.root });
    await judge(forged({ referenceVersion: 1 }));
    await refused(forged({ reference: 'none' }), 'timestamp_signer_invalid');
    await refused(forged({ reference: ec.root.der, certificates: [ec.tsa.der] }), 'timestamp_signer_invalid');
    await refused(forged({ certificates: [] }), 'timestamp_signer_invalid');
    // Named and there, but not who signed.
    await refused(
      forged({ reference: twin.der, certificates: [ec.tsa.der, twin.der] }),
      'timestamp_signature_invalid',
    );
    const again = attribute('1.2.840.113549.1.9.3', new asn1js.ObjectIdentifier({ value: '1.2.3' }));
    await refused(forged({ extraAttributes: [again] }), 'malformed_timestamp');
  });

  test('certificates count at the time of the stamp, not today', async () => {
    const old = makeIdentity(folder, 'old', {
      extensions: tsaExtensions,
      issuer: ec.root,
      from: '20210101000000Z',
      to: '20220101000000Z',
    });
    await judge(forged({ signer: old, genTime: new Date('2021-06-01T00:00:00Z') }));
    await refused(forged({ signer: old }), 'timestamp_certificate_expired');
    await refused(
      forged({ signer: old, genTime: new Date('2020-12-31T23:59:59Z') }),
      'timestamp_certificate_expired',
    );
    await refused(forged({ signer: old }), 'timestamp_certificate_expired', { certificates: undefined });
    const brief = makeIdentity(folder, 'brief', { extensions: caExtensions, to: '20210101000000Z' });
    const below = makeIdentity(folder, 'below', { extensions: tsaExtensions, issuer: brief });
    await refused(forged({ signer: below }), 'timestamp_certificate_expired', { certificates: [brief.der] });
  });

  test('every certificate of the chain may issue the one below it', async () => {
    const middle = makeIdentity(folder, 'middle', { extensions: caExtensions, issuer: ec.root });
    const leaf = makeIdentity(folder, 'leaf', { extensions: tsaExtensions, issuer: middle });
    await judge(forged({ signer: leaf, certificates: [leaf.der, middle.der] }));
    await judge(forged({ signer: leaf }), { certificates: [middle.der] });
    await refused(forged({ signer: leaf }), 'timestamp_untrusted');
    // An authority that lets its own certificate issue others: no right to.
    const greedy = makeIdentity(folder, 'greedy', {
      extensions: ['subjectKeyIdentifier=hash'],
      issuer: ec.root,
    });
    const under = makeIdentity(folder, 'under', { extensions: tsaExtensions, issuer: greedy });
    await refused(forged({ signer: under, certificates: [under.der, greedy.der] }), 'timestamp_untrusted');
    const short = makeIdentity(folder, 'short', {
      extensions: ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign'],
    });
    const one = makeIdentity(folder, 'one', { extensions: caExtensions, issuer: short });
    const two = makeIdentity(folder, 'two', { extensions: tsaExtensions, issuer: one });
    await refused(forged({ signer: two, certificates: [two.der, one.der] }), 'timestamp_untrusted', {
      certificates: [short.der],
    });
    // The same name under another key: it did not sign.
    const other = mkdtempSync(join(folder, 'x-'));
    const namesake = makeIdentity(other, 'ec-root', { extensions: caExtensions });
    await refused(forged(), 'timestamp_untrusted', { certificates: [namesake.der] });
  });

  test('a stamp lies not in the future, nor before the one over a smaller log', async () => {
    const now = Date.now();
    const at = (ms: number) => forged({ genTime: new Date(now + ms) });
    await judge(at(200_000), { now });
    await refused(at(400_000), 'timestamp_time_invalid', { now });
    await judge(at(0), { notBefore: now + 200_000 });
    await refused(at(0), 'timestamp_time_invalid', { notBefore: now + 400_000 });
    await refused(at(0), 'timestamp_time_invalid', { notBefore: now + 4000, toleranceMs: 1000 });
  });

  test('a token is one whole element in DER', async () => {
    const token = forged();
    for (let length = 0; length < token.length; length += 13) {
      await refused(token.subarray(0, length), 'malformed_timestamp');
    }
    await refused(Buffer.concat([token, Buffer.from([0])]), 'malformed_timestamp');
    await refused(Buffer.concat([token, token]), 'malformed_timestamp');
    // An indefinite length, as BER would have it.
    await refused(
      Buffer.concat([Buffer.from([0x30, 0x80]), token.subarray(4), Buffer.from([0, 0])]),
      'malformed_timestamp',
    );
    await refused(Buffer.alloc(200_000, 0x30), 'malformed_timestamp');
    await refused(Buffer.from('3080'.repeat(100), 'hex'), 'malformed_timestamp');
    await refused(randomBytes(1000), 'malformed_timestamp');
  });

  for (const kind of ['rsa', 'ec'] as const) {
    test(`no flipped bit of a token makes another verdict: ${kind}`, async () => {
      const chain = kind === 'rsa' ? rsa : ec;
      const certificates = [chain.root.der];
      const token = stamped(chain);
      const verdict = await judge(token, { certificates });
      const isSigned = signedPlaces(token, chain.tsa.der);
      // Every byte of what is signed by the authority or named by it; of the rest, some.
      for (let at = 0; at < token.length; at += isSigned(at) ? 5 : 29) {
        const flipped = Buffer.from(token);
        flipped[at]! ^= 1 << (at % 8);
        try {
          assert.deepEqual(await judge(flipped, { certificates }), verdict);
          assert.ok(!isSigned(at), `byte ${at} may be changed`);
        } catch (error) {
          assert.equal((error as Error).name, 'VerificationError', `byte ${at}: ${error}`);
        }
      }
    });
  }

  test('certificates come from PEM, text around them or not, or DER', () => {
    assert.deepEqual(
      parseCertificates(Buffer.from(`a\n${ec.root.pem}\nb\n${ec.tsa.pem}`)).map((der) => Buffer.from(der)),
      [ec.root.der, ec.tsa.der],
    );
    assert.deepEqual(parseCertificates(ec.root.der), [ec.root.der]);
    assert.throws(() => parseCertificates(Buffer.from('nothing')), { code: 'malformed_timestamp' });
  });
});
