import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { Reveal } from '../event/index.ts';
import { openLog } from '../log/index.ts';
import { revealOption, writeEvidenceFile } from './evidence.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { idArgument, logOption } from './options.ts';
import { show } from './terminal.ts';

interface ProveOptions {
  readonly log: string;
  readonly out: string;
  readonly entry?: string;
  readonly disclosures?: string;
  readonly reveal?: Reveal;
}

const help = `
Example:
  indelible prove --log audit ID --out p.tlog-proof --entry e.json
  indelible verify --proof p.tlog-proof --entry e.json --vkey "$(cat audit/log.vkey)"

  The proof is a C2SP tlog-proof. It and the entry say nothing of the sealed values; --disclosures writes
  those too, one a line, for whoever may see them.

  indelible prove --log audit ID --reveal actor.name --out x.evidence.json
  indelible verify x.evidence.json --vkey "$(cat audit/log.vkey)"

  With --reveal it is one file of evidence that shows the named values of the entry, and of the others that they are there.
`;

/** `prove --log DIR ID --out P --entry E`: files that prove one event without the log. */
export function proveCommand(io: Io): Command {
  return new Command('prove')
    .description('write files that prove one event to anybody, without the log')
    .addArgument(idArgument())
    .addOption(logOption())
    .requiredOption('--out <file>', 'file for the proof')
    .option('--entry <file>', 'file for the bytes of the entry')
    .option('--disclosures <file>', 'file for its sealed values')
    .addOption(revealOption().conflicts(['entry', 'disclosures']))
    .addHelpText('after', help)
    .action((id: string, options: ProveOptions) => prove(io, id, options));
}

async function prove(io: Io, id: string, options: ProveOptions): Promise<void> {
  const { reveal } = options;
  if (reveal !== undefined)
    return writeEvidenceFile(io, { log: options.log, out: options.out, ids: [id], reveal });
  if (options.entry === undefined)
    throw new UsageError('name the file for the bytes of the entry: --entry FILE');
  await using log = await openLog(options.log, { readOnly: true });
  const { proof, entry, disclosures, index } = await log.prove(id);
  await writeFile(options.out, proof);
  await writeFile(options.entry, entry);
  if (options.disclosures !== undefined) {
    await writeFile(options.disclosures, disclosures.map((text) => `${text}\n`).join(''));
  }
  await io.out.line(
    show`entry ${index} of ${log.origin}: proof in ${options.out}, entry in ${options.entry}`,
  );
}
