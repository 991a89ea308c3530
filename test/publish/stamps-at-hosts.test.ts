// Published time-stamps where a place is not as a folder is: web servers with answers of their own, caches, copies that are being made.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { type Log, LogError, verifyLog } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import { Monitor } from 'indelible/monitor';
import { publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { started } from '../cli/cli-process.ts';
import { temporaryFolder } from '../support/folders.ts';
import { type Chain, makeChain, opensslMissing } from '../support/tsa.ts';
import { stampAt } from './stamps-world.ts';
import { copyOf, grow, smallLog, urlOf } from './world.ts';

const from = 'https://static.example';

describe('published time-stamps at hosts', { skip: opensslMissing }, () => {
  let base: string;
  let chain: Chain;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(base);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  const publish = (log: Log, folder: string) => publishLog(log, { to: urlOf(folder), disclosures: false });
  /** A web server of a folder, with an answer for whatever is not there. */
  const host = (folder: string, missing: () => Response, changed?: (path: string) => Buffer | undefined) => {
    return async (input: string | URL | Request) => {
      const path = new URL(String(input)).pathname.slice(1);
      const at = join(folder, path);
      const bytes = changed?.(path) ?? (existsSync(at) && statSync(at).isFile() && readFileSync(at));
      return bytes ? new Response(new Uint8Array(bytes)) : missing();
    };
  };
  const page = () => new Response('<!doctype html><title>Welcome</title>');
  const answering = (status: number) => () =>
    new Response('', { status, headers: { location: '/404.html' } });
  const answers: [string, () => Response, 'absent' | 'unreadable' | 'page'][] = [
    ...[302, 307, 400, 405].map((status) => [`${status}`, answering(status), 'absent'] as const),
    ...[408, 429, 500, 503].map((status) => [`${status}`, answering(status), 'unreadable'] as const),
    ['a page', page, 'page'],
  ].map(([name, answer, kind]) => [name, answer, kind] as [string, () => Response, 'absent']);
  for (const [name, missing, kind] of answers) {
    test(`a host that answers ${name} for what is not there: an honest log is honest`, async (t) => {
      const log = await smallLog(t, 3);
      const folder = join(temporaryFolder(t), 'public');
      await publish(log, folder);
      const { vkey } = log;
      const fetch = host(folder, missing);
      assert.deepEqual((await verifyPublished(from, { vkey, threads: 0, fetch })).findings, []);
      const state = join(temporaryFolder(t), 'state');
      const monitor = new Monitor({ place: from, trust: { vkey }, state, fetch, wholeEveryMs: 1 });
      const looked = await monitor.look();
      assert.deepEqual([looked.problem, looked.holds], [undefined, 0]);
      const to = join(temporaryFolder(t), 'restored');
      const restored = await restoreLog({ from, to, vkey, fetch });
      assert.equal(restored.timestamps, 0);
      assert.equal(restored.timestampsUnread !== undefined, kind === 'unreadable');
      assert.equal((await verifyLog(to, { vkey, threads: 0, depth: 'tree' })).ok, true);
      const options = { vkey, threads: 0, fetch, tsaCertificates: chain.root.pem };
      if (kind === 'unreadable') {
        await assert.rejects(verifyPublished(from, options), { code: 'unreachable' });
      } else {
        const codes = (await verifyPublished(from, options)).findings.map(({ code }) => code);
        assert.deepEqual(codes, kind === 'page' ? ['timestamp_invalid'] : []);
      }
    });
  }

  test('where a page stands for what is not there, the time-stamps end before it', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 5; n += 1) await stampAt(log, chain, begun + n);
    await publish(log, folder);
    const { vkey } = log;
    const fetch = host(folder, page);
    const options = { vkey, threads: 0, fetch, tsaCertificates: chain.root.pem };
    const { findings, stamped } = await verifyPublished(from, options);
    assert.deepEqual([findings, stamped?.agree], [[], 5]);
    const to = join(temporaryFolder(t), 'restored');
    assert.equal((await restoreLog({ from, to, vkey, fetch })).timestamps, 5);
  });

  test('one that cannot be read is passed over by who trusts no authority, and keeps no log from being restored', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    const begun = Date.now() - 60_000;
    for (let n = 0; n < 20; n += 1) await stampAt(log, chain, begun + n);
    await publish(log, folder);
    const { vkey } = log;
    const files = host(folder, answering(404));
    const fetch = async (input: string | URL | Request) =>
      String(input).endsWith('timestamps/017') ? answering(503)() : await files(input);
    const options = { vkey, threads: 0, fetch };
    const { findings, stamped } = await verifyPublished(from, options);
    assert.equal(stamped === undefined || stamped.agree === stamped.given, true);
    assert.deepEqual(findings, []);
    await assert.rejects(verifyPublished(from, { ...options, tsaCertificates: chain.root.pem }), {
      code: 'unreachable',
    });
    const to = join(temporaryFolder(t), 'restored');
    const restored = await restoreLog({ from, to, vkey, fetch });
    assert.match(String(restored.timestampsUnread), /timestamps\/017 answers with status 503/);
    assert.equal((await verifyLog(to, { vkey, threads: 0, depth: 'tree' })).ok, true);
  });

  test('the commands: verify, and restore, which says what it could not read', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await publish(log, folder);
    const server = createServer((request, response) => {
      const at = join(folder, String(request.url));
      if (existsSync(at)) response.end(readFileSync(at));
      else response.writeHead(503).end();
    });
    server.listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const verified = await started(['verify', place, '--vkey', log.vkey]);
    assert.equal(verified.status, 0, verified.stderr);
    const to = join(temporaryFolder(t), 'restored');
    const restored = await started(['restore', '--from', place, '--to', to, '--vkey', log.vkey]);
    assert.equal(restored.status, 0, restored.stderr);
    assert.match(
      restored.stdout,
      /time-stamps could not be read, or not all: .* status 503\. The log is whole/,
    );
    assert.equal((await verifyLog(to, { vkey: log.vkey, threads: 0 })).size, 4);
  });

  test('a checkpoint that is a moment old is read once more; then only a trusted authority shows that it is behind', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await stampAt(log, chain, Date.now() - 1000);
    await publish(log, folder);
    const older = readFileSync(join(folder, 'checkpoint'));
    await grow(log, 3);
    await stampAt(log, chain, Date.now());
    const { size } = await publish(log, folder);
    const { vkey } = log;
    /** What a cache gives, so often; the checkpoint is asked for first before anything else. */
    const cached = (times: number) => {
      let left = times;
      return host(folder, answering(404), (path) =>
        path === 'checkpoint' && left-- > 0 ? older : undefined,
      );
    };
    const codes = async (times: number, tsaCertificates?: string) => {
      const fetch = cached(times);
      const options = { vkey, threads: 0, fetch, ...(tsaCertificates !== undefined && { tsaCertificates }) };
      const report = await verifyPublished(from, options);
      return [report.size, ...report.findings.map(({ code }) => code)];
    };
    const old = Number(String(older).split('\n')[1]);
    const { pem } = chain.root;
    assert.deepEqual(await codes(2, pem), [size]);
    assert.deepEqual(await codes(9, pem), [old, 'rolled_back']);
    assert.deepEqual(await codes(2), [size]);
    assert.deepEqual(await codes(9), [old]);
    // A copy that took the checkpoint before the time-stamps.
    const copy = copyOf(t, folder);
    rmSync(join(copy, 'checkpoint'));
    const host404 = host(copy, answering(404), (path) => (path === 'checkpoint' ? older : undefined));
    assert.deepEqual((await verifyPublished(from, { vkey, threads: 0, fetch: host404 })).findings, []);
  });

  test('a monitor reads it once more, too, and tells of a log that was rolled back once', async (t) => {
    const log = await smallLog(t, 3);
    const folder = join(temporaryFolder(t), 'public');
    await publish(log, folder);
    const before = copyOf(t, folder);
    const older = readFileSync(join(folder, 'checkpoint'));
    await grow(log, 3);
    await stampAt(log, chain, Date.now());
    await publish(log, folder);
    const watch = (fetch: typeof globalThis.fetch) =>
      new Monitor({
        ...{ place: from, trust: { vkey: log.vkey }, state: join(temporaryFolder(t), 'state'), fetch },
        ...{ wholeEveryMs: 1, tsaCertificates: chain.root.pem, maxTimestampAgeMs: 86_400_000 },
      });
    let left = 1;
    const once = host(folder, answering(404), (path) =>
      path === 'checkpoint' && left-- > 0 ? older : undefined,
    );
    assert.deepEqual(
      (await watch(once).look()).tell.map(({ code }) => code),
      ['monitor_began'],
    );
    cpSync(join(folder, 'timestamps'), join(before, 'timestamps'), { recursive: true });
    const monitor = watch(host(before, answering(404)));
    await monitor.look();
    const { tell: told } = await monitor.look();
    assert.deepEqual(
      told.map(({ code }) => code).filter((code) => code === 'rolled_back'),
      ['rolled_back'],
    );
  });

  test('an anchors.db of before there were numbers, which its publisher can only read, is published', async (t) => {
    const log = await smallLog(t, 3);
    await stampAt(log, chain, Date.now());
    const path = join(log.dir, 'anchors.db');
    const db = new DatabaseSync(path);
    db.exec('DROP TABLE timestamp_numbers; DROP TABLE timestamps_published');
    db.close();
    const read = AnchorStore.openReadable(path)!;
    t.after(() => read.close());
    assert.equal(read.timestampsPublished('file:///public'), undefined);
    // Whoever opens it to write is refused, as by a folder of somebody else.
    t.mock.method(AnchorStore, 'open', () => {
      throw new LogError('io_failed', 'anchors.db: attempt to write a readonly database');
    });
    const folder = join(temporaryFolder(t), 'public');
    assert.equal((await publish(log, folder)).timestamps, 1);
    assert.equal((await publish(log, folder)).timestamps, 0);
  });
});
