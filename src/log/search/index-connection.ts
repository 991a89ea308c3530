import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { VerificationError } from '../../bytes/index.ts';
import { LogError, type StoredEntry } from '../../store/index.ts';
import { Dictionary } from './dictionary.ts';
import type { IndexFile } from './index-file.ts';
import { type Columns, Skimmer } from './skim.ts';
import { Terms } from './terms.ts';
import { Zones } from './zones.ts';

/** Leaves of terms that are merged at once: a few milliseconds. */
const TIDY_PAGES = 100;

/** What to do about an index that says what cannot be. */
export const REPAIR_HINT = 'run verify --index, then delete index.db: it is made anew';

/** How far an index has come: it covers the first `size` entries, whose root (standard base64) is `root`. */
export interface IndexCursor {
  readonly size: number;
  readonly root: string;
}

/** A connection to `index.db` with everything that is prepared on it, and how an entry becomes rows. */
export class IndexConnection implements IndexFile {
  readonly db: DatabaseSync;
  readonly inode: number | undefined;
  readonly dictionary: Dictionary;
  readonly zones: Zones;
  readonly #cursor: StatementSync;
  readonly #move: StatementSync;
  readonly #event: StatementSync;
  readonly #terms: StatementSync;
  readonly #buffer = new Terms();
  readonly #skimmer = new Skimmer(this.#buffer);

  constructor({ db, inode }: IndexFile) {
    this.db = db;
    this.inode = inode;
    try {
      this.dictionary = new Dictionary(db);
      this.zones = new Zones(db);
      this.#cursor = db.prepare('SELECT size, root FROM state');
      this.#move = db.prepare('UPDATE state SET size = ?, root = ?');
      this.#event = db.prepare(
        'INSERT INTO events (idx, occurred, action, actor, outcome, severity) VALUES (?, ?, ?, ?, ?, ?)',
      );
      this.#terms = db.prepare('INSERT INTO terms (rowid, text) VALUES (?, ?)');
    } catch (error) {
      db.close();
      throw error;
    }
  }

  cursor(): IndexCursor {
    const { size, root } = this.#cursor.get() ?? {};
    if (typeof size === 'number' && typeof root === 'string') return { size, root };
    throw new LogError('index_corrupt', 'the search index does not say how far it has come', {
      hint: REPAIR_HINT,
    });
  }

  /** Within a transaction. */
  write(entries: readonly StoredEntry[], to: IndexCursor): void {
    for (const run of runsOf(entries)) {
      const times = run.map((entry) => this.#writeEntry(entry));
      this.zones.add(run[0]!.index, times);
    }
    this.dictionary.flush();
    this.#move.run(to.size, to.root);
  }

  /** Within a transaction. True where nothing was left to merge: then FTS5 changes at most one row (sqlite.org/fts5.html, 6.8). */
  merge(): boolean {
    const before = this.#changes();
    this.db.exec(`INSERT INTO terms (terms, rank) VALUES ('merge', ${TIDY_PAGES})`);
    return this.#changes() - before < 2;
  }

  #changes(): number {
    return Number(this.db.prepare('SELECT total_changes() AS changes').get()?.['changes']);
  }

  #writeEntry(stored: StoredEntry): number {
    const terms = this.#buffer;
    terms.clear();
    const { occurred, action, outcome, severity, actorType, actorId } = this.#skim(stored);
    const { dictionary } = this;
    const actionNumber = dictionary.use('action', action);
    const actorNumber = dictionary.use('actor', actorType === '' ? '' : `${actorType}/${actorId}`);
    const outcomeNumber = dictionary.use('outcome', outcome);
    const severityNumber = dictionary.use('severity', severity);
    terms.markId('action', actionNumber);
    terms.markId('actor', actorNumber);
    terms.markId('actorType', dictionary.use('actorType', actorType));
    terms.markId('outcome', outcomeNumber);
    if (severity !== '') terms.markId('severity', severityNumber);
    this.#event.run(stored.index, occurred, actionNumber, actorNumber, outcomeNumber, severityNumber);
    this.#terms.run(stored.index, terms.bytes());
    return occurred;
  }

  /**
   * An entry that is none is found by no filter, but stands in its place: whoever comes upon it there reads the log, which
   * says so loudly.
   */
  #skim(stored: StoredEntry): Columns {
    try {
      return this.#skimmer.skim(stored);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#buffer.clear();
      return { occurred: 0, action: '', outcome: '', severity: '', actorType: '', actorId: '' };
    }
  }
}

/** Entries that follow one another, where a log that was pruned has holes between them. */
function runsOf(entries: readonly StoredEntry[]): StoredEntry[][] {
  const runs: StoredEntry[][] = [];
  for (const entry of entries) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1)!.index + 1 === entry.index) run.push(entry);
    else runs.push([entry]);
  }
  return runs;
}
