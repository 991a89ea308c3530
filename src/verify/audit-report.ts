import { base64Encode, equalBytes, VerificationError } from '../bytes/index.ts';
import type { ForkedFrom, Genesis } from '../event/index.ts';
import {
  foldHashes,
  HASH_BYTES,
  type Hash,
  nodeBegin,
  nodeEnd,
  type Range,
  rangeNodes,
} from '../merkle/index.ts';
import type { Checkpoint, OpenedCheckpoint } from '../note/index.ts';
import type { AuditCounts, AuditDepth, AuditHead, AuditOptions } from './audit-model.ts';
import { type Believed, demandsSecond, openBelieved } from './believed.ts';
import { chooseBelieved } from './choose-believed.ts';
import { type Discoveries, describe, type Finding, type FindingCode, findingCodes } from './finding.ts';
import { compareHeld, compareMark, type HeldVerdict, type MarkVerdict } from './held.ts';
import { type KeyEntry, type ReportedKey, reportedKeys } from './key-timeline.ts';
import { findingOfSignature, readHead, withoutStop } from './signed-head.ts';
import { compareStamped, type StampedVerdict, stampsInWords } from './stamped.ts';
import { compareWitnessed, isPublishedBy, type WitnessedVerdict } from './witnessed.ts';

/** What the audit of a whole log has shown. Plain data, ready for JSON. */
export interface AuditReport {
  /** Whether nothing at all was found. */
  readonly ok: boolean;
  /** The log's name, as its first entry or else its checkpoint gives it. */
  readonly origin: string;
  /** How many entries were looked at. */
  readonly size: number;
  /** The root over them, recomputed from their bytes, in base64. */
  readonly root: string;
  /** Whether entries and disclosures were read, or the tree alone was checked. */
  readonly depth: AuditDepth;
  /**
   * Whose key was believed: one known beforehand, or the one that the log itself names, which whoever
   * replaces a log replaces too.
   */
  readonly key: 'pinned' | 'found inside';
  readonly counts: AuditCounts;
  /** Present where sealed values are kept elsewhere and were not looked at: then none of them was counted. */
  readonly sealed?: 'elsewhere';
  readonly findings: readonly Finding[];
  /** How many more findings there are than are listed. */
  readonly omitted: number;
  /** How far the log is consistent, and with what outside of itself: in plain words. */
  readonly anchored: string;
  /** How much of what was held outside agrees; absent where nothing was. */
  readonly held?: HeldVerdict;
  /** Whether the mark beside the log agrees; absent where there is none. */
  readonly mark?: MarkVerdict;
  /** How much of what was time-stamped agrees; absent where nothing was. */
  readonly stamped?: StampedVerdict;
  /** The keys of the log in the order in which they came; absent where there was never more than one. */
  readonly keys?: readonly ReportedKey[];
  /** The log that this one takes the place of, as its second entry says; absent where it takes none's. */
  readonly forkedFrom?: ForkedFrom;
  /** Which witnesses vouch for how much; absent where no policy names any. */
  readonly witnessed?: WitnessedVerdict;
}

/** All that is known when every chunk has been audited. */
export interface Conclusion {
  readonly head: AuditHead;
  readonly options: AuditOptions;
  readonly end: number;
  /** How many rows the store handed over, repeated ones too. */
  readonly rows: number;
  readonly counts: AuditCounts;
  readonly genesis: Genesis | undefined;
  readonly genesisHash: Hash | undefined;
  readonly forkedFrom: ForkedFrom | undefined;
  /** The entries that claim to change keys, by rising index. */
  readonly keyChanges: readonly KeyEntry[];
  /** The tree of the entries, at each size that anything is said about. */
  readonly trees: ReadonlyMap<number, Range>;
  readonly leaves: ReadonlyMap<number, Hash>;
  /** When entries were recorded, as they say: those that a time-stamp can contradict. */
  readonly moments: ReadonlyMap<number, string>;
  readonly discoveries: Discoveries;
}

/** Reports something about the log as a whole: a sentence without its full stop. */
export type ReportOfLog = (
  code: FindingCode,
  what: string,
  more?: {
    readonly from?: number;
    readonly to?: number;
    readonly detail?: Readonly<Record<string, unknown>>;
  },
) => void;

/** Findings of these kinds mean that the entries are not what was signed, or that nobody knows who signed. */
const inconsistent: ReadonlySet<FindingCode> = new Set([
  'genesis_invalid',
  'index_gap',
  'index_repeated',
  'checkpoint_invalid',
  'key_retired',
  'key_revoked',
  'key_unknown',
  'origin_mismatch',
  'root_mismatch',
  'size_mismatch',
]);

