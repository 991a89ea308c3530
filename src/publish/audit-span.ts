import { entriesPath, HASH_BYTES, TILE_WIDTH, tilePath } from '../merkle/index.ts';
import {
  type AuditRow,
  auditChunk,
  type ChunkReport,
  type ChunkRequest,
  type Discovery,
  type Span,
} from '../verify/index.ts';
import { type BundleFile, bundlesOf, type SpanFiles, type StrangeFile } from './published-files.ts';
import { sealedPath } from './sealed-file.ts';

/** The disclosures of an entry, where somebody has the keys to read them. */
export type DisclosuresAt = (index: number) => readonly string[];

const none: DisclosuresAt = () => [];

/** Audits a span of a published log. A pure function of what was read. */
export function auditSpan(
  span: Span,
  files: SpanFiles,
  request: ChunkRequest,
  disclosuresAt: DisclosuresAt = none,
): ChunkReport {
  const found: Discovery[] = [];
  const rows: AuditRow[] = [];
  const tiles: (Uint8Array | undefined)[] = [];
  for (const [position, { index, width }] of bundlesOf(span).entries()) {
    const begin = index * TILE_WIDTH;
    for (const [offset, entry] of entriesOf(files.bundles[position]!, { begin, width, found }).entries()) {
      rows.push({ index: begin + offset, entry, disclosures: disclosuresAt(begin + offset) });
    }
    const tile = files.tiles[position];
    tiles.push(tile);
    // Full tiles are missed where the tree is compared.
    if (width < TILE_WIDTH && tile?.length !== width * HASH_BYTES) {
      found.push({
        code: 'tile_mismatch',
        from: begin,
        to: begin + width - 1,
        what:
          tile === undefined
            ? 'no tile of leaf hashes is published'
            : 'their tile has another length than theirs',
        detail: { level: 0 },
      });
    }
  }
  const report = auditChunk({ ...span, rows, tiles }, request);
  found.push(...strangeIn(span, files.strange));
  return found.length === 0 ? report : { ...report, discoveries: [...found, ...report.discoveries] };
}

/** What stands in the place of files, with the entries of the bundle to which each belongs. */
function strangeIn(span: Span, strange: readonly StrangeFile[]): Discovery[] {
  return strange.map(({ path, kind }) => {
    const { index, width } = bundlesOf(span).find((bundle) => pathsOf(bundle).includes(path))!;
    const from = index * TILE_WIDTH;
    return strangeFinding({ path, kind }, { from, to: from + width - 1 });
  });
}

/** What is said of something that stands in the place of a file with these entries, or of hashes over them. */
export function strangeFinding(
  { path, kind }: StrangeFile,
  { from, to }: { readonly from: number; readonly to: number },
): Discovery {
  const what = `${path} is ${kind}, and was not followed`;
  return { code: 'not_a_file', from, to, what, detail: { path, kind } };
}

/** Every path at which something of a bundle may lie: full files stand in for partial ones. */
function pathsOf({ index, width }: { readonly index: number; readonly width: number }): string[] {
  return [width, TILE_WIDTH].flatMap((wide) => [
    entriesPath(index, wide),
    tilePath({ level: 0, index, width: wide }),
    sealedPath(index, wide),
  ]);
}

/** The entries of a bundle, as far as they go. One that does not end where it should is a finding, never read further. */
function entriesOf(
  { bytes, width: promised }: BundleFile,
  { begin, width, found }: { readonly begin: number; readonly width: number; readonly found: Discovery[] },
): Uint8Array[] {
  const entries: Uint8Array[] = [];
  if (bytes === undefined) return entries;
  const report = (what: string): void => {
    found.push({ code: 'bundle_malformed', from: begin, to: begin + width - 1, what });
  };
  let offset = 0;
  while (offset < bytes.length && entries.length < promised) {
    const start = offset + 2;
    const end = start > bytes.length ? start : start + bytes[offset]! * 256 + bytes[offset + 1]!;
    if (end > bytes.length) {
      report('their bundle ends within an entry');
      return entries.slice(0, width);
    }
    entries.push(bytes.subarray(start, end));
    offset = end;
  }
  if (offset < bytes.length) report('their bundle goes on after the last of them');
  return entries.slice(0, width);
}
