import { RegExpRouter } from 'hono/router/reg-exp-router';
import { SmartRouter } from 'hono/router/smart-router';
import { TrieRouter } from 'hono/router/trie-router';
import type { Route } from './route.ts';

/** A route with the parameters that its path had. */
export interface Match<T> {
  readonly target: T;
  readonly params: Readonly<Record<string, string>>;
}

const methods = ['GET', 'POST', 'PATCH', 'DELETE'] as const;

/** Finds the route for a method and a path. */
export class Router<T> {
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] });

  add(route: Pick<Route, 'method' | 'path'>, target: T): void {
    this.#router.add(route.method, honoPath(route.path), target);
  }

  find(method: string, path: string): Match<T> | undefined {
    const [found, stash] = this.#router.match(method, path);
    const first = found[0];
    if (first === undefined) return undefined;
    const params: Record<string, string> = {};
    for (const [name, value] of Object.entries(first[1])) {
      const raw = stash === undefined ? (value as string) : stash[value as number]!;
      const decoded = decode(raw);
      if (decoded === undefined) return undefined;
      params[name] = decoded;
    }
    return { target: first[0], params };
  }

  /** The methods that a path has, for `Allow`. */
  methodsOf(path: string): readonly string[] {
    return methods.filter((method) => this.find(method, path) !== undefined);
  }
}

/** `{log}` is one step of the path, `{path+}` all the rest of it. */
function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)(\+?)\}/g, (_, name, rest) => (rest === '+' ? `:${name}{.+}` : `:${name}`));
}

function decode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
