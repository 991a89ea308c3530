// Clocks of a log and of its witnesses: honest logs whose witnesses are slow, away, or sign by hand, days later; and clocks that were
// set. Time passes as a test has it pass, for the log and for the witness alike.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog, type Log, openLog, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { keyTypes, parseAddCheckpoint, parseCheckpoint, parseNote, parsePolicy } from 'indelible/note';
import { watchedLogs } from 'indelible/witness';
import { indelible } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { clockAhead, makeWitness, policyText, serveWitness } from '../support/witness-process.ts';
import { startWitness } from '../witness/world.ts';

const origin = 'example.com/clocks';
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const quiet = { thread: 'caller', heartbeatMs: 0, warn: () => {} } as const;

/** The time as it passes, and how far the clock of the log is from it. */
interface TestClock {
  pass(ms: number): void;
  set(aheadMs: number): void;
  /** The true time, which the witness has. */
  now(): number;
}

/** A clock for what this process does, until the test ends. */
function clockOf(t: TestContext): TestClock {
  const real = Date.now;
  let [passed, ahead] = [0, 0];
  Date.now = () => real() + passed + ahead;
  t.after(() => {
    Date.now = real;
  });
  return {
    now: () => real() + passed,
    pass: (ms) => {
      passed += ms;
    },
    set: (aheadMs) => {
      ahead = aheadMs;
    },
  };
}

/** A log that a witness cosigns, which is reached through `wire`. */
class World {
  readonly dir: string;
  readonly vkey: string;
  readonly policy: string;
  /** What becomes of a request before the witness gets it. */
  wire: () => Promise<void> = async () => {};
  readonly #ask: (url: string, init: RequestInit) => Promise<Response>;
  #events = 0;

  private constructor(t: TestContext, clock: TestClock, { dir, vkey }: { dir: string; vkey: string }) {
    this.dir = dir;
    this.vkey = vkey;
    const witness = startWitness(t, watchedLogs([{ vkey }]), { now: clock.now });
    const key = witness.keys.find(({ type }) => type === keyTypes.cosignatureV1)!;
    this.policy = policyText(vkey, [{ vkey: key.text, url: 'http://127.0.0.1:4041' }], 1);
    this.#ask = (url, init) => witness.handler(new Request(url, init));
  }

