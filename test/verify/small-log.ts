// A log in memory, honest until a test tampers with it. It keeps what a store keeps (entries, disclosures,
// ids, tiles and a signed checkpoint), so that an audit can read it, and nothing of the real store's code, so
// that it can lie.

import { base64Encode, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  type Actor,
  type AuditEvent,
  entryText,
  erasedEvent,
  genesisEvent,
  openEntry,
  parseEntry,
  prepareEvent,
  sealDraft,
} from 'indelible/event';
import { EMPTY_ROOT, Frontier, hashLeaf, TILE_WIDTH, type Tile, tilesOfSize } from 'indelible/merkle';
import { formatCheckpoint, parseSignerKey, type Signer, signerKeyFromSeed, signNote } from 'indelible/note';
import type { AuditHead, AuditRow, AuditSource, HeldReceipt } from 'indelible/verify';

/** The origin of the test's log. */
export const origin = 'log.example/audit-test';

/** The key that signs the test's log, and everyone else's. */
export const createSigner = (name = origin, byte = 1): Signer =>
  parseSignerKey(signerKeyFromSeed(name, new Uint8Array(32).fill(byte)));

/** One row of the log, open to every kind of tampering. */
export interface Row {
  index: number;
  entry: Uint8Array;
  disclosures: string[];
  id: string | null;
}

/** What the parts of a log are made from. */
export interface SmallLogOptions {
  readonly signer?: Signer;
  readonly start?: number;
  /** The verifier key of the root key, where the log has one. */
  readonly rootKey?: string;
}

/** A log in memory. */
export class SmallLog {
  rows: Row[] = [];
  tiles = new Map<string, Uint8Array>();
  checkpoint: Uint8Array = new Uint8Array(0);
  ids: number | undefined;
  /** The key that signs next: a test exchanges it. */
  signer: Signer;
  readonly #start: number;
  #salts = 0;

  constructor({ signer = createSigner(), start = Date.UTC(2026, 0, 1), rootKey }: SmallLogOptions = {}) {
    this.signer = signer;
    this.#start = start;
    this.append(
      genesisEvent({
        origin: signer.name,
        logKeys: [signer.vkey],
        rootKey: rootKey ?? null,
        personalIds: 'refuse',
      }),
    );
  }

  get size(): number {
    return this.rows.length;
  }

  /** Records one event, and returns the index that it got. Not sealed off by a checkpoint until `sign`. */
  append(event: AuditEvent, recordedAt?: string): number {
    const index = this.rows.length;
    const time = new Date(this.#start + index * 1000).toISOString();
    const draft = prepareEvent(event, {
      id: `event-${index}`,
      occurredAt: time,
      now: this.#start + index * 1000,
      source: { service: 'test', instance: '00000000-0000-4000-8000-000000000000', seq: index },
      personalIds: 'refuse',
      own: true,
    });
    const sealed = sealDraft(draft, (bytes) => this.#random(bytes));
    const entry = utf8Encode(entryText(sealed, recordedAt ?? time));
    this.rows.push({ index, entry, disclosures: [...sealed.disclosures], id: sealed.id });
    return index;
  }

  /** Salts that differ from one another; a test needs no more of them. */
  #random(bytes: number): Uint8Array {
    const random = new Uint8Array(bytes);
    const view = new DataView(random.buffer);
    for (let offset = 0; offset < bytes; offset += 16) {
      this.#salts += 1;
      view.setUint32(offset, this.#salts);
    }
    return random;
  }

  /** Writes tiles and checkpoint anew from the rows as they are: what whoever holds the key can always do. */
  sign(): this {
    const frontier = this.frontier();
    const { size } = frontier;
    const root = size === 0 ? EMPTY_ROOT : frontier.root();
    this.checkpoint = signNote(formatCheckpoint({ origin: this.signer.name, size, root }), [this.signer]);
    this.ids = this.rows.filter(({ id }) => id !== null).length;
    return this;
  }

  /** Hashes the rows into a tree, and fills the tiles. */
  frontier(): Frontier {
    const hashes = new Map<string, Uint8Array>();
    const frontier = Frontier.empty();
    for (const { entry } of this.rows) {
      frontier.append(hashLeaf(entry), (level, index, hash) => {
        if (level % 8 === 0) hashes.set(`${level / 8}/${index}`, hash);
      });
    }
    this.tiles.clear();
    for (const { level, index, width } of tilesOfSize(frontier.size)) {
      // As the real store: the partial tile of the leaves is not kept, those above it are.
      if (level === 0 && width < TILE_WIDTH) continue;
      const tile = new Uint8Array(width * 32);
      for (let at = 0; at < width; at += 1)
        tile.set(hashes.get(`${level}/${index * TILE_WIDTH + at}`)!, at * 32);
      this.tiles.set(`${level}/${index}`, tile);
    }
    return frontier;
  }

  /** The checkpoint as text, as a receipt holds it. */
  get note(): string {
    return utf8Decode(this.checkpoint);
  }

  /** A receipt for the entry at `index`, under the checkpoint of now. */
  receipt(index: number): HeldReceipt {
    return { index, leafHash: base64Encode(hashLeaf(this.rows[index]!.entry)), checkpoint: this.note };
  }

  /** Deletes the values of a subject below an index, as an erasure does, without recording it. */
  deleteValues(subject: string, below = this.size): number {
    let deleted = 0;
    for (const row of this.rows.filter(({ index }) => index < below)) {
      const { fields } = openEntry(parseEntry(row.entry), row.disclosures, row.index);
      const gone = new Set(
        fields.filter(({ subjects }) => subjects.includes(subject)).map(({ disclosure }) => disclosure),
      );
      deleted += row.disclosures.length;
      row.disclosures = row.disclosures.filter((_, position) => !gone.has(position));
      deleted -= row.disclosures.length;
    }
    return deleted;
  }

  /** Deletes the values of a subject and records it. */
  erase(subject: string, below = this.size): number {
    const deleted = this.deleteValues(subject, below);
    this.append(erasedEvent({ subject, below }));
    return deleted;
  }

  /** The log as an audit reads it. */
  source({ tiles = true }: { readonly tiles?: boolean } = {}): AuditSource {
    return {
      head: (): AuditHead => ({
        checkpoint: this.checkpoint,
        entries: this.rows.length,
        last: Math.max(-1, ...this.rows.map(({ index }) => index)),
        ...(this.ids !== undefined && { ids: this.ids }),
      }),
      rows: ({ begin, end }): AuditRow[] => this.rows.filter(({ index }) => index >= begin && index < end),
      ...(tiles && {
        tiles: (wanted: readonly Tile[]) =>
          wanted.map(({ level, index }) => this.tiles.get(`${level}/${index}`)),
      }),
    };
  }
}

/** A user, with attributes that are sealed. */
export const user = (id: string): Actor => ({
  type: 'user',
  id,
  name: `Name of ${id}`,
  email: `${id}@mail.example`,
});

/**
 * An event with five disclosures: two of the actor, one of the target, a reason of both, and the actor's
 * context.
 */
export const eventOf = (index: number, actor = `u_${index % 7}`): AuditEvent => ({
  action: 'document.read',
  actor: user(actor),
  targets: [{ type: 'document', id: `d_${index % 5}`, title: `Title ${index}` }],
  reason: `because ${index}`,
  context: { ip: '192.0.2.7', requestId: `r-${index}` },
});

/** A signed log of `size` entries, the genesis among them. */
export function createSmallLog(size: number, options: SmallLogOptions = {}): SmallLog {
  const log = new SmallLog(options);
  while (log.size < size) log.append(eventOf(log.size));
  return log.sign();
}
