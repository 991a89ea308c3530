// What the tidy test forbids, and the named exceptions with their reasons. Rules are data; tidy.test.ts
// applies them. An exception that no longer excuses anything fails the test, so this list cannot go stale.

import ts from 'typescript';
import { pureRooms, type SourceFile } from './source-tree.ts';

/** Lines a function may have, from its first word to its closing brace. */
export const FUNCTION_LINES_MAX = 70;

/** Lines a file may have in the pure rooms, which are read by auditors from top to bottom. */
export const PURE_FILE_LINES_MAX = 500;

/** Lines a file may have everywhere else. */
export const FILE_LINES_MAX = 400;

const packages: Readonly<Record<string, readonly string[]>> = {
  store: ['@aws-sdk/client-s3'],
  anchor: ['asn1js', 'pkijs'],
  capture: ['drizzle-orm', 'fastify', 'hono', 'typescript'],
  http: ['hono', '@hono/node-server', 'ajv', 'pino', 'prom-client', 'openid-client'],
  cli: ['commander', 'pg', 'postgres', '@aws-sdk/client-kms'],
};

/** Packages that a room may import, besides node: above the pure rooms. */
export function packagesAllowed(room: string): readonly string[] {
  if (pureRooms.includes(room)) {
    return ['@noble/hashes', '@noble/curves', '@noble/post-quantum'];
  }
  return packages[room] ?? [];
}

/** Imports that pass a room's index.ts by, by `path specifier`, each with its reason. */
export const sideDoors: Readonly<Record<string, string>> = {
  'src/platform/signatures.ts ../note/signatures-portable.js':
    'the other half of the import condition #signatures, loaded where OpenSSL says no and not before',
  'src/cli/version.ts ../../package.json': 'the version to print',
};

/** Functions that are allowed to be longer, by `path name`, each with its reason. */
export const longFunctions: Readonly<Record<string, string>> = {};

/** Files that are allowed to be longer, by path, each with its reason. */
export const longFiles: Readonly<Record<string, string>> = {};

/** One thing that source files do not do. */
export interface Ban {
  readonly name: string;
  readonly instead: string;
  /** Whether this node of the syntax tree is the banned thing. */
  readonly is: (node: ts.Node) => boolean;
  /** Where it is not banned. */
  readonly allowedIn: (file: SourceFile) => boolean;
  /** Single files that may do it after all, with the reason. */
  readonly except?: Readonly<Record<string, string>>;
}

const bytesOnly = (file: SourceFile): boolean => file.room === 'bytes';
const bytesAndPlatform = (file: SourceFile): boolean => file.room === 'bytes' || file.room === 'platform';
const nowhere = (): boolean => false;
const clockRooms = (file: SourceFile): boolean =>
  file.room === undefined ||
  file.room === 'platform' ||
  file.room === 'cli' ||
  file.path === 'src/client/runtime.ts';
const speakingRooms = (file: SourceFile): boolean => file.room === undefined || file.room === 'cli';
const outsideMerkle = (file: SourceFile): boolean => file.room !== 'merkle';

