import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { base64Encode, hexDecode, hexEncode, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  cosignatureV1Message,
  createVerifierKey,
  formatCheckpoint,
  formatNote,
  formatSignatureLine,
  keyTypes,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseNote,
  parseSignerKey,
  parseVerifierKey,
  signerKeyFromSeed,
  signNote,
  subtreeMessage,
  verifySubtreeSignature,
} from 'indelible/note';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const origin = 'log.example/checkpoints';
const root = new Uint8Array(32).fill(5);
const log = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(1)));
const logKey = parseVerifierKey(log.vkey);
const text = formatCheckpoint({ origin, size: 1234, root });

test('a checkpoint is three lines, and reading it gives back what was written', () => {
  assert.equal(text, `${origin}\n1234\n${base64Encode(root)}\n`);
  assert.deepEqual(parseCheckpoint(text), { origin, size: 1234, root, extensions: [] });
  const extended = { origin: 'a log with spaces + more', size: 0, root, extensions: ['one', 'two — three'] };
  assert.deepEqual(parseCheckpoint(formatCheckpoint(extended)), extended);
});

test('sizes are exact to 2^53 - 1 and refused above', () => {
  const largest = formatCheckpoint({ origin, size: Number.MAX_SAFE_INTEGER, root });
  assert.equal(parseCheckpoint(largest).size, 9007199254740991);
  for (const size of ['9007199254740992', '9007199254740993', '18446744073709551615']) {
    assert.throws(() => parseCheckpoint(text.replace('1234', size)), { code: 'malformed_checkpoint' });
  }
  for (const size of [-1, 1.5, Number.NaN, 2 ** 53]) {
    assert.throws(() => formatCheckpoint({ origin, size, root }), {
      name: 'RangeError',
      code: 'size_out_of_range',
    });
  }
});

const mutations: Record<string, string> = {
  empty: '',
  'one-line': `${origin}\n`,
  'two-lines': `${origin}\n1234\n`,
  'no-last-newline': text.slice(0, -1),
  'empty-origin': text.replace(origin, ''),
  'size-with-leading-zero': text.replace('1234', '01234'),
  'size-negative': text.replace('1234', '-1234'),
  'size-with-plus': text.replace('1234', '+1234'),
  'size-with-space': text.replace('1234', ' 1234'),
  'size-hexadecimal': text.replace('1234', '0x4d2'),
  'size-empty': text.replace('1234', ''),
  'root-31-bytes': text.replace(base64Encode(root), base64Encode(root.subarray(1))),
  'root-33-bytes': text.replace(base64Encode(root), base64Encode(new Uint8Array(33))),
  'root-not-canonical': text.replace('U=\n', 'V=\n'),
  'root-url-safe': text.replace(base64Encode(root), `${'-'.repeat(43)}=`),
  'empty-extension-line': `${text}\n`,
  'carriage-return': text.replaceAll('\n', '\r\n'),
  'control-character-in-origin': text.replace('log.', 'log\u0007'),
};

for (const [mutation, bad] of Object.entries(mutations)) {
  test(`checkpoint refused: ${mutation}`, () => {
    assert.notEqual(bad, text);
    assert.throws(() => parseCheckpoint(bad), { code: 'malformed_checkpoint' });
  });
}

test('transparency-dev: what C2SP refuses is refused, though Go takes some of it', {
  skip: vectorsMissing,
}, () => {
  const { unmarshal } = JSON.parse(readVector('transparency-dev-formats/checkpoint-vectors.json'));
  for (const { in: bad, c2spAccepts } of unmarshal) {
    assert.equal(c2spAccepts, false);
    assert.throws(() => parseCheckpoint(bad), { code: 'malformed_checkpoint' }, bad);
  }
});

test('the checkpoint printed in the specification, and what its witness signed', {
  skip: vectorsMissing,
}, () => {
  const examples = JSON.parse(readVector('c2sp-spec-examples/examples.json'));
  const note = parseNote(utf8Encode(examples.checkpointWithCosignature_parseOnly));
  assert.equal(parseCheckpoint(note.text).size, 20852163);
  const timestamp = new DataView(note.signatures[1]!.signature.buffer).getBigUint64(0);
  assert.equal(timestamp, BigInt(examples.cosignatureTimestampInExample));
  assert.equal(utf8Decode(cosignatureV1Message(timestamp, note.text)), examples.cosignatureV1SignedMessage);
});

