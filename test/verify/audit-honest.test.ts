import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64Encode, concatBytes, utf8Encode } from 'indelible/bytes';
import { hashLeaf } from 'indelible/merkle';
import {
  cosignatureV1Message,
  createVerifierKey,
  formatSignatureLine,
  formatVerifierKey,
  keyTypes,
  parseNote,
  parsePolicy,
  parseVerifierKey,
} from 'indelible/note';
import { AUDIT_CHUNK_ENTRIES, Audit, type AuditRow, auditChunk, auditLog, leafTiles } from 'indelible/verify';
import { createSigner, createSmallLog, eventOf, origin, SmallLog } from './small-log.ts';

test('an honest log of every small size, and around the edges of tiles, is found in order', async () => {
  const sizes = [...Array(20).keys(), 255, 256, 257, 511, 512, 513, 700].filter((size) => size > 0);
  for (const size of sizes) {
    const log = createSmallLog(size);
    const frontier = log.frontier();
    for (const tiles of [true, false]) {
      const report = await auditLog(log.source({ tiles }));
      assert.deepEqual(report, {
        ok: true,
        origin,
        size,
        depth: 'full',
        root: base64Encode(frontier.root()),
        key: 'found inside',
        counts: {
          entries: size,
          disclosures: (size - 1) * 5,
          present: (size - 1) * 5,
          erased: 0,
          pruned: 0,
          missing: 0,
        },
        findings: [],
        omitted: 0,
        anchored: `consistent up to size ${size}; no outside anchor`,
      });
    }
  }
});

test('a log of several chunks is read backwards, and progress is told', async () => {
  const size = AUDIT_CHUNK_ENTRIES * 2 + 300;
  const log = createSmallLog(size);
  const seen: number[][] = [];
  const report = await auditLog(log.source(), { onProgress: (done, total) => seen.push([done, total]) });
  assert.equal(report.ok, true);
  assert.equal(report.root, base64Encode(log.frontier().root()));
  assert.deepEqual(seen, [
    [300, size],
    [300 + AUDIT_CHUNK_ENTRIES, size],
    [size, size],
  ]);
});

test('the tree alone can be audited, without reading what the entries say', async () => {
  const log = createSmallLog(600);
  const report = await auditLog(log.source(), { depth: 'tree' });
  assert.equal(report.ok, true);
  assert.equal(report.depth, 'tree');
  assert.deepEqual(report.counts, {
    entries: 600,
    disclosures: 2995,
    present: 0,
    erased: 0,
    missing: 0,
    pruned: 0,
  });
  log.rows[599]!.disclosures = [];
  assert.equal((await auditLog(log.source(), { depth: 'tree' })).ok, true, 'disclosures are not looked at');
  log.rows[3]!.entry = log.rows[2]!.entry;
  const found = await auditLog(log.source(), { depth: 'tree' });
  assert.deepEqual(
    found.findings.map(({ code, from, to }) => [code, from, to]),
    [
      ['root_mismatch', 0, 599],
      ['tile_mismatch', 3, 3],
    ],
  );
});

test('a key that is known beforehand is what the report says it is', async () => {
  const log = createSmallLog(9);
  for (const trust of [{ vkey: log.signer.vkey }, parsePolicy(`log ${log.signer.vkey}\nquorum none\n`)]) {
    const report = await auditLog(log.source(), { trust });
    assert.equal(report.ok, true);
    assert.equal(report.key, 'pinned');
  }
});

test('a policy with a witness refuses a log that no witness has cosigned', async () => {
  const log = createSmallLog(9);
  const { publicKey } = parseVerifierKey(log.signer.vkey);
  const witness = formatVerifierKey({ name: 'w.example', type: keyTypes.cosignatureV1, publicKey });
  const trust = parsePolicy(`log ${log.signer.vkey}\nwitness W ${witness}\nquorum W\n`);
  const report = await auditLog(log.source(), { trust });
  assert.deepEqual(
    report.findings.map(({ code }) => code),
    ['checkpoint_invalid'],
  );
  assert.deepEqual(report.findings[0]?.detail, { code: 'policy_unsatisfied' });
  // What is held is older than any cosignature, so that the quorum is not asked of it.
  const held = await auditLog(log.source(), { trust, held: [log.note] });
  assert.equal(held.held?.agree, 1);
});

