import { base64Encode, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  type CompromisedSince,
  changeNumberOf,
  formatKeyStatement,
  type Genesis,
  isKeyChange,
  KEY_CHANGE_BYTES_MAX,
  type KeyChange,
  type KeyStatement,
  keyChangeOf,
  parseEntry,
  parseGenesis,
} from '../event/index.ts';
import { hashLeaf } from '../merkle/index.ts';
import { keyTypes, openNote, parseVerifierKey, type VerifierKey } from '../note/index.ts';

/** When one key signs: checkpoints of `first` to `last` entries, both included. */
export interface KeySpan {
  readonly key: VerifierKey;
  readonly first: number;
  /** Absent while it signs. */
  readonly last?: number;
  /** The key whose place it took; absent for a key that the first entry names. */
  readonly replaces?: VerifierKey;
  /** Whether the key whose place it took has signed that, too. */
  readonly isHandedOver: boolean;
  /** Present once it was revoked. */
  readonly compromisedSince?: CompromisedSince;
}

/** A key that signs, or signed, a log: as plain data. */
export interface ReportedKey {
  readonly vkey: string;
  /** It signs checkpoints from this size on. */
  readonly first: number;
  /** Up to this size; absent for a key that signs now. */
  readonly last?: number;
  /** Whether the key before it has signed the change; absent for a key that the first entry names. */
  readonly isHandedOver?: boolean;
  /** From where on it is not believed; absent where it was not revoked. */
  readonly compromisedSince?: CompromisedSince;
}

/** An entry of the log that its keys follow from: the first one, or a change. */
export interface KeyEntry {
  readonly index: number;
  readonly entry: Uint8Array;
}

/** A change that the log holds and that changes nothing, because it is not authorised or not in order. */
export interface KeyProblem {
  readonly index: number;
  /** What is wrong with it, without saying with which entry. */
  readonly what: string;
}

/**
 * Which key may sign checkpoints of which sizes, out of the log's own entries.
 *
 * A change of keys at index `i` holds for every checkpoint that covers it: sizes up to `i` are the old key's, sizes from `i + 1` on
 * are the new key's, and no size is both's. So the key that is being replaced, perhaps because it was stolen, has no part in the
 * checkpoint that replaces it.
 *
 * What may change a key is the root key that the first entry names, and nobody else. Whether that first entry is to be
 * believed depends on what a verifier knew beforehand: see {@link KeyTimeline.reached}.
 */
export class KeyTimeline {
  readonly origin: string;
  /** The leaf hash of the first entry, standard base64. */
  readonly genesis: string;
  readonly rootKey: VerifierKey | undefined;
  /** In the order in which they came. */
  readonly spans: readonly KeySpan[];
  /** How many numbers of changes are taken, those of changes that are none included. */
  readonly changes: number;
  readonly problems: readonly KeyProblem[];

  /** @internal Use {@link keyTimeline}. */
  constructor(state: {
    readonly origin: string;
    readonly genesis: string;
    readonly rootKey: VerifierKey | undefined;
    readonly spans: readonly KeySpan[];
    readonly changes: number;
    readonly problems: readonly KeyProblem[];
  }) {
    this.origin = state.origin;
    this.genesis = state.genesis;
    this.rootKey = state.rootKey;
    this.spans = state.spans;
    this.changes = state.changes;
    this.problems = state.problems;
  }

  /** The keys that sign now, the newest last. */
  get current(): readonly VerifierKey[] {
    return this.spans.filter(({ last }) => last === undefined).map(({ key }) => key);
  }

  /** The keys that sign checkpoints of this size. */
  keysAt(size: number): readonly VerifierKey[] {
    return this.#spansAt(size).map(({ key }) => key);
  }

  /** The span of a key; undefined for one that never signs here. */
  spanOf(vkey: string): KeySpan | undefined {
    return this.spans.find(({ key }) => key.text === vkey);
  }

