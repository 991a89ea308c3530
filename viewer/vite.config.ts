import path from 'node:path';
import react from '@vitejs/plugin-react';
import type { InlineConfig } from 'vite';

const root = import.meta.dirname;
const project = path.resolve(root, '..');

/**
 * What checks signatures, consistency and inclusion, and all that it needs: one file, so that its size can be read off and
 * held to its limit. Reading an event out of bytes that were found in the tree is not part of it, nor is following a key that was
 * replaced.
 */
const verifier =
  /[\\/]src[\\/](?:(?:bytes|merkle|note|verify(?![\\/](?:key-timeline|pinned-key)))[\\/]|proof[\\/](?!pins|open-row))|@noble[\\/]hashes[\\/](?:sha2|_md|_u64|utils)\.js/;

/** The rooms of `src` are pure: what nobody uses of them need not be there. */
const moduleSideEffects = (id: string): boolean => !id.startsWith(`${path.join(project, 'src')}${path.sep}`);

const shared: InlineConfig = {
  configFile: false,
  root,
  // The page may lie under any path of a server: nothing in it is addressed from the root.
  base: './',
  logLevel: 'warn',
  plugins: [react()],
  resolve: {
    alias: {
      '#sha256': path.join(project, 'src/bytes/sha256-portable.ts'),
      '#signatures': path.join(root, 'src/proof/browser-signatures.ts'),
    },
  },
};

/** The page itself. Nothing is written into the HTML or inlined as data, so that a strict policy allows all of it. */
export const pageConfig: InlineConfig = {
  ...shared,
  build: {
    target: 'es2024',
    outDir: path.join(project, 'dist/viewer'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // A test holds what travels, gzipped, to its limits.
    chunkSizeWarningLimit: 1000,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      treeshake: { moduleSideEffects },
      output: {
        codeSplitting: {
          groups: [{ name: 'verifier', test: verifier, includeDependenciesRecursively: false }],
        },
      },
    },
  },
};

/** The custom element: one file under a name that stays, which any page may load. */
export const embedConfig: InlineConfig = {
  ...shared,
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    target: 'es2024',
    outDir: path.join(project, 'dist/viewer'),
    emptyOutDir: false,
    copyPublicDir: false,
    assetsInlineLimit: 0,
    // A test holds what travels, gzipped, to its limits.
    chunkSizeWarningLimit: 1000,
    minify: true,
    rolldownOptions: {
      input: path.join(root, 'src/embed.tsx'),
      treeshake: { moduleSideEffects },
      output: { format: 'es', entryFileNames: 'embed.js', codeSplitting: false, minify: true },
    },
  },
};
