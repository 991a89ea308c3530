import { Command, InvalidArgumentError, Option } from 'commander';
import {
  auditDatabase,
  captureTable,
  coverage,
  createPostgresLog,
  doctor,
  migrate,
  type TableCoverage,
} from '../postgres/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import { readHeldFile } from './held.ts';
import type { Io } from './io.ts';
import { given, jsonOption, markOption } from './options.ts';
import { connected } from './pg-connection.ts';
import { pgEraseCommand } from './pg-erase.ts';
import { pgKeyCommand } from './pg-key.ts';
import { originAt, originOption, urlArgument } from './pg-origin.ts';
import { Progress } from './progress.ts';
import { reportLines } from './report-lines.ts';
import { show } from './terminal.ts';
import { anchorsOption, readCertificateFile, tsaOption } from './timestamp.ts';
import { readTrust } from './verify-proof.ts';

const help = `
Example:
  indelible pg migrate "$DATABASE_URL"
  indelible pg init "$DATABASE_URL" --origin example.com/audit --dir audit
  indelible pg capture "$DATABASE_URL" --table public.users --exclude password_hash --seal email
  indelible pg doctor "$DATABASE_URL"

  A driver is needed beside Indelible: pg, or postgres. See docs/postgres.md.
`;

/** `pg migrate|init|verify|doctor|capture|coverage|erase|key`: logs in PostgreSQL. */
export function pgCommand(io: Io): Command {
  const command = new Command('pg')
    .description('logs in PostgreSQL: schema, capture of rows, what guards them')
    .addHelpText('after', help);
  for (const make of [
    migrateCommand,
    initCommand,
    verifyCommand,
    doctorCommand,
    captureCommand,
    coverageCommand,
    pgEraseCommand,
    pgKeyCommand,
  ]) {
    command.addCommand(make(io).copyInheritedSettings(command));
  }
  return command;
}

function migrateCommand(io: Io): Command {
  return new Command('migrate')
    .description('make the schema indelible, or bring it to this version; also mends what doctor finds')
    .addArgument(urlArgument())
    .addOption(jsonOption('print the versions as JSON'))
    .action(async (url: string, options: { json?: boolean }) => {
      const done = await connected(url, ({ database }) => migrate(database));
      if (options.json === true) return io.out.json(done);
      const { from, to } = done;
      const what =
        from === 0
          ? show`made, version ${to}`
          : from === to
            ? show`of version ${to} already`
            : show`brought from version ${from} to ${to}`;
      return io.out.line(show`The schema indelible is ${what}.`);
    });
}

interface InitOptions {
  readonly origin: string;
  readonly dir: string;
  readonly rootVkey?: string;
  readonly personalIds?: 'refuse' | 'allow' | 'pseudonymise';
}

function initCommand(io: Io): Command {
  return new Command('init')
    .description('begin a log in the database; its keys go into a folder')
    .addArgument(urlArgument())
    .addOption(
      new Option('--origin <name>', 'name of the log, as in example.com/audit').makeOptionMandatory(),
    )
    .addOption(
      new Option('--dir <dir>', 'folder for the keys, the mark and the search index').makeOptionMandatory(),
    )
    .option('--root-vkey <vkey>', 'public root key that you keep elsewhere; no root.key is written then')
    .addOption(
      new Option('--personal-ids <rule>', 'ids that look like a mail address are …').choices([
        'refuse',
        'allow',
        'pseudonymise',
      ]),
    )
    .action(async (url: string, options: InitOptions) => {
      const { origin, dir, ...creation } = options;
      const vkey = await connected(url, async ({ client }) => {
        await using made = await createPostgresLog(client, {
          origin,
          dir,
          service: 'cli',
          heartbeatMs: 0,
          ...given(creation),
        });
        return made.vkey;
      });
      await io.out.line(show`log key  ${vkey}`);
      await io.words.line(show`Created the log ${origin}; its keys are in ${dir}.`);
      if (options.rootVkey === undefined) {
        await io.words.line(
          show`Move ${dir}/root.key offline now: it alone can replace or revoke the log key.`,
        );
      }
    });
}

interface VerifyOptions {
  readonly origin?: string;
  readonly vkey?: string;
  readonly policy?: string;
  readonly held?: string;
  readonly mark?: string;
  readonly tsaCa?: string;
  readonly anchors?: string;
  readonly json?: boolean;
}

function verifyCommand(io: Io): Command {
  return new Command('verify')
    .description('verify a whole log, and what guards it in the database')
    .addArgument(urlArgument())
    .addOption(originOption())
    .option('--vkey <key>', 'public log key to trust')
    .addOption(new Option('--policy <file>', 'tlog-policy to trust').conflicts('vkey'))
    .option('--held <file>', 'receipts or a checkpoint that you kept')
    .addOption(markOption())
    .addOption(tsaOption())
    .addOption(anchorsOption())
    .addOption(jsonOption('print the report as JSON'))
    .action(async (url: string, options: VerifyOptions) => {
      const held = options.held === undefined ? undefined : await readHeldFile(options.held);
      const policy = await readTrust(options);
      const tsaCertificates = options.tsaCa === undefined ? undefined : readCertificateFile(options.tsaCa);
      const progress = new Progress(io.words, 'verifying');
      const report = await connected(url, async (connection) =>
        auditDatabase(
          connection.database,
          { origin: await originAt(connection, options.origin), mark: options.mark },
          {
            ...given({ policy, held, anchors: options.anchors, tsaCertificates }),
            onProgress: (done, total) => progress.at(done, total),
          },
        ),
      ).finally(() => progress.end());
      if (options.json === true) await io.out.json(report);
      else await io.out.lines(reportLines(report, held, io.out.paint));
      if (!report.ok) io.status = exitStatus.evidence;
    });
}

