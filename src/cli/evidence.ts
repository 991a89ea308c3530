import { open, rename, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Actor, Reveal } from '../event/index.ts';
import { openLog } from '../log/index.ts';
import { escapeEvidence, splitEvidencePage } from '../verify/index.ts';
import { evidencePage } from './evidence-page.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { given, keyOption, logOption, markOption } from './options.ts';
import { Progress } from './progress.ts';
import { show } from './terminal.ts';
import { version } from './version.ts';

/** What `evidence` was asked for. */
export interface EvidenceOptions {
  readonly log: string;
  readonly out: string;
  readonly query?: string;
  readonly ids?: readonly string[];
  readonly reveal: Reveal;
  readonly by?: Actor;
  readonly witnessed?: boolean;
  readonly key?: string;
  readonly mark?: string;
}

const help = `
Examples:
  indelible evidence --log audit --query 'actor:user/u_42 after:2026-01-01' --out case.html
  indelible evidence --log audit --ids ID,ID --reveal actor.name,reason --out case.json
  indelible verify case.html --vkey "$(cat log.vkey)"

  One file with the entries, all that is needed to check them, and what it does not show; .html opens in a browser, offline, and
  verifies itself. It is signed by the log's key, and that it was taken is recorded. Sealed values stay out of it unless --reveal
  names them: all, or places within the event as in actor.name, context, changes.

  What witnesses and time-stamping authorities have signed goes in, with the policy of the log. A verifier with a policy asks that
  every entry is among those that the quorum has cosigned, which the newest are not yet: --witnessed leaves those out.
`;

/** `evidence --log DIR --query QUERY|--ids IDS --out FILE`: a file that proves what it shows. */
export function evidenceCommand(io: Io): Command {
  return new Command('evidence')
    .description('write a file of events that verifies itself, as JSON or as a page')
    .addOption(logOption())
    .requiredOption('--out <file>', 'file to write: .json, or .html for a page that opens offline')
    .addOption(new Option('--query <query>', "what to show; '' for everything").conflicts('ids'))
    .addOption(new Option('--ids <ids>', 'ids of the events, separated by commas').argParser(listOf))
    .addOption(revealOption().default('none'))
    .addOption(new Option('--by <type/id>', 'who makes it (default: os_user/NAME)').argParser(parseActor))
    .option('--witnessed', 'make it under the newest checkpoint that the quorum of witnesses has cosigned')
    .addOption(keyOption())
    .addOption(markOption())
    .addHelpText('after', help)
    .action((options: EvidenceOptions) => writeEvidenceFile(io, options));
}

/** Writes evidence into a file, and says so. */
export async function writeEvidenceFile(io: Io, options: EvidenceOptions): Promise<void> {
  const { out, query, ids, reveal, witnessed } = options;
  if (query === undefined && ids === undefined) {
    throw new UsageError("say what to show: --query QUERY ('' for everything), or --ids ID,ID");
  }
  const page = out.endsWith('.html') ? splitEvidencePage(evidencePage()) : undefined;
  await using log = await openLog(options.log, {
    service: 'cli',
    heartbeatMs: 0,
    ...given({ key: options.key, mark: options.mark }),
  });
  const pieces = log.evidence(ids === undefined ? { query: query! } : { ids }, {
    by: options.by ?? { type: 'os_user', id: userInfo().username },
    reveal,
    tool: `indelible ${version()}`,
    ...(witnessed === true && { checkpoint: await log.checkpoint({ witnessed }) }),
  });
  const progress = new Progress(io.words, 'writing');
  try {
    await writeWhole(out, async (write) => {
      let done = 0;
      if (page !== undefined) await write(page.before);
      for await (const piece of pieces) {
        await write(page === undefined ? piece : escapeEvidence(piece));
        done += piece.length;
        progress.at(done);
      }
      if (page !== undefined) await write(page.behind);
    });
  } finally {
    progress.end();
  }
  await io.words.line(show`Evidence of ${log.origin} is in ${out}.`);
  if (reveal === 'none') {
    await io.words.line(show`Sealed values were left out: --reveal shows those that it names.`);
  }
}

/** Writes a file that is there whole or not at all, readable by its owner alone: it may hold personal data. */
async function writeWhole(
  path: string,
  produce: (write: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const draft = `${path}.part`;
  const file = await open(draft, 'w', 0o600);
  try {
    await produce(async (text) => {
      await file.appendFile(text, 'utf8');
    });
    await file.sync();
    await file.close();
    await rename(draft, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(draft, { force: true });
    throw error;
  }
}

function listOf(text: string): string[] {
  const items = text.split(',').filter((item) => item !== '');
  if (items.length === 0) throw new InvalidArgumentError('Name at least one.');
  return items;
}

/** `--reveal`: which sealed values are shown. */
export function revealOption(): Option {
  return new Option(
    '--reveal <places>',
    'sealed values to show: all, none, or places separated by commas, as in actor.name,reason',
  ).argParser(parseReveal);
}

function parseReveal(text: string): Reveal {
  return text === 'all' || text === 'none' ? text : listOf(text);
}

function parseActor(text: string): Actor {
  const slash = text.indexOf('/');
  if (slash <= 0 || slash === text.length - 1)
    throw new InvalidArgumentError('It is written type/id, as user/u_7.');
  return { type: text.slice(0, slash), id: text.slice(slash + 1) };
}
