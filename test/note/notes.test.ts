import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64Encode, concatBytes, hexDecode, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  formatNote,
  NOTE_BYTES_MAX,
  NOTE_SIGNATURES_MAX,
  openNote,
  parseNote,
  parseSignerKey,
  parseVerifierKey,
  type Signer,
  signerKeyFromSeed,
  signNote,
} from 'indelible/note';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const goNote = () => JSON.parse(readVector('go-sumdb-note/note-vectors.json'));

const signerOf = (name: string, byte: number) =>
  parseSignerKey(signerKeyFromSeed(name, new Uint8Array(32).fill(byte)));
const ada = signerOf('ada.example/log', 1);
const bob = signerOf('bob.example/log', 2);
const adaKey = parseVerifierKey(ada.vkey);
const bobKey = parseVerifierKey(bob.vkey);

const text = 'first line\n\nthird line, after an empty one\n';
const honest = utf8Decode(signNote(text, [ada, bob]));
const [adaLine = '', bobLine = ''] = honest.slice(text.length + 1).split('\n');

const linesOf = (note: string, keys = [adaKey]) => openNote(utf8Encode(note), keys);

test('Go: the same text and key give the same note', { skip: vectorsMissing }, () => {
  const { signerKey, sign } = goNote();
  assert.equal(utf8Decode(signNote(sign.text, [parseSignerKey(signerKey)])), sign.signedNote);
});

test('Go: notes open as they open there', { skip: vectorsMissing }, () => {
  const { open, verifierKeys } = goNote();
  const codes: Record<string, string> = {
    'note has no verifiable signatures': 'signature_unknown',
    'invalid signature for key PeterNeumann+c74f20a3': 'signature_invalid',
    'malformed note': 'malformed_note',
    'ambiguous key EnochRoot+af0cfe78': 'key_ambiguous',
  };
  for (const vector of open) {
    const { prefix, line, count } = vector.noteRepeat ?? {};
    const note = utf8Encode(vector.note ?? prefix + line.repeat(count));
    const keys = vector.known.map((name: string) => parseVerifierKey(verifierKeys[name]));
    if (vector.error !== undefined) {
      assert.throws(() => openNote(note, keys), { code: codes[vector.error] }, vector.name);
      continue;
    }
    const { verified, unknown } = openNote(note, keys);
    assert.deepEqual(
      verified.map(({ key }) => key.name),
      vector.verified,
      vector.name,
    );
    assert.equal(unknown.length, vector.unverifiedCount ?? vector.unverified.length, vector.name);
  }
  assert.equal(open.length, 7);
});

test('Go: malformed notes are refused', { skip: vectorsMissing }, () => {
  for (const vector of goNote().malformed) {
    const note = typeof vector === 'string' ? utf8Encode(vector) : hexDecode(vector.latin1);
    assert.throws(() => parseNote(note), { code: 'malformed_note' });
  }
});

test('notes that another implementation signed are made again, byte for byte', {
  skip: vectorsMissing,
}, () => {
  for (const vector of JSON.parse(readVector('generated/signed-notes-ed25519.json'))) {
    const note = signNote(vector.text, [parseSignerKey(vector.goSkey)]);
    assert.equal(utf8Decode(note), vector.signedNote);
    const opened = openNote(note, [parseVerifierKey(vector.vkey)]);
    assert.equal(opened.text, vector.text);
    assert.equal(opened.verified[0]?.key.name, vector.name);
  }
});

test('the examples printed in the specifications', { skip: vectorsMissing }, () => {
  const examples = JSON.parse(readVector('c2sp-spec-examples/examples.json'));
  const { note, vkey } = examples.signedNote;
  assert.equal(openNote(utf8Encode(note), [parseVerifierKey(vkey)]).text, 'This is an example message.\n');
  const poem = parseNote(utf8Encode(examples.noteWithBlankLinesInText_parseOnly));
  assert.ok(poem.text.endsWith('\n\ned è subito sera.\n'), 'the text is split at the last empty line');
  assert.equal(poem.signatures[0]?.name, 'quasimodo.example/salvatore');
  assert.equal(parseNote(utf8Encode(examples.checkpointWithCosignature_parseOnly)).signatures.length, 2);
});

