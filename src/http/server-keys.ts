import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LogError } from '../bytes/index.ts';
import { systemClock } from '../platform/index.ts';
import type { ApiKey, ApiKeyCreated, ApiKeyRequest, Scope } from '../wire/index.ts';
import { ApiKeys } from './api-keys.ts';
import { ServerDatabase } from './database.ts';
import { linkUrl } from './session-routes.ts';
import { Sessions } from './sessions.ts';

/**
 * The keys of a data directory without its server, for the command line on the same machine. A running server takes
 * notice with the next request. What is done here is not recorded in the log of the server: whoever can write the
 * directory can do it anyway.
 */
export class ServerKeys implements Disposable {
  readonly #database: ServerDatabase;
  readonly #keys: ApiKeys;

  /** Throws `LogError` `log_missing` where no server was ever started. */
  constructor(dataDir: string) {
    if (!existsSync(join(dataDir, 'server.db'))) {
      throw new LogError('log_missing', `no server has its data in ${dataDir}`, {
        hint: 'start it once: indelible serve --data DIR',
      });
    }
    this.#database = new ServerDatabase(dataDir);
    this.#keys = new ApiKeys(this.#database, systemClock);
  }

  create(request: ApiKeyRequest): ApiKeyCreated {
    return this.#keys.create(request);
  }

  list(): readonly ApiKey[] {
    return this.#keys.list();
  }

  /** False where there is no such key. */
  revoke(id: string): boolean {
    return this.#keys.revoke(id);
  }

  /** A link that opens the viewer once, of the server that people reach under `origin`. */
  createLink(origin: string, scopes: readonly Scope[], log?: string): string {
    const sessions = new Sessions(this.#database, systemClock);
    return linkUrl(origin, sessions.createLink({ name: 'operator', scopes, log, issuer: '' }).token);
  }

  [Symbol.dispose](): void {
    this.#keys.close();
    this.#database.close();
  }
}
