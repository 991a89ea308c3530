// Applies entries to an index, among others that do the same: node search-applier.ts INDEX all|slow

import assert from 'node:assert/strict';
import { SearchIndex } from '#dist/log/search/index.js';
import { signIns } from './search-world.ts';

const [path, steps] = process.argv.slice(2) as [string, string];
const entries = signIns(700);
const index = SearchIndex.open(path);
process.send?.('begun');

let from = index.cursor();
while (from.size < entries.length) {
  const size = Math.min(entries.length, from.size + 16);
  const to = { size, root: `root of ${size}` };
  const applied = index.apply(entries.slice(from.size, size), { from, to });
  assert.ok(['applied', 'moved', 'busy'].includes(applied));
  from = index.cursor();
  if (steps === 'slow') await new Promise((resolve) => setTimeout(resolve, 1));
}
index.close();
process.disconnect?.();
