// `indelible serve` as a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { program } from '../cli/cli-process.ts';
import { temporaryFolder } from './folders.ts';

const SERVER_START_MS = 60_000;

/** A server of its own for one test. */
export interface Served {
  readonly url: string;
  readonly data: string;
  /** Opens the viewer, once. */
  readonly link: string;
  /** The first key, shown once: empty where the data directory was not new. */
  readonly key: string;
  /** All that the process has said. */
  said(): string;
  /** Sends a signal, and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly status: number | null; readonly signal: string | null }>;
  signal(signal: NodeJS.Signals): void;
  readonly ended: Promise<{ readonly status: number | null; readonly signal: string | null }>;
  post(path: string, body: object, key?: string): Promise<Record<string, unknown>>;
  record(...events: readonly object[]): Promise<void>;
}

/** How it is started. */
export interface ServedOptions {
  /** An own one, and a new one, if none is given. */
  readonly data?: string;
  readonly flags?: readonly string[];
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `indelible serve`, and reads from its output what a person would. */
export async function serve(context: TestContext, options: ServedOptions = {}): Promise<Served> {
  const { data = path.join(temporaryFolder(context), 'data'), flags = [], env = {} } = options;
  const args = [program, 'serve', '--data', data, '--port', '0', ...flags];
  const server = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let said = '';
  for (const output of [server.stdout, server.stderr])
    output.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const ended = new Promise<{ status: number | null; signal: string | null }>((resolve) => {
    server.once('exit', (status, signal) => resolve({ status, signal }));
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (server.exitCode === null && server.signalCode === null) server.kill(signal);
    return ended;
  };
  context.after(() => stop());
  await saying(server, () => said, /(Key|Another key)[^\n]*\n/);
  const link = /http\S+\/open\?link=\S+/.exec(said)![0];
  const key = /ind_[A-Za-z0-9_-]+/.exec(said)?.[0] ?? '';
  const url = new URL(link).origin;
  const post: Served['post'] = async (route, body, by = key) => {
    const answer = await fetch(`${url}${route}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const value = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${route}: ${answer.status} ${JSON.stringify(value)}`);
    return value;
  };
  const record = async (...events: readonly object[]): Promise<void> => {
    const { results } = await post('/v1/logs/main/events', events);
    const refused = (results as { ok: boolean }[]).filter(({ ok }) => !ok);
    if (refused.length > 0) throw new Error(JSON.stringify(refused));
  };
  const signal = (which: NodeJS.Signals): void => void server.kill(which);
  return { url, data, key, link, said: () => said, stop, signal, ended, post, record };
}

function saying(server: ChildProcess, said: () => string, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new Error(`the server did not start:\n${said()}`));
    const timer = setTimeout(fail, SERVER_START_MS);
    const look = (): void => {
      if (!pattern.test(said())) return;
      clearTimeout(timer);
      resolve();
    };
    server.stdout?.on('data', look);
    server.once('exit', () => {
      clearTimeout(timer);
      fail();
    });
  });
}
