import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8Decode, utf8Encode, VerificationError } from 'indelible/bytes';
import {
  decodeEntryBundle,
  EMPTY_ROOT,
  Frontier,
  hashLeaf,
  hashNode,
  type ProofPlan,
  planConsistency,
  planInclusion,
} from 'indelible/merkle';
import {
  formatCheckpoint,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignerKey,
  signerKeyFromSeed,
  signNote,
} from 'indelible/note';
import { formatProof, PROOF_HASHES_MAX, parseProof, verifyCheckpoints, verifyProof } from 'indelible/verify';
import { readVector, vectorsDir, vectorsMissing } from '../support/vectors.ts';

const origin = 'log.example/proofs';
const signer = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(1)));
const policy = { vkey: signer.vkey };
const entryOf = (index: number) => utf8Encode(`entry-${index}`);

/** A small log: the hashes of its nodes at every size, so that any proof can be made. */
function createLog(size: number) {
  const nodes = new Map<string, Uint8Array>();
  const frontier = Frontier.empty();
  const checkpoints = [signNote(formatCheckpoint({ origin, size: 0, root: EMPTY_ROOT }), [signer])];
  for (let index = 0; index < size; index += 1) {
    frontier.append(hashLeaf(entryOf(index)), (level, at, hash) => nodes.set(`${level}/${at}`, hash));
    checkpoints.push(
      signNote(formatCheckpoint({ origin, size: index + 1, root: frontier.root() }), [signer]),
    );
  }
  const assemble = (plan: ProofPlan) =>
    plan.assemble(plan.nodes.map(({ level, index }) => nodes.get(`${level}/${index}`)!));
  return {
    checkpoint: (at: number) => checkpoints[at]!,
    inclusion: (index: number, at: number) => assemble(planInclusion(index, at)),
    consistency: (older: number, newer: number) => assemble(planConsistency(older, newer)),
    proof: (index: number, at: number, extra?: Uint8Array) =>
      utf8Encode(
        formatProof({
          index,
          hashes: assemble(planInclusion(index, at)),
          checkpoint: utf8Decode(checkpoints[at]!),
          ...(extra !== undefined && { extra }),
        }),
      ),
  };
}

const log = createLog(40);
const honest = utf8Decode(log.proof(11, 40));

test('proofs of another implementation are accepted, with what they say', { skip: vectorsMissing }, () => {
  const { accept, logVkey, witnessVkeys } = JSON.parse(readVector('generated/tlog-proofs.json'));
  const witnessed = parsePolicy(`log ${logVkey}\nwitness W1 ${witnessVkeys[0]}\nquorum W1\n`);
  for (const vector of accept) {
    const evidence = { proof: utf8Encode(vector.proof), entry: utf8Encode(vector.entry) };
    const verdict = verifyProof({ ...evidence, policy: { vkey: logVkey } });
    assert.equal(verdict.index, vector.index);
    assert.equal(verdict.size, vector.size);
    assert.equal(verdict.extra && utf8Decode(verdict.extra), vector.extra ?? undefined);
    assert.equal(formatProof(parseProof(evidence.proof)), vector.proof);
    // Only the one that the witness has cosigned opens under a policy that asks for the witness.
    const check = () => verifyProof({ ...evidence, policy: witnessed });
    if (vector.cosignedBy === undefined) assert.throws(check, { code: 'policy_unsatisfied' });
    else
      assert.deepEqual(
        check().verified.map(({ key }) => key.name),
        [verdict.origin, ...vector.cosignedBy],
      );
  }
  assert.equal(accept.length, 6);
});

test('proofs that another implementation refuses are refused', { skip: vectorsMissing }, () => {
  const { accept, reject, logVkey } = JSON.parse(readVector('generated/tlog-proofs.json'));
  for (const { why, proof } of reject) {
    // Whatever is wrong with the proof, it is wrong for each entry that a good one exists for.
    for (const { entry } of accept) {
      const evidence = { proof: utf8Encode(proof), entry: utf8Encode(entry), policy: { vkey: logVkey } };
      assert.throws(() => verifyProof(evidence), { name: 'VerificationError' }, why);
    }
  }
  assert.equal(reject.length, 17);
});

