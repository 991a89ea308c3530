import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { type Listening, listen } from '../http/index.ts';
import {
  type Found,
  type LookReport,
  Monitor,
  type MonitorFigures,
  type MonitorOptions,
  metricsText,
} from '../monitor/index.ts';
import { readPrivate, readTextFile, systemClock, TIMER_MS_MAX } from '../platform/index.ts';
import { exitStatus, UsageError } from './exit.ts';
import { readHeldFile } from './held.ts';
import type { Io } from './io.ts';
import { folderArgument, given, jsonOption, parseTime } from './options.ts';
import { group } from './progress.ts';
import { s3Place } from './s3-options.ts';
import { parsePort, stopSignal } from './serve.ts';
import { show } from './terminal.ts';
import { anchorsOption, readCertificateFile, tsaOption } from './timestamp.ts';
import { readTrust } from './verify-proof.ts';

/** How often a log is looked at, where the command line does not say, milliseconds. */
const INTERVAL_MS_DEFAULT = 60_000;

/** How often it is looked for what the webhook is to be told, milliseconds. */
const DELIVER_EVERY_MS = 1000;

/** A look that is under way for as long as this, and as the silence that is asked for, is minded; milliseconds. */
const MIND_MS_MIN = 60_000;

/** Deliveries that `--once` tries before it leaves the rest to the next run. */
const TRIES_ONCE = 3;

/** Bytes of a file with a secret. */
const SECRET_BYTES_MAX = 4096;

const help = `
Examples:
  indelible monitor https://audit.example.com/logs/main --vkey "$(cat log.vkey)" --api-key-file key --state main.monitor
  indelible monitor file:///srv/www/audit --vkey "$(cat log.vkey)" --state audit.monitor --once --json
  indelible monitor s3://bucket/audit --vkey "$(cat log.vkey)" --state audit.monitor --max-timestamp-age 2d --tsa-ca tsa.pem
  indelible monitor audit --policy policy --state audit.monitor --max-silence 1h --max-cosignature-age 30m

  Remembers in --state what it saw, and looks whether the log continues it: every entry is read once, and all of them again every
  --whole-every. What does not fit is found again by every look, and what proves it is kept in FILE.evidence.
  A webhook is told each finding at least once, signed as Standard Webhooks are. With --once: status 1 where anything was found or
  holds, 3 where the log or the webhook could not be reached.
  Run it somewhere else than the log, with a key that did not come from there.
`;

interface Options {
  readonly vkey?: string;
  readonly policy?: string;
  readonly state: string;
  readonly once?: boolean;
  readonly interval: number;
  readonly wholeEvery: number;
  readonly maxCosignatureAge?: number;
  readonly maxTimestampAge?: number;
  readonly maxSilence?: number;
  readonly lookTimeout?: number;
  readonly retentionGrace?: number;
  readonly held?: string;
  readonly subjectKeys?: string;
  readonly anchors?: string;
  readonly tsaCa?: string;
  readonly apiKeyFile?: string;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly webhook?: string;
  readonly webhookSecretFile?: string;
  readonly allowPrivate?: boolean;
  readonly metricsPort?: number;
  readonly json?: boolean;
}