/**
 * Judges what only the whole log can show (who it is, what is signed, what is held outside) and writes the
 * report.
 */
export function concludeAudit(conclusion: Conclusion): AuditReport {
  const { head, options, end, counts, genesis, forkedFrom, trees, discoveries } = conclusion;
  const report: ReportOfLog = (code, what, { from = 0, to = Math.max(end - 1, 0), detail } = {}) => {
    discoveries.add({ code, from, to, what, ofLog: true, ...(detail !== undefined && { detail }) });
  };
  const chosen = chooseBelieved(conclusion, report);
  const opened = chosen && openHead(conclusion, chosen, report);
  const believed = opened === undefined ? chosen : vouchedFor(chosen!);
  compareWithHead(conclusion, report);
  if (genesis !== undefined && opened !== undefined && opened.checkpoint.origin !== genesis.origin) {
    report(
      'origin_mismatch',
      'The checkpoint bears another name than the one the log gave itself in its first entry',
    );
  }
  compareNumbers(conclusion, report);
  // Evidence that is not the log's says nothing of the log; that which it signed can show another history.
  const isBroken = [...inconsistent].some((code) => discoveries.has(code));
  const held = compareHeld(conclusion, believed, report);
  const mark = compareMark(conclusion, believed, report);
  const witnessed = compareWitnessed(conclusion, believed, report);
  const stamped = compareStamped(conclusion, believed, report);
  const findings = discoveries.kept.map(describe).sort(byPlace);
  return {
    ok: findings.length === 0,
    origin: genesis?.origin ?? opened?.checkpoint.origin ?? readHead(head.checkpoint)?.origin ?? '',
    size: end,
    root: base64Encode(trees.get(end)!.root()),
    depth: options.depth ?? 'full',
    key: options.trust === undefined ? 'found inside' : 'pinned',
    counts,
    ...(options.sealed === 'elsewhere' && { sealed: options.sealed }),
    findings,
    omitted: discoveries.omitted,
    anchored:
      isBroken || discoveries.has('forked') || discoveries.has('rolled_back')
        ? `not consistent at size ${end}: see the findings`
        : anchorInWords({ end, held, mark, stamped, witnessed }),
    ...(held !== undefined && { held }),
    ...(mark !== undefined && { mark }),
    ...(witnessed !== undefined && { witnessed }),
    ...(stamped !== undefined && { stamped }),
    ...keysInWords(believed),
    ...(forkedFrom !== undefined && { forkedFrom }),
  };
}

/** Once a key that was pinned, or follows from one, has signed the whole log, what the log says of its earlier keys holds too. */
function vouchedFor({ pinned: _, ...believed }: Believed): Believed {
  return believed;
}

/** The keys of a log, where there is more to say of them than who signs. */
function keysInWords(believed: Believed | undefined): Pick<AuditReport, 'keys'> {
  const spans = believed?.timeline?.spans ?? [];
  return spans.length > 1 ? { keys: reportedKeys(believed!.timeline!) } : {};
}

/**
 * Verifies the signatures on the log's own checkpoint. Witnesses are not asked for: it is younger than what they have signed. Nor is a
 * second key of the log, which signs what is published, where it has signed an earlier state of this log.
 */
function openHead(
  conclusion: Conclusion,
  believed: Believed,
  report: ReportOfLog,
): OpenedCheckpoint | undefined {
  const { checkpoint } = conclusion.head;
  const isSecondKnown = demandsSecond(believed.policy) && isPublishedBy(believed, conclusion);
  try {
    return openBelieved(checkpoint, isSecondKnown ? vouchedFor(believed) : believed, { quorum: false });
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const code = findingOfSignature(error);
    report(code, `The checkpoint does not verify: ${withoutStop(error.message)}`, {
      detail: { code: error.code },
    });
    return undefined;
  }
}

