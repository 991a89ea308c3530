// Evidence is not written where no verifier would read it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { EVIDENCE_BYTES_MAX, EVIDENCE_LIST_MAX } from 'indelible/verify';
import { listed, Room } from '#dist/log/evidence/limits.js';
import { world } from './world.ts';

const refused = { name: 'LogError', code: 'evidence_too_large' };

test('bytes are counted as they are written, and as they are inflated; a list by its length', () => {
  const room = new Room({ file: 10, inflated: 100 });
  room.take('äöü');
  room.inflate(60);
  room.take('1234');
  assert.throws(() => room.take('5'), refused);
  room.inflate(40);
  assert.throws(() => room.inflate(1), refused);
  const list = Array.from({ length: EVIDENCE_LIST_MAX }, () => 0);
  assert.equal(listed(list, 'tiles'), list);
  assert.throws(() => listed([...list, 0], 'tiles'), refused);
});

test('a log writes no file that is too large, nor one with a list that is too long, and records that it was not whole', async (t) => {
  const { evidence, log } = await world(t, 3);
  await assert.rejects(evidence({ query: '' }, { tool: 'x'.repeat(EVIDENCE_BYTES_MAX) }), refused);
  const reveal = Array.from({ length: EVIDENCE_LIST_MAX + 1 }, (_, place) => `metadata.n${place}`);
  await assert.rejects(evidence({ query: '' }, { reveal }), refused);
  const { events } = await log.query('action:log.exported').page();
  assert.deepEqual(
    events.map(({ metadata }) => (metadata as { isWhole?: unknown }).isWhole),
    [false, false],
  );
});
