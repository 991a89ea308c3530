// Builds the viewer into dist/viewer and the page of evidence into dist/evidence, and says how much of it travels.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { buildEvidencePage } from '../viewer/evidence.config.ts';
import { embedConfig, pageConfig } from '../viewer/vite.config.ts';

const folder = path.resolve(import.meta.dirname, '../dist/viewer');

await build(pageConfig);
await build(embedConfig);
await buildEvidencePage();

if (process.argv.includes('--sizes')) {
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.(js|css|html|svg)$/.test(file)) continue;
    const bytes = gzipSync(readFileSync(path.join(folder, file)), { level: 9 }).length;
    console.log(`${(bytes / 1000).toFixed(1).padStart(7)} kB gz  ${file}`);
  }
}