test('a log’s own Go checkpoint under an origin that is not its key’s name opens when asked for', () => {
  const note = signNote(formatCheckpoint({ origin: 'go.sum database tree', size: 7, root }), [log]);
  const opened = openCheckpoint(note, { origin: 'go.sum database tree', keys: [logKey] });
  assert.equal(opened.checkpoint.size, 7);
  assert.throws(() => openCheckpoint(note, { origin, keys: [logKey] }), { code: 'origin_mismatch' });
});

test('Sunlight: witness checkpoints open with the witness’s key, unknown log signatures beside it', {
  skip: vectorsMissing,
}, () => {
  for (const name of ['witness', 'witness2', 'mirror']) {
    const { verifier_keys: keys } = JSON.parse(readVector(`sunlight-witness/${name}.v0.json`));
    const note = utf8Encode(readVector(`sunlight-witness/${name}-checkpoint.txt`));
    const opened = openNote(note, keys.map(parseVerifierKey));
    assert.equal(opened.verified[0]?.timestamp, 1767139200n);
    assert.equal(parseCheckpoint(opened.text).size, 300);
    assert.equal(opened.unknown.length, name === 'witness' ? 1 : 0);
    // One bit of the tree's root, and the witness no longer vouches for it.
    const altered = formatNote({ ...parseNote(note), text: opened.text.replace('300', '301') });
    assert.throws(() => openNote(altered, keys.map(parseVerifierKey)), { code: 'signature_invalid' });
  }
});

test('cosignature/v1: another implementation’s signatures verify, and no other text does', {
  skip: vectorsMissing,
}, () => {
  const cases = JSON.parse(readVector('generated/cosignature-v1-ed25519.json'));
  for (const vector of cases) {
    const key = parseVerifierKey(vector.vkey);
    const note = utf8Encode(`${vector.checkpointBody}\n${vector.signatureLine}`);
    assert.equal(openNote(note, [key]).verified[0]?.timestamp, BigInt(vector.timestamp));
    const message = utf8Decode(cosignatureV1Message(BigInt(vector.timestamp), vector.checkpointBody));
    assert.equal(message, vector.signedMessage);
    const other = utf8Encode(`${vector.checkpointBody.replace('audit', 'audid')}\n${vector.signatureLine}`);
    assert.throws(() => openNote(other, [key]), { code: 'signature_invalid' });
  }
  assert.equal(cases.length, 4);
});

test('cosignature/v1: the timestamp is signed, has 63 bits, and a plain signature is none', {
  skip: vectorsMissing,
}, () => {
  const [vector] = JSON.parse(readVector('generated/cosignature-v1-ed25519.json'));
  const key = parseVerifierKey(vector.vkey);
  const { text: body, signatures } = parseNote(
    utf8Encode(`${vector.checkpointBody}\n${vector.signatureLine}`),
  );
  const [line] = signatures;
  const reopen = (signature: Uint8Array) =>
    openNote(utf8Encode(`${body}\n${formatSignatureLine({ ...line!, signature })}\n`), [key]);
  assert.equal(reopen(line!.signature).verified.length, 1);
  for (const position of [0, 7, 8, 71]) {
    const flipped = line!.signature.slice();
    flipped[position]! ^= 0x80;
    assert.throws(() => reopen(flipped), { code: 'signature_invalid' }, `byte ${position}`);
  }
  assert.throws(() => reopen(line!.signature.subarray(8)), { code: 'signature_invalid' });
  assert.throws(() => reopen(line!.signature.subarray(0, 8)), { code: 'signature_invalid' });
});

test('a witness signs checkpoints only: on another text its signature is refused', {
  skip: vectorsMissing,
}, () => {
  const [vector] = JSON.parse(readVector('generated/cosignature-v1-ed25519.json'));
  const note = utf8Encode(`not a checkpoint\n\n${vector.signatureLine}`);
  assert.throws(() => openNote(note, [parseVerifierKey(vector.vkey)]), { code: 'malformed_checkpoint' });
});

