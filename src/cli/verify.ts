import { Command, Option } from 'commander';
import { verifyLog } from '../log/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import { readHeldFile } from './held.ts';
import type { Io } from './io.ts';
import { folderArgument, given, jsonOption, markOption } from './options.ts';
import { Progress } from './progress.ts';
import { reportLines } from './report-lines.ts';
import { anchorsOption, readCertificateFile, tsaOption } from './timestamp.ts';
import { readTrust, runVerifyProof } from './verify-proof.ts';

interface VerifyOptions {
  readonly vkey?: string;
  readonly policy?: string;
  readonly index?: boolean;
  readonly held?: string;
  readonly mark?: string;
  readonly tsaCa?: string;
  readonly anchors?: string;
  readonly proof?: string;
  readonly entry?: string;
  readonly disclosures?: string;
  readonly json?: boolean;
}

const help = `
Examples:
  indelible verify audit --vkey "$(cat log.vkey)" --held receipts.jsonl
  indelible verify --proof p.tlog-proof --entry e.json --vkey "$(cat log.vkey)"

  A whole log: every entry's bytes, every sealed value, the tree, the tiles, the signed checkpoint, the stored columns.
  Without --vkey the log is judged by the key found inside it, which whoever replaced the log could replace too.
  Without --tsa-ca a time-stamp is only found to be consistent with the certificate inside it, which anybody could have made.
  Without --held (receipts or a checkpoint that you kept) nothing outside the log says how much there must be.
`;

/** `verify DIR`, or `verify --proof P --entry E`. */
export function verifyCommand(io: Io): Command {
  return new Command('verify')
    .description('verify a whole log, or one proof file')
    .addArgument(folderArgument('[dir]', 'folder of the log'))
    .option('--vkey <key>', 'public log key to trust')
    .addOption(
      new Option('--policy <file>', 'tlog-policy to trust: log keys, witnesses, quorum').conflicts('vkey'),
    )
    .option('--index', 'rebuild the search index and compare it too')
    .option('--held <file>', 'receipts or a checkpoint that you kept')
    .addOption(markOption())
    .addOption(tsaOption())
    .addOption(anchorsOption())
    .option('--proof <file>', 'a proof to verify, in place of a log')
    .option('--entry <file>', 'the bytes of the entry that it proves')
    .option('--disclosures <file>', 'sealed values of that entry, to verify and show')
    .addOption(jsonOption('print the report as JSON'))
    .addHelpText('after', help)
    .action((dir: string | undefined, options: VerifyOptions) => verify(io, dir, options));
}

async function verify(io: Io, dir: string | undefined, options: VerifyOptions): Promise<void> {
  const { proof } = options;
  if ((dir === undefined) === (proof === undefined)) {
    throw new UsageError('name what to verify: the folder of a log, or --proof FILE with --entry FILE');
  }
  if (proof !== undefined) await runVerifyProof(io, { ...options, proof });
  else if (dir !== undefined) await runVerifyLog(io, dir, options);
}

async function runVerifyLog(io: Io, dir: string, options: VerifyOptions): Promise<void> {
  if (options.entry !== undefined || options.disclosures !== undefined) {
    throw new UsageError('--entry and --disclosures go with --proof');
  }
  const held = options.held === undefined ? undefined : await readHeldFile(options.held);
  const trust = await readTrust(options);
  const progress = new Progress(io.words, 'verifying');
  const report = await verifyLog(dir, {
    ...given({
      policy: trust,
      held,
      index: options.index,
      mark: options.mark,
      anchors: options.anchors,
      tsaCertificates: options.tsaCa === undefined ? undefined : readCertificateFile(options.tsaCa),
    }),
    onProgress: (done, total) => progress.at(done, total),
  }).finally(() => progress.end());
  if (options.json === true) await io.out.json(report);
  else await io.out.lines(reportLines(report, held, io.out.paint));
  if (!report.ok) io.status = exitStatus.evidence;
}
