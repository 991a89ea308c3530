// attack-47: a published archive that somebody else has made, to harm whoever verifies it or restores from it.

import assert from 'node:assert/strict';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { newSignerKey } from 'indelible';
import { formatCheckpoint, parseSignerKey, signNote } from 'indelible/note';
import { publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { copyOf, origin, smallLog, urlOf } from '../publish/world.ts';
import { temporaryFolder } from '../support/folders.ts';

async function published(t: Parameters<typeof smallLog>[0], events: number) {
  const log = await smallLog(t, events);
  const folder = join(temporaryFolder(t), 'pub');
  await publishLog(log, { to: urlOf(folder) });
  return { log, folder, keys: join(log.dir, 'subject-keys.db') };
}

describe('attack-47: an archive that was made to harm whoever verifies or restores it', {
  skip: process.platform === 'win32',
}, () => {
  const holes = (path: string, bytes: number): void => {
    rmSync(path, { force: true });
    writeFileSync(path, '');
    truncateSync(path, bytes);
  };
  const toZero = (path: string): void => {
    rmSync(path, { force: true });
    symlinkSync('/dev/zero', path);
  };
  const TERABYTE = 2 ** 40;
  const corpus: Record<string, (folder: string) => void> = {
    'a bundle of a terabyte of nothing': (at) => holes(join(at, 'tile/entries/000'), TERABYTE),
    'a tile of a terabyte of nothing': (at) => holes(join(at, 'tile/0/000'), TERABYTE),
    'a checkpoint of a terabyte of nothing': (at) => holes(join(at, 'checkpoint'), TERABYTE),
    'a bundle without end': (at) => toZero(join(at, 'tile/entries/000')),
    'a tile without end': (at) => toZero(join(at, 'tile/0/000')),
    'a checkpoint without end': (at) => toZero(join(at, 'checkpoint')),
    'sealed values without end': (at) => {
      for (const path of readdirSync(join(at, 'disclosures'), { recursive: true, encoding: 'utf8' }))
        if (statSync(join(at, 'disclosures', path)).isFile()) toZero(join(at, 'disclosures', path));
    },
    'a link that leads to itself': (at) => {
      rmSync(join(at, 'tile/entries/000'));
      symlinkSync('000', join(at, 'tile/entries/000'));
    },
    'a folder in the place of a file': (at) => {
      rmSync(join(at, 'tile/0/000'));
      mkdirSync(join(at, 'tile/0/000'));
    },
    'a checkpoint that speaks of more entries than there are': (at) => {
      const text = readFileSync(join(at, 'checkpoint'), 'utf8');
      writeFileSync(join(at, 'checkpoint'), text.replace(/^\d+$/m, '9007199254740991'));
    },
  };
  for (const [what, harm] of Object.entries(corpus)) {
    test(what, { timeout: 60_000 }, async (t) => {
      const { log, folder, keys } = await published(t, 300);
      const copy = copyOf(t, folder);
      harm(copy);
      const before = process.memoryUsage().rss;
      const verified = await verifyPublished(urlOf(copy), {
        vkey: log.vkey,
        subjectKeys: keys,
        threads: 0,
      }).then(
        ({ ok }) => ok,
        (error: { code?: string }) => error.code,
      );
      assert.notEqual(verified, true);
      assert.notEqual(verified, undefined, 'it is told with a code, and not by a crash');
      const home = temporaryFolder(t);
      const restored = restoreLog({
        from: urlOf(copy),
        to: join(home, 'restored'),
        vkey: log.vkey,
        subjectKeys: keys,
      });
      // Tiles are computed from the entries and held against the root; sealed values that cannot be had keep no entry back.
      const outcome = await restored.then(
        ({ root }) => ({ root }),
        ({ code }: { code?: string }) => code,
      );
      if (typeof outcome === 'object') {
        assert.match(what, /^sealed values|tile|file/);
        assert.equal(outcome.root, (await log.checkpoint()).root);
      } else
        assert.deepEqual([typeof outcome, readdirSync(home)], ['string', []], 'and nothing is left behind');
      assert.ok(process.memoryUsage().rss - before < 512 * 1024 * 1024, 'in little memory');
    });
  }
});

test('attack-47: a checkpoint of the largest size there is, signed by whoever made the archive, is not counted to', {
  timeout: 60_000,
}, async (t) => {
  const { folder } = await published(t, 300);
  const copy = copyOf(t, folder);
  const signer = parseSignerKey(newSignerKey(origin));
  for (const size of [Number.MAX_SAFE_INTEGER, 2 ** 40]) {
    const note = signNote(formatCheckpoint({ origin, size, root: new Uint8Array(32) }), [signer]);
    writeFileSync(join(copy, 'checkpoint'), note);
    const verified = await verifyPublished(urlOf(copy), { vkey: signer.vkey, threads: 0 }).then(
      ({ ok, findings }) => [ok, findings.length > 0 && findings.length < 100_000],
      ({ name }: Error) => [false, name !== 'RangeError'],
    );
    assert.deepEqual(verified, [false, true]);
    await assert.rejects(restoreLog({ from: urlOf(copy), to: join(copy, 'x'), vkey: signer.vkey }));
  }
});
