// The file of disclosures, against a writer of spec/archive.md that shares nothing with ours.

import assert from 'node:assert/strict';
import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { openGroup, parseSealedFile, sealFile } from '#dist/publish/sealed-file.js';

const path = 'disclosures/x001/067';

interface Text {
  offset: number;
  position: number;
  text: string;
}

function length(count: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(count);
  return bytes;
}

/** One group as the specification says. */
function written(subjects: readonly string[], keys: readonly Uint8Array[], texts: readonly Text[]): Buffer {
  const plain = Buffer.concat(
    texts.flatMap(({ offset, position, text }) => {
      const bytes = Buffer.from(text);
      return [length(offset), length(position), length(bytes.length), bytes];
    }),
  );
  const about = Buffer.from(
    `indelible-sealed/v1\n${path}\n${subjects.map((one) => JSON.stringify(one)).join(',')}`,
  );
  const derived = Buffer.from(
    hkdfSync('sha256', Buffer.concat(keys), Buffer.alloc(0), about.subarray(0, 1024), 64),
  );
  const nonce = createHmac('sha256', derived.subarray(32)).update(plain).digest().subarray(0, 12);
  const cipher = createCipheriv('aes-256-gcm', derived.subarray(0, 32), nonce, { authTagLength: 16 });
  cipher.setAAD(about);
  const box = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  const names = Buffer.from(subjects.join('\n'));
  return Buffer.concat([length(names.length), names, nonce, length(box.length), box]);
}

const texts = fc.array(
  fc.record(
    { offset: fc.nat(255), position: fc.nat(400), text: fc.string({ unit: 'grapheme' }) },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 6 },
);
const subjects = fc
  .uniqueArray(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }), { maxLength: 40 })
  .map((names) => names.sort());

test('every file is the one that the specification makes, and opens', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(subjects, texts), { maxLength: 4 }), (groups) => {
      const keyed = groups.map(([names, inside]) => ({
        names,
        inside,
        keys: Array.from({ length: Math.max(1, names.length) }, () => new Uint8Array(randomBytes(32))),
      }));
      const ours = keyed.map(({ names, keys, inside }) => ({ subjects: names, keys, texts: inside }));
      const file = sealFile(path, ours);
      const theirs = keyed.map(({ names, keys, inside }) => written(names, keys, inside));
      assert.deepEqual(Buffer.from(file), Buffer.concat([Buffer.from('indelible-sealed/v1\n'), ...theirs]));
      for (const [at, group] of parseSealedFile(file).entries()) {
        const { names, keys, inside } = keyed[at]!;
        assert.deepEqual(group.subjects, names);
        assert.deepEqual(openGroup(path, group, keys), inside);
        assert.equal(openGroup('disclosures/000', group, keys), undefined);
        const others = keys.map((key) => key.map((byte) => byte ^ 1));
        assert.equal(openGroup(path, group, others), undefined);
      }
    }),
    { numRuns: 200 },
  );
});

test('values larger than what is usual, the largest that there are, and one after the other', () => {
  const keys = [new Uint8Array(32).fill(3)];
  const large = Array.from({ length: 40 }, (_, offset) => ({
    offset,
    position: 0,
    text: 'ö'.repeat(16_384),
  }));
  for (const inside of [large, [{ offset: 0, position: 0, text: '' }], large.slice(0, 2)]) {
    const file = sealFile(path, [{ subjects: ['user/a'], keys, texts: inside }]);
    assert.deepEqual(
      Buffer.from(file).subarray('indelible-sealed/v1\n'.length),
      written(['user/a'], keys, inside),
    );
  }
  const half = [{ offset: 0, position: 0, text: '\ud800' }];
  assert.throws(() => sealFile(path, [{ subjects: ['user/a'], keys, texts: half }]), {
    code: 'text_ill_formed',
  });
});
