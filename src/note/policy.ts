import { equalBytes, parseDecimal, VerificationError } from '../bytes/index.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { readWithin } from './malformed.ts';
import { type Note, type OpenedNote, openNote, type VerifiedSignature } from './note.ts';
import type { OpenedCheckpoint } from './open-checkpoint.ts';
import { type KeyType, keyTypes, parseVerifierKey, publicKeyText, type VerifierKey } from './verifier-key.ts';

/**
 * How long the text of a policy may be, in UTF-16 units. C2SP asks for 32 logs, witnesses and groups; this
 * holds more.
 */
export const POLICY_LENGTH_MAX = 1024 * 1024;

/** The name that stands for "no cosignatures are asked for". */
const NONE = 'none';

/**
 * Space and tab separate; every other control character is refused, DEL too. The rest of Unicode is opaque.
 */
const forbidden = /[\u0000-\u0008\u000b-\u001f\u007f]/;

/** A log that a policy accepts. The key's name is the log's origin. */
export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url?: string;
}

/** A witness that a policy knows, under a name that means something inside the policy only. */
export interface PolicyWitness {
  readonly name: string;
  readonly key: VerifierKey;
  readonly url?: string;
}

/**
 * Some witnesses and groups, of which at least `threshold` must have cosigned for the group to have done so.
 */
export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Which checkpoints a verifier accepts: signed by any of the logs, and cosigned as the quorum asks. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  /** A group's members stand before it, so that groups cannot form a circle. */
  readonly groups: readonly PolicyGroup[];
  /** The witness or group that must have cosigned, or undefined for `quorum none`. */
  readonly quorum: string | undefined;
}

/** What has been read so far. */
interface Draft {
  readonly logs: PolicyLog[];
  readonly witnesses: PolicyWitness[];
  readonly groups: PolicyGroup[];
  readonly names: Set<string>;
  /**
   * The names that already are members of a group: each may be one of one group only, so that nobody counts
   * twice.
   */
  readonly members: Set<string>;
  quorum: string | undefined;
  quorumLines: number;
}

/** Reads the items of a line behind its keyword into the draft; the last parameter is the line's number. */
type LineReader = (draft: Draft, items: readonly string[], number: number) => void;

const lineReaders: ReadonlyMap<string, LineReader> = new Map([
  ['log', readLog],
  ['witness', readWitness],
  ['group', readGroup],
  ['quorum', readQuorum],
]);

/**
 * Reads a policy (c2sp.org/tlog-policy): `log`, `witness`, `group` and `quorum` lines, comments and empty
 * lines. A name must be defined above the line that uses it; nobody may count twice, under two names or in
 * two groups; there is exactly one `quorum` line. Throws `malformed_policy` with the number of the line.
 */
export function parsePolicy(text: string): Policy {
  if (text.length > POLICY_LENGTH_MAX) throw malformed(`It has more than ${POLICY_LENGTH_MAX} characters.`);
  if (text !== '' && !text.endsWith('\n')) throw malformed('Its last line does not end in a newline.');
  const draft: Draft = {
    logs: [],
    witnesses: [],
    groups: [],
    names: new Set([NONE]),
    members: new Set(),
    quorum: undefined,
    quorumLines: 0,
  };
  text.split('\n').forEach((line, index) => {
    readLine(draft, line, index + 1);
  });
  if (draft.quorumLines !== 1) throw malformed(`It has ${draft.quorumLines} quorum lines instead of one.`);
  const { logs, witnesses, groups, quorum } = draft;
  return { logs, witnesses, groups, quorum };
}

/**
 * A policy that accepts checkpoints by one key and asks for no witness: what `--vkey` on a command line
 * means.
 */
export function policyOfKey(key: VerifierKey): Policy {
  return { logs: [{ key }], witnesses: [], groups: [], quorum: undefined };
}

/** A note as far as its cosignatures go; its text says of which log it is, and a policy's `log` lines do where it is not at hand. */
export type Cosigned = Pick<OpenedNote, 'verified'> & Partial<Pick<OpenedNote, 'text'>>;

