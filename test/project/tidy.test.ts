// The style of the house as a test: floors, lengths, banned calls, doc comments, dead files, words.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import ts from 'typescript';
import {
  lineOf,
  projectRoot,
  pureRooms,
  type Reference,
  readSources,
  referencesOf,
  resolveReference,
  rooms,
  type SourceFile,
  walk,
} from './source-tree.ts';
import {
  bans,
  FILE_LINES_MAX,
  FUNCTION_LINES_MAX,
  forbiddenWords,
  longFiles,
  longFunctions,
  PURE_FILE_LINES_MAX,
  packagesAllowed,
  sideDoors,
} from './tidy-rules.ts';

const shipped = readSources('src/**/*.ts');
const ours = [
  ...shipped,
  ...readSources('tools/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts', 'viewer/**/*.{ts,tsx}'),
];

/** Fails with every finding on a line of its own, so that one run shows all there is to mend. */
function assertNone(findings: readonly string[]): void {
  assert.equal(findings.length, 0, `\n${findings.join('\n')}\n`);
}

test('the sources are where this test looks for them', () => {
  assert.ok(shipped.length > 20, `only ${shipped.length} files under src`);
  const foundIn = new Set(shipped.map((file) => file.room));
  assert.deepEqual([...foundIn].sort(), [...rooms].sort(), 'tsconfig.json names other rooms than src holds');
});

test('a room imports only rooms below it, only through their index.ts', () => {
  const excused = new Set<string>();
  const findings: string[] = [];
  for (const file of shipped) {
    for (const reference of referencesOf(file)) {
      const wrong = wrongWith(file, reference);
      const door = `${file.path} ${reference.specifier}`;
      if (wrong !== undefined && sideDoors[door] !== undefined) {
        excused.add(door);
      } else if (wrong !== undefined) {
        findings.push(`${file.path}:${reference.line} ${reference.specifier}: ${wrong}`);
      }
    }
  }
  const stale = Object.keys(sideDoors).filter((door) => !excused.has(door));
  assertNone([...findings, ...stale.map((door) => `sideDoors excuses ${door} for nothing`)]);
});

/** What is wrong with one import, or undefined. */
function wrongWith(file: SourceFile, { specifier }: Reference): string | undefined {
  const room = file.room ?? '';
  if (specifier.startsWith('.')) {
    return wrongWithRelative(file, specifier);
  }
  if (specifier.startsWith('#')) {
    return specifier.startsWith('#dist/') ? '#dist is for tests' : undefined;
  }
  if (specifier.startsWith('node:')) {
    return pureRooms.includes(room) ? 'a pure room imports nothing from Node' : undefined;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  return packagesAllowed(room).includes(name) ? undefined : `the package ${name} is not for the room ${room}`;
}

function wrongWithRelative(file: SourceFile, specifier: string): string | undefined {
  const target = resolveReference(file, specifier);
  const room = /^src\/([^/]+)\//.exec(target)?.[1];
  if (room === undefined) {
    return 'leads out of src';
  }
  if (room === file.room) {
    return undefined;
  }
  if (target !== `src/${room}/index.ts`) {
    return `another room is entered through src/${room}/index.ts`;
  }
  return rooms.indexOf(room) < rooms.indexOf(file.room ?? '')
    ? undefined
    : `${room} is not below ${file.room}`;
}

test('files are short enough to be read at one go', () => {
  const excused = new Set<string>();
  const findings = ours.flatMap((file) => {
    const max = pureRooms.includes(file.room ?? '') ? PURE_FILE_LINES_MAX : FILE_LINES_MAX;
    if (file.lines <= max) {
      return [];
    }
    if (longFiles[file.path] !== undefined) {
      excused.add(file.path);
      return [];
    }
    return [`${file.path} has ${file.lines} lines, ${max} is the limit: it is two files`];
  });
  const stale = Object.keys(longFiles).filter((name) => !excused.has(name));
  assertNone([...findings, ...stale.map((name) => `longFiles excuses ${name} for nothing`)]);
});

test('functions are short enough to be seen at one glance', () => {
  const excused = new Set<string>();
  const findings: string[] = [];
  for (const file of ours) {
    walk(file.syntax, (node) => {
      const lines = functionLines(file, node);
      if (lines <= FUNCTION_LINES_MAX) {
        return;
      }
      const name = `${file.path} ${functionName(node)}`;
      if (longFunctions[name] !== undefined) {
        excused.add(name);
      } else {
        findings.push(`${name} (line ${lineOf(file, node)}) has ${lines} lines`);
      }
    });
  }
  const stale = Object.keys(longFunctions).filter((name) => !excused.has(name));
  assertNone([...findings, ...stale.map((name) => `longFunctions excuses ${name} for nothing`)]);
});

/** The lines of a function with a body; 0 for every other node. */
function functionLines(file: SourceFile, node: ts.Node): number {
  if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) {
    return 0;
  }
  const end = file.syntax.getLineAndCharacterOfPosition(node.getEnd()).line + 1;
  return end - lineOf(file, node) + 1;
}

