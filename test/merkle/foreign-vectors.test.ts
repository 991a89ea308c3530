import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { base64Decode, hexDecode, hexEncode, VerificationError } from 'indelible/bytes';
import {
  Frontier,
  hashFromTile,
  hashLeaf,
  isSubtree,
  planConsistency,
  planInclusion,
  planSubtreeConsistency,
  Range,
  tilePath,
  tilesOfSize,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from 'indelible/merkle';
import { readVector, readVectorBytes, vectorsDir, vectorsMissing } from '../support/vectors.ts';
import { NaiveTree } from './naive-tree.ts';

const merkle = 'transparency-dev-merkle';

/**
 * The probes write sizes up to 2^64 - 1 as bare numbers, which JSON.parse would round: these become strings
 * first.
 */
function readProbe<T>(path: string): { probe: T; big: number } {
  let big = 0;
  const text = readVector(path).replaceAll(/(?<=: )\d{16,}(?=[,\n])/g, (digits) => {
    big += 1;
    assert.ok(BigInt(digits) > BigInt(Number.MAX_SAFE_INTEGER));
    return '9007199254740992';
  });
  return { probe: JSON.parse(text) as T, big };
}

function probeFiles(folder: string): string[] {
  const names = readdirSync(join(vectorsDir!, merkle, 'testdata', folder), {
    recursive: true,
    encoding: 'utf8',
  });
  return names.filter((name) => name.endsWith('.json')).map((name) => `${merkle}/testdata/${folder}/${name}`);
}

const hash = (text: string | null) => base64Decode(text ?? '');
const hashes = (texts: string[] | null) => (texts ?? []).map(hash);

/** Whether the call returns; if it throws, it must be with one of our codes. */
function holds(verify: () => void, codes: readonly string[]): boolean {
  try {
    verify();
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    assert.ok(code !== undefined && codes.includes(code), `${error}`);
    return false;
  }
}

const outOfRange = ['size_out_of_range', 'index_out_of_range'];

interface InclusionProbe {
  leafIdx: number;
  treeSize: number;
  root: string;
  leafHash: string;
  proof: string[] | null;
  wantErr: boolean;
}

interface ConsistencyProbe {
  size1: number;
  size2: number;
  root1: string;
  root2: string;
  proof: string[] | null;
  wantErr: boolean;
}

test('transparency-dev/merkle: all 98 inclusion probes', { skip: vectorsMissing }, () => {
  const files = probeFiles('inclusion');
  assert.equal(files.length, 98);
  let bigs = 0;
  let accepted = 0;
  for (const file of files) {
    const { probe, big } = readProbe<InclusionProbe>(file);
    bigs += big;
    const claim = {
      index: probe.leafIdx,
      size: probe.treeSize,
      root: hash(probe.root),
      leafHash: hash(probe.leafHash),
      proof: hashes(probe.proof),
    };
    const result = holds(() => verifyInclusion(claim), ['inclusion_invalid', ...outOfRange]);
    assert.equal(result, !probe.wantErr, file);
    if (result) accepted += 1;
  }
  assert.ok(bigs > 0 && accepted > 0);
});

test('transparency-dev/merkle: all 98 consistency probes', { skip: vectorsMissing }, () => {
  const files = probeFiles('consistency');
  assert.equal(files.length, 98);
  let accepted = 0;
  for (const file of files) {
    const { probe } = readProbe<ConsistencyProbe>(file);
    const claim = {
      size1: probe.size1,
      size2: probe.size2,
      root1: hash(probe.root1),
      root2: hash(probe.root2),
      proof: hashes(probe.proof),
    };
    const result = holds(() => verifyConsistency(claim), ['consistency_invalid', ...outOfRange]);
    assert.equal(result, !probe.wantErr, file);
    if (result) accepted += 1;
  }
  assert.ok(accepted > 0);
});

test('transparency-dev/merkle: all 204 subtree inclusion probes', { skip: vectorsMissing }, () => {
  const files = probeFiles('subtreeinclusion');
  assert.equal(files.length, 204);
  for (const file of files) {
    const { probe } = readProbe<InclusionProbe & { start: number; end: number }>(file);
    const claim = {
      index: probe.leafIdx,
      begin: probe.start,
      end: probe.end,
      subtreeHash: hash(probe.root),
      leafHash: hash(probe.leafHash),
      proof: hashes(probe.proof),
    };
    const codes = ['inclusion_invalid', 'range_invalid', ...outOfRange];
    assert.equal(
      holds(() => verifySubtreeInclusion(claim), codes),
      !probe.wantErr,
      file,
    );
  }
});

test('transparency-dev/merkle: all 118 subtree consistency probes, but for the empty subtree', {
  skip: vectorsMissing,
}, () => {
  const files = probeFiles('subtreeconsistency');
  assert.equal(files.length, 118);
  let empty = 0;
  for (const file of files) {
    const { probe } = readProbe<ConsistencyProbe & { start: number; end: number; size: number }>(file);
    const claim = {
      begin: probe.start,
      end: probe.end,
      size: probe.size,
      subtreeHash: hash(probe.root1),
      root: hash(probe.root2),
      proof: hashes(probe.proof),
    };
    const codes = ['consistency_invalid', 'range_invalid', ...outOfRange];
    const result = holds(() => verifySubtreeConsistency(claim), codes);
    if (probe.start === probe.end && !probe.wantErr) {
      // Upstream lets the empty subtree pass whatever the tree is; we refuse to call that verified.
      empty += 1;
      assert.equal(result, false, file);
    } else {
      assert.equal(result, !probe.wantErr, file);
    }
  }
  assert.equal(empty, 6);
});

test('transparency-dev/merkle: the reference tree, and the digests over all subtrees and their proofs', {
  skip: vectorsMissing,
}, () => {
  const reference = JSON.parse(readVector(`${merkle}/reference-tree.json`)) as {
    leafInputsHex: string[];
    rootsBySizeHex: string[];
    accumulated: { sha256: Record<string, string> };
  };
  const frontier = Frontier.empty();
  reference.rootsBySizeHex.forEach((root, size) => {
    assert.equal(hexEncode(frontier.root()), root);
    const next = reference.leafInputsHex[size];
    if (next !== undefined) frontier.append(hashLeaf(hexDecode(next)));
  });
  const accumulated = accumulateSubtrees(130);
  assert.equal(accumulated.subtreeHash, reference.accumulated.sha256['subtreeHash']);
  assert.equal(accumulated.subtreeInclusion, reference.accumulated.sha256['subtreeInclusion']);
  assert.equal(accumulated.subtreeConsistency, reference.accumulated.sha256['subtreeConsistency']);
});

/**
 * The three digests of draft-ietf-plants-merkle-tree-certs, "Subtree Test Vectors", from our own ranges and
 * plans.
 */
function accumulateSubtrees(
  size: number,
): Record<'subtreeHash' | 'subtreeInclusion' | 'subtreeConsistency', string> {
  const tree = new NaiveTree(Array.from({ length: size }, (_, index) => Uint8Array.of(index)));
  const [hashLines, inclusionLines, consistencyLines] = [1, 2, 3].map(() => createHash('sha256')) as [
    Hasher,
    Hasher,
    Hasher,
  ];
  for (let end = 0; end <= size; end += 1) {
    for (let begin = 0; begin <= end; begin += 1) {
      if (!isSubtree(begin, end)) continue;
      const range = Range.empty(begin);
      for (let index = begin; index < end; index += 1) range.append(tree.leafHashes[index]!);
      const subtreeHash = range.root();
      hashLines.update(`[${begin}, ${end}) ${hexEncode(subtreeHash)}\n`);
      for (let index = begin; index < end; index += 1) {
        const plan = planInclusion(index - begin, end - begin);
        const proof = plan.assemble(
          plan.nodes.map(({ level, index }) => tree.node({ level, index: index + begin / 2 ** level })),
        );
        inclusionLines.update(
          `${index} [${begin}, ${end})${proof.map((element) => ` ${hexEncode(element)}`).join('')}\n`,
        );
      }
    }
  }
  for (let n = 0; n <= size; n += 1) {
    for (let end = 0; end <= n; end += 1) {
      for (let begin = 0; begin <= end; begin += 1) {
        if (!isSubtree(begin, end)) continue;
        const plan = begin === end ? undefined : planSubtreeConsistency({ begin, end }, n);
        const proof = plan?.assemble(plan.nodes.map((node) => tree.node(node))) ?? [];
        consistencyLines.update(
          `[${begin}, ${end}) ${n}${proof.map((element) => ` ${hexEncode(element)}`).join('')}\n`,
        );
      }
    }
  }
  return {
    subtreeHash: hashLines.digest('hex'),
    subtreeInclusion: inclusionLines.digest('hex'),
    subtreeConsistency: consistencyLines.digest('hex'),
  };
}

type Hasher = ReturnType<typeof createHash>;

test('CT log argon2020: an inclusion and a consistency proof in a tree of 961,984,011 leaves', {
  skip: vectorsMissing,
}, () => {
  const read = <T>(name: string) => JSON.parse(readVector(`ct-argon2020/${name}.json`)) as T;
  const head = read<{ tree_size: number; sha256_root_hash: string }>('get-sth');
  const { entries } = read<{ entries: { leaf_input: string }[] }>('get-entries-start-10000-end-10000');
  const audit = read<{ leaf_index: number; audit_path: string[] }>(
    'get-proof-by-hash-tree-size-961984011-hash-nCs3mfIydh9x4CKyQ-2Bu2xtmpxmFggA5MLymHwNQSlLg-3D',
  );
  const size = head.tree_size;
  const root = hash(head.sha256_root_hash);
  const leafHash = hashLeaf(base64Decode(entries[0]!.leaf_input));
  const inclusion = { index: audit.leaf_index, size, root, leafHash, proof: hashes(audit.audit_path) };
  assert.equal(inclusion.proof.length, 30);
  assert.equal(inclusion.index, 10_000);
  verifyInclusion(inclusion);
  assert.throws(() => verifyInclusion({ ...inclusion, index: 10_001 }), VerificationError);
  const { consistency } = read<{ consistency: string[] }>(
    'get-sth-consistency-first-3654490-second-961984011',
  );
  const older = { size1: 3_654_490, root1: hash('AuIZ5V6sDUj1vn3Y1K85oOaQ7y+FJJKtyRTl1edIKBQ=') };
  verifyConsistency({ ...older, size2: size, root2: root, proof: hashes(consistency) });
  assert.throws(
    () =>
      verifyConsistency({ ...older, size1: 3_654_491, size2: size, root2: root, proof: hashes(consistency) }),
    VerificationError,
  );
});

test('tessera: every tile and root of its test log, from the entries', { skip: vectorsMissing }, () => {
  const words = 'one two three four five six seven eit nain ten ileven twelf threeten fourten fivten'.split(
    ' ',
  );
  const tree = new NaiveTree(words.map((word) => Buffer.from(word)));
  const frontier = Frontier.empty();
  const roots = [frontier.root()];
  for (const word of words) {
    frontier.append(hashLeaf(Buffer.from(word)));
    roots.push(frontier.root());
    for (const tile of tilesOfSize(frontier.size)) {
      const data = readVectorBytes(`tessera-testlog/log/${tilePath(tile)}`);
      assert.equal(data.length, tile.width * 32);
      for (let index = 0; index < tile.width; index += 1) {
        assert.deepEqual(hashFromTile(data, { level: 0, index }), tree.leafHashes[index]);
      }
    }
  }
  roots.forEach((root, size) => {
    const [, sizeLine, rootLine] = readVector(`tessera-testlog/log/checkpoint.${size}`).split('\n');
    assert.equal(sizeLine, `${size}`);
    assert.deepEqual(base64Decode(rootLine!), root);
  });
  for (let size2 = 1; size2 < roots.length; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const plan = planConsistency(size1, size2);
      const proof = plan.assemble(plan.nodes.map((node) => tree.node(node)));
      verifyConsistency({ size1, root1: roots[size1]!, size2, root2: roots[size2]!, proof });
    }
  }
});
