import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';

// Outside Node the import condition gives noble's hash instead of Node's. Here the same exchange is made by hand, before
// anything is loaded, so that the rooms run as they do in a browser.
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier === '#sha256' ? '#dist/bytes/sha256-portable.js' : specifier, context),
});
const bytes = await import('indelible/bytes');
const merkle = await import('indelible/merkle');
const portable = await import('#dist/bytes/sha256-portable.js');
const native = await import('#dist/platform/sha256.js');

test('bytes and merkle run on the portable hash alone, with the same roots', () => {
  assert.equal(bytes.sha256, portable.sha256);
  assert.notEqual(bytes.sha256, native.sha256);
  const frontier = merkle.Frontier.empty();
  for (let index = 0; index < 100; index += 1) frontier.append(merkle.hashLeafText(`${index}`));
  const hashNode = (left: Uint8Array, right: Uint8Array) =>
    native.sha256(bytes.concatBytes(Uint8Array.of(1), left, right));
  const root = (begin: number, end: number): Uint8Array => {
    if (end - begin === 1) return native.sha256(bytes.utf8Encode(`\0${begin}`));
    const middle = begin + 2 ** Math.floor(Math.log2(end - begin - 1));
    return hashNode(root(begin, middle), root(middle, end));
  };
  assert.deepEqual(frontier.root(), root(0, 100));
});
