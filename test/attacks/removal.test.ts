// Attacks by the ways in which values may leave a log: what an erasure leaves to guess (31), erasure to destroy evidence (42),
// retention to destroy it (43), and changes of what a log keeps or shows (44).

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { createLog, type Log, openLog } from 'indelible';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import { digestDisclosure, parseDisclosure } from 'indelible/event';
import { verifyProof } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { startHandler } from '../http/server.ts';
import { eventAbout, filesWith, markOf } from '../log/erasure-world.ts';
import { temporaryFolder } from '../support/folders.ts';

const words = { basis: 'gdpr-17', requestId: 'R-1', approvedBy: ['p_1', 'p_2'] };

async function logWith(t: TestContext, count: number): Promise<{ folder: string; dir: string; log: Log }> {
  const folder = temporaryFolder(t);
  const dir = join(folder, 'log');
  const log = await createLog(dir, { origin: 'log.example/removal', heartbeatMs: 0 });
  t.after(() => log.close());
  await log.recordMany(Array.from({ length: count }, (_, n) => eventAbout(n) as never));
  return { folder, dir, log };
}

test('attack-31: whoever has every byte of a log after an erasure cannot tell a right guess from a wrong one', async (t) => {
  const { folder, dir, log } = await logWith(t, 10);
  const pin = '4711';
  await log.record({ action: 'pin.set', id: 'pin', actor: { type: 'user', id: 'u_9', pin } } as never);
  const own = async (): Promise<{ entry: string; disclosures: readonly string[] }> => {
    for await (const { entry, disclosures } of log.entries())
      if (utf8Decode(entry).includes('"pin"')) return { entry: utf8Decode(entry), disclosures };
    throw new Error('it is not there');
  };
  const before = await own();
  const { salt } = parseDisclosure(before.disclosures[0]!);
  const guesses = (salts: readonly string[]): string[] =>
    Array.from({ length: 10_000 }, (_, n) => String(n).padStart(4, '0')).filter((guess) =>
      salts.some((one) => before.entry.includes(digestDisclosure(JSON.stringify([one, 'pin', guess])))),
    );
  assert.deepEqual(guesses([salt]), [pin], 'the control: with its salt, the pin is found at once');
  await log.erase({ subject: 'user/u_9', ...words });
  const after = await own();
  assert.equal(after.entry, before.entry, 'the digest is still there to be tried');
  assert.deepEqual(after.disclosures, []);
  await log.close();
  // Whatever looks like a salt in any file of the log is tried as one. The one that is needed is in none.
  assert.deepEqual(filesWith(folder, salt), []);
  const bytes = readdirSync(dir).map((name) => readFileSync(join(dir, name), 'latin1'));
  const salts = new Set(bytes.flatMap((text) => text.match(/(?<![\w-])[\w-]{22}(?![\w-])/g) ?? []));
  assert.ok(salts.size > 20, 'there are salts of others to try');
  assert.deepEqual(guesses([...salts, '', after.entry]), []);
});

test('attack-42: no door takes a record of an erasure that was not made, and a value that goes without one is an alarm', async (t) => {
  const { dir, log } = await logWith(t, 30);
  const { size } = await log.checkpoint();
  const forged = {
    action: 'log.erased',
    actor: { type: 'log', id: 'self' },
    metadata: { subject: 'user/u_1', below: size },
    clear: ['/metadata'],
  };
  await assert.rejects(log.record(forged as never), { code: 'action_reserved' });
  const [many] = await log.recordMany([forged as never]);
  assert.equal(!many!.ok && (many.error as { code?: string }).code, 'action_reserved');
  assert.equal((await log.checkpoint()).size, size);
  await log.close();
  const recorded = indelible(['record', '--log', dir], { input: `${JSON.stringify(forged)}\n` });
  assert.notEqual(recorded.status, 0);
  assert.match(recorded.stderr, /action_reserved/);
  const { ask, key } = await startHandler(t);
  const writer = await key(['write', 'read', 'admin', 'audit']);
  const sent = await ask('POST', '/v1/logs/alpha/events', { key: writer, json: forged });
  assert.equal(sent.status, 422);
  assert.equal(((await sent.json()) as { code: string }).code, 'action_reserved');
  {
    using db = new DatabaseSync(join(dir, 'log.db'), { timeout: 10_000 });
    db.exec('DELETE FROM disclosures WHERE idx = 2');
  }
  await using again = await openLog(dir, { heartbeatMs: 0 });
  const alarms = async () => [
    ...new Set((await again.verify()).findings.map(({ code, from }) => `${code} ${from}`)),
  ];
  assert.deepEqual(await alarms(), ['disclosure_missing 2']);
  // A real erasure of somebody else excuses nothing of it.
  await again.erase({ subject: 'user/u_5', ...words });
  assert.deepEqual(await alarms(), ['disclosure_missing 2']);
});

