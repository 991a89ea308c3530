import { Command } from 'commander';
import { authoriseKeyChange, createSigner, readRequest } from '../log/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { readStatements, writeStatements } from './key-files.ts';
import { signerAt } from './key-spec.ts';
import { show } from './terminal.ts';

const help = `
Examples, on a machine that is connected to nothing:
  indelible key root make root.key --name example.com/audit/root
  indelible key root sign rotate.json --root-key root.key --out signed.json

  The first prints the public root key, for init --root-vkey. The second shows what it signs.
`;

/** `key root make|sign`: the root key, on a machine of its own. */
export function rootCommand(io: Io): Command {
  const command = new Command('root')
    .description('make a root key, and sign with it, on another machine')
    .addHelpText('after', help);
  command.addCommand(
    new Command('make')
      .description('make a root key, and print its public half')
      .argument('<file>', 'file to make, mode 0600')
      .requiredOption('--name <name>', 'its name, as example.com/audit/root')
      .action((file: string, { name }: { name: string }) => make(io, file, name)),
  );
  command.addCommand(
    new Command('sign')
      .description('sign a change of keys that was asked for')
      .argument('<request>', 'what key rotate --request or key revoke --request wrote')
      .requiredOption('--root-key <key>', 'the root key: a file, env:NAME, kms:FILE')
      .requiredOption('--out <file>', 'file to write, for --authorisation')
      .action((request: string, options: { rootKey: string; out: string }) => sign(io, request, options)),
  );
  return command;
}

async function make(io: Io, file: string, name: string): Promise<void> {
  const signer = createSigner(file, name);
  if (signer === undefined) throw new UsageError(`${file} is there already`);
  await io.out.line(show`${signer.vkey}`);
}

async function sign(io: Io, file: string, { rootKey, out }: { rootKey: string; out: string }): Promise<void> {
  const requests = readStatements(file, 'request');
  const root = await signerAt(rootKey);
  for (const request of requests) {
    for (const line of readRequest(request).text.trimEnd().split('\n')) await io.words.line(show`  ${line}`);
    await io.words.line(show``);
  }
  writeStatements(
    out,
    'authorisation',
    requests.map((request) => authoriseKeyChange(request, root)),
  );
  await io.words.line(show`Signed by ${root.vkey}: ${out}`);
}