/** `monitor URL|DIR --vkey KEY --state FILE`. */
export function monitorCommand(io: Io): Command {
  const time = (flags: string, what: string): Option => new Option(flags, what).argParser(parseTime);
  return new Command('monitor')
    .description('follow a log that others run, and say when it does not continue what was seen')
    .addArgument(folderArgument('<dir>', 'folder of the log, or the URL where it is published or served'))
    .option('--vkey <key>', 'public log key to trust')
    .addOption(
      new Option('--policy <file>', 'tlog-policy to trust: log key, witnesses, quorum').conflicts('vkey'),
    )
    .requiredOption('--state <file>', 'file in which the monitor remembers; one for each log')
    .option('--once', 'look once and end')
    .addOption(
      time('--interval <time>', 'how often to look (default: 1m)').default(INTERVAL_MS_DEFAULT, '1m'),
    )
    .addOption(
      time('--whole-every <time>', 'how often to read everything again; 0s: never').default(86_400_000, '1d'),
    )
    .addOption(time('--max-cosignature-age <time>', 'how old the cosignatures of the quorum may be'))
    .addOption(time('--max-timestamp-age <time>', 'how old the newest time-stamp may be; needs --tsa-ca'))
    .addOption(time('--max-silence <time>', 'how old the newest entry may be'))
    .addOption(
      time('--retention-grace <time>', 'how long values may outlive the policy of retention (default: 7d)'),
    )
    .addOption(
      time(
        '--look-timeout <time>',
        'how long nothing may come of what is published; all of it while no known key has signed it (default: 1h)',
      ),
    )
    .option('--held <file>', 'receipts or a checkpoint that you kept, compared with the log')
    .option('--subject-keys <file>', 'keys of the subjects, to judge the sealed values of a published log')
    .addOption(anchorsOption())
    .addOption(tsaOption())
    .option('--api-key-file <file>', 'key with which a server shows its entries')
    .option('--s3-endpoint <url>', 'an S3 server that is not AWS')
    .option('--s3-region <name>', 'region of the bucket')
    .option('--webhook <url>', 'where each finding is sent')
    .option('--webhook-secret-file <file>', 'secret that signs what is sent (whsec_…, or 24 bytes and more)')
    .option('--allow-private', 'the webhook may lie in a private network')
    .addOption(
      new Option('--metrics-port <port>', 'serve /metrics on this port of 127.0.0.1').argParser(parsePort),
    )
    .addOption(jsonOption('print each look and each finding as a line of JSON'))
    .addHelpText('after', help)
    .action((place: string, options: Options) => monitor(io, place, options));
}

async function monitor(io: Io, place: string, options: Options): Promise<void> {
  const watched = new Monitor(await monitorOptions(place, options));
  const figures = { looks: 0, told: 0, last: undefined as LookReport | undefined };
  if (options.once === true) {
    await once(io, watched, options);
    return;
  }
  const listening = await serveMetrics(io, figures, options);
  try {
    await follow(io, watched, { options, figures });
  } finally {
    await listening?.close();
  }
}

async function monitorOptions(place: string, options: Options): Promise<MonitorOptions> {
  const trust = await readTrust(options);
  if (trust === undefined)
    throw new UsageError('a monitor needs a key from elsewhere: --vkey KEY or --policy FILE');
  const { subjectKeys, anchors, tsaCa, apiKeyFile, held } = options;
  const key = apiKeyFile === undefined ? undefined : secretIn(apiKeyFile);
  return {
    place,
    trust,
    state: options.state,
    wholeEveryMs: options.wholeEvery,
    s3: s3Place(options),
    ...given({
      subjectKeys,
      anchors,
      maxCosignatureAgeMs: options.maxCosignatureAge,
      maxTimestampAgeMs: options.maxTimestampAge,
      maxSilenceMs: options.maxSilence,
      lookTimeoutMs: options.lookTimeout,
      retentionGraceMs: options.retentionGrace,
      held: held === undefined ? undefined : await readHeldFile(held),
      tsaCertificates: tsaCa === undefined ? undefined : readCertificateFile(tsaCa),
      headers: key === undefined ? undefined : { authorization: `Bearer ${key}` },
      webhook: webhookOf(options),
    }),
  };
}

function webhookOf({ webhook: url, webhookSecretFile, allowPrivate }: Options): MonitorOptions['webhook'] {
  if (url === undefined) {
    if (webhookSecretFile === undefined && allowPrivate === undefined) return undefined;
    throw new UsageError('--webhook-secret-file and --allow-private go with --webhook');
  }
  const secret = webhookSecretFile === undefined ? undefined : secretIn(webhookSecretFile);
  return { url, ...given({ secret, allowPrivate }) };
}

/** A secret that others can read is none. */
function secretIn(file: string): string {
  if (readPrivate(file).loose) throw new UsageError(`${file} can be read by others: chmod 600 ${file}`);
  return readTextFile(file, SECRET_BYTES_MAX).trim();
}

async function once(io: Io, watched: Monitor, options: Options): Promise<void> {
  const report = await look(io, watched, options);
  for (let attempt = 1; watched.nextDeliveryMs !== undefined; attempt += 1) {
    await sleep(Math.max(0, Math.min(watched.nextDeliveryMs - systemClock.wall(), 5000)));
    await deliver(io, watched);
    if (attempt === TRIES_ONCE) break;
  }
  const isFinding = report.holds > 0 || report.tell.some(({ kind }) => kind === 'finding');
  const isAway = !report.isReached || watched.nextDeliveryMs !== undefined;
  if (isFinding) io.status = exitStatus.evidence;
  else if (isAway) io.status = exitStatus.failed;
}

