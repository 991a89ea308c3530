// Sealed values that lie in an archive already, left there by a publisher that died, and what became of them in the log since.

import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Log } from 'indelible';
import { publishLog, verifyPublished } from 'indelible/publish';
import { SUBJECT_KEYS_FILE, SubjectKeys } from 'indelible/store';
import { openGroup, parseSealedFile } from '#dist/publish/sealed-file.js';
import { temporaryFolder } from '../support/folders.ts';
import { formatSealedFile, sealGroup } from './sealed-groups.ts';
import { grow, smallLog, urlOf } from './world.ts';

const DAY_MS = 86_400_000;
const atOnce = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };

/** Publishes as one does that dies before its checkpoint is there. */
async function publishAndDie(log: Log, folder: string): Promise<void> {
  await publishLog(log, { to: urlOf(folder) });
  rmSync(join(folder, 'checkpoint'));
}

async function mustBePublished(log: Log, folder: string): Promise<void> {
  const { size } = await publishLog(log, { to: urlOf(folder) });
  assert.equal(size, (await log.checkpoint()).size);
  const subjectKeys = join(log.dir, SUBJECT_KEYS_FILE);
  const report = await verifyPublished(urlOf(folder), { vkey: log.vkey, threads: 0, subjectKeys });
  assert.deepEqual([report.findings, report.size], [[], size]);
}

/** A log that a publisher died over, and the file of its first bundle. */
async function leftBehind(t: TestContext): Promise<{ log: Log; folder: string; path: string }> {
  const log = await smallLog(t, 300);
  const folder = join(temporaryFolder(t), 'pub');
  await publishAndDie(log, folder);
  return { log, folder, path: 'disclosures/000' };
}

test('values that retention removed after a publisher died do not stand in the way of the next', async (t) => {
  let now = Date.now();
  t.mock.timers.enable({ apis: ['Date'], now });
  const { log, folder } = await leftBehind(t);
  await log.retention.set([{ match: 'user.signed_in', keep: '1d' }], atOnce);
  now += 3 * DAY_MS;
  t.mock.timers.setTime(now);
  assert.ok((await log.retention.apply()).values > 0);
  await mustBePublished(log, folder);
});

test('nor do those of one subject beside another, whose own change their places', async (t) => {
  const log = await smallLog(t, 0);
  const folder = join(temporaryFolder(t), 'pub');
  await log.record({
    action: 'user.invited',
    actor: { type: 'user', id: 'u_1', name: 'One' },
    targets: [{ type: 'user', id: 'u_2', name: 'Two' }],
  });
  await grow(log, 300);
  await publishAndDie(log, folder);
  await log.erase({ subject: 'user/u_1', basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] });
  await mustBePublished(log, folder);
});

test('a value that the entries never sealed, or one that is missing, is an alarm', async (t) => {
  const { log, folder, path } = await leftBehind(t);
  const keys = SubjectKeys.reading(join(log.dir, SUBJECT_KEYS_FILE));
  t.after(() => keys.close());
  const at = join(folder, path);
  const groups = parseSealedFile(new Uint8Array(readFileSync(at)));
  const [first, ...others] = groups;
  const owned = first!.subjects.map((subject) => keys.find(subject)!);
  const texts = openGroup(path, first!, owned)!;
  const other = { ...texts[0]!, position: 9, text: '["c2FsdHNhbHRzYWx0c2FsdA","name","Nobody"]' };
  const mustConflict = async (changed: readonly (typeof first)[]): Promise<void> => {
    chmodSync(at, 0o644);
    writeFileSync(at, formatSealedFile(changed.map((group) => group!)));
    await assert.rejects(publishLog(log, { to: urlOf(folder) }), { code: 'archive_conflict' });
  };
  await mustConflict([sealGroup(path, first!.subjects, owned, [...texts, other]), ...others]);
  await mustConflict([sealGroup(path, first!.subjects, owned, texts.slice(1)), ...others]);
  await mustConflict(others);
  // Moved to another entry.
  const moved = texts.map((text) => ({ ...text, offset: text.offset + 1 }));
  await mustConflict([sealGroup(path, first!.subjects, owned, [...texts, ...moved]), ...others]);
  chmodSync(at, 0o644);
  writeFileSync(at, 'no such file');
  await assert.rejects(publishLog(log, { to: urlOf(folder) }), { code: 'archive_conflict' });
  chmodSync(at, 0o644);
  writeFileSync(at, formatSealedFile(groups));
  await mustBePublished(log, folder);
});

test('junk under the names of the right groups, in the place of what was never published, is an alarm', async (t) => {
  const { log, folder, path } = await leftBehind(t);
  const at = join(folder, path);
  const groups = parseSealedFile(new Uint8Array(readFileSync(at)));
  const junk = (group: (typeof groups)[number], box: Uint8Array = new Uint8Array(40).fill(2)) => ({
    ...group,
    nonce: new Uint8Array(12).fill(1),
    box,
  });
  const [first, ...others] = groups;
  // Whose values a bundle seals stands in its entries: nobody needs a key for any of these.
  for (const planted of [
    groups.map((group) => junk(group)),
    [junk(first!), ...others],
    [junk(first!, first!.box), ...others],
    [...groups, junk(first!)],
  ]) {
    chmodSync(at, 0o644);
    writeFileSync(at, formatSealedFile(planted));
    await assert.rejects(publishLog(log, { to: urlOf(folder) }), { code: 'archive_conflict' });
    assert.equal(existsSync(join(folder, 'checkpoint')), false);
  }
});

test('values under a key that was destroyed since do not stand in the way, although their subject has a key again', async (t) => {
  const { log, folder } = await leftBehind(t);
  await log.erase({ subject: 'user/u_1', basis: 'gdpr-17', requestId: 'r-1', approvedBy: ['p_1', 'p_2'] });
  await grow(log, 300);
  await publishLog(log, { to: urlOf(join(temporaryFolder(t), 'other')) });
  const keys = SubjectKeys.reading(join(log.dir, SUBJECT_KEYS_FILE));
  assert.ok(keys.find('user/u_1'));
  keys.close();
  await mustBePublished(log, folder);
});

test('a record of an erasure that is none is damage of the log', async (t) => {
  const log = await smallLog(t, 3);
  await log.recordOwn({ action: 'log.erased', actor: { type: 'system', id: 's' }, metadata: {} } as never);
  await assert.rejects(publishLog(log, { to: urlOf(join(temporaryFolder(t), 'pub')) }), {
    code: 'log_damaged',
  });
});
