import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog, type Log } from 'indelible';
import { base64Encode, utf8Encode } from 'indelible/bytes';
import { encodeEntryBundle, Frontier, hashLeaf, type Tile } from 'indelible/merkle';
import { formatCheckpoint, parseSignerKey, signNote } from 'indelible/note';
import type { PublishSource } from 'indelible/publish';
import { LogError, type StoredEntry } from 'indelible/store';
import { signIn, temporaryFolder } from '../support/folders.ts';

export const origin = 'log.example/published';

/** A log with so many events, each of one of five people. */
export async function smallLog(t: Pick<TestContext, 'after'>, events: number): Promise<Log> {
  const log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread: 'caller', heartbeatMs: 0 });
  t.after(() => log.close());
  await grow(log, events);
  return log;
}

export async function grow(log: Log, events: number): Promise<void> {
  const made = Array.from({ length: events }, (_, at) => ({
    ...signIn(undefined, `u_${at % 5}`),
    reason: `reason ${at}`,
  }));
  for (const result of await log.recordMany(made)) if (!result.ok) throw result.error;
}

/** A log that is nothing but entries, signed with a key of ours. */
export class EntriesSource implements PublishSource {
  readonly origin: string;
  readonly #signer;
  readonly #entries: readonly Uint8Array[];
  size: number;

  constructor(entries: readonly Uint8Array[], key: string) {
    this.#signer = parseSignerKey(key);
    this.origin = this.#signer.name;
    this.#entries = entries;
    this.size = entries.length;
  }

  async keysAt(): Promise<readonly string[]> {
    return [this.#signer.vkey];
  }

  /** Frontiers at every 1,024 entries: nobody hashes a long log for each question. */
  readonly #known: Frontier[] = [Frontier.empty()];

  #frontier(size: number): Frontier {
    for (let at = this.#known.length; at * 1024 <= size; at += 1) {
      this.#known.push(this.#extended(this.#known[at - 1]!, at * 1024));
    }
    return this.#extended(this.#known[Math.floor(size / 1024)]!, size);
  }

  #extended(from: Frontier, size: number): Frontier {
    const frontier = from.clone();
    for (const entry of this.#entries.slice(from.size, size)) frontier.append(hashLeaf(entry));
    return frontier;
  }

  async checkpoint() {
    const { size, origin: name } = this;
    const root = this.#frontier(size).root();
    const note = signNote(formatCheckpoint({ origin: name, size, root }), [this.#signer]);
    return { size, root: base64Encode(root), note: Buffer.from(note).toString() };
  }

  async bundle(index: number, width: number) {
    const begin = index * 256;
    return begin + width > this.size
      ? undefined
      : encodeEntryBundle(this.#entries.slice(begin, begin + width));
  }

  async tile({ level, index, width }: Tile) {
    const hashes: Uint8Array[] = [];
    const frontier = Frontier.empty();
    for (const entry of this.#entries.slice(0, this.size)) {
      frontier.append(hashLeaf(entry), (at, _, hash) => {
        if (at === level * 8) hashes.push(hash);
      });
    }
    const found = hashes.slice(index * 256, index * 256 + width);
    return found.length < width ? undefined : new Uint8Array(Buffer.concat(found));
  }

  async entries(from: number, to: number): Promise<StoredEntry[]> {
    return this.#entries.slice(from, to).map((entry, at) => ({ index: from + at, entry, disclosures: [] }));
  }

  async checkContinues({ size, root }: { readonly size: number; readonly root: string }) {
    if (size <= this.size && base64Encode(this.#frontier(size).root()) === root) return;
    throw new LogError('rolled_back', 'another history');
  }
}

/** Entries that are only bytes. */
export function numbered(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, at) => utf8Encode(`entry ${at}`));
}

/** Every file of a folder with its hash, the drafts left out. */
export function filesOf(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const at = join(folder, path);
    if (path.startsWith('.writing') || statSync(at).isDirectory()) continue;
    files.set(path, createHash('sha256').update(readFileSync(at)).digest('hex'));
  }
  return files;
}

/** A copy that can be written to. */
export function copyOf(t: Pick<TestContext, 'after'>, folder: string): string {
  const copy = join(temporaryFolder(t), 'copy');
  cpSync(folder, copy, { recursive: true });
  return copy;
}

export function urlOf(folder: string): string {
  return pathToFileURL(folder).href;
}
