import { Command } from 'commander';
import { lookInFolders, openLog, type PlaceLook, type Tier } from '../log/index.ts';
import { NOTE_BYTES_MAX } from '../note/index.ts';
import { CHECKPOINT_PATH, S3TileStore } from '../store/index.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { jsonOption, logOption } from './options.ts';
import { group } from './progress.ts';
import { type S3Place, s3Place } from './s3-options.ts';
import { type Painter, type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible tier --log audit

  Says what vouches for a log, and what each adversary could still do to it unseen: computed out of what is there, never claimed. What
  witnesses and time-stamping authorities signed is verified and held against the log; verify reads every entry, which this does not.
  Where the log is noted to be published, the checkpoint is read: in a folder, and in a bucket unless --offline.
`;

/** How long one request to a bucket may take, milliseconds. */
const BUCKET_TIMEOUT_MS = 4_000;

interface Options extends S3Place {
  readonly log: string;
  readonly json?: boolean;
  readonly offline?: boolean;
}

/** `tier --log DIR`: what vouches for a log, and what is left open. */
export function tierCommand(io: Io): Command {
  return new Command('tier')
    .description('say what vouches for a log, and who could still do what unseen')
    .addOption(logOption())
    .addOption(jsonOption('print it as JSON'))
    .option('--offline', 'look at no place beyond this machine')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
    .addHelpText('after', help)
    .action(async ({ log: dir, json, offline, ...place }: Options) => {
      await using log = await openLog(dir, { readOnly: true });
      const tier = await log.tier(undefined, offline === true ? lookInFolders : lookOutside(place));
      if (tier.contradictions.length > 0) io.status = exitStatus.evidence;
      if (json === true) await io.out.json(tier);
      else await io.out.lines(tierLines(tier, io.out.paint));
    });
}

/** Looks into folders and buckets. Nobody publishes to any other place, and what else is noted is not asked for. */
function lookOutside(place: S3Place): PlaceLook {
  return async (url) => {
    if (!url.startsWith('s3:')) return lookInFolders(url);
    const bucket = await S3TileStore.reading(url, {
      ...s3Place(place),
      timeoutMs: BUCKET_TIMEOUT_MS,
      attempts: 1,
    });
    try {
      const checkpoint = await bucket.read(CHECKPOINT_PATH, NOTE_BYTES_MAX);
      if (checkpoint === undefined) return { checkpoint };
      const lockedUntil = await bucket.lockedUntil(CHECKPOINT_PATH);
      return { checkpoint, ...(lockedUntil !== undefined && { lockedUntil }) };
    } finally {
      await bucket.close();
    }
  };
}

/** A tier in words. */
export function tierLines(tier: Tier, paint: Painter): Shown[] {
  const width = Math.max(...tier.layers.map(({ name }) => name.length));
  const answers = {
    whole: paint('green', 'answered'),
    part: paint('yellow', 'in part'),
    none: paint('red', 'open'),
  };
  return [
    show`${paint('bold', tier.origin)} · ${group(tier.size)} ${tier.size === 1 ? 'entry' : 'entries'} · root ${tier.root}`,
    ...tier.layers.map(
      ({ name, holds, says }) =>
        show`  ${holds ? paint('green', 'yes') : paint('dim', 'no ')}  ${name.padEnd(width)}  ${says}`,
    ),
    ...tier.contradictions.map((said) => show`  ${paint('red', 'contradicted')}  ${said}`),
    ...tier.warnings.map((said) => show`  ${paint('yellow', 'warning')}  ${said}`),
    show``,
    ...tier.exposure.flatMap(({ who, can, answeredBy, unseen, answered }) => [
      show`${who} can ${can}: ${answers[answered]}`,
      show`  ${paint('dim', 'answered by')}  ${answeredBy}`,
      show`  ${paint('dim', 'unseen     ')}  ${unseen}`,
    ]),
  ];
}
