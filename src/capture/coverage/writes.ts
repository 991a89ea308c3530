import type ts from 'typescript';
import { mayWrite } from '../raw-sql.ts';
import type { Candidate, TypeScript } from './scan.ts';

const prismaWrites: ReadonlySet<string> = new Set([
  'create',
  'createMany',
  'createManyAndReturn',
  'update',
  'updateMany',
  'updateManyAndReturn',
  'upsert',
  'delete',
  'deleteMany',
]);

const prismaRaw: ReadonlySet<string> = new Set(['$executeRaw', '$executeRawUnsafe']);
/** Methods of a Drizzle database that take raw SQL. */
const drizzleRaw: ReadonlySet<string> = new Set(['execute', 'run', 'all', 'get', 'values']);
const kyselyWrites: ReadonlySet<string> = new Set([
  'insertInto',
  'updateTable',
  'deleteFrom',
  'mergeInto',
  'replaceInto',
]);

/** What follows a call of Drizzle's that writes; a `delete` may stand alone. */
const drizzleWrites: Readonly<Record<string, readonly string[]>> = {
  insert: ['values', 'select'],
  update: ['set'],
  delete: ['where', 'returning', 'execute', 'run'],
};

/** What people call a client, a database and a transaction. */
const prismaName = /^(?:.*prisma.*|tx|trx|transaction|db|client)$/i;
const drizzleName = /^(?:.*db|.*drizzle.*|.*database|tx|trx|transaction)$/i;

/** One write: the ORM that makes it, and its name. */
interface Written {
  readonly by: string;
  readonly name: string;
}

/** Whether a node is a call of an ORM that writes. */
export function isWrite(compiler: TypeScript, node: ts.Node): boolean {
  return writeOf(compiler, node) !== undefined;
}

/** The writes in a file. */
export function findWrites(compiler: TypeScript, file: ts.SourceFile): Candidate[] {
  const found: Candidate[] = [];
  const visit = (node: ts.Node): void => {
    const write = writeOf(compiler, node);
    if (write !== undefined) {
      found.push({
        kind: 'write',
        ...write,
        file,
        node,
        handler: functionAround(compiler, node),
        writes: true,
      });
    }
    compiler.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function writeOf(compiler: TypeScript, node: ts.Node): Written | undefined {
  const callee = compiler.isCallExpression(node)
    ? node.expression
    : compiler.isTaggedTemplateExpression(node)
      ? node.tag
      : undefined;
  if (callee === undefined || !compiler.isPropertyAccessExpression(callee)) return undefined;
  const method = callee.name.text;
  const on = callee.expression;
  if (prismaRaw.has(method)) return { by: 'prisma', name: `prisma.${method}` };
  const sql = sqlOf(compiler, node);
  if (sql !== undefined && mayWrite(sql)) {
    if (method.startsWith('$queryRaw')) return { by: 'prisma', name: `prisma.${method}` };
    if (drizzleRaw.has(method) && drizzleName.test(lastName(compiler, on))) {
      return { by: 'drizzle', name: `drizzle.${method}(sql)` };
    }
  }
  if (!compiler.isCallExpression(node)) return undefined;
  const [first] = node.arguments;
  if (kyselyWrites.has(method) && first !== undefined) {
    return { by: 'kysely', name: `kysely.${method}(${textOf(compiler, first)})` };
  }
  if (
    prismaWrites.has(method) &&
    compiler.isPropertyAccessExpression(on) &&
    prismaName.test(lastName(compiler, on.expression))
  ) {
    return { by: 'prisma', name: `prisma.${on.name.text}.${method}` };
  }
  return drizzleWrite(compiler, node, method, lastName(compiler, on));
}

function drizzleWrite(
  compiler: TypeScript,
  node: ts.CallExpression,
  method: string,
  on: string,
): Written | undefined {
  const followers = drizzleWrites[method];
  const [table] = node.arguments;
  if (followers === undefined || table === undefined || node.arguments.length !== 1 || !drizzleName.test(on))
    return undefined;
  if (!compiler.isIdentifier(table) && !compiler.isPropertyAccessExpression(table)) return undefined;
  const { parent } = node;
  const follower = compiler.isPropertyAccessExpression(parent) ? parent.name.text : undefined;
  if (follower === undefined ? method !== 'delete' : !followers.includes(follower)) return undefined;
  return { by: 'drizzle', name: `drizzle.${method}(${table.getText()})` };
}

/** The text of SQL that a call is handed, or a template is. */
function sqlOf(compiler: TypeScript, node: ts.Node): string | undefined {
  if (compiler.isTaggedTemplateExpression(node)) return node.template.getText().slice(1, -1);
  const [first] = compiler.isCallExpression(node) ? node.arguments : [];
  if (first === undefined) return undefined;
  if (compiler.isStringLiteralLike(first)) return first.text;
  return compiler.isTaggedTemplateExpression(first) ? first.template.getText().slice(1, -1) : undefined;
}

/** The last name of `this.services.prisma`: `prisma`; of `getPrisma()` or `(await getPrisma())!`, what it calls. */
function lastName(compiler: TypeScript, node: ts.Node): string {
  if (compiler.isIdentifier(node)) return node.text;
  if (
    compiler.isCallExpression(node) ||
    compiler.isAwaitExpression(node) ||
    compiler.isParenthesizedExpression(node) ||
    compiler.isNonNullExpression(node)
  ) {
    return lastName(compiler, node.expression);
  }
  return compiler.isPropertyAccessExpression(node) ? node.name.text : '';
}

function textOf(compiler: TypeScript, node: ts.Node): string {
  return compiler.isStringLiteralLike(node) ? node.text : node.getText().slice(0, 60);
}

/** The outermost function around a node: what records on its behalf may stand before or after it. */
function functionAround(compiler: TypeScript, node: ts.Node): ts.Node | undefined {
  let found: ts.Node | undefined;
  for (let at: ts.Node | undefined = node.parent; at !== undefined; at = at.parent) {
    if (compiler.isFunctionLike(at)) found = at;
    // The methods of a class, and the handlers that are given to an application, are no parts of what is around them.
    if (
      found === at &&
      (compiler.isClassElement(at) || compiler.isFunctionDeclaration(at) || isArgument(compiler, at))
    )
      break;
  }
  return found;
}

/** Whether a function is handed to something that is not a transaction. */
function isArgument(compiler: TypeScript, node: ts.Node): boolean {
  const { parent } = node;
  if (parent === undefined || !compiler.isCallExpression(parent) || parent.expression === node) return false;
  return !/transaction|execute|\$transaction/.test(parent.expression.getText());
}
