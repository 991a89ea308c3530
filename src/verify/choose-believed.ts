import { base64Encode, equalBytes, VerificationError } from '../bytes/index.ts';
import type { Genesis } from '../event/index.ts';
import type { Hash } from '../merkle/index.ts';
import type { Policy } from '../note/index.ts';
import type { Conclusion, ReportOfLog } from './audit-report.ts';
import {
  type Anchor,
  type Believed,
  demandsSecond,
  pinnedBy,
  seenByAnchors,
  withoutOwn,
} from './believed.ts';
import type { Discoveries } from './finding.ts';
import { type KeyEntry, type KeyTimeline, timelineFrom } from './key-timeline.ts';
import { readHead, withoutStop } from './signed-head.ts';
import { policyOf, type Trust } from './trust.ts';
import { anchorsOfPublished } from './witnessed.ts';

/** What whom to believe is decided by: what was pinned, and what the log says of its keys. */
export interface KeyFacts {
  readonly trust: Trust | undefined;
  readonly genesis: Genesis | undefined;
  readonly genesisHash: Hash | undefined;
  /** The entries that claim to change keys, by rising index. */
  readonly keyChanges: readonly KeyEntry[];
  /** The size that the checkpoint claims. */
  readonly size: number;
  readonly discoveries: Discoveries;
}

/** Whom an audit believes: who was named beforehand and whoever follows from it by the rules, or else who the log says may sign. */
export function chooseBelieved(conclusion: Conclusion, report: ReportOfLog): Believed | undefined {
  const { options, head, end } = conclusion;
  const size = readHead(head.checkpoint)?.size ?? end;
  const believed = believedBy({ ...conclusion, trust: options.trust, size }, report);
  return believed?.timeline === undefined ? believed : { ...believed, seenBefore: seenIn(conclusion) };
}

/** As {@link chooseBelieved}, of entries that need not be a whole log. What outside parties saw is not known here. */
export function believedBy(facts: KeyFacts, report: ReportOfLog): Believed | undefined {
  const { trust, genesis, discoveries } = facts;
  if (genesis === undefined && !discoveries.has('genesis_invalid')) {
    report('genesis_invalid', 'The first entry, which says what log this is, is missing', { to: 0 });
  }
  const timeline = timelineOf(facts, report);
  const none: Policy = { logs: [], witnesses: [], groups: [], quorum: undefined };
  if (trust === undefined) return timeline && { policy: none, timeline };
  const pinned = policyOf(trust);
  if (genesis === undefined || timeline === undefined) return { policy: pinned };
  if (!isReached(pinned, timeline, facts.size, report)) return { policy: pinned };
  return { policy: withoutOwn(pinned, timeline), timeline, pinned: pinnedBy(pinned) };
}

/** The timeline of the log's keys. Changes that change nothing are findings. */
function timelineOf(
  { genesis, genesisHash, keyChanges, discoveries }: KeyFacts,
  report: ReportOfLog,
): KeyTimeline | undefined {
  if (genesis === undefined || genesisHash === undefined) return undefined;
  try {
    const timeline = timelineFrom(genesis, base64Encode(genesisHash), keyChanges);
    for (const { index, what } of timeline.problems)
      discoveries.add({ code: 'key_change_invalid', from: index, to: index, what });
    return timeline;
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error;
    report('key_unknown', `The log’s first entry names a key that is none: ${withoutStop(error.message)}`, {
      to: 0,
    });
    return undefined;
  }
}

/**
 * Whether the keys that sign the log now follow from what was pinned. Where they do not, the log is judged by the pinned keys alone,
 * and a finding says why.
 */
function isReached(pinned: Policy, timeline: KeyTimeline, size: number, report: ReportOfLog): boolean {
  const named = pinned.logs.map(({ key }) => key);
  const texts = pinnedBy(pinned);
  const { origin, rootKey } = timeline;
  const isRoot = rootKey !== undefined && texts.includes(rootKey.text);
  if (!isRoot && !named.some(({ name }) => name === origin)) {
    report('origin_mismatch', 'The log’s first entry bears another name than the one that was asked for', {
      to: 0,
      detail: { expected: named.map(({ name }) => name), found: origin },
    });
    return false;
  }
  if (demandsSecond(pinned) || timeline.reached(texts, size).length > 0) return true;
  const found = timeline.spans.map(({ key }) => key.text);
  const isKeyOfLog = found.some((text) => texts.includes(text));
  const what = isRoot
    ? 'The root key that was given has named no key that signs this log: pin the log key until it was rotated'
    : isKeyOfLog
      ? 'The key that was given was replaced, and has not signed that: pin the root key, or the new key from elsewhere'
      : 'The log’s first entry does not name the key that was given, and no change of keys does';
  report('key_unknown', what, { to: 0, detail: { expected: texts, found } });
  return false;
}

/** Whether outside parties saw a state before a time: itself, or a later one that the log has and that begins with it. */
function seenIn({ options, trees }: Conclusion): NonNullable<Believed['seenBefore']> {
  const { anchors: known = [], published = [], trust } = options;
  const witnessed = trust === undefined ? [] : anchorsOfPublished(published, policyOf(trust));
  const anchors = [...known, ...witnessed];
  const seenItself = seenByAnchors(anchors);
  const isOfLog = ({ size, root }: Anchor): boolean => {
    const tree = trees.get(size);
    return tree !== undefined && base64Encode(tree.root()) === root;
  };
  return (checkpoint, ms) => {
    if (seenItself(checkpoint, ms)) return true;
    const own = trees.get(checkpoint.size);
    if (own === undefined || !equalBytes(own.root(), checkpoint.root)) return false;
    return anchors.some((anchor) => anchor.size > checkpoint.size && anchor.time < ms && isOfLog(anchor));
  };
}
