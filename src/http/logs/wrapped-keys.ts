import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type KmsClient, kmsKey, LogError, newSignerKey, wrapKey } from '../../log/index.ts';
import { createExclusive, readTextFile } from '../../platform/index.ts';

/** How a server reaches AWS KMS, and what new keys are wrapped by. */
export interface KmsKeys {
  /** Answers the client, at the first key that needs it. */
  readonly client: () => KmsClient | Promise<KmsClient>;
  /** The id, ARN or alias of the KMS key that wraps the keys of new logs; those have `log.key` in their folder if absent. */
  readonly keyId?: string;
}

/** Most bytes of a wrapped key. */
const WRAPPED_BYTES_MAX = 65_536;

/**
 * The keys of logs that only AWS KMS opens: `<name>.kms.json` beside the folder of the log, which holds no `log.key` then. The file is
 * read, and the key unwrapped, each time that the log is opened.
 */
export class WrappedKeys {
  readonly #dir: string;
  readonly #kms: KmsKeys | undefined;

  constructor(dir: string, kms: KmsKeys | undefined) {
    this.#dir = dir;
    this.#kms = kms;
  }

  /** What answers the key of a log, as `openLog` takes it; undefined where the key is in the log's own folder. */
  of(name: string): (() => Promise<string>) | undefined {
    const path = this.#path(name);
    if (!existsSync(path)) return undefined;
    const kms = this.#kms;
    if (kms === undefined) {
      throw new LogError('key_missing', `the key of ${name} is wrapped, and nothing here opens it`, {
        hint: 'give createHandler a client: kms',
      });
    }
    return async () =>
      kmsKey({ wrapped: readTextFile(path, WRAPPED_BYTES_MAX), client: await kms.client() })();
  }

  /**
   * Makes a log with a new key that is wrapped, where new keys are to be; `make` makes the log with it, or without one. The file is
   * there, and durable, before any log signs with what is in it; where no log comes to be, it goes again. Throws `LogError`
   * `key_exists` where there is one: it may be the key of a log that was.
   */
  async making(
    { name, origin }: { readonly name: string; readonly origin: string },
    make: (key: { readonly key?: () => string }) => Promise<void>,
  ): Promise<void> {
    const keyId = this.#kms?.keyId;
    const database = join(this.#dir, name, 'log.db');
    if (keyId === undefined || existsSync(database)) return make({});
    const path = this.#path(name);
    const text = newSignerKey(origin);
    const wrapped = await wrapKey(text, { kmsKeyId: keyId, client: await this.#kms!.client() });
    if (!createExclusive(path, wrapped, 0o600)) {
      throw new LogError('key_exists', `there is a wrapped key of a log ${name} already`, {
        hint: `look at ${name}.kms.json among the logs: no log signs with it where there is none of its name`,
      });
    }
    try {
      await make({ key: () => text });
    } catch (error) {
      if (!existsSync(database)) rmSync(path, { force: true });
      throw error;
    }
  }

  #path(name: string): string {
    return join(this.#dir, `${name}.kms.json`);
  }
}
