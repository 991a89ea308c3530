// Followers: every entry once, in order, however often the process dies, by one process at a time.

import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LogError, type StoredEntry } from 'indelible';
import { base64Encode } from 'indelible/bytes';
import { Frontier, hashLeaf } from 'indelible/merkle';
import {
  type Follower,
  type FollowerBatch,
  type FollowerCursor,
  type FollowerOptions,
  FollowerRunner,
  type FollowerSource,
  type FollowerStatus,
} from '#dist/log/followers/index.js';
import { temporaryFolder } from '../support/folders.ts';
import { signIns } from './search-world.ts';

/** A log in memory. */
class Source implements FollowerSource {
  entriesStored: readonly StoredEntry[];
  reads = 0;

  constructor(count: number) {
    this.entriesStored = signIns(count);
  }

  grow(count: number): void {
    this.entriesStored = [...this.entriesStored, ...signIns(count, this.entriesStored.length)];
  }

  rootAt(size: number): FollowerCursor {
    const frontier = Frontier.empty();
    for (const { entry } of this.entriesStored.slice(0, size)) frontier.append(hashLeaf(entry));
    return { size, root: base64Encode(frontier.root()) };
  }

  async checkpoint(): Promise<FollowerCursor> {
    return this.rootAt(this.entriesStored.length);
  }

  async entries(from: number, to: number): Promise<readonly StoredEntry[]> {
    this.reads += 1;
    return this.entriesStored.slice(from, to);
  }

  async minimum(): Promise<number> {
    return 0;
  }

  async tile(): Promise<undefined> {
    return undefined;
  }

  async checkContinues(state: FollowerCursor): Promise<void> {
    if (state.size <= this.entriesStored.length && this.rootAt(state.size).root === state.root) return;
    throw new LogError('rolled_back', 'the log does not continue this state');
  }
}

/** A follower that writes down what it sees. */
class Witness implements Follower {
  readonly name: string;
  readonly batchMax = 7;
  readonly seen: number[] = [];
  readonly batches: FollowerBatch[] = [];
  fails = 0;

  constructor(name = 'witness') {
    this.name = name;
  }

  apply(batch: FollowerBatch): void {
    if (this.fails > 0) {
      this.fails -= 1;
      throw new Error('not now');
    }
    this.batches.push(batch);
    this.seen.push(...batch.entries.map(({ index }) => index));
  }
}

const quick: FollowerOptions = { pollMs: 5, leaseMs: 200, retryMsMax: 20 };

