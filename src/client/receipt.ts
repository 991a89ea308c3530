import {
  base64Decode,
  base64Encode,
  type JsonObject,
  parseJson,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { type Entry, openEntry, parseEntry, prepareEvent, sameEvent } from '../event/index.ts';
import { hashLeaf, rootBeforeLeaf, verifyInclusion } from '../merkle/index.ts';
import { parseProof } from '../verify/index.ts';
import type { SourceClaim } from '../wire/index.ts';
import type { KnownRoot, SignedTree } from './history.ts';
import { type Answer, countOf, invalidAnswer, isObject, textOf, textsOf } from './problems.ts';

/**
 * What `record` answers: the event is durable and part of the tree, which this client has verified. Plain data, and the
 * same as the embedded log's: keep it, send it, print it.
 */
export interface Receipt {
  readonly id: string;
  readonly index: number;
  /** SHA-256 of the leaf, standard base64. */
  readonly leafHash: string;
  /** A signed checkpoint that covers the event (c2sp.org/tlog-checkpoint). */
  readonly checkpoint: string;
}

/** An event as it was sent. */
export interface Sent {
  readonly id: string;
  /** The JSON of the event, without what stands in `source`. */
  readonly event: JsonObject;
  readonly source: SourceClaim & { readonly handedInAt: string };
}

/** A receipt that was verified. */
export interface VerifiedReceipt {
  readonly receipt: Receipt;
  /** Whether the entry is that of an earlier delivery or another sender: this one's sequence number stands in no entry. */
  readonly isRepeat: boolean;
  /** The root over all entries before this one, which its proof tells. */
  before(): KnownRoot;
}

/** How receipts are verified. */
export interface ReceiptTrust {
  readonly tree: SignedTree;
  readonly pseudonymKey: Uint8Array | undefined;
}

/**
 * Verifies what a server answers to one event: the entry is in the tree, at that index, and it is the event that was sent,
 * with nothing added, left out or sealed otherwise. Throws `VerificationError`: `receipt_invalid`, `inclusion_invalid`,
 * and what a malformed part is called; `LogError` `answer_invalid`.
 */
export function verifyReceipt(
  answer: Answer,
  sent: Sent,
  { tree, pseudonymKey }: ReceiptTrust,
): VerifiedReceipt {
  const bytes = answer['bytes'];
  if (!isObject(bytes)) throw invalidAnswer('a receipt comes without the bytes that it is for');
  const proof = parseProof(utf8Encode(textOf(answer, 'proof')), tree.note);
  const entryBytes = base64Decode(textOf(bytes, 'entry'));
  const disclosures = textsOf(bytes, 'disclosures');
  const index = countOf(answer, 'index');
  const leafHash = hashLeaf(entryBytes);
  if (proof.checkpoint !== tree.note || proof.index !== index) {
    throw invalid(sent, 'proves something else than the receipt says');
  }
  verifyInclusion({ index, size: tree.size, leafHash, root: tree.root, proof: proof.hashes });
  if (textOf(answer, 'leafHash') !== base64Encode(leafHash)) throw invalid(sent, 'bears another leaf hash');
  const entry = parseEntry(entryBytes);
  checkSame(entry, disclosures, sent, pseudonymKey);
  const path = { index, size: tree.size, leafHash, proof: proof.hashes };
  return {
    receipt: { id: sent.id, index, leafHash: base64Encode(leafHash), checkpoint: tree.note },
    isRepeat: entry.source.instance !== sent.source.instance || entry.source.seq !== sent.source.seq,
    before: () => ({ size: index, root: rootBeforeLeaf(path) }),
  };
}

/** Whether the entry is the event that was sent. */
function checkSame(
  entry: Entry,
  disclosures: readonly string[],
  sent: Sent,
  pseudonymKey: Uint8Array | undefined,
): void {
  if (entry.id !== sent.id) throw invalid(sent, 'is for another event');
  const opened = openEntry(entry, disclosures, 0);
  if (opened.problems.length > 0)
    throw invalid(sent, `comes with a value that does not fit: ${opened.problems[0]!.message}`);
  // A value that is not shown could be any value.
  if (opened.event.withheld.length > 0) {
    throw invalid(sent, 'is for an entry of which values are withheld, or have been erased since');
  }
  // What surrounded the first delivery may differ from what surrounds a repeat. What this process sent itself is held to every word.
  const isOwn = entry.source.instance === sent.source.instance && entry.source.seq === sent.source.seq;
  const draft = prepareEvent(sent.event, {
    id: sent.id,
    filled: isOwn ? [] : (sent.source.filled ?? []),
    occurredAt: sent.source.handedInAt,
    now: new Date(sent.source.handedInAt).getTime(),
    // What the server says of the source is its own, and not compared.
    source: entry.source,
    personalIds: pseudonymKey === undefined ? 'allow' : 'pseudonymise',
    ...(pseudonymKey === undefined ? {} : { pseudonymKey }),
  });
  if (!sameEvent(draft, entry, disclosures)) throw invalid(sent, 'is for other content than was sent');
}

/** The sent event out of its text. The inverse of `formatSent`. */
export function parseSent(text: string): Sent {
  const { source, ...event } = parseJson(text, { maxDepth: 40 }) as JsonObject;
  return { id: String(event['id']), event, source: source as unknown as Sent['source'] };
}

/** The text of an event that is sent: what stands in a request's body, and in a spool. */
export function formatSent(event: object, id: string, source: SourceClaim): string {
  return JSON.stringify({ ...event, id, source });
}

function invalid(sent: Sent, what: string): VerificationError {
  return new VerificationError('receipt_invalid', `The receipt for ${sent.id} ${what}.`, { id: sent.id });
}
