// What is read from a server that lies: whatever is shown to the caller has been checked.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RecordedEvent, readSigner } from 'indelible';
import { type AuditClient, EMPTY_PAGES_MAX } from 'indelible/client';
import { erasedEvent } from 'indelible/event';
import { signNote } from 'indelible/note';
import { signIn } from '../support/folders.ts';
import { all, makeWorld, type World } from './world.ts';

interface Shown extends Record<string, unknown> {
  index: number;
  bytes: { entry: string; disclosures: string[] };
}

/** The events of an answer, whether it is a page or one of them. */
function shownIn(answer: Record<string, unknown>): Shown[] {
  return (
    (answer['events'] as Shown[] | undefined) ?? (answer['bytes'] === undefined ? [] : [answer as Shown])
  );
}

/** Bends every event that the server shows. */
function bendEach(world: World, bend: (shown: Shown) => void): void {
  world.server.bend = (_, answer) => {
    shownIn(answer).forEach(bend);
    return answer;
  };
}

function bendPage(world: World, bend: (events: Shown[], page: Record<string, unknown>) => void): void {
  world.server.bend = (_, answer) => {
    if (answer['events'] !== undefined) bend(answer['events'] as Shown[], answer);
    return answer;
  };
}

async function readsAll(client: AuditClient): Promise<Record<string, RecordedEvent[]>> {
  return {
    get: [(await client.get('e-1'))!],
    page: [...(await client.query('id:e-1').page()).events],
    iteration: await all(client.query('id:e-1')),
  };
}

async function refusedEverywhere(client: AuditClient, code: string): Promise<void> {
  const error = { name: 'VerificationError', code };
  await assert.rejects(client.get('e-1'), error);
  await assert.rejects(client.prove('e-1'), error);
  await assert.rejects(client.query('id:e-1').page(), error);
  await assert.rejects(all(client.query('id:e-1')), error);
}

async function makeRead(t: Parameters<typeof makeWorld>[0]) {
  const world = await makeWorld(t);
  await world.log.recordMany([signIn('e-0', 'u_0'), signIn('e-1'), signIn('e-2', 'u_2')]);
  return { ...world, remote: world.client() };
}

test('a field that a server edits in its answer is not shown: events are made of the bytes', async (t) => {
  const world = await makeRead(t);
  const truth = await world.log.get('e-1');
  bendEach(world, (shown) => {
    shown['action'] = 'user.signed_out';
    shown['actor'] = { type: 'user', id: 'u_9' };
  });
  for (const [how, events] of Object.entries(await readsAll(world.remote)))
    assert.deepEqual(events, [truth], how);
});

test('an edited entry, an edited value, a foreign or a repeated value: each has its code', async (t) => {
  const world = await makeRead(t);
  const edit = (text: string) =>
    Buffer.from(Buffer.from(text, 'base64').toString().replace('u_1', 'u_9')).toString('base64');
  bendEach(world, ({ bytes }) => {
    bytes.entry = edit(bytes.entry);
  });
  await refusedEverywhere(world.remote, 'inclusion_invalid');
  bendEach(world, ({ bytes }) => {
    bytes.disclosures = bytes.disclosures.map((text) => text.replace('Name of u_1', 'Name of u_9'));
  });
  await refusedEverywhere(world.remote, 'disclosure_unmatched');
  bendEach(world, ({ bytes }) => bytes.disclosures.push('["AAAAAAAAAAAAAAAAAAAAAA","reason","because"]'));
  await refusedEverywhere(world.remote, 'disclosure_unmatched');
  bendEach(world, ({ bytes }) => bytes.disclosures.push(bytes.disclosures[0]!));
  await refusedEverywhere(world.remote, 'disclosure_unmatched');
});

test('another entry than the one that was asked for, true in every part, is refused', async (t) => {
  const world = await makeRead(t);
  const other = (await world.log.get('e-2'))!;
  let kept: Record<string, unknown> | undefined;
  world.server.bend = (path, answer) => {
    if (path.includes('/events/e-2')) kept = answer;
    return answer;
  };
  assert.deepEqual(await world.remote.get('e-2'), other);
  world.server.bend = (path, answer) => (path.includes('/events/e-1') ? kept! : answer);
  await assert.rejects(world.remote.get('e-1'), { code: 'receipt_invalid' });
  await assert.rejects(world.remote.prove('e-1'), { code: 'receipt_invalid' });
  bendPage(world, (events) => events.splice(0, 1, kept as Shown));
  await assert.rejects(world.remote.query('id:e-1').page(), { code: 'page_invalid' });
});

test('an entry at another place than its own is refused', async (t) => {
  const world = await makeRead(t);
  bendEach(world, (shown) => {
    shown.index -= 1;
  });
  await refusedEverywhere(world.remote, 'inclusion_invalid');
});

test('a value that is withheld needs a record of its erasure in the log', async (t) => {
  const world = await makeRead(t);
  const { log, remote } = world;
  bendEach(world, ({ bytes }) => {
    bytes.disclosures = bytes.disclosures.filter((text) => !text.includes('Name of u_1'));
  });
  await refusedEverywhere(remote, 'disclosure_missing');

  // Neither another's erasure nor one of earlier entries is a record of this.
  await log.recordOwn(erasedEvent({ subject: 'user/u_2', below: 5 }));
  await log.recordOwn(erasedEvent({ subject: 'user/u_1', below: 2 }));
  await refusedEverywhere(remote, 'disclosure_missing');

  const { index } = await log.recordOwn(erasedEvent({ subject: 'user/u_1', below: 4 }));
  for (const [how, events] of Object.entries(await readsAll(remote))) {
    assert.deepEqual(events[0]?.actor, { type: 'user', id: 'u_1' }, how);
    assert.deepEqual(
      events[0]?.withheld.map(({ path }) => path),
      ['/actor'],
      how,
    );
  }
  assert.equal(
    (await remote.prove('e-1')).disclosures.some((text) => text.includes('Name')),
    false,
  );
  assert.ok(index > 4);
});