test('Tessera’s log: all 16 checkpoints are made again byte for byte, and every proof in it verifies', {
  skip: vectorsMissing,
}, () => {
  const folder = join(vectorsDir ?? '', 'tessera-testlog');
  const read = (path: string) => new Uint8Array(readFileSync(join(folder, 'log', path)));
  const tessera = parseSignerKey(
    'PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg',
  );
  const trust = { vkey: tessera.vkey };
  assert.ok(readFileSync(join(folder, 'README.md'), 'utf8').includes(tessera.vkey));
  const entries = decodeEntryBundle(read('tile/entries/000.p/15'));
  assert.deepEqual(entries.map(utf8Decode).slice(12), ['threeten', 'fourten', 'fivten']);
  const nodes = new Map<string, Uint8Array>();
  const hashesOf = (plan: ProofPlan) =>
    plan.assemble(plan.nodes.map(({ level, index }) => nodes.get(`${level}/${index}`)!));
  const frontier = Frontier.empty();
  const notes = [read('checkpoint.0')];
  for (const [index, entry] of entries.entries()) {
    frontier.append(hashLeaf(entry), (level, at, hash) => nodes.set(`${level}/${at}`, hash));
    notes.push(read(`checkpoint.${index + 1}`));
  }
  assert.equal(notes.length, 16);
  const replay = Frontier.empty();
  for (const [size, note] of notes.entries()) {
    if (size > 0) replay.append(hashLeaf(entries[size - 1]!));
    const text = formatCheckpoint({ origin: tessera.name, size, root: replay.root() });
    assert.deepEqual(signNote(text, [tessera]), note, `checkpoint.${size}`);
    for (let index = 0; index < size; index += 1) {
      const proof = formatProof({
        index,
        hashes: hashesOf(planInclusion(index, size)),
        checkpoint: utf8Decode(note),
      });
      const evidence = { proof: utf8Encode(proof), policy: trust };
      assert.equal(verifyProof({ ...evidence, entry: entries[index]! }).size, size);
      assert.throws(() => verifyProof({ ...evidence, entry: utf8Encode('another') }), {
        code: 'inclusion_invalid',
      });
    }
    for (let older = 0; older <= size; older += 1) {
      const proof = older === 0 ? [] : hashesOf(planConsistency(older, size));
      verifyCheckpoints({ older: notes[older]!, newer: note, proof, policy: trust });
    }
  }
  assert.deepEqual(read('checkpoint'), notes[15]);
});

test('every proof of a small log verifies, and for no other entry, index or key', () => {
  const other = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(2)));
  for (let size = 1; size <= 40; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const proof = log.proof(index, size);
      const verdict = verifyProof({ proof, entry: entryOf(index), policy });
      assert.deepEqual(
        { ...verdict, root: 0, leafHash: 0, verified: 0 },
        {
          origin,
          index,
          size,
          root: 0,
          leafHash: 0,
          verified: 0,
        },
      );
      assert.throws(() => verifyProof({ proof, entry: entryOf(index + 1), policy }), {
        code: 'inclusion_invalid',
      });
      assert.throws(() => verifyProof({ proof, entry: entryOf(index), policy: { vkey: other.vkey } }), {
        code: 'signature_unknown',
      });
    }
  }
});

test('a proof carries extra data that nothing vouches for', () => {
  const extra = utf8Encode('{"note":"hello"}');
  const proof = log.proof(3, 9, extra);
  assert.deepEqual(verifyProof({ proof, entry: entryOf(3), policy }).extra, extra);
  assert.equal(verifyProof({ proof: log.proof(3, 9), entry: entryOf(3), policy }).extra, undefined);
});

