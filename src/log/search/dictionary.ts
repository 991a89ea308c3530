import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** What a name in the dictionary is the name of. An `actor` is named `type/id`. */
export type NameKind = 'action' | 'actor' | 'actorType' | 'outcome' | 'severity';

/** A name's number, and how many events use it. */
export interface NameUse {
  readonly id: number;
  readonly uses: number;
}

/** The number that stands for no name at all. */
export const NO_NAME = 0;

/** Names that are kept in memory; beyond, all are forgotten and read again. */
const NAMES_KEPT_MAX = 50_000;

interface Known {
  readonly id: number;
  /** Uses since they were last written. */
  fresh: number;
}

/**
 * The names that columns hold as numbers. A name gets the next number when the first event with it is indexed, so the numbers
 * follow from the log; it never loses it, so several processes may each remember what they have read.
 */
export class Dictionary {
  readonly #find: StatementSync;
  readonly #range: StatementSync;
  readonly #all: StatementSync;
  readonly #name: StatementSync;
  readonly #insert: StatementSync;
  readonly #count: StatementSync;
  readonly #known = new Map<NameKind, Map<string, Known>>();
  readonly #fresh = new Set<Known>();
  readonly #names = new Map<number, { readonly kind: string; readonly name: string }>();
  #kept = 0;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT id, uses FROM dictionary WHERE kind = ? AND name = ?');
    this.#range = db.prepare(
      'SELECT id, uses FROM dictionary WHERE kind = ? AND name >= ? AND (?3 IS NULL OR name < ?3) LIMIT ?4',
    );
    this.#all = db.prepare('SELECT name FROM dictionary WHERE kind = ? LIMIT ?');
    this.#name = db.prepare('SELECT kind, name FROM dictionary WHERE id = ?');
    this.#insert = db.prepare('INSERT INTO dictionary (kind, name, uses) VALUES (?, ?, 0)');
    this.#count = db.prepare('UPDATE dictionary SET uses = uses + ? WHERE id = ?');
  }

  /** The number of a name, which gets one if it has none, for one more event. Within a transaction that writes. */
  use(kind: NameKind, name: string): number {
    if (name === '') return NO_NAME;
    const names = this.#namesOf(kind);
    let known = names.get(name);
    if (known === undefined) {
      known = {
        id: this.find(kind, name)?.id ?? Number(this.#insert.run(kind, name).lastInsertRowid),
        fresh: 0,
      };
      names.set(name, known);
      this.#kept += 1;
    }
    if (known.fresh === 0) this.#fresh.add(known);
    known.fresh += 1;
    return known.id;
  }

  #namesOf(kind: NameKind): Map<string, Known> {
    const names = this.#known.get(kind) ?? new Map<string, Known>();
    this.#known.set(kind, names);
    return names;
  }

  /** Writes how often names were used since the last time. Within the same transaction. */
  flush(): void {
    for (const known of this.#fresh) {
      this.#count.run(known.fresh, known.id);
      known.fresh = 0;
    }
    this.#fresh.clear();
    if (this.#kept > NAMES_KEPT_MAX) this.forget();
  }

  /** Forgets everything, after a transaction that came to nothing. */
  forget(): void {
    this.#known.clear();
    this.#fresh.clear();
    this.#kept = 0;
  }

  /** A name's number; undefined where no event uses it. */
  find(kind: NameKind, name: string): NameUse | undefined {
    return this.#find.get(kind, name) as unknown as NameUse | undefined;
  }

  /** The numbers of names that begin so, up to `limit` of them. */
  beginning(kind: NameKind, prefix: string, limit: number): NameUse[] {
    return this.#range.all(kind, prefix, behind(prefix) ?? null, limit) as unknown as NameUse[];
  }

  /** The name that a number stands for; undefined where it stands for none, or for one of another kind. */
  nameOf(kind: NameKind, id: number): string | undefined {
    if (id === NO_NAME) return '';
    let found = this.#names.get(id);
    if (found === undefined) {
      const row = this.#name.get(id);
      if (row === undefined) return undefined;
      found = { kind: String(row['kind']), name: String(row['name']) };
      if (this.#names.size >= NAMES_KEPT_MAX) this.#names.clear();
      this.#names.set(id, found);
    }
    return found.kind === kind ? found.name : undefined;
  }

  /** Names of a kind, up to `limit` of them. */
  names(kind: NameKind, limit: number): string[] {
    return this.#all.all(kind, limit).map(({ name }) => String(name));
  }
}

/**
 * The first text behind all that begin with `prefix`, in the order of their bytes, which is SQLite's; undefined where
 * nothing is behind them.
 */
export function behind(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue;
    // No text holds half a surrogate pair, D800 to DFFF.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}
