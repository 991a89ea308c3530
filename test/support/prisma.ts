// Prisma's client, generated here as an application would.

import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const project = path.resolve(import.meta.dirname, '../..');

/** Generates the client of some models in a folder, and answers its module. The engine for migrations is not needed, and would be downloaded. */
export function generatePrisma(folder: string, models: string): string {
  symlinkSync(path.join(project, 'node_modules'), path.join(folder, 'node_modules'), 'junction');
  const head = `generator client {
  provider = "prisma-client"
  output   = "./generated"
}
datasource db {
  provider = "postgresql"
}
`;
  writeFileSync(path.join(folder, 'schema.prisma'), head + models);
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }\n');
  const engine = path.join(folder, 'engine');
  writeFileSync(engine, '#!/bin/sh\nexit 0\n');
  chmodSync(engine, 0o755);
  const words = [
    path.join(project, 'node_modules/prisma/build/index.js'),
    'generate',
    '--schema',
    'schema.prisma',
  ];
  execFileSync(process.execPath, words, {
    cwd: folder,
    stdio: 'pipe',
    env: {
      ...process.env,
      PRISMA_SCHEMA_ENGINE_BINARY: engine,
      CHECKPOINT_DISABLE: '1',
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
    },
  });
  return path.join(folder, 'generated/client.ts');
}
