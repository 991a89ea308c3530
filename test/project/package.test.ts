// The package as its users get it: packed, judged by publint and attw, installed into an empty folder, run.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { before, type TestContext } from 'node:test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import ts from 'typescript';
import { fencesOf, run, scratchFolder } from './scratch.ts';
import { projectRoot, pureRooms, readSources } from './source-tree.ts';

interface Packed {
  readonly tarball: string;
  readonly files: readonly string[];
}

const manifest = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));

/** What the bundler writes, for the viewer and for evidence: named by content, so that only the folder is known beforehand. */
const isPage = (file: string): boolean => /^dist\/(viewer|evidence)\//.test(file);

/** Packs what is built, without running any script. */
function pack(context: TestContext): Packed {
  const folder = scratchFolder(context);
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const packed = run('npm', args, projectRoot);
  assert.equal(packed.status, 0, packed.stderr);
  const [{ filename, files }] = JSON.parse(packed.stdout);
  return {
    tarball: path.join(folder, filename),
    files: files.map((file: { path: string }) => file.path),
  };
}

before(() => {
  assert.ok(existsSync(path.join(projectRoot, 'dist')), 'build first: npm run build');
});

test('the tarball holds the build of every source file, the documents, and nothing else', (context) => {
  const { files } = pack(context);
  const built = readSources('src/**/*.ts').map((file) =>
    file.path.replace(/^src\//, 'dist/').replace(/\.ts$/, ''),
  );
  const expected = new Set(built.flatMap((name) => [`${name}.js`, `${name}.d.ts`]));
  const packedBuild = files.filter((file) => file.startsWith('dist/') && !isPage(file));
  assert.deepEqual(
    packedBuild.filter((file) => !expected.has(file)),
    [],
    'dist/ holds files of sources that are gone: npm run clean',
  );
  assert.deepEqual([...expected].filter((file) => !packedBuild.includes(file)).sort(), [], 'not built');
  for (const file of ['README.md', 'LICENSE', 'SECURITY.md', 'ARCHITECTURE.md', 'CHANGELOG.md']) {
    assert.ok(files.includes(file), `${file} is not in the tarball`);
  }
  for (const file of ['index.html', 'embed.js', 'licenses.md']) {
    assert.ok(
      files.includes(`dist/viewer/${file}`),
      `dist/viewer/${file} is not in the tarball: npm run build`,
    );
  }
  const rest = files.filter(
    (file) => !/^(dist|spec|docs|verifiers)\/|^[A-Z]+(\.md)?$|^package\.json$/.test(file),
  );
  assert.deepEqual(rest, []);
});

test('publint has nothing to say', async (context) => {
  const { tarball } = pack(context);
  const data = readFileSync(tarball);
  const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages } = await publint({ pack: { tarball: bytes as ArrayBuffer }, strict: true });
  assert.deepEqual(
    messages.map((message) => formatMessage(message, manifest)),
    [],
  );
});

test('attw finds types for every subpath of the ESM package', (context) => {
  const { tarball } = pack(context);
  const attw = path.join(projectRoot, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const args = [
    attw,
    tarball,
    '--profile',
    'esm-only',
    '--no-definitely-typed',
    '--format',
    'ascii',
    '--no-color',
  ];
  const judged = run(process.execPath, args, projectRoot);
  assert.equal(judged.status, 0, judged.stdout + judged.stderr);
});

test("installed into an empty folder, the README's first example runs", (context) => {
  const { tarball } = pack(context);
  const folder = scratchFolder(context);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
  const installed = run('npm', ['install', ...flags, tarball], folder);
  assert.equal(installed.status, 0, installed.stderr);

  const example = fencesOf('README.md').find((fence) => fence.language === 'ts');
  assert.ok(example, 'README.md has no example in TypeScript');
  writeFileSync(path.join(folder, 'example.ts'), example.code);
  const ran = run(process.execPath, ['example.ts'], folder);
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);

  for (const subpath of Object.keys(manifest.exports).filter((name) => !name.endsWith('.json'))) {
    const name = path.posix.join(manifest.name, subpath);
    const loaded = run(process.execPath, ['--input-type=module', '-e', `await import('${name}')`], folder);
    assert.equal(loaded.status, 0, `${name}: ${loaded.stderr}`);
  }
  const command = path.join(folder, 'node_modules/.bin/indelible');
  const version = run(process.execPath, [command, '--version'], folder);
  assert.equal(version.stdout.trim(), manifest.version, version.stderr);
});

/** One module of a graph: where it is and what it imports. */
type Graph = Map<string, string[]>;

/** Follows the imports of a built module as a bundler for the browser would: with the default condition. */
function browserGraph(entry: string, graph: Graph = new Map()): Graph {
  if (graph.has(entry)) {
    return graph;
  }
  const text = readFileSync(path.join(projectRoot, entry), 'utf8');
  const specifiers = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  graph.set(entry, specifiers);
  for (const specifier of specifiers) {
    if (specifier.startsWith('.')) {
      browserGraph(path.posix.join(path.posix.dirname(entry), specifier), graph);
    } else if (specifier.startsWith('#')) {
      browserGraph(path.posix.normalize(manifest.imports[specifier].default), graph);
    }
  }
  return graph;
}

for (const room of [...pureRooms, 'context', 'client']) {
  test(`indelible/${room} needs nothing from Node outside Node`, () => {
    const graph = browserGraph(`dist/${room}/index.js`);
    const outside = [...graph].flatMap(([file, specifiers]) =>
      specifiers
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('#'))
        .map((specifier) => `${file} imports ${specifier}`),
    );
    const foreign = outside.filter((line) => !/ imports @noble\//.test(line));
    assert.deepEqual(foreign, []);
    const rooms = new Set([...graph.keys()].map((file) => file.split('/')[1] ?? ''));
    assert.deepEqual(
      [...rooms].filter((name) => !pureRooms.includes(name) && name !== room && name !== 'context'),
      [],
    );
  });
}

test('indelible/verify verifies in a realm where nothing of Node exists', (context) => {
  const script = path.join(projectRoot, 'test/project/bare-realm.ts');
  const flags = ['--experimental-vm-modules', '--no-warnings'];
  const ran = run(process.execPath, [...flags, script], scratchFolder(context));
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  assert.deepEqual(JSON.parse(ran.stdout), { index: 1, size: 3, refusal: 'inclusion_invalid' });
});
