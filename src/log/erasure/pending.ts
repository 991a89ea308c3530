import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseJson } from '../../bytes/index.ts';
import { replaceFile, syncFolder } from '../../platform/index.ts';

/**
 * `erasing.json`: the ids of `log.erased` entries that are being written, or after which the files have not been scoured yet. It
 * lies beside the log from before the entry is committed until no byte is left, and holds nothing of a person. It is read and
 * written under the head lock only, so that nobody takes a running erasure for one whose process died.
 */
export class Pending {
  readonly #path: string | undefined;

  /** Without a path nothing is kept: then nobody finishes what a process that died has left. */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** What is pending. A file that nobody can read says that something is: it counts as one erasure of an unknown id. */
  ids(): string[] {
    if (this.#path === undefined || !existsSync(this.#path)) return [];
    try {
      const { ids } = parseJson(readFileSync(this.#path, 'utf8')) as { readonly ids?: unknown };
      if (Array.isArray(ids)) return ids.map(String);
    } catch {
      // Below.
    }
    return ['unreadable'];
  }

  add(id: string): void {
    this.#write([...this.ids(), id]);
  }

  remove(gone: readonly string[]): void {
    this.#write(this.ids().filter((id) => !gone.includes(id)));
  }

  #write(ids: readonly string[]): void {
    if (this.#path === undefined) return;
    if (ids.length > 0) replaceFile(this.#path, JSON.stringify({ ids }), 0o600);
    else if (existsSync(this.#path)) {
      rmSync(this.#path);
      syncFolder(dirname(this.#path));
    }
  }
}
