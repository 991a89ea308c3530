import assert from 'node:assert/strict';
import { cpSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { verifyLog } from 'indelible';
import { base64Decode, utf8Encode } from 'indelible/bytes';
import { parseQuery } from 'indelible/event';
import { decodeEntryBundle, hashLeaf } from 'indelible/merkle';
import { verifyProof } from 'indelible/verify';
import type {
  EventPage,
  EventWire,
  LogList,
  LogSummary,
  ReceiptWire,
  RecordAnswer,
  Stats,
  Verification,
} from 'indelible/wire';
import { callerWith, Routes } from './calls.ts';

const event = (id: string, more: object = {}) => ({
  id,
  action: 'user.signed_in',
  actor: { type: 'user', id: 'u_1', name: 'Ada' },
  ...more,
});

async function withLog(t: TestContext, name = 'main'): Promise<{ routes: Routes; summary: LogSummary }> {
  const routes = new Routes(t);
  const created = await routes.call('createLog', { json: { name } });
  assert.equal(created.status, 201);
  const summary = (await created.json()) as LogSummary;
  return { routes, summary };
}

describe('logs', () => {
  test('a log is made once, listed, and is a folder like any other log', async (t) => {
    const { routes, summary } = await withLog(t);
    assert.equal(summary.origin, 'localhost/main');
    assert.equal(summary.size, 1);
    await assert.rejects(routes.call('createLog', { json: { name: 'main' } }), { code: 'log_exists' });
    await assert.rejects(routes.call('createLog', { json: { name: '../up' } }), { code: 'option_invalid' });
    const list = (await (await routes.call('listLogs')).json()) as { logs: LogSummary[] };
    assert.deepEqual(
      list.logs.map(({ name }) => name),
      ['main'],
    );
    await routes.logs.close();
    const report = await verifyLog(join(routes.dataDir, 'logs', 'main'), { vkey: summary.vkey });
    assert.equal(report.findings.length, 0);
  });

  test('a caller that is bound to a log sees that one alone, and makes none', async (t) => {
    const { routes } = await withLog(t);
    await routes.call('createLog', { json: { name: 'other' } });
    const caller = callerWith({ log: 'other' });
    const list = (await (await routes.call('listLogs', { caller })).json()) as { logs: LogSummary[] };
    assert.deepEqual(
      list.logs.map(({ name }) => name),
      ['other'],
    );
    await assert.rejects(routes.call('createLog', { json: { name: 'third' }, caller }), {
      code: 'not_found',
    });
  });

  test('opening the tree to everybody is an entry, and outlives the server', async (t) => {
    const { routes } = await withLog(t);
    const changed = await routes.call('changeLog', { log: 'main', json: { isPublic: true } });
    assert.equal(((await changed.json()) as LogSummary).isPublic, true);
    const found = await query(routes, { q: 'action:log.config_changed' });
    assert.equal(found.events[0]!.actor.id, 'k1');
    await routes.logs.close();
    const again = new Routes(t, {}, routes.dataDir);
    assert.equal((await again.logs.summary('main'))!.isPublic, true);
  });

  test('more logs than may be open are used in turn, and each keeps what it was given', async (t) => {
    const routes = new Routes(t, { openMax: 2 });
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) await routes.call('createLog', { json: { name } });
    await Promise.all(
      names.flatMap((log) =>
        [1, 2, 3].map((count) => routes.call('recordEvents', { log, json: event(`${log}-${count}`) })),
      ),
    );
    for (const log of names) {
      for (const count of [1, 2, 3]) {
        const found = await routes.call('getEvent', { log, params: { id: `${log}-${count}` } });
        assert.equal(found.status, 200);
      }
    }
  });
});

