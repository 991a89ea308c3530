import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexDecode } from 'indelible/bytes';
import {
  createVerifierKey,
  formatVerifierKey,
  isKeyName,
  keyTypes,
  parseSignerKey,
  parseVerifierKey,
  signerKeyFromSeed,
} from 'indelible/note';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const goNote = () => JSON.parse(readVector('go-sumdb-note/note-vectors.json'));
const seed = new Uint8Array(32).fill(1);

/** A verifier key of the test's own, valid. */
const vkey = parseSignerKey(signerKeyFromSeed('log.example/keys', seed)).vkey;

test('Go’s verifier keys are read and written', { skip: vectorsMissing }, () => {
  const { verifierKeys, publicVkeys } = goNote();
  const texts = [...Object.values<string>(verifierKeys), publicVkeys['sum.golang.org'].split(' ')[0]];
  for (const text of texts) {
    const key = parseVerifierKey(text);
    assert.equal(key.text, text);
    assert.equal(formatVerifierKey(key), text);
    assert.equal(key.type, keyTypes.ed25519);
    assert.equal(key.publicKey.length, 32);
  }
});

test('Go’s bad verifier keys are refused', { skip: vectorsMissing }, () => {
  const { badVerifierKeys, verifierKeys } = goNote();
  for (const text of badVerifierKeys)
    assert.throws(() => parseVerifierKey(text), { name: 'VerificationError' });
  for (const text of Object.values<string>(verifierKeys)) refuseEveryNeighbour(text);
});

/** As Go's own test does: every proper substring, and every character raised by one, is no key. */
function refuseEveryNeighbour(text: string): void {
  for (let end = 0; end < text.length; end += 1) {
    assert.throws(() => parseVerifierKey(text.slice(0, end)), { name: 'VerificationError' }, `cut at ${end}`);
    if (end > 0)
      assert.throws(() => parseVerifierKey(text.slice(end)), { name: 'VerificationError' }, `from ${end}`);
    const raised = text.slice(0, end) + String.fromCharCode(text.charCodeAt(end) + 1) + text.slice(end + 1);
    assert.throws(
      () => parseVerifierKey(raised),
      { name: 'VerificationError' },
      `raised at ${end}: ${raised}`,
    );
  }
}

test('the cosignature keys of transparency-dev', { skip: vectorsMissing }, () => {
  const { accept, reject } = JSON.parse(
    readVector('transparency-dev-formats/checkpoint-vectors.json'),
  ).cosignatureVkeys;
  // The first is an Ed25519 key that Go turns into a cosignature key; read as it stands, it is the type that
  // it says.
  assert.deepEqual(
    accept.map((text: string) => parseVerifierKey(text).type),
    [keyTypes.ed25519, keyTypes.cosignatureV1],
  );
  for (const text of reject) assert.throws(() => parseVerifierKey(text), { name: 'VerificationError' }, text);
});

test('keys from seeds, as another implementation wrote them', { skip: vectorsMissing }, () => {
  for (const vector of JSON.parse(readVector('generated/signed-notes-ed25519.json'))) {
    const text = signerKeyFromSeed(vector.name, hexDecode(vector.seedHex));
    assert.equal(text, vector.goSkey);
    const signer = parseSignerKey(text);
    assert.equal(signer.vkey, vector.vkey);
    assert.equal(signer.name, vector.name);
    assert.equal(signer.keyId, Number.parseInt(vector.keyIdHex, 16));
    assert.deepEqual(parseVerifierKey(signer.vkey).publicKey, hexDecode(vector.publicKeyHex));
  }
});

test('an ML-DSA-44 key is read and written', { skip: vectorsMissing }, () => {
  const { cases } = JSON.parse(readVector('generated/cosignature-mldsa44-subtree.json'));
  for (const { vkey: text } of cases) {
    const key = parseVerifierKey(text);
    assert.equal(key.type, keyTypes.mldsa44);
    assert.equal(key.publicKey.length, 1312);
    assert.equal(formatVerifierKey(key), text);
  }
});

test('a key with base64 that holds a plus sign keeps its name', () => {
  const publicKey = new Uint8Array(32).fill(0xfb);
  const key = createVerifierKey({ name: 'log.example', type: keyTypes.ed25519, publicKey });
  assert.ok(key.text.split('+').length > 3, key.text);
  assert.deepEqual(parseVerifierKey(key.text), key);
});

