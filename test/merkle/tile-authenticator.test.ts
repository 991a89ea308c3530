import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes } from 'indelible/bytes';
import {
  EMPTY_ROOT,
  Frontier,
  type Hash,
  hashLeaf,
  type NodeId,
  planConsistency,
  planInclusion,
  type ReadTiles,
  type Tile,
  TileAuthenticator,
  tilePath,
  tilesOfSize,
  verifyConsistency,
  verifyInclusion,
} from 'indelible/merkle';

const LARGEST = 66_000;
const levels: Hash[][] = [];
const roots: Hash[] = [EMPTY_ROOT];
const frontier = Frontier.empty();
for (let index = 0; index < LARGEST; index += 1) {
  frontier.append(hashLeaf(Buffer.from(`${index}`)), (level, _index, hash) => {
    levels[level] ??= [];
    levels[level].push(hash);
  });
  roots.push(frontier.root());
}

const nodeHash = ({ level, index }: NodeId): Hash => levels[level]![index]!;
const invalid = { name: 'VerificationError', code: 'tile_invalid' };

function honest({ level, index, width }: Tile): Uint8Array {
  return concatBytes(...levels[level * 8]!.slice(index * 256, index * 256 + width));
}

/** Reads honest tiles, writes down which, and lets one be exchanged on the way. */
function reader(exchange: (data: Uint8Array, tile: Tile) => Uint8Array = (data) => data) {
  const batches: string[][] = [];
  const readTiles: ReadTiles = async (tiles) => {
    batches.push(tiles.map(tilePath));
    return tiles.map((tile) => exchange(honest(tile), tile));
  };
  return { batches, readTiles };
}

const flip = (data: Uint8Array, at: number) =>
  data.map((byte, position) => (position === at ? byte ^ 1 : byte));

test('every node of trees at and around the edges of tiles is read and authenticated', async () => {
  for (const size of [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 65_535, 65_536, 65_537, 66_000]) {
    const { readTiles } = reader();
    const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles });
    const nodes: NodeId[] = [];
    for (let level = 0; 2 ** level <= size; level += 1) {
      const count = Math.floor(size / 2 ** level);
      const indexes = new Set([0, 1, 254, 255, 256, 257, Math.floor(count / 2), count - 2, count - 1]);
      for (const index of indexes) if (index >= 0 && index < count) nodes.push({ level, index });
    }
    assert.deepEqual(await authenticator.readHashes(nodes), nodes.map(nodeHash));
    for (const node of nodes) assert.deepEqual(await authenticator.readHashes([node]), [nodeHash(node)]);
  }
});

test('proofs made of authenticated hashes verify', async () => {
  const size = 66_000;
  const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles: reader().readTiles });
  for (const index of [0, 1, 255, 256, 65_535, 65_536, 65_999]) {
    const plan = planInclusion(index, size);
    const proof = plan.assemble(await authenticator.readHashes(plan.nodes));
    verifyInclusion({ index, size, root: roots[size]!, leafHash: levels[0]![index]!, proof });
  }
  for (const size1 of [1, 255, 256, 1000, 65_536, 65_999, 66_000]) {
    const plan = planConsistency(size1, size);
    const proof = plan.assemble(await authenticator.readHashes(plan.nodes));
    verifyConsistency({ size1, root1: roots[size1]!, size2: size, root2: roots[size]!, proof });
  }
});

test('one bit flipped in any tile on the way, at its beginning, middle or end, is noticed', async () => {
  const size = 66_000;
  const nodes = [
    { level: 0, index: 700 },
    { level: 3, index: 8191 },
    { level: 9, index: 3 },
  ];
  const { readTiles, batches } = reader();
  await new TileAuthenticator({ size, root: roots[size]!, readTiles }).readHashes(nodes);
  const paths = batches.flat();
  assert.deepEqual([...paths].sort(), [
    'tile/0/002',
    'tile/0/255',
    'tile/0/257.p/208',
    'tile/1/000',
    'tile/1/001.p/1',
    'tile/2/000.p/1',
  ]);
  for (const path of paths) {
    for (const part of [0, 0.5, 1]) {
      const bad = reader((data, tile) =>
        tilePath(tile) === path ? flip(data, Math.floor((data.length - 1) * part)) : data,
      );
      const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles: bad.readTiles });
      await assert.rejects(authenticator.readHashes(nodes), invalid, `${path} at ${part}`);
    }
  }
});

test('every hash of every tile of a small tree is covered: none can be flipped when its tile is read', async () => {
  const size = 515;
  for (const tile of tilesOfSize(size)) {
    for (let position = 0; position < tile.width; position += tile.width < 50 ? 1 : 17) {
      const bad = reader((data, read) =>
        tilePath(read) === tilePath(tile) ? flip(data, position * 32 + 5) : data,
      );
      const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles: bad.readTiles });
      // Another hash of the same tile is asked for: the whole tile has to be right.
      const node = { level: tile.level * 8, index: tile.index * 256 + ((position + 1) % tile.width) };
      await assert.rejects(authenticator.readHashes([node]), invalid, `${tilePath(tile)} at ${position}`);
    }
  }
});

test('a whole tile and its parent exchanged together do not help: the root holds them', async () => {
  const size = 66_000;
  const bad = reader((data, { level }) => (level <= 1 ? flip(data, 0) : data));
  const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles: bad.readTiles });
  await assert.rejects(authenticator.readHashes([{ level: 0, index: 3 }]), invalid);
});

