// What the documents say is tried out: examples are type-checked and run, commands are run and their output
// compared, names of subpaths, scripts, files and error codes must exist.

import assert from 'node:assert/strict';
import { existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { misuseCodes, verificationCodes } from 'indelible/bytes';
import { eventCodes, formatFilter, parseQuery } from 'indelible/event';
import { problemCodes } from 'indelible/http';
import { monitorCodes } from 'indelible/monitor';
import { databaseOf, migrate } from 'indelible/postgres';
import { logErrorCodes } from 'indelible/store';
import { findingCodes } from 'indelible/verify';
import pg from 'pg';
import ts from 'typescript';
import { poolOf, testServer, whyNoPostgres } from '../support/postgres.ts';
import { type Fence, fencesOf, type Ran, run, scratchFolder } from './scratch.ts';
import { projectRoot } from './source-tree.ts';

const documents = globSync(['*.md', 'docs/**/*.md', 'spec/**/*.md'], { cwd: projectRoot })
  .map((file) => file.replaceAll(path.sep, '/'))
  .sort();
const fences = documents.flatMap(fencesOf);
const manifest = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));

/** The document whose examples need a database, which they find where an application would. */
const ON_POSTGRES = 'docs/postgres.md';

/** What the examples of a document find in their environment, or why they cannot run here. */
async function environmentOf(file: string): Promise<NodeJS.ProcessEnv> {
  if (file !== ON_POSTGRES) return {};
  const url = await (await testServer()).database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('CREATE TABLE accounts (id integer PRIMARY KEY, email text, password_hash text)');
  await client.end();
  return { DATABASE_URL: url };
}

/** A folder in which `indelible` is installed, as far as Node and TypeScript can tell. */
function installedFolder(context: TestContext): string {
  const folder = scratchFolder(context);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  mkdirSync(path.join(folder, 'node_modules/@aws-sdk'), { recursive: true });
  symlinkSync(projectRoot, path.join(folder, 'node_modules/indelible'), 'junction');
  for (const name of ['pg', 'postgres', '@aws-sdk/client-kms']) {
    const peer = path.join(projectRoot, 'node_modules', name);
    symlinkSync(peer, path.join(folder, 'node_modules', name), 'junction');
  }
  const types = path.join(projectRoot, 'node_modules/@types');
  symlinkSync(types, path.join(folder, 'node_modules/@types'), 'junction');
  return folder;
}

/** Connections for one test. */
function pooled(url: string, context: TestContext): pg.Pool {
  const pool = poolOf(url, 1);
  context.after(() => pool.end());
  return pool;
}

/** `README.md:12`, and the same as a file name. */
const placeOf = (fence: Fence): string => `${fence.file}:${fence.line}`;
const fileNameOf = (fence: Fence): string => `${placeOf(fence).replace(/[^A-Za-z0-9]/g, '-')}.ts`;

/**
 * Compares what ran with the `text` block that follows an example, if one does. There, `…` stands for what
 * differs from run to run: a hash, a time, a duration.
 */
function compareOutput(fence: Fence, ran: Ran): void {
  const next = fences[fences.indexOf(fence) + 1];
  if (next?.file !== fence.file || next.language !== 'text') {
    return;
  }
  const pattern = next.code
    .trimEnd()
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^\\n]*?');
  const printed = (ran.stdout + ran.stderr).trimEnd();
  if (!new RegExp(`^${pattern}$`).test(printed)) {
    assert.equal(
      printed,
      next.code.trimEnd(),
      `${placeOf(next)} does not show what ${placeOf(fence)} prints`,
    );
  }
}

const examples = fences.filter((fence) => fence.language === 'ts');

test('the examples in TypeScript type-check against what the package declares', (context) => {
  assert.ok(examples.length > 0);
  const folder = installedFolder(context);
  const names = examples.map((fence) => path.join(folder, fileNameOf(fence)));
  for (const [at, fence] of examples.entries()) {
    writeFileSync(names[at] ?? '', fence.code);
  }
  const program = ts.createProgram(names, {
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: ['node'],
    typeRoots: [path.join(folder, 'node_modules/@types')],
  });
  const found = ts.getPreEmitDiagnostics(program).map((diagnostic) => {
    const place = diagnostic.file === undefined ? '' : path.basename(diagnostic.file.fileName);
    return `${place} ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`;
  });
  assert.deepEqual(found, []);
});

