// A web server in front of a published log, without any key: it makes up a checkpoint over as many entries as it likes, and as many
// files as it is asked for. It counts what it is asked.

import { fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { base64Encode } from 'indelible/bytes';
import { hashLeaf, hashNode } from 'indelible/merkle';

/** How many entries are claimed: a full tree, so that all of its tiles are alike. */
export const CLAIMED = 2 ** 40;

/** What a server makes up. */
export interface Forgery {
  /** The first entry, which anybody can read. */
  readonly first: Uint8Array;
  /** Every other entry. */
  readonly other: Uint8Array;
  /** What stands in the place of each file of hashes; tiles that lead to the claimed root by default. */
  readonly tile?: Uint8Array;
}

/** The tree over a forgery: its root, and the bytes of any tile. */
export class ForgedTree {
  /** Per level: the hash over entries that are all alike, and the one over those with the first. */
  readonly #alike: Uint8Array[];
  readonly #begun: Uint8Array[];

  constructor({ first, other }: Forgery) {
    this.#alike = [hashLeaf(other)];
    this.#begun = [hashLeaf(first)];
    for (let level = 0; level < 40; level += 1) {
      const [alike, begun] = [this.#alike[level]!, this.#begun[level]!];
      this.#begun.push(hashNode(begun, alike));
      this.#alike.push(hashNode(alike, alike));
    }
  }

  get root(): string {
    return base64Encode(this.#begun[40]! as never);
  }

  tile(level: number, index: string, width: number): Buffer {
    const hashes = Array.from({ length: width }, () => this.#alike[level * 8]!);
    if (/^0+$/.test(index)) hashes[0] = this.#begun[level * 8]!;
    return Buffer.concat(hashes);
  }
}

/** A checkpoint with another size and root, or signed by a key id that nobody knows. */
export function forgedNote(
  note: string,
  { size, root, isKnown = false }: { size?: number; root?: string; isKnown?: boolean },
): string {
  const [origin, oldSize, oldRoot, ...rest] = note.split('\n');
  const text = [origin, size ?? oldSize, root ?? oldRoot, ...rest].join('\n');
  return isKnown ? text : text.replace(/(— \S+ )\S+/, '$1AAAAAGFiY2RlZg==');
}

export interface Serving {
  readonly url: string;
  /** The paths that were asked for. */
  readonly asked: string[];
}

/** Serves a forgery under a checkpoint. */
export async function serve(t: TestContext, note: string, forgery: Forgery): Promise<Serving> {
  const tree = new ForgedTree(forgery);
  const asked: string[] = [];
  const bundle = (index: string, width: number): Buffer => {
    const entries = Array.from({ length: width }, (_, at) =>
      at === 0 && /^0+$/.test(index) ? forgery.first : forgery.other,
    );
    return Buffer.concat(
      entries.flatMap((entry) => [Buffer.from([entry.length >> 8, entry.length & 255]), entry]),
    );
  };
  const full = bundle('001', 256);
  return listen(t, asked, (path, response) => {
    const [, level, index, partial] = /^tile\/(entries|\d+)\/([x\d/]+?)(?:\.p\/(\d+))?$/.exec(path) ?? [];
    const width = Number(partial ?? 256);
    if (path === 'checkpoint') response.end(note);
    else if (level === 'entries')
      response.end(width === 256 && index !== '000' ? full : bundle(index!, width));
    else if (level !== undefined) response.end(forgery.tile ?? tree.tile(Number(level), index!, width));
    else response.writeHead(404).end();
  });
}

/** Serves what lies in a folder. */
export function serveFolder(t: TestContext, folder: string): Promise<Serving> {
  return listen(t, [], (path, response) => {
    const file = join(folder, path);
    if (existsSync(file)) response.end(readFileSync(file));
    else response.writeHead(404).end();
  });
}

async function listen(
  t: TestContext,
  asked: string[],
  answer: (path: string, response: ServerResponse) => void,
): Promise<Serving> {
  const server = createServer((request, response) => {
    const path = request.url!.slice(1);
    asked.push(path);
    answer(path, response);
  });
  server.listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked };
}

/** What a process that reads a published log is told, and how it fared. */
export interface Reading {
  readonly call: 'open' | 'verify' | 'restore';
  readonly url: string;
  readonly vkey: string;
  readonly to?: string;
  readonly keySearch?: { readonly entries?: number; readonly bytes?: number; readonly ms?: number };
}
export interface Read {
  /** The code of the error or of each finding. */
  readonly codes: readonly string[];
  /** The most memory that it took, megabytes. */
  readonly megabytes: number;
}

/** Reads in a process of its own, whose memory is its own. */
export function readApart(reading: Reading): Promise<Read> {
  const child = fork(join(import.meta.dirname, 'reading-child.ts'), [JSON.stringify(reading)]);
  return new Promise((resolve, reject) => {
    child.once('message', (read) => resolve(read as Read));
    child.once('exit', (code) => reject(new Error(`it ended with ${code}, without an answer`)));
  });
}
