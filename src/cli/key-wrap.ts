import { Command, Option } from 'commander';
import { newSignerKey, wrapKey } from '../log/index.ts';
import { parseSignerKey } from '../note/index.ts';
import { createExclusive, readPrivate } from '../platform/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { kmsClient } from './key-spec.ts';
import { show } from './terminal.ts';

interface WrapOptions {
  readonly kms: string;
  readonly key?: string;
  readonly name?: string;
  readonly out: string;
}

const help = `
Examples:
  indelible key wrap --kms alias/audit --name example.com/audit --out log.kms.json
  indelible init audit --origin example.com/audit --key kms:log.kms.json

  The key is made in memory, and only AWS KMS can open the file. Region, credentials and endpoint are those of the AWS
  tools (AWS_REGION and so on). With --key FILE a key that is there is wrapped; the file stays, and is yours to destroy.
`;

/** `key wrap`: a key that only a key management service can open. */
export function wrapCommand(io: Io): Command {
  return new Command('wrap')
    .description('wrap a signing key, or a root key, by AWS KMS')
    .requiredOption('--kms <id>', 'the KMS key: its id, ARN or alias')
    .option('--name <name>', 'make a new key of this name: for a log, its origin')
    .addOption(new Option('--key <file>', 'wrap the key in this file').conflicts('name'))
    .requiredOption('--out <file>', 'file to write')
    .addHelpText('after', help)
    .action((options: WrapOptions) => wrap(io, options));
}

async function wrap(io: Io, { kms, key, name, out }: WrapOptions): Promise<void> {
  if ((key === undefined) === (name === undefined))
    throw new UsageError('say which key: --name NAME for a new one, or --key FILE');
  const text = key === undefined ? newSignerKey(name!) : readPrivate(key).text.trim();
  const wrapped = await wrapKey(text, { kmsKeyId: kms, client: await kmsClient() });
  if (!createExclusive(out, wrapped, 0o600)) throw new UsageError(`${out} is there already`);
  await io.out.line(show`${parseSignerKey(text).vkey}`);
}
