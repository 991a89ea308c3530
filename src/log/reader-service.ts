import { base64Decode } from '../bytes/index.ts';
import type { RecordedEvent } from '../event/index.ts';
import type { StoredEntry } from '../store/index.ts';
import { checkContinues } from './edge.ts';
import type { LogPaths } from './paths.ts';
import type { Page, PageRequest } from './query.ts';
import { type Proof, Reader, type SignedCheckpoint } from './reader.ts';
import { type Identity, readGenesis } from './writer.ts';
export class ReaderService {
  readonly identity: Identity;
  readonly #reader: Reader;
  private constructor(identity: Identity, reader: Reader) {
    this.identity = identity;
    this.#reader = reader;
  }
  static async open(
    { paths }: { paths: LogPaths; index: boolean },
    _warn: (message: string) => void,
  ): Promise<ReaderService> {
    const reader = Reader.open(paths.database);
    const { origin, logKeys, personalIds } = await readGenesis(reader.store);
    return new ReaderService(
      { origin, vkey: logKeys[logKeys.length - 1]!, personalIds, size: reader.head().size },
      reader,
    );
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
  async page(_request: PageRequest): Promise<Page> {
    return { events: [], complete: 0, size: 0 };
  }
  async checkContinues(state: { readonly size: number; readonly root: string }): Promise<void> {
    await checkContinues(
      this.#reader.store,
      { size: state.size, root: base64Decode(state.root) },
      this.#reader.head(),
    );
  }
  indexed() {
    return { size: 0, complete: 0 };
  }
  wake(): void {}
  async close(): Promise<void> {
    this.#reader.close();
  }
}
