// A log against what somebody outside holds of it: receipts and checkpoints.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Encode } from 'indelible/bytes';
import { formatCheckpoint, parseCheckpoint, parseNote, signNote } from 'indelible/note';
import { AUDIT_CHUNK_ENTRIES, type AuditLogOptions, auditLog, type Held } from 'indelible/verify';
import { createSigner, createSmallLog, eventOf, SmallLog } from './small-log.ts';

const SIZE = 600;

/** A log that grew, with the checkpoints it signed on the way. */
function grow(size = SIZE, every = 1): { log: SmallLog; held: string[] } {
  const log = new SmallLog();
  const held = [log.sign().note];
  while (log.size < size) {
    log.append(eventOf(log.size));
    if (log.size % every === 0 || log.size === size) held.push(log.sign().note);
  }
  return { log, held };
}

const found = async (log: SmallLog, options: AuditLogOptions) =>
  (await auditLog(log.source(), options)).findings.map(({ code, from, to }) => [code, from, to]);

/** The same origin and key, another history from the entry 300 on. */
function rewritten(size = SIZE): SmallLog {
  const log = new SmallLog();
  while (log.size < size) log.append(eventOf(log.size, log.size === 300 ? 'nobody' : undefined));
  return log.sign();
}

test('every checkpoint that the log ever signed agrees with it', async () => {
  const { log, held } = grow(130);
  const report = await auditLog(log.source(), { held, trust: { vkey: log.signer.vkey } });
  assert.deepEqual(report.findings, []);
  assert.deepEqual(report.held, { given: 130, agree: 130, size: 130 });
  assert.equal(
    report.anchored,
    'consistent up to size 130; agrees with 130 held outside, the largest of size 130',
  );
});

test('held checkpoints agree across chunks', async () => {
  const { log, held } = grow(2 * AUDIT_CHUNK_ENTRIES + 77, 997);
  const report = await auditLog(log.source(), { held });
  assert.equal(report.ok, true);
  assert.equal(report.held?.agree, held.length);
});

test('receipts agree, wherever their entry stands', async () => {
  const { log } = grow(300, 300);
  const held = [0, 1, 255, 256, 299].map((index) => log.receipt(index));
  log.append(eventOf(300));
  const report = await auditLog(log.sign().source(), { held });
  assert.deepEqual(report.held, { given: 5, agree: 5, size: 300 });
  assert.equal(report.ok, true);
});

test('a history that was rewritten and signed with the real key is found only by what is held', async () => {
  const { held } = grow(SIZE, 100);
  const log = rewritten();
  assert.deepEqual(await found(log, { trust: { vkey: log.signer.vkey } }), []);
  const report = await auditLog(log.source(), { held });
  // Those from before the change still agree: they show how far back the history is the old one.
  assert.deepEqual(report.held, { given: held.length, agree: 4, size: 300 });
  assert.deepEqual(
    report.findings.map(({ code, from, to }) => [code, from, to]),
    [
      ['forked', 0, 399],
      ['forked', 0, 499],
      ['forked', 0, 599],
    ],
  );
  assert.match(
    report.findings[0]!.message,
    /^The held checkpoint \(5 of 7 held\) signs another history of the first 400 entries/,
  );
  assert.equal(report.anchored, `not consistent at size ${SIZE}: see the findings`);
});

test('an old copy of the log is found by a checkpoint that is larger', async () => {
  const { held } = grow(SIZE, 100);
  const old = createSmallLog(450);
  const report = await auditLog(old.source(), { held });
  assert.deepEqual(
    report.findings.map(({ code, from, to }) => [code, from, to]),
    [
      ['rolled_back', 450, 499],
      ['rolled_back', 450, 599],
    ],
  );
  assert.equal(report.held?.agree, 5);
});

test('an old checkpoint put back over the new entries is a roll-back too', async () => {
  const { log, held } = grow(SIZE, 100);
  log.checkpoint = utf8Encode(held[3]!);
  assert.deepEqual(await found(log, { held: [held.at(-1)!] }), [
    ['size_mismatch', 300, 599],
    ['rolled_back', 300, 599],
  ]);
});

test('a truncated log that signs its new size says so itself only by having no anchor', async () => {
  const { log } = grow(SIZE, 100);
  log.rows.length = 550;
  const report = await auditLog(log.sign().source());
  assert.equal(report.ok, true);
  assert.equal(report.anchored, 'consistent up to size 550; no outside anchor');
});

test('a receipt for another entry than the one that stands there', async () => {
  const { log } = grow(300, 300);
  const receipt = log.receipt(7);
  const moved: Record<string, Held> = {
    'other-leaf': { ...receipt, leafHash: log.receipt(8).leafHash },
    'other-index': { ...receipt, index: 8 },
    'no-hash': { ...receipt, leafHash: 'AAAA' },
    'no-base64': { ...receipt, leafHash: '?' },
  };
  for (const [name, held] of Object.entries(moved)) {
    const [finding, ...more] = await found(log, { held: [held] });
    assert.equal(finding?.[0], 'forked', name);
    assert.deepEqual(finding?.slice(1), name === 'other-index' ? [8, 8] : [7, 7], name);
    assert.equal(more.length, 0);
  }
});