test('a list of many logs opens none of them, comes page by page, and says which it cannot read', async (t) => {
  const { routes } = await withLog(t, 'log-000');
  await routes.logs.close();
  const folder = join(routes.dataDir, 'logs');
  for (let count = 1; count < 300; count += 1) {
    cpSync(join(folder, 'log-000'), join(folder, `log-${String(count).padStart(3, '0')}`), {
      recursive: true,
    });
  }
  writeFileSync(join(folder, 'log-123', 'log.db'), 'this is no log');
  const many = new Routes(t, { openMax: 4 }, routes.dataDir);
  const names: string[] = [];
  const unreadable: string[] = [];
  for (let after: string | undefined; ; ) {
    const answer = await many.call('listLogs', { query: after === undefined ? {} : { after } });
    const page = (await answer.json()) as LogList;
    assert.ok(page.logs.length <= 100);
    names.push(...page.logs.map(({ name }) => name));
    unreadable.push(...(page.unreadable ?? []));
    assert.equal((await many.logs.vitals()).open, 0);
    if (page.next === undefined) break;
    after = page.next;
  }
  assert.equal(names.length, 299);
  assert.equal(new Set(names).size, 299);
  assert.deepEqual(unreadable, ['log-123']);
  // Those that are used take their turns.
  for (const log of names.slice(0, 12)) {
    assert.equal((await many.call('getLog', { log })).status, 200);
    assert.ok((await many.logs.vitals()).open <= 4);
  }
});

async function query(routes: Routes, asked: object, more: object = {}): Promise<EventPage> {
  const answer = await routes.call('queryEvents', { log: 'main', query: asked as never, ...more });
  assert.equal(answer.status, 200);
  return (await answer.json()) as EventPage;
}

