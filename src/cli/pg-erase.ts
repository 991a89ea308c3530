import { Command } from 'commander';
import { openPostgresLog } from '../postgres/index.ts';
import { approvedByOption, basisOption, requestOption, resultLines, subjectOption } from './erase.ts';
import type { Io } from './io.ts';
import { given, jsonOption, keyOption, markOption } from './options.ts';
import { connected } from './pg-connection.ts';
import { originAt, originOption, urlArgument } from './pg-origin.ts';

interface PgEraseOptions {
  readonly origin?: string;
  readonly dir: string;
  readonly key?: string;
  readonly mark?: string;
  readonly subject: string;
  readonly basis: string;
  readonly request: string;
  readonly approvedBy: string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `pg erase URL --dir DIR --subject TYPE/ID …`: a person's values, for good; see `erase`. */
export function pgEraseCommand(io: Io): Command {
  return new Command('erase')
    .description('erase the sealed values of one subject, for good')
    .addArgument(urlArgument())
    .addOption(originOption())
    .requiredOption('--dir <dir>', 'folder of this instance, with the signing key and the search index')
    .addOption(subjectOption())
    .addOption(basisOption())
    .addOption(requestOption())
    .addOption(approvedByOption())
    .addOption(keyOption())
    .addOption(markOption())
    .option('--dry-run', 'count, and erase nothing')
    .addOption(jsonOption('print the result as JSON'))
    .action((url: string, options: PgEraseOptions) => erase(io, url, options));
}

async function erase(io: Io, url: string, options: PgEraseOptions): Promise<void> {
  const { dir, subject, basis, request: requestId, approvedBy, dryRun = false, json } = options;
  const result = await connected(url, async (connection) => {
    const origin = await originAt(connection, options.origin);
    const places = given({ key: options.key, mark: options.mark });
    // What waits in the outbox is left to the instances of the application.
    const how = { ...places, sequence: false, readOnly: dryRun, heartbeatMs: 0, service: 'cli' };
    await using audit = await openPostgresLog(connection.client, { origin, dir, ...how });
    return await audit.log.erase({ subject, basis, requestId, approvedBy, dryRun });
  });
  if (json === true) await io.out.json(result);
  else await io.out.lines(resultLines(result, dryRun));
}
