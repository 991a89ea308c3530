// A witness in this process, with keys of both kinds, and a log that can be asked to lie.

import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Frontier, type Hash, hashLeaf, planConsistency } from 'indelible/merkle';
import {
  formatAddCheckpoint,
  formatCheckpoint,
  parseSignerKey,
  type Signer,
  signerKeyFromSeed,
  signNote,
  type VerifierKey,
} from 'indelible/note';
import {
  createWitness,
  createWitnessHandler,
  openWitness,
  type WatchedLog,
  Witness,
  type WitnessLogger,
} from 'indelible/witness';
import { temporaryFolder } from '../support/folders.ts';

export const silent: WitnessLogger = { info: () => {}, warn: () => {}, error: () => {} };

export interface TestWitness {
  readonly dir: string;
  readonly keys: readonly VerifierKey[];
  readonly handler: (request: Request) => Promise<Response>;
  /** `POST /add-checkpoint`. */
  ask(body: string | Uint8Array): Promise<Response>;
  /** `GET /<hash>/checkpoint`; throws where it is not there. */
  seen(origin: string): Promise<Uint8Array>;
}

/** A new witness, or the one that is in `dir` already. */
export function startWitness(
  t: TestContext,
  logs: readonly WatchedLog[],
  options: { dir?: string; now?: () => number; logger?: WitnessLogger } = {},
): TestWitness {
  const dir = options.dir ?? temporaryFolder(t);
  if (options.dir === undefined) createWitness(dir, { name: 'witness.example', mldsa: true });
  const { cosigners, store } = openWitness(dir);
  t.after(() => store.close());
  const now = options.now ?? (() => 1_767_139_200_000);
  const handler = createWitnessHandler(
    new Witness({ store, cosigners, logs, now }),
    options.logger ?? silent,
  );
  const at = 'http://127.0.0.1:4041';
  return {
    dir,
    keys: cosigners.map(({ key }) => key),
    handler,
    ask: (body) =>
      handler(new Request(`${at}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> })),
    seen: async (origin) => {
      const answer = await handler(new Request(`${at}/${hashOf(origin)}/checkpoint`));
      if (answer.status !== 200) throw new Error(`${answer.status}`);
      return new Uint8Array(await answer.arrayBuffer());
    },
  };
}

export function hashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

/** A log in memory: as many histories as one likes, signed by one key. */
export class TestLog {
  readonly signer: Signer;
  readonly leaves: Hash[] = [];

  constructor(origin = 'log.example/lies', seed = 7) {
    this.signer = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(seed)));
  }

  grow(count: number, word = 'entry'): this {
    for (let added = 0; added < count; added++) {
      this.leaves.push(hashLeaf(Buffer.from(`${word} ${this.leaves.length}`)));
    }
    return this;
  }

  /** Another history: the same up to `size`, and then something else. */
  fork(size: number): TestLog {
    const other = new TestLog(this.signer.name);
    other.leaves.push(...this.leaves.slice(0, size));
    return other;
  }

  root(size = this.leaves.length): Hash {
    const frontier = Frontier.empty();
    for (const leaf of this.leaves.slice(0, size)) frontier.append(leaf);
    return frontier.root();
  }

  note(size = this.leaves.length): Uint8Array {
    const text = formatCheckpoint({ origin: this.signer.name, size, root: this.root(size) });
    return signNote(text, [this.signer]);
  }

  proof(from: number, to: number): Hash[] {
    if (from === 0 || from === to) return [];
    const plan = planConsistency(from, to);
    return plan.assemble(plan.nodes.map(({ level, index }) => this.#node(level, index)));
  }

  request(oldSize: number, size = this.leaves.length): Uint8Array {
    return formatAddCheckpoint({ oldSize, proof: this.proof(oldSize, size), note: this.note(size) });
  }

  #node(level: number, index: number): Hash {
    const frontier = Frontier.empty();
    const width = 2 ** level;
    for (const leaf of this.leaves.slice(index * width, (index + 1) * width)) frontier.append(leaf);
    return frontier.root();
  }
}