test('a record of an erasure that is not in the log excuses nothing', async (t) => {
  const world = await makeRead(t);
  await world.log.recordOwn(erasedEvent({ subject: 'user/u_2', below: 4 }));
  bendEach(world, (shown) => {
    const { bytes } = shown;
    bytes.disclosures = bytes.disclosures.filter((text) => !text.includes('Name of u_1'));
    const entry = Buffer.from(bytes.entry, 'base64').toString();
    if (entry.includes('log.erased'))
      bytes.entry = Buffer.from(entry.replace('user/u_2', 'user/u_1')).toString('base64');
  });
  await refusedEverywhere(world.remote, 'inclusion_invalid');
});

test('two rows that are swapped, a row twice, one too many: no page of a search', async (t) => {
  const world = await makeRead(t);
  const { remote, log } = world;
  const refused = async (order: 'index' | 'occurredAt' = 'index') => {
    const error = { name: 'VerificationError', code: 'page_invalid' };
    await assert.rejects(remote.query('action:user.*', { order }).page(), error);
    await assert.rejects(all(remote.query('action:user.*', { order })), error);
  };
  bendPage(world, (events) => events.reverse());
  await refused();
  await refused('occurredAt');
  bendPage(world, (events) => events.push(events.at(-1)!));
  await refused();
  bendPage(world, (_, page) => {
    page['complete'] = 2;
  });
  await refused();
  bendPage(world, () => {});
  const late = { ...signIn('late'), occurredAt: '2026-01-31T12:00:00.000Z' };
  await log.record(late);
  const byTime = (await all(remote.query('action:user.*', { order: 'occurredAt' }))).map(({ id }) => id);
  assert.equal(byTime.at(-1), 'late');
  assert.equal((await all(remote.query('action:user.*')))[0]?.id, 'late');
  world.server.before = (request) => {
    request.path = request.path.replace('limit=1', 'limit=2');
    return false;
  };
  await assert.rejects(remote.query('', { limit: 1 }).page(), { code: 'page_invalid' });
});

test('a search in an older state than the client has seen is refused', async (t) => {
  const world = await makeRead(t);
  await world.remote.checkpoint();
  bendPage(world, (_, page) => {
    page['size'] = 3;
  });
  await assert.rejects(world.remote.query('id:e-1').page(), {
    name: 'VerificationError',
    code: 'rolled_back',
  });
});

test('a server that goes on with empty pages for ever does not keep a loop in it', {
  timeout: 60_000,
}, async (t) => {
  const world = await makeRead(t);
  let page = 0;
  world.server.before = ({ path }, response) => {
    if (!path.startsWith('/v1/logs/main/events?')) return false;
    response.end(JSON.stringify({ events: [], next: `c-${page++}`, complete: 4, size: 4 }));
    return true;
  };
  await assert.rejects(all(world.remote.query('id:e-1')), { name: 'LogError', code: 'query_stalled' });
  assert.equal(page, EMPTY_PAGES_MAX);
  // Page by page it is the caller who decides to go on.
  assert.equal((await world.remote.query('id:e-1').page()).next, `c-${EMPTY_PAGES_MAX}`);
});

test('a cursor that comes again is refused, whatever the pages hold', async (t) => {
  const world = await makeRead(t);
  const { server, remote } = world;
  let pages = 0;
  bendPage(world, (events, page) => {
    pages += 1;
    page['next'] = `c-${pages % 2}`;
    events.length = 0;
  });
  server.before = (request) => {
    request.path = request.path.replace(/&cursor=[^&]*/, '');
    return false;
  };
  await assert.rejects(all(remote.query('id:e-1')), { name: 'VerificationError', code: 'page_invalid' });
  assert.equal(pages, 3);
});

test('pages that show the same rows again and again end', async (t) => {
  const world = await makeRead(t);
  let pages = 0;
  bendPage(world, (_, page) => {
    pages += 1;
    page['next'] = `c-${pages}`;
  });
  world.server.before = (request) => {
    request.path = request.path.replace(/&cursor=[^&]*/, '');
    return false;
  };
  await assert.rejects(all(world.remote.query('id:e-1')), {
    name: 'VerificationError',
    code: 'page_invalid',
  });
  assert.equal(pages, 2);
});

test('a checkpoint of another origin is refused, though the pinned key has signed it', async (t) => {
  const world = await makeRead(t);
  const { note } = await world.log.checkpoint();
  const text = note.slice(0, note.indexOf('\n\n') + 1).replace('example.com/audit', 'example.com/other');
  const signed = signNote(text, [readSigner(join(world.folder, 'log', 'log.key'))]);
  world.server.before = ({ path }, response) => {
    if (!/\/checkpoint(\?|$)/.test(path)) return false;
    response.end(signed);
    return true;
  };
  const error = { name: 'VerificationError', code: 'origin_mismatch' };
  await assert.rejects(world.remote.checkpoint(), error);
  await assert.rejects(world.remote.get('e-1'), error);
  await assert.rejects(world.remote.query().page(), error);
});