describe('recording', () => {
  test('one event: its receipt, its proof, service and credential from the key', async (t) => {
    const { routes, summary } = await withLog(t);
    const answer = await routes.call('recordEvents', {
      log: 'main',
      json: event('e1'),
      query: { prove: true },
    });
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get('location'), '/v1/logs/main/events/e1');
    const receipt = (await answer.json()) as ReceiptWire;
    const entry = base64Decode(receipt.bytes!.entry);
    assert.equal(receipt.leafHash, Buffer.from(hashLeaf(entry)).toString('base64'));
    const proof = utf8Encode(receipt.proof!);
    verifyProof({ proof, entry, policy: { vkey: summary.vkey } });
    assert.ok(receipt.proof!.endsWith(receipt.checkpoint));
    const { source } = JSON.parse(new TextDecoder().decode(entry));
    assert.equal(source.service, 'billing');
    assert.equal(source.credential, 'k1');
    assert.equal(source.seq, null);
  });

  test('attack-14: a request that is sent again records nothing; another credential does not get its receipt', async (t) => {
    const { routes } = await withLog(t);
    const first = (await (
      await routes.call('recordEvents', { log: 'main', json: event('e1') })
    ).json()) as ReceiptWire;
    const again = (await (
      await routes.call('recordEvents', { log: 'main', json: event('e1') })
    ).json()) as ReceiptWire;
    assert.equal(again.index, first.index);
    assert.equal(again.leafHash, first.leafHash);
    await assert.rejects(
      routes.call('recordEvents', { log: 'main', json: event('e1'), caller: callerWith({ id: 'k2' }) }),
      { code: 'id_conflict' },
    );
    await assert.rejects(
      routes.call('recordEvents', { log: 'main', json: event('e1', { outcome: 'denied' }) }),
      { code: 'id_conflict' },
    );
  });

  test('Idempotency-Key is the id of an event that has none', async (t) => {
    const { routes } = await withLog(t);
    const { id: _id, ...nameless } = event('x');
    const headers = { 'idempotency-key': 'key-1' };
    const send = async (json: unknown) =>
      (await (await routes.call('recordEvents', { log: 'main', json, headers })).json()) as ReceiptWire;
    const first = await send(nameless);
    assert.equal(first.id, 'key-1');
    assert.equal((await send(nameless)).index, first.index);
    await assert.rejects(send(event('other')), { code: 'event_field_invalid', pointer: '/id' });
    await assert.rejects(send([nameless]), { code: 'event_field_invalid' });
  });

  test('many events: each has its own result, in an array and in lines', async (t) => {
    const { routes } = await withLog(t);
    const json = [event('a'), { action: 'nobody' }, event('b')];
    const answer = (await (
      await routes.call('recordEvents', { log: 'main', json, query: { prove: true } })
    ).json()) as RecordAnswer;
    assert.deepEqual(
      answer.results.map(({ ok }) => ok),
      [true, false, true],
    );
    const refused = answer.results[1]!;
    assert.ok(!refused.ok && refused.problem.code === 'event_field_missing');
    for (const result of answer.results) {
      if (result.ok) assert.ok(result.receipt.proof!.endsWith(answer.checkpoint!));
    }
    const ndjson = `${JSON.stringify(event('c'))}\n\n{"a":1,"a":2}\n${JSON.stringify(event('d'))}\r\n`;
    const lines = (await (await routes.call('recordEvents', { log: 'main', ndjson })).json()) as RecordAnswer;
    assert.deepEqual(
      lines.results.map(({ ok }) => ok),
      [true, false, true],
    );
    const tooMany = Array.from({ length: 1001 }, (_, count) => event(`m${count}`));
    await assert.rejects(routes.call('recordEvents', { log: 'main', json: tooMany }), {
      code: 'event_too_large',
    });
  });

  test('a sender may say which of its events it is, and nothing else of itself', async (t) => {
    const { routes } = await withLog(t);
    const instance = '01890000-0000-7000-8000-000000000001';
    const source = { instance, seq: 7, version: '2.0', handedInAt: '2026-01-01T00:00:00.000Z' };
    await routes.call('recordEvents', { log: 'main', json: { ...event('e1'), source } });
    const found = (await (
      await routes.call('getEvent', { log: 'main', params: { id: 'e1' } })
    ).json()) as EventWire;
    assert.deepEqual(found.source, {
      service: 'billing',
      credential: 'k1',
      instance,
      seq: 7,
      version: '2.0',
    });
    assert.equal(found.occurredAt, source.handedInAt);
    for (const [bad, pointer] of [
      [{ ...source, service: 'other' }, '/source/service'],
      [{ ...source, credential: 'k9' }, '/source/credential'],
      [{ ...source, seq: -1 }, '/source/seq'],
      [{ ...source, handedInAt: 'yesterday' }, '/source/handedInAt'],
      [{ ...source, handedInAt: '2999-01-01T00:00:00.000Z' }, '/source/handedInAt'],
    ] as const) {
      await assert.rejects(
        routes.call('recordEvents', { log: 'main', json: { ...event('e2'), source: bad } }),
        { name: 'EventError', pointer },
      );
    }
    await assert.rejects(
      routes.call('recordEvents', { log: 'main', json: event('e3', { action: 'log.created' }) }),
      { code: 'action_reserved' },
    );
  });
});

