import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import {
  AnchorStore,
  answerAround,
  certificatesOf,
  readTimestampSettings,
  type StampedCheckpoint,
  TIMESTAMP_EVERY_MS_DEFAULT,
  type TimestampAuthority,
  type TimestampSettings,
  writeTimestampSettings,
} from '../anchor/index.ts';
import { base64Encode, LogError, utf8Encode } from '../bytes/index.ts';
import { logPaths, openLog } from '../log/index.ts';
import { parseNote } from '../note/index.ts';
import { readBeginning } from '../platform/index.ts';
import { exitStatus, UsageError, wordsFor } from './exit.ts';
import type { Io } from './io.ts';
import { given, jsonOption, logOption, parseCount } from './options.ts';
import { group } from './progress.ts';
import { type Shown, show } from './terminal.ts';

const help = `
Example:
  indelible timestamp add https://tsa.example.com/tsr --log audit --ca tsa-root.pem
  indelible timestamp now --log audit
  indelible verify audit --tsa-ca tsa-root.pem
  indelible timestamp export 412 --log audit --to evidence

  A time-stamping authority (RFC 3161) signs that the log stood so at that time. Whatever opens the log to write asks it, once an hour
  where the log grew; a server that is running hears of another authority when it opens the log again. Only a hash leaves the machine.
`;

/** Most bytes of a file of certificates. */
export const CERTIFICATES_BYTES_MAX = 1024 * 1024;

const MINUTE_MS = 60_000;

/** `timestamp add|list|remove|now|export`: who time-stamps a log. */
export function timestampCommand(io: Io): Command {
  const command = new Command('timestamp')
    .description('have time-stamping authorities sign that the log stood so at that time')
    .addHelpText('after', help);
  for (const make of [addCommand, listCommand, removeCommand, nowCommand, exportCommand]) {
    command.addCommand(make(io).copyInheritedSettings(command));
  }
  return command;
}

/** `--tsa-ca FILE`, for commands that verify. */
export function tsaOption(): Option {
  return new Option('--tsa-ca <file>', 'certificates of time-stamping authorities to trust (PEM, or DER)');
}

/** `--anchors FILE`, for commands that verify. */
export function anchorsOption(): Option {
  return new Option('--anchors <file>', 'your own copy of anchors.db (default: the one in the folder)');
}

/** The certificates in a file that the user names. */
export function readCertificateFile(path: string): Uint8Array {
  const bytes = readBeginning(path, CERTIFICATES_BYTES_MAX);
  if (bytes.length > CERTIFICATES_BYTES_MAX) {
    throw new UsageError(`${path} has more than ${CERTIFICATES_BYTES_MAX} bytes`);
  }
  return bytes;
}

/** The certificates in a file that the user names, in DER. Throws a misuse `option_invalid`. */
export function certificatesIn(path: string): readonly Uint8Array[] {
  return certificatesOf({ name: path, certificates: readCertificateFile(path) }) ?? [];
}

interface AddOptions {
  readonly log: string;
  readonly name?: string;
  readonly ca?: string;
  readonly policy?: string;
  readonly every?: number;
}

function addCommand(io: Io): Command {
  return new Command('add')
    .description('ask one more authority from now on')
    .addArgument(new Argument('<url>', 'where it is asked: http or https'))
    .addOption(logOption())
    .option('--name <name>', 'its name in this log (default: its host)')
    .option('--ca <file>', 'its certificate or one above it, to verify its answers with')
    .option('--policy <oid>', 'the policy to ask for, and to insist on')
    .addOption(new Option('--every <minutes>', 'how often all authorities are asked').argParser(parseCount))
    .action(async (url: string, options: AddOptions) => {
      const path = settingsPath(options.log);
      const settings = readTimestampSettings(path) ?? { authorities: [] };
      const authority: TimestampAuthority = {
        name: options.name ?? nameOf(url),
        url,
        ...given({ policy: options.policy }),
        ...(options.ca !== undefined && { certificates: pemOf(options.ca) }),
      };
      writeTimestampSettings(path, {
        ...settings,
        ...(options.every !== undefined && { everyMs: options.every * MINUTE_MS }),
        authorities: [...settings.authorities, authority],
      });
      const pinned = options.ca === undefined ? ', by whatever certificate it shows: pin it with --ca' : '';
      await io.words.line(
        show`${authority.name} is asked where the log is opened to write${pinned}. Try it: indelible timestamp now --log ${options.log}`,
      );
    });
}

function listCommand(io: Io): Command {
  return new Command('list')
    .description('list the authorities, and the newest time-stamp of each')
    .addOption(logOption())
    .addOption(jsonOption('print one JSON object a line'))
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      const settings = settingsOf(dir);
      const store = AnchorStore.openReadable(logPaths(dir).anchors);
      try {
        for (const { name, url, policy, certificates } of settings.authorities) {
          const newest = store?.newestTimestampOf(name);
          const stamped = newest && { size: newest.size, at: new Date(newest.at).toISOString() };
          const isPinned = certificates !== undefined;
          if (json === true) await io.out.json({ name, url, isPinned, ...given({ policy, stamped }) });
          else await io.out.line(authorityLine({ name, url, isPinned, stamped }));
        }
      } finally {
        store?.close();
      }
      if (json === true) return;
      const minutes = Math.round((settings.everyMs ?? TIMESTAMP_EVERY_MS_DEFAULT) / MINUTE_MS);
      if (settings.authorities.length === 0) await io.words.line(show`Nobody time-stamps this log.`);
      else await io.words.line(show`Each is asked every ${group(minutes)} minutes where the log grew.`);
    });
}

