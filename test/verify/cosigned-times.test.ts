// What witnesses say of times, held against what entries say: what shows that a clock was set, and what an honest log looks like.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  type Cosigner,
  cosignerKeyFromSeed,
  keyTypes,
  type Policy,
  parseCosignerKey,
  parseNote,
  parsePolicy,
  withSignatures,
} from 'indelible/note';
import { type Arrival, type AuditLogOptions, auditLog, CLOCKS_APART_MS_MAX } from 'indelible/verify';
import { eventOf, SmallLog } from './small-log.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const start = Date.parse('2026-03-01T00:00:00.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();

const cosignerOf = (
  name: string,
  byte: number,
  type: Cosigner['key']['type'] = keyTypes.cosignatureV1,
): Cosigner => parseCosignerKey(cosignerKeyFromSeed(name, type as 4, new Uint8Array(32).fill(byte)));
const near = cosignerOf('near.example', 91);
const far = cosignerOf('far.example', 92);
const stranger = cosignerOf('stranger.example', 93);

/** A log whose entries behind the first are recorded at these times; its checkpoint of each size. */
function logAt(times: readonly number[]): { log: SmallLog; notes: string[]; trust: Policy } {
  const log = new SmallLog({ start: start - HOUR_MS });
  const notes = ['', log.sign().note];
  for (const time of times) {
    log.append(eventOf(log.size), iso(time));
    notes.push(log.sign().note);
  }
  const trust = parsePolicy(
    `log ${log.signer.vkey}\nwitness N ${near.key.text}\nwitness F ${far.key.text}\ngroup any 1 N F\nquorum any\n`,
  );
  return { log, notes, trust };
}

/** A checkpoint with a cosignature of this time, and how large the log was when it came. */
function cosigned(
  note: string,
  ms: number,
  logSize?: number,
  by = near,
): { note: string; arrivals: Arrival[] } {
  const bytes = utf8Encode(note);
  const line = by.cosign(parseNote(bytes).text, BigInt(Math.floor(ms / 1000)));
  const signed = utf8Decode(withSignatures(bytes, [line]));
  return { note: signed, arrivals: logSize === undefined ? [] : [{ line, logSize }] };
}

async function found(
  log: SmallLog,
  trust: Policy,
  shown: readonly ReturnType<typeof cosigned>[],
  more: AuditLogOptions = {},
) {
  const published = shown.map(({ note }) => note);
  const arrivals = shown.flatMap((one) => one.arrivals);
  const { findings } = await auditLog(log.source(), { trust, published, arrivals, ...more });
  return findings.map(({ code, from, to }) => [code, from, to]);
}

test('attack-46: an entry says that it was recorded after a witness had cosigned it', async () => {
  const { log, notes, trust } = logAt([start, start + 2 * DAY_MS]);
  const contradicted = [['time_contradicted', 2, 2]];
  const late = start + 2 * DAY_MS - CLOCKS_APART_MS_MAX;
  assert.deepEqual(await found(log, trust, [cosigned(notes[3]!, late)]), []);
  assert.deepEqual(await found(log, trust, [cosigned(notes[3]!, late - 1000)]), contradicted);
  // The checkpoint that somebody holds, a receipt, and the one that the log itself shows say the same.
  const held = cosigned(notes[3]!, start).note;
  const shown = [cosigned(notes[2]!, start)];
  assert.deepEqual(await found(log, trust, shown), []);
  assert.deepEqual(await found(log, trust, shown, { held: [held] }), contradicted);
  log.checkpoint = utf8Encode(held);
  assert.deepEqual(await found(log, trust, shown), contradicted);
  // The earliest of several witnesses is the measure; of one that the verifier does not know there is none.
  const two = [cosigned(notes[3]!, start + 3 * DAY_MS), cosigned(notes[3]!, start, 3, far)];
  assert.deepEqual(await found(logAt([start, start + 2 * DAY_MS]).log, trust, two), contradicted);
  const other = [cosigned(notes[3]!, start + 3 * DAY_MS), cosigned(notes[3]!, start, 3, stranger)];
  assert.deepEqual(await found(logAt([start, start + 2 * DAY_MS]).log, trust, other), []);
});

