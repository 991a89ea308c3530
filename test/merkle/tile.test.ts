import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, hexDecode, hexEncode } from 'indelible/bytes';
import {
  decodeEntryBundle,
  ENTRY_BYTES_MAX,
  encodeEntryBundle,
  entriesPath,
  Frontier,
  type Hash,
  hashFromTile,
  hashLeaf,
  type NodeId,
  parseEntriesPath,
  parseTilePath,
  partialWidth,
  planConsistency,
  planInclusion,
  rangeNodes,
  SIZE_MAX,
  type Tile,
  tileInTree,
  tileOfNode,
  tilePath,
  tilesOfSize,
  verifyConsistency,
  verifyInclusion,
} from 'indelible/merkle';
import { readVector, vectorsMissing } from '../support/vectors.ts';
import { NaiveTree } from './naive-tree.ts';

const tree = NaiveTree.ofSize(600);

function dataOf({ level, index, width }: Tile): Uint8Array {
  const hashes = Array.from({ length: width }, (_, i) =>
    tree.node({ level: level * 8, index: index * 256 + i }),
  );
  return concatBytes(...hashes);
}

test('every node of a tree is found in its tile, stored or recomputed', () => {
  const size = 600;
  for (let level = 0; 2 ** level <= size; level += 1) {
    for (let index = 0; (index + 1) * 2 ** level <= size; index += 1) {
      const place = tileOfNode({ level, index });
      const tile = tileInTree(place, size)!;
      assert.ok(place.first + place.count <= tile.width);
      assert.deepEqual(hashFromTile(dataOf(tile), { level, index }), tree.node({ level, index }));
      // The tile's first leaf is that of the node, moved on by the hashes before it.
      assert.equal((place.index * 256 + place.first) * 256 ** place.level, index * 2 ** level);
    }
  }
});

test('a tile of the wrong length gives no hash', () => {
  const data = dataOf({ level: 0, index: 0, width: 8 });
  const invalid = { name: 'VerificationError', code: 'tile_invalid' };
  assert.deepEqual(hashFromTile(data, { level: 3, index: 0 }), tree.hash(0, 8));
  assert.throws(() => hashFromTile(data, { level: 0, index: 8 }), invalid);
  assert.throws(() => hashFromTile(data, { level: 4, index: 0 }), invalid);
  assert.throws(() => hashFromTile(data.subarray(1), { level: 0, index: 0 }), invalid);
  assert.throws(() => hashFromTile(new Uint8Array(257 * 32), { level: 0, index: 0 }), invalid);
  assert.throws(() => hashFromTile(new Uint8Array(0), { level: 0, index: 0 }), invalid);
});

test('nodes and sizes that do not exist are misuse', () => {
  const node = { name: 'RangeError', code: 'node_invalid' };
  assert.throws(() => tileOfNode({ level: -1, index: 0 }), node);
  assert.throws(() => tileOfNode({ level: 0.5, index: 0 }), node);
  assert.throws(() => tileOfNode({ level: 53, index: 0 }), node);
  assert.throws(() => tileOfNode({ level: 52, index: 1 }), node);
  assert.throws(() => tileOfNode({ level: 0, index: SIZE_MAX }), node);
  assert.deepEqual(tileOfNode({ level: 52, index: 0 }), { level: 6, index: 0, first: 0, count: 16 });
  assert.throws(() => tileOfNode({ level: 0, index: -1 }), { code: 'index_out_of_range' });
  assert.throws(() => partialWidth(SIZE_MAX + 1, 0), { code: 'size_out_of_range' });
  assert.throws(() => partialWidth(5, -1), { code: 'tile_out_of_range' });
  assert.throws(() => tileInTree({ level: 0, index: 0.5 }, 5), { code: 'index_out_of_range' });
  assert.throws(() => [...tilesOfSize(-1)], { code: 'size_out_of_range' });
});