test('another root, another size, a tile too short or too long: refused', async () => {
  const { readTiles } = reader();
  const node = { level: 0, index: 3 };
  const read = (options: { size: number; root: Hash; readTiles: ReadTiles }) =>
    new TileAuthenticator(options).readHashes([node]);
  await assert.rejects(read({ size: 300, root: roots[301]!, readTiles }), invalid);
  await assert.rejects(read({ size: 301, root: roots[300]!, readTiles }), invalid);
  for (const cut of [
    (data: Uint8Array) => data.subarray(32),
    (data: Uint8Array) => concatBytes(data, data.subarray(0, 32)),
  ]) {
    await assert.rejects(read({ size: 300, root: roots[300]!, readTiles: reader(cut).readTiles }), invalid);
  }
  const fewer: ReadTiles = async (tiles) => (await readTiles(tiles)).slice(1);
  await assert.rejects(read({ size: 300, root: roots[300]!, readTiles: fewer }), {
    name: 'RangeError',
    code: 'hashes_mismatch',
  });
});

test('the error names the tile', async () => {
  const size = 66_000;
  const bad = reader((data, tile) => (tilePath(tile) === 'tile/0/002' ? flip(data, 77) : data));
  const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles: bad.readTiles });
  const rejected = authenticator.readHashes([{ level: 0, index: 600 }]);
  await assert.rejects(rejected, { ...invalid, details: { level: 0, index: 2, width: 256 } });
});

test('only authenticated tiles are remembered, at most as many as allowed, and each call reads one batch', async () => {
  const size = 66_000;
  let bad = true;
  const { readTiles, batches } = reader((data, tile) =>
    bad && tilePath(tile) === 'tile/0/002' ? flip(data, 77) : data,
  );
  const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles });
  const node = { level: 0, index: 600 };
  await assert.rejects(authenticator.readHashes([node]), invalid);
  bad = false;
  assert.deepEqual(await authenticator.readHashes([node]), [nodeHash(node)]);
  assert.deepEqual(batches[0], batches[1]);
  assert.deepEqual(await authenticator.readHashes([node, { level: 1, index: 300 }]), [
    nodeHash(node),
    nodeHash({ level: 1, index: 300 }),
  ]);
  assert.equal(batches.length, 2);
  await authenticator.readHashes([{ level: 0, index: 0 }]);
  assert.deepEqual(batches[2], ['tile/0/000']);

  const forgetful = reader();
  const small = new TileAuthenticator({
    size,
    root: roots[size]!,
    readTiles: forgetful.readTiles,
    tilesCachedMax: 0,
  });
  await small.readHashes([node]);
  await small.readHashes([node]);
  assert.deepEqual(forgetful.batches[0], forgetful.batches[1]);
});

test('a reader that uses its buffer again cannot change what is remembered', async () => {
  const size = 300;
  const lent: Uint8Array[] = [];
  const readTiles: ReadTiles = async (tiles) => {
    const data = tiles.map(honest);
    lent.push(...data);
    return data;
  };
  const authenticator = new TileAuthenticator({ size, root: roots[size]!, readTiles });
  const [first] = await authenticator.readHashes([{ level: 0, index: 7 }]);
  for (const data of lent) data.fill(0);
  assert.deepEqual(first, nodeHash({ level: 0, index: 7 }));
  assert.deepEqual(await authenticator.readHashes([{ level: 0, index: 8 }]), [
    nodeHash({ level: 0, index: 8 }),
  ]);
});

test('a caller that changes the root it gave changes nothing', async () => {
  const root = roots[300]!.slice();
  const authenticator = new TileAuthenticator({ size: 300, root, readTiles: reader().readTiles });
  root.fill(0);
  assert.deepEqual(await authenticator.readHashes([{ level: 0, index: 7 }]), [
    nodeHash({ level: 0, index: 7 }),
  ]);
});

test('a tree has only its own nodes; the empty tree has none', async () => {
  const { readTiles } = reader();
  const authenticator = new TileAuthenticator({ size: 300, root: roots[300]!, readTiles });
  for (const node of [
    { level: 0, index: 300 },
    { level: 1, index: 150 },
    { level: 9, index: 0 },
  ]) {
    await assert.rejects(authenticator.readHashes([node]), { name: 'RangeError', code: 'node_invalid' });
  }
  const empty = new TileAuthenticator({ size: 0, root: EMPTY_ROOT, readTiles });
  assert.deepEqual(await empty.readHashes([]), []);
  await assert.rejects(empty.readHashes([{ level: 0, index: 0 }]), { code: 'node_invalid' });
  await assert.rejects(
    new TileAuthenticator({ size: 0, root: roots[1]!, readTiles }).readHashes([]),
    invalid,
  );
  assert.throws(() => new TileAuthenticator({ size: 2 ** 53, root: EMPTY_ROOT, readTiles }), {
    code: 'size_out_of_range',
  });
  assert.throws(() => new TileAuthenticator({ size: 1, root: new Uint8Array(31), readTiles }), {
    code: 'hash_length_invalid',
  });
});

test('calls may overlap', async () => {
  const size = 66_000;
  const authenticator = new TileAuthenticator({
    size,
    root: roots[size]!,
    readTiles: reader().readTiles,
    tilesCachedMax: 3,
  });
  const nodes = Array.from({ length: 40 }, (_, k) => ({ level: 0, index: k * 1600 }));
  const read = await Promise.all(nodes.map((node) => authenticator.readHashes([node])));
  assert.deepEqual(read.flat(), nodes.map(nodeHash));
});
