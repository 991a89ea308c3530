// The source tree as data for the tidy test: its rooms, its files, what each imports, and its syntax.

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** The folder that holds package.json. */
export const projectRoot = path.resolve(import.meta.dirname, '../..');

/**
 * The rooms, ground floor first: the order of the references in tsconfig.json, which the compiler builds in.
 * A room may import those named before it, through their index.ts alone.
 */
export const rooms: readonly string[] = readRooms();

/** The rooms that run in a browser: no Node, no DOM, no clock, no randomness, no input or output. */
export const pureRooms: readonly string[] = ['bytes', 'merkle', 'note', 'event', 'verify', 'wire'];

/** One TypeScript file, parsed. */
export interface SourceFile {
  /** Path from the project's root, with forward slashes. */
  readonly path: string;
  /** The room it stands in, or undefined outside src. */
  readonly room: string | undefined;
  readonly text: string;
  readonly lines: number;
  readonly syntax: ts.SourceFile;
}

/** One import, export-from, dynamic import, require, or `new URL('./x.js', import.meta.url)`. */
export interface Reference {
  readonly specifier: string;
  readonly line: number;
}

function readRooms(): string[] {
  const file = path.join(projectRoot, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  return config.references.map((reference: { path: string }) => path.basename(reference.path));
}

/** Parses every file that fits one of the patterns, in a fixed order. */
export function readSources(...patterns: string[]): SourceFile[] {
  return patterns
    .flatMap((pattern) => globSync(pattern, { cwd: projectRoot }))
    .map((file) => file.replaceAll(path.sep, '/'))
    .sort()
    .map(readSource);
}

function readSource(file: string): SourceFile {
  const text = readFileSync(path.join(projectRoot, file), 'utf8');
  const syntax = ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
  const room = /^src\/([^/]+)\//.exec(file)?.[1];
  return { path: file, room, text, lines: text.trimEnd().split('\n').length, syntax };
}

/** The line, counted from 1, on which a node starts (its doc comment left out). */
export function lineOf(file: SourceFile, node: ts.Node): number {
  return file.syntax.getLineAndCharacterOfPosition(node.getStart(file.syntax)).line + 1;
}

/** Calls `visit` with every node of a file, parents before children. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Everything that a file loads, in any of the ways that this project uses. */
export function referencesOf(file: SourceFile): Reference[] {
  const found: Reference[] = [];
  const add = (specifier: ts.Node | undefined): void => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier)) {
      found.push({ specifier: specifier.text, line: lineOf(file, specifier) });
    }
  };
  walk(file.syntax, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier);
    } else if (ts.isCallExpression(node) && isLoader(node.expression)) {
      add(node.arguments[0]);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal);
    } else if (isModuleUrl(node)) {
      add(node.arguments?.[0]);
    }
  });
  return found;
}

/** Whether an expression that is called loads a module: `import` or `createRequire(…)`. */
function isLoader(called: ts.Expression): boolean {
  const isRequire = ts.isCallExpression(called) && called.expression.getText() === 'createRequire';
  return isRequire || called.kind === ts.SyntaxKind.ImportKeyword;
}

/** Whether a node is `new URL('…', import.meta.url)`: how a worker's file is named. */
function isModuleUrl(node: ts.Node): node is ts.NewExpression {
  return (
    ts.isNewExpression(node) &&
    node.expression.getText() === 'URL' &&
    node.arguments?.[1]?.getText() === 'import.meta.url'
  );
}

/** The path of the file that a relative reference names; `.js` in a worker's URL means the `.ts` beside it. */
export function resolveReference(file: SourceFile, specifier: string): string {
  const target = path.posix.join(path.posix.dirname(file.path), specifier);
  return target.replace(/\.js$/, '.ts');
}
