import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MemoryStore, SqliteStore } from 'indelible/store';
import { storeConformance } from 'indelible/store/conformance';
import { temporaryFolder } from '../support/folders.ts';

const options = { jitter: Math.random, now: () => performance.now() };

describe('memory store', () => {
  for (const { name, run } of storeConformance) {
    test(name, () => {
      const store = new MemoryStore();
      return run(() => store);
    });
  }
});

describe('SQLite store', () => {
  for (const { name, run } of storeConformance) {
    test(name, (t) => {
      const path = join(temporaryFolder(t), 'log.db');
      let created = false;
      return run(() => {
        if (created) return SqliteStore.open(path, options);
        created = true;
        return SqliteStore.create(path, options);
      });
    });
  }
});
