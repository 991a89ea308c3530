// Verifying a published log: an honest one passes, and every way to change it is found, with its place.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Log } from 'indelible';
import { auditPublished, openPublished, publishLog, restoreLog, verifyPublished } from 'indelible/publish';
import { DirectoryTileStore } from 'indelible/store';
import type { FindingCode } from 'indelible/verify';
import { temporaryFolder } from '../support/folders.ts';
import { copyOf, grow, smallLog, urlOf } from './world.ts';

/** A change to a published log, and what it is to be found as. */
interface Change {
  readonly what: string;
  readonly make: (folder: string) => void;
  readonly found: FindingCode;
  /** The range of entries that the finding names. */
  readonly at?: readonly [number, number];
}

const edit = (path: string, change: (bytes: Buffer) => Buffer) => (folder: string) => {
  const at = join(folder, path);
  const bytes = change(readFileSync(at));
  rmSync(at);
  writeFileSync(at, bytes);
};
const flip = (at: number) => (bytes: Buffer) => {
  bytes[at]! += 1;
  return bytes;
};
const remove = (path: string) => (folder: string) => rmSync(join(folder, path));
const cut = (by: number) => (bytes: Buffer) => bytes.subarray(0, bytes.length - by);
const add =
  (...more: number[]) =>
  (bytes: Buffer) =>
    Buffer.concat([bytes, Buffer.from(more)]);

const changes: readonly Change[] = [
  { what: 'a changed entry', make: edit('tile/entries/000', flip(700)), found: 'tile_mismatch' },
  {
    what: 'a changed entry in the partial bundle',
    make: edit('tile/entries/002.p/89', flip(70)),
    found: 'tile_mismatch',
    at: [512, 512],
  },
  {
    what: 'an extra entry',
    make: edit('tile/entries/000', add(0, 2, 104, 105)),
    found: 'bundle_malformed',
    at: [0, 255],
  },
  {
    what: 'an extra empty entry',
    make: edit('tile/entries/002.p/89', add(0, 0)),
    found: 'bundle_malformed',
    at: [512, 600],
  },
  {
    what: 'half an extra entry',
    make: edit('tile/entries/001', add(0)),
    found: 'bundle_malformed',
    at: [256, 511],
  },
  {
    what: 'a bundle cut within its last entry',
    make: edit('tile/entries/001', cut(1)),
    found: 'bundle_malformed',
    at: [256, 511],
  },
  { what: 'a missing bundle', make: remove('tile/entries/001'), found: 'index_gap', at: [256, 511] },
  {
    what: 'a missing partial bundle',
    make: remove('tile/entries/002.p/89'),
    found: 'index_gap',
    at: [512, 600],
  },
  {
    what: 'an empty bundle',
    make: edit('tile/entries/001', () => Buffer.alloc(0)),
    found: 'index_gap',
    at: [256, 511],
  },
  { what: 'a changed tile', make: edit('tile/0/001', flip(32)), found: 'tile_mismatch', at: [257, 257] },
  { what: 'a missing tile', make: remove('tile/0/001'), found: 'tile_mismatch', at: [256, 511] },
  { what: 'a short tile', make: edit('tile/0/001', cut(32)), found: 'tile_mismatch', at: [256, 511] },
  { what: 'a long tile', make: edit('tile/0/001', add(1)), found: 'tile_mismatch', at: [256, 511] },
  { what: 'a missing partial tile', make: remove('tile/0/002.p/89'), found: 'tile_mismatch', at: [512, 600] },
  {
    what: 'a long partial tile',
    make: edit('tile/0/002.p/89', add(1)),
    found: 'tile_mismatch',
    at: [512, 600],
  },
  {
    what: 'a changed partial tile',
    make: edit('tile/0/002.p/89', flip(0)),
    found: 'tile_mismatch',
    at: [512, 512],
  },
  {
    what: 'a changed tile above',
    make: edit('tile/1/000.p/2', flip(0)),
    found: 'tile_mismatch',
    at: [0, 255],
  },
  { what: 'a missing tile above', make: remove('tile/1/000.p/2'), found: 'tile_mismatch', at: [0, 511] },
  {
    what: 'a long tile above',
    make: edit('tile/1/000.p/2', add(...Array(32).fill(7))),
    found: 'tile_mismatch',
    at: [0, 511],
  },
  { what: 'a changed checkpoint', make: edit('checkpoint', flip(30)), found: 'checkpoint_invalid' },
];

