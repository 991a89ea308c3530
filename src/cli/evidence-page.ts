import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hexEncode } from '../bytes/index.ts';
import { parseEvidencePage } from '../verify/index.ts';

/** The pages of earlier releases, by the SHA-256 of what stands around the evidence, hexadecimal. */
const releasedPages: readonly string[] = [];

/** The page into which evidence is put: one file, with its program inside. */
export function evidencePage(): string {
  return readFileSync(join(import.meta.dirname, '../evidence/page.html'), 'utf8');
}

/** Whether a page around evidence, by its SHA-256, is one that we have released. */
export function isReleasedPage(hash: Uint8Array): boolean {
  const name = hexEncode(hash);
  const current = parseEvidencePage(Buffer.from(evidencePage(), 'utf8')).page;
  return hexEncode(current) === name || releasedPages.includes(name);
}