test('attack-46: an entry that came after a cosignature says that it was recorded before', async () => {
  // The clock is set two days back once the third entry is cosigned.
  const { log, notes, trust } = logAt([start, start + 1, start + 2, start + 3, start + 4]);
  const shown = [
    cosigned(notes[3]!, start + 2 * DAY_MS, 3),
    cosigned(notes[4]!, start + 2 * DAY_MS + HOUR_MS, 4),
  ];
  assert.deepEqual(await found(log, trust, shown), [['time_contradicted', 4, 4]]);
  const [finding] = (
    await auditLog(log.source(), {
      trust,
      published: shown.map(({ note }) => note),
      arrivals: shown.flatMap(({ arrivals }) => arrivals),
    })
  ).findings;
  assert.equal(
    finding?.message,
    `Entry 4 says that it was recorded at ${iso(start + 3)}, and near.example has cosigned the entries before it, when it was not there yet, at ${iso(start + 2 * DAY_MS)}.`,
  );
  assert.deepEqual(finding?.detail, {
    recordedAt: iso(start + 3),
    cosignedAt: iso(start + 2 * DAY_MS),
  });
  // What was cosigned, and not when it came, may have been cosigned late.
  assert.deepEqual(await found(log, trust, [shown[1]!, cosigned(notes[3]!, start + 2 * DAY_MS)]), []);
  assert.deepEqual(await found(log, trust, shown, { depth: 'tree' }), [], 'times are read with the entries');
});

test('a commit that had taken its time and was held up while the witness signed is no contradiction', async () => {
  const resumed = start + DAY_MS;
  // Entry 3 was under way, and had its time, when the signature over three entries came a day later.
  const { log, notes, trust } = logAt([start, start, start, resumed, resumed + 1]);
  const honest = [
    cosigned(notes[3]!, resumed, 3),
    cosigned(notes[4]!, resumed, 4),
    cosigned(notes[5]!, resumed, 5),
  ];
  assert.deepEqual(await found(log, trust, honest), []);
  // What the next commit records is not excused by it.
  const { log: set, notes: others } = logAt([start, start, start, start + 1, start + 2]);
  const shown = [cosigned(others[3]!, resumed, 3), cosigned(others[4]!, resumed, 4)];
  assert.deepEqual(await found(set, trust, shown), [['time_contradicted', 4, 4]]);
});

test('a checkpoint that was cosigned late says nothing of what was recorded meanwhile', async () => {
  const { log, notes, trust } = logAt([
    start,
    start + HOUR_MS,
    start + 2 * HOUR_MS,
    start + DAY_MS,
    start + DAY_MS,
  ]);
  // The signature over two entries was made a day later, and came when there were four.
  const late = cosigned(notes[2]!, start + DAY_MS, 4);
  const others = [cosigned(notes[3]!, start + HOUR_MS, 3), cosigned(notes[5]!, start + DAY_MS, 5)];
  assert.deepEqual(await found(log, trust, [late, ...others]), []);
  // Taken for one that had come at once, it would accuse an honest log.
  const wrong = cosigned(notes[2]!, start + DAY_MS, 2, far);
  assert.deepEqual(await found(log, trust, [wrong, ...others]), [['time_contradicted', 3, 3]]);
});

