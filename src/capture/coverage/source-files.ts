import path from 'node:path';
import type ts from 'typescript';
import type { TypeScript } from './scan.ts';
import { isWrite } from './writes.ts';

/** What a function may lead to. */
export type Goal = 'records' | 'writes';

/** Methods, functions and decorators that record. */
const recording: ReadonlySet<string> = new Set(['record', 'recordIn', 'recordMany', 'Audited']);

/** The modules whose import says that a file is of a framework. */
const frameworkOf: readonly (readonly [RegExp, string])[] = [
  [/^express$/, 'express'],
  [/^fastify$/, 'fastify'],
  [/^(?:hono(?:\/.*)?|@hono\/zod-openapi)$/, 'hono'],
];

/** The parsed files of a scan: finds functions by their names, and where they lead. */
export class SourceFiles {
  readonly #compiler: TypeScript;
  readonly #files: ReadonlyMap<string, ts.SourceFile>;
  readonly #declared = new Map<ts.SourceFile, ReadonlyMap<string, ts.Node>>();
  readonly #known = new Map<ts.Node, Partial<Record<Goal, boolean>>>();

  readonly #imports = new Map<ts.SourceFile, ReadonlySet<string>>();
  /** The name of the folder that is scanned: what Next.js does depends on it. */
  readonly root: string;
  /** The frameworks that any of the files imports. */
  readonly frameworks: readonly string[];

  constructor(compiler: TypeScript, files: readonly ts.SourceFile[], root: string) {
    this.#compiler = compiler;
    this.root = root;
    this.#files = new Map(files.map((file) => [file.fileName, file]));
    this.frameworks = [...new Set(files.flatMap((file) => this.frameworksOf(file)))];
  }

  /** The frameworks that a file imports. */
  frameworksOf(file: ts.SourceFile): string[] {
    const names = [...this.importsOf(file)];
    return frameworkOf.filter(([pattern]) => names.some((name) => pattern.test(name))).map(([, by]) => by);
  }

