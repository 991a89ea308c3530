import { misuse } from '../bytes/index.ts';
import { changeNumberOf, parseEntry } from '../event/index.ts';
import { type Hash, Range, type RangeParts, type Tile } from '../merkle/index.ts';
import { TIME_BACKWARDS } from './audit-chunk.ts';
import type { AuditCounts, AuditHead, AuditOptions, ChunkReport, ChunkRequest, Span } from './audit-model.ts';
import { PruningAudit } from './audit-pruning.ts';
import { type AuditReport, type Conclusion, concludeAudit } from './audit-report.ts';
import { PolicyAudit } from './audit-retention.ts';
import { RemovalRecords } from './audit-sealed.ts';
import { compareUpperTiles, splitHashes, upperTiles } from './audit-tiles.ts';
import { momentsOfCosigned } from './cosigned.ts';
import { Discoveries, type Discovery } from './finding.ts';
import { noteOf, placesOfHeld } from './held.ts';
import type { KeyEntry } from './key-timeline.ts';
import { readHead } from './signed-head.ts';
import { anchorsOfStamps, momentsOfStamps } from './stamped.ts';

/**
 * How many entries a chunk has: enough to make a message to another thread worth it, few enough to be in
 * memory at once.
 */
export const AUDIT_CHUNK_ENTRIES = 4096;

/**
 * How many entries may be missing among those that are there before an audit stops counting holes one by one:
 * otherwise one row with an absurd index would keep a verifier busy for years.
 */
export const HOLES_MAX = 1024 * 1024;

/**
 * The audit of a whole log, out of the reports on its chunks.
 *
 * It reads the log **backwards**, chunk by chunk. An erasure can excuse only values that were written before
 * it, so by the time a missing value is met, every record that could excuse it has been seen: each is judged
 * at once, and nothing piles up however long the log is. The tree does not mind: compact ranges join in any
 * order.
 *
 *     const audit = new Audit(head, options);
 *     for (const span of audit.spans()) audit.add(auditChunk({ ...span, rows, tiles }, audit.request));
 *     const report = audit.conclude(storedUpperTiles);
 *
 * Several threads may run `auditChunk`; only `add` wants the spans' order.
 */
export class Audit {
  /** How many entries will be looked at: those from index 0 up to here. */
  readonly end: number;
  /** What is asked of each chunk. */
  readonly request: ChunkRequest;
  readonly #head: AuditHead;
  readonly #options: AuditOptions;
  readonly #discoveries = new Discoveries('last');
  readonly #removals = new RemovalRecords();
  readonly #destroyed = new RemovalRecords();
  readonly #policies = new PolicyAudit();
  readonly #prunings: PruningAudit;
  readonly #ranges: RangeParts[] = [];
  /** The ranges up to the sizes of the request, by the beginning of their chunk. */
  readonly #prefixes = new Map<number, readonly RangeParts[]>();
  readonly #leaves = new Map<number, Hash>();
  readonly #moments = new Map<number, string>();
  readonly #tileRoots: Uint8Array[] = [];
  #counts: AuditCounts = { entries: 0, disclosures: 0, present: 0, erased: 0, missing: 0, pruned: 0 };
  #rows = 0;
  #begin: number;
  /** The time of the first entry behind the chunk that comes next. */
  #timeBehind: { readonly first: string; readonly firstIndex: number } | undefined;
  #genesis: ChunkReport['genesis'];
  #genesisHash: ChunkReport['genesisHash'];
  #forkedFrom: ChunkReport['forkedFrom'];
  /** The entries that change keys, by their number: the first of several that bear one counts. */
  readonly #keyChanges = new Map<number, KeyEntry>();