describe('reading', () => {
  test('pages, with the bytes that prove them, and an ETag until something is recorded', async (t) => {
    const { routes } = await withLog(t);
    const json = Array.from({ length: 25 }, (_, count) => event(`e${count}`));
    await routes.call('recordEvents', { log: 'main', json });
    const first = await routes.call('queryEvents', {
      log: 'main',
      query: { q: 'actor:u_1', limit: 10, include: 'entry' },
    });
    const page = (await first.json()) as EventPage;
    assert.deepEqual(
      page.events.map(({ id }) => id),
      json
        .slice(15)
        .map(({ id }) => id)
        .reverse(),
    );
    for (const { leafHash, bytes } of page.events) {
      assert.equal(Buffer.from(hashLeaf(base64Decode(bytes!.entry))).toString('base64'), leafHash);
      assert.equal(bytes!.disclosures.length, 1);
    }
    const second = await query(routes, { q: 'actor:u_1', limit: 10, cursor: page.next });
    assert.equal(second.events[0]!.id, 'e14');
    const etag = first.headers.get('etag')!;
    const ask = { log: 'main', query: { q: 'actor:u_1', limit: 10, include: 'entry' } };
    const same = await routes.call('queryEvents', { ...ask, headers: { 'if-none-match': etag } });
    assert.equal(same.status, 304);
    await routes.call('recordEvents', { log: 'main', json: event('new') });
    const changed = await routes.call('queryEvents', { ...ask, headers: { 'if-none-match': etag } });
    assert.equal(changed.status, 200);
  });

  test('attack-30: a cursor is of no use in another log, under another query, or under another filter', async (t) => {
    const { routes } = await withLog(t);
    await routes.call('createLog', { json: { name: 'other' } });
    for (const log of ['main', 'other']) {
      await routes.call('recordEvents', { log, json: Array.from({ length: 5 }, (_, n) => event(`e${n}`)) });
    }
    const { next } = await query(routes, { limit: 2 });
    assert.ok(next);
    const refused = { code: 'cursor_invalid' };
    const cursor = next;
    await assert.rejects(routes.call('queryEvents', { log: 'other', query: { limit: 2, cursor } }), refused);
    await assert.rejects(query(routes, { limit: 2, cursor, q: 'actor:u_1' }), refused);
    await assert.rejects(query(routes, { limit: 2, cursor: `${cursor.slice(0, -1)}A` }), refused);
    await assert.rejects(query(routes, { limit: 2, cursor: '' }), refused);
    const caller = callerWith({ filter: parseQuery('actor:u_1') });
    await assert.rejects(query(routes, { limit: 2, cursor }, { caller }), refused);
  });

  test('attack-30: a caller with a filter sees nothing else, whatever it asks, by whatever route', async (t) => {
    const { routes } = await withLog(t);
    const hidden = { actor: { type: 'user', id: 'u_2' } };
    await routes.call('recordEvents', { log: 'main', json: [event('mine'), event('theirs', hidden)] });
    const caller = callerWith({ kind: 'viewer-token', filter: parseQuery('actor:user/u_1') });
    for (const q of ['', 'actor:u_2 OR actor:u_1', 'theirs', '-actor:u_1', 'actor:u_2) OR (*']) {
      const answer = await query(routes, { q }, { caller }).catch((error) => {
        assert.equal(error.code, 'query_invalid');
        return { events: [] };
      });
      assert.ok(
        answer.events.every(({ id }) => id === 'mine'),
        q,
      );
    }
    for (const operation of ['getEvent', 'proveEvent', 'getEntry']) {
      for (const id of ['theirs', 'never-was']) {
        const given = { log: 'main', params: { id }, caller };
        await assert.rejects(routes.call(operation, given), {
          code: 'not_found',
          message: 'There is nothing here under this name.',
        });
      }
      assert.equal(
        (await routes.call(operation, { log: 'main', params: { id: 'mine' }, caller })).status,
        200,
      );
    }
    const bundle = { log: 'main', params: { bundle: '000.p/3' } };
    await assert.rejects(routes.call('getEntryBundle', { ...bundle, caller }), { code: 'not_found' });
    assert.equal((await routes.call('getEntryBundle', bundle)).status, 200);
  });

  test('attack-32: what costs too much to read as a query is refused, not tried', async (t) => {
    const { routes } = await withLog(t);
    const begun = performance.now();
    for (const q of [
      '('.repeat(2000),
      `${'a '.repeat(2000)}`,
      `"${'a'.repeat(4000)}*`,
      `${'-'.repeat(4000)}a`,
    ]) {
      await query(routes, { q }).catch((error) => assert.equal(error.code, 'query_invalid'));
    }
    assert.ok(performance.now() - begun < 5000);
  });

  test('proof and entry are what indelible verify takes', async (t) => {
    const { routes, summary } = await withLog(t);
    await routes.call('recordEvents', { log: 'main', json: event('e1') });
    const given = { log: 'main', params: { id: 'e1' } };
    const proof = await (await routes.call('proveEvent', given)).text();
    const entry = new Uint8Array(await (await routes.call('getEntry', given)).arrayBuffer());
    verifyProof({ proof: utf8Encode(proof), entry, policy: { vkey: summary.vkey } });
  });

  test('checkpoint, tiles and bundles are those of c2sp.org/tlog-tiles', async (t) => {
    const { routes } = await withLog(t);
    const json = Array.from({ length: 300 }, (_, count) => event(`e${count}`));
    await routes.call('recordEvents', { log: 'main', json });
    const note = await (await routes.call('getCheckpoint', { log: 'main', caller: undefined })).text();
    const size = Number(note.split('\n')[1]);
    assert.ok(size >= 301 && size < 512);
    const bytes = async (operation: string, params: Record<string, string>, headers = {}) =>
      new Uint8Array(await (await routes.call(operation, { log: 'main', params, headers })).arrayBuffer());
    const width = size - 256;
    for (const [bundle, tile, count] of [
      ['000', '0/000', 256],
      [`001.p/${width}`, `0/001.p/${width}`, width],
      ['000.p/17', '0/000.p/17', 17],
      ['001.p/1', '0/001.p/1', 1],
    ] as const) {
      const entries = decodeEntryBundle(await bytes('getEntryBundle', { bundle }), count);
      const hashes = await bytes('getTile', { tile });
      assert.deepEqual(hashes, new Uint8Array(Buffer.concat(entries.map((entry) => hashLeaf(entry)))));
    }
    assert.equal((await bytes('getTile', { tile: '1/000.p/1' })).length, 32);
    for (const tile of [
      '0/001',
      `0/001.p/${width + 1}`,
      '0/002',
      '1/000',
      '2/000.p/1',
      '0/1',
      '64/000',
      '0/000.p/0',
      'x',
    ]) {
      await assert.rejects(bytes('getTile', { tile }), { code: 'not_found' }, tile);
    }
    const packed = await routes.call('getEntryBundle', {
      log: 'main',
      params: { bundle: '000' },
      headers: { 'accept-encoding': 'br, gzip' },
    });
    assert.equal(packed.headers.get('content-encoding'), 'gzip');
    const inflated = gunzipSync(new Uint8Array(await packed.arrayBuffer()));
    assert.deepEqual(new Uint8Array(inflated), await bytes('getEntryBundle', { bundle: '000' }));
  });
});