test('the widths of the example in the specification, and at the edges', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((level) => partialWidth(70_000, level)),
    [112, 17, 1, 0],
  );
  assert.deepEqual(
    [0, 1, 2].map((level) => partialWidth(256, level)),
    [0, 1, 0],
  );
  assert.deepEqual([...tilesOfSize(0)], []);
  assert.deepEqual(
    [...tilesOfSize(256)],
    [
      { level: 0, index: 0, width: 256 },
      { level: 1, index: 0, width: 1 },
    ],
  );
  assert.equal(tileInTree({ level: 0, index: 274 }, 70_000), undefined);
  assert.deepEqual(tileInTree({ level: 0, index: 273 }, 70_000), { level: 0, index: 273, width: 112 });
  assert.deepEqual(tileInTree({ level: 0, index: 2 ** 45 - 1 }, SIZE_MAX), {
    level: 0,
    index: 2 ** 45 - 1,
    width: 255,
  });
});

test('paths: the vectors, both ways', { skip: vectorsMissing }, () => {
  const vectors = JSON.parse(readVector('generated/tile-paths.json')) as {
    index: Record<string, string>;
    rejectParse: string[];
    acceptPartial: Record<string, [number, number]>;
    levels: { accept: string[]; reject: string[] };
  };
  for (const [index, path] of Object.entries(vectors.index)) {
    if (Number.isSafeInteger(Number(index))) {
      const tile = { level: 3, index: Number(index), width: 256 };
      assert.equal(tilePath(tile), `tile/3/${path}`);
      assert.deepEqual(parseTilePath(`tile/3/${path}`), tile);
      assert.deepEqual(parseEntriesPath(entriesPath(tile.index)), { index: tile.index, width: 256 });
    } else {
      assert.throws(() => parseTilePath(`tile/3/${path}`), { code: 'malformed_tile_path' });
      assert.throws(() => parseEntriesPath(`tile/entries/${path}`), { code: 'malformed_tile_path' });
    }
  }
  for (const path of vectors.rejectParse) {
    assert.throws(() => parseTilePath(`tile/0/${path}`), { code: 'malformed_tile_path' }, path);
    assert.throws(() => parseEntriesPath(`tile/entries/${path}`), { code: 'malformed_tile_path' }, path);
  }
  for (const [path, [index, width]] of Object.entries(vectors.acceptPartial)) {
    assert.deepEqual(parseTilePath(`tile/0/${path}`), { level: 0, index, width });
    assert.equal(tilePath({ level: 0, index, width }), `tile/0/${path}`);
    assert.equal(entriesPath(index, width), `tile/entries/${path}`);
  }
  for (const level of vectors.levels.accept)
    assert.equal(parseTilePath(`tile/${level}/000`).level, Number(level));
  for (const level of vectors.levels.reject) {
    assert.throws(() => parseTilePath(`tile/${level}/000`), { code: 'malformed_tile_path' }, level);
  }
});

test('paths round trip; texts near a path are refused or are the one spelling; only our errors come out', () => {
  const tiles = fc.record(
    {
      level: fc.integer({ min: 0, max: 63 }),
      index: fc.oneof(fc.maxSafeNat(), fc.nat(3000)),
      width: fc.integer({ min: 1, max: 256 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(tiles, (tile) => assert.deepEqual(parseTilePath(tilePath(tile)), tile)));
  const pieces = fc.constantFrom(
    'tile/',
    'entries/',
    '0',
    '0/',
    '1/',
    'x001/',
    '000',
    '067',
    '.p/',
    '1',
    '256',
    '/',
    '\n',
    '64/',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 6 }), (parts) => {
      const path = `tile/${parts.join('')}`;
      try {
        assert.equal(tilePath(parseTilePath(path)), path);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_tile_path');
      }
      try {
        const { index, width } = parseEntriesPath(path);
        assert.equal(entriesPath(index, width), path);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_tile_path');
      }
    }),
    { numRuns: 5000 },
  );
  for (const tile of [
    { level: 64 },
    { level: -1 },
    { index: -1 },
    { index: 2 ** 53 },
    { width: 0 },
    { width: 257 },
    { width: 1.5 },
  ]) {
    assert.throws(() => tilePath({ level: 0, index: 0, width: 1, ...tile }), {
      name: 'RangeError',
      code: 'tile_out_of_range',
    });
  }
});

