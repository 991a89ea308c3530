// Evidence: what goes in, what a verifier says of it, and what it says when any of it is changed.

import assert from 'node:assert/strict';
import path from 'node:path';
import test, { describe } from 'node:test';
import { openLog } from 'indelible';
import type { JsonObject } from 'indelible/bytes';
import { retentionAppliedEvent } from 'indelible/event';
import { recordInThePast } from '../log/past-log.ts';
import { temporaryFolder } from '../support/folders.ts';
import { accepts, audit, blockOf, inside, rowsOf, world } from './world.ts';

const request = { basis: 'Art. 17', requestId: 'DSR-1', approvedBy: ['p_1', 'p_2'] };

describe('evidence', () => {
  test('everything: verified under the key, complete, and recorded as taken', async (t) => {
    const { evidence, vkey, log } = await world(t);
    const text = await evidence({ query: '' }, { reveal: 'all' });
    const report = audit(text, vkey);
    assert.deepEqual(report.findings, []);
    assert.equal(report.verdict, 'verified');
    assert.deepEqual(report.complete, { from: 0, to: 21 });
    assert.deepEqual(report.counts, { selected: 21, support: 0, shown: 60, withheld: 0, erased: 0 });
    assert.equal(report.sources.length, 1);
    const exported = await log.query('action:log.exported').page();
    assert.equal(exported.events.length, 1);
    assert.equal(exported.events[0]!.actor.id, 'u_1');
  });

  test('without a key it is consistent, never verified', async (t) => {
    const { evidence } = await world(t);
    const report = audit(await evidence({ query: '' }));
    assert.equal(report.ok, true);
    assert.equal(report.verdict, 'consistent with the key inside');
    assert.equal(report.key, 'found inside');
  });

  test('another key: does not hold', async (t) => {
    const [mine, other] = [await world(t), await world(t)];
    const report = audit(await mine.evidence({ query: '' }), other.vkey);
    assert.equal(report.verdict, 'does not hold');
    assert.ok(report.findings.some(({ code }) => code === 'key_unknown'));
  });

  test('a query: the matches, the first entry in support, nothing claimed to be complete', async (t) => {
    const { evidence, vkey } = await world(t);
    const report = audit(await evidence({ query: 'action:role.assigned actor:user/u_0' }), vkey);
    assert.equal(report.ok, true);
    assert.deepEqual([report.counts.selected, report.counts.support], [2, 1]);
    assert.equal(report.complete, null);
    assert.equal(report.made.query, 'action:role.assigned actor:user/u_0');
    assert.match(report.statements.join('\n'), /word of whoever made this file/);
    assert.equal(report.counts.shown, 0);
    assert.equal(report.counts.withheld, 6);
  });

  test('a query that finds nothing is evidence of nothing', async (t) => {
    const { evidence, vkey } = await world(t);
    const report = audit(await evidence({ query: 'action:invoice.sent' }), vkey);
    assert.deepEqual([report.ok, report.counts.selected], [true, 0]);
  });

  test('chosen values alone are shown; of the others the digests', async (t) => {
    const { evidence, vkey } = await world(t);
    const text = await evidence({ ids: ['e-3'] }, { reveal: ['actor.name'] });
    const report = audit(text, vkey);
    assert.deepEqual([report.ok, report.counts.shown, report.counts.withheld], [true, 1, 2]);
    const rows = JSON.stringify(rowsOf(inside(text)));
    assert.match(rows, /Person 0/);
    assert.doesNotMatch(rows, /192\.0\.2\.|because/);
  });

  test('an erasure is told from what was left out', async (t) => {
    const { evidence, vkey, log } = await world(t);
    await log.erase({ subject: 'user/u_1', ...request });
    const report = audit(await evidence({ query: 'actor:user/u_1' }), vkey);
    assert.equal(report.ok, true);
    // Of u_1 e-1, e-4, …, e-19, each with a name, a context and a reason.
    assert.equal(report.counts.erased, 21);
    const other = audit(await evidence({ query: 'actor:user/u_2' }), vkey);
    assert.deepEqual([other.counts.erased, other.counts.support], [0, 1]);
  });

  test('the records of others stay out of it, of erasures, holds and gaps', async (t) => {
    const { evidence, vkey, log } = await world(t);
    const first = await log.erase({ subject: 'user/u_1', ...request });
    await log.record({
      id: 'later',
      action: 'user.signed_in',
      actor: { type: 'user', id: 'u_1', name: 'P' },
    });
    await log.erase({ subject: 'user/u_1', ...request, requestId: 'DSR-again' });
    await log.erase({ subject: 'user/u_2', ...request, requestId: 'DSR-other' });
    await log.holds.place({ name: 'case-of-another', subject: 'user/u_0' });
    for (const [service, missing] of [
      ['app', 2],
      ['other', 7],
    ] as const)
      await log.recordOwn({
        action: 'log.source_gap',
        actor: { type: 'log', id: 'self' },
        metadata: { service, instance: 'a-1', kind: 'seq', missingFrom: missing, missingTo: missing },
        clear: ['/metadata'],
      });
    await log.recordFor(
      { id: 'counted', action: 'user.signed_in', actor: { type: 'user', id: 'u_0' } },
      { service: 'app', counted: { instance: 'a-1', seq: 3 } },
    );
    const supporting = async (id: string): Promise<string[]> => {
      const text = await evidence({ ids: [id] }, { reveal: ['actor.name'] });
      assert.deepEqual(audit(text, vkey).findings, []);
      assert.match(audit(text, vkey).statements.join('\n'), /others, and legal holds, are not/);
      return rowsOf(inside(text))
        .map(([, entry]) => JSON.parse(entry))
        .filter((entry) => entry.id !== id)
        .map(({ action, metadata }) => [action, metadata.requestId ?? metadata.service].join(' ').trim());
    };
    assert.deepEqual(await supporting('e-3'), ['log.created']);
    assert.deepEqual(await supporting('e-1'), ['log.created', 'log.erased DSR-1']);
    assert.deepEqual(await supporting('e-2'), ['log.created', 'log.erased DSR-other']);
    assert.deepEqual(await supporting('later'), ['log.created', 'log.erased DSR-again']);
    assert.deepEqual(await supporting('counted'), ['log.created', 'log.source_gap app']);
    assert.ok(first.values > 0);
  });

  test('the first record of retention that covers a value that is gone, and no other', async (t) => {
    const dir = path.join(temporaryFolder(t), 'log');
    recordInThePast({ dir, daysAgo: 100, actions: ['record.written'] });
    recordInThePast({ dir, daysAgo: 1, actions: ['record.written'] });
    await using log = await openLog(dir, { heartbeatMs: 0, warn: () => {} });
    const keeping = { approvedBy: ['p_1', 'p_2'], delayMs: 0 };
    await log.retention.set([{ match: '*', keep: '90d' }], keeping);
    await log.retention.apply();
    const applied = (await log.query('action:log.retention_applied').page()).events;
    assert.equal(applied.length, 1);
    const written = (await log.query('action:record.written').page()).events.toSorted(
      (a, b) => a.index - b.index,
    );
    const made = async (id: string) => {
      let text = '';
      for await (const piece of log.evidence({ ids: [id] }, { by: { type: 'user', id: 'u_1' } }))
        text += piece;
      return { report: audit(text, log.vkey), support: inside(text)['support'] };
    };
    const [old, young] = await Promise.all([written[0]!, written[1]!].map(({ id }) => made(id)));
    assert.deepEqual([old!.report.findings, old!.support], [[], [0, applied[0]!.index]]);
    assert.ok(old!.report.counts.erased > 0);
    assert.deepEqual([young!.report.findings, young!.support], [[], [0]]);
  });

  test('what retention has not removed yet is left out, whatever index its record names', async (t) => {
    const { evidence, vkey, log } = await world(t);
    const rule = { match: '*', keep: '7y', before: '1970-01-01T00:00:00.000Z', below: 21 };
    await log.recordOwn(
      retentionAppliedEvent({ rules: [rule], values: 60, entries: 20, digest: '', policy: 0, heldBy: [] }),
    );
    const { ok, counts } = audit(await evidence({ query: '' }), vkey);
    assert.deepEqual([ok, counts.erased, counts.withheld], [true, 0, 60]);
  });

  test('attack-15: evidence of one log does not pass for another of the same name', async (t) => {
    const [mine, other] = [await world(t), await world(t)];
    const theirs = inside(await other.evidence({ query: '' }));
    assert.equal(accepts(mine.sealAgain(theirs), mine.vkey), false);
  });

  test('an id that is not there, and a log that is read only', async (t) => {
    const { evidence } = await world(t);
    await assert.rejects(evidence({ ids: ['nobody'] }), { code: 'not_found' });
    await assert.rejects(evidence({ query: '' }, { reveal: ['…', ''] }), { code: 'argument_invalid' });
    await assert.rejects(evidence({ query: 'nonsense:' }), { code: 'query_invalid' });
  });

  test('what the query asks is held against what is shown; where withheld values decide it, that is said', async (t) => {
    const { evidence, vkey } = await world(t);
    const asked = async (query: string, reveal: 'all' | 'none' = 'none') =>
      audit(await evidence({ query }, { reveal }), vkey).asked;
    assert.deepEqual(await asked('action:role.assigned'), { matched: 4, unjudged: 0 });
    assert.deepEqual(await asked('because action:user.*'), { matched: 0, unjudged: 16 });
    assert.deepEqual(await asked('because action:user.*', 'all'), { matched: 16, unjudged: 0 });
    assert.deepEqual(await asked('ip:192.0.2.7'), { matched: 0, unjudged: 1 });
    assert.deepEqual(await asked('ip:192.0.2.7', 'all'), { matched: 1, unjudged: 0 });
    assert.deepEqual(await asked('-because action:log.created', 'all'), { matched: 1, unjudged: 0 });
    const named = audit(await evidence({ ids: ['e-3', 'e-4', 'e-3'] }), vkey);
    assert.deepEqual([named.ok, named.asked], [true, { matched: 2, unjudged: 0 }]);
    assert.deepEqual(named.made.ids, ['e-3', 'e-4']);
  });

  test('one entry has no gap beside it; a number that is there twice makes up for no other', async (t) => {
    const { evidence, log, vkey } = await world(t, 3);
    for (const [id, seq] of [
      ['n-1', 1],
      ['n-1b', 1],
      ['n-3', 3],
    ] as const)
      await log.recordFor(
        { id, action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } },
        { service: 'app', counted: { instance: 'a-1', seq } },
      );
    const stated = async (...ids: string[]) => {
      const report = audit(await evidence({ ids }), vkey);
      assert.deepEqual(report.findings, []);
      return report.sources.filter(({ service }) => service === 'app');
    };
    assert.deepEqual(await stated('n-1', 'n-1b', 'n-3'), []);
    assert.deepEqual(await stated('n-1'), []);
    await log.recordFor(
      { id: 'n-2', action: 'user.signed_in', actor: { type: 'user', id: 'u_1' } },
      { service: 'app', counted: { instance: 'a-1', seq: 2 } },
    );
    assert.deepEqual(await stated('n-1', 'n-1b', 'n-3', 'n-2'), [
      { service: 'app', instance: 'a-1', from: 1, to: 3 },
    ]);
  });

  test('over a thousand entries stand in several blocks', async (t) => {
    const { evidence, vkey } = await world(t, 2500);
    const text = await evidence({ query: '' }, { reveal: 'all' });
    assert.ok((inside(text)['blocks'] as unknown as unknown[]).length >= 3);
    assert.equal(audit(text, vkey).ok, true);
    const some = await evidence({ query: 'action:role.assigned' });
    assert.deepEqual(audit(some, vkey).findings, []);
  });
});

