import { Command, CommanderError } from 'commander';
import { reportFailure } from './exit.ts';
import type { Io } from './io.ts';
import { escapeText } from './terminal.ts';
import { version } from './version.ts';

/**
 * Every command by its name, in the order of the help text. Each is read when it is asked for: what all of them need together is ten times
 * what Node itself takes to start.
 */
const commands: Readonly<Record<string, () => Promise<(io: Io) => Command>>> = {
  init: async () => (await import('./init.ts')).initCommand,
  record: async () => (await import('./record.ts')).recordCommand,
  import: async () => (await import('./import.ts')).importCommand,
  query: async () => (await import('./query.ts')).queryCommand,
  show: async () => (await import('./show.ts')).showCommand,
  prove: async () => (await import('./prove.ts')).proveCommand,
  evidence: async () => (await import('./evidence.ts')).evidenceCommand,
  verify: async () => (await import('./verify.ts')).verifyCommand,
  export: async () => (await import('./export.ts')).exportCommand,
  erase: async () => (await import('./erase.ts')).eraseCommand,
  hold: async () => (await import('./hold.ts')).holdCommand,
  retention: async () => (await import('./retention.ts')).retentionCommand,
  backup: async () => (await import('./backup.ts')).backupCommand,
  publish: async () => (await import('./publish.ts')).publishCommand,
  restore: async () => (await import('./restore.ts')).restoreCommand,
  drill: async () => (await import('./drill.ts')).drillCommand,
  fork: async () => (await import('./fork.ts')).forkCommand,
  key: async () => (await import('./key.ts')).keyCommand,
  timestamp: async () => (await import('./timestamp.ts')).timestampCommand,
  tier: async () => (await import('./tier.ts')).tierCommand,
  monitor: async () => (await import('./monitor.ts')).monitorCommand,
  pg: async () => (await import('./pg.ts')).pgCommand,
  coverage: async () => (await import('./coverage.ts')).coverageCommand,
  serve: async () => (await import('./serve.ts')).serveCommand,
  witness: async () => (await import('./witness.ts')).witnessCommand,
  'api-key': async () => (await import('./api-key.ts')).apiKeyCommand,
};

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

/** The command line as commander knows it, as far as these words ask for it: one command, or all of them where none is named. */
async function programFor(argv: readonly string[], io: Io): Promise<Command> {
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
  for (const load of asked(argv)) {
    const make = await load();
    const command = make(io);
    command.addHelpText('after', exitHelp);
    inherit(program, command);
    program.addCommand(command);
  }
  return program;
}

/** The commands that these words need: the one that they name, or none for the version; else all, to be listed or suggested. */
function asked(argv: readonly string[]): (typeof commands)[string][] {
  const [first = '', second = ''] = argv;
  if (first === '-V' || first === '--version') return [];
  const name = first === 'help' ? second : first;
  return Object.hasOwn(commands, name) ? [commands[name]!] : Object.values(commands);
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
    const program = await programFor(argv, io);
    await program.parseAsync(shieldQuery(argv), { from: 'user' });
    await io.out.flush();
  } catch (error) {
    io.status = await reportFailure(await insteadOfHelp(error, io), io.words);
  }
  return io.status;
}
