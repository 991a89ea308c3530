// A witness that is killed between its check and its answer, again and again: it never cosigns two roots of one size.

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseNote } from 'indelible/note';
import { openWitness, watchedLogs } from 'indelible/witness';
import { temporaryFolder } from '../support/folders.ts';
import { makeWitness } from '../support/witness-process.ts';
import { startWitness, TestLog } from './world.ts';

const child = join(import.meta.dirname, 'killed-child.ts');

/** Asks a witness in a process of its own, which dies at the step named. Answers what it said before it died. */
async function askAndKill(dir: string, vkey: string, body: Uint8Array, step: string): Promise<string[]> {
  const process: ChildProcess = fork(child, [dir, vkey, step], { serialization: 'advanced' });
  const lines: string[] = [];
  process.on('message', (message: string[]) => lines.push(...message));
  process.send(body);
  const [code, signal] = await once(process, 'exit');
  assert.ok(signal === 'SIGKILL' || (step === 'never' && code === 0), `${step}: ${code} ${signal}`);
  return lines;
}

test('SIGKILL at each step: what was judged is kept or not, and the other history is never cosigned', async (t) => {
  const log = new TestLog().grow(4);
  const { vkey } = log.signer;
  const dir = join(temporaryFolder(t), 'witness');
  makeWitness(dir, 'w.example');
  assert.equal((await askAndKill(dir, vkey, log.request(0), 'never')).length, 1);
  let size = 4;
  for (const step of ['judged', 'kept', 'signed']) {
    const branches = [log.fork(size).grow(2, `left ${step}`), log.fork(size).grow(2, `right ${step}`)];
    const before = await askAndKill(dir, vkey, branches[0]!.request(size), step);
    assert.equal(before.length, 0, 'it died before it answered');
    const { store } = openWitness(dir);
    const seen = store.seen(log.signer.name)!;
    store.close();
    const isKept = step !== 'judged' && step !== 'signed';
    assert.equal(seen.size, isKept ? size + 2 : size, step);
    const witness = startWitness(t, watchedLogs([{ vkey }]), { dir });
    const [one, other] = [branches[0]!, branches[1]!];
    if (isKept) {
      // It has never said so, and holds to it all the same.
      assert.equal((await witness.ask(other.request(size))).status, 409);
      assert.equal((await witness.ask(other.request(size + 2))).status, 422);
      assert.equal((await witness.ask(one.request(size + 2))).status, 200);
      log.leaves.splice(0, log.leaves.length, ...one.leaves);
    } else {
      // Nothing of it ever was: the other one may be the first.
      assert.equal((await witness.ask(other.request(size))).status, 200);
      assert.equal((await witness.ask(one.request(size))).status, 409);
      assert.equal((await witness.ask(one.request(size + 2))).status, 422);
      log.leaves.splice(0, log.leaves.length, ...other.leaves);
    }
    size += 2;
    const { text } = parseNote(await witness.seen(log.signer.name));
    assert.equal(text, parseNote(log.note()).text);
  }
});
