import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import react from '@vitejs/plugin-react';
import { build, type InlineConfig } from 'vite';

const root = import.meta.dirname;
const project = path.resolve(root, '..');
const folder = path.join(project, 'dist/evidence');

/** The program and the style of the page as two texts, which go into it. */
const config: InlineConfig = {
  configFile: false,
  root,
  logLevel: 'warn',
  plugins: [react()],
  define: { 'process.env.NODE_ENV': '"production"' },
  resolve: {
    alias: {
      '#sha256': path.join(project, 'src/bytes/sha256-portable.ts'),
      '#signatures': path.join(project, 'src/note/signatures-portable.ts'),
    },
  },
  build: {
    target: 'es2024',
    outDir: folder,
    emptyOutDir: true,
    copyPublicDir: false,
    write: false,
    minify: true,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: path.join(root, 'src/evidence/main.tsx'),
      output: { format: 'iife', codeSplitting: false, minify: true },
    },
  },
};

/**
 * Builds the page that evidence is put into: one file that asks the network for nothing. Its policy allows this program and this
 * style by their hashes, and nothing else.
 */
export async function buildEvidencePage(): Promise<void> {
  const built = await build(config);
  const { output } = Array.isArray(built) ? built[0]! : (built as Exclude<typeof built, { on: unknown }>);
  const script = output.find(({ type }) => type === 'chunk');
  if (script?.type !== 'chunk') throw new Error('The program of the evidence page was not built.');
  // What would end the element is spelled in another way; in a text of the program it means the same.
  const code = script.code.trim().replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
  const style = readFileSync(path.join(root, 'src/styles/evidence.css'), 'utf8');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'page.html'), pageOf(code, style));
}

/** The page with its program and its style, and an empty place for the evidence. */
function pageOf(code: string, style: string): string {
  const policy = `default-src 'none'; script-src '${sourceHash(code)}'; style-src '${sourceHash(style)}'; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="referrer" content="no-referrer">
<title>Evidence</title>
<style>${style}</style>
</head>
<body>
<div id="page"><noscript>This page checks what it shows with a program inside it, and JavaScript is off. The data can be checked without it: <code>indelible verify FILE --vkey KEY</code>.</noscript></div>
<template id="indelible-evidence"></template>
<script>${code}</script>
</body>
</html>
`;
}

function sourceHash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
