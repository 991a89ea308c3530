// Properties over random input: what is written is read back, and no parser throws anything but our own
// errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8Encode, VerificationError } from 'indelible/bytes';
import {
  formatCheckpoint,
  formatNote,
  isKeyName,
  openNote,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
  signerKeyFromSeed,
  signNote,
} from 'indelible/note';

const signer = parseSignerKey(signerKeyFromSeed('log.example/properties', new Uint8Array(32).fill(4)));
const key = parseVerifierKey(signer.vkey);

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const line = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\u0000-\u001f]/.test(text));
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(isKeyName);
const checkpoint = fc.record(
  {
    origin: line,
    size: fc.maxSafeNat(),
    root: bytes(32),
    extensions: fc.array(line, { maxLength: 3 }),
  },
  { noNullPrototype: true },
);

/** Text that is nearly right: a valid text with pieces cut out, doubled, swapped and strewn in. */
const damaged = (valid: string) =>
  fc
    .array(
      fc.tuple(
        fc.nat(valid.length),
        fc.nat(8),
        fc.oneof(fc.string(), fc.constantFrom('\n', '\n\n', '+', ' ', '—')),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((edits) =>
      edits.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), valid),
    );

/** Runs a parser on what may be anything; only a VerificationError may come out, and never a hang. */
function throwsOnlyOurs(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    assert.ok(error instanceof VerificationError, String((error as Error).stack));
  }
}

test('keys: any name and seed, written and read', () => {
  fc.assert(
    fc.property(name, bytes(32), (keyName, seed) => {
      const opened = parseSignerKey(signerKeyFromSeed(keyName, seed));
      assert.equal(opened.name, keyName);
      assert.equal(parseVerifierKey(opened.vkey).text, opened.vkey);
    }),
    { numRuns: 100 },
  );
});

test('checkpoints: any origin, size and root, written and read', () => {
  fc.assert(
    fc.property(checkpoint, (value) => {
      const text = formatCheckpoint(value);
      assert.deepEqual(parseCheckpoint(text), value);
      assert.equal(formatCheckpoint(parseCheckpoint(text)), text);
    }),
  );
});

test('notes: any text, signed and opened; the bytes are the only ones for it', () => {
  fc.assert(
    fc.property(fc.array(line.map((text) => `${text}\n`)), (lines) => {
      const text = `${lines.join('')}\n`;
      const note = signNote(text, [signer]);
      assert.equal(openNote(note, [key]).text, text);
      assert.deepEqual(formatNote(parseNote(note)), note);
    }),
    { numRuns: 100 },
  );
});

test('notes: what opens after any damage says what was signed', () => {
  const text = formatCheckpoint({ origin: key.name, size: 77, root: new Uint8Array(32).fill(7) });
  const note = new TextDecoder().decode(signNote(text, [signer]));
  fc.assert(
    fc.property(damaged(note), (changed) => {
      throwsOnlyOurs(() => {
        assert.equal(openNote(utf8Encode(changed.toWellFormed()), [key]).text, text);
      });
    }),
    { numRuns: 500 },
  );
});

test('parsers throw only our errors, and what they take they write again', () => {
  const text = formatCheckpoint({ origin: key.name, size: 77, root: new Uint8Array(32).fill(7) });
  const note = new TextDecoder().decode(signNote(text, [signer]));
  const policy = `log ${key.text}\nwitness W ${key.text.replace('+A', '+B')}\ngroup g any W\nquorum g\n`;
  fc.assert(
    fc.property(
      damaged(key.text),
      damaged(text),
      damaged(note),
      damaged(policy),
      (vkey, body, signed, rules) => {
        throwsOnlyOurs(() => assert.equal(parseVerifierKey(vkey).text, vkey));
        throwsOnlyOurs(() => assert.equal(formatCheckpoint(parseCheckpoint(body)), body));
        const encoded = utf8Encode(signed.toWellFormed());
        throwsOnlyOurs(() => assert.deepEqual(formatNote(parseNote(encoded)), encoded));
        throwsOnlyOurs(() => parsePolicy(rules));
        throwsOnlyOurs(() => parseSignerKey(vkey));
      },
    ),
    { numRuns: 500 },
  );
});

test('parsers take arbitrary bytes and text without harm', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 300 }),
      (noise, text) => {
        throwsOnlyOurs(() => parseNote(noise));
        throwsOnlyOurs(() => openNote(noise, [key]));
        throwsOnlyOurs(() => parseVerifierKey(text));
        throwsOnlyOurs(() => parseSignerKey(text));
        throwsOnlyOurs(() => parseCheckpoint(text));
        throwsOnlyOurs(() => parsePolicy(text));
      },
    ),
    { numRuns: 500 },
  );
});
