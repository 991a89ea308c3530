// Puts a checkpoint in a folder, after what lies there now, over a disk on which a rename takes until it is told to go on.

import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const [, , folder] = process.argv;
const { rename } = fs.promises;
fs.promises.rename = async (from, to) => {
  process.send!('renaming');
  await once(process, 'message');
  await rename(from, to);
};
syncBuiltinESMExports();

const { DirectoryTileStore } = await import('indelible/store');
const there = new Uint8Array(fs.readFileSync(join(folder!, 'checkpoint')));
const store = await DirectoryTileStore.open(folder!);
await store.putCheckpoint(new TextEncoder().encode('two'), there);
process.send!('renamed');
process.disconnect();
