import { VerificationError } from '../bytes/index.ts';
import { TILE_WIDTH } from '../merkle/index.ts';
import { NOBODY, SubjectKeys } from '../store/index.ts';
import type { Span } from '../verify/index.ts';
import type { DisclosuresAt } from './audit-span.ts';
import { bundlesOf, type ReadFile } from './published-files.ts';
import {
  openGroup,
  parseSealedFile,
  SEALED_FILE_BYTES_MAX,
  type SealedGroup,
  type SealedText,
  sealedPath,
} from './sealed-file.ts';

/** How disclosures are read; plain data, so that it crosses to a thread. */
export interface DisclosureReading {
  /** Where the keys of the subjects lie. */
  readonly subjectKeys: string;
}

/** Where the files with disclosures come from: they are read, or were. */
export interface SealedSource {
  readonly read?: ReadFile | undefined;
  readonly sealed?: readonly (Uint8Array | undefined)[] | undefined;
}

/** Opens the keys, and answers what reads the disclosures of a span. */
export function readDisclosures({
  subjectKeys,
}: DisclosureReading): (span: Span, source: SealedSource) => Promise<DisclosuresAt> {
  const keys = SubjectKeys.reading(subjectKeys);
  return async (span, { read, sealed }) => {
    const found = new Map<number, SealedText[]>();
    for (const [position, { index, width }] of bundlesOf(span).entries()) {
      const path = sealedPath(index, width);
      const bytes = sealed === undefined ? await read?.(path, SEALED_FILE_BYTES_MAX) : sealed[position];
      for (const text of bytes === undefined ? [] : textsOf(path, bytes, keys)) {
        const at = index * TILE_WIDTH + text.offset;
        const texts = found.get(at) ?? [];
        found.set(at, texts);
        texts.push(text);
      }
    }
    return (index) => inOrder(found.get(index));
  };
}

/** What can be read of a file. What cannot is not there: its keys were destroyed, or it was changed, and the audit says which. */
export function textsOf(path: string, bytes: Uint8Array, keys: SubjectKeys): SealedText[] {
  let groups: SealedGroup[];
  try {
    groups = parseSealedFile(bytes);
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
  return groups.flatMap((group) => {
    const owned = keysOf(group.subjects, (subject) => keys.find(subject));
    return (owned && openGroup(path, group, owned)) ?? [];
  });
}

/** The keys of all subjects; undefined where one is missing. */
export function keysOf(
  subjects: readonly string[],
  keyOf: (subject: string) => Uint8Array | undefined,
): Uint8Array[] | undefined {
  const keys = (subjects.length === 0 ? [NOBODY] : subjects).map(keyOf);
  return keys.includes(undefined) ? undefined : (keys as Uint8Array[]);
}

function inOrder(texts: SealedText[] | undefined): readonly string[] {
  return texts?.sort((one, other) => one.position - other.position).map(({ text }) => text) ?? [];
}
