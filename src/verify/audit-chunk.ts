import { equalBytes, misuse, VerificationError } from '../bytes/index.ts';
import {
  changeNumberOf,
  type Entry,
  type ForkedFrom,
  forkedFromOf,
  isKeyChange,
  isPruning,
  KEY_CHANGE_BYTES_MAX,
  type OpenedEntry,
  openEntry,
  type PolicyChange,
  PRUNE_STEP,
  parseEntry,
  parseGenesis,
  policyChangeOf,
  prunedAction,
  pruningOf,
  type Removal,
  removalOf,
} from '../event/index.ts';
import {
  HASH_BYTES,
  type Hash,
  hashLeaf,
  Range,
  type RangeParts,
  TILE_HEIGHT,
  TILE_WIDTH,
} from '../merkle/index.ts';
import type { AuditChunk, AuditRow, ChunkReport, ChunkRequest, Inspect } from './audit-model.ts';
import type { RecordedPruning } from './audit-pruning.ts';
import { type AppliedPolicy, type ChunkRetention, retentionUnreadable } from './audit-retention.ts';
import { allDisclosed, MissingTally } from './audit-sealed.ts';
import { Discoveries, type FindingCode } from './finding.ts';
import type { KeyEntry } from './key-timeline.ts';

/**
 * Audits some entries of a log by themselves: hashes every byte, compares the stored tiles, reads each entry,
 * and matches the disclosures with the digests. Whatever one chunk cannot know (the root, the time of the
 * entry before it, whether a missing value was erased later) is left to `Audit`, which the report is made
 * for. A pure function of its arguments, so chunks can be audited by several threads at once.
 */
export function auditChunk(chunk: AuditChunk, request: ChunkRequest, inspect?: Inspect): ChunkReport {
  if (chunk.begin % TILE_WIDTH !== 0 || chunk.end < chunk.begin) {
    throw misuse(
      'range',
      'range_invalid',
      `A chunk begins at a multiple of ${TILE_WIDTH} and does not end before it.`,
    );
  }
  const auditor = new ChunkAuditor(chunk, request, inspect);
  for (const row of chunk.rows) auditor.take(row);
  return auditor.finish();
}

/** Stands for the hash of an entry that is not there, where no tile remembers it. No entry has it. */
const NO_HASH: Hash = new Uint8Array(HASH_BYTES);

/** What is said of an entry whose time lies before that of its predecessor. */
export const TIME_BACKWARDS = 'recorded earlier than the entry before it';

/** What is said of an entry that claims to change a key and cannot be one that does. */
/** @internal What is said of an entry that claims to change a key and can have no number among the changes. */
export const NO_CHANGE = 'changes no key: it has another id, hides something, or is too long';

/** The actions of the entries that record what was removed. */
const ERASED = 'log.erased';
const RETENTION_APPLIED = 'log.retention_applied';

/** The action of the entry that may change the policy of retention. */
const CONFIG_CHANGED = 'log.config_changed';

/** The actions of the entries that change who signs. */
const keyActions: ReadonlySet<string> = new Set(['log.key_rotated', 'log.key_revoked']);

/** The action of the first entry. */
const CREATED = 'log.created';

class ChunkAuditor {
  readonly #chunk: AuditChunk;
  readonly #request: ChunkRequest;
  readonly #inspect: Inspect | undefined;
  readonly #range: Range;
  readonly #discoveries = new Discoveries('first');
  readonly #missing = new MissingTally();
  readonly #removals: Removal[] = [];
  readonly #policies: PolicyChange[] = [];
  readonly #applied: AppliedPolicy[] = [];
  readonly #prunings: RecordedPruning[] = [];
  readonly #holes: number[] = [];
  readonly #own: number[] = [];
  readonly #starts: { index: number; recordedAt: string }[] = [];
  readonly #prefixes: RangeParts[] = [];
  readonly #leaves: { index: number; hash: Hash }[] = [];
  readonly #moments: { index: number; recordedAt: string }[] = [];
  readonly #tileRoots: Hash[] = [];
  readonly #sizes: ReadonlySet<number>;
  readonly #watched: ReadonlySet<number>;
  readonly #timed: ReadonlySet<number>;
  readonly #ids = new Set<string>();
  #rows = 0;
  #entries = 0;
  #disclosures = 0;
  #present = 0;
  #times: { first: string; firstIndex: number; last: string } | undefined;
  #genesis: ChunkReport['genesis'];
  #genesisHash: Hash | undefined;
  #forkedFrom: ForkedFrom | undefined;
  readonly #keyChanges: KeyEntry[] = [];

