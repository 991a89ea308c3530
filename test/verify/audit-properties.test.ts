// Whatever is changed in a stored log, the audit finds something, names entries that exist, and does not fall
// over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import { auditLog } from 'indelible/verify';
import { createSmallLog, type SmallLog } from './small-log.ts';

const SIZE = 40;

const template = createSmallLog(SIZE - 1);
template.erase('user/u_3');
template.sign();

/** A copy of one honest log, with an erasure at its end, to tamper with. */
function build(): SmallLog {
  const log = createSmallLog(1);
  log.rows = template.rows.map((row) => ({ ...row, disclosures: [...row.disclosures] }));
  log.checkpoint = template.checkpoint;
  log.ids = template.ids;
  return log;
}

/** Disclosures as a store reads them back: bytes that are no text do not come through as what they were. */
const lossyText = (bytes: Uint8Array): string => new TextDecoder('utf-8').decode(bytes);

const places = ['entry', 'disclosure', 'id', 'checkpoint'] as const;

test('every single bit of a small log matters', async () => {
  const honest = await auditLog(build().source());
  assert.equal(honest.ok, true);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...places),
      fc.nat(SIZE - 1),
      fc.nat(),
      fc.nat(7),
      async (place, row, at, bit) => {
        const log = build();
        if (!flip(log, place, { row, at, bit })) return;
        const report = await auditLog(log.source(), { trust: { vkey: log.signer.vkey } });
        assert.equal(report.ok, false, `${place} of ${row}, byte ${at}, bit ${bit}`);
        for (const { from, to } of report.findings) assert.ok(from >= 0 && from <= to, `${from} to ${to}`);
      },
    ),
    { numRuns: 800 },
  );
});

interface Place {
  readonly row: number;
  readonly at: number;
  readonly bit: number;
}

/** Flips one bit of what is stored; false where there is nothing to flip. */
function flip(log: SmallLog, place: (typeof places)[number], { row, at, bit }: Place): boolean {
  const target = log.rows[row]!;
  if (place === 'entry') target.entry = flipped(target.entry, at, bit);
  else if (place === 'checkpoint') log.checkpoint = flipped(log.checkpoint, at, bit);
  else if (place === 'id') target.id = lossyText(flipped(utf8Encode(target.id!), at, bit));
  else {
    if (target.disclosures.length === 0) return false;
    const which = at % target.disclosures.length;
    target.disclosures[which] = lossyText(flipped(utf8Encode(target.disclosures[which]!), at, bit));
  }
  return true;
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at % copy.length]! ^= 1 << bit;
  return copy;
}

test('rows may be lost, doubled and shuffled: the audit finds it and does not fall over', async () => {
  const indexes = [...Array(SIZE).keys()];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(SIZE - 1), { maxLength: 60 }), async (order) => {
      const log = build();
      const rows = log.rows;
      log.rows = order.map((index) => rows[index]!);
      const report = await auditLog(log.source());
      assert.equal(report.ok, JSON.stringify(order) === JSON.stringify(indexes));
    }),
    { numRuns: 200 },
  );
});

test('rows of nonsense are findings, not crashes', async () => {
  const row = fc.record(
    {
      entry: fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.json().map(utf8Encode)),
      disclosures: fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), { maxLength: 4 }),
      id: fc.option(fc.string()),
    },
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 10 }), async (rows) => {
      const log = build();
      log.rows = [...log.rows, ...rows.map((each, at) => ({ ...each, index: SIZE + at }))];
      const report = await auditLog(log.sign().source());
      const malformed = report.findings.filter(({ code }) => code === 'entry_malformed');
      assert.equal(
        malformed.reduce((sum, { from, to }) => sum + to - from + 1, 0),
        rows.length,
      );
      assert.equal(utf8Decode(log.checkpoint), log.note);
    }),
    { numRuns: 200 },
  );
});
