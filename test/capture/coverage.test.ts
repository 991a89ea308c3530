// Coverage on applications of each framework under test/fixtures/coverage, and the command line on copies of them.

import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  baselineOf,
  compareBaseline,
  createCoverage,
  parseBaseline,
  scanCoverage,
  tellRecorded,
  tellRoute,
} from 'indelible/coverage';
import { run } from '../project/scratch.ts';
import { projectRoot } from '../project/source-tree.ts';
import { temporaryFolder } from '../support/folders.ts';

const fixtures = path.join(projectRoot, 'test/fixtures/coverage');

/** `+` or `-`, the name, and why it counts as recorded. */
async function scanned(name: string): Promise<string[]> {
  const { found } = await scanCoverage(path.join(fixtures, name));
  return found.map(
    ({ recorded, name: of, because }) => `${recorded ? '+' : '-'} ${of}${because ? ` (${because})` : ''}`,
  );
}

const expected: Readonly<Record<string, readonly string[]>> = {
  express: [
    '+ POST /invoices (its function records)',
    '+ POST /invoices/:id/void (its function records)',
    '- DELETE /invoices/:id',
    '+ POST /cache/reset (ignored: it only resets a cache of the process)',
    '- POST /no/reason',
    '- PUT /orders/:id',
  ],
  fastify: [
    '+ POST /invoices (its function records)',
    '- PATCH /invoices/:id',
    '- PUT /orders/:id',
    '- DELETE /orders/:id',
  ],
  hono: ['+ POST /invoices (its function records)', '- PUT /invoices/:id', '- DELETE /invoices/:id'],
  nest: [
    '+ POST /invoices (its function records)',
    '- DELETE /invoices/:id',
    '+ POST /orders (its function records)',
    "- DELETE /orders/[':id', 'all']",
  ],
  next: [
    '- GET /orders',
    '- prisma.visit.create',
    '+ updateRole (its function records)',
    '- renameTeam',
    '+ POST /api/invoices/[id] (its function records)',
    '- DELETE /api/invoices/[id]',
    '- save',
    '- ALL /api/legacy',
  ],
  orms: [
    '- prisma.invoice.updateMany',
    '- prisma.$executeRaw',
    '- drizzle.insert(invoices)',
    '- drizzle.update(invoices)',
    '- drizzle.delete(invoices)',
    '- kysely.deleteFrom(invoices)',
    '+ prisma.invoice.create (its function records)',
    '+ drizzle.update(invoices) (ignored: a counter of page views)',
  ],
  // Next.js has no middleware: what is not wrapped is not recorded, whatever else is.
  'next-wrapped': [
    '- made',
    '+ wrapped (captured in app/audit.ts)',
    '- later',
    '- POST /api/auth',
    '- DELETE /api/renamed',
    '- PATCH /api/renamed',
    '+ PUT /api/some (captured in app/audit.ts)',
    '- DELETE /api/some',
    '+ POST /api/whole (captured in app/audit.ts)',
  ],
  variations: [
    '- POST paths.orders',
    '- PUT /options',
    '- PATCH /build',
    '- POST /commonjs',
    '- DELETE /handed-in',
    '- prisma.invoice.delete',
    '- drizzle.insert(table)',
    '- drizzle.execute(sql)',
    '- prisma.$queryRaw',
  ],
  captured: [
    '- POST /context',
    '+ POST /calls (captured in hono.ts)',
    '+ prisma.invoice.create (captured in db.ts)',
    '- drizzle.delete(table)',
  ],
};

for (const [name, lines] of Object.entries(expected)) {
  test(`${name}: what writes, and what of it is recorded`, async () => {
    assert.deepEqual(await scanned(name), lines);
  });
}

