import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { base64Encode, canonicalize, type JsonValue } from '../../bytes/index.ts';
import {
  type Actor,
  type Entry,
  parseEntry,
  type Reveal,
  revealed,
  revealPointer,
  subjectOf,
} from '../../event/index.ts';
import type { Tile } from '../../merkle/index.ts';
import type { StoredEntry } from '../../store/index.ts';
import {
  EVIDENCE_BLOCK_BYTES_MAX,
  EVIDENCE_FORMAT,
  type EvidenceRow,
  evidenceFrame,
  formatEvidenceRows,
  tilesOfLeaves,
} from '../../verify/index.ts';
import type { SignedCheckpoint } from '../reader.ts';
import type { ReaderHandle } from '../reader-thread.ts';
import { type Carried, carriedIn, type OutsideParties } from './carried.ts';
import { listed, Room } from './limits.ts';
import { Sealing } from './sealing.ts';
import { type EvidenceSelection, type Selected, select } from './selection.ts';
import { SourceRuns } from './source-runs.ts';
import { statementsOf } from './statements.ts';
import { BLOCK_ENTRIES, damaged, storedAt } from './stored.ts';

/** How evidence is made. */
export interface EvidenceWriting {
  /** Who makes it. The file says `type/id`; the entry `log.exported` has the rest, sealed. */
  readonly by: Actor;
  /** Which sealed values are shown. Default `none`. */
  readonly reveal?: Reveal;
  /** The program and its version. */
  readonly tool?: string;
  /** The checkpoint that it is made under; the newest by default. One that the log's key of today has no part in is refused. */
  readonly checkpoint?: SignedCheckpoint;
}

/** What the writing of evidence needs of a log. */
export interface EvidenceParts {
  readonly reader: ReaderHandle;
  readonly origin: string;
  /** RFC 3339, UTC. */
  readonly now: () => string;
  readonly parties: OutsideParties;
  /** Signs the note that binds the file. */
  readonly seal: (digest: Uint8Array) => Promise<string>;
}

/** A block is closed when its text has so many characters: no row is larger than the rest up to the limit of a block. */
const BLOCK_CHARACTERS = EVIDENCE_BLOCK_BYTES_MAX / 8;

/**
 * Writes evidence, piece by piece: entries, the tiles that lead to one checkpoint, what supports them, what they do not show, and a
 * note by the log's key over all of it (spec/evidence.md). No more than a block is in memory. Throws as `select` and `carriedIn` do,
 * as `storedAt` does where an entry is missing, and `LogError` `evidence_outdated` where the log's key was replaced behind the checkpoint,
 * `evidence_too_large`, at any piece, where a verifier would refuse the file for its size.
 */
export async function* writeEvidence(
  parts: EvidenceParts,
  selection: EvidenceSelection,
  writing: EvidenceWriting,
): AsyncGenerator<string, { readonly selected: number }> {
  const checkpoint = writing.checkpoint ?? (await parts.reader.checkpoint());
  const { size } = checkpoint;
  const sealing = Sealing.under(size, await parts.reader.keys());
  const selected = await select(parts.reader, selection, size);
  const indexes = [...selected.indexes, ...selected.support].sort((a, b) => a - b);
  const carried = await carriedIn(parts.parties, parts.reader, { size, indexes });
  const body = new EvidenceBody(parts, { selected, checkpoint, carried }, writing);
  const hash = createHash('sha256');
  const room = new Room();
  yield room.take(evidenceFrame.head);
  for await (const piece of body.pieces(indexes, selection.ids, room)) {
    hash.update(room.take(piece), 'utf8');
    yield piece;
  }
  const seal = sealing.check(await parts.seal(new Uint8Array(hash.digest())));
  yield room.take(`${evidenceFrame.middle}${canonicalize(seal)}}`);
  return { selected: selected.indexes.length };
}

/** The member `evidence`, whose members stand in canonical order: blocks come first, and what is known of them behind. */
class EvidenceBody {
  readonly #parts: EvidenceParts;
  readonly #selected: Selected;
  readonly #checkpoint: SignedCheckpoint;
  readonly #carried: Carried;
  readonly #writing: EvidenceWriting;
  readonly #reveal: Reveal;
  readonly #sources = new SourceRuns();
  #withheld = 0;

  constructor(
    parts: EvidenceParts,
    held: { readonly selected: Selected; readonly checkpoint: SignedCheckpoint; readonly carried: Carried },
    writing: EvidenceWriting,
  ) {
    this.#parts = parts;
    this.#selected = held.selected;
    this.#checkpoint = held.checkpoint;
    this.#carried = held.carried;
    this.#writing = writing;
    const { reveal = 'none' } = writing;
    this.#reveal = typeof reveal === 'string' ? reveal : reveal.map(revealPointer);
  }

