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
  readonly #imports: ReadonlySet<string>;

  constructor(compiler: TypeScript, file: ts.SourceFile, sources: SourceFiles) {
    this.#ts = compiler;
    this.#file = file;
    this.#sources = sources;
    this.#imports = new Set(
      file.statements
        .filter((statement) => compiler.isImportDeclaration(statement))
        .map((statement) => (statement.moduleSpecifier as ts.StringLiteral).text),
    );
  }

  /** `app.post('/path', handler)` and its variations, in files that import Express, Fastify or Hono. */
  registered(): Candidate[] {
    const by = ['express', 'fastify', 'hono'].find((name) => this.#imports.has(name));
    if (by === undefined) return [];
    const found: Candidate[] = [];
    this.#each((node) => {
      if (!this.#ts.isCallExpression(node) || !this.#ts.isPropertyAccessExpression(node.expression)) return;
      found.push(...this.#registration(by, node, node.expression));
    });
    return found;
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
    if (url === undefined || node.arguments.length < count || !this.#mayHandle(handler)) return [];
    return [this.#route(by, method.toUpperCase(), url, node, handler)];
  }

  /** The path of `router.route('/path').get(…).post(…)`. */
  #chainedPath(on: ts.Expression): string | undefined {
    if (!this.#ts.isCallExpression(on) || !this.#ts.isPropertyAccessExpression(on.expression))
      return undefined;
    const { name, expression } = on.expression;
    if (name.text === 'route') return this.#text(on.arguments[0]);
    return routeMethods.has(name.text) ? this.#chainedPath(expression) : undefined;
  }

  #mayHandle(handler: ts.Node | undefined): boolean {
    if (handler === undefined) return false;
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
    if (!this.#imports.has('@nestjs/common')) return [];
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
      return { name: expression.expression.getText(), path: this.#text(expression.arguments[0]) ?? '' };
    }
    return undefined;
  }

  /** Exported methods of `route.ts` under `app`, and what `pages/api` exports by default. */
  next(): Candidate[] {
    const name = this.#file.fileName;
    const app = /^(?:.*\/)?app\/(?:(.*)\/)?route\.[jt]sx?$/.exec(name);
    const pages = /^(?:.*\/)?pages\/(api\/.*)\.[jt]sx?$/.exec(name);
    const exported = this.#exported();
    if (app !== null) {
      const url = `/${(app[1] ?? '')
        .split('/')
        .filter((part) => !/^\(.*\)$/.test(part))
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
    const ofFile = this.#hasDirective(this.#file.statements)
      ? this.#exported().filter(({ value }) => value !== undefined)
      : [];
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

  /** What the file exports by its own statements: names, and the functions behind them. */
  #exported(): Exported[] {
    const { SyntaxKind } = this.#ts;
    return this.#file.statements.flatMap((statement): Exported[] => {
      if (this.#ts.isExportAssignment(statement)) {
        return [{ name: 'default', node: statement, value: this.#sources.functionOf(statement.expression) }];
      }
      const modifiers = this.#ts.canHaveModifiers(statement) ? (this.#ts.getModifiers(statement) ?? []) : [];
      if (!modifiers.some(({ kind }) => kind === SyntaxKind.ExportKeyword)) return [];
      if (this.#ts.isFunctionDeclaration(statement)) {
        const isDefault = modifiers.some(({ kind }) => kind === SyntaxKind.DefaultKeyword);
        return [
          { name: isDefault ? 'default' : (statement.name?.text ?? ''), node: statement, value: statement },
        ];
      }
      if (!this.#ts.isVariableStatement(statement)) return [];
      return statement.declarationList.declarations.map((declaration) => ({
        name: declaration.name.getText(),
        node: declaration,
        value: this.#sources.functionOf(declaration.initializer),
      }));
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
