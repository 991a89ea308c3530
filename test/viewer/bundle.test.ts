// What the build of the viewer weighs, and that a strict policy lets all of it through.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

const folder = path.resolve(import.meta.dirname, '../../dist/viewer');

const BUNDLE_BYTES_MAX = 250_000;
const VERIFIER_BYTES_MAX = 15_000;

const packedBytes = (...patterns: string[]): number => {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: folder }));
  assert.ok(files.length > 0, `${patterns} is not there: npm run build`);
  return files
    .map((file) => gzipSync(readFileSync(path.join(folder, file)), { level: 9 }).length)
    .reduce((sum, bytes) => sum + bytes, 0);
};

test('the page, the embedded viewer and the verifier alone stay below their limits, gzipped', () => {
  assert.ok(existsSync(folder), 'build first: npm run build');
  assert.ok(packedBytes('index.html', 'assets/*') < BUNDLE_BYTES_MAX);
  assert.ok(packedBytes('embed.js') < BUNDLE_BYTES_MAX);
  assert.ok(packedBytes('assets/verifier-*.js') < VERIFIER_BYTES_MAX);
});

test('the page holds no inline script or style, no data address, and nothing from elsewhere', () => {
  const html = readFileSync(path.join(folder, 'index.html'), 'utf8');
  assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style|\bstyle=|\son[a-z]+=|data:|https?:/i);
  for (const file of globSync('**/*.css', { cwd: folder })) {
    assert.doesNotMatch(readFileSync(path.join(folder, file), 'utf8'), /@import|url\((?!["']?#)/, file);
  }
});
