// Each way of tampering with a log, and what the audit says about it: the code, and the entries that it
// names.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import { genesisEvent } from 'indelible/event';
import { formatCheckpoint, parseCheckpoint, parseNote, signNote } from 'indelible/note';
import {
  AUDIT_CHUNK_ENTRIES,
  type AuditLogOptions,
  auditLog,
  FINDINGS_MAX,
  findingCodes,
  HOLES_MAX,
} from 'indelible/verify';
import { createSigner, createSmallLog, eventOf, origin, type Row, SmallLog, user } from './small-log.ts';

const SIZE = 700;

type Found = [code: string, from: number, to: number];

/** What an audit finds, as code and range. */
async function findingsOf(log: SmallLog, options: AuditLogOptions = {}): Promise<Found[]> {
  const report = await auditLog(log.source(), options);
  assert.equal(report.ok, report.findings.length === 0);
  for (const { code, message } of report.findings) {
    assert.ok(findingCodes.includes(code));
    assert.match(message, /^[A-Z].*[^.]\.$/u);
  }
  return report.findings.map(({ code, from, to }) => [code, from, to]);
}

/** The honest log, after something was done to it. */
function tampered(change: (log: SmallLog) => void, size = SIZE): SmallLog {
  const log = createSmallLog(size);
  change(log);
  return log;
}

const editText = (row: Row, from: string, to: string): void => {
  const text = utf8Decode(row.entry);
  assert.ok(text.includes(from));
  row.entry = utf8Encode(text.replace(from, to));
};

/** What every change of a leaf leads to. */
const treeOf = (): Found => ['root_mismatch', 0, SIZE - 1];

