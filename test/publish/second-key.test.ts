// The second signature of a log, by ML-DSA-44: who names its key asks for it, and a line of it that fails is refused everywhere.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMldsaKey, logPaths, openLog, readCosigner, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import { cosignerKeyFromSeed, keyTypes, parseCosignerKey, parseNote, parsePolicy } from 'indelible/note';
import { openPublished, publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { temporaryFolder } from '../support/folders.ts';
import { grow, smallLog, urlOf } from './world.ts';

const witness = parseCosignerKey(
  cosignerKeyFromSeed('witness.example', keyTypes.cosignatureV1, new Uint8Array(32).fill(91)),
);

test('a policy that names the ML-DSA key asks for its signature, and one that fails is refused', async (t) => {
  const made = await smallLog(t, 5);
  const { dir, vkey, origin } = made;
  await made.close();
  const paths = logPaths(dir);
  const mldsa = createMldsaKey(paths.mldsaKey, origin);
  writeFileSync(paths.policy, `log ${vkey}\nwitness w ${witness.key.text}\nquorum w\n`);
  const log = await openLog(dir, { thread: 'caller', heartbeatMs: 0 });
  t.after(() => log.close());
  const { note, size } = await log.checkpoint();
  const { text } = parseNote(utf8Encode(note));
  const anchors = AnchorStore.open(paths.anchors);
  t.after(() => anchors.close());
  anchors.addSignatures({ size, note: utf8Encode(note), at: 0 }, [
    readCosigner(paths.mldsaKey).cosign(text, 0n),
    witness.cosign(text, 1_700_000_000n),
  ]);
  const folder = join(temporaryFolder(t), 'pub');
  await publishLog(log, { to: urlOf(folder), disclosures: false });
  const [second, both] = [`log ${mldsa}\n`, `log ${vkey}\nlog ${mldsa}\n`].map((lines) =>
    parsePolicy(`${lines}quorum none\n`),
  );
  const file = join(folder, 'checkpoint');
  const whole = readFileSync(file, 'utf8');
  const isOk = async (policy = second!) => {
    const { ok } = await verifyPublished(urlOf(folder), { policy, threads: 0 });
    const opens = openPublished(urlOf(folder), policy).then((reader) => reader.close());
    return [
      ok,
      await opens.then(
        () => true,
        () => false,
      ),
    ];
  };
  const lineOf = (start: string): string => whole.split('\n').find((line) => line.startsWith(start))!;
  const lines = whole.split('\n').filter((line) => line.startsWith(`— ${origin} `));
  const [ed25519, quantum] = lines.sort((one, other) => one.length - other.length);
  assert.ok(quantum!.length > 3_000 && ed25519!.length < 300 && lineOf('— witness.example').length > 0);

  assert.deepEqual(
    [await isOk(), await isOk(both)],
    [
      [true, true],
      [true, true],
    ],
  );
  const restored = join(temporaryFolder(t), 'log');
  assert.equal((await restoreLog({ from: urlOf(folder), to: restored, policy: second! })).key, 'pinned');
  // Where the log lies, its newest published checkpoint answers for it, and for a receipt that bears one signature.
  await grow(log, 1);
  const receipt = (await log.checkpoint()).note;
  const report = await verifyLog(dir, { policy: second!, held: [receipt] });
  assert.deepEqual(report.findings, []);
  const another = parsePolicy(
    `log ${parseCosignerKey(cosignerKeyFromSeed(origin, keyTypes.mldsa44, new Uint8Array(32).fill(5))).key.text}\nquorum none\n`,
  );
  assert.equal((await verifyLog(dir, { policy: another })).ok, false);
  assert.deepEqual(await isOk(another), [false, false]);

  writeFileSync(file, whole.replace(`${quantum}\n`, ''));
  assert.deepEqual(
    [await isOk(), await isOk(both)],
    [
      [false, false],
      [true, true],
    ],
  );
  const flipped = `${quantum!.slice(0, 600)}${quantum![600] === 'A' ? 'B' : 'A'}${quantum!.slice(601)}`;
  writeFileSync(file, whole.replace(quantum!, flipped));
  assert.deepEqual(
    [await isOk(), await isOk(both)],
    [
      [false, false],
      [false, false],
    ],
  );
  writeFileSync(file, whole.replace(`${ed25519}\n`, ''));
  assert.equal((await isOk())[0], false);
  assert.equal((await isOk(both))[0], false);
});