test('a witness that cosigned is an anchor, by its name', async () => {
  const log = createSmallLog(9);
  const signer = createSigner('w.example', 3);
  const { publicKey } = parseVerifierKey(signer.vkey);
  const key = createVerifierKey({ name: 'w.example', type: keyTypes.cosignatureV1, publicKey });
  const { text } = parseNote(log.checkpoint);
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(Date.UTC(2026, 0, 2) / 1000));
  const signed = signer.sign(cosignatureV1Message(new DataView(time.buffer).getBigUint64(0), text));
  const line = formatSignatureLine({ ...key, signature: concatBytes(time, signed) });
  log.checkpoint = utf8Encode(`${log.note}${line}\n`);
  const trust = parsePolicy(`log ${log.signer.vkey}\nwitness W ${key.text}\nquorum W\n`);
  const report = await auditLog(log.source(), { trust, held: [log.note] });
  assert.equal(report.ok, true);
  assert.equal(
    report.anchored,
    'consistent up to size 9; cosigned by w.example; agrees with 1 held outside, the largest of size 9',
  );
  // Without a policy that knows it, the witness is nobody.
  assert.equal((await auditLog(log.source())).anchored, 'consistent up to size 9; no outside anchor');
});

test('fields and actions that this version does not know are shown, not refused', async () => {
  const log = new SmallLog();
  log.append(eventOf(1));
  const text = new TextDecoder().decode(log.rows[1]!.entry);
  // `zone` is no field of version 1; it stands last in canonical order.
  log.rows[1]!.entry = utf8Encode(`${text.slice(0, -1)},"zone":{"a":1}}`);
  log.append({ ...eventOf(2), action: 'log.something_of_the_future' });
  const report = await auditLog(log.sign().source());
  assert.deepEqual(report.findings, []);
});

test('a check of the caller sees every entry, opened only when it asks, and reports into the same findings', async () => {
  const log = createSmallLog(30);
  const seen: number[] = [];
  const report = await auditLog(log.source(), {
    inspect: ({ entry, row, open }, found) => {
      seen.push(row.index);
      if (row.index === 0) return;
      assert.equal(open().event.id, entry.id);
      assert.equal(open(), open());
      assert.equal(open().event.reason, `because ${row.index}`);
      if (row.index >= 7 && row.index <= 9) found('column_changed', 'the column of actors says otherwise');
    },
  });
  assert.deepEqual(seen, [...Array(30).keys()]);
  assert.deepEqual(report.findings, [
    {
      code: 'column_changed',
      from: 7,
      to: 9,
      message: 'Entries 7 to 9: the column of actors says otherwise.',
    },
  ]);
});

test('what a store notices in reading a row, and elsewhere, is reported with the rest', async () => {
  const log = createSmallLog(5);
  const source = log.source();
  const problem = { code: 'schema_changed', what: 'the entry is stored as text' } as const;
  const report = await auditLog({
    ...source,
    rows: async (span) =>
      [...(await source.rows(span))].map((row) => (row.index === 3 ? { ...row, problem } : row)),
  });
  assert.deepEqual(report.findings, [
    { code: 'schema_changed', from: 3, to: 3, message: 'Entry 3: the entry is stored as text.' },
  ]);
  const audit = new Audit(await source.head());
  for (const span of audit.spans()) audit.add(auditChunk({ ...span, rows: log.rows }, audit.request));
  audit.discover({ code: 'schema_changed', from: 0, to: 4, what: 'A trigger is gone', ofLog: true });
  assert.equal(audit.conclude().findings[0]?.message, 'A trigger is gone.');
});