for (const fence of examples) {
  const skip = fence.file === ON_POSTGRES && (whyNoPostgres() ?? false);
  test(`the example at ${placeOf(fence)} runs and prints what it says`, { skip }, async (context) => {
    const env = await environmentOf(fence.file);
    if (env.DATABASE_URL !== undefined) await migrate(databaseOf(pooled(env.DATABASE_URL, context)));
    const folder = installedFolder(context);
    writeFileSync(path.join(folder, fileNameOf(fence)), fence.code);
    const ran = run(process.execPath, [fileNameOf(fence)], folder, env);
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    compareOutput(fence, ran);
  });
}

test('every query in the documents can be read, and written again', () => {
  const queries = fences.filter((fence) => fence.language === 'query');
  assert.ok(queries.length > 0);
  for (const query of queries.flatMap((fence) => fence.code.trimEnd().split('\n'))) {
    const filter = parseQuery(query);
    assert.deepEqual(parseQuery(formatFilter(filter)), filter, query);
  }
});

/** Whether a shell example is about the command line; those about npm are checked by their names below. */
const isForCommandLine = (fence: Fence): boolean =>
  fence.language === 'sh' && /\bindelible /.test(fence.code);

for (const file of documents.filter((name) => fencesOf(name).some(isForCommandLine))) {
  const skip = file === ON_POSTGRES && (whyNoPostgres() ?? false);
  test(`the commands in ${file} run, one block after the other, and print what they say`, {
    skip,
  }, async (context) => {
    const database = await environmentOf(file);
    const folder = scratchFolder(context);
    const bin = path.join(folder, '.bin');
    mkdirSync(bin);
    const command = path.join(projectRoot, manifest.bin.indelible);
    const shim = `#!/bin/sh\nexec "${process.execPath}" "${command}" "$@"\n`;
    writeFileSync(path.join(bin, 'indelible'), shim, { mode: 0o755 });
    const work = path.join(folder, 'work');
    mkdirSync(work);
    for (const fence of fences.filter(
      (candidate) => candidate.file === file && isForCommandLine(candidate),
    )) {
      const env = { ...database, PATH: `${bin}${path.delimiter}${process.env.PATH}` };
      const ran = run('bash', ['--norc', '-euo', 'pipefail', '-c', `exec 2>&1\n${fence.code}`], work, env);
      assert.equal(ran.status, 0, `${placeOf(fence)}\n${ran.stdout}${ran.stderr}`);
      compareOutput(fence, ran);
    }
  });
}

test('subpaths and npm scripts named in the documents exist', () => {
  const wrong: string[] = [];
  for (const file of documents) {
    const text = readFileSync(path.join(projectRoot, file), 'utf8');
    for (const [, subpath] of text.matchAll(/[`'"]indelible\/([a-z/-]+)[`'"]/g)) {
      if (manifest.exports[`./${subpath}`] === undefined) {
        wrong.push(`${file} names indelible/${subpath}, which package.json does not export`);
      }
    }
    for (const [, script] of text.matchAll(/\bnpm run ([a-z][a-z:-]*)/g)) {
      if (manifest.scripts[script ?? ''] === undefined) {
        wrong.push(`${file} names "npm run ${script}", which package.json does not have`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('files that the documents link to exist', () => {
  const wrong: string[] = [];
  for (const file of documents) {
    const text = readFileSync(path.join(projectRoot, file), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      const relative = path.join(projectRoot, path.dirname(file), target ?? '');
      if (!/^[a-z]+:/.test(target ?? '') && !existsSync(relative)) {
        wrong.push(`${file} links to ${target}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

/** The codes in the first column of the table under a heading of docs/errors.md. */
function documentedCodes(heading: string): string[] {
  const text = readFileSync(path.join(projectRoot, 'docs/errors.md'), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(heading));
  assert.ok(section, `docs/errors.md has no section "${heading}"`);
  return [...section.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map((match) => match[1] ?? '');
}

const codeLists: Readonly<Record<string, readonly string[]>> = {
  Misuse: misuseCodes,
  'Events that are refused': eventCodes,
  'Evidence that fails': verificationCodes,
  'Operations that fail': logErrorCodes,
  'Problems of a server': problemCodes,
  'Findings of a whole-log audit': findingCodes,
  'What a monitor tells': monitorCodes,
};

for (const [heading, codes] of Object.entries(codeLists)) {
  test(`docs/errors.md lists the codes of the code: ${heading}`, () => {
    const documented = documentedCodes(heading);
    assert.deepEqual(documented.toSorted(), [...codes].sort());
    assert.deepEqual(documented, documented.toSorted(), 'the rows stand in alphabetical order');
  });
}