test('entry bundles: the vectors, both ways', { skip: vectorsMissing }, () => {
  const vectors = JSON.parse(readVector('generated/entry-bundles.json')) as {
    valid: {
      entriesHex?: string[];
      bundleHex: string;
      leafHashes: string[];
      bundleSha256: string;
      leafHash: string;
    }[];
    rejectDecodeHex: string[];
  };
  const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  for (const vector of vectors.valid) {
    const entries = vector.entriesHex?.map(hexDecode) ?? [new Uint8Array(65_535).fill(0x61)];
    const bundle = encodeEntryBundle(entries);
    assert.deepEqual(decodeEntryBundle(bundle), entries);
    assert.deepEqual(decodeEntryBundle(bundle, entries.length), entries);
    if (vector.entriesHex !== undefined) assert.equal(hexEncode(bundle), vector.bundleHex);
    else assert.equal(sha(bundle), vector.bundleSha256);
    assert.deepEqual(
      entries.map((entry) => hexEncode(hashLeaf(entry))),
      vector.leafHashes ?? [vector.leafHash],
    );
  }
  for (const hex of vectors.rejectDecodeHex) {
    assert.throws(() => decodeEntryBundle(hexDecode(hex)), { code: 'malformed_entry_bundle' }, hex);
  }
});

test('entry bundles: limits, at each and one past it', () => {
  const empty = new Uint8Array(0);
  const many = (count: number) => Array.from({ length: count }, () => empty);
  assert.equal(decodeEntryBundle(encodeEntryBundle(many(256))).length, 256);
  assert.throws(() => encodeEntryBundle(many(257)), { name: 'RangeError', code: 'tile_out_of_range' });
  assert.throws(() => encodeEntryBundle([]), { code: 'tile_out_of_range' });
  assert.throws(() => decodeEntryBundle(new Uint8Array(2 * 257)), { code: 'malformed_entry_bundle' });
  assert.throws(() => decodeEntryBundle(empty), { code: 'malformed_entry_bundle' });
  assert.equal(encodeEntryBundle([new Uint8Array(ENTRY_BYTES_MAX)]).length, 2 + 65_535);
  assert.throws(() => encodeEntryBundle([new Uint8Array(ENTRY_BYTES_MAX + 1)]), {
    name: 'RangeError',
    code: 'entry_too_large',
  });
  const three = encodeEntryBundle(many(3));
  assert.equal(decodeEntryBundle(three, 3).length, 3);
  for (const width of [1, 2, 4, 256]) {
    assert.throws(() => decodeEntryBundle(three, width), { code: 'malformed_entry_bundle' }, `${width}`);
  }
  assert.throws(() => decodeEntryBundle(three, 0), { name: 'RangeError', code: 'tile_out_of_range' });
});

test('entry bundles round trip, and what decodes encodes to the same bytes', () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(entries, (list) => assert.deepEqual(decodeEntryBundle(encodeEntryBundle(list)), list)),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12, max: 3 }), (bytes) => {
      try {
        assert.deepEqual(encodeEntryBundle(decodeEntryBundle(bytes)), bytes);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'malformed_entry_bundle');
      }
    }),
    { numRuns: 2000 },
  );
});

interface Tree70000 {
  rootsBySize: Record<string, string>;
  inclusion: { index: number; size: number; proof: string[] }[];
  consistency: { size1: number; size2: number; proof: string[] }[];
  tileLayoutBySize: Record<
    string,
    { fileCount: number; manifestSha256: string; files: { path: string; sha256: string }[] }
  >;
}

