import { base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  cosignaturesFor,
  type OpenedCheckpoint,
  openNote,
  type Policy,
  satisfiesPolicy,
} from '../note/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import { type Anchor, type Believed, openBelieved } from './believed.ts';
import { compareCosigned } from './cosigned.ts';
import { compareOne } from './held.ts';
import { readHead } from './signed-head.ts';

/** One witness that vouches for a log. */
export interface Vouching {
  /** The name of its key. */
  readonly witness: string;
  /** The largest size that it has cosigned and that agrees with the log. */
  readonly size: number;
  /** When it did, by its own clock: POSIX seconds. */
  readonly timestamp: number;
}

/** How far the witnesses of a policy vouch for a log. */
export interface WitnessedVerdict {
  /** The size of the largest checkpoint that the quorum has cosigned and that agrees with the log; 0 if there is none. */
  readonly size: number;
  /** Each witness that has cosigned anything that agrees, in the order of the policy. */
  readonly witnesses: readonly Vouching[];
}

/** The states of the log that witnesses of a policy have seen, and when; whoever signed the log then, or claims it now. */
export function anchorsOfPublished(published: readonly string[], { witnesses }: Policy): Anchor[] {
  return published.flatMap((note) => {
    const bytes = utf8Encode(note);
    const head = readHead(bytes);
    if (head === undefined || witnesses.length === 0) return [];
    const root = base64Encode(head.root);
    return timesOf(bytes, witnesses).map((time) => ({ size: head.size, root, time }));
  });
}

function timesOf(note: Uint8Array, witnesses: Policy['witnesses']): number[] {
  try {
    const { verified } = openNote(
      note,
      witnesses.map(({ key }) => key),
    );
    // Zero says nothing of the time (c2sp.org/tlog-cosignature), and so not that it was early.
    return verified.flatMap(({ timestamp = 0n }) => (timestamp === 0n ? [] : Number(timestamp) * 1000));
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

/**
 * Compares what was shown to witnesses with the log, and asks whether the quorum has cosigned any of it. The newest entries are
 * always younger than the newest cosignature, so that the quorum is asked of one checkpoint, not of the last. Undefined where the
 * policy knows no witness.
 */
export function compareWitnessed(
  conclusion: Conclusion,
  believed: Believed | undefined,
  report: ReportOfLog,
): WitnessedVerdict | undefined {
  const opened = [...ofHead(conclusion, believed), ...ofPublished(conclusion, believed, report)];
  const policy = believed?.policy;
  if (policy === undefined || (policy.witnesses.length === 0 && policy.quorum === undefined))
    return undefined;
  const satisfied = opened.filter(
    ({ note }) => satisfiesPolicy(policy, note) && cosignaturesFor(policy, note).length > 0,
  );
  if (policy.quorum !== undefined && satisfied.length === 0) {
    report('checkpoint_invalid', `The quorum ${policy.quorum} has cosigned no checkpoint of this log`, {
      detail: { code: 'policy_unsatisfied' },
    });
  }
  compareCosigned(conclusion, policy, report);
  return {
    size: Math.max(0, ...satisfied.map(({ checkpoint }) => checkpoint.size)),
    witnesses: policy.witnesses.flatMap(({ key }) => vouchingOf(key.text, policy, opened)),
  };
}

/** Whether a state of this log was published that opens for whom the verifier believes. */
export function isPublishedBy(believed: Believed, { options, trees }: Conclusion): boolean {
  return (options.published ?? []).some((item) => {
    const note = utf8Encode(item);
    const claim = readHead(note);
    const root = claim && trees.get(claim.size)?.root();
    return root !== undefined && equalBytes(root, claim!.root) && openedBy(note, believed).length > 0;
  });
}

/** The checkpoint that the store serves may bear cosignatures itself: in a published log it does. */
function ofHead({ head, trees }: Conclusion, believed: Believed | undefined): OpenedCheckpoint[] {
  const claim = readHead(head.checkpoint);
  const root = claim && trees.get(claim.size)?.root();
  if (root === undefined || !equalBytes(root, claim!.root)) return [];
  return openedBy(head.checkpoint, believed);
}

function ofPublished(
  conclusion: Conclusion,
  believed: Believed | undefined,
  report: ReportOfLog,
): OpenedCheckpoint[] {
  return (conclusion.options.published ?? []).flatMap((item) => {
    const size = readHead(utf8Encode(item))?.size;
    const name = size === undefined ? 'A published checkpoint' : `The checkpoint published at size ${size}`;
    // Its root speaks for itself: that the key which signed it was revoked later makes an honest log no other.
    const strictness = { revoked: true };
    const agrees = compareOne({ item, name, conclusion, believed, report, strictness });
    return agrees === undefined ? [] : openedBy(utf8Encode(item), believed);
  });
}

/** The checkpoint with whoever of the policy has signed it; nothing where it does not verify, which is reported elsewhere. */
function openedBy(note: Uint8Array, believed: Believed | undefined): OpenedCheckpoint[] {
  if (believed === undefined) return [];
  try {
    return [openBelieved(note, believed, { quorum: false })];
  } catch (error) {
    if (error instanceof VerificationError) return [];
    throw error;
  }
}

function vouchingOf(vkey: string, policy: Policy, opened: readonly OpenedCheckpoint[]): Vouching[] {
  const all = opened.flatMap(({ checkpoint, note }) =>
    cosignaturesFor(policy, note)
      .filter(({ key }) => key.text === vkey)
      .map(({ key, timestamp = 0n }) => ({
        witness: key.name,
        size: checkpoint.size,
        timestamp: Number(timestamp),
      })),
  );
  const newest = all.sort((one, other) => other.size - one.size || other.timestamp - one.timestamp)[0];
  return newest === undefined ? [] : [newest];
}