  /** The modules that a file imports, in any of the ways there are. */
  importsOf(file: ts.SourceFile): ReadonlySet<string> {
    const known = this.#imports.get(file);
    if (known !== undefined) return known;
    const names = new Set<string>();
    const visit = (node: ts.Node): void => {
      const specifier = this.#importedBy(node);
      if (specifier !== undefined && this.#compiler.isStringLiteralLike(specifier)) names.add(specifier.text);
      this.#compiler.forEachChild(node, visit);
    };
    visit(file);
    this.#imports.set(file, names);
    return names;
  }

  /** What `import … from`, `import x = require(…)`, `require(…)` and `import(…)` name. */
  #importedBy(node: ts.Node): ts.Node | undefined {
    if (this.#compiler.isImportDeclaration(node)) return node.moduleSpecifier;
    if (this.#compiler.isExternalModuleReference(node)) return node.expression;
    if (!this.#compiler.isCallExpression(node)) return undefined;
    const { kind } = node.expression;
    const isRequire = this.#compiler.isIdentifier(node.expression) && node.expression.text === 'require';
    return isRequire || kind === this.#compiler.SyntaxKind.ImportKeyword ? node.arguments[0] : undefined;
  }

  /** The function that an expression names: itself, one of the same file, or one of a scanned file that is imported. */
  functionOf(expression: ts.Node | undefined): ts.Node | undefined {
    const {
      isArrowFunction,
      isFunctionExpression,
      isIdentifier,
      isCallExpression,
      isParenthesizedExpression,
    } = this.#compiler;
    if (expression === undefined) return undefined;
    if (isArrowFunction(expression) || isFunctionExpression(expression)) return expression;
    if (isParenthesizedExpression(expression)) return this.functionOf(expression.expression);
    if (isIdentifier(expression)) return this.named(expression.getSourceFile(), expression.text);
    // `asyncHandler(async (request) => …)`: what is handed to a wrapper counts as its function.
    if (isCallExpression(expression)) return expression;
    if (this.#compiler.isPropertyAccessExpression(expression)) {
      return this.named(expression.getSourceFile(), expression.name.text);
    }
    return undefined;
  }

  /** Whether a function records or writes, by itself or through those that it calls by name. */
  reaches(from: ts.Node, goal: Goal): boolean {
    const known = this.#known.get(from) ?? {};
    this.#known.set(from, known);
    if (known[goal] !== undefined) return known[goal];
    // A loop of calls leads nowhere by itself.
    known[goal] = false;
    known[goal] = this.#visit(from, goal);
    return known[goal];
  }

  #visit(node: ts.Node, goal: Goal): boolean {
    if (this.#compiler.isCallExpression(node) && this.#leads(node, goal)) return true;
    if (goal === 'writes' && isWrite(this.#compiler, node)) return true;
    return this.#compiler.forEachChild(node, (child) => this.#visit(child, goal) || undefined) === true;
  }

  #leads({ expression }: ts.CallExpression, goal: Goal): boolean {
    const { isIdentifier, isPropertyAccessExpression } = this.#compiler;
    const name = isIdentifier(expression)
      ? expression.text
      : isPropertyAccessExpression(expression)
        ? expression.name.text
        : '';
    if (goal === 'records' && recording.has(name)) return true;
    const called =
      isIdentifier(expression) || this.#isOwn(expression)
        ? this.named(expression.getSourceFile(), name)
        : undefined;
    return called !== undefined && this.reaches(called, goal);
  }

  /** `this.voidInvoice(…)`. */
  #isOwn(expression: ts.Node): boolean {
    const { isPropertyAccessExpression, SyntaxKind } = this.#compiler;
    return isPropertyAccessExpression(expression) && expression.expression.kind === SyntaxKind.ThisKeyword;
  }

  /** The function of a name, of a file or imported by it. */
  named(file: ts.SourceFile, name: string): ts.Node | undefined {
    return this.#declarations(file).get(name) ?? this.#imported(file, name);
  }

  #declarations(file: ts.SourceFile): ReadonlyMap<string, ts.Node> {
    const known = this.#declared.get(file);
    if (known !== undefined) return known;
    const { isFunctionDeclaration, isMethodDeclaration, isVariableDeclaration, isPropertyAssignment } =
      this.#compiler;
    const declared = new Map<string, ts.Node>();
    const visit = (node: ts.Node): void => {
      if ((isFunctionDeclaration(node) || isMethodDeclaration(node)) && node.name !== undefined) {
        declared.set(node.name.getText(file), node);
      } else if (
        (isVariableDeclaration(node) || isPropertyAssignment(node)) &&
        node.initializer !== undefined
      ) {
        if (isFunctionLike(this.#compiler, node.initializer))
          declared.set(node.name.getText(file), node.initializer);
      }
      this.#compiler.forEachChild(node, visit);
    };
    visit(file);
    this.#declared.set(file, declared);
    return declared;
  }

  #imported(file: ts.SourceFile, name: string): ts.Node | undefined {
    for (const statement of file.statements) {
      if (!this.#compiler.isImportDeclaration(statement)) continue;
      const bindings = statement.importClause?.namedBindings;
      if (bindings === undefined || !this.#compiler.isNamedImports(bindings)) continue;
      const element = bindings.elements.find((candidate) => candidate.name.text === name);
      if (element === undefined) continue;
      const target = this.resolve(file, (statement.moduleSpecifier as ts.StringLiteral).text);
      return target === undefined
        ? undefined
        : this.#declarations(target).get((element.propertyName ?? element.name).text);
    }
    return undefined;
  }

  /** The scanned file that a relative import names, in any of the ways in which one is written. */
  resolve(file: ts.SourceFile, specifier: string): ts.SourceFile | undefined {
    if (!specifier.startsWith('.')) return undefined;
    const base = path.posix.join(path.posix.dirname(file.fileName), specifier);
    const stem = base.replace(/\.[cm]?jsx?$/, '');
    const endings = [
      '',
      '.ts',
      '.tsx',
      '.mts',
      '.js',
      '.jsx',
      '.mjs',
      '/index.ts',
      '/index.tsx',
      '/index.js',
    ];
    for (const start of [base, stem]) {
      for (const ending of endings) {
        const found = this.#files.get(start + ending);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

/** Whether an expression is a function, or a call that was handed one. */
function isFunctionLike(compiler: TypeScript, node: ts.Node): boolean {
  if (compiler.isArrowFunction(node) || compiler.isFunctionExpression(node)) return true;
  return (
    compiler.isCallExpression(node) && node.arguments.some((argument) => isFunctionLike(compiler, argument))
  );
}
