import { VerificationError } from '../bytes/index.ts';
import { limits, openEntry, parseEntry } from '../event/index.ts';
import { parsePolicy } from '../note/index.ts';
import { readBeginning, readTextFile } from '../platform/index.ts';
import { PROOF_BYTES_MAX, policyOf, type Trust, verifyDisclosure, verifyProof } from '../verify/index.ts';
import { nameOf, readableTime } from './event-lines.ts';
import { UsageError } from './exit.ts';
import type { Io } from './io.ts';
import { show } from './terminal.ts';

/** Most bytes of a policy file. */
const POLICY_BYTES_MAX = 1024 * 1024;

/** Most bytes of the disclosures of an entry, however they were put into a file. */
const DISCLOSURES_BYTES_MAX = 16 * limits.disclosuresBytesMax;

/** The options of `verify` that name a single proof. */
export interface ProofOptions {
  readonly proof: string;
  readonly entry?: string;
  readonly vkey?: string;
  readonly policy?: string;
  readonly disclosures?: string;
  readonly json?: boolean;
}

/**
 * Whom a verifier trusts, from `--vkey` or `--policy`. What cannot be read is misuse, not evidence that fails: it was the
 * user who said it.
 */
export async function readTrust(options: {
  readonly vkey?: string;
  readonly policy?: string;
}): Promise<Trust | undefined> {
  const { vkey, policy } = options;
  try {
    if (policy !== undefined) return parsePolicy(readTextFile(policy, POLICY_BYTES_MAX));
    return vkey === undefined ? undefined : policyOf({ vkey: vkey.trim() });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    throw new UsageError(`${policy === undefined ? '--vkey' : policy}: ${error.message}`);
  }
}

/** Verifies one proof file with its entry. Throws `VerificationError` where it does not hold. */
export async function runVerifyProof(io: Io, options: ProofOptions): Promise<void> {
  const policy = await readTrust(options);
  if (options.entry === undefined)
    throw new UsageError('--proof proves an entry: name its file with --entry');
  if (policy === undefined) throw new UsageError('--proof needs a key to trust: --vkey KEY or --policy FILE');
  // Of what is longer than any proof or entry, enough is read to find that it is none.
  const proof = readBeginning(options.proof, PROOF_BYTES_MAX);
  const bytes = readBeginning(options.entry, limits.entryBytesMax);
  const { origin, index, size, verified } = verifyProof({ proof, entry: bytes, policy });
  const { event } = openEntry(parseEntry(bytes), [], index);
  const values = options.disclosures === undefined ? [] : await readDisclosures(options.disclosures);
  const opened = values.map((text) => verifyDisclosure(bytes, text));
  if (options.json === true) {
    await io.out.json({
      ok: true,
      origin,
      size,
      index,
      id: event.id,
      disclosures: opened,
    });
    return;
  }
  const { paint } = io.out;
  await io.out.line(
    show`${paint('green', 'The proof holds.')} These bytes are entry ${index} of ${origin}, in a tree of ${size} entries signed by ${verified.map(({ key }) => key.name).join(', ')}.`,
  );
  await io.out.line(
    show`  ${event.action} · ${event.outcome} · ${nameOf(event.actor)} · ${readableTime(event.occurredAt)} UTC`,
  );
  for (const { path, name, value } of opened) {
    await io.out.line(
      show`  ${paint('dim', path.endsWith(`/${name}`) ? path : `${path} ${name}`)} ${JSON.stringify(value)}`,
    );
  }
}

async function readDisclosures(file: string): Promise<string[]> {
  return readTextFile(file, DISCLOSURES_BYTES_MAX)
    .split('\n')
    .filter((line) => line !== '');
}
