import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hexEncode, sha256, utf8Decode } from '../bytes/index.ts';
import { createExclusive } from '../platform/index.ts';
import { readHead } from '../verify/index.ts';
import type { Telling } from './found.ts';

/** Files that are kept for each kind of finding, and bytes of them: whoever serves a log can make up checkpoints without end. */
export const EVIDENCE_FILES_MAX = 64;
const EVIDENCE_BYTES_MAX = 16 * 1024 * 1024;

/** What became of the notes that prove something. */
export interface KeptEvidence {
  /** Where they lie. */
  readonly files: readonly string[];
  /** The folder, where it has as much of this kind as it may have, and not all of them were kept. */
  readonly full?: string;
}

/** Keeps the notes that prove something as files that anybody can check, in `FILE.evidence` beside the state. */
export function keepEvidence(state: string, { code, proof = [] }: Telling): KeptEvidence {
  if (proof.length === 0) return { files: [] };
  const folder = `${state}.evidence`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const kept = new Map(
    readdirSync(folder)
      .filter((name) => name.startsWith(`${code}-`))
      .map((name) => [name, statSync(join(folder, name)).size]),
  );
  let bytes = [...kept.values()].reduce((sum, size) => sum + size, 0);
  const files: string[] = [];
  for (const note of proof) {
    const size = readHead(note)?.size ?? 0;
    const name = `${code}-${size}-${hexEncode(sha256(note)).slice(0, 16)}.checkpoint`;
    const path = join(folder, name);
    if (!kept.has(name)) {
      bytes += note.length;
      if (kept.size >= EVIDENCE_FILES_MAX || bytes > EVIDENCE_BYTES_MAX) return { files, full: folder };
      createExclusive(path, utf8Decode(note), 0o600);
      kept.set(name, note.length);
    }
    files.push(path);
  }
  return { files };
}
