#!/usr/bin/env node
import { reportFailure } from './exit.ts';
import { exitStatus, processIo, runCommandLine } from './index.ts';

const io = processIo();

// Left to itself, Node ends with 1 on an error that nobody caught, and 1 means that evidence failed.
process.on('uncaughtException', (error) => {
  void reportFailure(error, io.words).finally(() => process.exit(exitStatus.failed));
});

// The status is set, not forced: the process ends by itself when the last byte of its output has been taken.
process.exitCode = await runCommandLine(process.argv.slice(2), io);
