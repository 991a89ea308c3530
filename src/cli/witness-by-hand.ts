import { Command, Option } from 'commander';
import { isAhead } from '../anchor/index.ts';
import {
  base64Decode,
  concatBytes,
  LogError,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { logPaths, openLog } from '../log/index.ts';
import {
  formatAddCheckpoint,
  NOTE_BYTES_MAX,
  type PolicyWitness,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  parsePolicy,
  parseSignatureLines,
  verifySignature,
} from '../note/index.ts';
import { readBeginning, systemClock } from '../platform/index.ts';
import { openWitness, type Verdict, Witness, watchedLogs } from '../witness/index.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { logOption, parseCount } from './options.ts';
import { show } from './terminal.ts';
import { readPolicy, withAnchors } from './witness-list.ts';
import { dataOption } from './witness-serve.ts';

const requestHelp = `
Example:
  indelible witness request --log audit --old 1200 > request

  The newest checkpoint, with the proof that it continues the one of the size --old: what the witness signed last, 0 for never.
`;

/** `witness request --log DIR --old N`: what a witness is asked, as a file. */
export function requestCommand(io: Io): Command {
  return new Command('request')
    .description('print what a witness is to be asked, to be carried to it by hand')
    .addOption(logOption())
    .addOption(
      new Option('--old <size>', 'the size that it signed last; 0 if it never did')
        .argParser(parseOld)
        .default(0),
    )
    .addHelpText('after', requestHelp)
    .action(async ({ log: dir, old }: { log: string; old: number }) => {
      await using log = await openLog(dir, { readOnly: true });
      const { size, root, note: text } = await log.checkpoint();
      if (old > size) throw new UsageError(`the log has ${size} entries, not ${old}`);
      const proof = await log.reader.proveGrowth({ from: old, to: size, root: base64Decode(root) });
      const note = utf8Encode(text);
      withAnchors(logPaths(dir), (store) => store.addSignatures({ size, note, at: systemClock.wall() }, []));
      await printLines(io, utf8Decode(formatAddCheckpoint({ oldSize: old, proof, note })));
    });
}

async function printLines(io: Io, text: string): Promise<void> {
  const lines = text.split('\n').slice(0, -1);
  await io.out.lines(lines.map((line) => show`${line}`));
}

function parseOld(text: string): number {
  return text === '0' ? 0 : parseCount(text);
}

const signHelp = `
Example:
  indelible witness sign request --data witness --vkey "$(cat log.vkey)"

  Cosigns what "witness request" printed, or a checkpoint alone where nothing has to be proven, and prints the signature
  lines. It judges and remembers as the server does: one history of each log, and no other.
`;

/** `witness sign FILE --data DIR --vkey KEY`: cosigns without a network. */
export function signCommand(io: Io): Command {
  return new Command('sign')
    .description('cosign a checkpoint by hand')
    .argument('<file>', 'a request, or a checkpoint')
    .addOption(dataOption())
    .requiredOption('--vkey <key>', "the log's verifier key")
    .option('--origin <origin>', 'its origin, where that is not the name of the key')
    .addHelpText('after', signHelp)
    .action(async (file: string, options: { data: string; vkey: string; origin?: string }) => {
      const { data, ...named } = options;
      const { store, cosigners } = openWitness(data);
      try {
        const logs = watchedLogs([named]);
        const witness = new Witness({ store, cosigners, logs, now: systemClock.wall });
        const body = await readRequest(io, file, (origin) => store.seen(origin)?.size ?? 0);
        const verdict = witness.addCheckpoint(body);
        if (verdict.status !== 200) throw refusalOf(verdict);
        await io.out.lines(verdict.lines.map((line) => show`${line}`));
      } finally {
        store.close();
      }
    });
}

/** A checkpoint alone continues what the witness has seen only if that is nothing, or the same. */
async function readRequest(io: Io, file: string, seen: (origin: string) => number): Promise<Uint8Array> {
  const bytes = await readEvidence(io, file);
  if (utf8Decode(bytes).startsWith('old ')) return bytes;
  const { origin } = parseCheckpoint(parseNote(bytes).text);
  return formatAddCheckpoint({ oldSize: seen(origin), proof: [], note: bytes });
}

function refusalOf(verdict: Exclude<Verdict, { status: 200 }>): Error {
  const { status, why } = verdict;
  if (status === 422) return new VerificationError('consistency_invalid', `Not cosigned: ${why}`);
  if (status === 403) return new VerificationError('signature_invalid', `Not cosigned: ${why}`);
  if (status === 400) return new VerificationError('malformed_witness_request', `Not cosigned: ${why}`);
  const hint =
    status === 409 ? `ask for: indelible witness request --log DIR --old ${verdict.size}` : undefined;
  return new LogError('witness_refused', `not cosigned: ${why}`, hint === undefined ? {} : { hint });
}

const addSignatureHelp = `
Example:
  indelible witness add-signature signature --log audit

  Takes what "witness sign" printed, if it is by a witness of the log's policy and over a checkpoint that was published.
`;

/** `witness add-signature FILE --log DIR`. */
export function addSignatureCommand(io: Io): Command {
  return new Command('add-signature')
    .description('put a signature that was made by hand under its checkpoint')
    .argument('<file>', 'the signature lines')
    .addOption(logOption())
    .option('--request <file>', 'the request that was signed, where the log no longer has its checkpoint')
    .addHelpText('after', addSignatureHelp)
    .action(async (file: string, options: { log: string; request?: string }) => {
      const paths = logPaths(options.log);
      const { witnesses } = parsePolicy(readPolicy(paths) ?? noPolicy());
      const signatures = parseSignatureLines(await readEvidence(io, file)).map((one) =>
        timely(one, witnesses),
      );
      const asked =
        options.request === undefined ? [] : [parseAddCheckpoint(await readEvidence(io, options.request))];
      const taken = withAnchors(paths, (store) => {
        const notes = [...asked, ...store.newestPublished(LOOKED_AT_MAX)].map(({ note }) => note);
        const found = notes.find((note) => signatures.some((one) => signs(one, note, witnesses)));
        if (found === undefined) return undefined;
        const lines = signatures.filter((one) => signs(one, found, witnesses)).map(({ line }) => line);
        const { size } = parseCheckpoint(parseNote(found).text);
        store.addSignatures({ size, note: found, at: systemClock.wall() }, lines);
        return { size, count: lines.length };
      });
      if (taken === undefined) {
        throw new VerificationError(
          'signature_unknown',
          'No signature in the file is by a witness of the policy over a checkpoint that was published. If it was long ago, give --request.',
        );
      }
      await io.out.line(show`cosigned up to size ${String(taken.size)}`);
    });
}

/** Throws `cosignature_time_invalid` for a signature of one of the witnesses that bears no time, or one that lies ahead of the clock. */
function timely(
  signature: ReturnType<typeof parseSignatureLines>[number],
  witnesses: readonly PolicyWitness[],
): typeof signature {
  const { name, keyId, signature: bytes } = signature;
  if (bytes.length <= 8 || !witnesses.some(({ key }) => key.name === name && key.keyId === keyId))
    return signature;
  const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  if (time > 0n && !isAhead(time, systemClock.wall())) return signature;
  const what = time === 0n ? 'says nothing of its time' : 'bears a time that lies ahead of the clock here';
  throw new VerificationError('cosignature_time_invalid', `The signature of ${name} ${what}.`, { name });
}

/** Published checkpoints that a signature may be for, newest first. */
const LOOKED_AT_MAX = 4096;

function noPolicy(): never {
  throw new LogError('no_witnesses', 'this log has no witnesses', {
    hint: 'indelible witness add none VKEY --log DIR',
  });
}

function signs(
  { name, keyId, signature }: ReturnType<typeof parseSignatureLines>[number],
  note: Uint8Array,
  witnesses: readonly PolicyWitness[],
): boolean {
  const found = witnesses.find(({ key }) => key.name === name && key.keyId === keyId);
  if (found === undefined) return false;
  try {
    verifySignature(found.key, parseNote(note).text, signature);
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

/** What somebody else has written: a file, or `-` for what comes in. */
async function readEvidence({ stdin }: Io, file: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  if (file !== '-') parts.push(readBeginning(file, NOTE_BYTES_MAX));
  else {
    for await (const part of stdin as AsyncIterable<Uint8Array>) {
      parts.push(part);
      length += part.length;
      if (length > NOTE_BYTES_MAX) break;
    }
  }
  const bytes = concatBytes(...parts);
  if (bytes.length <= NOTE_BYTES_MAX) return bytes;
  throw new VerificationError('malformed_note', `The file has more than ${NOTE_BYTES_MAX} bytes.`);
}