function runner(t: TestContext, source: FollowerSource, path: string, options = quick): FollowerRunner {
  const made = new FollowerRunner(source, path, options);
  t.after(() => made.stop());
  return made;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 10_000; !condition(); await sleep(5)) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('a follower', () => {
  test('gets every entry, in order, in batches of its size, and what comes later', async (t) => {
    const source = new Source(20);
    const followers = runner(t, source, join(temporaryFolder(t), 'followers.db'));
    const witness = new Witness();
    followers.add(witness);
    await until(() => witness.seen.length === 20, 'all are seen');
    source.grow(3);
    followers.wake();
    await until(() => witness.seen.length === 23, 'the later ones are seen');
    assert.deepEqual(witness.seen, upTo(23));
    assert.deepEqual(
      witness.batches.map(({ from, to }) => [from, to]),
      [
        [0, 7],
        [7, 14],
        [14, 20],
        [20, 23],
      ],
    );
    for (const batch of witness.batches) {
      assert.equal(batch.root, source.rootAt(batch.to).root);
      assert.deepEqual(
        batch.events.map(({ index }) => index),
        batch.entries.map(({ index }) => index),
      );
      assert.equal(batch.events[0]!.action, 'user.signed_in');
    }
    await until(() => followers.list()[0]!.state === 'following', 'it is up to date');
    assert.deepEqual(followers.list(), [{ name: 'witness', size: 23, lag: 0, state: 'following' }]);
  });

  test('goes on where it was, in the next process', async (t) => {
    const source = new Source(10);
    const path = join(temporaryFolder(t), 'followers.db');
    const [one, two] = [new Witness(), new Witness()];
    const first = runner(t, source, path);
    first.add(one);
    await until(() => one.seen.length === 10, 'all are seen');
    await first.stop();
    assert.equal(first.list()[0]!.state, 'stopped');
    source.grow(5);
    runner(t, source, path).add(two);
    await until(() => two.seen.length === 5, 'the rest is seen');
    assert.deepEqual(two.seen, [10, 11, 12, 13, 14]);
  });

  test('that fails is tried again, tells why, and holds up no other', async (t) => {
    const source = new Source(10);
    const followers = runner(t, source, join(temporaryFolder(t), 'followers.db'));
    const [bad, good] = [new Witness('bad'), new Witness('good')];
    bad.fails = 4;
    followers.add(bad);
    followers.add(good);
    await until(() => good.seen.length === 10, 'the other one is done');
    const status = (): FollowerStatus => followers.list()[0]!;
    await until(() => status().lastError?.attempts === 3, 'it failed three times');
    assert.equal(status().state, 'failing');
    assert.deepEqual(status().lastError, { message: 'not now', attempts: 3 });
    assert.equal(status().lag, 10);
    await until(() => bad.seen.length === 10, 'it recovers');
    assert.deepEqual(bad.seen, upTo(10));
    await until(() => status().lastError === undefined, 'it forgets');
  });

  test('does not go on in a log that was rolled back, or rewritten', async (t) => {
    const path = join(temporaryFolder(t), 'followers.db');
    const first = runner(t, new Source(10), path);
    const witness = new Witness();
    first.add(witness);
    await until(() => witness.seen.length === 10, 'all are seen');
    await first.stop();
    const rewritten = new Source(20);
    rewritten.entriesStored = signIns(20, 100).map((stored, index) => ({ ...stored, index }));
    for (const source of [new Source(5), rewritten]) {
      const next = runner(t, source, path);
      const other = new Witness();
      next.add(other);
      await until(() => next.list()[0]!.state === 'refused', 'it refuses');
      assert.equal(next.list()[0]!.lastError?.code, 'rolled_back');
      assert.deepEqual(other.seen, []);
      await next.stop();
    }
  });

  test('is given nothing that the checkpoint does not cover', async (t) => {
    const source = new Source(10);
    const [forged] = signIns(1, 500);
    source.entries = async (from, to) => {
      return source.entriesStored
        .slice(from, to)
        .map((stored) => (stored.index === 8 ? { ...forged!, index: 8 } : stored));
    };
    const followers = runner(t, source, join(temporaryFolder(t), 'followers.db'));
    const witness = new Witness();
    followers.add(witness);
    await until(() => followers.list()[0]!.state === 'refused', 'it refuses');
    assert.deepEqual(witness.seen, upTo(7));
  });

  test('is not given a batch with a hole', async (t) => {
    const source = new Source(10);
    source.entries = async (from, to) =>
      source.entriesStored.slice(from, to).filter(({ index }) => index !== 9);
    const followers = runner(t, source, join(temporaryFolder(t), 'followers.db'));
    followers.add(new Witness());
    await until(() => followers.list()[0]!.state === 'refused', 'it refuses');
    assert.equal(followers.list()[0]!.lastError?.code, 'log_damaged');
  });

  test('whose cursor was changed refuses to go on', async (t) => {
    const path = join(temporaryFolder(t), 'followers.db');
    const first = runner(t, new Source(10), path);
    const witness = new Witness();
    first.add(witness);
    await until(() => witness.seen.length === 10, 'all are seen');
    await first.stop();
    const db = new DatabaseSync(path);
    db.exec("UPDATE cursors SET root = 'x'");
    db.close();
    const second = runner(t, new Source(10), path);
    second.add(new Witness());
    await until(() => second.list()[0]!.state === 'refused', 'it refuses');
    assert.equal(second.list()[0]!.lastError?.code, 'log_damaged');
  });

  test('is waited for when the log is closed, and told so', async (t) => {
    const followers = runner(t, new Source(10), join(temporaryFolder(t), 'followers.db'));
    const events: string[] = [];
    followers.add({
      name: 'slow',
      async apply({ signal }) {
        events.push('begun');
        await once(signal, 'abort');
        await sleep(20);
        events.push('ended');
      },
    });
    await until(() => events.length === 1, 'it has begun');
    await followers.stop();
    assert.deepEqual(events, ['begun', 'ended']);
    assert.throws(() => followers.add(new Witness()), { code: 'closed' });
    await followers.stop();
  });

  test('needs a name of its own, and a function', (t) => {
    const path = join(temporaryFolder(t), 'followers.db');
    const followers = runner(t, new Source(0), path);
    const invalid = { name: 'TypeError', code: 'option_invalid' };
    for (const name of ['', 'A', '-a', 'a b', 'x'.repeat(65), 7 as unknown as string]) {
      assert.throws(() => followers.add({ name, apply: () => {} }), invalid);
    }
    assert.throws(() => followers.add({ name: 'a' } as Follower), invalid);
    assert.equal(existsSync(path), false);
    followers.add({ name: 'a', apply: () => {} });
    assert.throws(() => followers.add({ name: 'a', apply: () => {} }), invalid);
  });
});

