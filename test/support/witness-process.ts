import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createWitness, witnessFiles } from 'indelible/witness';

const program = join(import.meta.dirname, '../../dist/cli/main.js');

/** A witness in a process of its own: `indelible witness serve`. */
export interface WitnessProcess {
  readonly dir: string;
  readonly vkey: string;
  readonly url: string;
  readonly child: ChildProcess;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
}

/** Makes a witness of this name in `dir` and answers its Ed25519 verifier key. */
export function makeWitness(dir: string, name: string, mldsa = false): string {
  createWitness(dir, { name, mldsa });
  return readFileSync(witnessFiles(dir).vkeys, 'utf8').split('\n')[0]!;
}

/** What Node is told before it runs a program, so that this has another clock. */
export function clockAhead(ms: number): string[] {
  return ms === 0 ? [] : ['--import', `data:text/javascript,const now=Date.now;Date.now=()=>now()+${ms}`];
}

/** Starts the witness in `dir`, for the log of this key, or of these; `port` 0 is any. */
export async function serveWitness(
  t: Pick<TestContext, 'after'>,
  dir: string,
  logVkey: string | readonly string[],
  port = 0,
  aheadMs = 0,
): Promise<WitnessProcess> {
  const vkeys = [logVkey].flat().flatMap((vkey) => ['--vkey', vkey]);
  const words = ['witness', 'serve', '--data', dir, ...vkeys, '--port', String(port)];
  const child = spawn(process.execPath, [...clockAhead(aheadMs), program, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  t.after(kill);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for await (const text of child.stdout.setEncoding('utf8')) {
    said += text;
    const url = /Witness at (\S+)\n[\s\S]*Log: /.exec(said)?.[1];
    if (url === undefined) continue;
    const vkey = readFileSync(witnessFiles(dir).vkeys, 'utf8').split('\n')[0]!;
    return { dir, vkey, url, child, kill };
  }
  throw new Error(`the witness did not start: ${said}`);
}

/** A policy of one log and some witnesses, of which `quorum` have to cosign. */
export function policyText(
  logVkey: string,
  witnesses: readonly { readonly vkey: string; readonly url?: string }[],
  quorum: number,
): string {
  const names = witnesses.map((_, at) => `W${at + 1}`);
  return [
    `log ${logVkey}`,
    ...witnesses.map(
      ({ vkey, url }, at) => `witness W${at + 1} ${vkey}${url === undefined ? '' : ` ${url}`}`,
    ),
    `group all ${quorum} ${names.join(' ')}`,
    'quorum all',
    '',
  ].join('\n');
}