function authorityLine(authority: {
  readonly name: string;
  readonly url: string;
  readonly isPinned: boolean;
  readonly stamped: { readonly size: number; readonly at: string } | undefined;
}): Shown {
  const { name, url, isPinned, stamped } = authority;
  const newest = stamped === undefined ? 'no time-stamp yet' : `size ${group(stamped.size)} at ${stamped.at}`;
  return show`${name}  ${url}  ${isPinned ? 'pinned' : 'not pinned'}  ${newest}`;
}

function removeCommand(io: Io): Command {
  return new Command('remove')
    .description('ask an authority no longer; what it has signed is kept')
    .addArgument(new Argument('<name>', 'its name in this log'))
    .addOption(logOption())
    .action(async (name: string, { log: dir }: { log: string }) => {
      const settings = settingsOf(dir);
      const left = settings.authorities.filter((authority) => authority.name !== name);
      if (left.length === settings.authorities.length) {
        throw new LogError('not_found', `no authority of this log is called ${name}`);
      }
      writeTimestampSettings(settingsPath(dir), { ...settings, authorities: left });
      await io.words.line(show`${name} is asked no longer. What it has signed is kept.`);
    });
}

function nowCommand(io: Io): Command {
  return new Command('now')
    .description('have the newest checkpoint time-stamped now')
    .addOption(logOption())
    .addOption(jsonOption('print one JSON object a line'))
    .action(async ({ log: dir, json }: { log: string; json?: boolean }) => {
      await using log = await openLog(dir, { readOnly: true });
      const results = await log.timestampNow();
      if (results.length === 0) throw new UsageError('nobody time-stamps this log: see timestamp add');
      for (const result of results) {
        if (!result.ok) {
          io.status = exitStatus.failed;
          await io.words.line(show`${result.authority}: ${wordsFor(result.error)}`);
        } else if (json === true) {
          const { authority, size, time, trust, signer } = result;
          await io.out.json({ authority, size, time, trust, signer });
        } else {
          const { authority, size, time, trust, signer } = result;
          const by = trust === 'anchored' ? signer : `${signer}, whom nothing here vouches for`;
          await io.out.line(show`${authority}  ${time}  up to size ${group(size)}  by ${by}`);
        }
      }
    });
}

function exportCommand(io: Io): Command {
  return new Command('export')
    .description('write the time-stamps over one size, and what was stamped, for other tools')
    .addArgument(new Argument('<size>', 'size of the checkpoint').argParser(parseCount))
    .addOption(logOption())
    .addOption(new Option('--to <dir>', 'folder for the files').makeOptionMandatory())
    .action(async (size: number, { log: dir, to }: { log: string; to: string }) => {
      const stamps = stampsOf(dir, size);
      mkdirSync(to, { recursive: true });
      for (const { authority, token, note } of stamps) {
        // A name that came out of the file and not out of the settings is not led anywhere else.
        const name = `${size}-${authority.replace(/[^a-z0-9._-]/g, '_')}`;
        const [text, answer] = [join(to, `${name}.txt`), join(to, `${name}.tsr`)];
        writeFileSync(text, utf8Encode(parseNote(note).text));
        writeFileSync(join(to, `${name}.checkpoint`), note);
        writeFileSync(answer, answerAround(token));
        await io.out.line(show`${answer}`);
        await io.words.line(show`openssl ts -verify -in ${answer} -data ${text} -CAfile tsa-root.pem`);
      }
    });
}

function stampsOf(dir: string, size: number): StampedCheckpoint[] {
  const store = AnchorStore.openReadable(logPaths(dir).anchors);
  try {
    const stamps = store?.timestampsFrom(size, 100).filter((stamp) => stamp.size === size) ?? [];
    if (stamps.length > 0) return stamps;
    const newest = store?.newestTimestamps()[0]?.size;
    throw new LogError('not_found', `nobody has time-stamped size ${size}`, {
      hint: newest === undefined ? 'nothing is time-stamped yet' : `the newest is of size ${newest}`,
    });
  } finally {
    store?.close();
  }
}

/** The file of settings of a log: in a folder that holds one, or the keys of one. */
function settingsPath(dir: string): string {
  const { database, vkey, timestamps } = logPaths(dir);
  if (existsSync(database) || existsSync(vkey)) return timestamps;
  throw new LogError('log_missing', `there is no log in ${dir}`);
}

function settingsOf(dir: string): TimestampSettings {
  return readTimestampSettings(settingsPath(dir)) ?? { authorities: [] };
}

/** What to call an authority that was given no name: its host. */
function nameOf(url: string): string {
  if (!URL.canParse(url)) throw new UsageError(`${url} is no URL`);
  return new URL(url).host.replace(/[^a-z0-9._-]/g, '-').slice(0, 48);
}

/** The certificates of a file as PEM, which is what settings hold. */
function pemOf(path: string): string {
  return certificatesIn(path)
    .map((der) => {
      const body = base64Encode(der).replace(/.{1,64}/g, '$&\n');
      return `-----BEGIN CERTIFICATE-----\n${body}-----END CERTIFICATE-----\n`;
    })
    .join('');
}
