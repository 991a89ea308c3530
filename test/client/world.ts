// A log, the server that shows it, and clients of it.

import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { AuditClient, type AuditClientOptions, type OnFailure } from 'indelible/client';
import { temporaryFolder } from '../support/folders.ts';
import { type HostileServer, startHostileServer } from './hostile-server.ts';

export const origin = 'example.com/audit';
export const key = 'ind_test_0123456789';

/** All that an iteration gives. */
export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

export interface World {
  readonly folder: string;
  readonly log: Log;
  readonly server: HostileServer;
  client<Mode extends OnFailure = 'block'>(options?: Partial<AuditClientOptions<Mode>>): AuditClient<Mode>;
}

export async function makeWorld(t: TestContext): Promise<World> {
  const last: (() => unknown)[] = [];
  const folder = temporaryFolder({ after: (remove) => void last.push(remove as () => unknown) });
  // Clients first, then the log, then the folder: hooks run in the order in which they are registered.
  t.after(async () => {
    for (const end of last.reverse()) await end();
  });
  const log = await createLog(join(folder, 'log'), { origin, thread: 'caller' });
  const server = await startHostileServer(t, log);
  last.push(() => log.close());
  return {
    folder,
    log,
    server,
    client(options) {
      const made = new AuditClient({
        url: server.url,
        key,
        vkey: log.vkey,
        heartbeatMs: 0,
        retryMs: 1500,
        ...options,
      } as never);
      last.push(() => made.close());
      return made as never;
    },
  };
}

/** A second history under the same key: a copy of the log's folder that goes its own way. */
export async function forkOf(t: TestContext, { folder, log }: World): Promise<Log> {
  const { size } = await log.checkpoint();
  assert.ok(size > 0);
  cpSync(join(folder, 'log'), join(folder, 'fork'), { recursive: true });
  const fork = await openLog(join(folder, 'fork'), {
    mark: join(folder, 'fork.mark'),
    thread: 'caller',
    warn: () => {},
  });
  t.after(() => fork.close());
  return fork;
}