  /**
   * The keys for checkpoints of this size that follow from `pinned`, which a verifier knew beforehand: those that are pinned; those
   * to which a pinned key was handed over, by its own signature, at each step; and, where the root key is pinned, those that it
   * named. The first entry is anybody's: a key that it names for the root key's sake alone is not among them.
   */
  reached(pinned: Iterable<string>, size: number): readonly VerifierKey[] {
    const known = new Set(pinned);
    const isRootKnown = this.rootKey !== undefined && known.has(this.rootKey.text);
    for (const { key, replaces, isHandedOver } of this.spans) {
      if (replaces === undefined) continue;
      if (isRootKnown || (isHandedOver && known.has(replaces.text))) known.add(key.text);
    }
    return this.keysAt(size).filter(({ text }) => known.has(text));
  }

  /** The place at which the next change is authorised. */
  get next(): { readonly origin: string; readonly genesis: string; readonly change: number } {
    return { origin: this.origin, genesis: this.genesis, change: this.changes + 1 };
  }

  #spansAt(size: number): readonly KeySpan[] {
    return this.spans.filter(
      ({ first, last }) => first <= size && size <= (last ?? Number.POSITIVE_INFINITY),
    );
  }
}

/**
 * The timeline of a log's keys, from its first entry and those that claim to change a key, by rising index. A change that is not
 * authorised, or out of order, is among the problems and changes nothing. The entries are believed as they are: whether they lie in
 * a signed tree is for the caller to see. Throws `malformed_genesis`, `malformed_entry`, `malformed_key`.
 */
export function keyTimeline(first: Uint8Array, changes: Iterable<KeyEntry> = []): KeyTimeline {
  return timelineFrom(parseGenesis(parseEntry(first)), base64Encode(hashLeaf(first)), changes);
}

/** As {@link keyTimeline}, of a first entry that has been read already. */
export function timelineFrom(
  genesis: Genesis,
  genesisHash: string,
  changes: Iterable<KeyEntry> = [],
): KeyTimeline {
  const builder = new Builder(genesis, genesisHash);
  for (const change of changes) builder.add(change);
  return builder.finish();
}

/** The keys of a timeline as plain data, in the order in which they came. */
export function reportedKeys({ spans }: KeyTimeline): ReportedKey[] {
  return spans.map(({ key, first, last, isHandedOver, replaces, compromisedSince }) => ({
    vkey: key.text,
    first,
    ...(last !== undefined && { last }),
    ...(replaces !== undefined && { isHandedOver }),
    ...(compromisedSince !== undefined && { compromisedSince }),
  }));
}

/**
 * The notes in the entries of changes, and the keys that may have signed each: for those who verify signatures before they are asked
 * about. What is no change has none.
 */
export function authorisationsIn(first: Uint8Array, changes: Iterable<KeyEntry>): SignedBy[] {
  const { rootKey } = parseGenesis(parseEntry(first));
  if (rootKey === null) return [];
  const root = parseVerifierKey(rootKey);
  const found: SignedBy[] = [];
  for (const { entry } of changes) {
    try {
      const change = keyChangeOf(parseEntry(entry));
      const old = change.kind === 'rotation' ? [parseVerifierKey(change.oldKey)] : [];
      found.push({ note: utf8Encode(change.authorisation), keys: [root, ...old] });
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
    }
  }
  return found;
}

/** A note, and the keys that may have signed it. */
export interface SignedBy {
  readonly note: Uint8Array;
  readonly keys: readonly VerifierKey[];
}

type Writable = { -readonly [Name in keyof KeySpan]: KeySpan[Name] };

class Builder {
  readonly #genesis: Genesis;
  readonly #hash: string;
  readonly #rootKey: VerifierKey | undefined;
  readonly #spans: Writable[];
  readonly #problems: KeyProblem[] = [];
  #changes = 0;