const cases: Record<string, { change: (log: SmallLog) => void; found: Found[] }> = {
  'edit-a-payload': {
    change: (log) => editText(log.rows[300]!, 'document.read', 'document.seen'),
    found: [treeOf(), ['tile_mismatch', 300, 300]],
  },
  'edit-three-neighbours': {
    change: (log) => {
      for (const index of [17, 18, 19]) editText(log.rows[index]!, 'document.read', 'document.seen');
    },
    found: [treeOf(), ['tile_mismatch', 17, 19]],
  },
  'edit-beyond-the-last-tile': {
    change: (log) => editText(log.rows[600]!, 'document.read', 'document.seen'),
    found: [treeOf()],
  },
  'swap-two-entries': {
    change: ({ rows }) => {
      const [a, b] = [rows[10]!, rows[20]!];
      [a.entry, b.entry] = [b.entry, a.entry];
      [a.disclosures, b.disclosures] = [b.disclosures, a.disclosures];
    },
    found: [
      treeOf(),
      ['tile_mismatch', 10, 10],
      ['id_mismatch', 10, 10],
      ['time_backwards', 11, 11],
      ['tile_mismatch', 20, 20],
      ['id_mismatch', 20, 20],
      ['time_backwards', 20, 20],
    ],
  },
  'delete-in-the-middle': {
    change: (log) => {
      log.rows.splice(400, 2);
      log.ids = log.rows.length;
    },
    found: [['index_gap', 400, 401]],
  },
  'delete-beyond-the-last-tile': {
    change: (log) => {
      log.rows.splice(650, 1);
      log.ids = log.rows.length;
    },
    found: [treeOf(), ['index_gap', 650, 650]],
  },
  'delete-and-renumber': {
    change: (log) => {
      log.rows.splice(400, 1);
      log.rows.forEach((row, index) => {
        row.index = index;
      });
      log.ids = log.rows.length;
    },
    found: [
      ['tile_mismatch', 400, 511],
      ['size_mismatch', 699, 699],
    ],
  },
  'cut-off-the-tail': {
    change: (log) => {
      log.rows.length = 690;
      log.ids = 690;
    },
    found: [['size_mismatch', 690, 699]],
  },
  'append-behind-the-checkpoint': {
    change: (log) => {
      log.append(eventOf(700));
      log.ids = 701;
    },
    found: [['size_mismatch', 700, 700]],
  },
  'insert-backdated': {
    change: (log) => {
      const index = log.append(eventOf(3), '2020-01-01T00:00:00.000Z');
      const [row] = log.rows.splice(index, 1);
      log.rows.splice(500, 0, row!);
      log.rows.forEach((each, at) => {
        each.index = at;
      });
      log.ids = log.rows.length;
    },
    found: [treeOf(), ['tile_mismatch', 500, 511], ['time_backwards', 500, 500], ['size_mismatch', 700, 700]],
  },
  'repeat-an-index': {
    change: (log) => {
      log.rows.splice(31, 0, { ...log.rows[30]! });
      log.ids = 700;
    },
    found: [['index_repeated', 30, 30]],
  },
  'out-of-order': {
    change: ({ rows }) => {
      [rows[30], rows[31]] = [rows[31]!, rows[30]!];
    },
    found: [
      ['id_mismatch', 0, 699],
      ['index_gap', 30, 30],
      ['index_repeated', 30, 30],
    ],
  },
  'turn-back-the-time': {
    change: (log) => {
      const again = createSmallLog(1);
      while (again.size < SIZE)
        again.append(eventOf(again.size), again.size === 333 ? '2026-01-01T00:00:00.000Z' : undefined);
      log.rows = again.rows;
      log.sign();
    },
    found: [['time_backwards', 333, 333]],
  },
  'an-entry-that-is-none': {
    change: (log) => {
      log.rows[50]!.entry = utf8Encode('{"v":1}');
      log.rows[51]!.entry = utf8Encode(' not even JSON');
      log.rows[53]!.entry = new Uint8Array(0);
      log.sign();
    },
    found: [
      ['entry_malformed', 50, 50],
      ['entry_malformed', 51, 51],
      ['entry_malformed', 53, 53],
    ],
  },
  'an-entry-that-is-not-canonical': {
    change: (log) => {
      log.rows[50]!.entry = utf8Encode(`${utf8Decode(log.rows[50]!.entry)} `);
      log.sign();
    },
    found: [['entry_malformed', 50, 50]],
  },
  'flip-a-bit-of-a-leaf-tile': {
    change: ({ tiles }) => {
      tiles.get('0/1')![32 * 44]! ^= 1;
    },
    found: [['tile_mismatch', 300, 300]],
  },
  'drop-a-leaf-tile': {
    change: ({ tiles }) => {
      tiles.delete('0/1');
    },
    found: [['tile_mismatch', 256, 511]],
  },
  'cut-a-leaf-tile': {
    change: ({ tiles }) => {
      tiles.set('0/1', tiles.get('0/1')!.slice(0, -32));
    },
    found: [['tile_mismatch', 256, 511]],
  },
  'flip-a-bit-of-an-upper-tile': {
    change: ({ tiles }) => {
      tiles.get('1/0')![40]! ^= 1;
    },
    found: [['tile_mismatch', 256, 511]],
  },
  'drop-an-upper-tile': {
    change: ({ tiles }) => {
      tiles.delete('1/0');
    },
    found: [['tile_mismatch', 0, 511]],
  },
  'alter-the-checkpoint': {
    change: (log) => {
      log.checkpoint = utf8Encode(log.note.replace('\n700\n', '\n699\n'));
    },
    found: [
      ['root_mismatch', 0, 698],
      ['checkpoint_invalid', 0, 699],
      ['size_mismatch', 699, 699],
    ],
  },
  'replace-the-checkpoint-by-nothing': {
    change: (log) => {
      log.checkpoint = new Uint8Array(0);
    },
    found: [['checkpoint_invalid', 0, 699]],
  },
  'sign-the-checkpoint-with-another-key': {
    change: (log) => {
      log.checkpoint = signNote(parseNote(log.checkpoint).text, [createSigner(origin, 2)]);
    },
    found: [['key_unknown', 0, 699]],
  },
  'sign-another-origin': {
    change: (log) => {
      const checkpoint = parseCheckpoint(parseNote(log.checkpoint).text);
      log.checkpoint = signNote(formatCheckpoint({ ...checkpoint, origin: 'another.example' }), [log.signer]);
    },
    found: [['origin_mismatch', 0, 699]],
  },
  'sign-another-root': {
    change: (log) => {
      const checkpoint = parseCheckpoint(parseNote(log.checkpoint).text);
      log.checkpoint = signNote(formatCheckpoint({ ...checkpoint, root: new Uint8Array(32) }), [log.signer]);
    },
    found: [treeOf()],
  },
  'forget-an-id': {
    change: (log) => {
      log.rows[44]!.id = null;
      log.ids = 699;
    },
    found: [
      ['id_duplicate', 0, 699],
      ['id_mismatch', 44, 44],
    ],
  },
  'list-under-another-id': {
    change: (log) => {
      log.rows[44]!.id = 'event-45';
      log.rows[45]!.id = 'event-44';
    },
    found: [['id_mismatch', 44, 45]],
  },
  'list-more-ids-than-entries': {
    change: (log) => {
      log.ids = 701;
    },
    found: [['id_mismatch', 0, 699]],
  },
  'record-an-id-twice': {
    change: (log) => {
      const again = createSmallLog(1);
      while (again.size < SIZE)
        again.append({ ...eventOf(again.size), ...(again.size === 90 && { id: 'event-80' }) });
      log.rows = again.rows;
      log.sign();
    },
    found: [['id_duplicate', 90, 90]],
  },
  'alter-a-disclosure': {
    change: ({ rows }) => {
      const { disclosures } = rows[60]!;
      const at = disclosures.findIndex((text) => text.includes('because 60'));
      disclosures[at] = disclosures[at]!.replace('because 60', 'because 61');
    },
    found: [
      ['disclosure_altered', 60, 60],
      ['disclosure_missing', 60, 60],
    ],
  },
  'exchange-two-disclosures': {
    change: ({ rows }) => {
      const [a, b] = [rows[60]!.disclosures, rows[61]!.disclosures];
      [a[0], b[0]] = [b[0]!, a[0]!];
    },
    found: [
      ['disclosure_altered', 60, 61],
      ['disclosure_missing', 60, 60],
      ['disclosure_missing', 61, 61],
    ],
  },
  'add-a-disclosure': {
    change: ({ rows }) => {
      rows[60]!.disclosures.push('["AAAAAAAAAAAAAAAAAAAAAA","reason","another"]');
    },
    found: [['disclosure_altered', 60, 60]],
  },
  'repeat-a-disclosure': {
    change: ({ rows }) => {
      rows[60]!.disclosures.push(rows[60]!.disclosures[0]!);
    },
    found: [['disclosure_altered', 60, 60]],
  },
  'repeat-a-disclosure-in-the-place-of-another': {
    change: ({ rows }) => {
      rows[60]!.disclosures[1] = rows[60]!.disclosures[0]!;
    },
    found: [
      ['disclosure_altered', 60, 60],
      ['disclosure_missing', 60, 60],
    ],
  },
  'a-disclosure-that-is-no-text': {
    change: ({ rows }) => {
      rows[60]!.disclosures[0] = 'half a pair \ud800';
    },
    found: [
      ['disclosure_altered', 60, 60],
      ['disclosure_missing', 60, 60],
    ],
  },
  'lose-the-genesis': {
    change: (log) => {
      log.rows.shift();
      log.ids = 699;
    },
    found: [
      ['genesis_invalid', 0, 0],
      ['index_gap', 0, 0],
    ],
  },
  'a-genesis-that-is-none': {
    change: (log) => {
      log.rows[0]!.entry = log.rows[1]!.entry;
      log.rows[0]!.disclosures = log.rows[1]!.disclosures;
      log.rows[0]!.id = log.rows[1]!.id;
      log.sign();
    },
    found: [
      ['genesis_invalid', 0, 0],
      ['id_duplicate', 1, 1],
    ],
  },
  'create-the-log-twice': {
    change: (log) => {
      const { name, vkey } = log.signer;
      log.append(genesisEvent({ origin: name, logKeys: [vkey], rootKey: null, personalIds: 'refuse' }));
      log.sign();
    },
    found: [['genesis_invalid', 700, 700]],
  },
  'empty-the-log': {
    change: (log) => {
      log.rows = [];
      log.sign();
    },
    found: [['genesis_invalid', 0, 0]],
  },
};

