#!/usr/bin/env node
import { processIo, runCommandLine } from './index.ts';

// The status is set, not forced: the process ends by itself when the last byte of its output has been taken.
process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