  async *pieces(
    indexes: readonly number[],
    ids: readonly string[] | undefined,
    room: Room,
  ): AsyncGenerator<string> {
    const tiles = listed(this.#tiles(indexes), 'tiles');
    yield '{"blocks":[';
    let separator = '';
    for await (const rows of this.#blocks(indexes)) {
      const block = blockOf(rows);
      room.inflate(block.bytes);
      yield separator + canonicalize(block);
      separator = ',';
    }
    for (const [name, value] of Object.entries(this.#members(indexes, ids)))
      yield `${name === 'certificates' ? '],' : ','}"${name}":${canonicalize(value)}`;
    yield ',"tiles":[';
    separator = '';
    for (const { level, index, width } of tiles) {
      const hashes = await this.#parts.reader.tile({ level, index, width });
      if (hashes === undefined) throw damaged(`tile ${level}/${index} is missing`);
      yield separator + canonicalize({ hashes: base64Encode(hashes), index, level });
      separator = ',';
    }
    const witnessed = this.#carried.witnessed?.note ?? null;
    yield `],"timestamps":${canonicalize(this.#timestamps())},"witnessed":${canonicalize(witnessed)}}`;
  }

  /** The tiles that lead to the root, and to those of the smaller checkpoints that are carried. */
  #tiles(indexes: readonly number[]): Tile[] {
    const { witnessed, stamps } = this.#carried;
    const sizes = [...stamps.map(({ checkpoint }) => checkpoint.size), witnessed?.size ?? 0];
    return tilesOfLeaves(indexes, this.#checkpoint.size, sizes);
  }

  /** The rows, in blocks. */
  async *#blocks(indexes: readonly number[]): AsyncGenerator<EvidenceRow[]> {
    let rows: EvidenceRow[] = [];
    let characters = 0;
    for await (const stored of storedAt(this.#parts.reader, indexes)) {
      const row = this.#row(stored);
      rows.push(row);
      characters += row.entry.length + row.disclosures.reduce((sum, text) => sum + text.length, 0);
      if (rows.length < BLOCK_ENTRIES && characters < BLOCK_CHARACTERS) continue;
      yield rows;
      rows = [];
      characters = 0;
    }
    if (rows.length > 0) yield rows;
  }

  #row({ index, entry, disclosures }: StoredEntry): EvidenceRow {
    const parsed: Entry = parseEntry(entry);
    const shown = revealed(parsed, disclosures, this.#reveal);
    this.#withheld += disclosures.length - shown.length;
    this.#sources.saw(parsed.source);
    return { index, entry, disclosures: shown };
  }

  /** The members between the blocks and the tiles, in canonical order. */
  #members(indexes: readonly number[], ids: readonly string[] | undefined): Record<string, JsonValue> {
    const { query, support } = this.#selected;
    const reveal = this.#reveal;
    const complete = stretchOf(this.#selected.indexes, new Set(indexes), this.#checkpoint.size);
    const selected = this.#selected.indexes.length;
    return {
      certificates: this.#carried.certificates.map((der) => base64Encode(der)),
      checkpoint: this.#checkpoint.note,
      complete,
      format: EVIDENCE_FORMAT,
      made: {
        at: this.#parts.now(),
        by: subjectOf(this.#writing.by),
        ids: ids === undefined ? null : listed([...new Set(ids)], 'ids'),
        query,
        reveal: typeof reveal === 'string' ? [reveal] : listed(reveal, 'places to reveal'),
        tool: this.#writing.tool ?? 'indelible',
      },
      origin: this.#parts.origin,
      policy: this.#carried.policy,
      selected,
      sources: this.#sources.whole().map((source) => ({ ...source })),
      statements: statementsOf({
        size: this.#checkpoint.size,
        selected,
        complete,
        isQuery: query !== null,
        withheld: this.#withheld,
        pruned: this.#selected.minimum,
        hasTimestamps: this.#carried.stamps.length > 0,
        witnessed: this.#carried.witnessed?.size ?? 0,
      }),
      support,
    };
  }

  #timestamps(): { authority: string; checkpoint: string; token: string }[] {
    return this.#carried.stamps.map(({ authority, checkpoint, token }) => ({
      authority,
      checkpoint: checkpoint.note,
      token: base64Encode(token),
    }));
  }
}

function blockOf(rows: readonly EvidenceRow[]): { bytes: number; count: number; data: string } {
  const bytes = Buffer.from(formatEvidenceRows(rows), 'utf8');
  return { bytes: bytes.length, count: rows.length, data: base64Encode(deflateRawSync(bytes)) };
}

/** The stretch from the first selected entry to the last, where every entry of it is here; else null. One entry of many is none. */
function stretchOf(
  selected: readonly number[],
  here: ReadonlySet<number>,
  size: number,
): { from: number; to: number } | null {
  const [from, last] = [selected[0], selected.at(-1)];
  if (from === undefined || last === undefined || (from === last && size > 1)) return null;
  for (let index = from; index <= last; index += 1) if (!here.has(index)) return null;
  return { from, to: last + 1 };
}