for (const [name, { change, found }] of Object.entries(cases)) {
  test(`found: ${name}`, async () => {
    assert.deepEqual(sorted(await findingsOf(tampered(change))), sorted(found));
  });
}

/** In an order that does not depend on that of the report, which has a test of its own. */
function sorted(found: Found[]): Found[] {
  return found.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}

test('several things at once are all found, in the order of their entries, nothing after the first left out', async () => {
  const log = tampered((each) => {
    editText(each.rows[3]!, 'document.read', 'document.seen');
    each.rows[200]!.disclosures.pop();
    each.rows[301]!.id = null;
    each.rows.splice(400, 1);
    each.tiles.get('0/1')![0]! ^= 1;
  });
  const found = await findingsOf(log);
  assert.deepEqual(found, [
    ['root_mismatch', 0, 699],
    ['id_mismatch', 0, 699],
    ['tile_mismatch', 3, 3],
    ['disclosure_missing', 200, 200],
    ['tile_mismatch', 256, 256],
    ['id_mismatch', 301, 301],
    ['index_gap', 400, 400],
  ]);
});

test('a log that was replaced altogether is found by the key that somebody knows, and not without it', async () => {
  const mine = createSmallLog(SIZE);
  const theirs = createSmallLog(SIZE, { signer: createSigner(origin, 9) });
  const trust = { vkey: mine.signer.vkey };
  assert.deepEqual(await findingsOf(theirs), [], 'with the key found inside, nothing is wrong');
  assert.deepEqual(await findingsOf(theirs, { trust }), [
    ['key_unknown', 0, 0],
    ['key_unknown', 0, 699],
  ]);
  const renamed = createSmallLog(SIZE, { signer: createSigner('other.example', 9) });
  assert.deepEqual(
    (await findingsOf(renamed, { trust })).map(([code]) => code),
    ['origin_mismatch', 'key_unknown'],
  );
  // The real key under a first entry that names another one: somebody mixed two logs.
  const mixed = createSmallLog(SIZE, { signer: createSigner(origin, 9) });
  mixed.checkpoint = signNote(parseNote(mixed.checkpoint).text, [mine.signer]);
  assert.deepEqual(await findingsOf(mixed, { trust }), [['key_unknown', 0, 0]]);
});

