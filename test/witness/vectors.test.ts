// The witness on conversations that others wrote down: every status, in the order of the specification.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Decode } from 'indelible/bytes';
import { keyTypes, openCheckpoint, parseNote, parseVerifierKey, withSignatures } from 'indelible/note';
import { watchedLogs } from 'indelible/witness';
import { readVector, vectorsMissing } from '../support/vectors.ts';
import { startWitness } from './world.ts';

interface Step {
  readonly name?: string;
  readonly body: string;
  readonly status: number | null;
  readonly statusAtC2SPHead?: number;
  readonly responseBody?: string;
  readonly responseContentType?: string;
}

test('generated/witness-conversation.json in full, with both kinds of key', {
  skip: vectorsMissing,
}, async (t) => {
  const { logVkey, steps }: { logVkey: string; steps: Step[] } = JSON.parse(
    readVector('generated/witness-conversation.json'),
  );
  const witness = startWitness(t, watchedLogs([{ vkey: logVkey }]));
  let asserted = 0;
  for (const { name, body, status, responseBody, responseContentType } of steps) {
    const answer = await witness.ask(body);
    const text = await answer.text();
    // Of the last step the file itself says that its status depends on what came before it.
    if (status === null) {
      assert.ok([409, 422].includes(answer.status), name);
      continue;
    }
    asserted += 1;
    assert.equal(answer.status, status, `${name}: ${text}`);
    if (responseBody !== undefined) assert.equal(text, responseBody, name);
    if (responseContentType !== undefined) {
      assert.equal(answer.headers.get('content-type'), responseContentType, name);
    }
    if (status !== 200) continue;
    // What it signed opens under its keys, over this very checkpoint, with a time.
    const note = Buffer.from(body.slice(body.indexOf('\n\n') + 2));
    const cosigned = withSignatures(note, text.slice(0, -1).split('\n'));
    const key = parseVerifierKey(logVkey);
    const opened = openCheckpoint(cosigned, { origin: key.name, keys: [key], cosigners: witness.keys });
    const times = opened.verified.filter((one) => one.timestamp !== undefined && one.timestamp > 0n);
    assert.deepEqual(
      times.map((one) => one.key.type),
      [keyTypes.cosignatureV1, keyTypes.mldsa44],
      name,
    );
    assert.equal(utf8Decode(await witness.seen(key.name)), utf8Decode(cosigned), 'the monitoring side');
  }
  assert.equal(asserted, 21);
});

test('litewitness: its exchanges, in order, with the statuses of the specification', {
  skip: vectorsMissing,
}, async (t) => {
  const file = JSON.parse(readVector('torchwood-litewitness/add-checkpoint-exchanges.json'));
  const witness = startWitness(t, watchedLogs([{ vkey: file.logVkey }]));
  const exchanges: Step[] = file.exchangesInOrder;
  for (const [at, { body, status, statusAtC2SPHead }] of exchanges.entries()) {
    const answer = await witness.ask(body);
    assert.equal(answer.status, statusAtC2SPHead ?? status, `exchange ${at}: ${await answer.text()}`);
  }
  assert.ok(exchanges.length > 5);
});

test('litewitness: a log that signs with ML-DSA-44 alone is cosigned', {
  skip: vectorsMissing,
}, async (t) => {
  const { logVkey, requestBody } = JSON.parse(
    readVector('torchwood-litewitness/mldsa44-log-checkpoint.json'),
  );
  const witness = startWitness(t, watchedLogs([{ vkey: logVkey }]));
  const answer = await witness.ask(requestBody);
  assert.equal(answer.status, 200);
  const note = await witness.seen('example.com/mldsa-log');
  assert.equal(parseNote(note).signatures.length, 3);
});
