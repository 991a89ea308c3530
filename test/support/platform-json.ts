import { runInThisContext } from 'node:vm';

/**
 * What the platform takes a JSON text for; throws a `SyntaxError` where it is none. Not by `JSON.parse` alone, whose
 * memory of earlier objects lets it read a name that is one escape, `"\n"`, as a backslash (nodejs/node#63785: V8 12.8
 * and later): that decides whether it is JSON, and what it means is left to the platform's reader of ECMAScript, of
 * which JSON is a part but for `__proto__`.
 */
export function readByPlatform(text: string): unknown {
  JSON.parse(text);
  const expression = text.replace(stringAndColon, (whole, name: string, colon?: string) =>
    colon === undefined ? whole : `[${name}]${colon}`,
  );
  return runInThisContext(`(${expression})`);
}

const stringAndColon = /("(?:[^"\\]|\\.)*")(\s*:)?/g;