  constructor(genesis: Genesis, hash: string) {
    this.#genesis = genesis;
    this.#hash = hash;
    this.#rootKey = genesis.rootKey === null ? undefined : parseVerifierKey(genesis.rootKey);
    this.#spans = [...new Set(genesis.logKeys)].map((text) => ({
      key: parseVerifierKey(text),
      first: 0,
      isHandedOver: false,
    }));
  }

  add({ index, entry }: KeyEntry): void {
    try {
      this.#apply(index, entry);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#problems.push({ index, what: `changes no key: ${error.message.replace(/\.$/, '')}` });
    }
  }

  finish(): KeyTimeline {
    return new KeyTimeline({
      origin: this.#genesis.origin,
      genesis: this.#hash,
      rootKey: this.#rootKey,
      spans: this.#spans,
      changes: this.#changes,
      problems: this.#problems,
    });
  }

  #apply(index: number, bytes: Uint8Array): void {
    if (!isKeyChange(bytes) || bytes.length > KEY_CHANGE_BYTES_MAX)
      throw invalid('It is too long, or hides something.');
    const entry = parseEntry(bytes);
    if (changeNumberOf(entry.id) !== this.#changes + 1)
      throw invalid('It does not bear the number that comes next.');
    // The number is taken, whatever becomes of the change: an id is given once.
    this.#changes += 1;
    const change = keyChangeOf(entry);
    const statement = this.#statementOf(change);
    const opened = openAuthorisation(change.authorisation, statement, this.#rootKey, this.#oldKeyOf(change));
    if (statement.kind === 'rotation') this.#rotate(index, statement, opened.isHandedOver);
    else this.#revoke(statement);
  }

  #statementOf({ authorisation: _, ...change }: KeyChange): KeyStatement {
    return { ...change, origin: this.#genesis.origin, genesis: this.#hash };
  }

  #oldKeyOf(change: KeyChange): VerifierKey | undefined {
    return change.kind === 'rotation'
      ? this.#spans.find(({ key }) => key.text === change.oldKey)?.key
      : undefined;
  }

  #rotate(
    index: number,
    { oldKey, newKey }: Extract<KeyStatement, { kind: 'rotation' }>,
    isHandedOver: boolean,
  ): void {
    const old = this.#spans.find(({ key, last }) => key.text === oldKey && last === undefined);
    if (old === undefined) throw invalid('The key that it replaces does not sign this log now.');
    const key = parseVerifierKey(newKey);
    if (key.name !== this.#genesis.origin) throw invalid('The new key bears another name than the log.');
    if (key.type !== keyTypes.ed25519) throw invalid('The new key is of a kind that signs no log.');
    if (this.#spans.some((span) => span.key.text === newKey) || this.#rootKey?.text === newKey)
      throw invalid('The new key has been used before.');
    old.last = index;
    this.#spans.push({ key, first: index + 1, replaces: old.key, isHandedOver });
  }

  #revoke({ key, compromisedSince }: Extract<KeyStatement, { kind: 'revocation' }>): void {
    const span = this.#spans.find((one) => one.key.text === key);
    if (span === undefined) throw invalid('The key that it revokes never signed this log.');
    if (span.last === undefined)
      throw invalid('The key that it revokes signs this log now: replace it first.');
    // A later revocation may say that it was earlier, and never that it was later after all.
    const known = span.compromisedSince;
    if (known !== undefined && (known.size < compromisedSince.size || known.time < compromisedSince.time))
      throw invalid('The key was revoked from an earlier point on.');
    span.compromisedSince = compromisedSince;
  }
}

/**
 * Opens the note of a change: signed by the root key, over exactly this statement. Tells whether the key that is replaced has signed
 * it as well. Throws `key_change_invalid` and the errors of `openNote`.
 */
export function openAuthorisation(
  note: string,
  statement: KeyStatement,
  rootKey: VerifierKey | undefined,
  oldKey: VerifierKey | undefined,
): { readonly isHandedOver: boolean } {
  if (rootKey === undefined) throw invalid('The log has no root key: its keys can never change.');
  if (rootKey.type !== keyTypes.ed25519) throw invalid('The root key is of a kind that authorises nothing.');
  const keys = oldKey === undefined ? [rootKey] : [rootKey, oldKey];
  const { text, verified } = openNote(utf8Encode(note), keys);
  if (text !== formatKeyStatement(statement)) throw invalid('Its note authorises something else.');
  if (!verified.some(({ key }) => key === rootKey)) throw invalid('The root key has not signed its note.');
  return { isHandedOver: verified.some(({ key }) => key === oldKey) };
}

function invalid(message: string): VerificationError {
  return new VerificationError('key_change_invalid', message);
}