test('ML-DSA-44: the exact bytes that are signed, and signatures over checkpoints and subtrees', {
  skip: vectorsMissing,
}, () => {
  const { cases } = JSON.parse(readVector('generated/cosignature-mldsa44-subtree.json'));
  for (const vector of cases) {
    const key = parseVerifierKey(vector.vkey);
    const subtree = {
      timestamp: BigInt(vector.timestamp),
      origin: vector.origin,
      start: vector.start,
      end: vector.end,
      hash: hexDecode(vector.subtreeHashHex),
    };
    assert.equal(hexEncode(subtreeMessage(vector.cosignerName, subtree)), vector.cosignedMessageHex);
    const [line] = parseNote(utf8Encode(`x\n\n${vector.signatureLine}`)).signatures;
    const signature = line!.signature.subarray(8);
    verifySubtreeSignature(key, subtree, signature);
    const wrong = [
      { ...subtree, origin: `${subtree.origin}x` },
      { ...subtree, end: subtree.end + 1 },
      { ...subtree, timestamp: subtree.timestamp + 1n },
      { ...subtree, hash: root },
    ];
    for (const other of wrong) {
      assert.throws(() => verifySubtreeSignature(key, other, signature), { code: 'signature_invalid' });
    }
  }
  assert.equal(cases.length, 4);
});

test('ML-DSA-44: a checkpoint cosigned with it opens', { skip: vectorsMissing }, () => {
  const { cases } = JSON.parse(readVector('generated/cosignature-mldsa44-subtree.json'));
  for (const vector of cases.filter(({ start }: { start: number }) => start === 0)) {
    const key = parseVerifierKey(vector.vkey);
    const hash = hexDecode(vector.subtreeHashHex);
    const body = formatCheckpoint({ origin: vector.origin, size: vector.end, root: hash });
    const opened = openNote(utf8Encode(`${body}\n${vector.signatureLine}`), [key]);
    assert.equal(opened.verified[0]?.timestamp, BigInt(vector.timestamp));
    // The signature does not cover extension lines: they can be added without breaking it, so nobody may lean
    // on them.
    openNote(utf8Encode(`${body}an extension\n\n${vector.signatureLine}`), [key]);
    const other = formatCheckpoint({ origin: vector.origin, size: vector.end + 1, root: hash });
    assert.throws(() => openNote(utf8Encode(`${other}\n${vector.signatureLine}`), [key]), {
      code: 'signature_invalid',
    });
  }
});

test('torchwood: a log’s checkpoint signed with ML-DSA-44', { skip: vectorsMissing }, () => {
  const vector = JSON.parse(readVector('torchwood-litewitness/mldsa44-log-checkpoint.json'));
  const key = parseVerifierKey(vector.logVkey);
  const note = utf8Encode(vector.requestBody.slice(vector.requestBody.indexOf('\n\n') + 2));
  const { checkpoint, verified } = openCheckpoint(note, { origin: key.name, keys: [key] });
  assert.equal(verified[0]?.timestamp, BigInt(vector.timestamp));
  const signed = {
    ...checkpoint,
    timestamp: BigInt(vector.timestamp),
    start: 0,
    end: checkpoint.size,
    hash: checkpoint.root,
  };
  assert.equal(hexEncode(subtreeMessage(key.name, signed)), vector.cosignedMessageHex);
  const altered = formatNote({
    ...parseNote(note),
    text: formatCheckpoint({ ...checkpoint, size: checkpoint.size + 1 }),
  });
  assert.throws(() => openCheckpoint(altered, { origin: key.name, keys: [key] }), {
    code: 'signature_invalid',
  });
});

test('litewitness: the checkpoints of the exchanges open, where their signature is said to verify', {
  skip: vectorsMissing,
}, () => {
  const { logVkey, exchangesInOrder } = JSON.parse(
    readVector('torchwood-litewitness/add-checkpoint-exchanges.json'),
  );
  const key = parseVerifierKey(logVkey);
  let verified = 0;
  for (const { body, notes } of exchangesInOrder) {
    const note = utf8Encode(body.slice(body.indexOf('\n\n') + 2));
    if (notes?.signatureVerifies === true && notes.originKnown !== false) {
      assert.equal(openCheckpoint(note, { origin: key.name, keys: [key] }).checkpoint.origin, key.name);
      verified += 1;
    } else {
      assert.throws(() => openCheckpoint(note, { origin: key.name, keys: [key] }), {
        name: 'VerificationError',
      });
    }
  }
  assert.ok(verified >= 3, `${verified} verified`);
});