/** A socket whose process has died without removing it. */
function leaveSocket(at: string): void {
  const listen = `require('node:net').createServer().listen(${JSON.stringify(at)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', listen]);
}

describe('a published log', () => {
  let log: Log;
  let folder: string;
  const afterAll: (() => void | Promise<void>)[] = [];
  const world = { after: (run: () => void) => afterAll.push(run) } as unknown as Pick<TestContext, 'after'>;

  before(async () => {
    log = await smallLog(world, 590);
    // 601 entries, however many of its own the log has written.
    await grow(log, 601 - (await log.checkpoint()).size);
    folder = join(temporaryFolder(world), 'pub');
    await publishLog(log, { to: urlOf(folder) });
  });
  after(async () => {
    for (const run of afterAll.reverse()) await run();
  });

  const verify = (at: string, more = {}) =>
    verifyPublished(urlOf(at), { vkey: log.vkey, threads: 0, ...more });

  test('an honest one passes, on threads and without', async () => {
    for (const threads of [0, 1, 2]) {
      const report = await verify(folder, { threads });
      assert.deepEqual(
        [report.ok, report.size, report.counts.entries, report.key],
        [true, 601, 601, 'pinned'],
      );
      assert.equal(report.sealed, 'elsewhere');
      assert.equal(report.root, (await log.checkpoint()).root);
    }
  });

  for (const { what, make, found, at } of changes) {
    test(`${what} is found`, async (t) => {
      const copy = copyOf(t, folder);
      make(copy);
      const { ok, findings } = await verify(copy);
      const finding = findings.find(({ code }) => code === found);
      assert.ok(!ok && finding !== undefined, JSON.stringify(findings));
      if (at !== undefined) assert.deepEqual([finding.from, finding.to], at, JSON.stringify(findings));
    });
  }

  test('a link in the place of a folder is found, not followed and not restored; the place itself may be one', {
    skip: process.platform === 'win32',
  }, async (t) => {
    const subjectKeys = join(log.dir, 'subject-keys.db');
    const link = join(temporaryFolder(t), 'link');
    symlinkSync(folder, link);
    assert.deepEqual((await verify(link, { subjectKeys })).findings, []);
    const linked: readonly [folder: string, path: string, from: number, to: number][] = [
      ['tile', 'tile/entries/001', 256, 511],
      ['tile/entries', 'tile/entries/002.p/89', 512, 600],
      ['tile/0', 'tile/0/000', 0, 255],
      ['tile/1/000.p', 'tile/1/000.p/2', 0, 511],
      ['disclosures', 'disclosures/000', 0, 255],
    ];
    for (const [at, path, from, to] of linked) {
      const copy = copyOf(t, folder);
      const elsewhere = join(temporaryFolder(t), 'elsewhere');
      renameSync(join(copy, at), elsewhere);
      symlinkSync(elsewhere, join(copy, at));
      const reports = [
        await verify(copy, { subjectKeys }),
        await verify(copy, { subjectKeys, threads: 1 }),
        await auditPublished({ reader: DirectoryTileStore.reading(copy) }, { subjectKeys, threads: 0 }),
      ];
      for (const { findings } of reports) {
        const found = findings.find(({ code, detail }) => code === 'not_a_file' && detail?.['path'] === path);
        assert.deepEqual([found?.from, found?.to], [from, to], JSON.stringify(findings));
        assert.equal(found!.message.includes('behind a symbolic link, and was not followed'), true);
      }
      if (at === 'tile/1/000.p' || at === 'tile/0') continue;
      const options = { from: urlOf(copy), to: join(temporaryFolder(t), 'restored'), vkey: log.vkey };
      await assert.rejects(restoreLog({ ...options, subjectKeys }), { code: 'not_a_file' }, at);
    }
  });

  const strange: readonly [string, string, (at: string, secret: string) => void][] = [
    ['a symbolic link', 'symbolic', (at, secret) => symlinkSync(secret, at)],
    ['a link to nothing', 'symbolic', (at) => symlinkSync('/nowhere/at/all', at)],
    ['a folder', 'folder', (at) => mkdirSync(at)],
    ['a pipe', 'pipe', (at) => execFileSync('mkfifo', [at])],
    ['a socket', 'socket', (at) => leaveSocket(at)],
  ];
  /** What each file is of, and which entries it speaks of. */
  const places: readonly [string, number, number][] = [
    ['tile/entries/001', 256, 511],
    ['tile/entries/002.p/89', 512, 600],
    ['tile/0/001', 256, 511],
    ['tile/0/002.p/89', 512, 600],
    ['tile/1/000.p/2', 0, 511],
    ['disclosures/000', 0, 255],
  ];
  for (const [what, kind, put] of strange) {
    test(`${what} in the place of a file is found with its path, and the rest is read`, {
      skip: process.platform === 'win32',
    }, async (t) => {
      const subjectKeys = join(log.dir, 'subject-keys.db');
      for (const [path, from, to] of places) {
        const copy = copyOf(t, folder);
        const secret = join(copy, 'the-file-itself');
        renameSync(join(copy, path), secret);
        put(join(copy, path), secret);
        const reports = [
          await verify(copy, { subjectKeys }),
          await verify(copy, { subjectKeys, threads: 1 }),
          await auditPublished({ reader: DirectoryTileStore.reading(copy) }, { subjectKeys, threads: 0 }),
        ];
        for (const { findings, ok, counts } of reports) {
          const found = findings.filter(({ code }) => code === 'not_a_file');
          assert.deepEqual(
            found.map((one) => [one.from, one.to, one.detail?.['path']]),
            [[from, to, path]],
            JSON.stringify(findings),
          );
          assert.ok(String(found[0]!.detail?.['kind']).includes(kind), JSON.stringify(found));
          assert.ok(!ok && counts.entries >= 601 - 256);
        }
      }
      const copy = copyOf(t, folder);
      rmSync(join(copy, 'checkpoint'));
      put(join(copy, 'checkpoint'), join(folder, 'checkpoint'));
      const { findings } = await verify(copy);
      const found = findings.find(({ code }) => code === 'not_a_file');
      assert.equal(found?.detail?.['path'], 'checkpoint', JSON.stringify(findings));
    });

    test(`${what} in the place of a file is not restored, nor read`, {
      skip: process.platform === 'win32',
    }, async (t) => {
      for (const path of ['tile/entries/001', 'tile/entries/000', 'checkpoint', 'disclosures/000']) {
        const copy = copyOf(t, folder);
        renameSync(join(copy, path), join(copy, 'the-file-itself'));
        put(join(copy, path), join(copy, 'the-file-itself'));
        const to = join(temporaryFolder(t), 'restored');
        const options = { from: urlOf(copy), to, vkey: log.vkey };
        const subjectKeys = join(log.dir, 'subject-keys.db');
        await assert.rejects(restoreLog({ ...options, subjectKeys }), { code: 'not_a_file' }, path);
        assert.ok(!existsSync(to));
      }
      const copy = copyOf(t, folder);
      rmSync(join(copy, 'tile/entries/001'));
      put(join(copy, 'tile/entries/001'), join(folder, 'tile/entries/001'));
      await using reader = await openPublished(urlOf(copy), log.vkey);
      await assert.rejects(reader.get(300), { code: 'not_a_file' });
      assert.equal((await reader.get(3)).index, 3);
    });
  }

  test('the full files stand in for partial ones that were removed', async (t) => {
    const copy = copyOf(t, folder);
    const older = readFileSync(join(copy, 'checkpoint'));
    await grow(log, 300);
    await publishLog(log, { to: urlOf(copy) });
    rmSync(join(copy, 'checkpoint'));
    writeFileSync(join(copy, 'checkpoint'), older);
    for (const path of ['tile/entries/002.p', 'tile/0/002.p']) rmSync(join(copy, path), { recursive: true });
    assert.ok(existsSync(join(copy, 'tile/entries/002')));
    const report = await verify(copy);
    assert.deepEqual([report.ok, report.size], [true, 601], JSON.stringify(report.findings));
  });

  test('an older copy is found by whoever kept a newer checkpoint', async () => {
    const held = [(await log.checkpoint()).note];
    const { findings } = await verify(folder, { held });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['rolled_back'],
    );
  });

  test('another key is not believed', async (t) => {
    const other = await smallLog(t, 1);
    const { findings } = await verify(folder, { vkey: other.vkey });
    assert.ok(findings.some(({ code }) => code === 'key_unknown'));
  });

  test('over HTTP: the same report; redirects, endless answers and refusals are no evidence', async (t) => {
    const answers = new Map<string, (path: string) => [number, Record<string, string>, Buffer]>();
    const server = createServer((request, response) => {
      const path = request.url!.slice('/logs/'.length);
      const file = join(folder, path);
      const special = answers.get(path)?.(path);
      const [status, headers, body] =
        special ?? (existsSync(file) ? [200, {}, readFileSync(file)] : [404, {}, Buffer.from('no')]);
      response.writeHead(status, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/logs`;
    for (const threads of [0, 2]) {
      const report = await verifyPublished(url, { vkey: log.vkey, threads });
      assert.deepEqual([report.ok, report.size], [true, 601], JSON.stringify(report.findings));
    }
    answers.set('tile/entries/001', () => [200, {}, Buffer.alloc(40_000_000)]);
    const { findings } = await verifyPublished(url, { vkey: log.vkey });
    assert.ok(findings.some(({ code }) => code === 'bundle_malformed'));
    answers.set('tile/entries/001', () => [302, { location: `${url}/tile/entries/000` }, Buffer.alloc(0)]);
    await assert.rejects(verifyPublished(url, { vkey: log.vkey }), { code: 'unreachable' });
    answers.set('tile/entries/001', () => [403, {}, Buffer.alloc(0)]);
    await assert.rejects(verifyPublished(url, { vkey: log.vkey }), { code: 'not_permitted' });
    await assert.rejects(verifyPublished('http://192.0.2.1/x', { vkey: log.vkey }), {
      code: 'option_invalid',
    });
  });

  test('where nothing is published, there is nothing to report on', async (t) => {
    await assert.rejects(verify(temporaryFolder(t)), { code: 'log_missing' });
  });
});