test('the folder of Next.js may be scanned by itself, and what a package builds is passed over', async (t) => {
  const { found } = await scanCoverage(path.join(fixtures, 'next-wrapped/app'));
  assert.deepEqual(
    found.filter(({ file }) => file.startsWith('api/some')).map(({ name }) => name),
    ['PUT /api/some', 'DELETE /api/some'],
  );
  const folder = temporaryFolder(t);
  cpSync(path.join(fixtures, 'variations'), folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{}');
  assert.equal((await scanCoverage(folder)).files, 4, 'its build is no source');
});

test('a baseline knows what was there, tells what is new and what is gone, and does not mind lines', async () => {
  const { found } = await scanCoverage(path.join(fixtures, 'fastify'));
  const baseline = parseBaseline(JSON.stringify(baselineOf(found)));
  assert.deepEqual(baseline.unrecorded, [
    'app.ts: route DELETE /orders/:id',
    'app.ts: route PATCH /invoices/:id',
    'app.ts: route PUT /orders/:id',
  ]);
  const moved = found.map((finding) => ({ ...finding, line: finding.line + 10 }));
  assert.deepEqual(compareBaseline(moved, baseline), { fresh: [], known: moved.slice(1), gone: [] });
  const twice = compareBaseline([...found, { ...found[1]!, line: 99 }], baseline);
  assert.equal(twice.fresh.length, 1, 'a second of the same name is new');
  assert.deepEqual(compareBaseline(found.slice(0, 2), baseline).gone.length, 2);
  for (const text of ['{"version":2,"unrecorded":[]}', '[]', '{"version":1,"unrecorded":[1]}']) {
    assert.throws(() => parseBaseline(text), { code: 'argument_invalid' });
  }
});

function cli(words: readonly string[], folder: string) {
  return run(process.execPath, [path.join(projectRoot, 'dist/cli/main.js'), 'coverage', ...words], folder);
}

test('indelible coverage: 1 on a new one, 0 on known ones, JSON for machines', (t) => {
  const folder = temporaryFolder(t);
  cpSync(path.join(fixtures, 'fastify'), path.join(folder, 'src'), { recursive: true });
  const first = cli(['src'], folder);
  assert.equal(first.status, 1);
  assert.match(first.stdout, /^app\.ts:7 {2}route {2}PATCH \/invoices\/:id {2}\(fastify\) is not recorded$/m);
  assert.match(first.stdout, /^1 files: 1 of 4 that write are recorded, 3 new, 0 known\.$/m);
  assert.equal(cli(['src', '--baseline', 'b.json'], folder).status, 2, 'no baseline is no empty one');
  assert.equal(cli(['src', '--update'], folder).status, 2);
  assert.equal(cli(['src', '--baseline', 'b.json', '--update'], folder).status, 0);
  const known = cli(['src', '--baseline', 'b.json', '--json'], folder);
  assert.equal(known.status, 0, known.stderr);
  assert.equal(JSON.parse(known.stdout).known.length, 3);
  const file = path.join(folder, 'src/app.ts');
  writeFileSync(
    file,
    `// A line above.\n${readFileSync(file, 'utf8')}app.post('/new', async () => 'new');\n`,
  );
  const fresh = cli(['src', '--baseline', 'b.json'], folder);
  assert.equal(fresh.status, 1);
  assert.match(fresh.stdout, /POST \/new .* is not recorded\n1 files: 1 of 5 .* 1 new, 3 known\.\n$/);
  assert.equal(cli(['nowhere'], folder).status, 3);
});

test('at run time, what ran is compared with what was recorded', () => {
  tellRoute({ method: 'POST', route: '/before' });
  const coverage = createCoverage();
  tellRoute({ method: 'get', route: '/invoices' });
  tellRoute({ method: 'POST', route: '/invoices' });
  tellRoute({ method: 'POST', route: '/invoices' });
  tellRecorded({ method: 'POST', route: '/invoices', action: 'record.created' });
  tellRoute({ method: 'DELETE', route: '/invoices/:id' });
  assert.deepEqual(coverage.report(), [
    { method: 'DELETE', route: '/invoices/:id', ran: 1, recorded: 0, actions: [] },
    { method: 'GET', route: '/invoices', ran: 1, recorded: 0, actions: [] },
    { method: 'POST', route: '/invoices', ran: 2, recorded: 1, actions: ['record.created'] },
  ]);
  assert.deepEqual(
    coverage.unrecorded().map(({ method }) => method),
    ['DELETE'],
  );
  coverage.stop();
  tellRoute({ method: 'PUT', route: '/after' });
  assert.equal(coverage.report().length, 3);
});
