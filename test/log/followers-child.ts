// Follows a log of 400 entries until it is killed: node followers-child.ts CURSORS OUT

import { appendFileSync } from 'node:fs';
import { base64Encode } from 'indelible/bytes';
import { Frontier, hashLeaf } from 'indelible/merkle';
import { FollowerRunner } from '#dist/log/followers/index.js';
import { signIns } from './search-world.ts';

const [path, out] = process.argv.slice(2) as [string, string];
const entries = signIns(400);
const frontier = Frontier.empty();
for (const { entry } of entries) frontier.append(hashLeaf(entry));
const head = { size: entries.length, root: base64Encode(frontier.root()) };
const source = {
  checkpoint: async () => head,
  entries: async (from: number, to: number) => entries.slice(from, to),
  minimum: async () => 0,
  tile: async () => undefined,
  checkContinues: async () => {},
};
const followers = new FollowerRunner(source, path, { pollMs: 5, leaseMs: 100 });
followers.add({
  name: 'witness',
  batchMax: 3,
  apply: ({ entries: batch }) => appendFileSync(out, batch.map(({ index }) => `${index}\n`).join('')),
});
process.send?.('begun');
setInterval(() => {}, 1000);
