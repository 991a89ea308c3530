// Runs the tests with Node's own runner, on explicit files in a fixed order, and passes its exit status on.
//
//   npm test                       everything that fits in minutes
//   npm test -- test/merkle        only the files whose path contains one of the words
//   npm run test:faults            the long fault programme of test/faults-large

import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import path from 'node:path';

const CONCURRENCY = 2;
/** A test that hangs must end the run, not the patience of who waits for it. */
const TIMEOUT_MS = { everyday: 10 * 60_000, faults: 4 * 60 * 60_000 };

const root = path.resolve(import.meta.dirname, '..');
const faults = process.argv.includes('--faults');
const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));

const files = globSync('test/**/*.test.ts', { cwd: root })
  .map((file) => file.replaceAll(path.sep, '/'))
  .filter((file) => file.startsWith('test/faults-large/') === faults)
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

if (!existsSync(path.join(root, 'dist'))) {
  stop('dist/ is missing: the tests run against the build. Run "npm run build" first, or simply "npm test".');
}
if (files.length === 0) {
  stop(`No test file under test/ fits ${words.join(' ') || (faults ? '--faults' : 'at all')}.`);
}

const timeoutMs = faults ? TIMEOUT_MS.faults : TIMEOUT_MS.everyday;
console.log(
  `Running ${files.length} test files on Node ${process.versions.node}, ${CONCURRENCY} at a time` +
    `${faults ? ' (the long fault programme)' : ', lint and tidy among them'}.`,
);
const runner = spawn(
  process.execPath,
  ['--test', `--test-concurrency=${CONCURRENCY}`, `--test-timeout=${timeoutMs}`, ...files],
  { cwd: root, stdio: 'inherit' },
);
runner.on('error', (error) => stop(`The test runner could not be started: ${error.message}`));
runner.on('exit', (code, signal) => {
  if (signal !== null) {
    console.error(`The test runner was ended by ${signal}.`);
  }
  process.exitCode = code ?? 1;
});

function stop(message: string): never {
  console.error(message);
  process.exit(1);
}