test('a first entry that names a key that is none', async () => {
  const log = new SmallLog();
  log.rows = [];
  log.append(genesisEvent({ origin, logKeys: ['not a key'], rootKey: null, personalIds: 'refuse' }));
  assert.deepEqual(await findingsOf(log.sign()), [['key_unknown', 0, 0]]);
});

test('the stored right edge tells in which part of the log the damage lies', async () => {
  const log = createSmallLog(SIZE);
  const { hashes } = log.frontier();
  editText(log.rows[610]!, 'document.read', 'document.seen');
  const source = log.source();
  const withFrontier = (frontier: Uint8Array[]) => ({
    ...source,
    head: async () => ({ ...(await source.head()), frontier }),
  });
  const { findings } = await auditLog(withFrontier(hashes));
  // 700 = 512 + 128 + 32 + 16 + 8 + 4
  assert.deepEqual(
    findings.map(({ code, from, to }) => [code, from, to]),
    [
      ['root_mismatch', 0, 699],
      ['root_mismatch', 512, 639],
    ],
  );
  // An edge that does not lead to the signed root itself shows nothing, and is damaged too.
  for (const bad of [hashes.toReversed(), hashes.slice(1), [...hashes.slice(1), new Uint8Array(31)]]) {
    const honest = createSmallLog(SIZE).source();
    const report = await auditLog({
      ...honest,
      head: async () => ({ ...(await honest.head()), frontier: bad }),
    });
    assert.deepEqual(
      report.findings.map(({ code }) => code),
      ['root_mismatch'],
    );
  }
});

test('time does not go back between two chunks either', async () => {
  const log = new SmallLog();
  const edge = AUDIT_CHUNK_ENTRIES;
  while (log.size < edge + 5) {
    log.append(eventOf(log.size), log.size === edge ? '2026-01-01T00:00:01.000Z' : undefined);
  }
  assert.deepEqual(await findingsOf(log.sign()), [['time_backwards', edge, edge]]);
});

test('the same time twice is not back', async () => {
  const log = new SmallLog();
  const time = '2026-01-01T00:00:05.000Z';
  while (log.size < AUDIT_CHUNK_ENTRIES + 10) log.append(eventOf(log.size), time);
  assert.deepEqual(await findingsOf(log.sign()), []);
});

test('an id that comes twice is found across chunks by the list of ids', async () => {
  const log = new SmallLog();
  while (log.size <= AUDIT_CHUNK_ENTRIES + 1) log.append(eventOf(log.size));
  const last = log.append({ ...eventOf(1), id: 'event-1' });
  // The store can list an id only once.
  log.rows[last]!.id = null;
  assert.deepEqual(await findingsOf(log.sign()), [
    ['id_duplicate', 0, last],
    ['id_mismatch', last, last],
  ]);
});