test('a subtree that does not start at 0 cannot claim a time, and names must fit their length byte', () => {
  const subtree = { timestamp: 0n, origin, start: 256, end: 512, hash: root };
  assert.throws(() => verifySubtreeSignature(logKey, subtree, root), { code: 'key_type_invalid' });
  assert.throws(() => subtreeMessage('', subtree), { code: 'name_length_invalid' });
  assert.throws(() => subtreeMessage('n'.repeat(256), subtree), { code: 'name_length_invalid' });
  assert.equal(subtreeMessage('n'.repeat(255), subtree).length, 12 + 256 + 8 + 1 + origin.length + 16 + 32);
  assert.throws(() => subtreeMessage('n', { ...subtree, start: -1 }), { code: 'size_out_of_range' });
  assert.throws(() => subtreeMessage('n', { ...subtree, timestamp: 2n ** 63n }), {
    code: 'size_out_of_range',
  });
  const latest = subtreeMessage('n', { ...subtree, timestamp: 2n ** 63n - 1n });
  assert.ok(hexEncode(latest).includes('7fffffffffffffff'));
  const high = subtreeMessage('n', { ...subtree, start: 2 ** 32 + 5, end: 2 ** 53 - 1 });
  assert.ok(hexEncode(high).includes('0000000100000005001fffffffffffff'));
});

test('ML-DSA-44: what a cosigner signs against the rules is refused, though its signature is good', () => {
  const { secretKey, publicKey } = ml_dsa44.keygen(new Uint8Array(32).fill(1));
  const key = createVerifierKey({ name: 'w.example', type: keyTypes.mldsa44, publicKey });
  const honest = { timestamp: 5n, origin, start: 0, end: 256, hash: root };
  const sign = (subtree: typeof honest) => ml_dsa44.sign(subtreeMessage(key.name, subtree), secretKey);
  verifySubtreeSignature(key, honest, sign(honest));
  const part = { ...honest, timestamp: 0n, start: 256, end: 512 };
  verifySubtreeSignature(key, part, sign(part));
  // A part of a tree cannot be the largest tree that somebody has seen, so it carries no time.
  const timed = { ...part, timestamp: 5n };
  assert.throws(() => verifySubtreeSignature(key, timed, sign(timed)), { code: 'signature_invalid' });
});

test('ML-DSA-44: an origin that the signed message has no room for is a signature that fails', () => {
  const { publicKey } = ml_dsa44.keygen(new Uint8Array(32).fill(1));
  const key = createVerifierKey({ name: 'w.example', type: keyTypes.mldsa44, publicKey });
  const long = 'o'.repeat(256);
  const line = formatSignatureLine({ ...key, signature: new Uint8Array(8 + 2420) });
  const note = utf8Encode(`${formatCheckpoint({ origin: long, size: 1, root })}\n${line}\n`);
  assert.throws(() => openNote(note, [key]), { code: 'signature_invalid' });
  const nameless = createVerifierKey({ name: 'n'.repeat(256), type: keyTypes.mldsa44, publicKey });
  const subtree = { timestamp: 0n, origin, start: 0, end: 1, hash: root };
  assert.throws(() => verifySubtreeSignature(nameless, subtree, new Uint8Array(2420)), {
    code: 'signature_invalid',
  });
});

test('a cosignature that is too short to hold a time fails', () => {
  const { publicKey } = logKey;
  const key = createVerifierKey({ name: 'w.example', type: keyTypes.cosignatureV1, publicKey });
  for (const length of [1, 7, 8, 9]) {
    const line = formatSignatureLine({ ...key, signature: new Uint8Array(length) });
    const note = utf8Encode(`${text}\n${line}\n`);
    assert.throws(() => openNote(note, [key]), { code: 'signature_invalid' }, `${length} bytes`);
  }
});

test('a checkpoint that only witnesses have signed has no log behind it', () => {
  const witness = parseSignerKey(signerKeyFromSeed('witness.example', new Uint8Array(32).fill(2)));
  const witnessKey = parseVerifierKey(witness.vkey);
  const trust = { origin, keys: [logKey], cosigners: [witnessKey] };
  assert.equal(openCheckpoint(signNote(text, [log, witness]), trust).verified.length, 2);
  assert.throws(() => openCheckpoint(signNote(text, [witness]), trust), { code: 'signature_unknown' });
});

test('writing what is no checkpoint is misuse', () => {
  for (const line of ['', 'two\nlines', 'tab\t', 'half \udc00']) {
    assert.throws(() => formatCheckpoint({ origin: line, size: 1, root }), {
      code: 'checkpoint_line_invalid',
    });
    assert.throws(() => formatCheckpoint({ origin, size: 1, root, extensions: [line] }), {
      code: 'checkpoint_line_invalid',
    });
  }
  assert.throws(() => formatCheckpoint({ origin, size: 1, root: new Uint8Array(31) }), {
    code: 'hash_length_invalid',
  });
});
