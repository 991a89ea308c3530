import { equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  cosignaturesFor,
  keyTypes,
  type OpenedCheckpoint,
  type Policy,
  type PolicyWitness,
  parseVerifierKey,
  satisfiesPolicy,
  type VerifierKey,
} from '../note/index.ts';
import { type Believed, openBelieved } from './believed.ts';
import { cosignaturesApart } from './cosigned.ts';
import type { Evidence } from './evidence-file.ts';
import type { FindingCode } from './finding.ts';
import { findingOfSignature, readHead, withoutStop } from './signed-head.ts';
import { clocksApart, type EntryMoment, type Stamped, type StampVerdict } from './stamped.ts';
import type { TileSet } from './tile-set.ts';
import type { Vouching } from './witnessed.ts';

/** A witness that has cosigned the checkpoint in a file. */
export interface EvidenceCosignature extends Vouching {
  /** The verifier key by which its cosignature was verified. */
  readonly vkey: string;
}

/** What witnesses have cosigned of the log that a file is from. */
export interface EvidenceWitnessed {
  /** How many entries the checkpoint covers that the file hands over as witnessed; 0 where there is none that holds. */
  readonly size: number;
  readonly cosignatures: readonly EvidenceCosignature[];
  /** Whose word it is that these keys are witnesses: `given` to the verifier, or the policy `inside`, which is the operator's own. */
  readonly policy: 'given' | 'inside' | 'none';
  /** Whether the quorum of the policy that was given has cosigned it; null where none was asked for. */
  readonly quorum: boolean | null;
  /** How many of the selected entries it does not cover. */
  readonly behind: number;
}

/** A time-stamp token in a file. */
export interface EvidenceStamp {
  readonly authority: string;
  /** How many entries the checkpoint covers that it stamps, if that is of this log; else 0. */
  readonly size: number;
  /** What the token shows, or why it shows nothing; absent where it was carried and not looked at. */
  readonly verdict?: Stamped['verdict'];
}

/** What outside parties have signed, as a verifier reports it. */
export interface EvidenceVouching {
  /** Null where the file has no such checkpoint, and no quorum was asked for. */
  readonly witnessed: EvidenceWitnessed | null;
  readonly timestamps: readonly EvidenceStamp[];
}

/** What the rest of the audit has come to. */
export interface AnchorFacts {
  readonly tree: TileSet | undefined;
  readonly size: number;
  readonly believed: Believed | undefined;
  /** The policy that was given; undefined where none was. */
  readonly given: Policy | undefined;
  /** The checkpoint of the file, where it holds. */
  readonly head: OpenedCheckpoint | undefined;
  readonly report: (code: FindingCode, what: string) => void;
}

/** A time-stamp, judged or not. */
type CarriedStamp = Pick<Stamped, 'authority' | 'note'> & Partial<Pick<Stamped, 'verdict'>>;

/** The checkpoints in a file that outside parties have signed, held against its tree and its entries. */
export class EvidenceAnchors {
  readonly #evidence: Evidence;
  readonly #stamps: readonly CarriedStamp[];
  /** The sizes that are stamped or cosigned, ascending, and the entries on either side of each. */
  readonly #sizes: readonly number[];
  readonly #moments = new Map<number, { last: EntryMoment | undefined; next: EntryMoment | undefined }>();
  readonly #witnessedSize: number;
  #last: EntryMoment | undefined;
  #passed = 0;
  #behind = 0;

