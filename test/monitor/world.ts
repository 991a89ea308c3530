// A log that is published, and a monitor over it that is opened anew for each look, as cron does.

import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createLog, type Log } from 'indelible';
import { type LookReport, Monitor, type MonitorOptions } from 'indelible/monitor';
import { publishLog } from 'indelible/publish';
import { urlOf } from '../publish/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';

export const origin = 'log.example/watched';

export class Watched {
  readonly folder: string;
  readonly log: Log;
  readonly #keys: string;
  #events = 0;
  /** How far the monitor's clock is ahead of the machine's, milliseconds. */
  ahead = 0;

  private constructor(folder: string, log: Log) {
    this.folder = folder;
    this.log = log;
    this.#keys = join(folder, 'subject-keys.db');
  }

  static async make(t: TestContext, events = 3, options: object = {}): Promise<Watched> {
    const folder = temporaryFolder(t);
    const log = await createLog(join(folder, 'log'), {
      origin,
      thread: 'caller',
      heartbeatMs: 0,
      ...options,
    });
    t.after(() => log.close());
    const world = new Watched(folder, log);
    await world.grow(events);
    return world;
  }

  get public(): string {
    return join(this.folder, 'public');
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  /** Records events, and publishes. */
  async grow(events: number): Promise<void> {
    const made = Array.from({ length: events }, () => signIn(`e-${this.#events++}`, `u_${this.#events % 5}`));
    for (const result of await this.log.recordMany(made)) if (!result.ok) throw result.error;
    await this.publish();
  }

  async publish(): Promise<void> {
    await publishLog(this.log, { to: urlOf(this.public), subjectKeys: this.#keys });
  }

  monitor(options: Partial<MonitorOptions> = {}): Monitor {
    return new Monitor({
      place: urlOf(this.public),
      trust: { vkey: this.log.vkey },
      state: this.state,
      wholeEveryMs: 0,
      clock: { wall: () => Date.now() + this.ahead },
      ...options,
    });
  }

  /** One look by a monitor that lives no longer than that. */
  async look(options: Partial<MonitorOptions> = {}): Promise<LookReport> {
    const monitor = this.monitor(options);
    const report = await monitor.look();
    monitor.told();
    return report;
  }

  /** A copy of what is published now, to put back later. */
  keep(): string {
    const copy = join(this.folder, `kept-${readdirSync(this.folder).length}`);
    cpSync(this.public, copy, { recursive: true });
    return copy;
  }

  put(copy: string): void {
    rmSync(this.public, { recursive: true });
    cpSync(copy, this.public, { recursive: true });
  }

  /** Changes a published file. */
  edit(path: string, change: (bytes: Buffer) => Uint8Array): void {
    const at = join(this.public, path);
    const bytes = change(readFileSync(at));
    chmodSync(at, 0o644);
    writeFileSync(at, bytes);
  }
}

/** The codes of what was told, in their order; `monitor_began` aside. */
export function codes({ tell }: LookReport): string[] {
  return tell.map(({ code }) => code).filter((code) => code !== 'monitor_began');
}

/** The checkpoints that were kept as evidence. */
export function evidenceOf(world: Watched): string[] {
  const folder = `${world.state}.evidence`;
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
