import type ts from 'typescript';
import type { Candidate, TypeScript } from './scan.ts';
import type { SourceFiles } from './source-files.ts';

const writingMethods: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE', 'ALL']);
const routeMethods: ReadonlySet<string> = new Set(['get', 'post', 'put', 'patch', 'delete', 'all']);
const nestMethods: ReadonlySet<string> = new Set(['Get', 'Post', 'Put', 'Patch', 'Delete', 'All']);
const nextMethods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

/** The routes and server actions in a file; those by GET only count where their functions write. */
export function findRoutes(compiler: TypeScript, file: ts.SourceFile, sources: SourceFiles): Candidate[] {
  const finder = new Finder(compiler, file, sources);
  return [...finder.registered(), ...finder.nest(), ...finder.next(), ...finder.actions()];
}

interface Exported {
  readonly name: string;
  readonly node: ts.Node;
  readonly value: ts.Node | undefined;
}

class Finder {
  readonly #ts: TypeScript;
  readonly #file: ts.SourceFile;
  readonly #sources: SourceFiles;

  constructor(compiler: TypeScript, file: ts.SourceFile, sources: SourceFiles) {
    this.#ts = compiler;
    this.#file = file;
    this.#sources = sources;
  }

  /**
   * `app.post('/path', handler)` and its variations. In a file that imports no framework the application may be handed in, or be
   * imported from another file: there a path and a function are asked for, so that no client of another API is taken for it.
   */
  registered(): Candidate[] {
    const [own] = this.#sources.frameworksOf(this.#file);
    const by = own ?? this.#sources.frameworks[0];
    if (by === undefined) return [];
    const found: Candidate[] = [];
    this.#each((node) => {
      if (!this.#ts.isCallExpression(node) || !this.#ts.isPropertyAccessExpression(node.expression)) return;
      if (own === undefined && !this.#isPlainly(node)) return;
      found.push(...this.#registration(by, node, node.expression));
    });
    return found;
  }

  /** Whether a call is handed a path that begins with a slash, and a function. */
  #isPlainly({ arguments: words }: ts.CallExpression): boolean {
    return this.#text(words[0])?.startsWith('/') === true && this.#isFunction(words.at(-1));
  }

