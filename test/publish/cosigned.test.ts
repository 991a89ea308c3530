// What is published of a log that witnesses cosign: never less than readers who go by its policy have already.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Log, openLog, type SignedCheckpoint } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { cosignerKeyFromSeed, keyTypes, parseCosignerKey, parseNote, parsePolicy } from 'indelible/note';
import { openPublished, publishLog } from 'indelible/publish';
import { temporaryFolder } from '../support/folders.ts';
import { grow, smallLog, urlOf } from './world.ts';

const witness = parseCosignerKey(
  cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1)),
);
const quiet = { thread: 'caller', heartbeatMs: 0 } as const;

class World {
  readonly log: Log;
  readonly policy: string;
  readonly folder: string;

  private constructor(log: Log, policy: string, folder: string) {
    this.log = log;
    this.policy = policy;
    this.folder = folder;
  }

  /** A log with one witness, which it shows nothing by itself. */
  static async make(t: TestContext): Promise<World> {
    const made = await smallLog(t, 5);
    const { dir, vkey } = made;
    await made.close();
    const policy = `log ${vkey}\nwitness w ${witness.key.text}\nquorum w\n`;
    writeFileSync(join(dir, 'policy'), policy);
    const log = await openLog(dir, quiet);
    t.after(() => log.close());
    return new World(log, policy, join(temporaryFolder(t), 'pub'));
  }

  /** Keeps a checkpoint as one that witnesses were shown, and signed where they did. */
  async show({ isSigned }: { readonly isSigned: boolean }): Promise<SignedCheckpoint> {
    const shown = await this.log.checkpoint();
    const anchors = AnchorStore.open(join(this.log.dir, 'anchors.db'));
    const note = Buffer.from(shown.note);
    const lines = isSigned ? [witness.cosign(parseNote(note).text, 1_700_000_000n)] : [];
    anchors.addSignatures({ size: shown.size, note, at: 0 }, lines);
    anchors.close();
    return shown;
  }

  async publish(folder = this.folder, log = this.log) {
    return publishLog(log, { to: urlOf(folder), disclosures: false });
  }

  /** How much readers get who go by the policy. */
  async readable(folder = this.folder): Promise<number> {
    await using reader = await openPublished(urlOf(folder), parsePolicy(this.policy));
    return (await reader.checkpoint()).size;
  }
}

test('the newest checkpoint with a quorum is published, not the newest that nobody has signed', async (t) => {
  const world = await World.make(t);
  const signed = await world.show({ isSigned: true });
  await grow(world.log, 300);
  const newest = await world.show({ isSigned: false });
  const published = await world.publish();
  assert.deepEqual([published.size, published.isHeld], [signed.size, false]);
  assert.equal(await world.readable(), signed.size);
  await world.show({ isSigned: true });
  assert.equal((await world.publish()).size, newest.size);
  assert.equal(await world.readable(), newest.size);
});

test('what has a quorum gives way to nothing without, also where the cosignatures are gone', async (t) => {
  const world = await World.make(t);
  const signed = await world.show({ isSigned: true });
  await world.publish();
  rmSync(join(world.log.dir, 'anchors.db'));
  await grow(world.log, 300);
  const again = await openLog(world.log.dir, { ...quiet, readOnly: true });
  t.after(() => again.close());
  const published = await world.publish(world.folder, again);
  assert.deepEqual([published.size, published.isHeld, published.added], [signed.size, true, 0]);
  assert.equal(await world.readable(), signed.size);
  // Elsewhere nobody had any: there the log shows what it has.
  const { size } = await world.publish(join(temporaryFolder(t), 'other'), again);
  assert.equal(size, (await again.checkpoint()).size);
});

test('where the policy cannot be used, what others have cosigned stays; where there is none any more, it does not', async (t) => {
  const world = await World.make(t);
  const signed = await world.show({ isSigned: true });
  await world.publish();
  await grow(world.log, 300);
  await world.log.close();
  writeFileSync(join(world.log.dir, 'policy'), 'quorum of whom');
  const before = readFileSync(join(world.folder, 'checkpoint'));
  const unsure = await openLog(world.log.dir, { ...quiet, readOnly: true });
  t.after(() => unsure.close());
  const { size, isHeld } = await world.publish(world.folder, unsure);
  assert.deepEqual([size, isHeld], [signed.size, true]);
  assert.deepEqual(readFileSync(join(world.folder, 'checkpoint')), before);
  rmSync(join(world.log.dir, 'policy'));
  const alone = await openLog(world.log.dir, { ...quiet, readOnly: true });
  t.after(() => alone.close());
  assert.equal((await world.publish(world.folder, alone)).size, (await alone.checkpoint()).size);
});
