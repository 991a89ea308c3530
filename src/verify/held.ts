import { base64Decode, base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import type { Hash } from '../merkle/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import { type Believed, openBelieved, type Strictness } from './believed.ts';
import { findingOfSignature, readHead, withoutStop } from './signed-head.ts';

/**
 * A receipt, as `record` gave it: where the entry stands, its leaf hash in base64, and the checkpoint that
 * covers it.
 */
export interface HeldReceipt {
  readonly index: number;
  readonly leafHash: string;
  readonly checkpoint: string;
}

/** Something of a log that somebody outside holds: a signed checkpoint, or a receipt. */
export type Held = string | HeldReceipt;

/** What a finding says that is about the evidence, and not about the log. */
const ofEvidence = { about: 'evidence' } as const;

/** How much of what is held outside agrees with the log. */
export interface HeldVerdict {
  /** How many checkpoints and receipts were given. */
  readonly given: number;
  /** How many of them agree. */
  readonly agree: number;
  /** The size of the largest that agrees; 0 if none does. */
  readonly size: number;
}

/** Whether the mark beside a log agrees with it. */
export interface MarkVerdict {
  readonly agrees: boolean;
  /** Its size; 0 if it does not agree. */
  readonly size: number;
}

/**
 * The sizes and indexes that must be known in order to compare what is held. Malformed evidence asks for
 * nothing.
 */
export function placesOfHeld(held: readonly Held[]): { readonly sizes: number[]; readonly leaves: number[] } {
  const sizes = held.flatMap((item) => readHead(noteOf(item))?.size ?? []);
  const leaves = held.flatMap((item) => (typeof item === 'string' ? [] : [item.index]));
  return { sizes, leaves };
}

/**
 * Compares what is held outside with the log. Evidence that the log's key has not signed is anybody's: it is named as
 * such, and compared with nothing. A held checkpoint that is larger than the log shows that
 * entries were taken away; one of the same size or smaller with another root shows that the log was
 * rewritten, or shows two histories: the tree was recomputed at each held size, so no proof is needed.
 * Undefined where nothing is held.
 */
export function compareHeld(
  conclusion: Conclusion,
  believed: Believed | undefined,
  report: ReportOfLog,
): HeldVerdict | undefined {
  const { held = [] } = conclusion.options;
  if (held.length === 0) return undefined;
  const sizes = held.flatMap((item, position) => {
    const kind = typeof item === 'string' ? 'checkpoint' : 'receipt';
    // People count from one.
    const name =
      held.length === 1 ? `The held ${kind}` : `The held ${kind} (${position + 1} of ${held.length} held)`;
    return compareOne({ item, name, conclusion, believed, report }) ?? [];
  });
  return { given: held.length, agree: sizes.length, size: Math.max(0, ...sizes) };
}

/** Compares the mark beside the log with it, in the same way. Undefined where there is no mark. */
export function compareMark(
  conclusion: Conclusion,
  believed: Believed | undefined,
  report: ReportOfLog,
): MarkVerdict | undefined {
  const { mark } = conclusion.options;
  if (mark === undefined) return undefined;
  const size = compareOne({
    item: mark,
    name: 'The mark beside the log',
    conclusion,
    believed,
    report,
    // It is the log's own, and may be older than the revocation of the key that signed it: it shows what it shows.
    strictness: { revoked: true },
  });
  return { agrees: size !== undefined, size: size ?? 0 };
}

/** The size up to which one held checkpoint agrees with the log; undefined, and a finding, if it does not. */
export function compareOne({
  item,
  name,
  conclusion,
  believed,
  report,
  strictness = {},
}: {
  readonly item: Held;
  readonly name: string;
  readonly conclusion: Conclusion;
  readonly believed: Believed | undefined;
  readonly report: ReportOfLog;
  readonly strictness?: Strictness;
}): number | undefined {
  const note = noteOf(item);
  const claim = readHead(note);
  if (claim === undefined) {
    report('checkpoint_invalid', `${name} holds no checkpoint`, { detail: ofEvidence });
    return undefined;
  }
  if (!isSignedByLog(note, believed, name, { report, strictness })) return undefined;
  const { size, root } = claim;
  const logSize = Math.min(conclusion.end, readHead(conclusion.head.checkpoint)?.size ?? conclusion.end);
  if (size > logSize) {
    const what = `${name} shows that the log had ${size} entries; now it stands at ${logSize}`;
    report('rolled_back', what, { from: logSize, to: size - 1 });
  }
  const found = conclusion.trees.get(size)?.root();
  if (found !== undefined && !equalBytes(found, root)) {
    report('forked', `${name} signs another history of the first ${size} entries than the one that is here`, {
      to: Math.max(size - 1, 0),
      detail: { held: base64Encode(root), found: base64Encode(found) },
    });
    return undefined;
  }
  const fits = typeof item === 'string' || compareLeaf(item, size, name, { conclusion, report });
  return fits && size <= logSize ? size : undefined;
}

/**
 * Whether the log has signed what is held. Witnesses are not asked for: a receipt is older than their
 * signatures.
 */
function isSignedByLog(
  note: Uint8Array,
  believed: Believed | undefined,
  name: string,
  { report, strictness }: { readonly report: ReportOfLog; readonly strictness: Strictness },
): boolean {
  if (believed === undefined) {
    report('key_unknown', `${name} cannot be verified: nobody knows the key of the log`, {
      detail: ofEvidence,
    });
    return false;
  }
  try {
    openBelieved(note, believed, { ...strictness, quorum: false });
    return true;
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    const code = findingOfSignature(error);
    const why =
      code === 'key_revoked'
        ? 'says nothing of the log'
        : 'is not signed by this log, and says nothing of it';
    report(code, `${name} ${why}: ${withoutStop(error.message)}`, {
      detail: { ...ofEvidence, code: error.code },
    });
    return false;
  }
}

/** Whether the entry that a receipt is about stands where the receipt says. */
function compareLeaf(
  { index, leafHash }: HeldReceipt,
  size: number,
  name: string,
  { conclusion, report }: { readonly conclusion: Conclusion; readonly report: ReportOfLog },
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    report('checkpoint_invalid', `${name} is about an entry that its checkpoint does not cover`, {
      detail: ofEvidence,
    });
    return false;
  }
  const found = conclusion.leaves.get(index);
  if (found === undefined) return false;
  if (equalBytes(found, decodeHash(leafHash))) return true;
  report('forked', `${name} is for another entry at index ${index} than the one that is here`, {
    from: index,
    to: index,
  });
  return false;
}

/** The signed checkpoint of something that is held, as bytes. */
export function noteOf(item: Held): Uint8Array {
  return utf8Encode(typeof item === 'string' ? item : item.checkpoint);
}

/** A leaf hash from outside; what is none equals none. */
function decodeHash(text: string): Hash {
  try {
    return base64Decode(text);
  } catch (error) {
    if (error instanceof VerificationError) return new Uint8Array(0);
    throw error;
  }
}
