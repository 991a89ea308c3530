import type ts from 'typescript';
import type { TypeScript } from './scan.ts';

/** What a function that is imported from one of these captures, once it is called anywhere in the application. */
const captures: Readonly<Record<string, string>> = {
  'indelible/express': 'express',
  'indelible/fastify': 'fastify',
  'indelible/hono': 'hono',
  'indelible/nestjs': 'nest',
  'indelible/next': 'next',
  'indelible/node': 'http',
  'indelible/prisma': 'prisma',
  'indelible/drizzle': 'drizzle',
  'indelible/kysely': 'kysely',
};

/** A wrapper of an ORM captures by itself; a middleware captures calls where it is given rules for them, as `calls`. */
const orms: ReadonlySet<string> = new Set(['prisma', 'drizzle', 'kysely']);

/** By framework or ORM, the file that captures it for the whole application. */
export function capturing(
  compiler: TypeScript,
  files: readonly ts.SourceFile[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const file of files) {
    for (const statement of file.statements) {
      if (!compiler.isImportDeclaration(statement) || statement.importClause?.isTypeOnly === true) continue;
      const by = captures[(statement.moduleSpecifier as ts.StringLiteral).text];
      const names = namesOf(compiler, statement);
      if (by !== undefined && names.some((name) => isUsed(compiler, file, name, orms.has(by)))) {
        found.set(by, `captured in ${file.fileName}`);
      }
    }
  }
  return found;
}

function namesOf(compiler: TypeScript, { importClause }: ts.ImportDeclaration): string[] {
  const bindings = importClause?.namedBindings;
  const named =
    bindings === undefined
      ? []
      : compiler.isNamespaceImport(bindings)
        ? [bindings.name.text]
        : bindings.elements.filter(({ isTypeOnly }) => !isTypeOnly).map(({ name }) => name.text);
  return importClause?.name === undefined ? named : [importClause.name.text, ...named];
}

/** Whether a name is called: a wrapper with anything, a middleware with an object in which `calls` stands. */
function isUsed(compiler: TypeScript, file: ts.SourceFile, name: string, isWrapper: boolean): boolean {
  const visit = (node: ts.Node): boolean => {
    if (compiler.isCallExpression(node) && isCallOf(compiler, node, name)) {
      if (isWrapper || node.arguments.some((argument) => hasCalls(compiler, argument))) return true;
    }
    return compiler.forEachChild(node, (child) => visit(child) || undefined) === true;
  };
  return visit(file);
}

/** `auditExpress(…)`, `app.register(auditFastify, …)`, `AuditModule.forRoot(…)`. */
function isCallOf(
  compiler: TypeScript,
  { expression, arguments: words }: ts.CallExpression,
  name: string,
): boolean {
  const { isIdentifier, isPropertyAccessExpression } = compiler;
  const called = isPropertyAccessExpression(expression) ? expression.expression : expression;
  return [called, ...words].some((node) => isIdentifier(node) && node.text === name);
}

function hasCalls(compiler: TypeScript, argument: ts.Node): boolean {
  if (!compiler.isObjectLiteralExpression(argument)) return false;
  return argument.properties.some(({ name }) => name !== undefined && name.getText() === 'calls');
}