test('attack-23: an inner node of the tree is not accepted as an entry', () => {
  // The node over entries 10 and 11, presented as a leaf one level up: what RFC 6962's prefixes are there to
  // stop.
  const node = hashNode(hashLeaf(entryOf(10)), hashLeaf(entryOf(11)));
  const [, ...above] = log.inclusion(10, 40);
  const note = utf8Decode(log.checkpoint(40));
  for (const index of [5, 10, 11]) {
    const proof = utf8Encode(formatProof({ index, hashes: above, checkpoint: note }));
    for (const entry of [node, new Uint8Array([1, ...hashLeaf(entryOf(10)), ...hashLeaf(entryOf(11))])]) {
      assert.throws(() => verifyProof({ proof, entry, policy }), { code: 'inclusion_invalid' });
    }
  }
});

const [path = '', note = ''] = splitProof(honest);
const [header, indexLine, firstHash, ...otherHashes] = path.split('\n');

/** A proof's path and its checkpoint. */
function splitProof(proof: string): string[] {
  const split = proof.indexOf('\n\n');
  return [proof.slice(0, split), proof.slice(split + 2)];
}

const withLines = (...lines: (string | undefined)[]): string => `${lines.join('\n')}\n\n${note}`;

const malformed: Record<string, string> = {
  empty: '',
  'only-header': `${header}\n`,
  'other-version': honest.replace('@v1', '@v2'),
  'carriage-return': honest.replaceAll('\n', '\r\n'),
  'byte-order-mark': `\ufeff${honest}`,
  'leading-empty-line': `\n${honest}`,
  'no-index': withLines(header, firstHash, ...otherHashes),
  'index-with-leading-zero': honest.replace('index 11', 'index 011'),
  'index-negative': honest.replace('index 11', 'index -11'),
  'index-with-two-spaces': honest.replace('index 11', 'index  11'),
  'index-with-trailing-space': honest.replace('index 11', 'index 11 '),
  'index-above-2-53': honest.replace('index 11', 'index 9007199254740992'),
  'index-twice': withLines(header, indexLine, indexLine, firstHash, ...otherHashes),
  'extra-after-index': withLines(header, indexLine, 'extra AAAA', firstHash, ...otherHashes),
  'extra-empty': withLines(header, 'extra ', indexLine, firstHash, ...otherHashes),
  'extra-twice': withLines(header, 'extra AAAA', 'extra AAAA', indexLine, firstHash, ...otherHashes),
  'extra-not-base64': withLines(header, 'extra A', indexLine, firstHash, ...otherHashes),
  'hash-of-31-bytes': withLines(header, indexLine, `${'A'.repeat(42)}==`, ...otherHashes),
  'hash-not-canonical': withLines(header, indexLine, `${'A'.repeat(42)}B=`, ...otherHashes),
  'hash-url-safe': withLines(header, indexLine, `${'_'.repeat(42)}8=`, ...otherHashes),
  'hash-with-space': withLines(header, indexLine, ` ${firstHash}`, ...otherHashes),
  'too-many-hashes': withLines(header, indexLine, ...Array(PROOF_HASHES_MAX + 1).fill(firstHash)),
  'no-empty-line': honest.replace('\n\n', '\n'),
  'two-empty-lines': honest.replace('\n\n', '\n\n\n'),
  'no-checkpoint': `${path}\n\n`,
  'no-last-newline': honest.slice(0, -1),
  'garbage-at-the-end': `${honest}garbage\n`,
  'checkpoint-without-signature': honest.slice(0, honest.lastIndexOf('—')),
};

for (const [mutation, text] of Object.entries(malformed)) {
  test(`proof refused: ${mutation}`, () => {
    assert.notEqual(text, honest);
    assert.throws(() => parseProof(utf8Encode(text)), { code: 'malformed_proof' });
  });
}

