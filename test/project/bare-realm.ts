// Verifies the worked example of spec/ inside a realm that has the language, TextEncoder and TextDecoder, which every
// platform has, and nothing else: no Node, no DOM, no timers, no randomness source. Every import is resolved as a bundler for the browser resolves it, with the default
// condition. package.test.ts runs this file with --experimental-vm-modules.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';
import { fencesOf } from './scratch.ts';
import { projectRoot } from './source-tree.ts';

const realm = vm.createContext({ TextEncoder, TextDecoder });
const modules = new Map<string, vm.SourceTextModule>();
const { imports } = JSON.parse(readFileSync(path.join(projectRoot, 'package.json'), 'utf8'));

const evidence = {
  proof: blockOf('proof', 'proof'),
  entry: blockOf('entry', 'entry').trimEnd(),
  vkey: blockOf('checkpoint', 'vkey').trimEnd(),
};

// The program runs in the realm, so that its byte arrays are the realm's own.
const program = `
  import { utf8Encode } from './dist/bytes/index.js';
  import { verifyProof } from './dist/verify/index.js';
  const { proof, entry, vkey } = ${JSON.stringify(evidence)};
  const verify = (text) => verifyProof({ proof: utf8Encode(proof), entry: utf8Encode(text), policy: { vkey } });
  export const { index, size } = verify(entry);
  let refusal;
  try {
    verify(entry.replace('approved', 'rejected'));
  } catch (error) {
    refusal = error.code;
  }
  export { refusal };
`;

const main = new vm.SourceTextModule(program, {
  identifier: path.join(projectRoot, 'main.js'),
  context: realm,
});
await main.link((specifier, parent) => load(resolve(specifier, parent.identifier)));
await main.evaluate();
const { index, size, refusal } = main.namespace as Record<string, unknown>;
console.log(JSON.stringify({ index, size, refusal }));

function blockOf(page: string, language: string): string {
  return fencesOf(`spec/${page}.md`).find((fence) => fence.language === language)?.code ?? '';
}

function load(file: string): vm.SourceTextModule {
  const known = modules.get(file);
  if (known !== undefined) {
    return known;
  }
  const module = new vm.SourceTextModule(readFileSync(file, 'utf8'), { identifier: file, context: realm });
  modules.set(file, module);
  return module;
}

function resolve(specifier: string, parent: string): string {
  if (specifier.startsWith('.')) {
    return path.resolve(path.dirname(parent), specifier);
  }
  if (specifier.startsWith('#')) {
    return path.join(projectRoot, imports[specifier].default);
  }
  if (!specifier.startsWith('@noble/')) {
    throw new Error(`${parent} imports ${specifier}, which a browser does not have`);
  }
  return createRequire(parent).resolve(specifier);
}
