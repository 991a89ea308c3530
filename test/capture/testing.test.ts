import assert from 'node:assert/strict';
import { describe, snapshot, test } from 'node:test';
import {
  expectNotRecorded,
  expectRecorded,
  openMemoryLog,
  recordedEvents,
  serializeSnapshot,
  snapshotSerializer,
  stable,
} from 'indelible/testing';
import { verifyProof } from 'indelible/verify';

const actor = { type: 'user', id: 'u_1', name: 'Ada' };
const voided = {
  action: 'invoice.voided',
  actor,
  targets: [{ type: 'invoice', id: 'in_7' }],
  metadata: { amount: 5, lines: [1, 2] },
};

async function logWithOne() {
  const log = await openMemoryLog();
  const receipt = await log.record(voided);
  return { log, receipt };
}

describe('the log in memory is a log', () => {
  test('entries are sealed, proofs prove, verify finds nothing, repeats are answered', async () => {
    const { log, receipt } = await logWithOne();
    const { proof, entry } = await log.prove(receipt);
    assert.equal(verifyProof({ proof: Buffer.from(proof), entry, policy: { vkey: log.vkey } }).index, 1);
    const report = await log.verify({ vkey: log.vkey, held: [receipt.checkpoint] });
    assert.deepEqual(report.findings, []);
    assert.equal((await log.get(receipt.id))?.action, 'invoice.voided');
    const found = await log.query('action:invoice.voided').page();
    assert.equal(found.events.length, 1);
    for (let n = 0; n < 600; n += 1) await log.record({ ...voided, id: `e-${n}` });
    assert.deepEqual((await log.verify({ vkey: log.vkey })).findings, []);
    assert.equal((await log.record({ ...voided, id: 'e-3' })).index, 5);
    await log.close();
    await assert.rejects(log.record(voided), { code: 'closed' });
  });

  test('rules refuse, options are checked, and two logs are two', async () => {
    const { log } = await logWithOne();
    await assert.rejects(log.record({ ...voided, actor: { type: 'user', id: 'a@example.com' } }), {
      code: 'personal_id',
    });
    await assert.rejects(openMemoryLog({ dir: 'x' } as never), { code: 'option_unknown' });
    assert.notEqual((await openMemoryLog()).vkey, log.vkey);
    await assert.rejects(async () => log.backup('/nowhere'), { code: 'argument_invalid' });
  });
});

describe('expectRecorded', () => {
  test('answers the event that has at least what is expected', async () => {
    const { log } = await logWithOne();
    const event = await expectRecorded(log, { action: 'invoice.voided', actor: 'user/u_1' });
    assert.equal(event.index, 1);
    await expectRecorded(log, { actor: { name: /^A/ }, targets: ['invoice/in_7'], metadata: { amount: 5 } });
    await expectRecorded(
      { log },
      { action: /^invoice\./, outcome: 'success', metadata: { lines: [1, 2] } },
      { times: 1 },
    );
  });

  test('says what is nearest, what differs, and what there is', async () => {
    const { log } = await logWithOne();
    await log.record({ action: 'user.signed_in', actor });
    const expected = { action: 'invoice.voided', actor: 'user/u_2', metadata: { amount: 7, lines: [1] } };
    await assert.rejects(expectRecorded(log, expected, { waitMs: 0 }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_ASSERTION');
      assert.equal(
        error.message,
        [
          'No such event was recorded:',
          '  action "invoice.voided", actor "user/u_2", metadata {"amount":7,"lines":[1]}',
          'The nearest is entry 1, invoice.voided by user/u_1 to invoice/in_7 (success), which differs:',
          '  actor: expected user/u_2, recorded user/u_1',
          '  metadata.amount: expected 7, recorded 5',
          '  metadata.lines: expected [1], recorded [1,2]',
          'Recorded in all, 2:',
          '  1: invoice.voided by user/u_1 to invoice/in_7 (success)',
          '  2: user.signed_in by user/u_1 (success)',
        ].join('\n'),
      );
      return true;
    });
    const wrong = { targets: ['invoice/in_8'], reason: 'x', context: { ip: null } };
    await assert.rejects(
      expectRecorded(log, wrong, { waitMs: 0 }),
      /targets\[0\]: expected "invoice\/in_8", recorded invoice\/in_7/,
    );
    await assert.rejects(expectRecorded(log, { action: 'a.b' }, { times: 2, waitMs: 0 }), /No such event/);
    await assert.rejects(expectRecorded(log, { actor: 'user/u_1' }, { times: 1 }), /recorded 2 times, not 1/);
    await assert.rejects(
      expectRecorded(await openMemoryLog(), { action: 'a.b' }, { waitMs: 0 }),
      /Nothing was recorded/,
    );
  });

  test('waits for what is recorded once an answer is out', async () => {
    const log = await openMemoryLog();
    setTimeout(() => void log.record(voided), 50);
    await expectRecorded(log, { action: 'invoice.voided' });
  });
});

test('expectNotRecorded names what should not be there', async () => {
  const { log } = await logWithOne();
  await expectNotRecorded(log, { action: 'invoice.voided', actor: 'user/u_2' });
  await expectNotRecorded(log, { action: 'log.created' });
  const global = /^invoice/g;
  for (let times = 0; times < 3; times += 1) {
    await assert.rejects(expectNotRecorded(log, { action: global }), /invoice\.voided/);
  }
  await assert.rejects(
    expectNotRecorded(log, { actor: 'user/u_1' }),
    /invoice\.voided by user\/u_1 to invoice\/in_7/,
  );
  setTimeout(() => void log.record({ action: 'a.late', actor }), 20);
  await assert.rejects(expectNotRecorded(log, { action: 'a.late' }, { waitMs: 1000 }), /a\.late/);
});

describe('snapshots', () => {
  test('are the same each time, and still tell which ids are the same', async () => {
    const texts = [];
    for (let round = 0; round < 2; round += 1) {
      const { log, receipt } = await logWithOne();
      await log.record({ ...voided, causationId: receipt.id });
      texts.push(serializeSnapshot({ receipt, events: await recordedEvents(log) }));
    }
    assert.equal(texts[0], texts[1]);
    assert.match(texts[0]!, /causationId: '<id 1>'/);
    assert.match(texts[0]!, /recordedAt: '<time>'/);
    assert.doesNotMatch(texts[0]!, /\d{4}-\d\d-\d\dT/);
  });

  test('fit Vitest and Jest, which ask a serializer what it takes', async () => {
    const { log, receipt } = await logWithOne();
    const events = await recordedEvents(log);
    for (const taken of [receipt, events, events[0]]) assert.equal(snapshotSerializer.test(taken), true);
    for (const left of [1, null, [], {}, 'text', [receipt, 1]])
      assert.equal(snapshotSerializer.test(left), false);
    assert.equal(snapshotSerializer.serialize(receipt), serializeSnapshot(receipt));
  });

  test('fit node:test, which takes functions', () => {
    snapshot.setDefaultSnapshotSerializers([serializeSnapshot]);
    assert.deepEqual(stable({ at: new Date(), bytes: new Uint8Array(2), n: 1, id: undefined }), {
      at: '<time>',
      bytes: '<bytes>',
      id: undefined,
      n: 1,
    });
  });
});