const broken: Record<string, { text: string; code: string }> = {
  'wrong-index': { text: honest.replace('index 11', 'index 12'), code: 'inclusion_invalid' },
  'index-beyond-size': { text: honest.replace('index 11', 'index 40'), code: 'inclusion_invalid' },
  'truncated-path': {
    text: withLines(header, indexLine, firstHash, ...otherHashes.slice(1)),
    code: 'inclusion_invalid',
  },
  'longer-path': {
    text: withLines(header, indexLine, firstHash, firstHash, ...otherHashes),
    code: 'inclusion_invalid',
  },
  'swapped-hashes': {
    text: withLines(header, indexLine, otherHashes[0], firstHash, ...otherHashes.slice(1)),
    code: 'inclusion_invalid',
  },
  'older-checkpoint': { text: `${path}\n\n${utf8Decode(log.checkpoint(39))}`, code: 'inclusion_invalid' },
  'empty-path': { text: withLines(header, indexLine), code: 'inclusion_invalid' },
  'size-altered': { text: honest.replace('\n40\n', '\n41\n'), code: 'signature_invalid' },
  'origin-altered': { text: honest.replace(`${origin}\n40`, `${origin}x\n40`), code: 'signature_invalid' },
  'unsigned-by-the-log': {
    text: honest.replace(`— ${origin} `, '— somebody.example '),
    code: 'signature_unknown',
  },
};

for (const [mutation, { text, code }] of Object.entries(broken)) {
  test(`proof does not verify: ${mutation}`, () => {
    assert.notEqual(text, honest);
    parseProof(utf8Encode(text));
    assert.throws(() => verifyProof({ proof: utf8Encode(text), entry: entryOf(11), policy }), { code });
  });
}

test('a receipt does not move to another log: same key, other origin', () => {
  const elsewhere = signNote(formatCheckpoint({ ...checkpointOf(40), origin: 'other.example' }), [signer]);
  const proof = utf8Encode(`${path}\n\n${utf8Decode(elsewhere)}`);
  assert.throws(() => verifyProof({ proof, entry: entryOf(11), policy }), { code: 'origin_mismatch' });
});

const checkpointOf = (size: number) => parseCheckpoint(parseNote(log.checkpoint(size)).text);

test(`a path of ${PROOF_HASHES_MAX} hashes is read, though no log is that large`, () => {
  const hashes = Array(PROOF_HASHES_MAX).fill(EMPTY_ROOT);
  const text = formatProof({ index: 0, hashes, checkpoint: note });
  assert.equal(parseProof(utf8Encode(text)).hashes.length, PROOF_HASHES_MAX);
  assert.throws(() => formatProof({ index: 0, hashes: [...hashes, EMPTY_ROOT], checkpoint: note }), {
    code: 'hashes_mismatch',
  });
});

test('writing what is no proof is misuse', () => {
  const checkpoint = utf8Decode(log.checkpoint(4));
  for (const index of [-1, 0.5, 2 ** 53]) {
    assert.throws(() => formatProof({ index, hashes: [], checkpoint }), { code: 'index_out_of_range' });
  }
  assert.throws(() => formatProof({ index: 0, hashes: [new Uint8Array(31)], checkpoint }), {
    code: 'hashes_mismatch',
  });
});

test('two checkpoints of one log: consistent between all sizes, in this order only', () => {
  for (let older = 0; older <= 40; older += 1) {
    for (let newer = older; newer <= 40; newer += 1) {
      const proof = older === 0 ? [] : log.consistency(older, newer);
      const evidence = { older: log.checkpoint(older), newer: log.checkpoint(newer), proof, policy };
      assert.equal(verifyCheckpoints(evidence).newer.size, newer);
      const longer = { ...evidence, proof: [...proof, EMPTY_ROOT] };
      assert.throws(() => verifyCheckpoints(longer), { code: 'consistency_invalid' });
      if (older === newer) continue;
      const turned = { ...evidence, older: evidence.newer, newer: evidence.older };
      assert.throws(
        () => verifyCheckpoints(turned),
        { code: 'consistency_invalid' },
        `${newer} before ${older}`,
      );
    }
  }
});