describe('what reading leaves behind', () => {
  test('one log.viewed for each reader; what was looked for is sealed', async (t) => {
    const { routes } = await withLog(t);
    await routes.call('recordEvents', { log: 'main', json: event('e1') });
    for (let count = 0; count < 5; count += 1)
      await query(routes, { q: 'actor:secret-person outcome:success' });
    await query(routes, {}, { caller: callerWith({ id: 'k2' }) });
    await routes.logs.views.flush();
    const taken = (await routes.logs.take('main'))!;
    const texts: string[] = [];
    for await (const { entry, disclosures } of taken.log.entries({ from: 2 })) {
      texts.push(new TextDecoder().decode(entry));
      if (texts.at(-1)!.includes('"id":"k1"'))
        assert.ok(disclosures.some((text) => text.includes('secret-person')));
    }
    taken.release();
    const viewed = texts.filter((text) => text.includes('"log.viewed"')).map((text) => JSON.parse(text));
    assert.equal(viewed.length, 2);
    assert.ok(!texts.join('').includes('secret-person'));
    const first = viewed.find(({ actor }) => actor.id === 'k1');
    assert.equal(first.metadata.requests, 5);
    assert.deepEqual(first.metadata.fields, ['actor', 'outcome']);
  });

  test('what was read is recorded when the server stops', async (t) => {
    const { routes } = await withLog(t);
    await query(routes, {});
    await routes.logs.close();
    const again = new Routes(t, {}, routes.dataDir);
    assert.equal((await query(again, { q: 'action:log.viewed' })).events.length, 1);
  });
});

