// How old the newest time-stamp is, where a log is published or served.

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createLog, openLog } from 'indelible';
import { Monitor } from 'indelible/monitor';
import { publishLog, verifyPublished } from 'indelible/publish';
import { indelible } from '../cli/cli-process.ts';
import { stampAt, stampNow } from '../publish/stamps-world.ts';
import { urlOf } from '../publish/world.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { S3Double } from '../support/s3-double.ts';
import { serve } from '../support/served.ts';
import { type Chain, listen, makeChain, opensslMissing } from '../support/tsa.ts';
import { codes, evidenceOf, origin, Watched } from './world.ts';

const HOUR_MS = 3_600_000;

describe('a monitor by URL', { skip: opensslMissing }, () => {
  let base: string;
  let chain: Chain;
  let strangers: Chain;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(base);
    strangers = makeChain(base, 'ec', 'stranger');
  });
  after(() => rmSync(base, { recursive: true, force: true }));
  const limits = () => ({ maxTimestampAgeMs: 60_000, tsaCertificates: chain.root.pem });

  test('finds that nobody has stamped lately, until somebody has', async (t) => {
    const world = await Watched.make(t, 3);
    const none = await world.look(limits());
    assert.deepEqual([codes(none), none.holds], [['timestamp_old'], 1]);
    // Kept, and not published yet.
    await stampAt(world.log, chain, Date.now());
    assert.equal((await world.look(limits())).holds, 1);
    await world.publish();
    assert.equal((await world.look({ ...limits(), wholeEveryMs: 1 })).holds, 0);
    world.ahead = 90_000;
    const old = await world.look(limits());
    assert.deepEqual([codes(old), old.holds], [['timestamp_old'], 1]);
    assert.match(old.tell[0]!.message, /The newest time-stamp is of \S+Z: older than/);
    await stampAt(world.log, chain, Date.now() + 90_000);
    await world.publish();
    assert.equal((await world.look(limits())).holds, 0);
    // By an authority that is not trusted here there is none.
    const report = await world.look({ ...limits(), tsaCertificates: strangers.root.pem });
    assert.deepEqual(codes(report), ['timestamp_old']);
  });

  test('looks behind those of authorities that it does not trust', async (t) => {
    const world = await Watched.make(t, 3);
    const now = Date.now();
    await stampAt(world.log, chain, now);
    for (let n = 0; n < 40; n += 1) await stampAt(world.log, strangers, now + n, { authority: 'other' });
    await world.publish();
    assert.equal((await world.look(limits())).holds, 0);
  });

  test('stamps over the first entries alone do not do', async (t) => {
    const world = await Watched.make(t, 3);
    const { size, note } = await world.log.checkpoint();
    const now = Date.now() + HOUR_MS;
    t.mock.timers.enable({ apis: ['Date'], now });
    await world.grow(3);
    await stampAt(world.log, chain, now);
    await world.publish();
    assert.equal((await world.look(limits())).holds, 0);
    // An hour later somebody stamps what there was before the last entries.
    t.mock.timers.setTime(now + HOUR_MS);
    await stampAt(world.log, chain, now + HOUR_MS, { size, note: Buffer.from(note) });
    await world.publish();
    const report = await world.look(limits());
    assert.deepEqual(codes(report), ['timestamp_old']);
    assert.match(report.tell[0]!.message, new RegExp(`only of the first ${size} entries`));
    await stampAt(world.log, chain, now + HOUR_MS);
    await world.publish();
    assert.equal((await world.look(limits())).holds, 0);
  });

  test('another history than the one that was stamped is a fork, at the first look', async (t) => {
    const world = await Watched.make(t, 3);
    await stampAt(world.log, chain, Date.now());
    await world.publish();
    const key = readFileSync(join(world.log.dir, 'log.key'), 'utf8');
    const dir = join(temporaryFolder(t), 'log');
    await (await createLog(dir, { origin, key: () => key })).close();
    await using forged = await openLog(dir, { key: () => key, thread: 'caller', heartbeatMs: 0 });
    for (let n = 0; n < 9; n += 1) await forged.record(signIn(`f-${n}`));
    const to = join(temporaryFolder(t), 'public');
    await publishLog(forged, { to: urlOf(to), disclosures: false });
    assert.equal((await world.look({ place: urlOf(to) })).holds, 0, 'nobody has seen another one');
    cpSync(join(world.public, 'timestamps'), join(to, 'timestamps'), { recursive: true });
    const report = await world.look({ place: urlOf(to), ...limits() });
    assert.deepEqual(codes(report), ['forked']);
    assert.match(report.tell[0]!.message, /does not continue the one of \d+ that was time-stamped/);
    assert.equal(evidenceOf(world).length, 2);
  });

  test('in a bucket: what was there is not searched for again', async (t) => {
    const double = await S3Double.start(t);
    const world = await Watched.make(t, 3);
    const now = Date.now();
    for (let n = 0; n < 70; n += 1) await stampAt(world.log, chain, now + n);
    const s3 = { client: double.client(t) };
    await publishLog(world.log, { to: 's3://archive/watched', s3, disclosures: false });
    const asked = async (): Promise<number> => {
      double.requests.length = 0;
      const report = await world.look({ ...limits(), place: 's3://archive/watched', s3 });
      assert.equal(report.holds, 0);
      return double.requests.filter(({ key }) => key.includes('/timestamps/')).length;
    };
    const first = await asked();
    assert.ok(first > 16 && first < 40, `${first}`);
    assert.equal(await asked(), 16 + 2);
    // The place was emptied, and has fewer now.
    for (const key of double.objects.keys())
      if (/timestamps.0[1-6]/.test(key)) double.overwrite(key, undefined);
    assert.ok((await asked()) > 0);
  });

  test('a server’s log, by the command line, with what its folder keeps', async (t) => {
    const server = await serve(t);
    await server.record(signIn('a'), signIn('b'));
    const folder = temporaryFolder(t);
    const dir = join(server.data, 'logs', 'main');
    const vkey = readFileSync(join(dir, 'log.vkey'), 'utf8').trim();
    const place = `${server.url}/logs/main`;
    const [state, keyFile] = [join(folder, 'state'), join(folder, 'key')];
    writeFileSync(keyFile, server.key, { mode: 0o600 });
    const look = (url = place) =>
      indelible([
        ...['monitor', url, '--vkey', vkey, '--state', state, '--once', '--api-key-file', keyFile],
        ...['--max-timestamp-age', '1h', '--tsa-ca', chain.root.cert],
      ]);
    const none = look();
    assert.equal(none.status, 1, none.stdout + none.stderr);
    assert.match(none.stdout, /finding timestamp_old/);
    await stampWith(t, base, chain, dir);
    const fresh = look();
    assert.equal(fresh.status, 0, fresh.stdout + fresh.stderr);
    await server.record(signIn('c'));
    await stampWith(t, base, chain, dir);

    const headers = { authorization: `Bearer ${server.key}` };
    const options = { vkey, tsaCertificates: chain.root.pem, headers, threads: 0 };
    const report = await verifyPublished(place, options);
    assert.deepEqual([report.findings, report.stamped?.agree], [[], 2]);
    const ask = (path: string, url = server.url) => fetch(`${url}/logs/main/timestamps/${path}`, { headers });
    const first = await ask('000');
    assert.equal(first.headers.get('cache-control'), 'private, max-age=604800, immutable');
    const bytes = await first.text();
    for (const path of ['002', '0', '000.p/1', 'x000/000', '001/', '999999', 'x999/x999/x999/999'])
      assert.equal((await ask(path)).status, 404, path);
    assert.equal((await fetch(`${server.url}/logs/main/timestamps/000`)).status, 401);
    const head = await fetch(`${server.url}/logs/main/timestamps/001`, { method: 'HEAD', headers });
    assert.equal(head.status, 200);

    // The same as it is published, and the same after a restart.
    await server.stop();
    const to = join(folder, 'public');
    {
      await using log = await openLog(dir, { readOnly: true, thread: 'caller' });
      await publishLog(log, { to: urlOf(to), disclosures: false });
    }
    assert.equal(readFileSync(join(to, 'timestamps/000'), 'utf8'), bytes);
    const again = await serve(t, { data: server.data });
    assert.equal(await (await ask('000', again.url)).text(), bytes);
    const later = look(`${again.url}/logs/main`);
    assert.equal(later.status, 0, later.stdout + later.stderr);
  });

  test('a copy of anchors.db goes with the folder alone', async (t) => {
    const world = await Watched.make(t, 1);
    const options = { trust: { vkey: world.log.vkey }, state: world.state, anchors: 'mine.db' };
    assert.throws(() => new Monitor({ ...options, place: urlOf(world.public) }), { code: 'option_invalid' });
  });
});

async function stampWith(t: TestContext, base: string, chain: Chain, dir: string): Promise<void> {
  const tsa = await listen(t, base, chain);
  await using log = await openLog(dir, { readOnly: true, thread: 'caller' });
  await stampNow(log, tsa);
}