function functionName(node: ts.Node): string {
  if (ts.isFunctionLike(node) && node.name !== undefined) {
    return node.name.getText();
  }
  const { parent } = node;
  const held = parent !== undefined && (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent));
  return held ? parent.name.getText() : '(unnamed)';
}

for (const ban of bans) {
  test(`no ${ban.name}`, () => {
    const excused = new Set<string>();
    const findings: string[] = [];
    for (const file of ours.filter((candidate) => !ban.allowedIn(candidate))) {
      walk(file.syntax, (node) => {
        if (!ban.is(node)) {
          return;
        }
        if (ban.except?.[file.path] !== undefined) {
          excused.add(file.path);
          return;
        }
        findings.push(`${file.path}:${lineOf(file, node)} uses ${ban.name}; use ${ban.instead}`);
      });
    }
    const stale = Object.keys(ban.except ?? {}).filter((name) => !excused.has(name));
    assertNone([...findings, ...stale.map((name) => `the exception of ${name} excuses nothing`)]);
  });
}

test('everything exported is documented, and every room opens with an essay', () => {
  const findings: string[] = [];
  for (const file of shipped) {
    for (const statement of file.syntax.statements) {
      if (isExported(statement) && !isDocumented(file, statement)) {
        findings.push(`${file.path}:${lineOf(file, statement)} exports something without a doc comment`);
      }
    }
    if (file.path.endsWith('/index.ts') && !/^\s*(\/\/|\/\*)/.test(file.text)) {
      findings.push(`${file.path} does not open with a comment that explains the room`);
    }
  }
  assertNone(findings);
});

function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)
  );
}

/**
 * Whether a doc comment stands before the statement; before the overload that it implements; or before the run of
 * constants, one a line, in which it stands.
 */
function isDocumented(file: SourceFile, statement: ts.Statement): boolean {
  const comments = ts.getLeadingCommentRanges(file.text, statement.getFullStart()) ?? [];
  if (comments.some((comment) => file.text.startsWith('/**', comment.pos))) {
    return true;
  }
  const before = file.syntax.statements[file.syntax.statements.indexOf(statement) - 1];
  return before !== undefined && belongTogether(file, before, statement) && isDocumented(file, before);
}

function belongTogether(file: SourceFile, before: ts.Statement, statement: ts.Statement): boolean {
  if (ts.isFunctionDeclaration(before) && ts.isFunctionDeclaration(statement)) {
    return before.name?.text === statement.name?.text;
  }
  const constants = ts.isVariableStatement(before) && ts.isVariableStatement(statement);
  return constants && lineOf(file, statement) === lineOf(file, before) + 1;
}