interface Following {
  readonly options: Options;
  readonly figures: { -readonly [Name in keyof MonitorFigures]: MonitorFigures[Name] };
}

/** Looks and deliveries go on beside each other: whoever takes long to be told something keeps nobody from looking. */
async function follow(io: Io, watched: Monitor, following: Following): Promise<void> {
  const stopping = new AbortController();
  void stopSignal().then(() => stopping.abort());
  const { signal } = stopping;
  const both = [lookOn(io, watched, following, signal)];
  if (following.options.webhook !== undefined) both.push(deliverOn(io, watched, signal));
  const ends = both.map((one) => one.finally(() => stopping.abort()));
  await Promise.allSettled(ends);
  await Promise.all(ends);
}

async function lookOn(
  io: Io,
  watched: Monitor,
  { options, figures }: Following,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const nextMs = systemClock.monotonic() + options.interval;
    const report = await look(io, watched, options);
    figures.looks += 1;
    figures.told += report.tell.length;
    figures.last = report;
    await pause(Math.max(10, nextMs - systemClock.monotonic()), signal);
  }
}

async function deliverOn(io: Io, watched: Monitor, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await deliver(io, watched, signal);
    await pause(DELIVER_EVERY_MS, signal);
  }
}

/** Looks, and tells what was found; while that takes long, also that nothing comes. */
async function look(io: Io, watched: Monitor, options: Options): Promise<LookReport> {
  const over = new AbortController();
  const minding = mind(io, watched, options, over.signal);
  try {
    const report = await watched.look();
    await tell(io, watched, report, options);
    return report;
  } finally {
    over.abort();
    await minding;
  }
}

async function mind(io: Io, watched: Monitor, options: Options, signal: AbortSignal): Promise<void> {
  if (options.maxSilence === undefined) return;
  const everyMs = Math.max(options.maxSilence, MIND_MS_MIN);
  for (;;) {
    await pause(everyMs, signal);
    if (signal.aborted) return;
    const report = await watched.silence();
    if (report !== undefined && report.tell.length > 0) await tell(io, watched, report, options);
  }
}

/** Waits so long, or until the signal comes; longer than a timer can, too. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonic() + ms;
  for (let left = ms; left > 0 && !signal.aborted; left = endMs - systemClock.monotonic())
    await sleep(Math.min(left, TIMER_MS_MAX), undefined, { signal }).catch(() => {});
}

async function deliver({ words }: Io, watched: Monitor, signal?: AbortSignal): Promise<void> {
  const { left, problem } = await watched.deliver(signal === undefined ? {} : { signal });
  if (problem !== undefined)
    await words.line(show`The webhook did not take ${left} of what was found: ${problem}`);
}

async function tell(io: Io, watched: Monitor, report: LookReport, { json }: Options): Promise<void> {
  const { tell: told, ...look } = report;
  if (json === true) {
    await io.out.json({ kind: 'look', ...look });
    for (const one of told) await io.out.json(one);
  } else {
    await io.out.line(lookLine(look));
    for (const one of told) await io.out.line(foundLine(io, one));
  }
  await io.out.flush();
  watched.told(told);
}

function lookLine({ at, origin, isReached, problem, size, added, holds, isWhole }: Omit<LookReport, 'tell'>) {
  if (!isReached) return show`${at} ${origin}: could not be read: ${problem ?? ''}`;
  const whole = isWhole ? ', all of them read' : '';
  const verdict = holds === 0 ? 'it continues what was seen' : `${holds} findings hold`;
  return show`${at} ${origin}: ${group(size)} entries, ${group(added)} new${whole}: ${verdict}`;
}

function foundLine({ out }: Io, { kind, code, message, evidence }: Found) {
  const proof = evidence === undefined ? '' : ` Kept: ${evidence.join(', ')}`;
  return show`  ${out.paint(kind === 'notice' ? 'yellow' : 'red', kind)} ${code}: ${message}${proof}`;
}

async function serveMetrics(
  io: Io,
  figures: MonitorFigures,
  { metricsPort: port }: Options,
): Promise<Listening | undefined> {
  if (port === undefined) return undefined;
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  const answer = async ({ method, url }: Request): Promise<Response> =>
    method === 'GET' && new URL(url).pathname === '/metrics'
      ? new Response(metricsText(figures), { headers })
      : new Response('not found\n', { status: 404 });
  const listening = await listen(answer, { port, host: '127.0.0.1' });
  await io.words.line(show`Metrics: ${listening.url}/metrics`);
  return listening;
}
