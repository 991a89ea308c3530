// The worked example of spec/ holds: our code makes exactly what the pages show, and a second verifier,
// written from the pages alone, accepts it and refuses every changed form of it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { utf8Encode } from 'indelible/bytes';
import { judge, openEntry, parseEntry } from 'indelible/event';
import { verifyProof } from 'indelible/verify';
import { fencesOf } from './scratch.ts';
import * as second from './second-verifier.ts';
import { buildSpecExample, specEvent } from './spec-example.ts';

const pages = ['entry', 'sealing', 'checkpoint', 'proof', 'keys'].flatMap((name) =>
  fencesOf(`spec/${name}.md`),
);
const example = buildSpecExample();

/** What the pages show in the block of this language. */
function shown(language: string): string {
  const blocks = pages.filter((fence) => fence.language === language);
  assert.equal(blocks.length, 1, `the pages have ${blocks.length} blocks of ${language}`);
  return blocks[0]?.code ?? '';
}

/** The lines of a block. */
const lines = (language: string): string[] => shown(language).trimEnd().split('\n');

for (const language of Object.keys(example.blocks)) {
  test(`the pages show what the code makes: ${language}`, () => {
    assert.equal(shown(language), example.blocks[language]);
  });
}

test('the second verifier recomputes leaves, root and checkpoint from the pages alone', () => {
  const entries = ['genesis', 'entry', 'third'].map((language) => Buffer.from(shown(language).trimEnd()));
  const leaves = entries.map(second.leafHash);
  assert.deepEqual(
    leaves.map((leaf) => leaf.toString('hex')),
    lines('leaves'),
  );
  assert.equal(leaves[1]?.toString('hex'), shown('leaf').trimEnd());
  const root = Buffer.from(second.rootOf(leaves));
  assert.equal(root.toString('hex'), shown('root').trimEnd());
  const checkpoint = second.openCheckpoint(shown('checkpoint'), shown('vkey').trimEnd());
  assert.deepEqual(checkpoint, { origin: 'log.example/spec', size: 3, root });
});

test('the second verifier accepts the proof, and both refuse it with any character changed', () => {
  const proof = shown('proof');
  const entry = Buffer.from(shown('entry').trimEnd());
  const vkey = shown('vkey').trimEnd();
  assert.deepEqual(second.verifyProof(proof, entry, vkey), { index: 1, size: 3 });
  const verdict = verifyProof({ proof: utf8Encode(proof), entry, policy: { vkey } });
  assert.deepEqual([verdict.index, verdict.size], [1, 3]);

  let refused = 0;
  for (let at = 0; at < entry.length; at++) {
    const changed = Uint8Array.from(entry, (byte, position) => (position === at ? byte + 1 : byte));
    assert.throws(() => second.verifyProof(proof, changed, vkey));
    assert.throws(() => verifyProof({ proof: utf8Encode(proof), entry: changed, policy: { vkey } }));
    refused += 1;
  }
  assert.equal(refused, entry.length);
  for (let at = 0; at < proof.length; at++) {
    const other = proof[at] === 'A' ? 'B' : 'A';
    const changed = utf8Encode(proof.slice(0, at) + other + proof.slice(at + 1));
    assert.throws(
      () => verifyProof({ proof: changed, entry, policy: { vkey } }),
      `character ${at} of the proof does not matter`,
    );
  }
});

test('the second verifier joins the disclosures back into what the application handed in', () => {
  const disclosures = new Map(lines('disclosures').map((text) => [second.disclosureDigest(text), text]));
  const entry = JSON.parse(shown('entry')) as Record<string, unknown>;
  const joined = second.join(entry, disclosures) as Record<string, unknown>;
  for (const [name, value] of Object.entries(specEvent)) {
    assert.deepEqual(joined[name], value, name);
  }
  const digests = entry._sd as string[];
  const names = digests.map((digest) => JSON.parse(disclosures.get(digest) ?? '')[1]);
  assert.deepEqual(names, entry.sealed);
});

test('subjects and verdicts are those of the page', () => {
  const entry = parseEntry(utf8Encode(shown('entry').trimEnd()));
  const { fields } = openEntry(entry, [], 1);
  const subjects = Object.fromEntries(fields.map((field) => [field.path, field.subjects]));
  assert.deepEqual(subjects, {
    '/reason': ['user/u_42', 'invoice/inv_7'],
    '/context': ['user/u_42'],
    '/actor': ['user/u_42'],
    '/targets/0': ['invoice/inv_7'],
  });
  const erased = fields.map((field) => [field.path, judge(field, [{ subject: 'user/u_42', below: 2 }])]);
  assert.deepEqual(erased, [
    ['/reason', 'erased'],
    ['/context', 'erased'],
    ['/actor', 'erased'],
    ['/targets/0', 'missing'],
  ]);
  assert.ok(fields.every((field) => judge(field, [{ subject: 'user/u_42', below: 1 }]) === 'missing'));
});
