// Single groups of a file of disclosures, and a file of any: what no publisher of ours writes.

import { parseSealedFile, type SealedGroup, type SealedText, sealFile } from '#dist/publish/sealed-file.js';

/** One group, sealed as in a file of its own. */
export function sealGroup(
  path: string,
  subjects: readonly string[],
  keys: readonly Uint8Array[],
  texts: readonly SealedText[],
): SealedGroup {
  return parseSealedFile(sealFile(path, [{ subjects, keys, texts }]))[0]!;
}

/** The bytes of a file of these groups (spec/archive.md). */
export function formatSealedFile(groups: readonly SealedGroup[]): Buffer {
  const parts = groups.flatMap(({ subjects, nonce, box }) => {
    const names = Buffer.from(subjects.join('\n'));
    return [length(names.length), names, nonce, length(box.length), box];
  });
  return Buffer.concat([Buffer.from('indelible-sealed/v1\n'), ...parts]);
}

function length(count: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(count);
  return bytes;
}
