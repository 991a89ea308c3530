import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const shared = join(import.meta.dirname, '../../../shared');

/** Where the published test vectors lie, beside the project; undefined where they were not brought along. */
export const vectorsDir: string | undefined = directory('vectors');

/** The reason to skip a test that needs the vectors, or false: `test('…', { skip: vectorsMissing }, …)`. */
export const vectorsMissing: string | false =
  vectorsDir === undefined ? 'the shared test vectors (../shared/vectors) are not here' : false;

/** Where the sample events of real systems lie; undefined where they were not brought along. */
export const samplesDir: string | undefined = directory('samples');

/** The text of one vector file, named from the vectors' folder: `readVector('generated/frontiers.json')`. */
export function readVector(path: string): string {
  return Buffer.from(readVectorBytes(path)).toString('utf8');
}

/** The bytes of one vector file. */
export function readVectorBytes(path: string): Uint8Array {
  if (vectorsDir === undefined)
    throw new Error('A test that reads vectors is skipped where vectorsMissing says why.');
  return new Uint8Array(readFileSync(join(vectorsDir, path)));
}

function directory(name: string): string | undefined {
  const path = join(shared, name);
  return existsSync(path) ? path : undefined;
}
