import { base64Decode } from '../bytes/index.ts';
import { matches, type RecordedEvent } from '../event/index.ts';
import type { StoredEntry } from '../store/index.ts';
import { checkContinues } from './edge.ts';
import type { LogPaths } from './paths.ts';
import type { Page, PageRequest } from './query.ts';
import { joined, type Proof, Reader, type SignedCheckpoint } from './reader.ts';
import { type Identity, readGenesis } from './writer.ts';

/** The reading half of a log: answers questions, and keeps the search index behind the log. */
export class ReaderService {
  readonly identity: Identity;
  readonly #reader: Reader;

  private constructor(identity: Identity, reader: Reader) {
    this.identity = identity;
    this.#reader = reader;
  }

  static async open(
    { paths }: { readonly paths: LogPaths; readonly index: boolean },
    _warn: (message: string) => void,
  ): Promise<ReaderService> {
    const reader = Reader.open(paths.database);
    try {
      const { origin, logKeys, personalIds } = await readGenesis(reader.store);
      const vkey = logKeys[logKeys.length - 1]!;
      return new ReaderService({ origin, vkey, personalIds, size: reader.head().size }, reader);
    } catch (error) {
      reader.close();
      throw error;
    }
  }

  checkpoint(): SignedCheckpoint {
    return this.#reader.checkpoint();
  }

  get(id: string): RecordedEvent | undefined {
    return this.#reader.get(id);
  }

  entries(from: number, to: number): StoredEntry[] {
    return this.#reader.entries(from, to);
  }

  prove(index: number): Promise<Proof> {
    return this.#reader.prove(index);
  }

  proveId(id: string): Promise<Proof> {
    return this.#reader.proveId(id);
  }

  async page({ filter, limit, cursor }: PageRequest): Promise<Page> {
    const size = this.#reader.head().size;
    const events: RecordedEvent[] = [];
    let below = cursor === undefined ? size : Number(cursor);
    while (below > 0 && events.length < limit) {
      const from = Math.max(0, below - 512);
      for (const stored of this.#reader.entries(from, below).toReversed()) {
        const event = joined(stored);
        if (events.length < limit && matches(filter, event)) events.push(event);
        below = stored.index;
        if (events.length === limit) break;
      }
    }
    return { events, complete: size, size, ...(below > 0 ? { next: String(below) } : {}) };
  }

  async checkContinues(state: { readonly size: number; readonly root: string }): Promise<void> {
    await checkContinues(this.#reader.store, { size: state.size, root: base64Decode(state.root) }, this.#reader.head());
  }

  indexed(): { readonly size: number; readonly complete: number } {
    const size = this.#reader.head().size;
    return { size, complete: size };
  }

  wake(): void {}

  async close(): Promise<void> {
    this.#reader.close();
  }
}