describe('taking away, and looking on', () => {
  test('attack-25: an export has everything, and no cell that a spreadsheet runs; it is an entry itself', async (t) => {
    const { routes } = await withLog(t);
    const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\uff1d1+1', '  =1'];
    const json = formulas.map((name, n) => event(`e${n}`, { actor: { type: 'user', id: `u_${n}`, name } }));
    await routes.call('recordEvents', { log: 'main', json });
    const lines = await (await routes.call('exportEvents', { log: 'main' })).text();
    const events = lines
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as EventWire);
    assert.deepEqual(
      events.slice(-8).map(({ actor }) => actor['name']),
      formulas,
    );
    const csv = await (
      await routes.call('exportEvents', { log: 'main', query: { format: 'csv', q: 'action:user.*' } })
    ).text();
    const records = csv.trimEnd().split('\r\n');
    assert.equal(records.length, 9);
    for (const cell of csv.split(/[,\r\n]+/))
      assert.doesNotMatch(cell.replace(/^"/, ''), /^\s*[=+\-@\uff1d]/u);
    const { events: exported } = await query(routes, { q: 'action:log.exported' });
    assert.equal(exported.length, 2);
    assert.deepEqual((exported[0]!.metadata as { queries: string[] }).queries, ['action:user.*']);
    assert.equal((exported[0]!.metadata as { events: number }).events, 8);
  });

  test('attack-30: an export and a stream of a caller with a filter hold nothing else', async (t) => {
    const { routes } = await withLog(t);
    const json = [event('mine'), event('theirs', { actor: { type: 'user', id: 'u_2' } })];
    await routes.call('recordEvents', { log: 'main', json });
    const caller = callerWith({ filter: parseQuery('actor:user/u_1') });
    const lines = await (await routes.call('exportEvents', { log: 'main', caller })).text();
    assert.deepEqual(
      lines
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as EventWire).id),
      ['mine'],
    );
    const stream = await routes.call('streamEvents', { log: 'main', caller, query: { from: 0 } });
    const { text, reader } = await until(stream, (said) => said.includes('"mine"'));
    assert.ok(!text.includes('theirs'));
    await reader.cancel();
  });

  test('an export that is given up is recorded as not whole, and lets the log go', async (t) => {
    const { routes } = await withLog(t);
    const json = Array.from({ length: 900 }, (_, n) => event(`e${n}`, { reason: 'because '.repeat(100) }));
    await routes.call('recordEvents', { log: 'main', json });
    const reader = (await routes.call('exportEvents', { log: 'main' })).body!.getReader();
    await reader.read();
    await reader.cancel();
    const { events } = await query(routes, { q: 'action:log.exported' });
    assert.equal((events[0]!.metadata as { isWhole: boolean }).isWhole, false);
  });

  test('a stream tells what is recorded, and goes on behind Last-Event-ID', async (t) => {
    const { routes } = await withLog(t);
    const stream = await routes.call('streamEvents', { log: 'main', query: { q: 'action:user.*' } });
    assert.equal(stream.headers.get('content-type'), 'text/event-stream');
    await routes.call('recordEvents', {
      log: 'main',
      json: [event('a'), event('b', { action: 'doc.read' })],
    });
    await routes.call('recordEvents', { log: 'main', json: event('c') });
    const { text, reader } = await until(stream, (said) => said.includes('"c"'));
    await reader.cancel();
    const ids = [...text.matchAll(/^id: (\d+)\nevent: event$/gm)].map(([, id]) => Number(id));
    assert.equal(ids.length, 2);
    const resumed = await routes.call('streamEvents', {
      log: 'main',
      headers: { 'last-event-id': String(ids[0]) },
    });
    const rest = await until(resumed, (said) => said.includes('"c"'));
    assert.ok(rest.text.includes('"b"') && !rest.text.includes('"id":"a"'));
    await rest.reader.cancel();
  });

  test('one credential has so many streams and exports under way, and others are served all the same', async (t) => {
    const { routes } = await withLog(t);
    const json = Array.from({ length: 300 }, (_, n) => event(`e${n}`, { reason: 'because '.repeat(100) }));
    await routes.call('recordEvents', { log: 'main', json });
    for (const [operation, most] of [
      ['streamEvents', 16],
      ['exportEvents', 4],
    ] as const) {
      const open: Response[] = [];
      for (let count = 0; count < most; count += 1) open.push(await routes.call(operation, { log: 'main' }));
      await assert.rejects(routes.call(operation, { log: 'main' }), {
        code: 'too_many_open',
        status: 429,
        details: { retryAfter: 5 },
      });
      open.push(await routes.call(operation, { log: 'main', caller: callerWith({ id: 'k2' }) }));
      await open.shift()!.body!.cancel();
      open.push(await routes.call(operation, { log: 'main' }));
      for (const { body } of open) await body!.cancel();
    }
  });

  test('counts over HTTP', async (t) => {
    const { routes } = await withLog(t);
    await routes.call('recordEvents', { log: 'main', json: [event('a'), event('b', { outcome: 'denied' })] });
    const stats = (await (
      await routes.call('countEvents', { log: 'main', query: { q: 'actor:u_1' } })
    ).json()) as Stats;
    assert.equal(stats.total, 2);
    assert.deepEqual(stats.byActor, [{ value: 'user/u_1', count: 2 }]);
    assert.equal(
      stats.buckets.reduce((sum, { unsuccessful }) => sum + unsuccessful, 0),
      1,
    );
    assert.equal(stats.isExact, true);
  });
});

