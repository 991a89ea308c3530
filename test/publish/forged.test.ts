// Whoever serves a published log has no key: they can make up a checkpoint, and files without end, and no reader may go on reading.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { rotateKey } from 'indelible';
import { parseSignerKey } from 'indelible/note';
import { openPublished, publishLog, verifyPublished } from 'indelible/publish';
import { temporaryFolder } from '../support/folders.ts';
import {
  CLAIMED,
  ForgedTree,
  forgedNote,
  type Reading,
  readApart,
  serve,
  serveFolder,
} from './forged-world.ts';
import { grow, smallLog, urlOf } from './world.ts';

/** Nothing but the runtime and what it has loaded takes about 110 MB; nothing that is made up may add much. */
const MEGABYTES_MAX = 400;

const calls: readonly Reading['call'][] = ['open', 'verify', 'restore'];

async function world(t: TestContext) {
  const log = await smallLog(t, 3);
  const { note } = await log.checkpoint();
  for await (const { entry } of log.entries({ to: 1 })) return { vkey: log.vkey, note, first: entry };
  throw new Error('a log has a first entry');
}

describe('a forged checkpoint', () => {
  for (const call of calls) {
    test(`${call}: a bad signature by the known key is refused before anything else is read`, async (t) => {
      const { vkey, note, first } = await world(t);
      const forged = forgedNote(note, { size: CLAIMED, isKnown: true });
      const { url, asked } = await serve(t, forged, { first, other: first });
      const to = join(temporaryFolder(t), 'restored');
      const { codes } = await readApart({ call, url, vkey, to });
      assert.deepEqual(codes, [
        call === 'verify' ? 'checkpoint_invalid signature_invalid' : 'signature_invalid',
      ]);
      assert.deepEqual(asked, ['checkpoint']);
      assert.ok(!existsSync(to));
    });

    test(`${call}: by an unknown key, over tiles that do not lead to its root, no entry is asked for`, async (t) => {
      const { vkey, note, first } = await world(t);
      const forged = forgedNote(note, { size: CLAIMED });
      const { url, asked } = await serve(t, forged, { first, other: first, tile: Buffer.alloc(8192, 7) });
      const { codes } = await readApart({ call, url, vkey, to: join(temporaryFolder(t), 'restored') });
      assert.deepEqual(codes, [call === 'verify' ? 'key_unknown signature_unknown' : 'signature_unknown']);
      assert.ok(!asked.some((path) => path.startsWith('tile/entries/')), asked.join(' '));
      assert.ok(asked.length <= 10, asked.join(' '));
    });

    test(`${call}: over a tree that was made up, so much is read and no more; little of it is kept`, async (t) => {
      const { vkey, note, first } = await world(t);
      const other = Buffer.from(
        `{"action":"log.key_rotated","id":"log.key_change.1","x":"${'x'.repeat(60_000)}"}`,
      );
      const { root } = new ForgedTree({ first, other });
      const { url, asked } = await serve(t, forgedNote(note, { size: CLAIMED, root }), { first, other });
      const { codes, megabytes } = await readApart({
        call,
        url,
        vkey,
        to: join(temporaryFolder(t), 'restored'),
        keySearch: { bytes: 400 * 1024 * 1024 },
      });
      assert.deepEqual(codes, [call === 'verify' ? 'key_unknown signature_unknown' : 'signature_unknown']);
      const bundles = asked.filter((path) => path.startsWith('tile/entries/'));
      // 16 at once, each twice, since they are long: the limit falls into the second time.
      assert.ok(bundles.length > 32 && bundles.length <= 70, `${bundles.length} bundles`);
      assert.ok(asked.length <= 120, `${asked.length} files`);
      assert.ok(megabytes < MEGABYTES_MAX, `${megabytes} MB`);
    });
  }
});

describe('a checkpoint by a key that took the place of the known one', () => {
  async function rotated(t: TestContext) {
    const log = await smallLog(t, 700);
    const folder = join(temporaryFolder(t), 'pub');
    const { asked, url } = await serveFolder(t, folder);
    const root = parseSignerKey(readFileSync(join(log.dir, 'root.key'), 'utf8').trim());
    const publish = async (more: number): Promise<number> => {
      await grow(log, more);
      return (await publishLog(log, { to: urlOf(folder) })).size;
    };
    const bundles = (): string[] => asked.splice(0).filter((path) => path.startsWith('tile/entries/'));
    return { log, folder, url, bundles, publish, rotate: () => rotateKey(log.dir, root) };
  }

  test('an open reader reads on where it was; a new one looks through all entries', async (t) => {
    const { log, url, bundles, publish, rotate } = await rotated(t);
    const { vkey } = log;
    await publish(0);
    await using reader = await openPublished(url, vkey);
    assert.deepEqual(bundles(), [], 'the known key has signed');
    await rotate();
    assert.equal((await reader.checkpoint()).size < (await publish(1000)), true);
    const { size } = await reader.checkpoint();
    assert.equal(size, (await log.checkpoint()).size);
    const first = bundles();
    assert.ok(first.includes('tile/entries/000') && !first.includes('tile/entries/001'), first.join(' '));
    assert.ok(first.includes('tile/entries/002') && first.length < 8, first.join(' '));
    await publish(600);
    await reader.checkpoint();
    assert.deepEqual(bundles(), [], 'the new key is known now');
    await rotate();
    await publish(300);
    assert.equal((await reader.checkpoint()).size, (await log.checkpoint()).size);
    const second = bundles();
    assert.ok(second.length <= 4 && !second.includes('tile/entries/002'), second.join(' '));
    await using fresh = await openPublished(url, vkey);
    assert.equal((await fresh.checkpoint()).size, (await log.checkpoint()).size);
    assert.ok(bundles().length > 10);
  });

  test('changes that were passed over are read where those behind do not lead to the signer', async (t) => {
    const { log, url, bundles, publish, rotate } = await rotated(t);
    await rotate();
    await publish(300);
    const { history } = await rotate();
    await publish(300);
    // The third key; what the first entry names is the first.
    await using reader = await openPublished(url, history.vkey);
    assert.deepEqual(bundles(), []);
    await rotate();
    await publish(300);
    assert.equal((await reader.checkpoint()).size, (await log.checkpoint()).size);
    assert.ok(bundles().includes('tile/entries/001'));
  });

  test('beyond the bounds it is believed only where the changes before them lead to it', async (t) => {
    const { log, url, publish, rotate } = await rotated(t);
    const { vkey } = log;
    await publish(8000);
    await rotate();
    await publish(5000);
    const keySearch = { entries: 4096 };
    await assert.rejects(openPublished(url, vkey, { keySearch }), { code: 'signature_unknown' });
    await using reader = await openPublished(url, vkey, { keySearch: { entries: 12_288 } });
    assert.equal((await reader.checkpoint()).size, (await log.checkpoint()).size);
    await assert.rejects(openPublished(url, vkey, { keySearch: { ms: 0 } }), { code: 'option_invalid' });
    const { ok } = await verifyPublished(url, { vkey, keySearch, threads: 0 });
    assert.ok(ok, 'a log of this size is audited all the same');
  });

  test('an entry that is not the one in the tree ends the search', async (t) => {
    const { log, folder, url, publish, rotate } = await rotated(t);
    const { vkey } = log;
    await rotate();
    await publish(300);
    const at = join(folder, 'tile/entries/000');
    const bytes = readFileSync(at);
    bytes[1000]! ^= 1;
    rmSync(at);
    writeFileSync(at, bytes);
    await assert.rejects(openPublished(url, vkey), { code: 'signature_unknown' });
  });
});
