/**
 * The command line: thin over the rooms. One file a command, each a commander `Command` whose action opens a log, calls
 * it, and prints what came back.
 *
 * Three rules hold for all of them. Results go to stdout and words to stderr, so that a pipe carries data only. The exit
 * status is 0 done, 1 evidence fails, 2 misuse, 3 operation failed (`exit.ts`). And nothing that a log holds reaches a
 * terminal raw: printing takes a `Shown`, which only escaping can make (`terminal.ts`).
 *
 *     indelible query --log audit 'action:role.* -outcome:success' --json | jq .actor.id
 *
 * `main.ts` is the program that npm installs; `runCommandLine` is the same without a process around it.
 */

export { type ExitStatus, exitStatus } from './exit.ts';
export { type Io, processIo } from './io.ts';
export { runCommandLine } from './program.ts';