describe('the lease', () => {
  test('lets one process follow, and another take over when it ends', async (t) => {
    const source = new Source(10);
    const path = join(temporaryFolder(t), 'followers.db');
    const [one, two] = [new Witness(), new Witness()];
    const first = runner(t, source, path);
    first.add(one);
    const second = runner(t, source, path);
    second.add(two);
    await until(() => one.seen.length === 10, 'the first is done');
    await sleep(300);
    assert.deepEqual(two.seen, []);
    assert.equal(second.list()[0]!.state, 'waiting');
    await first.stop();
    source.grow(5);
    await until(() => two.seen.length === 5, 'the second goes on');
    assert.deepEqual([...one.seen, ...two.seen], upTo(15));
  });

  test('runs out when its holder is stuck; what the holder did late moves nothing', async (t) => {
    const source = new Source(10);
    const path = join(temporaryFolder(t), 'followers.db');
    let now = 1_000_000;
    const options = { ...quick, leaseMs: 60, now: () => now };
    const first = runner(t, source, path, options);
    let release = (): void => {};
    let applied = 0;
    first.add({
      name: 'witness',
      apply: () => {
        applied += 1;
        return applied === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined;
      },
    });
    await until(() => applied === 1, 'the first has a batch');
    // The clock of the second goes so far ahead that the first one's lease is over.
    const second = runner(t, source, path, { ...options, leaseMs: 1000, now: () => now + 500 });
    const two = new Witness();
    now += 100;
    second.add(two);
    await until(() => two.seen.length === 10, 'the second takes over');
    release();
    await sleep(50);
    const db = new DatabaseSync(path, { readOnly: true });
    assert.equal(db.prepare('SELECT size FROM cursors').get()!['size'], 10);
    db.close();
    assert.deepEqual(two.seen, upTo(10));
  });

  test('of a process that is killed runs out, and nothing is left out', async (t) => {
    const folder = temporaryFolder(t);
    const [path, out] = [join(folder, 'followers.db'), join(folder, 'seen')];
    appendFileSync(out, '');
    for (let round = 0; round < 4; round += 1) {
      const child = fork(join(import.meta.dirname, 'followers-child.ts'), [path, out]);
      await once(child, 'message');
      await sleep(20 + 15 * round);
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    const last = new Witness();
    const followers = runner(t, new Source(400), path, { ...quick, leaseMs: 100 });
    followers.add(last);
    await until(() => followers.list()[0]!.size === 400, 'all are seen');
    const before = readFileSync(out, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
    const all = [...before, ...last.seen];
    assert.deepEqual(
      [...new Set(all)].sort((a, b) => a - b),
      upTo(400),
    );
    // Each begins again where the one before was, at most one batch earlier.
    for (const [position, index] of all.entries()) {
      if (position > 0)
        assert.ok(index === all[position - 1]! + 1 || all[position - 1]! - index < 3, `${index}`);
    }
  });
});