  /** `judged`: what whoever reads ASN.1 says of the tokens; undefined where nobody has looked. */
  constructor(evidence: Evidence, judged: readonly Stamped[] | undefined) {
    this.#evidence = evidence;
    this.#stamps =
      judged ?? evidence.timestamps.map(({ authority, checkpoint }) => ({ authority, note: checkpoint }));
    this.#witnessedSize = evidence.witnessed === null ? 0 : sizeOf(evidence.witnessed);
    const sizes = [...this.#stamps.map(({ note }) => sizeOf(note)), this.#witnessedSize];
    this.#sizes = [...new Set(sizes)].sort((a, b) => a - b);
  }

  /** An entry is here, and in the tree. Indexes rise. */
  saw(index: number, recordedAt: string, isSelected: boolean): void {
    const moment = { index, recordedAt };
    for (; (this.#sizes[this.#passed] ?? index + 1) <= index; this.#passed += 1)
      this.#moments.set(this.#sizes[this.#passed]!, { last: this.#last, next: moment });
    this.#last = moment;
    if (isSelected && index >= this.#witnessedSize) this.#behind += 1;
  }

  /** What they show. What does not hold is reported. */
  conclude(facts: AnchorFacts): EvidenceVouching {
    const timestamps = this.#stamps.map((stamp): EvidenceStamp => {
      const { authority, verdict } = stamp;
      const size = this.#stamped(stamp, facts);
      return { authority, size, ...(verdict !== undefined && { verdict }) };
    });
    return { witnessed: this.#witnessed(facts), timestamps };
  }

  #stamped({ authority, note, verdict }: CarriedStamp, facts: AnchorFacts): number {
    if (verdict !== undefined && !('time' in verdict)) {
      const why = withoutStop(verdict.message);
      facts.report('timestamp_invalid', `A time-stamp by ${authority} shows nothing: ${why}`);
    }
    const opened = openCarried(note, `The checkpoint that ${authority} time-stamped`, noWitnesses, facts);
    if (opened === undefined) return 0;
    const { size } = opened.checkpoint;
    if (verdict !== undefined && 'time' in verdict && verdict.trust === 'anchored')
      this.#compareClocks(size, authority, verdict, facts);
    return size;
  }

  /** Of the entries here, those nearest to the stamp. */
  #compareClocks(size: number, authority: string, { time }: StampVerdict, { report }: AnchorFacts): void {
    const { last, next } = this.#around(size);
    const stamp = { who: authority, how: 'time-stamped', time } as const;
    for (const { what } of clocksApart({ ...stamp, last, next })) report('time_contradicted', what);
  }

  #around(size: number): { last: EntryMoment | undefined; next: EntryMoment | undefined } {
    return this.#moments.get(size) ?? { last: this.#last, next: undefined };
  }

  /** Witnesses that were given, and not the operator’s own, say until when at the latest the entries here were there. */
  #compareCosigned(opened: OpenedCheckpoint | undefined, { head, given, report }: AnchorFacts): void {
    const { checkpoint, witnessed } = this.#evidence;
    const texts = [head && checkpoint, opened && witnessed].filter((text) => typeof text === 'string');
    const notes = texts.map((text) => utf8Encode(text));
    if (given === undefined) return;
    const last = (index: number): EntryMoment | undefined => this.#around(index + 1).last;
    const apart = cosignaturesApart({ notes, policy: given, arrivals: [], last, next: () => undefined });
    for (const { what } of apart) report('time_contradicted', what);
  }

  #witnessed(facts: AnchorFacts): EvidenceWitnessed | null {
    const { given, head, report } = facts;
    const note = this.#evidence.witnessed;
    const asked = given?.quorum;
    if (note === null && asked === undefined) return null;
    const [policy, whose] = this.#policy(given);
    const opened =
      note === null ? undefined : openCarried(note, 'The checkpoint of witnesses', policy, facts);
    this.#compareCosigned(opened, facts);
    const isMet = ({ note }: OpenedCheckpoint): boolean => satisfiesPolicy(given!, note);
    const best = asked === undefined ? opened : [head, opened].find((one) => one !== undefined && isMet(one));
    if (asked !== undefined && best === undefined)
      report('checkpoint_invalid', `The quorum ${asked} has cosigned no checkpoint in this file`);
    const shown = best ?? opened;
    const behind = shown === undefined || shown === head ? 0 : this.#behind;
    if (best !== undefined && asked !== undefined && behind > 0) {
      const words = behind === 1 ? '1 of the selected entries is' : `${behind} of the selected entries are`;
      report('not_witnessed', `${words} not among the ${best.checkpoint.size} that the quorum has cosigned`);
    }
    return {
      size: shown?.checkpoint.size ?? 0,
      cosignatures: shown === undefined ? [] : cosignaturesOf(shown, policy),
      policy: whose,
      quorum: asked === undefined ? null : best !== undefined,
      behind,
    };
  }

  /** By which keys cosignatures are verified, and whose word it is that they are those of witnesses. */
  #policy(given: Policy | undefined): readonly [Policy, EvidenceWitnessed['policy']] {
    if (given !== undefined && given.witnesses.length > 0) return [given, 'given'];
    const witnesses = witnessesOf(this.#evidence.policy ?? '');
    return witnesses.length === 0 ? [noWitnesses, 'none'] : [{ ...noWitnesses, witnesses }, 'inside'];
  }
}