/** Reads a stream until what it said is enough. */
async function until(
  answer: Response,
  isEnough: (said: string) => boolean,
): Promise<{ text: string; reader: ReadableStreamDefaultReader<Uint8Array> }> {
  const reader = answer.body!.getReader();
  let text = '';
  while (!isEnough(text)) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  return { text, reader };
}

describe('a log that was changed under the server', () => {
  test('audits of all logs: whole at first, then the tree; a sound log is found sound', async (t) => {
    const { routes } = await withLog(t);
    await routes.call('recordEvents', { log: 'main', json: [event('a'), event('b')] });
    await routes.logs.audits.all();
    await routes.logs.audits.all();
    const told = (await (await routes.call('getVerification', { log: 'main' })).json()) as Verification;
    assert.equal(told.lastWhole?.isIntact, true);
    assert.equal(told.last?.depth, 'incremental');
    assert.equal(told.last?.isIntact, true);
    assert.equal(told.last?.size, told.size);
    assert.deepEqual(told.gaps, []);
    const rowOf = (part: string) => told.tier.exposure.find(({ who }) => who.includes(part))!;
    assert.equal(rowOf('write to the disk').answered, 'part', 'the mark lies where the log lies');
    assert.equal(rowOf('holds the signing key').answered, 'none');
    const hasRootKey = existsSync(join(routes.dataDir, 'logs', 'main', 'root.key'));
    assert.equal(rowOf('copies the files').answered, hasRootKey ? 'none' : 'part');
    assert.equal(told.isRunning, false);
  });

  test('a log that was put back to an earlier state, its mark gone, is found by every audit from then on', async (t) => {
    const { routes } = await withLog(t);
    const folder = join(routes.dataDir, 'logs', 'main');
    await routes.logs.close();
    cpSync(folder, `${folder}.earlier`, { recursive: true });
    const later = new Routes(t, {}, routes.dataDir);
    await later.call('recordEvents', { log: 'main', json: event('late') });
    await later.logs.audits.all();
    assert.deepEqual(later.logs.audits.broken(), []);
    await later.logs.close();
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.earlier`, folder);
    rmSync(`${folder}.mark`);
    const again = new Routes(t, {}, routes.dataDir);
    const taken = await again.logs.take('main');
    try {
      for (const depth of ['whole', 'incremental', 'whole'] as const) {
        const { isIntact, findings } = await again.logs.audits.run(taken!, depth);
        assert.equal(isIntact, false, depth);
        assert.equal(findings[0]?.code, 'rolled_back', depth);
      }
    } finally {
      taken?.release();
    }
  });

  test('an hourly audit finds what was changed since the last one, a whole one what was changed before; both outlive the server', async (t) => {
    for (const index of [2, 5]) {
      const { routes } = await withLog(t);
      await routes.call('recordEvents', { log: 'main', json: [event('a'), event('b')] });
      await routes.logs.audits.all();
      await routes.call('recordEvents', { log: 'main', json: [event('c'), event('d')] });
      await routes.logs.close();
      const db = new DatabaseSync(join(routes.dataDir, 'logs', 'main', 'log.db'), { timeout: 10_000 });
      const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
      for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
      const changed = "CAST(replace(CAST(entry AS TEXT), 'u_1', 'u_9') AS BLOB)";
      db.exec(`UPDATE entries SET entry = ${changed} WHERE idx = ${index}`);
      for (const { sql } of triggers) db.exec(String(sql));
      db.close();
      const again = new Routes(t, {}, routes.dataDir);
      assert.equal(again.logs.audits.of('main').lastWhole?.isIntact, true);
      const taken = (await again.logs.take('main'))!;
      const hourly = await again.logs.audits.run(taken, 'incremental');
      assert.equal(hourly.depth, 'incremental');
      assert.equal(hourly.isIntact, index === 2, `${index} ${JSON.stringify(hourly)}`);
      const whole = await again.logs.audits.run(taken, 'whole');
      assert.equal(whole.isIntact, false, `${index} ${JSON.stringify(whole)}`);
      taken.release();
    }
  });

  test('an entry that was changed is not proven, nor is anything recorded on top after a restart', async (t) => {
    const { routes } = await withLog(t);
    const json = [event('e1'), event('e2')];
    await routes.call('recordEvents', { log: 'main', json });
    const database = join(routes.dataDir, 'logs', 'main', 'log.db');
    assert.ok(existsSync(database));
    const db = new DatabaseSync(database, { timeout: 10_000 });
    // Whoever owns the disk takes the triggers away, and puts them back.
    const triggers = db.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
    db.exec(
      "UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'u_1', 'u_9') AS BLOB) WHERE idx = 2",
    );
    for (const { sql } of triggers) db.exec(String(sql));
    db.close();
    await assert.rejects(routes.call('proveEvent', { log: 'main', params: { id: 'e1' } }), {
      code: 'log_damaged',
    });
    assert.deepEqual(routes.logs.audits.broken(), []);
    const audited = (await (await routes.call('startAudit', { log: 'main' })).json()) as Verification;
    assert.equal(audited.lastWhole?.isIntact, false);
    // Below the first full tile the tree tells no more than that something within was changed.
    assert.ok(audited.last!.findings.length > 0);
    assert.deepEqual(routes.logs.audits.broken(), ['main']);
    const shown = (await (
      await routes.call('getEvent', { log: 'main', params: { id: 'e1' }, query: { include: 'entry' } })
    ).json()) as EventWire;
    assert.equal(shown.actor.id, 'u_9');
    await routes.logs.close();
    const again = new Routes(t, {}, routes.dataDir);
    await assert.rejects(again.call('recordEvents', { log: 'main', json: event('e3') }), {
      code: 'log_damaged',
    });
    assert.equal((await again.call('getCheckpoint', { log: 'main' })).status, 200);
    assert.ok(again.warnings.some((warning) => warning.includes('log_damaged')));
  });
});
