import { equalBytes, misuse } from '../bytes/index.ts';
import { type Policy, parsePolicy, parseVerifierKey } from '../note/index.ts';
import { LogError } from '../store/index.ts';

/** The group that {@link addPolicyWitness} keeps. Who writes a policy by hand is free to use others. */
export const WITNESS_GROUP = 'witnesses';

/** The word for all members of a group (c2sp.org/tlog-policy). */
const ALL = 'all';

/** A witness to be added to a policy. */
export interface NewWitness {
  /** Its name inside the policy: no spaces. */
  readonly name: string;
  readonly vkey: string;
  /** Where it takes checkpoints; absent for one that signs by hand. */
  readonly url?: string;
  /** How many of all witnesses have to cosign; as {@link addPolicyWitness} says if not given. */
  readonly quorum?: number;
  /** The verifier keys of the log itself, old ones too: none of them, and nobody of their names, is a witness of it. */
  readonly own?: readonly string[];
}

/** The policy of a log that has no witnesses yet, as text (c2sp.org/tlog-policy). */
export function newPolicy(vkeys: readonly string[]): string {
  return [...vkeys.map((vkey) => `log ${vkey}`), 'quorum none', ''].join('\n');
}

/**
 * A policy with one more witness, and a quorum over all of them. Where no number is given, all stay all, another number than more than
 * half of them stays what it is, unless more than half is more, and else it is more than half. Comments and other lines stay. Throws
 * `malformed_policy`, `malformed_key`;
 * `LogError` `witness_exists`, `witness_is_log`; misuse where the policy has groups of its own, which only its author can extend.
 */
export function addPolicyWitness(text: string, { name, vkey, url, quorum, own = [] }: NewWitness): string {
  const policy = managed(text);
  const key = parseVerifierKey(vkey);
  const ofLog = [...own.map(parseVerifierKey), ...policy.logs.map((log) => log.key)];
  if (ofLog.some((known) => known.name === key.name || equalBytes(known.publicKey, key.publicKey))) {
    throw new LogError('witness_is_log', `${key.name} is the log itself, by its name or by its key`, {
      hint: 'a witness is somebody else: what the log signs itself vouches for nothing',
    });
  }
  if (policy.witnesses.some((known) => known.name === name || known.key.text === vkey)) {
    throw new LogError('witness_exists', `the policy has a witness of this name or key already: ${name}`, {
      hint: 'choose another name (--name), or remove it first',
    });
  }
  const line = ['witness', name, vkey, ...(url === undefined ? [] : [url])].join(' ');
  const names = [...policy.witnesses.map((known) => known.name), name];
  return parsed(withQuorum([...kept(text), line], names, quorumOf(quorum, names) ?? grown(text, policy)));
}

/**
 * A policy without one of its witnesses. As many have to cosign as before, unless `quorum` says how many: all where it was all. Throws
 * as {@link addPolicyWitness}; `LogError` `witness_missing`.
 */
export function removePolicyWitness(text: string, name: string, quorum?: number): string {
  const policy = managed(text);
  if (!policy.witnesses.some((known) => known.name === name)) {
    throw new LogError('witness_missing', `the policy has no witness named ${name}`);
  }
  const lines = kept(text).filter((line) => {
    const [keyword, named] = itemsOf(line);
    return keyword !== 'witness' || named !== name;
  });
  const names = policy.witnesses.map((known) => known.name).filter((known) => known !== name);
  const before = isAll(text, policy) ? ALL : Math.min(thresholdOf(policy), names.length);
  return parsed(withQuorum(lines, names, quorumOf(quorum, names) ?? before));
}

/** How many of the witnesses have to cosign: all of them, however many they become, or a number. */
type Quorum = typeof ALL | number;

/** A quorum that somebody asked for; where it is as many as there are, it is all. Of one witness it says nothing of the next. */
function quorumOf(asked: number | undefined, names: readonly string[]): Quorum | undefined {
  return asked === names.length && asked > 1 ? ALL : asked;
}

/** The quorum after one more witness. */
function grown(text: string, policy: Policy): Quorum {
  const count = policy.witnesses.length;
  if (isAll(text, policy)) return ALL;
  const [before, usual] = [thresholdOf(policy), majority(count)];
  const next = majority(count + 1);
  if (policy.quorum === undefined || before === usual) return next;
  return before < usual ? before : Math.max(before, next);
}

/** Whether all were asked for: in that word, or by a number that is more than half. */
function isAll(text: string, policy: Policy): boolean {
  const count = policy.witnesses.length;
  const isSaid = text.split('\n').some((line) => {
    const [keyword, , threshold] = itemsOf(line);
    return keyword === 'group' && threshold === ALL;
  });
  return isSaid || (thresholdOf(policy) === count && count > majority(count));
}

function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

function thresholdOf({ groups }: Policy): number {
  return groups[0]?.threshold ?? 1;
}

/** Reads a policy whose quorum is nobody, one witness, or {@link WITNESS_GROUP}: those can be kept up by rule. */
function managed(text: string): Policy {
  const policy = parsePolicy(text);
  const { groups, quorum } = policy;
  const isOurs = groups.length === 1 && groups[0]!.name === WITNESS_GROUP && quorum === WITNESS_GROUP;
  // One witness of several that all depends on is a quorum that no number of them is.
  const isPlain = groups.length === 0 && (quorum === undefined || policy.witnesses.length === 1);
  if (isOurs || isPlain) return policy;
  throw misuse('range', 'option_invalid', 'the policy has a quorum of its own: edit the file by hand');
}

/** All lines but those that make up the quorum. */
function kept(text: string): string[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.filter((line) => !['group', 'quorum'].includes(itemsOf(line)[0] ?? ''));
}

function withQuorum(lines: readonly string[], names: readonly string[], threshold: Quorum): string {
  if (names.length === 0) return [...lines, 'quorum none', ''].join('\n');
  const isPossible = threshold === ALL || (Number.isSafeInteger(threshold) && threshold >= 1);
  if (!isPossible || (threshold !== ALL && threshold > names.length)) {
    throw misuse('range', 'option_invalid', `of ${names.length} witnesses, ${threshold} cannot be asked for`);
  }
  const group = `group ${WITNESS_GROUP} ${threshold} ${names.join(' ')}`;
  return [...lines, group, `quorum ${WITNESS_GROUP}`, ''].join('\n');
}

function itemsOf(line: string): string[] {
  return line.split(/[ \t]+/).filter((item) => item !== '');
}

function parsed(text: string): string {
  parsePolicy(text);
  return text;
}