test('a tree of 70,000 entries: roots, frontiers, proofs, and every byte of every tile and bundle', {
  skip: vectorsMissing,
}, () => {
  const vectors = JSON.parse(readVector('generated/tree-70000.json')) as Tree70000;
  const { frontierBySize } = JSON.parse(readVector('generated/frontiers.json')) as {
    frontierBySize: Record<string, (NodeId & { hash: string })[]>;
  };
  const entries = Array.from({ length: 70_000 }, (_, index) => Buffer.from(`entry-${index}`));
  const levels: Hash[][] = [];
  const nodeHash = ({ level, index }: NodeId): Hash => levels[level]![index]!;
  const frontier = Frontier.empty();
  const roots = new Map<number, Hash>();
  const check = (): void => {
    const { size } = frontier;
    roots.set(size, frontier.root());
    const edge = frontierBySize[size];
    if (edge === undefined) return;
    assert.deepEqual(
      rangeNodes(0, size),
      edge.map(({ level, index }) => ({ level, index })),
    );
    assert.deepEqual(
      frontier.hashes.map(hexEncode),
      edge.map(({ hash }) => hash),
    );
  };
  check();
  for (const entry of entries) {
    frontier.append(hashLeaf(entry), (level, _index, hash) => {
      levels[level] ??= [];
      levels[level].push(hash);
    });
    if (`${frontier.size}` in vectors.rootsBySize || `${frontier.size}` in frontierBySize) check();
  }
  for (const [size, root] of Object.entries(vectors.rootsBySize))
    assert.equal(hexEncode(roots.get(Number(size))!), root);
  for (const size of Object.keys(frontierBySize)) assert.ok(roots.has(Number(size)));
  for (const { index, size, proof: expected } of vectors.inclusion) {
    const plan = planInclusion(index, size);
    const proof = plan.assemble(plan.nodes.map(nodeHash));
    assert.deepEqual(proof.map(hexEncode), expected);
    const root = hexDecode(vectors.rootsBySize[size]!);
    verifyInclusion({ index, size, root, leafHash: hashLeaf(entries[index]!), proof });
  }
  for (const { size1, size2, proof: expected } of vectors.consistency) {
    const plan = planConsistency(size1, size2);
    const proof = plan.assemble(plan.nodes.map(nodeHash));
    assert.deepEqual(proof.map(hexEncode), expected);
    const [root1, root2] = [size1, size2].map((size) => hexDecode(vectors.rootsBySize[size]!)) as [
      Hash,
      Hash,
    ];
    verifyConsistency({ size1, root1, size2, root2, proof });
  }
  for (const [size, layout] of Object.entries(vectors.tileLayoutBySize)) {
    const lines = [...files(Number(size), entries, nodeHash)].sort();
    assert.equal(lines.length, layout.fileCount);
    assert.equal(createHash('sha256').update(lines.join('')).digest('hex'), layout.manifestSha256, size);
  }
});

/** One line of the manifest for each file of the static log: "<path> <bytes> <sha256>\n". */
function* files(
  size: number,
  entries: readonly Uint8Array[],
  nodeHash: (node: NodeId) => Hash,
): Generator<string> {
  const line = (path: string, data: Uint8Array) =>
    `${path} ${data.length} ${createHash('sha256').update(data).digest('hex')}\n`;
  for (const tile of tilesOfSize(size)) {
    const { level, index, width } = tile;
    const hashes = Array.from({ length: width }, (_, i) =>
      nodeHash({ level: level * 8, index: index * 256 + i }),
    );
    yield line(tilePath(tile), concatBytes(...hashes));
    if (level > 0) continue;
    const bundle = encodeEntryBundle(entries.slice(index * 256, index * 256 + width));
    yield line(entriesPath(index, width), bundle);
  }
}