test('a verifier key has at most 4096 characters', () => {
  const publicKey = new Uint8Array(32);
  const named = (length: number) =>
    createVerifierKey({ name: 'n'.repeat(length), type: keyTypes.ed25519, publicKey }).text;
  const rest = named(1).length - 1;
  assert.equal(parseVerifierKey(named(4096 - rest)).text.length, 4096);
  assert.throws(() => parseVerifierKey(named(4097 - rest)), { code: 'malformed_key' });
});

const mutations: Record<string, string> = {
  empty: '',
  'no-name': vkey.replace('log.example/keys', ''),
  'name-with-space': vkey.replace('log.example', 'log example'),
  'name-with-nbsp': vkey.replace('log.example', 'log\u00a0example'),
  'name-with-next-line': vkey.replace('log.example', 'log\u0085example'),
  'name-with-newline': vkey.replace('log.example', 'log\nexample'),
  'half-a-surrogate': vkey.replace('log', '\ud800'),
  'other-name': vkey.replace('log.example', 'log.example2'),
  'upper-case-key-id': vkey.replace(/\+([0-9a-f]{8})\+/, (_, id) => `+${id.toUpperCase()}+`),
  'short-key-id': vkey.replace(/\+[0-9a-f]([0-9a-f]{7})\+/, '+$1+'),
  'trailing-newline': `${vkey}\n`,
  'leading-space': ` ${vkey}`,
  'padding-added': `${vkey}=`,
  'one-character-short': vkey.slice(0, -1),
  'too-long': `${vkey}${'A'.repeat(5000)}`,
};

for (const [mutation, text] of Object.entries(mutations)) {
  test(`verifier key refused: ${mutation}`, () => {
    assert.notEqual(text, vkey);
    assert.throws(() => parseVerifierKey(text), { code: 'malformed_key' });
  });
}

test('verifier key refused: a type that nobody here verifies', () => {
  // An ECDSA key id is made in another way, so the type must be refused before the id is compared.
  const text = 'log.example+00000000+AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  assert.throws(() => parseVerifierKey(text), { code: 'key_type_unknown' });
});

test('a private key is refused when any part of it is wrong, and the error does not show it', () => {
  const text = signerKeyFromSeed('log.example/keys', seed);
  assert.equal(parseSignerKey(text).vkey, vkey);
  const wrong = {
    'other-prefix': text.replace('PRIVATE', 'PRIVATA'),
    'other-name': text.replace('log.example', 'log.example2'),
    'other-key-id': text.replace(/\+[0-9a-f]{8}\+/, '+00000000+'),
    'seed-too-short': text.replace(/\+[^+]*$/, '+AQEB'),
    'public-key-instead': vkey,
    'trailing-newline': `${text}\n`,
    'no-parts': 'PRIVATE+KEY+',
    'one-part': 'PRIVATE+KEY+log.example',
    'two-parts': 'PRIVATE+KEY+log.example+00000000',
    'empty-name': text.replace('log.example/keys', ''),
    'space-in-name': text.replace('log.', 'log '),
  };
  const secret = text.slice(-20);
  for (const [mutation, bad] of Object.entries(wrong)) {
    assert.throws(
      () => parseSignerKey(bad),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'malformed_key', mutation);
        assert.ok(!String(error.stack).includes(secret), mutation);
        return true;
      },
    );
  }
});

test('making a key of wrong parts is misuse', () => {
  assert.throws(() => signerKeyFromSeed('two words', seed), { name: 'TypeError', code: 'key_name_invalid' });
  assert.throws(() => signerKeyFromSeed('log', seed.subarray(1)), {
    name: 'RangeError',
    code: 'seed_length_invalid',
  });
  assert.throws(() => createVerifierKey({ name: 'log', type: keyTypes.mldsa44, publicKey: seed }), {
    name: 'TypeError',
    code: 'key_length_invalid',
  });
});

test('the spaces of Go, not those of JavaScript, are what a name may not hold', () => {
  const spaces = [
    0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000,
  ];
  for (let point = 0x2000; point <= 0x200a; point += 1) spaces.push(point);
  for (const point of spaces)
    assert.equal(isKeyName(`a${String.fromCodePoint(point)}b`), false, `U+${point.toString(16)}`);
  for (const name of ['a\ufeffb', 'a\u200bb', 'журнал.example/α', '日本', '😀', 'a\u007fb', '—']) {
    assert.equal(isKeyName(name), true, name);
  }
  assert.equal(isKeyName(''), false);
  assert.equal(isKeyName('a+b'), false);
});
