// What a server says of outside parties that have not signed a log of its own for long: after two audits, and without calling it broken.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AnchorStore, writeTimestampSettings } from 'indelible/anchor';
import { cosignerKeyFromSeed, keyTypes, parseCosignerKey, parseNote } from 'indelible/note';
import { openLogs } from '#dist/http/logs/index.js';
import { temporaryFolder } from '../support/folders.ts';

const DAY_MS = 86_400_000;
const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } } as const;

test('time-stamps and cosignatures that are owed are told, until they are there', async (t) => {
  const data = temporaryFolder(t);
  const warnings: string[] = [];
  const logs = openLogs(data, { warn: (text) => warnings.push(text) });
  t.after(() => logs.close());
  const { vkey } = await logs.create({ name: 'alpha' });
  const dir = join(data, 'logs', 'alpha');
  // An authority that nobody reaches, and a witness that signs by hand.
  const authorities = [{ name: 'tsa', url: 'http://127.0.0.1:9/' }];
  writeTimestampSettings(join(dir, 'timestamps.json'), { authorities, everyMs: DAY_MS });
  const seed = cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(1));
  const witness = parseCosignerKey(seed);
  writeFileSync(join(dir, 'policy'), `log ${vkey}\nwitness w ${witness.key.text}\nquorum w\n`);

  const taken = (await logs.take('alpha'))!;
  t.after(() => taken.release());
  await taken.log.record(event);
  const audit = async (): Promise<string[] | undefined> => {
    const { isIntact, overdue } = await logs.audits.run(taken, 'incremental');
    assert.equal(isIntact, true);
    return overdue?.map(({ code }) => code);
  };
  assert.deepEqual([await audit(), await audit()], [undefined, undefined], 'what is new has time');

  const now = Date.now() + 5 * DAY_MS;
  t.mock.timers.enable({ apis: ['Date'], now });
  assert.equal(await audit(), undefined, 'once is not enough');
  assert.deepEqual(await audit(), ['cosignature_old', 'timestamp_old']);
  await logs.audits.all();
  const told = /^alpha: Time-stamps cover only the first 0 entries: entry 0 has waited for one for 5 days\.$/;
  assert.ok(
    warnings.some((text) => told.test(text)),
    `${warnings}`,
  );

  // They sign: what they have seen is no older than that, however still the log stands.
  const { size, note } = await taken.log.checkpoint();
  const anchors = AnchorStore.open(join(dir, 'anchors.db'));
  t.after(() => anchors.close());
  const bytes = Buffer.from(note);
  anchors.putTimestamp({ size, authority: 'tsa', note: bytes, token: Buffer.from('token'), at: now });
  const lines = [witness.cosign(parseNote(bytes).text, BigInt(Math.floor(now / 1000)))];
  anchors.addSignatures({ size, note: bytes, at: now }, lines);
  t.mock.timers.setTime(now + DAY_MS);
  assert.equal(await audit(), undefined);
  t.mock.timers.setTime(now + 5 * DAY_MS);
  await audit();
  assert.deepEqual(await audit(), ['cosignature_old'], 'the witness has to say again that it is still so');
});