test('a note is signed by all signers and opens for any of them', () => {
  for (const keys of [[adaKey], [bobKey], [adaKey, bobKey], [bobKey, adaKey]]) {
    const opened = openNote(utf8Encode(honest), keys);
    assert.equal(opened.text, text);
    assert.deepEqual(new Set(opened.verified.map(({ key }) => key)), new Set(keys));
    assert.equal(opened.unknown.length, 2 - keys.length);
  }
});

test('a signer may be a class of its own: a door to a key that lies elsewhere', () => {
  class Remote implements Signer {
    get name() {
      return ada.name;
    }
    get keyId() {
      return ada.keyId;
    }
    get vkey() {
      return ada.vkey;
    }
    sign(message: Uint8Array) {
      assert.ok(this instanceof Remote);
      return ada.sign(message);
    }
  }
  assert.deepEqual(signNote(text, [new Remote(), bob]), utf8Encode(honest));
});

test('grease: unknown lines in any order and of any length change nothing', () => {
  const grease = [1, 76, 2432, 5000].map(
    (length, index) => `— grease-${index}.example ${base64Encode(new Uint8Array(length + 4).fill(index))}`,
  );
  const arrangements = [
    [...grease, adaLine],
    [adaLine, ...grease],
    [...grease.slice(0, 2), adaLine, ...grease.slice(2), bobLine],
    [...grease.toReversed(), bobLine, adaLine],
  ];
  for (const lines of arrangements) {
    const opened = linesOf(`${text}\n${lines.join('\n')}\n`);
    assert.deepEqual(
      opened.verified.map(({ key }) => key),
      [adaKey],
    );
    assert.equal(opened.unknown.length, lines.length - 1);
  }
});

test('a key id or a name alone does not make a line known', () => {
  const sameName = adaLine.replace(/ [^ ]*$/, ` ${base64Encode(new Uint8Array(68).fill(3))}`);
  const sameId = adaLine.replace('ada.example', 'eve.example');
  const opened = linesOf(`${text}\n${sameName}\n${sameId}\n${adaLine}\n`);
  assert.equal(opened.verified.length, 1);
  assert.equal(opened.unknown.length, 2);
});

test('evidence is counted once: a repeated line, and a later line of the same key, add nothing', () => {
  const broken = flipSignature(adaLine);
  const opened = linesOf(`${text}\n${adaLine}\n${adaLine}\n${broken}\n${bobLine}\n${bobLine}\n`);
  assert.equal(opened.verified.length, 1);
  assert.deepEqual(
    opened.unknown.map(({ line }) => line),
    [bobLine],
  );
  // The first line of a key is the one that counts, so a broken one cannot hide behind a good one.
  assert.throws(() => linesOf(`${text}\n${broken}\n${adaLine}\n`), { code: 'signature_invalid' });
});

function flipSignature(line: string): string {
  const last = line.at(-10)!;
  return line.slice(0, -10) + (last === 'A' ? 'B' : 'A') + line.slice(-9);
}

test('one known signature that fails refuses the note, though another verifies', () => {
  const note = `${text}\n${adaLine}\n${flipSignature(bobLine)}\n`;
  assert.equal(linesOf(note, [adaKey]).verified.length, 1);
  assert.throws(() => linesOf(note, [adaKey, bobKey]), { code: 'signature_invalid' });
});

test('a signature of a known key that has the wrong length fails', () => {
  const bytes = concatBytes(new Uint8Array(4), new Uint8Array(63));
  new DataView(bytes.buffer).setUint32(0, adaKey.keyId);
  assert.throws(() => linesOf(`${text}\n— ${adaKey.name} ${base64Encode(bytes)}\n`), {
    code: 'signature_invalid',
  });
});

test('ambiguous key sets are refused', () => {
  const renamed = parseVerifierKey(signerOf('other-name.example', 1).vkey);
  for (const keys of [
    [adaKey, adaKey],
    [adaKey, bobKey, parseVerifierKey(ada.vkey)],
    [adaKey, renamed],
  ]) {
    assert.throws(() => linesOf(honest, keys), { code: 'key_ambiguous' });
  }
});

test(`a note has at most ${NOTE_SIGNATURES_MAX} signature lines`, () => {
  const grease = Array.from(
    { length: NOTE_SIGNATURES_MAX - 1 },
    (_, index) => `— g${index} ${base64Encode(new Uint8Array(8))}`,
  );
  const atLimit = [...grease, adaLine];
  assert.equal(linesOf(`${text}\n${atLimit.join('\n')}\n`).unknown.length, NOTE_SIGNATURES_MAX - 1);
  assert.throws(() => linesOf(`${text}\n${[...atLimit, grease[0]].join('\n')}\n`), {
    code: 'malformed_note',
  });
});