test('signatures of ML-DSA bear a time as well; that of zero says nothing, and one beyond all calendars breaks nothing', async () => {
  const quantum = cosignerOf('near.example', 1, keyTypes.mldsa44);
  const { log, notes } = logAt([start, start + DAY_MS, start + DAY_MS]);
  const trust = parsePolicy(`log ${log.signer.vkey}\nwitness Q ${quantum.key.text}\nquorum Q\n`);
  assert.deepEqual(await found(log, trust, [cosigned(notes[3]!, start, 3, quantum)]), [
    ['time_contradicted', 2, 2],
  ]);
  // It vouches for nothing: the quorum is still to sign.
  assert.deepEqual(await found(log, trust, [cosigned(notes[3]!, 0, 3, quantum)]), [
    ['checkpoint_invalid', 0, 3],
  ]);
  const bytes = utf8Encode(notes[2]!);
  const line = quantum.cosign(parseNote(bytes).text, 2n ** 63n - 1n);
  const shown = [
    { note: utf8Decode(withSignatures(bytes, [line])), arrivals: [{ line, logSize: 2 }] },
    cosigned(notes[3]!, start + DAY_MS, 3, quantum),
  ];
  // Its next signature takes that time back.
  assert.deepEqual(await found(log, trust, shown), []);
  const later = { ...shown[1]!, note: notes[3]! };
  const neverSigned = await found(log, trust, [shown[0]!, later]);
  assert.deepEqual(neverSigned, [['time_contradicted', 3, 3]]);
});

test('many contradictions of one witness are one finding, the widest', async () => {
  const { log, notes, trust } = logAt([start + HOUR_MS, start + 3 * HOUR_MS, start + 3 * HOUR_MS]);
  const shown = [2, 3, 4].map((size) => cosigned(notes[size]!, start));
  assert.deepEqual(await found(log, trust, shown), [['time_contradicted', 2, 2]]);
});

test('a witness that the quorum does not need accuses nobody, wherever its clock is; as many as it needs do', async () => {
  const { log, notes } = logAt([start, start, start, start, start]);
  const others = [cosignerOf('a.example', 94), cosignerOf('b.example', 95)];
  const lines = [far, ...others].map(({ key }, at) => `witness W${at} ${key.text}\n`).join('');
  const trust = parsePolicy(`log ${log.signer.vkey}\n${lines}group two 2 W0 W1 W2\nquorum two\n`);
  /** Sizes 2 to 5, cosigned by all; `wrong` of them with clocks this far off, from first to last. */
  const all = (wrong: number, offMs: number) =>
    [2, 3, 4, 5].map((size) => {
      const one = { note: notes[size]!, arrivals: [] as Arrival[] };
      for (const [at, by] of [far, ...others].entries()) {
        const { note, arrivals } = cosigned(one.note, start + (at < wrong ? offMs : 0), size, by);
        one.note = note;
        one.arrivals.push(...arrivals);
      }
      return one;
    });
  for (const offMs of [365 * DAY_MS, -2 * DAY_MS]) {
    assert.deepEqual(await found(log, trust, all(0, offMs)), []);
    assert.deepEqual(await found(log, trust, all(1, offMs)), []);
    const [finding, ...more] = await found(log, trust, all(2, offMs));
    assert.equal(finding?.[0], 'time_contradicted');
    assert.deepEqual(more, []);
  }
  // Who asks for no quorum believes none of them.
  const none = parsePolicy(`log ${log.signer.vkey}\n${lines}quorum none\n`);
  assert.deepEqual(await found(log, none, all(3, -2 * DAY_MS)), []);
});

test('the only witness, whose clock was wrong once, accuses nobody when it is right again', async () => {
  const { log, notes, trust } = logAt([start, start + 1, start + 2, start + 3, start + 4, start + 5]);
  for (const offMs of [365 * DAY_MS, -2 * DAY_MS]) {
    const shown = [2, 3, 4, 5, 6].map((size) =>
      cosigned(notes[size]!, start + (size === 3 ? offMs : 0), size),
    );
    assert.deepEqual(await found(log, trust, shown), []);
    // A log whose clock was set is told by the others.
    const set = logAt([start, start + 1, start + 2, start + 3, start + 2 * DAY_MS]);
    const both = [2, 3, 4, 5, 6].map((size) =>
      cosigned(set.notes[size]!, start + (size === 3 && offMs < 0 ? offMs : 0), size),
    );
    assert.deepEqual(await found(set.log, set.trust, both), [['time_contradicted', 5, 5]]);
  }
});
