#!/usr/bin/env node
import { exitStatus, processIo, runCommandLine } from './index.ts';

// Left to itself, Node ends with 1 on an error that nobody caught, and 1 means that evidence failed.
process.on('uncaughtException', (error) => {
  process.stderr.write(
    `indelible: this is a bug in indelible, please report it\n${JSON.stringify(error.stack)}\n`,
  );
  process.exit(exitStatus.failed);
});

// The status is set, not forced: the process ends by itself when the last byte of its output has been taken.
process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