test(`a note has at most ${NOTE_BYTES_MAX} bytes`, () => {
  const frame = signNote('x\n', [ada]).length - 1;
  const long = (bytes: number) => signNote(`${'x'.repeat(bytes - frame)}\n`, [ada]);
  assert.equal(long(NOTE_BYTES_MAX).length, NOTE_BYTES_MAX);
  assert.equal(openNote(long(NOTE_BYTES_MAX), [adaKey]).verified.length, 1);
  assert.throws(() => parseNote(long(NOTE_BYTES_MAX + 1)), { code: 'malformed_note' });
});

const mutations: Record<string, string> = {
  empty: '',
  'only-newlines': '\n\n',
  'no-signature-lines': `${text}\n`,
  'no-empty-line': `${text.trimEnd()}\n${adaLine}\n`,
  'no-empty-line-at-all': `x${adaLine}\n`,
  'no-last-newline': honest.slice(0, -1),
  'extra-last-newline': `${honest}\n`,
  'carriage-return': honest.replaceAll('\n', '\r\n'),
  'tab-in-text': honest.replace('first', '\tfirst'),
  'nul-in-text': honest.replace('first', '\0first'),
  'hyphen-for-em-dash': `${text}\n${adaLine.replace('—', '-')}\n`,
  'no-space-after-dash': `${text}\n${adaLine.replace('— ', '—')}\n`,
  'two-spaces-after-dash': `${text}\n${adaLine.replace('— ', '—  ')}\n`,
  'no-name': `${text}\n—  ${adaLine.split(' ')[2]}\n`,
  'no-signature': `${text}\n— ${adaKey.name}\n`,
  'empty-signature': `${text}\n— ${adaKey.name} \n`,
  'trailing-space': `${text}\n${adaLine} \n`,
  'plus-in-name': `${text}\n${adaLine.replace('ada.', 'ada+')}\n`,
  'no-break-space-in-name': `${text}\n${adaLine.replace('ada.', 'ada\u00a0')}\n`,
  'signature-of-four-bytes': `${text}\n— ${adaKey.name} AAAAAA==\n`,
  'base64-without-padding': `${text}\n— ${adaKey.name} AAAAAAA\n`,
  'base64-with-trailing-bits': `${text}\n— ${adaKey.name} AAAAAAB=\n`,
  'line-that-is-no-signature': `${text}\nUnexpected line.\n${adaLine}\n`,
};

for (const [mutation, note] of Object.entries(mutations)) {
  test(`note refused: ${mutation}`, () => {
    assert.throws(() => parseNote(utf8Encode(note)), { code: 'malformed_note' });
  });
}

test('note refused: not UTF-8, or with a byte order mark that would be part of the text', () => {
  assert.throws(() => parseNote(concatBytes(Uint8Array.of(0xff), utf8Encode(honest))), {
    code: 'malformed_note',
  });
  const marked = concatBytes(Uint8Array.of(0xef, 0xbb, 0xbf), utf8Encode(honest));
  assert.throws(() => openNote(marked, [adaKey]), { code: 'signature_invalid' });
});

test('the shortest signature that Go takes for one is taken', () => {
  const note = parseNote(utf8Encode(`${text}\n— x AAAAAAA=\n`));
  assert.deepEqual(note.signatures[0]?.signature, Uint8Array.of(0));
});

test('DEL may stand in a note, and writing a note again gives the same bytes', () => {
  const note = signNote('a\u007fb\n', [ada]);
  assert.equal(openNote(note, [adaKey]).text, 'a\u007fb\n');
  assert.deepEqual(formatNote(parseNote(note)), note);
});

test('signing what is no text of a note is misuse', () => {
  for (const bad of ['', 'no newline', 'tab\t\n', 'return\r\n']) {
    assert.throws(() => signNote(bad, [ada]), { name: 'TypeError', code: 'note_text_invalid' });
  }
  assert.throws(() => signNote(text, []), { name: 'RangeError', code: 'signers_missing' });
  assert.throws(() => signNote('half a pair \ud800\n', [ada]), { code: 'text_ill_formed' });
});
