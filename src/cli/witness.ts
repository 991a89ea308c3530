import { Command } from 'commander';
import type { Io } from './io.ts';
import { addSignatureCommand, requestCommand, signCommand } from './witness-by-hand.ts';
import { addCommand, listCommand, removeCommand } from './witness-list.ts';
import { witnessNowCommand } from './witness-now.ts';
import { witnessInitCommand, witnessServeCommand } from './witness-serve.ts';

const help = `
A log that somebody else witnesses:
  indelible witness add https://witness.example witness.example+… --log audit
  indelible witness now --log audit

A witness for somebody else's log:
  indelible witness init --data witness --name witness.example
  indelible witness serve --data witness --vkey "$(cat log.vkey)"

By hand, without a network:
  indelible witness request --log audit > request
  indelible witness sign request --data witness --vkey "$(cat log.vkey)" > signature
  indelible witness add-signature signature --log audit
`;

/** `witness …`: the two sides of witnessing. */
export function witnessCommand(io: Io): Command {
  const command = new Command('witness')
    .description('have a log witnessed, or be a witness')
    .addHelpText('after', help);
  const makes = [
    addCommand,
    listCommand,
    removeCommand,
    witnessNowCommand,
    witnessInitCommand,
    witnessServeCommand,
    requestCommand,
    signCommand,
    addSignatureCommand,
  ];
  for (const make of makes) command.addCommand(make(io));
  return command;
}