const noWitnesses: Policy = { logs: [], witnesses: [], groups: [], quorum: undefined };

/**
 * The witnesses that a policy inside names, line by line: a line whose key cannot be read names nobody, and whatever else stands there
 * says nothing. So every verifier finds the same ones, whether or not it could follow the policy.
 */
function witnessesOf(policy: string): PolicyWitness[] {
  const found = new Map<string, PolicyWitness>();
  for (const line of policy.split('\n')) {
    const [keyword, name, text] = line.split(/[ \t]+/).filter((item) => item !== '');
    const key = keyword === 'witness' && name !== undefined ? witnessKey(text ?? '') : undefined;
    if (key !== undefined) found.set(key.text, { name: name!, key });
  }
  return [...found.values()];
}

function witnessKey(text: string): VerifierKey | undefined {
  try {
    const key = parseVerifierKey(text);
    return key.type === keyTypes.ed25519 ? undefined : key;
  } catch (error) {
    if (error instanceof VerificationError) return undefined;
    throw error;
  }
}

/** The size that a note claims; 0 where it is no checkpoint. */
function sizeOf(note: string): number {
  return readHead(utf8Encode(note))?.size ?? 0;
}

/**
 * Opens a checkpoint of this log that is no larger than the one that the file is made under, and whose root its tiles give. The log's
 * key of that size has signed it, as the entries say who that is: that they are the log's is shown already, so that whoever pinned a
 * later key is not asked for the one before it. Reports and answers nothing where any of it does not hold.
 */
function openCarried(
  note: string,
  name: string,
  policy: Policy,
  { tree, size, believed, report }: AnchorFacts,
): OpenedCheckpoint | undefined {
  // Without a tree, or the log's keys, the file does not hold, and that is reported.
  if (tree === undefined || believed?.timeline === undefined) return undefined;
  const claim = readHead(utf8Encode(note));
  if (claim === undefined) {
    report('checkpoint_invalid', `${name} is none`);
    return undefined;
  }
  if (claim.size > size) {
    report('size_mismatch', `${name} is of ${claim.size} entries, and the file was made under ${size}`);
    return undefined;
  }
  try {
    const { timeline } = believed;
    const opened = openBelieved(
      utf8Encode(note),
      { policy, timeline },
      // Revoked or not: what it signs is what the tree of this file holds.
      { quorum: false, revoked: true },
    );
    if (opened.checkpoint.origin === timeline.origin && equalBytes(tree.rootOf(claim.size), claim.root))
      return opened;
    report('root_mismatch', `${name} is of another history than the entries here`);
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const code = error.code === 'tile_invalid' ? 'tile_mismatch' : findingOfSignature(error);
    report(code, `${name} does not verify: ${withoutStop(error.message)}`);
  }
  return undefined;
}

function cosignaturesOf({ checkpoint, note }: OpenedCheckpoint, policy: Policy): EvidenceCosignature[] {
  return cosignaturesFor(policy, note).map(({ key, timestamp = 0n }) => ({
    witness: key.name,
    vkey: key.text,
    size: checkpoint.size,
    timestamp: Number(timestamp),
  }));
}
