import { Command, CommanderError } from 'commander';
import { apiKeyCommand } from './api-key.ts';
import { backupCommand } from './backup.ts';
import { coverageCommand } from './coverage.ts';
import { drillCommand } from './drill.ts';
import { eraseCommand } from './erase.ts';
import { evidenceCommand } from './evidence.ts';
import { reportFailure } from './exit.ts';
import { exportCommand } from './export.ts';
import { forkCommand } from './fork.ts';
import { holdCommand } from './hold.ts';
import { importCommand } from './import.ts';
import { initCommand } from './init.ts';
import type { Io } from './io.ts';
import { keyCommand } from './key.ts';
import { monitorCommand } from './monitor.ts';
import { pgCommand } from './pg.ts';
import { proveCommand } from './prove.ts';
import { publishCommand } from './publish.ts';
import { queryCommand } from './query.ts';
import { recordCommand } from './record.ts';
import { restoreCommand } from './restore.ts';
import { retentionCommand } from './retention.ts';
import { serveCommand } from './serve.ts';
import { showCommand } from './show.ts';
import { escapeText } from './terminal.ts';
import { tierCommand } from './tier.ts';
import { timestampCommand } from './timestamp.ts';
import { verifyCommand } from './verify.ts';
import { version } from './version.ts';
import { witnessCommand } from './witness.ts';

const commands = [
  initCommand,
  recordCommand,
  importCommand,
  queryCommand,
  showCommand,
  proveCommand,
  evidenceCommand,
  verifyCommand,
  exportCommand,
  eraseCommand,
  holdCommand,
  retentionCommand,
  backupCommand,
  publishCommand,
  restoreCommand,
  drillCommand,
  forkCommand,
  keyCommand,
  timestampCommand,
  tierCommand,
  monitorCommand,
  pgCommand,
  coverageCommand,
  serveCommand,
  witnessCommand,
  apiKeyCommand,
];

const exitHelp = `
Exit status:
  0  done
  1  the evidence does not hold: a finding, a proof that fails, an attack that went unseen
  2  misuse: a wrong option or query, or a line of input that was refused
  3  the operation failed: no such log, disk full, no permission
`;

const firstSteps = `
First steps:
  indelible init audit --origin example.com/audit
  echo '{"action":"user.signed_in","actor":{"type":"user","id":"u_42"}}' | indelible record --log audit
  indelible query --log audit 'actor:user/u_42 after:2026-01-01'
  indelible verify audit

  indelible help COMMAND    explains a command, with an example
`;

function escapeLines(text: string): string {
  return text.split('\n').map(escapeText).join('\n');
}

/** The whole command line as commander knows it. */
export function createProgram(io: Io): Command {
  const program = new Command('indelible')
    .description('The immutable audit log: record, search, prove, verify, and try to break it.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .helpOption('-h, --help', 'explain')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      // Commander quotes what it does not know, and that came from outside.
      writeOut: (text) => process.stdout.write(escapeLines(text)),
      writeErr: (text) => process.stderr.write(escapeLines(text)),
      outputError: (text, write) => write(text.replace(/^error: /, 'indelible: ')),
    })
    .addHelpText('after', firstSteps + exitHelp);
  for (const make of commands) {
    const command = make(io);
    command.addHelpText('after', exitHelp);
    inherit(program, command);
    program.addCommand(command);
  }
  return program;
}

/** What holds for the program holds for its commands, and for theirs: how they fail, and how they explain themselves. */
function inherit(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent).helpOption('-h, --help', 'explain this command');
  for (const own of command.commands) inherit(command, own as Command);
}

/**
 * A query may begin with a negated term, `-outcome:success`, which looks like an option. Such words are told apart by
 * their colon or by the name of a field, and get a space in front, which a query does not mind.
 */
function shieldQuery(argv: readonly string[]): string[] {
  if (argv[0] !== 'query' && argv[0] !== 'export') return [...argv];
  return argv.map((word) => (/^-(?:[a-z]+:|["(])/.test(word) ? ` ${word}` : word));
}

/** Commander ends a help text with an error of its own; what counts then is whether the text could be written. */
async function insteadOfHelp(error: unknown, io: Io): Promise<unknown> {
  if (!(error instanceof CommanderError) || error.exitCode !== 0) return error;
  try {
    await io.out.flush();
    return error;
  } catch (failure) {
    return failure;
  }
}

/** Runs the command line on the words after the program's name and resolves to the exit status. Never throws. */
export async function runCommandLine(argv: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(shieldQuery(argv), { from: 'user' });
    await io.out.flush();
  } catch (error) {
    io.status = await reportFailure(await insteadOfHelp(error, io), io.words);
  }
  return io.status;
}
