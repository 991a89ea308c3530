import { isMisuse } from '../bytes/index.ts';
import { type Entry, type Filter, judgeMatch, parseQuery, type RecordedEvent } from '../event/index.ts';
import type { Evidence, EvidenceMaking } from './evidence-file.ts';

/** What an evidence file claims of itself, held against the entries that are there. */
export class EvidenceClaims {
  readonly #evidence: Evidence;
  readonly #support: ReadonlySet<number>;
  /** The numbers seen of each source that is claimed to be whole. */
  readonly #sources: ReadonlyMap<string, Set<number>>;
  #selected = 0;
  #supporting = 0;
  #within = 0;
  /** Entries in support that are none of the log's own. */
  #foreign = 0;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    this.#support = new Set(evidence.support);
    this.#sources = new Map(evidence.sources.map((source) => [sourceKey(source), new Set()]));
  }

  /** How many entries were seen. */
  get counts(): { readonly selected: number; readonly support: number } {
    return { selected: this.#selected, support: this.#supporting };
  }

  /** Whether the file says that the entry was not selected. */
  isSupport(index: number): boolean {
    return this.#support.has(index);
  }

  /** An entry is here, and in the tree. Each index once. */
  saw(index: number, { action, source }: Pick<Entry, 'action' | 'source'>): void {
    if (!this.#support.has(index)) this.#selected += 1;
    else {
      this.#supporting += 1;
      if (!action.startsWith('log.')) this.#foreign += 1;
    }
    const { complete } = this.#evidence;
    if (complete !== null && index >= complete.from && index < complete.to) this.#within += 1;
    if (source.seq !== null) this.#sources.get(sourceKey(source))?.add(source.seq);
  }

  /** The claims that the entries do not show, each as a sentence without its full stop. `size` is that of the log. */
  *unshown(size: number): Generator<string, void, undefined> {
    const { complete, selected, support, sources } = this.#evidence;
    if (selected !== this.#selected) {
      yield `It says that ${selected} entries were selected, and ${this.#selected} are here`;
    }
    if (support.length !== this.#supporting || this.#support.size !== support.length) {
      yield `It names ${support.length} entries in support, and ${this.#supporting} are here`;
    }
    if (this.#foreign > 0) {
      yield `It names ${this.#foreign} entries in support that are none of the log’s own`;
    }
    if (complete !== null && (complete.from >= complete.to || complete.to > size)) {
      yield 'It says that a stretch is complete which is none of this log';
    } else if (complete !== null && this.#within !== complete.to - complete.from) {
      yield `It says that every entry from ${complete.from} to ${complete.to - 1} is here, and some are not`;
    }
    if (this.#sources.size !== sources.length) {
      // Each would be counted through as often as it is named.
      yield 'It names a source twice';
      return;
    }
    for (const source of sources) {
      const seen = this.#sources.get(sourceKey(source))!;
      if (source.from > source.to || !isWhole(seen, source.from, source.to)) {
        yield `It says that ${source.service} (${source.instance}) is here from number ${source.from} to ${source.to}, and it is not`;
      }
    }
  }
}

function isWhole(seen: ReadonlySet<number>, from: number, to: number): boolean {
  // No more numbers are looked for than there are entries, whatever is claimed.
  if (to - from >= seen.size) return false;
  for (let seq = from; seq <= to; seq += 1) if (!seen.has(seq)) return false;
  return true;
}

/** A service holds no control characters, so that the key is unambiguous. */
function sourceKey({ service, instance }: { readonly service: string; readonly instance: string }): string {
  return `${instance}\n${service}`;
}

/** What was asked for, held against the entries that were selected. */
export class EvidenceRequest {
  readonly #ids: ReadonlySet<string> | undefined;
  readonly #seen = new Set<string>();
  readonly #filter: Filter | undefined;
  readonly #problem: string | undefined;
  #matched = 0;
  #unjudged = 0;

  constructor({ query, ids }: Pick<EvidenceMaking, 'query' | 'ids'>) {
    this.#ids = ids === null ? undefined : new Set(ids);
    if ((query === null) === (ids === null)) this.#problem = 'It names not one of a query and ids';
    if (query === null) return;
    try {
      this.#filter = parseQuery(query);
    } catch (error) {
      if (!isMisuse(error)) throw error;
      this.#problem = 'It names a query that is none';
    }
  }

  /** How many selected entries are what was asked for, and of how many that cannot be told: withheld values decide it. */
  get counts(): { readonly matched: number; readonly unjudged: number } {
    return { matched: this.#matched, unjudged: this.#unjudged };
  }

  /** A selected entry, with what is shown of it. Answers what is wrong with it, as a clause; undefined where nothing is. */
  saw(event: RecordedEvent): string | undefined {
    const { id } = event;
    this.#seen.add(id);
    if (this.#ids !== undefined && !this.#ids.has(id)) return 'has none of the ids that were asked for';
    const isMatch = this.#filter === undefined ? true : judgeMatch(this.#filter, event);
    if (isMatch === undefined) this.#unjudged += 1;
    else if (isMatch) this.#matched += 1;
    return isMatch === false ? 'does not match the query that was asked' : undefined;
  }

  /** What is wrong with the selection as a whole, each as a sentence without its full stop. */
  *unmet(): Generator<string, void, undefined> {
    if (this.#problem !== undefined) yield this.#problem;
    const missing = [...(this.#ids ?? [])].filter((id) => !this.#seen.has(id)).length;
    if (missing > 0) yield `Of the ids that were asked for, ${missing} are not here`;
  }
}