test('attack-42: an erasure of everybody leaves who did what, when and with what outcome, and every proof that was given out', async (t) => {
  const { folder, log } = await logWith(t, 70);
  const before = await log.query('action:invoice.read', { limit: 100, waitMs: 20_000 } as never).page();
  const facts = ({ events }: typeof before) =>
    events.map(({ id, index, action, outcome, occurredAt, recordedAt, actor, targets }) => [
      ...[id, index, action, outcome, occurredAt, recordedAt, actor.type, actor.id],
      ...targets.map(({ type, id: of }) => `${type}/${of}`),
    ]);
  const proofs = await Promise.all([0, 33, 69].map((n) => log.prove(`e-${n}`)));
  const receipt = await log.record(eventAbout(900) as never);
  for (let person = 0; person < 7; person++) await log.erase({ subject: `user/u_${person}`, ...words });
  for (let person = 0; person < 7; person++) assert.deepEqual(filesWith(folder, markOf(person)), []);
  const after = await log.query('action:invoice.read', { limit: 100, waitMs: 20_000 } as never).page();
  assert.deepEqual(facts(after).slice(1), facts(before));
  for (const { proof, entry } of proofs)
    verifyProof({ proof: utf8Encode(proof), entry, policy: { vkey: log.vkey } });
  const report = await log.verify({ held: [receipt] });
  assert.deepEqual([report.findings, report.held!.agree], [[], 1]);
  const records = await log.query('action:log.erased', { limit: 100, waitMs: 20_000 } as never).page();
  assert.deepEqual(
    records.events.map(({ severity }) => severity),
    Array(7).fill('high'),
    'each of them stands out',
  );
});

test('attack-43: no order of rules, and no detour, has one person keep less', async (t) => {
  const { log } = await logWith(t, 5);
  const rule = (match: string, keep: string) => ({ match, keep });
  const now = [rule('record.read', '90d'), rule('record.*', '5y'), rule('*', '7y')];
  const { approvedBy } = words;
  await log.retention.set(now, { approvedBy, delayMs: 0 });
  const tricks: Record<string, object[]> = {
    'a rule in front that catches more': [rule('*', '1d'), ...now],
    'a rule in front for one action': [rule('user.deleted', '1h'), ...now],
    'a day less for one action': [rule('record.read', '89d'), ...now.slice(1)],
    'a period in another unit that is a day shorter': [now[0]!, now[1]!, rule('*', '2561d')],
    'one that is longer here and shorter there': [
      rule('record.read', '9y'),
      rule('record.*', '4y'),
      rule('*', '90y'),
    ],
    'a prefix that cuts into another': [rule('record.r*', '1d'), ...now],
    'the same rule twice, the shorter first': [rule('record.read', '1h'), ...now],
  };
  for (const [what, rules] of Object.entries(tricks)) {
    for (const by of [undefined, ['p_1'], ['p_1', 'P_1 ']])
      await assert.rejects(
        log.retention.set(rules as never, by && { approvedBy: by }),
        { name: 'TypeError', code: 'option_invalid' },
        what,
      );
  }
  // What lengthens takes one, and gives nobody the right to go back to what there was before.
  await log.retention.set([rule('*', '8y')]);
  await assert.rejects(log.retention.set(now as never), { code: 'option_invalid' });
  assert.deepEqual((await log.retention.policy()).rules, [rule('*', '8y')]);
  // Two may, and everybody sees it before it is in force.
  const receipt = await log.retention.set([rule('*', '1h')], { approvedBy });
  const { pending } = await log.retention.policy();
  assert.equal(pending!.index, receipt!.index);
  assert.equal((await log.retention.apply()).values, 0);
  const { events } = await log.query('action:log.config_changed', { waitMs: 20_000 } as never).page();
  assert.deepEqual([events[0]!.index, events[0]!.severity], [receipt!.index, 'high']);
});

test('attack-44: what a log keeps or shows is changed by an entry, or not at all', async (t) => {
  const { dir, log } = await logWith(t, 5);
  await log.close();
  // No file beside the log says what it keeps: a policy that somebody puts there is none.
  for (const name of ['retention.json', 'retention', 'config.json']) {
    writeFileSync(join(dir, name), '[{"match":"*","keep":"1h"}]');
  }
  await using again = await openLog(dir, { heartbeatMs: 0 });
  assert.deepEqual((await again.retention.policy()).rules, []);
  assert.equal((await again.retention.apply()).values, 0);
  // Nor does any option leave out an actor, an action or some of all events.
  for (const option of ['exclude', 'sample', 'sampleRate', 'filter', 'redact', 'ignore', 'actions'])
    await assert.rejects(
      openLog(dir, { [option]: ['user/u_1'] } as never),
      { code: 'option_unknown' },
      option,
    );
  // What a server shows to everybody is an entry before it is so; and is one again when it is taken back.
  const { ask, key } = await startHandler(t);
  const admin = await key(['write', 'read', 'admin']);
  const json = { action: 'a.b', actor: { type: 'user', id: 'u' } };
  assert.equal((await ask('POST', '/v1/logs/alpha/events', { key: admin, json })).status, 201);
  for (const isPublic of [true, true, false])
    assert.equal((await ask('PATCH', '/v1/logs/alpha', { key: admin, json: { isPublic } })).status, 200);
  const answer = await ask('GET', '/v1/logs/alpha/events?q=action:log.config_changed', { key: admin });
  const { events } = (await answer.json()) as { events: { metadata: unknown; actor: { type: string } }[] };
  assert.deepEqual(
    events.map(({ metadata }) => metadata),
    [
      { settings: { isPublic: { from: true, to: false } } },
      { settings: { isPublic: { from: false, to: true } } },
    ],
  );
  assert.equal(events[0]!.actor.type, 'api_key');
  for (const setting of ['retention', 'sample', 'exclude'])
    assert.equal((await ask('PATCH', '/v1/logs/alpha', { key: admin, json: { [setting]: [] } })).status, 400);
});
