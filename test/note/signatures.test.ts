// Both bodies of `#signatures`, Node's and noble's, on the same vectors: they must agree with Go, and with
// each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexDecode, utf8Encode } from 'indelible/bytes';
import * as portable from '#dist/note/signatures-portable.js';
import * as native from '#dist/platform/signatures.js';
import { readVector, vectorsMissing } from '../support/vectors.ts';

interface WycheproofGroup {
  publicKey: string | { pk: string };
  tests: { tcId: number; comment: string; msg: string; sig: string; result: string; ctx?: string }[];
}

for (const [body, signatures] of Object.entries({ native, portable })) {
  test(`${body}: the 914 Ed25519 cases of C2SP CCTV are judged as Go judges them`, {
    skip: vectorsMissing,
  }, () => {
    const cases: { number: number; key: string; sig: string; msg: string; flags: string[] | null }[] =
      JSON.parse(readVector('c2sp-cctv-ed25519/ed25519vectors.json'));
    let accepted = 0;
    for (const { number, key, sig, msg, flags } of cases) {
      const refused = (flags ?? []).some(
        (flag) => flag === 'non_canonical_R' || flag === 'low_order_residue',
      );
      const verdict: boolean = signatures.verifyEd25519(hexDecode(key), utf8Encode(msg), hexDecode(sig));
      assert.equal(verdict, !refused, `case ${number}, ${flags}`);
      if (verdict) accepted += 1;
    }
    assert.equal(cases.length, 914);
    assert.equal(accepted, 208);
  });

  test(`${body}: the Ed25519 cases of Wycheproof`, { skip: vectorsMissing }, () => {
    const groups: WycheproofGroup[] = JSON.parse(readVector('wycheproof/ed25519_test.json')).testGroups;
    let count = 0;
    for (const { publicKey, tests } of groups) {
      assert.ok(typeof publicKey === 'object');
      for (const { tcId, comment, msg, sig, result } of tests) {
        const verdict: boolean = signatures.verifyEd25519(
          hexDecode(publicKey.pk),
          hexDecode(msg),
          hexDecode(sig),
        );
        assert.equal(verdict, result === 'valid', `case ${tcId}, ${comment}`);
        count += 1;
      }
    }
    assert.equal(count, 151);
  });

  test(`${body}: the ML-DSA-44 cases of Wycheproof`, { skip: vectorsMissing }, () => {
    const groups: WycheproofGroup[] = JSON.parse(
      readVector('wycheproof/mldsa_44_verify_test.json'),
    ).testGroups;
    let count = 0;
    for (const { publicKey, tests } of groups) {
      assert.ok(typeof publicKey === 'string');
      // Cosignatures use the empty context, so a signature made under another one must not verify.
      for (const { tcId, comment, msg, sig, result, ctx = '' } of tests) {
        const verdict: boolean = signatures.verifyMldsa44(
          hexDecode(publicKey),
          hexDecode(msg),
          hexDecode(sig),
        );
        assert.equal(verdict, result === 'valid' && ctx === '', `case ${tcId}, ${comment}`);
        count += 1;
      }
    }
    assert.equal(count, 180);
  });

  test(`${body}: signing is deterministic, and what is signed verifies`, () => {
    // RFC 8032 §7.1, the second test.
    const seed = hexDecode('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
    const publicKey = hexDecode('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    const signature = hexDecode(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    );
    const message = Uint8Array.of(0x72);
    assert.deepEqual(signatures.publicKeyFromSeed(seed), publicKey);
    assert.deepEqual(signatures.signEd25519(seed, message), signature);
    const signer = signatures.createEd25519Signer(seed);
    assert.deepEqual(signer.publicKey, publicKey);
    assert.deepEqual(signer.sign(message), signature);
    assert.equal(signatures.verifyEd25519(publicKey, message, signature), true);
    assert.equal(signatures.verifyEd25519(publicKey, Uint8Array.of(0x73), signature), false);
  });

  test(`${body}: an opened signer does not follow its seed when the caller reuses the memory`, () => {
    const seed = new Uint8Array(32).fill(7);
    const signer = signatures.createEd25519Signer(seed);
    const before = signer.sign(Uint8Array.of(1));
    seed.fill(8);
    assert.deepEqual(signer.sign(Uint8Array.of(1)), before);
  });

  test(`${body}: keys and signatures of a wrong length are refused, not thrown at`, () => {
    const lengths = [0, 31, 33, 64, 1312];
    for (const length of lengths) {
      assert.equal(
        signatures.verifyEd25519(new Uint8Array(length), new Uint8Array(1), new Uint8Array(63)),
        false,
      );
      assert.equal(
        signatures.verifyMldsa44(new Uint8Array(length), new Uint8Array(1), new Uint8Array(2419)),
        false,
      );
    }
    assert.equal(signatures.verifyEd25519(new Uint8Array(31), new Uint8Array(1), new Uint8Array(64)), false);
    assert.equal(
      signatures.verifyMldsa44(new Uint8Array(1311), new Uint8Array(1), new Uint8Array(2420)),
      false,
    );
  });
}

for (const [body, signatures] of Object.entries({ native, portable })) {
  test(`${body}: a public key that is no point of the curve verifies nothing`, () => {
    const signer = signatures.createEd25519Signer(new Uint8Array(32).fill(1));
    const message = utf8Encode('a message');
    const signature = signer.sign(message);
    assert.equal(signatures.verifyEd25519(signer.publicKey, message, signature), true);
    // About half of all y have no x: of twenty, some.
    const points = Array.from({ length: 20 }, (_, y) => new Uint8Array(32).fill(y, 0, 1));
    for (const key of points) assert.equal(signatures.verifyEd25519(key, message, signature), false);
  });
}

test('native: more keys than the cache holds all verify, in any order', () => {
  const message = utf8Encode('a message');
  const signers = Array.from({ length: 200 }, (_, index) =>
    native.createEd25519Signer(new Uint8Array(32).fill(index)),
  );
  const signed = signers.map((signer) => ({ signer, signature: signer.sign(message) }));
  for (const { signer, signature } of [...signed, ...signed.toReversed()]) {
    assert.equal(native.verifyEd25519(signer.publicKey, message, signature), true);
  }
});