  constructor(chunk: AuditChunk, request: ChunkRequest, inspect: Inspect | undefined) {
    this.#chunk = chunk;
    this.#request = request;
    this.#inspect = inspect;
    this.#range = Range.empty(chunk.begin);
    this.#sizes = new Set(request.sizes.filter((size) => size > chunk.begin && size <= chunk.end));
    this.#watched = new Set(request.leaves);
    this.#timed = new Set(request.moments);
  }

  /** The index that comes next. */
  get #next(): number {
    return this.#range.end;
  }

  take(row: AuditRow): void {
    const { index } = row;
    if (!(index >= this.#chunk.begin && index < this.#chunk.end)) {
      throw misuse(
        'range',
        'index_out_of_range',
        `Entry ${index} was handed in for another span of the log.`,
      );
    }
    this.#rows += 1;
    if (index < this.#next) {
      this.#report('index_repeated', index, 'seen before, or out of order');
      return;
    }
    this.#skipTo(index);
    this.#entries += 1;
    this.#disclosures += row.disclosures.length;
    if (row.problem !== undefined) this.#report(row.problem.code, index, row.problem.what);
    const hash = hashLeaf(row.entry);
    this.#compareWithTile(index, hash);
    this.#append(hash);
    if (index === 0) this.#genesisHash = hash;
    const matters = index <= 1 || isKeyChange(row.entry) || isPruning(row.entry);
    if (this.#request.depth === 'full' || matters) this.#read(row);
  }

  finish(): ChunkReport {
    this.#skipTo(this.#chunk.end);
    this.#reportMissingTiles();
    const tileRoots = new Uint8Array(this.#tileRoots.length * HASH_BYTES);
    this.#tileRoots.forEach((hash, position) => {
      tileRoots.set(hash, position * HASH_BYTES);
    });
    return {
      begin: this.#chunk.begin,
      end: this.#chunk.end,
      rows: this.#rows,
      hashes: this.#range.hashes,
      prefixes: this.#prefixes,
      leaves: this.#leaves,
      moments: this.#moments,
      tileRoots,
      counts: { entries: this.#entries, disclosures: this.#disclosures, present: this.#present },
      missing: this.#missing.values,
      removals: this.#removals,
      retention: { policies: this.#policies, applied: this.#applied } satisfies ChunkRetention,
      pruning: {
        records: this.#prunings,
        holes: this.#holes,
        own: this.#own,
        starts: this.#starts,
      },
      ...(this.#times !== undefined && { times: this.#times }),
      ...(this.#genesis !== undefined && { genesis: this.#genesis }),
      ...(this.#genesisHash !== undefined && { genesisHash: this.#genesisHash }),
      ...(this.#forkedFrom !== undefined && { forkedFrom: this.#forkedFrom }),
      keyChanges: this.#keyChanges,
      discoveries: this.#discoveries.kept,
      omitted: this.#discoveries.omitted,
    };
  }

  #report(code: FindingCode, index: number, what: string, detail?: Readonly<Record<string, unknown>>): void {
    this.#discoveries.add({ code, from: index, to: index, what, ...(detail !== undefined && { detail }) });
  }

  /**
   * Notes the entries before `index` as missing; whether they were pruned, the whole log tells. The tiles' hashes stand in for them, so
   * that the tree is whole and damage elsewhere shows.
   */
  #skipTo(index: number): void {
    if (this.#next < index) this.#holes.push(this.#next, index - 1);
    while (this.#next < index) this.#append(this.#storedHash(this.#next) ?? NO_HASH);
  }

  #append(hash: Hash): void {
    const index = this.#next;
    this.#range.append(hash, (level, _, node) => {
      if (level === TILE_HEIGHT) this.#tileRoots.push(node);
    });
    if (this.#watched.has(index)) this.#leaves.push({ index, hash });
    if (this.#sizes.has(index + 1)) {
      this.#prefixes.push({ begin: this.#range.begin, end: index + 1, hashes: this.#range.hashes });
    }
  }

  /** The hash that the stored tiles hold for a leaf. */
  #storedHash(index: number): Hash | undefined {
    const tile = this.#chunk.tiles?.[Math.floor((index - this.#chunk.begin) / TILE_WIDTH)];
    const offset = (index % TILE_WIDTH) * HASH_BYTES;
    return tile !== undefined && tile.length >= offset + HASH_BYTES
      ? tile.subarray(offset, offset + HASH_BYTES)
      : undefined;
  }

  #compareWithTile(index: number, hash: Hash): void {
    const stored = this.#storedHash(index);
    if (stored === undefined || equalBytes(stored, hash)) return;
    this.#report('tile_mismatch', index, 'the hash differs from the one in the stored tile', { level: 0 });
  }

  /** A store that keeps tiles keeps every full one; the partial one at the end is its own business. */
  #reportMissingTiles(): void {
    const { begin, end, tiles } = this.#chunk;
    if (tiles === undefined) return;
    for (let first = begin; first + TILE_WIDTH <= end; first += TILE_WIDTH) {
      if (tiles[(first - begin) / TILE_WIDTH]?.length === TILE_WIDTH * HASH_BYTES) continue;
      const last = first + TILE_WIDTH - 1;
      this.#discoveries.add({
        code: 'tile_mismatch',
        from: first,
        to: last,
        what: 'no whole tile of leaf hashes is stored',
        detail: { level: 0 },
      });
    }
  }

  #read(row: AuditRow): void {
    let entry: Entry;
    try {
      entry = parseEntry(row.entry);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report('entry_malformed', row.index, 'not an entry of this format', {
        code: error.code,
        reason: error.message,
      });
      if (row.index === 0)
        this.#report('genesis_invalid', 0, 'the first entry does not say what log this is');
      return;
    }
    if (row.index === 0) this.#readGenesis(entry);
    if (row.index === 1) this.#forkedFrom = forkedFromOf(entry);
    if (keyActions.has(entry.action)) this.#keepKeyChange(entry, row);
    if (entry.action === prunedAction) this.#readPruning(entry, row.index);
    if (this.#request.depth === 'tree') return;
    this.#checkTime(entry, row.index);
    this.#checkId(entry, row);
    this.#checkOwn(entry, row.index);
    if (this.#request.sealed !== 'elsewhere') this.#checkDisclosures(entry, row);
  }

  /**
   * What the first entry says of the log; whether it is to be believed is decided when all chunks are
   * together.
   */
  #readGenesis(entry: Entry): void {
    try {
      this.#genesis = parseGenesis(entry);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report('genesis_invalid', 0, 'the first entry does not say what log this is', {
        code: error.code,
        reason: error.message,
      });
    }
  }

  /** Changes of keys are judged together, when all are known. One that can have no number among them is judged here. */
  #keepKeyChange(entry: Entry, { index, entry: bytes }: AuditRow): void {
    const isKept =
      isKeyChange(bytes) && bytes.length <= KEY_CHANGE_BYTES_MAX && changeNumberOf(entry.id) !== undefined;
    if (isKept) this.#keyChanges.push({ index, entry: bytes });
    else this.#report('key_change_invalid', index, NO_CHANGE);
  }

  /** Times are fixed-width UTC, so that their order as texts is their order in time. */
  #checkTime({ recordedAt }: Entry, index: number): void {
    if (this.#timed.has(index)) this.#moments.push({ index, recordedAt });
    if (index % PRUNE_STEP === 0) this.#starts.push({ index, recordedAt });
    const times = this.#times;
    if (times === undefined) {
      this.#times = { first: recordedAt, firstIndex: index, last: recordedAt };
      return;
    }
    if (recordedAt < times.last) this.#report('time_backwards', index, TIME_BACKWARDS);
    times.last = recordedAt;
  }

  #checkId({ id }: Entry, row: AuditRow): void {
    if (row.id === null) this.#report('id_mismatch', row.index, 'not in the store’s list of ids');
    else if (row.id !== undefined && row.id !== id)
      this.#report('id_mismatch', row.index, 'listed in the store under another id than its own');
    if (this.#ids.has(id)) this.#report('id_duplicate', row.index, 'the same id as an entry before it');
    this.#ids.add(id);
  }

  /** The log's own entries that mean something to an audit. */
  #checkOwn(entry: Entry, index: number): void {
    if (!entry.action.startsWith('log.')) return;
    this.#own.push(index);
    if (entry.action === CREATED && index > 0)
      this.#report('genesis_invalid', index, 'the log is created once more');
    if (entry.action === CONFIG_CHANGED) this.#readPolicy(entry, index);
    if (entry.action !== ERASED && entry.action !== RETENTION_APPLIED) return;
    const removal = this.#readRemoval(entry, index);
    if (removal === undefined) return;
    if ('rules' in removal) {
      this.#removals.push(removal);
      this.#applied.push({ index, recordedAt: entry.recordedAt, rules: removal.rules });
      return;
    }
    const { subject, below } = removal;
    // A record speaks of what came before it. One that reaches ahead would excuse the loss of values not yet
    // written.
    if (below > index)
      this.#report('erasure_invalid', index, 'the record of an erasure that reaches ahead of itself');
    this.#removals.push({ subject, below: Math.min(below, index) });
  }

  #readPruning(entry: Entry, index: number): void {
    try {
      this.#prunings.push({ index, recordedAt: entry.recordedAt, ...pruningOf(entry, index) });
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      const { code, message } = error;
      const what = 'the record of a pruning, and not as one can be';
      this.#report('pruning_invalid', index, what, { code, reason: message });
    }
  }

  #readRemoval(entry: Entry, index: number): Removal | undefined {
    try {
      return removalOf(entry, index);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      if (entry.action === ERASED)
        this.#report('erasure_invalid', index, 'the record of an erasure that does not say of what');
      else this.#discoveries.add(retentionUnreadable(index, error));
      return undefined;
    }
  }

  #readPolicy(entry: Entry, index: number): void {
    try {
      const change = policyChangeOf(entry, index);
      if (change !== undefined) this.#policies.push(change);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#discoveries.add(retentionUnreadable(index, error));
    }
  }

  /**
   * Matches the disclosures with the digests. Where every digest has its disclosure and none is left over,
   * which is nearly always, that is all there is to know; the entry is opened only where something is missing
   * or does not fit.
   */
  #checkDisclosures(entry: Entry, row: AuditRow): void {
    let opened: OpenedEntry | undefined;
    const open = (): OpenedEntry => {
      opened ??= openEntry(entry, row.disclosures, row.index);
      return opened;
    };
    if (allDisclosed(entry, row.disclosures)) this.#present += row.disclosures.length;
    else this.#countFields(open(), row.index);
    this.#inspect?.({ entry, row, open }, (code, what) => this.#report(code, row.index, what));
  }

  #countFields({ fields, problems }: OpenedEntry, index: number): void {
    for (const { message } of problems) this.#report('disclosure_altered', index, message);
    for (const field of fields) {
      if (field.disclosure === undefined) this.#missing.add(field);
      else this.#present += 1;
    }
  }
}