test('no file of src is dead: each is reached from an export, a command or a worker', () => {
  const byPath = new Map(shipped.map((file) => [file.path, file]));
  const queue = entryFiles();
  const reached = new Set<string>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const file = byPath.get(name);
    assert.ok(file, `package.json or an import names ${name}, which is not there`);
    if (!reached.has(name)) {
      reached.add(name);
      const relative = referencesOf(file).filter((reference) => reference.specifier.startsWith('.'));
      const targets = relative.map((reference) => resolveReference(file, reference.specifier));
      queue.push(...targets.filter((target) => target !== 'package.json'));
    }
  }
  assertNone(
    shipped.filter((file) => !reached.has(file.path)).map((file) => `${file.path} is used by nothing`),
  );
});

/** The source files behind `exports`, `bin` and `imports` of package.json. */
function entryFiles(): string[] {
  const { exports, bin, imports } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));
  const targets = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : Object.values(value as object).flatMap(targets);
  return targets([exports, bin, imports])
    .filter((target) => target.startsWith('./dist/') && target.endsWith('.js'))
    .map((target) => target.replace('./dist/', 'src/').replace(/\.js$/, '.ts'));
}

test('ARCHITECTURE.md has a line for every room', () => {
  const map = readFileSync(path.join(projectRoot, 'ARCHITECTURE.md'), 'utf8');
  assertNone(
    rooms.filter((room) => !map.includes(`src/${room}`)).map((room) => `src/${room} is not on the map`),
  );
});

/** Every text file that belongs to the project, by path from its root. */
function projectFiles(): string[] {
  const skipped = /^(node_modules|dist|data|test-artifacts|\.git)$/;
  return globSync('{*,.*,*/**,.*/**}', {
    cwd: projectRoot,
    withFileTypes: true,
    exclude: (entry) => entry.parentPath === projectRoot && skipped.test(entry.name),
  })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(projectRoot, path.join(entry.parentPath, entry.name)))
    .filter((name) => !/(^|\/)(node_modules|LICENSE)(\/|$)|package-lock\.json$|\.(tgz|png)$/.test(name));
}

test('words that promise too much, or leave work standing, appear nowhere', () => {
  const files = projectFiles();
  assert.ok(files.includes('package.json') && files.includes('.ci/run'), 'the walk sees nothing');
  assertNone(
    files.flatMap((name) => {
      const lines = readFileSync(path.join(projectRoot, name), 'utf8').split('\n');
      return forbiddenWords.flatMap(({ pattern, because }) =>
        lines.flatMap((line, at) => (pattern.test(line) ? [`${name}:${at + 1} ${pattern}: ${because}`] : [])),
      );
    }),
  );
});

test('no path of a machine stands in a file', () => {
  const home = new RegExp(['', '(home|Users)', '[a-z][a-z0-9]*', ''].join('/'));
  assertNone(
    projectFiles().flatMap((name) => {
      const text = readFileSync(path.join(projectRoot, name), 'utf8');
      return text.includes(`${projectRoot}/`) || home.test(text)
        ? [`${name} names a folder of one machine`]
        : [];
    }),
  );
});

test('the lock file holds no download addresses', () => {
  const lock = readFileSync(path.join(projectRoot, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /"resolved": *"http/, 'omit-lockfile-registry-resolved belongs in .npmrc');
  assert.match(
    readFileSync(path.join(projectRoot, '.npmrc'), 'utf8'),
    /^omit-lockfile-registry-resolved=true$/m,
  );
});

for (const project of ['test', 'viewer']) {
  test(`what ${project}/tsconfig.json names type-checks: tests, tools and benchmarks, or the viewer`, () => {
    const tsc = path.join(projectRoot, 'node_modules/typescript/bin/tsc');
    const result = spawnSync(process.execPath, [tsc, '-p', project], { cwd: projectRoot, encoding: 'utf8' });
    assert.equal(result.status, 0, result.stdout);
  });
}

test('lint and format: biome has nothing to say', () => {
  const biome = path.join(projectRoot, 'node_modules/@biomejs/biome/bin/biome');
  assert.ok(existsSync(biome), 'biome is not installed');
  const args = [biome, 'check', '--error-on-warnings', '--colors=off', '--max-diagnostics=20', '.'];
  const result = spawnSync(process.execPath, args, { cwd: projectRoot, encoding: 'utf8' });
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}\nnpm run format mends most of this`);
});
