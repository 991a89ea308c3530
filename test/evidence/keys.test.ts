// Evidence of a log whose keys change: who is believed, by what was pinned, before both verifiers.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { createLog, newSignerKey, rotateKey } from 'indelible';
import { canonicalize, type JsonObject, utf8Decode } from 'indelible/bytes';
import { parseSignerKey, type Signer, signNote } from 'indelible/note';
import { evidenceSealText } from 'indelible/verify';
import { temporaryFolder } from '../support/folders.ts';
import { pythonMissing, pythonVerdicts } from '../support/python.ts';
import { audit, blockOf, inside, rowsOf, writeAll } from './world.ts';

const origin = 'example.com/rotated';
const verifierFolder = path.join(import.meta.dirname, '../../verifiers/python');

interface World {
  readonly root: Signer;
  /** The log's keys, in the order in which they took over. */
  readonly keys: readonly Signer[];
  /** Evidence that was made under the newest. */
  readonly text: string;
}

/** A log of two events, whose key was replaced and then revoked. */
async function world(t: TestContext): Promise<World> {
  const dir = path.join(temporaryFolder(t), 'log');
  const root = parseSignerKey(newSignerKey(`${origin}/root`));
  const key = (): Signer => parseSignerKey(readFileSync(path.join(dir, 'log.key'), 'utf8').trim());
  const log = await createLog(dir, { origin, rootVkey: root.vkey, heartbeatMs: 0, warn: () => {} });
  t.after(() => log.close());
  const record = (id: string) =>
    log.record({ id, action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } });
  await record('before');
  const old = key();
  await rotateKey(dir, root);
  await rotateKey(dir, root, {}, { rotate: false, revoke: { vkey: old.vkey, since: { index: 1 } } });
  await record('behind');
  let text = '';
  const by = { type: 'user', id: 'u_1' };
  for await (const piece of log.evidence({ ids: ['before'] }, { by })) text += piece;
  return { root, keys: [old, key()], text };
}

/** Evidence whose checkpoint and note another key has signed. */
function signedBy(evidence: JsonObject, signer: Signer): string {
  const [body = ''] = (evidence['checkpoint'] as string).split('\n\n');
  const checkpoint = utf8Decode(signNote(`${body}\n`, [signer]));
  const whole = canonicalize({ ...evidence, checkpoint });
  const digest = createHash('sha256').update(whole).digest();
  const seal = utf8Decode(signNote(evidenceSealText(origin, digest), [signer]));
  return `{"evidence":${whole},"signed":${canonicalize(seal)}}`;
}

/** The codes that our verifier finds; the one in Python has to agree that it finds any. */
async function codes(t: TestContext, text: string, vkey: string | undefined): Promise<string[]> {
  const found = audit(text, vkey).findings.map(({ code }) => code);
  if (pythonMissing === false) {
    const theirs = await pythonVerdicts(writeAll(temporaryFolder(t), [text]), vkey);
    assert.deepEqual(theirs, [found.length === 0], found.join(' '));
  }
  return found;
}

test('many checkpoints are opened under one timeline: the verifier in Python is not kept busy', {
  skip: pythonMissing,
}, async (t) => {
  const { keys, text } = await world(t);
  const evidence = inside(text);
  const [body = ''] = (evidence['checkpoint'] as unknown as string).split('\n\n');
  const timestamps = Array.from({ length: 500 }, (_, place) => {
    const checkpoint = place < 2 ? `${body}\n` : `${body}\nextension ${place % 2}\n`;
    return { authority: 'tsa', checkpoint: utf8Decode(signNote(checkpoint, [keys[1]!])), token: 'MAA=' };
  });
  const many = signedBy({ ...evidence, timestamps }, keys[1]!);
  const file = path.join(temporaryFolder(t), 'many.json');
  writeFileSync(file, many);
  const count = `
import sys
sys.path.insert(0, sys.argv[1])
import indelible_verify as verifier
calls, real = [], verifier.ed25519
verifier.ed25519 = lambda *words: calls.append(1) or real(*words)
verifier.verify_evidence(open(sys.argv[2], "rb").read(), None)
print(len(calls))
`;
  const ran = spawnSync('python3', ['-c', count, verifierFolder, file], { encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  assert.ok(Number(ran.stdout) < 20, `${ran.stdout} signatures were verified`);
});

test('the verifier in Python reads no file that is too large, and no page of one', {
  skip: pythonMissing,
}, () => {
  const program = `
import sys
sys.path.insert(0, sys.argv[1])
import indelible_verify as verifier
large = b'{"evidence":' + b" " * 256 * 1024**2
for file in (large, b'<template id="indelible-evidence">' + large + b"</template>"):
    try:
        verifier.verify_evidence(file, None)
    except verifier.Refused as refusal:
        print(refusal)
`;
  const { stdout } = spawnSync('python3', ['-c', program, verifierFolder], { encoding: 'utf8' });
  assert.equal(stdout, 'a file that is too large\n'.repeat(2));
});

test('whoever pinned the old key, the new one, or the root key is led to the one that signs', async (t) => {
  const { root, keys, text } = await world(t);
  for (const vkey of [...keys.map((key) => key.vkey), root.vkey, undefined])
    assert.deepEqual(await codes(t, text, vkey), [], vkey);
  const report = audit(text, keys[0]!.vkey);
  assert.equal(report.verdict, 'verified');
  assert.deepEqual(report.signedBy, [keys[1]!.vkey]);
  assert.deepEqual(
    report.keys.map(({ vkey, compromisedSince }) => [vkey, compromisedSince !== undefined]),
    [
      [keys[0]!.vkey, true],
      [keys[1]!.vkey, false],
    ],
  );
});

test('a key that nobody named, or that another log has', async (t) => {
  const { text } = await world(t);
  const other = parseSignerKey(newSignerKey(origin));
  assert.deepEqual(new Set(await codes(t, text, other.vkey)), new Set(['key_unknown', 'evidence_altered']));
  const foreign = parseSignerKey(newSignerKey('example.com/foreign'));
  assert.ok((await codes(t, text, foreign.vkey)).includes('origin_mismatch'));
});

test('the key that was replaced signs no evidence that holds its own replacement', async (t) => {
  const { root, keys, text } = await world(t);
  const lie = signedBy(inside(text), keys[0]!);
  for (const vkey of [keys[0]!.vkey, keys[1]!.vkey, root.vkey, undefined]) {
    const found = await codes(t, lie, vkey);
    assert.ok(found.includes('key_retired') && found.includes('evidence_altered'), `${vkey}: ${found}`);
  }
});

test('a change that is left out leads nowhere; one that is there without its forerunner changes nothing', async (t) => {
  const { root, keys, text } = await world(t);
  const evidence = inside(text);
  const without = (action: string): JsonObject => {
    const rows = rowsOf(evidence);
    const gone = rows.find(([, entry]) => entry.includes(`"action":"${action}"`))!;
    const support = (evidence['support'] as unknown as number[]).filter((index) => index !== gone[0]);
    return { ...evidence, blocks: [blockOf(rows.filter((row) => row !== gone))], support };
  };
  const lie = signedBy(without('log.key_rotated'), keys[1]!);
  assert.ok((await codes(t, lie, keys[0]!.vkey)).includes('key_unknown'));
  assert.ok((await codes(t, lie, root.vkey)).includes('key_unknown'));
  assert.ok((await codes(t, lie, undefined)).includes('key_change_invalid'));
  // Without the revocation the timeline is shorter, and no less in order.
  assert.deepEqual(await codes(t, signedBy(without('log.key_revoked'), keys[1]!), keys[0]!.vkey), []);
});