/** What the holder of the key could sign in good form: each has to be found by what it says. */
const lies: Record<string, { code: string; change: (evidence: Record<string, never> & JsonObject) => void }> =
  {
    'another entry': {
      code: 'entry_unproven',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows[3]![1] = rows[3]![1].replace('u_', 'x_');
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'an entry at another index': {
      code: 'entry_unproven',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        [rows[3]![1], rows[4]![1]] = [rows[4]![1], rows[3]![1]];
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'an entry twice': {
      code: 'index_repeated',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows.splice(4, 0, rows[3]!);
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'an entry left out of what is called complete': {
      code: 'claim_unshown',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows.splice(5, 1);
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'a longer stretch than there is': {
      code: 'claim_unshown',
      change: (evidence) => set(evidence, 'complete', { from: 0, to: 4_000_000 }),
    },
    'a stretch of nothing': {
      code: 'claim_unshown',
      change: (evidence) => set(evidence, 'complete', { from: 3, to: 3 }),
    },
    'a source with more numbers than there are': {
      code: 'claim_unshown',
      change: (evidence) => {
        const sources = evidence['sources'] as unknown as { to: number }[];
        sources[0]!.to = 9_007_199_254_740_991;
      },
    },
    'another count': { code: 'claim_unshown', change: (evidence) => set(evidence, 'selected', 3) },
    'support that is not there': {
      code: 'claim_unshown',
      change: (evidence) => set(evidence, 'support', [4_000]),
    },
    'an event among the entries in support': {
      code: 'claim_unshown',
      change: (evidence) => {
        set(evidence, 'support', [3]);
        set(evidence, 'selected', 20);
      },
    },
    'a source named often': {
      code: 'claim_unshown',
      change: (evidence) => {
        const [source] = evidence['sources'] as unknown as object[];
        set(
          evidence,
          'sources',
          Array.from({ length: 100_000 }, () => source),
        );
      },
    },
    'a query that an entry does not match': {
      code: 'selection_mismatch',
      change: (evidence) => setMade(evidence, { query: 'action:role.assigned' }),
    },
    'a query that is none': {
      code: 'selection_mismatch',
      change: (evidence) => setMade(evidence, { query: 'nonsense:' }),
    },
    'a query and ids': {
      code: 'selection_mismatch',
      change: (evidence) => setMade(evidence, { ids: ['e-1'] }),
    },
    'neither a query nor ids': {
      code: 'selection_mismatch',
      change: (evidence) => setMade(evidence, { query: null }),
    },
    'fewer ids than entries': {
      code: 'selection_mismatch',
      change: (evidence) => setMade(evidence, { query: null, ids: ['e-1'] }),
    },
    'an id without its entry': {
      code: 'selection_mismatch',
      change: (evidence) => {
        const ids = rowsOf(evidence).map(([, entry]) => JSON.parse(entry).id as string);
        setMade(evidence, { query: null, ids: [...ids, 'e-none'] });
      },
    },
    'without the first entry': {
      code: 'genesis_invalid',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows.shift();
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'another value': {
      code: 'disclosure_altered',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows[3]![2] = rows[3]![2].map((text) => text.replace('Person', 'Nobody'));
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'a value of another entry': {
      code: 'disclosure_altered',
      change: (evidence) => {
        const rows = rowsOf(evidence);
        rows[3]![2] = rows[4]![2];
        set(evidence, 'blocks', [blockOf(rows)]);
      },
    },
    'another tile': {
      code: 'tile_mismatch',
      change: (evidence) => {
        const [tile] = evidence['tiles'] as unknown as { hashes: string }[];
        tile!.hashes = `A${tile!.hashes.slice(1)}`;
      },
    },
    'a tile twice': {
      code: 'tile_mismatch',
      change: (evidence) => {
        const tiles = evidence['tiles'] as unknown as unknown[];
        tiles.push(tiles[0]);
      },
    },
    'a tile of no tree': {
      code: 'tile_mismatch',
      change: (evidence) => {
        const tiles = evidence['tiles'] as unknown as { level: number }[];
        tiles.push({ ...tiles[0]!, level: 5 });
      },
    },
    'no tiles': { code: 'tile_mismatch', change: (evidence) => set(evidence, 'tiles', []) },
    'another name': {
      code: 'origin_mismatch',
      change: (evidence) => set(evidence, 'origin', 'example.com/other'),
    },
    'a checkpoint that is none': {
      code: 'checkpoint_invalid',
      change: (evidence) => set(evidence, 'checkpoint', 'nothing'),
    },
    'a smaller size in the checkpoint': {
      code: 'checkpoint_invalid',
      change: (evidence) =>
        set(
          evidence,
          'checkpoint',
          (evidence['checkpoint'] as unknown as string).replace('\n21\n', '\n20\n'),
        ),
    },
  };

function set(evidence: Record<string, never> & JsonObject, name: string, value: unknown): void {
  (evidence as Record<string, unknown>)[name] = value;
}

function setMade(evidence: Record<string, never> & JsonObject, change: object): void {
  set(evidence, 'made', { ...(evidence['made'] as object), ...change });
}

describe('what the holder of the key signs falsely', () => {
  for (const [name, { code, change }] of Object.entries(lies)) {
    test(name, async (t) => {
      const { evidence, vkey, sealAgain } = await world(t);
      const told = inside(await evidence({ query: '' }, { reveal: 'all' }));
      assert.equal(accepts(sealAgain(told), vkey), true);
      change(told);
      const report = audit(sealAgain(told), vkey);
      assert.ok(
        report.findings.some((finding) => finding.code === code),
        JSON.stringify(report.findings),
      );
    });
  }
});