/**
 * Whether the signatures that verified on an opened note make up the policy's quorum of witnesses
 * ({@link cosignaturesFor}). It says nothing about the log's own signature: `openWithPolicy` asks for both.
 */
export function satisfiesPolicy(policy: Policy, note: Cosigned): boolean {
  if (policy.quorum === undefined) return true;
  const signed = new Set(cosignaturesFor(policy, note).map(({ key }) => key.text));
  return isQuorum(policy, (key) => signed.has(key.text));
}

/**
 * The signatures on an opened note that are by witnesses of the policy and vouch for something: by somebody else
 * than the log, whose name or key is not the witness's, and with a time. One of time 0 says nothing of what its
 * signer has seen, as a log's own does (c2sp.org/tlog-cosignature).
 */
export function cosignaturesFor(
  { logs, witnesses }: Pick<Policy, 'logs' | 'witnesses'>,
  { verified, text }: Cosigned,
): VerifiedSignature[] {
  const known = new Set(witnesses.map(({ key }) => key.text));
  const origins = text === undefined ? logs.map(({ key }) => key.name) : [text.slice(0, text.indexOf('\n'))];
  const isOwn = ({ name, publicKey }: VerifierKey): boolean =>
    origins.includes(name) || logs.some(({ key }) => equalBytes(key.publicKey, publicKey));
  return verified.filter(({ key, timestamp }) => known.has(key.text) && timestamp !== 0n && !isOwn(key));
}

/**
 * Whether a note bears lines, unverified, that would satisfy the policy if they were good: where it does not, there
 * is nothing to verify.
 */
export function maySatisfyPolicy(policy: Policy, { signatures }: Pick<Note, 'signatures'>): boolean {
  const signed = new Set(signatures.map(({ name, keyId }) => `${name} ${keyId}`));
  return policy.quorum === undefined || isQuorum(policy, ({ name, keyId }) => signed.has(`${name} ${keyId}`));
}

function isQuorum(policy: Policy, hasSigned: (key: VerifierKey) => boolean): boolean {
  const cosigned = new Set(policy.witnesses.filter(({ key }) => hasSigned(key)).map(({ name }) => name));
  // Members stand before their group, so one pass in order settles every group.
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => cosigned.has(member)).length >= threshold) cosigned.add(name);
  }
  return policy.quorum !== undefined && cosigned.has(policy.quorum);
}

/**
 * Opens a signed checkpoint as a policy asks: one of its logs has signed, under the origin that its key
 * names; the quorum of witnesses has cosigned; and no known signature fails. Throws `policy_unsatisfied`
 * where signatures are missing.
 */
export function openWithPolicy(bytes: Uint8Array, policy: Policy): OpenedCheckpoint {
  const keys = [...policy.logs, ...policy.witnesses].map(({ key }) => key);
  const note = openNote(bytes, keys);
  const checkpoint = parseCheckpoint(note.text);
  const { origin } = checkpoint;
  const logKeys = policy.logs.map(({ key }) => key);
  if (!logKeys.some(({ name }) => name === origin)) {
    throw new VerificationError(
      'origin_mismatch',
      'This checkpoint belongs to a log that the policy does not name.',
      {
        expected: logKeys.map(({ name }) => name),
        found: origin,
      },
    );
  }
  if (!note.verified.some(({ key }) => key.name === origin && logKeys.includes(key))) {
    throw new VerificationError('policy_unsatisfied', 'The log itself has not signed this checkpoint.', {
      origin,
    });
  }
  if (!satisfiesPolicy(policy, note)) {
    throw new VerificationError(
      'policy_unsatisfied',
      `The quorum ${policy.quorum} has not cosigned this checkpoint.`,
      {
        origin,
        quorum: policy.quorum,
        signedBy: note.verified.map(({ key }) => key.name),
      },
    );
  }
  return { checkpoint, note, verified: note.verified };
}

