import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type ts from 'typescript';
import { misuse } from '../../bytes/index.ts';
import { capturing } from './captured.ts';
import { findRoutes } from './routes.ts';
import { SourceFiles } from './source-files.ts';
import { findWrites } from './writes.ts';

/** The module of the compiler, as it is handed from file to file: an application has its own. */
export type TypeScript = typeof ts;

/** One thing that writes. */
export interface CoverageFinding {
  readonly kind: 'route' | 'action' | 'write';
  /** `express`, `fastify`, `hono`, `nest`, `next`; for a write `prisma`, `drizzle`, `kysely`. */
  readonly by: string;
  /** `POST /invoices/:id`, the name of a server action, `prisma.invoice.update`. */
  readonly name: string;
  /** From the folder that was scanned, with forward slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly recorded: boolean;
  /** Why it counts as recorded. */
  readonly because?: string;
}

/** What a scan found. */
export interface CoverageReport {
  readonly files: number;
  /** By file and line. */
  readonly found: readonly CoverageFinding[];
}

/** What a finder found, before it is judged. */
export interface Candidate {
  readonly kind: CoverageFinding['kind'];
  readonly by: string;
  readonly name: string;
  readonly file: ts.SourceFile;
  readonly node: ts.Node;
  /** The function that does it, where it is among the scanned files. */
  readonly handler: ts.Node | undefined;
  /** Whether it writes whatever its function does. */
  readonly writes: boolean;
}

/** Source files that one scan reads, and bytes that one of them may have. */
const FILES_MAX = 20_000;
const FILE_BYTES_MAX = 4 * 1024 * 1024;

const sourceName = /\.(?:[cm]?ts|tsx|[cm]?js|jsx)$/;
const skippedName = /^(?:node_modules|\..*)$|\.d\.[cm]?ts$|\.(?:test|spec)\./;
/** Folders that tools write, where a package lies: elsewhere `build` may be a part of the application. */
const builtName = /^(?:dist|build|coverage)$/;

/**
 * Reads the sources under a folder with the application's own `typescript` and finds what writes in them. Nothing of them is run. Throws
 * misuse `argument_invalid` where `typescript` is not installed, or the folder holds more than 20,000 sources; Node's errors where it
 * cannot be read.
 */
export async function scanCoverage(folder: string): Promise<CoverageReport> {
  const compiler = await loadCompiler();
  const names = sourcesUnder(folder);
  const parsed = names.map((name) => parse(compiler, folder, name));
  const sources = new SourceFiles(compiler, parsed, path.basename(path.resolve(folder)));
  const captured = capturing(compiler, parsed);
  const candidates = parsed.flatMap((file) => [
    ...findRoutes(compiler, file, sources),
    ...findWrites(compiler, file),
  ]);
  const found = candidates.flatMap((candidate) => judge(candidate, sources, captured, compiler) ?? []);
  return { files: parsed.length, found };
}

async function loadCompiler(): Promise<TypeScript> {
  try {
    return (await import('typescript')).default;
  } catch {
    throw misuse(
      'type',
      'argument_invalid',
      'coverage reads sources with typescript: npm install --save-dev typescript',
    );
  }
}

function sourcesUnder(folder: string): string[] {
  const names: string[] = [];
  const visit = (within: string): void => {
    const entries = readdirSync(path.join(folder, within), { withFileTypes: true });
    const isPackage = entries.some((entry) => entry.name === 'package.json');
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = within === '' ? entry.name : `${within}/${entry.name}`;
      if (skippedName.test(entry.name) || (isPackage && builtName.test(entry.name))) continue;
      if (entry.isDirectory()) visit(name);
      else if (entry.isFile() && sourceName.test(entry.name)) names.push(name);
    }
  };
  visit('');
  if (names.length > FILES_MAX) {
    throw misuse(
      'range',
      'argument_invalid',
      `${folder} holds ${names.length} sources, and one scan reads at most ${FILES_MAX}`,
    );
  }
  return names;
}

function parse(compiler: TypeScript, folder: string, name: string): ts.SourceFile {
  const at = path.join(folder, name);
  if (statSync(at).size > FILE_BYTES_MAX) {
    throw misuse(
      'range',
      'argument_invalid',
      `${name} has more than ${FILE_BYTES_MAX} bytes: it is no source of yours`,
    );
  }
  return compiler.createSourceFile(name, readFileSync(at, 'utf8'), compiler.ScriptTarget.Latest, true);
}

function judge(
  candidate: Candidate,
  sources: SourceFiles,
  captured: ReadonlyMap<string, string>,
  compiler: TypeScript,
): CoverageFinding | undefined {
  const { kind, by, name, file, node, handler } = candidate;
  if (!candidate.writes && (handler === undefined || !sources.reaches(handler, 'writes'))) return undefined;
  const because =
    (by === 'next' && !isWrapped(handler, compiler) ? undefined : captured.get(by)) ??
    ignoredBy(file, node, compiler) ??
    (handler !== undefined && sources.reaches(handler, 'records') ? 'its function records' : undefined);
  const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const found = { kind, by, name, file: file.fileName, line, recorded: because !== undefined };
  return because === undefined ? found : { ...found, because };
}

/** Next.js has no middleware around its handlers: `audit.route(…)` and `audit.action(…)` capture what they are given, and no other. */
function isWrapped(handler: ts.Node | undefined, compiler: TypeScript): boolean {
  if (handler === undefined || !compiler.isCallExpression(handler)) return false;
  const { expression } = handler;
  return compiler.isPropertyAccessExpression(expression) && /^(?:route|action)$/.test(expression.name.text);
}

const ignoring = /indelible-ignore:[ \t]*(\S[^\n]*?)[ \t]*(?:\*\/)?[ \t]*$/m;

/** The reason that a comment gives, on the line of a node, in it before its code, or on the line before. */
function ignoredBy(file: ts.SourceFile, node: ts.Node, compiler: TypeScript): string | undefined {
  const { text } = file;
  let statement = node;
  while (
    statement.parent !== undefined &&
    !compiler.isStatement(statement) &&
    !compiler.isClassElement(statement)
  ) {
    statement = statement.parent;
  }
  const starts = new Set([node.getStart(file), statement.getStart(file)]);
  for (const start of starts) {
    const lineStart = text.lastIndexOf('\n', start - 1) + 1;
    const before = text.slice(text.lastIndexOf('\n', lineStart - 2) + 1, lineStart).trim();
    const end = text.indexOf('\n', start);
    const own = text.slice(lineStart, end < 0 ? text.length : end);
    const comment = /^(?:\/\/|\/\*|\*)/.test(before) ? before : '';
    const reason = ignoring.exec(comment)?.[1] ?? ignoring.exec(/(?:\/\/|\/\*).*$/.exec(own)?.[0] ?? '')?.[1];
    if (reason !== undefined) return `ignored: ${reason}`;
  }
  return undefined;
}
