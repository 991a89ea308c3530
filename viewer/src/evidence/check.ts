import { utf8Encode, VerificationError } from '../../../src/bytes/index.ts';
import type { RecordedEvent } from '../../../src/event/index.ts';
import {
  EvidenceAudit,
  type EvidenceBlock,
  type EvidenceFile,
  type EvidenceReport,
  type EvidenceRow,
  parseEvidence,
  readEvidenceRows,
  type Trust,
} from '../../../src/verify/index.ts';
import { sentenceOf } from '../drawer/sentence.ts';

/** An entry that is in the tree, as the table shows it. */
export interface Shown {
  readonly event: RecordedEvent;
  readonly row: EvidenceRow;
  readonly isSupport: boolean;
  /** What a search looks through, in lower case. */
  readonly text: string;
}

/** What the check of the file has come to. */
export interface Checked {
  readonly file: EvidenceFile;
  readonly report: EvidenceReport;
  readonly shown: readonly Shown[];
}

/** The evidence in this page: the text of its template, which the browser has neither shown nor run. */
export function evidenceInside(): Uint8Array {
  const template = document.querySelector<HTMLTemplateElement>('#indelible-evidence');
  return utf8Encode(template?.content.textContent ?? '');
}

/**
 * Checks the file, block by block, and lets the page breathe in between. `onProgress` hears how much of it is done, 0 to 1. Throws
 * `VerificationError` for what is no evidence at all.
 */
export async function check(
  bytes: Uint8Array,
  trust: Trust | undefined,
  onProgress: (done: number) => void,
): Promise<Checked> {
  const file = parseEvidence(bytes);
  const shown: Shown[] = [];
  const audit = new EvidenceAudit(file, {
    ...(trust === undefined ? {} : { trust }),
    inspect: (event, row, isSupport) => shown.push({ event, row, isSupport, text: searchTextOf(event) }),
  });
  const { blocks } = file.evidence;
  for (const [position, block] of blocks.entries()) {
    audit.add(readEvidenceRows(block, await inflate(block)));
    onProgress((position + 1) / blocks.length);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { file, report: audit.conclude(), shown };
}

/** A block never becomes larger than it says; what is more than that is not read. */
async function inflate({ data, bytes }: EvidenceBlock): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const inflated = new Uint8Array(bytes);
  let length = 0;
  try {
    for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) {
      if (length + piece.length > bytes) throw new RangeError('longer than it says');
      inflated.set(piece, length);
      length += piece.length;
    }
  } catch (cause) {
    throw new VerificationError(
      'malformed_evidence',
      'This is not evidence. A block does not inflate.',
      {},
      { cause },
    );
  }
  return inflated.subarray(0, length);
}

function searchTextOf(event: RecordedEvent): string {
  const sentence = sentenceOf(event).map((piece) => (typeof piece === 'string' ? piece : piece.party.id));
  return `${sentence.join('')} ${JSON.stringify(event)}`.toLowerCase();
}