test('two signed checkpoints that are not consistent are found out', () => {
  const forged = signNote(formatCheckpoint({ origin, size: 40, root: checkpointOf(39).root }), [signer]);
  const older = log.checkpoint(20);
  const proof = log.consistency(20, 40);
  assert.throws(() => verifyCheckpoints({ older, newer: forged, proof, policy }), {
    code: 'consistency_invalid',
  });
  const twin = { older: log.checkpoint(40), newer: forged, proof: [], policy };
  assert.throws(() => verifyCheckpoints(twin), { code: 'consistency_invalid' });
  // Even an empty log can be lied about.
  const full = signNote(formatCheckpoint({ origin, size: 0, root: checkpointOf(1).root }), [signer]);
  assert.throws(() => verifyCheckpoints({ older: full, newer: older, proof: [], policy }), {
    code: 'consistency_invalid',
  });
  const empty = { older: log.checkpoint(0), newer: full, proof: [], policy };
  assert.throws(() => verifyCheckpoints(empty), { code: 'consistency_invalid' });
});

test('checkpoints of two logs, both trusted, are never consistent', () => {
  const other = parseSignerKey(signerKeyFromSeed('other.example', new Uint8Array(32).fill(7)));
  const newer = signNote(formatCheckpoint({ ...checkpointOf(5), origin: 'other.example' }), [other]);
  const both = parsePolicy(`log ${signer.vkey}\nlog ${other.vkey}\nquorum none\n`);
  const evidence = { older: log.checkpoint(5), newer, proof: [], policy: both };
  assert.throws(() => verifyCheckpoints(evidence), { code: 'origin_mismatch' });
});

test('no mutation of a proof is accepted, byte by byte', () => {
  const bytes = utf8Encode(honest);
  for (let position = 0; position < bytes.length; position += 1) {
    for (const bit of [0x01, 0x20]) {
      const mutated = bytes.slice();
      mutated[position]! ^= bit;
      assert.throws(
        () => verifyProof({ proof: mutated, entry: entryOf(11), policy }),
        { name: 'VerificationError' },
        `byte ${position}, bit ${bit}`,
      );
    }
  }
});

test('whatever is cut, doubled or strewn in, a proof is accepted only for what it proved', () => {
  const edit = fc.record({
    at: fc.nat(honest.length),
    cut: fc.nat(50),
    put: fc.oneof(
      fc.string(),
      fc.constantFrom('\n', '\n\n', 'index 11\n', 'extra AAAA\n', `${firstHash}\n`, '— x AAAAAAA=\n'),
    ),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      const text = edits.reduce(
        (whole, { at, cut, put }) => whole.slice(0, at) + put + whole.slice(at + cut),
        honest,
      );
      try {
        const verdict = verifyProof({ proof: utf8Encode(text.toWellFormed()), entry: entryOf(11), policy });
        assert.deepEqual([verdict.index, verdict.size], [11, 40]);
      } catch (error) {
        assert.ok(error instanceof VerificationError, String((error as Error).stack));
      }
    }),
    { numRuns: 2000 },
  );
});

test('proofs of any shape are written and read', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const shape = fc.record(
    {
      index: fc.maxSafeNat(),
      hashes: fc.array(hash, { maxLength: PROOF_HASHES_MAX }),
      extra: fc.uint8Array({ minLength: 1, maxLength: 100 }),
    },
    { requiredKeys: ['index', 'hashes'], noNullPrototype: true },
  );
  fc.assert(
    fc.property(shape, (parts) => {
      const proof = { ...parts, checkpoint: utf8Decode(log.checkpoint(7)) };
      assert.deepEqual(parseProof(utf8Encode(formatProof(proof))), proof);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      assert.throws(() => parseProof(noise), { code: 'malformed_proof' });
    }),
  );
});