  #registration(by: string, node: ts.CallExpression, callee: ts.PropertyAccessExpression): Candidate[] {
    const method = callee.name.text;
    const [first, second] = node.arguments;
    if (method === 'route' && first !== undefined && this.#ts.isObjectLiteralExpression(first)) {
      const handler = this.#property(first, 'handler');
      const url = this.#text(this.#property(first, 'url')) ?? '?';
      return this.#methods(this.#property(first, 'method')).map((name) =>
        this.#route(by, name, url, node, handler),
      );
    }
    if (method === 'on' && by === 'hono' && node.arguments.length > 2) {
      const url = this.#text(second) ?? '?';
      return this.#methods(first).map((name) => this.#route(by, name, url, node, node.arguments.at(-1)));
    }
    if (!routeMethods.has(method)) return [];
    const chained = this.#chainedPath(callee.expression);
    const url = chained ?? this.#text(first);
    const handler = node.arguments.at(-1);
    const count = chained === undefined ? 2 : 1;
    // `fetcher.post('/path', body)` registers nothing: a handler is a function, or names one.
    if (first === undefined || node.arguments.length < count) return [];
    if (url === undefined ? !this.#isFunction(handler) : !this.#mayHandle(handler)) return [];
    const inside =
      handler !== undefined && this.#ts.isObjectLiteralExpression(handler)
        ? this.#property(handler, 'handler')
        : handler;
    // A path that is kept in a constant, or a list of them, is told as it is written.
    const path = url ?? first.getText().replace(/\s+/g, ' ').slice(0, 60);
    return [this.#route(by, method.toUpperCase(), path, node, inside)];
  }

  /** The path of `router.route('/path').get(…).post(…)`. */
  #chainedPath(on: ts.Expression): string | undefined {
    if (!this.#ts.isCallExpression(on) || !this.#ts.isPropertyAccessExpression(on.expression))
      return undefined;
    const { name, expression } = on.expression;
    if (name.text === 'route') return this.#text(on.arguments[0]);
    return routeMethods.has(name.text) ? this.#chainedPath(expression) : undefined;
  }

  /** Whether an expression is a function, names one, or is a call that is handed one. */
  #isFunction(node: ts.Node | undefined): boolean {
    const found = this.#sources.functionOf(node);
    if (found === undefined) return false;
    return !this.#ts.isCallExpression(found) || found.arguments.some((word) => this.#isFunction(word));
  }

  #mayHandle(handler: ts.Node | undefined): boolean {
    if (handler === undefined) return false;
    // Fastify takes its options in the handler's place, where they have one.
    if (this.#ts.isObjectLiteralExpression(handler)) return this.#property(handler, 'handler') !== undefined;
    const {
      isArrowFunction,
      isFunctionExpression,
      isIdentifier,
      isPropertyAccessExpression,
      isCallExpression,
    } = this.#ts;
    return [
      isArrowFunction,
      isFunctionExpression,
      isIdentifier,
      isPropertyAccessExpression,
      isCallExpression,
    ].some((is) => is(handler));
  }

  /** `@Post('path')` in a class with `@Controller('prefix')`. */
  nest(): Candidate[] {
    if (!this.#sources.importsOf(this.#file).has('@nestjs/common')) return [];
    const found: Candidate[] = [];
    this.#each((node) => {
      if (!this.#ts.isClassDeclaration(node)) return;
      const controller = this.#decorator(node, new Set(['Controller']));
      if (controller === undefined) return;
      for (const member of node.members) {
        const decorator = this.#decorator(member, nestMethods);
        if (decorator === undefined) continue;
        const url = `/${[controller.path, decorator.path].filter((part) => part !== '').join('/')}`.replace(
          /\/+/g,
          '/',
        );
        found.push(this.#route('nest', decorator.name.toUpperCase(), url, member, member, member));
      }
    });
    return found;
  }

  #decorator(
    node: ts.Node,
    names: ReadonlySet<string>,
  ): { readonly name: string; readonly path: string } | undefined {
    if (!this.#ts.canHaveDecorators(node)) return undefined;
    for (const { expression } of this.#ts.getDecorators(node) ?? []) {
      if (!this.#ts.isCallExpression(expression) || !names.has(expression.expression.getText())) continue;
      const [given] = expression.arguments;
      const path =
        given !== undefined && this.#ts.isObjectLiteralExpression(given)
          ? this.#property(given, 'path')
          : given;
      return { name: expression.expression.getText(), path: this.#text(path) ?? path?.getText() ?? '' };
    }
    return undefined;
  }

  /** Exported methods of `route.ts` under `app`, and what `pages/api` exports by default. */
  next(): Candidate[] {
    const name = `${this.#sources.root}/${this.#file.fileName}`;
    const app = /^(?:.*\/)?app\/(?:(.*)\/)?route\.[cm]?[jt]sx?$/.exec(name);
    const pages = /^(?:.*\/)?pages\/(api\/.*)\.[jt]sx?$/.exec(name);
    const exported = this.#exported();
    if (app !== null) {
      const url = `/${(app[1] ?? '')
        .split('/')
        .filter((part) => !/^(?:\(.*\)|@.*)$/.test(part))
        .join('/')}`;
      return exported
        .filter(({ name: method }) => nextMethods.has(method))
        .map(({ name: method, node, value }) => this.#route('next', method, url, node, value, value));
    }
    if (pages === null) return [];
    const handler = exported.find(({ name: of }) => of === 'default');
    if (handler === undefined) return [];
    const url = `/${(pages[1] ?? '').replace(/\/index$/, '')}`;
    return [this.#route('next', 'ALL', url, handler.node, handler.value, handler.value)];
  }

  /** Functions with `'use server'` in them, and those that a file with it at its head exports. */
  actions(): Candidate[] {
    const ofFile = this.#hasDirective(this.#file.statements) ? this.#exported() : [];
    const found = ofFile.map(({ name, node, value }) => this.#action(name, node, value));
    this.#each((node) => {
      const body = this.#ts.isFunctionLike(node) ? (node as { readonly body?: ts.Node }).body : undefined;
      if (body === undefined || !this.#ts.isBlock(body) || !this.#hasDirective(body.statements)) return;
      found.push(this.#action(this.#nameOf(node), node, node));
    });
    return found;
  }

  #action(name: string, node: ts.Node, handler: ts.Node | undefined): Candidate {
    return { kind: 'action', by: 'next', name, file: this.#file, node, handler, writes: true };
  }

  #nameOf(node: ts.Node): string {
    const own = (node as { readonly name?: ts.Node }).name?.getText();
    const held =
      node.parent !== undefined && this.#ts.isVariableDeclaration(node.parent)
        ? node.parent.name.getText()
        : undefined;
    return own ?? held ?? '(unnamed)';
  }

  #hasDirective(statements: ts.NodeArray<ts.Statement>): boolean {
    for (const statement of statements) {
      if (!this.#ts.isExpressionStatement(statement) || !this.#ts.isStringLiteral(statement.expression))
        return false;
      if (statement.expression.text === 'use server') return true;
    }
    return false;
  }

  /** What the file exports: names, and the functions behind them, where they are among the scanned files. */
  #exported(seen: ReadonlySet<ts.SourceFile> = new Set()): Exported[] {
    const { SyntaxKind } = this.#ts;
    return this.#file.statements.flatMap((statement): Exported[] => {
      if (this.#ts.isExportAssignment(statement)) {
        return [{ name: 'default', node: statement, value: this.#sources.functionOf(statement.expression) }];
      }
      if (this.#ts.isExportDeclaration(statement)) return this.#passedOn(statement, seen);
      const modifiers = this.#ts.canHaveModifiers(statement) ? (this.#ts.getModifiers(statement) ?? []) : [];
      if (!modifiers.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) return [];
      if (this.#ts.isFunctionDeclaration(statement)) {
        const isDefault = modifiers.some(({ kind }) => kind === SyntaxKind.DefaultKeyword);
        return [
          { name: isDefault ? 'default' : (statement.name?.text ?? ''), node: statement, value: statement },
        ];
      }
      if (!this.#ts.isVariableStatement(statement)) return [];
      return statement.declarationList.declarations.flatMap((declaration) => this.#declared(declaration));
    });
  }

  /** `export const POST = …`, `export const { GET, POST } = handlers`. */
  #declared(declaration: ts.VariableDeclaration): Exported[] {
    const { name, initializer } = declaration;
    if (this.#ts.isObjectBindingPattern(name)) {
      return name.elements.map((element) => ({
        name: element.name.getText(),
        node: element,
        value: undefined,
      }));
    }
    // `export const runtime = 'nodejs'`.
    if (initializer !== undefined && this.#ts.isLiteralExpression(initializer)) return [];
    return [{ name: name.getText(), node: declaration, value: this.#sources.functionOf(initializer) }];
  }

  /** `export { handler as POST }`, also from another file, and `export * from './handlers'`. */
  #passedOn(statement: ts.ExportDeclaration, seen: ReadonlySet<ts.SourceFile>): Exported[] {
    const { exportClause, moduleSpecifier, isTypeOnly } = statement;
    if (isTypeOnly) return [];
    const from = moduleSpecifier as ts.StringLiteral | undefined;
    const target = from && this.#sources.resolve(this.#file, from.text);
    if (exportClause === undefined) {
      if (target === undefined || seen.has(target)) return [];
      const others = new Finder(this.#ts, target, this.#sources).#exported(new Set([...seen, this.#file]));
      return others
        .filter(({ name }) => name !== 'default')
        .map(({ name, value }) => ({ name, node: statement, value }));
    }
    if (!this.#ts.isNamedExports(exportClause)) return [];
    return exportClause.elements
      .filter((element) => !element.isTypeOnly)
      .map((element) => {
        const inner = (element.propertyName ?? element.name).text;
        const within = from === undefined ? this.#file : target;
        const value = within === undefined ? undefined : this.#sources.named(within, inner);
        return { name: element.name.text, node: element, value };
      });
  }

  #route(
    by: string,
    method: string,
    url: string,
    node: ts.Node,
    given: ts.Node | undefined,
    handler?: ts.Node,
  ): Candidate {
    return {
      kind: 'route',
      by,
      name: `${method} ${url}`,
      file: this.#file,
      node,
      handler: handler ?? this.#sources.functionOf(given),
      writes: writingMethods.has(method),
    };
  }

  #methods(node: ts.Node | undefined): string[] {
    if (node !== undefined && this.#ts.isArrayLiteralExpression(node)) {
      return node.elements.flatMap((element) => this.#text(element)?.toUpperCase() ?? []);
    }
    return [this.#text(node)?.toUpperCase() ?? 'ALL'];
  }

  #property(object: ts.ObjectLiteralExpression, name: string): ts.Node | undefined {
    const found = object.properties.find((property) => property.name?.getText() === name);
    if (found === undefined) return undefined;
    if (this.#ts.isPropertyAssignment(found)) return found.initializer;
    if (this.#ts.isShorthandPropertyAssignment(found)) return found.name;
    return this.#ts.isMethodDeclaration(found) ? found : undefined;
  }

  #text(node: ts.Node | undefined): string | undefined {
    if (node === undefined) return undefined;
    if (this.#ts.isStringLiteralLike(node)) return node.text;
    return this.#ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : undefined;
  }

  #each(visit: (node: ts.Node) => void): void {
    const walk = (node: ts.Node): void => {
      visit(node);
      this.#ts.forEachChild(node, walk);
    };
    walk(this.#file);
  }
}
