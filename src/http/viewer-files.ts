import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { PAGE_POLICY } from './security-headers.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

interface ViewerFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly packed: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly isHashed: boolean;
}

/** A file whose name holds a hash of its content never changes. */
const hashed = /[-.][A-Za-z0-9_-]{8,}\.(js|css|woff2|svg|png|wasm)$/;

/** The files of the viewer, read once: what is not among them cannot be asked for, whatever the path says. */
export class ViewerFiles {
  readonly #files = new Map<string, ViewerFile>();

  constructor(folder = join(import.meta.dirname, '../viewer')) {
    if (!existsSync(folder)) return;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name.endsWith('.map')) continue;
      const file = join(entry.parentPath, entry.name);
      const bytes = new Uint8Array(readFileSync(file));
      this.#files.set(`/${relative(folder, file).split(sep).join('/')}`, {
        bytes,
        packed: new Uint8Array(gzipSync(bytes, { level: 9 })),
        type: types[extname(file)] ?? 'application/octet-stream',
        isHashed: hashed.test(entry.name),
      });
    }
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  /** The file at a path, the page itself at the root: where in it one is stands behind the `#`, and never comes here. */
  answer(request: Request, path: string): Response | undefined {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    if (path.startsWith('/v1/') || path.startsWith('/logs/')) return undefined;
    const file = this.#files.get(path === '/' ? '/index.html' : path);
    if (file === undefined) return undefined;
    const isPacked = (request.headers.get('accept-encoding') ?? '').includes('gzip');
    const headers: Record<string, string> = {
      'content-type': file.type,
      'cache-control': file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      vary: 'accept-encoding',
      ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
      ...(file.type.startsWith('text/html') ? { 'content-security-policy': PAGE_POLICY } : embeddable),
    };
    const body = isPacked ? file.packed : file.bytes;
    return new Response(request.method === 'HEAD' ? null : body, { headers });
  }
}

/** The viewer's code is no secret: pages that embed it load it from here. What it may read, its token says. */
const embeddable = {
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
};