  static async make(t: TestContext, clock: TestClock): Promise<World> {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, ...quiet });
    return new World(t, clock, { dir, vkey: log.vkey });
  }

  open(publish: object = {}): Promise<Log> {
    const fetch = async (url: string, init: RequestInit): Promise<Response> => {
      await this.wire();
      return this.#ask(url, init);
    };
    const settings = { everyMs: 20, timeoutMs: 5_000, fetch, ...publish };
    return openLog(this.dir, { ...quiet, witnesses: this.policy, publish: settings });
  }

  async record(log: Log, count = 1): Promise<void> {
    const events = Array.from({ length: count }, () => signIn(`e-${this.#events++}`));
    for (const result of await log.recordMany(events)) if (!result.ok) throw result.error;
  }

  async findings(): Promise<unknown[]> {
    const { findings } = await verifyLog(this.dir, { policy: parsePolicy(this.policy), threads: 0 });
    return findings.map(({ code, message }) => [code, message]);
  }

  /** The sizes that were cosigned, with how large the log was when each signature came; the newest first. */
  arrivals(): { size: number; logSizes: number[] }[] {
    const store = AnchorStore.openReadable(join(this.dir, 'anchors.db'))!;
    try {
      return store
        .newestPublished(64)
        .map((one) => ({ size: one.size, logSizes: store.arrivals([one]).map(({ logSize }) => logSize) }));
    } finally {
      store.close();
    }
  }
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`);
    await sleep(20);
  }
}

/** Waits until everything is cosigned. */
async function cosigned(log: Log): Promise<void> {
  const { size } = await log.checkpoint();
  await until(
    async () => ((await log.checkpoint({ witnessed: true }).catch(() => undefined))?.size ?? 0) >= size,
  );
}

test('an honest log whose witness is away for hours while it goes on', async (t) => {
  const clock = clockOf(t);
  const world = await World.make(t, clock);
  await using log = await world.open();
  await world.record(log);
  await cosigned(log);
  world.wire = () => Promise.reject(new Error('away'));
  for (let hour = 0; hour < 5; hour += 1) {
    clock.pass(HOUR_MS);
    await world.record(log);
  }
  await until(() => log.followers.list().some(({ state }) => state === 'failing'));
  world.wire = async () => {};
  await cosigned(log);
  clock.pass(HOUR_MS);
  await world.record(log);
  await cosigned(log);
  await world.record(log);
  assert.deepEqual(await world.findings(), []);
});

test('an honest log that stands still for a day, is cosigned anew, and goes on', async (t) => {
  const clock = clockOf(t);
  const world = await World.make(t, clock);
  let asked = 0;
  world.wire = async () => {
    asked += 1;
  };
  await using log = await world.open({ refreshMs: DAY_MS });
  await world.record(log);
  await cosigned(log);
  const before = asked;
  clock.pass(DAY_MS + HOUR_MS);
  await until(() => asked > before && world.arrivals()[0]!.logSizes.length > 0);
  clock.pass(HOUR_MS);
  for (let more = 0; more < 3; more += 1) {
    await world.record(log);
    await cosigned(log);
  }
  assert.deepEqual(await world.findings(), []);
});

test('an honest log whose publisher was held up for two days between the checkpoint and the witness', async (t) => {
  const clock = clockOf(t);
  const world = await World.make(t, clock);
  await using log = await world.open();
  let isHeldUp = true;
  world.wire = async () => {
    if (!isHeldUp) return;
    isHeldUp = false;
    clock.pass(10 * HOUR_MS);
    await world.record(log, 2);
    clock.pass(10 * HOUR_MS);
    await world.record(log, 2);
    clock.pass(2 * DAY_MS);
  };
  await world.record(log);
  await cosigned(log);
  await world.record(log);
  await cosigned(log);
  await world.record(log);
  assert.equal(isHeldUp, false);
  // What shows it: the log was larger by then than what was cosigned.
  assert.ok(world.arrivals().some(({ size, logSizes }) => logSizes.some((logSize) => logSize >= size + 4)));
  assert.deepEqual(await world.findings(), []);
});

test('attack-46: the clock of a witnessed log is set back while it is open', async (t) => {
  const clock = clockOf(t);
  const world = await World.make(t, clock);
  await using log = await world.open();
  for (let hour = 0; hour < 2; hour += 1) {
    await world.record(log);
    await cosigned(log);
    clock.pass(HOUR_MS);
  }
  assert.deepEqual(await world.findings(), []);
  // What is recorded from now on bears the time of the last entry, an hour ago, until it is two days later.
  clock.set(-2 * DAY_MS);
  for (let hour = 0; hour < 2; hour += 1) {
    await world.record(log);
    await cosigned(log);
    clock.pass(HOUR_MS);
  }
  const { size } = await log.checkpoint();
  await world.record(log);
  const findings = await world.findings();
  assert.equal(findings.length, 1);
  assert.match(
    String(findings[0]),
    new RegExp(`^time_contradicted,Entry ${size} .* when it was not there yet`),
  );
});

for (const [words, aheadMs, code] of [
  ['agree', 0, []],
  ['do not: the log is two days behind', 2 * DAY_MS, ['time_contradicted']],
  ['do not: the log is two days ahead', -2 * DAY_MS, ['time_contradicted']],
] as const) {
  test(`a witness in a process of its own, and clocks that ${words}`, async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    let vkey = '';
    {
      await using log = await createLog(dir, { origin, ...quiet });
      ({ vkey } = log);
    }
    const data = join(temporaryFolder(t), 'witness');
    makeWitness(data, 'witness.example', true);
    const witness = await serveWitness(t, data, vkey, 0, aheadMs);
    const policy = policyText(vkey, [witness], 1);
    await using log = await openLog(dir, {
      ...quiet,
      witnesses: policy,
      publish: { everyMs: 20, timeoutMs: 5_000 },
    });
    for (let round = 0; round < 3; round += 1) {
      await log.record(signIn(`e-${round}`));
      await cosigned(log);
    }
    await log.record(signIn('last'));
    const { findings } = await log.verify({ policy: parsePolicy(policy) });
    assert.deepEqual(
      findings.map((one) => one.code),
      code,
    );
  });
}

test('an honest log that is cosigned by hand, a day after it was asked for', async (t) => {
  const folder = temporaryFolder(t);
  const [dir, data] = [join(folder, 'log'), join(folder, 'witness')];
  const [asked, signed] = [join(folder, 'request'), join(folder, 'signature')];
  let vkey = '';
  {
    await using log = await createLog(dir, { origin, ...quiet });
    ({ vkey } = log);
  }
  const byHand = makeWitness(data, 'witness.example');
  const run = (words: string[], aheadMs = 0): string => {
    const { status, stdout, stderr } = indelible(words, { node: clockAhead(aheadMs) });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  const policy = join(folder, 'policy');
  writeFileSync(policy, policyText(vkey, [{ vkey: byHand }], 1));
  writeFileSync(join(dir, 'policy'), policyText(vkey, [{ vkey: byHand }], 1));
  const record = async (name: string): Promise<void> => {
    await using log = await openLog(dir, quiet);
    await log.record(signIn(name));
  };
  let old = 0;
  for (let day = 0; day < 2; day += 1) {
    const request = run(['witness', 'request', '--log', dir, '--old', String(old)]);
    writeFileSync(asked, request);
    old = parseCheckpoint(parseNote(parseAddCheckpoint(Buffer.from(request)).note).text).size;
    await record(`meanwhile-${day}`);
    writeFileSync(signed, run(['witness', 'sign', asked, '--data', data, '--vkey', vkey], DAY_MS));
    run(['witness', 'add-signature', signed, '--log', dir], DAY_MS);
    await record(`afterwards-${day}`);
  }
  run(['verify', dir, '--policy', policy]);
});
