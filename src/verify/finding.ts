/**
 * The codes of what an audit can find. A code is a promise: callers branch on it, and `docs/errors.md`
 * explains it. The last four come from whoever knows the store's own columns and search index, and travel in
 * the same report.
 */
export const findingCodes = [
  // The entries and their order.
  'entry_malformed',
  'genesis_invalid',
  'index_gap',
  'index_repeated',
  'time_backwards',
  'bundle_malformed',
  'not_a_file',
  // The tree and what is signed.
  'checkpoint_invalid',
  'key_change_invalid',
  'key_retired',
  'key_revoked',
  'key_unknown',
  'origin_mismatch',
  'root_mismatch',
  'size_mismatch',
  'tile_mismatch',
  // What somebody outside holds.
  'forked',
  'rolled_back',
  // What time-stamping authorities signed.
  'time_contradicted',
  'timestamp_invalid',
  // Sealed values.
  'disclosure_altered',
  'disclosure_missing',
  'erasure_invalid',
  'retention_invalid',
  'pruning_invalid',
  // Evidence files: what they claim, and what binds them.
  'claim_unshown',
  'entry_unproven',
  'evidence_altered',
  'not_witnessed',
  'page_unknown',
  'selection_mismatch',
  // What the store keeps beside the entries.
  'id_duplicate',
  'id_mismatch',
  'column_changed',
  'schema_changed',
  'table_damaged',
  'search_differs',
] as const;

/** One of `findingCodes`. */
export type FindingCode = (typeof findingCodes)[number];

/** Something that is not as it should be, before it is put into words for a report. */
export interface Discovery {
  readonly code: FindingCode;
  /** The first entry that it concerns. */
  readonly from: number;
  /** The last entry that it concerns. */
  readonly to: number;
  /**
   * What is wrong with them, without saying with which; or, where it concerns the log, a sentence without its
   * full stop.
   */
  readonly what: string;
  /** Whether it concerns the log as a whole and no entry more than another. */
  readonly ofLog?: true;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Something that is not as it should be: what, where, and in words. */
export interface Finding {
  readonly code: FindingCode;
  readonly from: number;
  readonly to: number;
  /** A whole sentence or two, which names the entries. */
  readonly message: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/**
 * How many findings of each code a report lists, neighbours counted as one. A log in which every second entry
 * was changed would otherwise fill the memory with its own bad news; what is left out is counted.
 */
export const FINDINGS_MAX = 1000;

/** A discovery together with its neighbours of the same kind. */
interface Run {
  readonly key: string;
  from: number;
  to: number;
  readonly discovery: Discovery;
}

/** Collects discoveries, joins neighbours that say the same, and keeps `FINDINGS_MAX` of each code. */
export class Discoveries {
  readonly #keep: 'first' | 'last';
  readonly #runs = new Map<FindingCode, Run[]>();
  /** The latest run of each kind, which the next discovery of that kind may lengthen at either end. */
  readonly #latest = new Map<string, Run>();
  #omitted = 0;

  /** Whether the list, once full, keeps the first discoveries that it was given or the last. */
  constructor(keep: 'first' | 'last') {
    this.#keep = keep;
  }

  /** How many were left out, because their code already had `FINDINGS_MAX`. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Everything kept, by code and then by entry. */
  get kept(): Discovery[] {
    return [...this.#runs.values()].flatMap((runs) =>
      runs.map(({ discovery, from, to }) => ({ ...discovery, from, to })).sort((a, b) => a.from - b.from),
    );
  }

  /** Whether anything of this code was found. */
  has(code: FindingCode): boolean {
    return this.#runs.has(code);
  }

  /** Adds a discovery, or lengthens the run that it continues. */
  add(discovery: Discovery): void {
    const { code, from, to, what, detail } = discovery;
    const key = JSON.stringify([code, what, detail]);
    const latest = this.#latest.get(key);
    if (latest !== undefined && from <= latest.to + 1 && to >= latest.from - 1) {
      latest.from = Math.min(latest.from, from);
      latest.to = Math.max(latest.to, to);
      return;
    }
    const runs = this.#runs.get(code) ?? [];
    this.#runs.set(code, runs);
    if (runs.length === FINDINGS_MAX) {
      this.#omitted += 1;
      if (this.#keep === 'first') return;
      const dropped = runs.shift()!;
      if (this.#latest.get(dropped.key) === dropped) this.#latest.delete(dropped.key);
    }
    const run = { key, from, to, discovery };
    runs.push(run);
    this.#latest.set(key, run);
  }

  /** Adds what another list left out to the count. */
  addOmitted(count: number): void {
    this.#omitted += count;
  }
}

/** A discovery in words. */
export function describe({ code, from, to, what, ofLog, detail }: Discovery): Finding {
  const where = from === to ? `Entry ${from}: ` : `Entries ${from} to ${to}: `;
  return {
    code,
    from,
    to,
    message: `${ofLog ? '' : where}${what}.`,
    ...(detail !== undefined && { detail }),
  };
}
