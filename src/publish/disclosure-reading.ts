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

/** The file with the disclosures of a bundle, as it was read; undefined where there is none. */
export interface SealedFile {
  readonly index: number;
  readonly width: number;
  readonly bytes: Uint8Array | undefined;
}

/** The disclosures of entries, by their index, each entry's in their order; of those entries that have any. */
export type DisclosuresOf = ReadonlyMap<number, readonly string[]>;

/** Opens the keys, and answers what reads the disclosures of a span. Throws `LogError` `key_missing`. */
export function readDisclosures(
  reading: DisclosureReading,
): (span: Span, source: SealedSource) => Promise<DisclosuresAt> {
  const open = openDisclosures(reading);
  return async (span, source) => {
    const found = open(await sealedFiles(span, source));
    return (index) => found.get(index) ?? [];
  };
}

/** The files over a span. */
export function sealedFiles(span: Span, { read, sealed }: SealedSource): Promise<SealedFile[]> {
  return Promise.all(
    bundlesOf(span).map(async ({ index, width }, position) => {
      const bytes =
        sealed === undefined
          ? await read?.(sealedPath(index, width), SEALED_FILE_BYTES_MAX)
          : sealed[position];
      return { index, width, bytes };
    }),
  );
}

/** Opens the keys, and answers what opens files. Throws `LogError` `key_missing`. */
export function openDisclosures({
  subjectKeys,
}: DisclosureReading): (files: readonly SealedFile[]) => DisclosuresOf {
  const keys = SubjectKeys.reading(subjectKeys);
  return (files) => {
    const found = new Map<number, SealedText[]>();
    for (const { index, width, bytes } of files) {
      for (const text of bytes === undefined ? [] : textsOf(sealedPath(index, width), bytes, keys)) {
        const at = index * TILE_WIDTH + text.offset;
        const texts = found.get(at);
        if (texts === undefined) found.set(at, [text]);
        else texts.push(text);
      }
    }
    return new Map([...found].map(([index, texts]) => [index, inOrder(texts)]));
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

function inOrder(texts: SealedText[]): readonly string[] {
  return texts.sort((one, other) => one.position - other.position).map(({ text }) => text);
}
