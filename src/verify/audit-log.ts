import { TILE_WIDTH, type Tile } from '../merkle/index.ts';
import { Audit } from './audit.ts';
import { auditChunk } from './audit-chunk.ts';
import type { AuditHead, AuditOptions, AuditRow, Inspect, Span } from './audit-model.ts';
import type { AuditReport } from './audit-report.ts';

/**
 * Where an audit reads a log from: a database, a folder of tiles, a server. It must show one state of the log
 * throughout, as one read transaction does, and hand over the bytes that its readers see, unaltered and
 * unchecked.
 */
export interface AuditSource {
  /** What the store says of itself. */
  head(): AuditHead | Promise<AuditHead>;
  /** The entries of a span by rising index, holes and all. */
  rows(span: Span): Iterable<AuditRow> | Promise<Iterable<AuditRow>>;
  /** The bytes of stored tiles, undefined for one that is not there. Absent where the store keeps none. */
  tiles?(tiles: readonly Tile[]): StoredTiles | Promise<StoredTiles>;
}

/** The bytes of some tiles, in the order in which they were asked for. */
export type StoredTiles = readonly (Uint8Array | undefined)[];

/** How an audit is to be done, and who watches. */
export interface AuditLogOptions extends AuditOptions {
  /** Called after each chunk with how many entries are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Checks each entry in a way that this room cannot. */
  readonly inspect?: Inspect;
}

/**
 * Audits a whole log, on this thread, chunk by chunk: every entry, disclosure and tile, the tree, the
 * checkpoint, and whatever is held outside. It never stops at the first finding, never writes, and needs no
 * more memory for ten million entries than for ten thousand. Evidence that fails is in the report; what
 * throws is the source.
 */
export async function auditLog(source: AuditSource, options: AuditLogOptions = {}): Promise<AuditReport> {
  const audit = new Audit(await source.head(), options);
  const { onProgress, inspect } = options;
  for (const span of audit.spans()) {
    const rows = await source.rows(span);
    const tiles = await source.tiles?.(leafTiles(span));
    audit.add(auditChunk({ ...span, rows, ...(tiles !== undefined && { tiles }) }, audit.request, inspect));
    onProgress?.(audit.end - span.begin, audit.end);
  }
  return audit.conclude(await source.tiles?.(audit.upperTiles()));
}

/**
 * The tiles of leaf hashes over a span, which begins where a tile does. The last may be partial; a store need
 * not keep that one, but damage under it can be located only if it does.
 */
export function leafTiles({ begin, end }: Span): Tile[] {
  const tiles: Tile[] = [];
  for (let first = begin; first < end; first += TILE_WIDTH) {
    tiles.push({ level: 0, index: first / TILE_WIDTH, width: Math.min(TILE_WIDTH, end - first) });
  }
  return tiles;
}