test('bad news have a limit, and what is left out is counted', async () => {
  const log = createSmallLog(2 * FINDINGS_MAX + 301);
  for (const row of log.rows.filter(({ index }) => index % 2 === 1)) row.id = 'no-id-of-mine';
  const report = await auditLog(log.source());
  const places = report.findings.filter(({ code }) => code === 'id_mismatch').map(({ from }) => from);
  assert.equal(places.length, FINDINGS_MAX);
  assert.equal(report.omitted, 150);
  assert.deepEqual(places.slice(0, 3), [1, 3, 5]);
});

test('the findings of many chunks keep the limit too, those at the beginning of the log first', async () => {
  const log = createSmallLog(AUDIT_CHUNK_ENTRIES + 2 * FINDINGS_MAX);
  for (const row of log.rows.filter(({ index }) => index % 4 === 3)) row.id = 'no-id-of-mine';
  const report = await auditLog(log.source());
  const places = report.findings.filter(({ code }) => code === 'id_mismatch').map(({ from }) => from);
  assert.equal(places.length, FINDINGS_MAX);
  assert.equal(places.length + report.omitted, Math.floor((AUDIT_CHUNK_ENTRIES + 2 * FINDINGS_MAX) / 4));
  assert.equal(places[0], 3);
});

test('a finding says in words what is wrong with which entries', async () => {
  const messages = async (change: (log: SmallLog) => void) => {
    const { findings } = await auditLog(tampered(change).source());
    return findings.map(({ message }) => message);
  };
  assert.deepEqual(await messages(({ tiles }) => tiles.delete('1/0')), [
    'Entries 0 to 511: no tile is stored above them.',
  ]);
  assert.deepEqual(await messages(({ tiles }) => tiles.get('1/0')!.fill(0, 0, 1)), [
    'Entries 0 to 255: the stored tile above them holds another hash.',
  ]);
  assert.deepEqual(await messages(({ rows }) => editText(rows[300]!, 'document.read', 'document.seen')), [
    'The tree over the 700 entries does not have the root that the checkpoint signs.',
    'Entry 300: the hash differs from the one in the stored tile.',
  ]);
});

test('one damage over several chunks is one finding', async () => {
  const log = createSmallLog(2 * AUDIT_CHUNK_ENTRIES + 10);
  for (const row of log.rows.slice(100)) row.id = null;
  log.ids = log.size;
  const last = log.size - 1;
  assert.deepEqual(await findingsOf(log), [['id_mismatch', 100, last]]);
});

test('damage that reaches over the edge of a chunk is one finding, though there is more of it behind', async () => {
  const log = createSmallLog(AUDIT_CHUNK_ENTRIES + 1100);
  for (const { index } of log.rows.slice(4000, 4200)) log.rows[index]!.id = null;
  for (const { index } of log.rows.slice(5000, 5100)) log.rows[index]!.id = null;
  log.ids = log.size;
  assert.deepEqual(await findingsOf(log), [
    ['id_mismatch', 4000, 4199],
    ['id_mismatch', 5000, 5099],
  ]);
});

test('a row with an absurd index does not keep the verifier busy', async () => {
  const log = createSmallLog(20);
  log.rows.push({ ...log.rows[19]!, index: Number.MAX_SAFE_INTEGER - 1 });
  const started = performance.now();
  const found = await findingsOf(log);
  assert.ok(performance.now() - started < 5000);
  assert.deepEqual(
    sorted(found),
    sorted([
      ['index_gap', 20, 20],
      ['size_mismatch', 20, 20],
      ['size_mismatch', 21, Number.MAX_SAFE_INTEGER - 1],
    ]),
  );
  assert.ok(HOLES_MAX > 1000);
});

test('a row that stands where no entry can is found by its number', async () => {
  const log = createSmallLog(20);
  const source = log.source();
  // An index below 0, which no span asks for.
  const head = async () => ({ ...(await source.head()), entries: 21 });
  const { findings } = await auditLog({ ...source, head });
  assert.deepEqual(findings, [
    {
      code: 'size_mismatch',
      from: 0,
      to: 19,
      message: 'The store counts 21 entries, and 20 stand where an entry can.',
    },
  ]);
});

test('an attribute of the actor that was cut out of the entry itself changes the leaf', async () => {
  const log = new SmallLog();
  log.append({ action: 'user.seen', actor: user('u_1'), clear: ['/actor/name'] });
  log.sign();
  editText(log.rows[1]!, ',"name":"Name of u_1"', '');
  assert.deepEqual(await findingsOf(log), [['root_mismatch', 0, 1]]);
});