test('a receipt about an entry that its checkpoint does not cover is none', async () => {
  const { log, held } = grow(300, 100);
  const receipt = { ...log.receipt(250), checkpoint: held[1]! };
  for (const index of [250, -1, 0.5, Number.NaN]) {
    assert.deepEqual(await found(log, { held: [{ ...receipt, index }] }), [['checkpoint_invalid', 0, 299]]);
  }
});

test('what is held must be signed, by this log', async () => {
  const { log } = grow(300, 300);
  const checkpoint = parseCheckpoint(parseNote(log.checkpoint).text);
  const stranger = createSigner(log.signer.name, 5);
  const elsewhere = createSigner('elsewhere.example', 6);
  const cases: Record<string, { held: string; code: string }> = {
    'unknown-key': { held: textOf(signNote(formatCheckpoint(checkpoint), [stranger])), code: 'key_unknown' },
    altered: { held: log.note.replace('\n300\n', '\n299\n'), code: 'checkpoint_invalid' },
    'another-log': {
      held: textOf(signNote(formatCheckpoint({ ...checkpoint, origin: 'elsewhere.example' }), [elsewhere])),
      code: 'key_unknown',
    },
    'another-log-with-this-key': {
      held: textOf(signNote(formatCheckpoint({ ...checkpoint, origin: 'elsewhere.example' }), [log.signer])),
      code: 'origin_mismatch',
    },
    nothing: { held: '', code: 'checkpoint_invalid' },
    'no-checkpoint': { held: textOf(signNote('hello\n', [log.signer])), code: 'checkpoint_invalid' },
  };
  for (const [name, { held, code }] of Object.entries(cases)) {
    const report = await auditLog(log.source(), { held: [held] });
    assert.deepEqual(
      report.findings.map((finding) => [finding.code, finding.detail?.['about']]),
      [[code, 'evidence']],
      name,
    );
    assert.match(report.anchored, /^consistent up to size 300/, name);
    assert.equal(report.held?.agree, 0, name);
  }
});

test('whatever nobody signed says nothing of the log, be it larger, another history or another entry', async () => {
  const { log } = grow(300, 300);
  const stranger = createSigner(log.signer.name, 5);
  const note = rewritten(400).note;
  const unsigned = textOf(signNote(parseNote(utf8Encode(note)).text, [stranger]));
  const forged = log.note.replace(/\n300\n/, '\n301\n');
  for (const trust of [undefined, { vkey: log.signer.vkey }]) {
    const options = trust === undefined ? {} : { trust };
    for (const held of [unsigned, { ...log.receipt(7), index: 8, checkpoint: unsigned }]) {
      assert.deepEqual(await found(log, { ...options, held: [held] }), [['key_unknown', 0, 299]]);
    }
    assert.deepEqual(await found(log, { ...options, held: [forged] }), [['checkpoint_invalid', 0, 299]]);
    assert.deepEqual(await found(log, { ...options, mark: unsigned }), [['key_unknown', 0, 299]]);
    assert.deepEqual(await found(log, { ...options, held: [note] }), [['rolled_back', 300, 399]]);
  }
});

test('a log that was replaced, key and all, is found by an old receipt', async () => {
  const { held } = grow(300, 100);
  const replaced = createSmallLog(300, { signer: createSigner(undefined, 9) });
  const report = await auditLog(replaced.source(), { held: [held.at(-1)!] });
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['key_unknown'],
  );
  const vkey = grow(2).log.signer.vkey;
  const pinned = await auditLog(replaced.source(), { held: [held.at(-1)!], trust: { vkey } });
  assert.deepEqual([...new Set(pinned.findings.map(({ code }) => code))].sort(), ['forked', 'key_unknown']);
});

test('the mark is compared like what is held, and is not counted as held outside', async () => {
  const { log } = grow(300, 300);
  const mark = log.note;
  const alone = await auditLog(log.source(), { mark });
  assert.equal(
    alone.anchored,
    'consistent up to size 300; agrees with the mark beside the folder; no outside anchor',
  );
  assert.equal(alone.held, undefined);
  assert.deepEqual(alone.mark, { agrees: true, size: 300 });
  const both = await auditLog(log.source(), { mark, held: [log.receipt(7)] });
  assert.equal(
    both.anchored,
    'consistent up to size 300; agrees with the mark beside the folder and with 1 held outside, the largest of size 300',
  );
  const other = await auditLog(rewritten(301).source(), { mark: grow(301, 301).log.note });
  assert.deepEqual(other.mark, { agrees: false, size: 0 });
  assert.match(other.findings[0]!.message, /^The mark beside the log signs another history of the first 301/);
});

test('a held checkpoint of the empty log agrees with every log', async () => {
  const { log } = grow(20, 20);
  const empty = new SmallLog();
  empty.rows = [];
  const report = await auditLog(log.source(), { held: [empty.sign().note] });
  assert.deepEqual(report.held, { given: 1, agree: 1, size: 0 });
});

function textOf(note: Uint8Array): string {
  return new TextDecoder().decode(note);
}