function doctorCommand(io: Io): Command {
  return new Command('doctor')
    .description(
      'report what no longer guards the logs as it was made: triggers, functions, grants, settings',
    )
    .addArgument(urlArgument())
    .addOption(jsonOption('print what was found as JSON'))
    .action(async (url: string, options: { json?: boolean }) => {
      const found = await connected(url, ({ database }) => doctor(database));
      if (found.length > 0) io.status = exitStatus.evidence;
      if (options.json === true) return io.out.json(found);
      if (found.length === 0) return io.out.line(show`Everything is as it was made.`);
      for (const { of, what } of found) await io.out.line(show`${of.padEnd(11)}  ${what}`);
      return io.words.line(
        show`indelible pg migrate mends functions, triggers and grants; find out first who changed them.`,
      );
    });
}

interface CaptureOptions {
  readonly origin?: string;
  readonly table: readonly string[];
  readonly exclude?: readonly string[];
  readonly seal?: readonly string[];
}

const list = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').filter((name) => name !== ''),
];

function captureCommand(io: Io): Command {
  return new Command('capture')
    .description('record every changed row of a table from now on')
    .addArgument(urlArgument())
    .addOption(originOption())
    .addOption(
      new Option('--table <schema.table>', 'table to capture; may be given again')
        .argParser(list)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--exclude <columns>', 'columns whose values never leave the table').argParser(list),
    )
    .addOption(new Option('--seal <columns>', 'columns that are sealed one by one').argParser(list))
    .action(async (url: string, options: CaptureOptions) => {
      const { table: tables, exclude = [], seal = [] } = options;
      if (tables.length > 1 && exclude.length + seal.length > 0) {
        throw new UsageError('--exclude and --seal are of one table: capture the tables one by one');
      }
      await connected(url, async (connection) => {
        const origin = await originAt(connection, options.origin);
        for (const table of tables) {
          const done = await captureTable(connection.database, { origin, table, exclude, seal });
          const parts = done.relations.length === 1 ? '' : ` and ${done.relations.length - 1} partitions`;
          await io.out.line(show`${table}${parts}: every changed row is recorded in ${origin}.`);
          for (const what of done.blind)
            await io.words.line(show`${io.words.paint('yellow', 'NOT SEEN')}  ${what}`);
        }
      });
    });
}

interface CoverageOptions {
  readonly since?: Date;
  readonly strict?: boolean;
  readonly json?: boolean;
}

function coverageCommand(io: Io): Command {
  return new Command('coverage')
    .description(
      'which tables are captured, and whether what was written has its events; exits 1 if something has none',
    )
    .addArgument(urlArgument())
    .addOption(
      new Option('--since <time>', 'rows written since (default: 24 hours ago)').argParser((text: string) => {
        const time = new Date(text);
        if (Number.isNaN(time.getTime()))
          throw new InvalidArgumentError('It is a time as 2026-01-31T00:00:00Z.');
        return time;
      }),
    )
    .option(
      '--strict',
      'exit 1 also for rows without an event of their own, and where no row can be compared',
    )
    .addOption(jsonOption('print the tables as JSON'))
    .action(async (url: string, options: CoverageOptions) => {
      const since = options.since ?? new Date(Date.now() - 86_400_000);
      const tables = await connected(url, ({ database }) => coverage(database, { since }));
      const isWanting = tables.some(({ broken, unmatched = 0 }) => broken.length > 0 || unmatched > 0);
      const isOpen =
        options.strict === true && (tables.some(({ unnamed = 0 }) => unnamed > 0) || !isCompared(tables));
      if (isWanting || isOpen) io.status = exitStatus.evidence;
      if (options.json === true) return io.out.json(tables);
      for (const table of tables)
        await io.out.line(
          show`${(table.captured ? 'captured' : 'not').padEnd(9)} ${table.table}${told(table)}`,
        );
      return undefined;
    });
}

/** Whether rows of captured tables were compared at all; where none is captured, there is nothing to compare. */
function isCompared(tables: readonly TableCoverage[]): boolean {
  const captured = tables.filter((table) => table.captured);
  return captured.length === 0 || captured.some(({ rows }) => rows !== undefined);
}

function told({ captured, broken, rows, unmatched = 0, unnamed = 0 }: TableCoverage): string {
  if (!captured) return '';
  if (broken.length > 0) return `: BROKEN, ${broken.join(', ')}`;
  if (rows === undefined)
    return ': rows cannot be compared, the server keeps no commit times (track_commit_timestamp)';
  if (unmatched > 0) return `: ${unmatched} of ${rows} rows written have NO EVENT`;
  return unnamed > 0
    ? `: ${unnamed} of ${rows} rows written have no event of their own, in transactions that have others: unseen, or not changed`
    : `: ${rows} rows written, each with its event`;
}