  constructor(head: AuditHead, options: AuditOptions = {}) {
    this.#head = head;
    // What a trusted authority stamped was there at that time, whoever signs now.
    const anchors = [...(options.anchors ?? []), ...anchorsOfStamps(options.stamped ?? [])];
    this.#options = { ...options, anchors };
    this.#prunings = new PruningAudit(options.depth !== 'tree');
    for (const removal of options.destroyed ?? []) this.#destroyed.add(removal);
    const { last } = head;
    // The ids of entries that were pruned stay.
    const entries = head.entries === undefined ? last + 1 : Math.max(head.entries, head.ids ?? 0);
    this.end = last + 1 - entries > HOLES_MAX ? entries : last + 1;
    this.#begin = this.end;
    const mark = options.mark === undefined ? [] : [options.mark];
    const { stamped = [], published = [] } = options;
    const notes = [...mark, ...published, ...stamped.map(({ note }) => note)];
    const held = placesOfHeld([...(options.held ?? []), ...notes]);
    const anchored = anchors.map(({ size }) => size);
    const cosigned = [head.checkpoint, ...published, ...(options.held ?? []).map(noteOf)];
    const sizes = [readHead(head.checkpoint)?.size ?? 0, ...held.sizes, ...anchored, this.end];
    this.request = {
      depth: options.depth ?? 'full',
      ...(options.sealed !== undefined && { sealed: options.sealed }),
      sizes: [...new Set(sizes)].filter((size) => size <= this.end).sort((a, b) => a - b),
      leaves: held.leaves,
      moments: [...momentsOfStamps(stamped), ...momentsOfCosigned(cosigned, options.trust)],
    };
    if (last >= this.end) {
      const what = `so far behind the rest that they were not read: only ${entries} entries are there`;
      this.discover({ code: 'size_mismatch', from: this.end, to: last, what });
    }
  }

  /**
   * The spans to audit, in the order in which `add` wants their reports: from the end of the log to its
   * beginning.
   */
  *spans(): Generator<Span, void, undefined> {
    for (let end = this.end; end > 0; ) {
      const begin = (Math.ceil(end / AUDIT_CHUNK_ENTRIES) - 1) * AUDIT_CHUNK_ENTRIES;
      yield { begin, end };
      end = begin;
    }
  }

  /** The tiles above the leaves, which `conclude` compares where the store keeps tiles. */
  upperTiles(): Tile[] {
    return upperTiles(this.end);
  }

  /** Adds something that was found elsewhere: by the store, in its own columns. */
  discover(discovery: Discovery): void {
    this.#discoveries.add(discovery);
  }

  /** Adds the report on the span before the last one. Throws a misuse `range_invalid` for any other. */
  add(report: ChunkReport): void {
    if (report.end !== this.#begin) {
      throw misuse(
        'range',
        'range_invalid',
        `The chunk that ends at ${this.#begin} comes next, not at ${report.end}.`,
      );
    }
    this.#begin = report.begin;
    this.#rows += report.rows;
    this.#ranges.push({ begin: report.begin, end: report.end, hashes: report.hashes });
    this.#prefixes.set(report.begin, report.prefixes);
    for (const { index, hash } of report.leaves) this.#leaves.set(index, hash);
    for (const { index, recordedAt } of report.moments) this.#moments.set(index, recordedAt);
    this.#tileRoots.push(report.tileRoots);
    this.#genesis = report.genesis;
    this.#genesisHash = report.genesisHash;
    this.#forkedFrom = report.forkedFrom;
    this.#keepKeyChanges(report.keyChanges);
    for (const discovery of report.discoveries.toReversed()) this.discover(discovery);
    this.#discoveries.addOmitted(report.omitted);
    const { pruned, found } = this.#prunings.add(report.pruning, report.begin);
    const isRead = this.request.depth === 'full';
    const judged = this.#policies.add(report.retention, isRead ? report.pruning.records : []);
    for (const discovery of [...found, ...judged]) this.discover(discovery);
    this.#counts = { ...this.#counts, pruned: this.#counts.pruned + pruned };
    this.#joinTimes(report);
    this.#judgeMissing(report);
  }

