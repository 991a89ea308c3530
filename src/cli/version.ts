import { readFileSync } from 'node:fs';
import { parseJson } from '../bytes/index.ts';

/** The version of this package. */
export function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (parseJson(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
