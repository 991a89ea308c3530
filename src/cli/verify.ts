import { statSync } from 'node:fs';
import { Command, Option } from 'commander';
import { type LogReport, verifyLog } from '../log/index.ts';
import { isPlaceUrl, type VerifyPublishedOptions, verifyPublished } from '../publish/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import { readHeldFile } from './held.ts';
import type { Io } from './io.ts';
import { folderArgument, given, jsonOption, markOption } from './options.ts';
import { Progress } from './progress.ts';
import { reportLines } from './report-lines.ts';
import { s3Place } from './s3-options.ts';
import { anchorsOption, certificatesIn, readCertificateFile, tsaOption } from './timestamp.ts';
import { runVerifyEvidence } from './verify-evidence.ts';
import { readTrust, runVerifyProof } from './verify-proof.ts';

interface VerifyOptions {
  readonly vkey?: string;
  readonly policy?: string;
  readonly index?: boolean;
  readonly held?: string;
  readonly mark?: string;
  readonly subjectKeys?: string;
  readonly oldestVersions?: boolean;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly tree?: boolean;
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
  indelible verify file:///srv/www/audit --vkey "$(cat log.vkey)"
  indelible verify --proof p.tlog-proof --entry e.json --vkey "$(cat log.vkey)"

  A whole log: every entry's bytes, every sealed value, the tree, the tiles, the signed checkpoint, the stored columns.
  A published log (file:, s3:, https:): every file that its checkpoint covers; its sealed values too where --subject-keys are given.
  Without --vkey the log is judged by the key found inside it, which whoever replaced the log could replace too.
  Without --tsa-ca a time-stamp is only found to be consistent with the certificate inside it, which anybody could have made.
  Without --held (receipts or a checkpoint that you kept) nothing outside the log says how much there must be.
`;

/** `verify DIR`, `verify URL`, `verify case.json|case.html`, or `verify --proof P --entry E`. */
export function verifyCommand(io: Io): Command {
  return new Command('verify')
    .description('verify a whole log, a published one, a file of evidence, or one proof file')
    .addArgument(
      folderArgument('[dir]', 'folder of the log, the URL where it is published, or a file of evidence'),
    )
    .option('--vkey <key>', 'public log key to trust')
    .addOption(
      new Option('--policy <file>', 'tlog-policy to trust: log keys, witnesses, quorum').conflicts('vkey'),
    )
    .option('--index', 'rebuild the search index and compare it too')
    .option('--held <file>', 'receipts or a checkpoint that you kept')
    .addOption(markOption())
    .option('--tree', 'hash entries and compare the tree, without reading what they say')
    .option('--subject-keys <file>', 'keys of the subjects, to judge the sealed values of a published log')
    .option('--oldest-versions', 'in a bucket, read what was first written in place of what lies there now')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
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
  else if (dir !== undefined && isFile(dir)) await runVerifyFile(io, dir, options);
  else if (dir !== undefined) await runVerifyLog(io, dir, options);
}

/** A file, rather than a folder or an address. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function runVerifyFile(io: Io, path: string, options: VerifyOptions): Promise<void> {
  for (const name of ['entry', 'disclosures', 'held', 'mark', 'index', 'anchors'] as const) {
    if (options[name] !== undefined) throw new UsageError(`--${name} does not go with a file of evidence`);
  }
  const { tsaCa, json } = options;
  const tsaCertificates = tsaCa === undefined ? undefined : certificatesIn(tsaCa);
  await runVerifyEvidence(io, path, { trust: await readTrust(options), tsaCertificates, json });
}

async function runVerifyLog(io: Io, dir: string, options: VerifyOptions): Promise<void> {
  if (options.entry !== undefined || options.disclosures !== undefined) {
    throw new UsageError('--entry and --disclosures go with --proof');
  }
  const held = options.held === undefined ? undefined : await readHeldFile(options.held);
  const trust = await readTrust(options);
  const depth = options.tree === true ? ('tree' as const) : undefined;
  const progress = new Progress(io.words, 'verifying');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const asked = { ...given({ policy: trust, held, depth }), onProgress };
  const report: LogReport = await (isPlaceUrl(dir)
    ? verifyPlace(dir, options, asked)
    : verifyLog(dir, { ...asked, ...given(besideFolder(options)) })
  ).finally(() => progress.end());
  if (options.json === true) await io.out.json(report);
  else await io.out.lines(reportLines(report, held, io.out.paint, isPlaceUrl(dir)));
  if (!report.ok) io.status = exitStatus.evidence;
}

/** What is compared with a log in a folder, besides what is compared with every log. */
function besideFolder({ index, mark, anchors, tsaCa }: VerifyOptions) {
  const tsaCertificates = tsaCa === undefined ? undefined : readCertificateFile(tsaCa);
  return { index, mark, anchors, tsaCertificates };
}

async function verifyPlace(
  url: string,
  options: VerifyOptions,
  asked: VerifyPublishedOptions,
): Promise<LogReport> {
  const { subjectKeys, oldestVersions } = options;
  const { tsaCertificates, ...beside } = besideFolder(options);
  if (Object.values(beside).some((value) => value !== undefined)) {
    throw new UsageError('--index, --mark and --anchors go with the folder of a log');
  }
  const s3 = { ...s3Place(options), ...given({ oldestVersions }) };
  return verifyPublished(url, { ...asked, ...given({ subjectKeys, tsaCertificates }), s3 });
}