  /**
   * The report on the whole log. `storedTiles` are the bytes of `upperTiles()`, in that order; leave them out
   * where the store keeps no tiles. Every chunk must have been added.
   */
  conclude(storedTiles?: readonly (Uint8Array | undefined)[]): AuditReport {
    if (this.#begin > 0)
      throw misuse('range', 'range_invalid', `The entries before ${this.#begin} are not audited yet.`);
    for (const discovery of [...this.#policies.conclude(), ...this.#prunings.conclude()])
      this.discover(discovery);
    if (storedTiles !== undefined) this.#compareUpperTiles(storedTiles);
    const conclusion: Conclusion = {
      head: this.#head,
      options: this.#options,
      end: this.end,
      rows: this.#rows,
      counts: this.#counts,
      genesis: this.#genesis,
      genesisHash: this.#genesisHash,
      forkedFrom: this.#forkedFrom,
      keyChanges: [...this.#keyChanges.values()].sort((a, b) => a.index - b.index),
      trees: this.#treesAtSizes(),
      leaves: this.#leaves,
      moments: this.#moments,
      discoveries: this.#discoveries,
    };
    return concludeAudit(conclusion);
  }

  /**
   * Where a leaf is known to differ from its tile, the tiles above it must differ too, and nothing is added
   * by saying so. A tile that does not belong there at all explains no other.
   */
  #compareUpperTiles(stored: readonly (Uint8Array | undefined)[]): void {
    const roots = this.#tileRoots.toReversed().flatMap(splitHashes);
    const located = this.#discoveries.kept.filter(({ code, ofLog }) => code === 'tile_mismatch' && !ofLog);
    for (const discovery of compareUpperTiles(roots, this.upperTiles(), stored)) {
      if (located.some(({ from, to }) => from <= discovery.to && to >= discovery.from)) continue;
      this.discover(discovery);
    }
  }

  /** However many a log has, no more are kept than can be changes. */
  #keepKeyChanges(changes: readonly KeyEntry[]): void {
    for (const change of changes.toReversed()) {
      const number = changeNumberOf(parseEntry(change.entry).id)!;
      const later = this.#keyChanges.get(number);
      if (later !== undefined) {
        const { index } = later;
        const what = 'changes no key: an entry before it has its number';
        this.discover({ code: 'key_change_invalid', from: index, to: index, what });
      }
      this.#keyChanges.set(number, change);
    }
  }

  /** Between two chunks, time must not go back either. */
  #joinTimes({ times }: ChunkReport): void {
    if (times === undefined) return;
    const behind = this.#timeBehind;
    if (behind !== undefined && behind.first < times.last) {
      const at = behind.firstIndex;
      this.discover({ code: 'time_backwards', from: at, to: at, what: TIME_BACKWARDS });
    }
    this.#timeBehind = times;
  }

  /**
   * Judges the values that the chunk misses: the records of all that lies behind it, and its own, are known
   * now.
   */
  #judgeMissing({ missing, removals, counts }: ChunkReport): void {
    for (const record of removals) this.#removals.add(record);
    let [erased, unrecorded, lost] = [0, this.#counts.unrecorded ?? 0, 0];
    for (const { subjects, action, places, times } of missing) {
      for (let at = places.length - 2; at >= 0; at -= 2) {
        const [index, count] = [places[at]!, places[at + 1]!];
        // What went with its entry, and is not in a copy of it.
        const isPruned = index < this.#prunings.minimum && !action.startsWith('log.');
        const recordedAt = times[at / 2]!;
        if (isPruned || this.#removals.cover({ subjects, action, index, recordedAt })) {
          erased += count;
          continue;
        }
        if (this.#destroyed.cover({ subjects, action, index, recordedAt })) {
          erased += count;
          unrecorded += count;
          continue;
        }
        lost += count;
        const whose = subjects.length === 0 ? 'nobody in particular' : subjects.join(' and ');
        const what = `sealed values of ${whose} are gone, and no record says that they were erased`;
        this.discover({ code: 'disclosure_missing', from: index, to: index, what, detail: { subjects } });
      }
    }
    const sum = this.#counts;
    this.#counts = {
      ...sum,
      entries: sum.entries + counts.entries,
      disclosures: sum.disclosures + counts.disclosures,
      present: sum.present + counts.present,
      erased: sum.erased + erased,
      ...(unrecorded > 0 && { unrecorded }),
      missing: sum.missing + lost,
    };
  }

  /** The tree of the log at each size of the request. */
  #treesAtSizes(): ReadonlyMap<number, Range> {
    let whole = Range.empty(0);
    const trees = new Map([[0, whole]]);
    for (const range of this.#ranges.toReversed()) {
      for (const prefix of this.#prefixes.get(range.begin)!)
        trees.set(prefix.end, whole.join(Range.from(prefix)));
      whole = whole.join(Range.from(range));
    }
    return trees;
  }
}