/** Everything banned, each with what to use in its place. */
export const bans: readonly Ban[] = [
  {
    name: "Buffer.from(text, 'base64' or 'hex')",
    instead: 'base64Decode, base64urlDecode or hexDecode of bytes: Buffer.from forgives bad input',
    is: (node) =>
      isCall(node, 'Buffer.from') &&
      node.arguments.length > 1 &&
      /^['"](base64|base64url|hex)['"]$/.test(node.arguments[1]?.getText() ?? ''),
    allowedIn: bytesOnly,
  },
  {
    name: 'JSON.parse',
    instead:
      'parseJson of bytes: JSON.parse keeps the last of two equal keys, rounds integers, and reads some names wrong (nodejs/node#63785)',
    is: (node) => isCall(node, 'JSON.parse'),
    allowedIn: (file) => file.room === 'bytes' || file.room === undefined,
  },
  {
    name: 'BigInt(…)',
    instead: 'parseDecimal of bytes: BigInt("") is 0n and BigInt("0x10") is 16n',
    is: (node) => isCall(node, 'BigInt'),
    allowedIn: bytesOnly,
    except: {
      'src/log/search/candidates.ts': 'of whole numbers, which SQLite is to bind as integers',
      'src/capture/kysely-write.ts': 'of counts and of whole numbers, which Kysely gives as bigints',
    },
  },
  {
    name: 'parseInt and parseFloat',
    instead: 'parseDecimal of bytes: they stop at the first character that they do not like',
    is: (node) => isCall(node, 'parseInt', 'parseFloat', 'Number.parseInt', 'Number.parseFloat'),
    allowedIn: bytesOnly,
  },
  {
    name: 'TextDecoder and TextEncoder',
    instead: 'utf8Decode and utf8Encode of bytes: the platform replaces what it cannot read',
    is: (node) => ts.isNewExpression(node) && /^Text(De|En)coder$/.test(node.expression.getText()),
    allowedIn: bytesAndPlatform,
    except: { 'src/log/search/terms.ts': 'encodes into a buffer that is there: the hot path of indexing' },
  },
  {
    name: 'Date.now and new Date() without arguments',
    instead: 'a clock that is handed in: see platform',
    is: (node) =>
      isCall(node, 'Date.now') ||
      (ts.isNewExpression(node) &&
        node.expression.getText() === 'Date' &&
        (node.arguments === undefined || node.arguments.length === 0)),
    allowedIn: clockRooms,
  },
  {
    name: 'Math.random()',
    instead: 'randomness that is handed in: see platform',
    is: (node) => isCall(node, 'Math.random'),
    allowedIn: clockRooms,
  },
  {
    name: 'process.env',
    instead: 'an option: shipped code does not read its orders from the environment',
    is: (node) => ts.isPropertyAccessExpression(node) && node.getText() === 'process.env',
    allowedIn: clockRooms,
  },
  {
    name: 'process.exit',
    instead: 'an error that is thrown: a library never ends its host',
    is: (node) => isCall(node, 'process.exit', 'process.abort'),
    allowedIn: speakingRooms,
  },
  {
    name: 'as any',
    instead: 'unknown, and a check',
    is: (node) => ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword,
    allowedIn: nowhere,
  },
  {
    name: 'eval and new Function',
    instead: 'nothing: there is no good use for it here',
    is: (node) =>
      isCall(node, 'eval') || (ts.isNewExpression(node) && node.expression.getText() === 'Function'),
    allowedIn: nowhere,
  },
  {
    name: 'a 32-bit bit operator',
    instead: 'division and remainder: sizes go to 2^53 - 1, bit operators to 2^32',
    is: (node) =>
      (ts.isBinaryExpression(node) && bitOperators.has(node.operatorToken.kind)) ||
      (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.TildeToken),
    allowedIn: outsideMerkle,
  },
  {
    name: 'console',
    instead: 'a value that is returned, or the warn option: a library does not speak by itself',
    is: (node) => ts.isPropertyAccessExpression(node) && node.expression.getText() === 'console',
    allowedIn: speakingRooms,
  },
];

const bitOperators: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.LessThanLessThanToken,
  ts.SyntaxKind.GreaterThanGreaterThanToken,
  ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken,
  ts.SyntaxKind.AmpersandToken,
  ts.SyntaxKind.BarToken,
  ts.SyntaxKind.CaretToken,
  ts.SyntaxKind.LessThanLessThanEqualsToken,
  ts.SyntaxKind.GreaterThanGreaterThanEqualsToken,
  ts.SyntaxKind.GreaterThanGreaterThanGreaterThanEqualsToken,
  ts.SyntaxKind.AmpersandEqualsToken,
  ts.SyntaxKind.BarEqualsToken,
  ts.SyntaxKind.CaretEqualsToken,
]);

function isCall(node: ts.Node, ...names: string[]): node is ts.CallExpression {
  return ts.isCallExpression(node) && names.includes(node.expression.getText());
}

/**
 * Words that appear in no file of the project, each with its reason. Every pattern is put together from
 * pieces, so that this file passes too.
 */
export const forbiddenWords: readonly { readonly pattern: RegExp; readonly because: string }[] = [
  {
    pattern: word('tamper', '[- ]?proof'),
    because: 'say tamper-evident: changes are detected, not prevented',
  },
  { pattern: word('compl', 'iant'), because: 'say what it helps with; only an assessor says the rest' },
  { pattern: word('certi', 'fied'), because: 'nobody has done that' },
  { pattern: word('guaran', 'teed'), because: 'say what holds, and under which conditions' },
  { pattern: word('TO', 'DO', 'w'), because: 'finish it, or write an issue' },
  { pattern: word('FIX', 'ME', 'w'), because: 'finish it, or write an issue' },
  { pattern: new RegExp(`\\.${'only'}\\(`), because: 'a test left alone hides all the others' },
  { pattern: new RegExp(`\\bskip: *${'true'}\\b`), because: 'a skipped case carries a written reason' },
  {
    pattern: /\b(DESIGN|FAULTS|FORMATS|TOOLCHAIN) (attack|[0-9])/,
    because: 'the repository has no such page: cite spec/, or the RFC',
  },
];

function word(start: string, end: string, flags = 'i'): RegExp {
  return new RegExp(`\\b${start}${end}\\b`, flags === 'i' ? 'i' : '');
}