test('chunks can be audited anywhere: requests and reports survive being sent to another thread', async () => {
  const log = createSmallLog(AUDIT_CHUNK_ENTRIES * 2 + 100);
  log.rows[5000]!.disclosures = [];
  log.rows[100]!.entry = utf8Encode('{}');
  const options = { held: [log.receipt(4500)] };
  const alone = await auditLog(log.source(), options);
  assert.equal(alone.ok, false);
  const source = log.source();
  const audit = new Audit(await source.head(), options);
  const request = structuredClone(audit.request);
  const reports = [...audit.spans()].toReversed().map((span) => {
    const rows = log.rows.slice(span.begin, span.end);
    const tiles = leafTiles(span).map(({ index }) => log.tiles.get(`0/${index}`));
    return structuredClone(auditChunk({ ...span, rows, tiles }, request));
  });
  for (const report of reports.toReversed()) audit.add(report);
  const together = audit.conclude(await source.tiles?.(audit.upperTiles()));
  assert.deepEqual(together, alone);
});

test('the reports of chunks are added in their order, all of them', async () => {
  const log = createSmallLog(AUDIT_CHUNK_ENTRIES + 10);
  const audit = new Audit(await log.source().head());
  const [last, first] = [...audit.spans()].map((span) =>
    auditChunk({ ...span, rows: log.rows.slice(span.begin, span.end) }, audit.request),
  );
  assert.throws(() => audit.add(first!), { name: 'RangeError', code: 'range_invalid' });
  audit.add(last!);
  assert.throws(() => audit.add(last!), { code: 'range_invalid' });
  assert.throws(() => audit.conclude(), { code: 'range_invalid' });
  audit.add(first!);
  assert.equal(audit.conclude().ok, true);
});

test('the tiles over a span: all of them, the last as wide as it is filled', () => {
  const tile = (index: number, width: number) => ({ level: 0, index, width });
  assert.deepEqual(leafTiles({ begin: 0, end: 512 }), [tile(0, 256), tile(1, 256)]);
  assert.deepEqual(leafTiles({ begin: 256, end: 600 }), [tile(1, 256), tile(2, 88)]);
  assert.deepEqual(leafTiles({ begin: 512, end: 512 }), []);
});

test('a chunk refuses rows of another span, and spans that do not begin where a tile does', () => {
  const request = { depth: 'full', sizes: [], leaves: [], moments: [] } as const;
  const row = (index: number): AuditRow => ({ index, entry: new Uint8Array(0), disclosures: [] });
  for (const index of [255, 512, -1, Number.NaN]) {
    const chunk = { begin: 256, end: 512, rows: [row(index)] };
    assert.throws(() => auditChunk(chunk, request), { name: 'RangeError', code: 'index_out_of_range' });
  }
  assert.throws(() => auditChunk({ begin: 1, end: 512, rows: [] }, request), { code: 'range_invalid' });
  assert.throws(() => auditChunk({ begin: 256, end: 0, rows: [] }, request), { code: 'range_invalid' });
});

test('a chunk gives the hashes of its leaves to those above, and those that are asked for', () => {
  const log = createSmallLog(600);
  const chunk = { begin: 256, end: 600, rows: log.rows.slice(256) };
  const report = auditChunk(chunk, {
    depth: 'tree',
    sizes: [256, 300, 600, 601],
    leaves: [255, 256, 599],
    moments: [],
  });
  assert.deepEqual(
    report.prefixes.map(({ begin, end }) => [begin, end]),
    [
      [256, 300],
      [256, 600],
    ],
  );
  assert.deepEqual(
    report.leaves,
    [256, 599].map((index) => ({ index, hash: hashLeaf(log.rows[index]!.entry) })),
  );
  assert.equal(report.tileRoots.length, 32);
});