function readLine(draft: Draft, line: string, number: number): void {
  if (forbidden.test(line)) throw malformed('It holds a control character.', number);
  const items = line.split(/[ \t]+/).filter((item) => item !== '');
  const [keyword, ...rest] = items;
  if (keyword === undefined || keyword.startsWith('#')) return;
  const read = lineReaders.get(keyword);
  if (read === undefined) {
    throw malformed(`It begins with ${JSON.stringify(keyword)}, which is no keyword.`, number);
  }
  read(draft, rest, number);
}

function readLog(draft: Draft, items: readonly string[], number: number): void {
  const [vkey, url, ...more] = items;
  if (vkey === undefined || more.length > 0) throw malformed('A log line is: log <vkey> [<url>].', number);
  const key = readKey(vkey, [keyTypes.ed25519, keyTypes.mldsa44], number);
  requireNew(draft.logs, key, number);
  draft.logs.push({ key, ...(url !== undefined && { url }) });
}

function readWitness(draft: Draft, items: readonly string[], number: number): void {
  const [name, vkey, url, ...more] = items;
  if (name === undefined || vkey === undefined || more.length > 0) {
    throw malformed('A witness line is: witness <name> <vkey> [<url>].', number);
  }
  const key = readKey(vkey, [keyTypes.cosignatureV1, keyTypes.mldsa44], number);
  requireNew(draft.witnesses, key, number);
  define(draft, name, number);
  draft.witnesses.push({ name, key, ...(url !== undefined && { url }) });
}

function readGroup(draft: Draft, items: readonly string[], number: number): void {
  const [name, rule, ...members] = items;
  if (name === undefined || rule === undefined || members.length === 0) {
    throw malformed('A group line is: group <name> all|any|<number> <member>...', number);
  }
  const threshold = readThreshold(rule, members.length, number);
  for (const member of members) {
    if (member === NONE || !draft.names.has(member))
      throw malformed(`Nothing above is named ${member}.`, number);
    if (draft.members.has(member)) throw malformed(`${member} already is a member of a group.`, number);
    draft.members.add(member);
  }
  define(draft, name, number);
  draft.groups.push({ name, threshold, members });
}

function readQuorum(draft: Draft, items: readonly string[], number: number): void {
  const [name, ...more] = items;
  if (name === undefined || more.length > 0) throw malformed('A quorum line is: quorum <name>|none.', number);
  if (!draft.names.has(name)) throw malformed(`Nothing above is named ${name}.`, number);
  draft.quorum = name === NONE ? undefined : name;
  draft.quorumLines += 1;
}

function readThreshold(rule: string, members: number, number: number): number {
  if (rule === 'any') return 1;
  if (rule === 'all') return members;
  const threshold = readWithin('malformed_policy', `Line ${number}`, () => parseDecimal(rule));
  if (threshold >= 1 && threshold <= members) return threshold;
  throw malformed(`A group of ${members} cannot ask for ${threshold}.`, number);
}

function readKey(vkey: string, allowed: readonly KeyType[], number: number): VerifierKey {
  const key = readWithin('malformed_policy', `Line ${number}`, () => parseVerifierKey(vkey));
  if (allowed.includes(key.type)) return key;
  throw malformed('A log does not sign with a witness’s type of key, nor a witness with a log’s.', number);
}

/** One public key under two names would be one party counted twice. */
function requireNew(known: readonly { readonly key: VerifierKey }[], key: VerifierKey, number: number): void {
  const material = publicKeyText(key);
  if (known.some((other) => publicKeyText(other.key) === material)) {
    throw malformed('The same public key stands on a line above.', number);
  }
}

function define(draft: Draft, name: string, number: number): void {
  if (draft.names.has(name)) throw malformed(`The name ${name} is taken.`, number);
  draft.names.add(name);
}

function malformed(message: string, line?: number): VerificationError {
  const where = line === undefined ? '' : ` Line ${line}:`;
  return new VerificationError('malformed_policy', `This is not a policy.${where} ${message}`, { line });
}