/** Compares what the checkpoint says, signed well or not, with what is there. */
function compareWithHead({ head, end, trees, discoveries }: Conclusion, report: ReportOfLog): void {
  const checkpoint = readHead(head.checkpoint);
  if (checkpoint === undefined) {
    if (!discoveries.has('checkpoint_invalid')) report('checkpoint_invalid', 'The checkpoint is none');
    return;
  }
  const { size, root } = checkpoint;
  if (size < end) {
    discoveries.add({
      code: 'size_mismatch',
      from: size,
      to: end - 1,
      what: 'not covered by the checkpoint',
    });
  } else if (size > end) {
    discoveries.add({
      code: 'size_mismatch',
      from: end,
      to: size - 1,
      what: 'signed for by the checkpoint, and gone',
    });
  }
  const tree = trees.get(size);
  if (tree === undefined) return;
  const found = tree.root();
  if (!equalBytes(found, root)) {
    report(
      'root_mismatch',
      `The tree over the ${size} entries does not have the root that the checkpoint signs`,
      {
        to: Math.max(size - 1, 0),
        detail: { signed: base64Encode(root), found: base64Encode(found) },
      },
    );
  }
  if (head.frontier !== undefined) compareFrontier(head.frontier, checkpoint, tree, discoveries, report);
}

/**
 * Compares the stored right edge of the tree, subtree by subtree, with the one that the entries give. It
 * shows in which part of the log the damage lies, if it leads to the signed root itself; else it is damaged
 * as well.
 */
function compareFrontier(
  stored: readonly Hash[],
  { size, root }: Checkpoint,
  tree: Range,
  discoveries: Discoveries,
  report: ReportOfLog,
): void {
  const hashes = tree.hashes;
  const fits = stored.length === hashes.length && stored.every((hash) => hash.length === HASH_BYTES);
  if (!fits || !equalBytes(foldHashes(stored), root)) {
    report(
      'root_mismatch',
      'The stored right edge of the tree does not lead to the root that the checkpoint signs',
    );
    return;
  }
  rangeNodes(0, size).forEach((node, position) => {
    if (equalBytes(stored[position]!, hashes[position]!)) return;
    const what = 'something among them differs from what was signed';
    discoveries.add({ code: 'root_mismatch', from: nodeBegin(node), to: nodeEnd(node) - 1, what });
  });
}

/**
 * Compares how many of everything the store counts with how many were seen, for what stands where no audit
 * comes by.
 */
function compareNumbers({ head, end, rows, counts }: Conclusion, report: ReportOfLog): void {
  if (head.entries !== undefined && head.entries !== rows && head.last < end) {
    report('size_mismatch', `The store counts ${head.entries} entries, and ${rows} stand where an entry can`);
  }
  // The single ids have been compared with their entries already. Those of entries that were pruned stay.
  const entries = counts.entries + counts.pruned;
  if (head.ids === undefined || head.ids === entries) return;
  const what = `The store lists ${head.ids} ids for ${entries} entries`;
  report(head.ids < entries ? 'id_duplicate' : 'id_mismatch', what);
}

function byPlace(a: Finding, b: Finding): number {
  return a.from - b.from || a.to - b.to || findingCodes.indexOf(a.code) - findingCodes.indexOf(b.code);
}

function anchorInWords({
  end,
  held,
  mark,
  stamped,
  witnessed,
}: {
  readonly end: number;
  readonly held: HeldVerdict | undefined;
  readonly mark: MarkVerdict | undefined;
  readonly stamped: StampedVerdict | undefined;
  readonly witnessed: WitnessedVerdict | undefined;
}): string {
  const cosigners = witnessed?.witnesses ?? [];
  const agrees = [
    ...(mark?.agrees === true ? ['the mark beside the folder'] : []),
    ...(held === undefined ? [] : [`${held.agree} held outside, the largest of size ${held.size}`]),
  ];
  const isStamped = stamped?.newest.some(({ trust }) => trust === 'anchored') === true;
  const words = [
    `consistent up to size ${end}`,
    ...cosignedInWords(end, cosigners),
    ...stampsInWords(stamped),
    ...(agrees.length === 0 ? [] : [`agrees with ${agrees.join(' and with ')}`]),
    // The mark is no anchor: it lies where the log lies.
    ...(cosigners.length === 0 && held === undefined && !isStamped ? ['no outside anchor'] : []),
  ];
  return words.join('; ');
}

/** Who has cosigned how much, those of one size together. */
function cosignedInWords(end: number, cosigners: WitnessedVerdict['witnesses']): string[] {
  const sizes = [...new Set(cosigners.map(({ size }) => size))].sort((one, other) => other - one);
  return sizes.map((size) => {
    const names = cosigners.filter((cosigner) => cosigner.size === size).map(({ witness }) => witness);
    return `cosigned ${size === end ? '' : `up to size ${size} `}by ${[...new Set(names)].join(', ')}`;
  });
}
