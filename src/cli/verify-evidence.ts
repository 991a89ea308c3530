import { inflateRawSync } from 'node:zlib';
import { judgeStamps } from '../anchor/index.ts';
import { utf8Encode, VerificationError } from '../bytes/index.ts';
import type { RecordedEvent } from '../event/index.ts';
import { readBeginning, systemClock } from '../platform/index.ts';
import {
  EVIDENCE_PAGE_BYTES_MAX,
  EvidenceAudit,
  type EvidenceBlock,
  type EvidenceFile,
  type EvidenceOptions,
  type EvidenceReport,
  isEvidencePage,
  parseEvidence,
  parseEvidencePage,
  readEvidenceRows,
  readHead,
  type Stamped,
  type Trust,
} from '../verify/index.ts';
import { eventLines } from './event-lines.ts';
import { evidenceLines, verdictLine } from './evidence-lines.ts';
import { isReleasedPage } from './evidence-page.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { show } from './terminal.ts';

/** Up to so many selected events are shown in full: of more, the page is the place to read them. */
const EVENTS_SHOWN_MAX = 10;

/** How an evidence file is verified. */
export interface EvidenceAsked {
  readonly trust: Trust | undefined;
  /** Certificates of time-stamping authorities to trust, in DER. */
  readonly tsaCertificates: readonly Uint8Array[] | undefined;
  readonly json?: boolean | undefined;
}

/** Verifies an evidence file, JSON or a page, and says what it shows. Throws `VerificationError` `malformed_evidence`. */
export async function runVerifyEvidence(
  io: Io,
  path: string,
  { trust, tsaCertificates, json }: EvidenceAsked,
): Promise<void> {
  const bytes = readBeginning(path, EVIDENCE_PAGE_BYTES_MAX);
  const page = isEvidencePage(bytes) ? parseEvidencePage(bytes) : undefined;
  const events: RecordedEvent[] = [];
  const file = parseEvidence(page?.evidence ?? bytes);
  const report = auditEvidence(file, {
    ...(trust === undefined ? {} : { trust }),
    stamped: await stampsIn(file, tsaCertificates),
    inspect: (event, _row, isSupport) => {
      if (!isSupport && events.length <= EVENTS_SHOWN_MAX) events.push(event);
    },
  });
  const isForeignPage = page !== undefined && !isReleasedPage(page.page);
  if (!report.ok || isForeignPage) io.status = exitStatus.evidence;
  if (json === true) {
    await io.out.json(
      page === undefined ? report : { ...report, page: isForeignPage ? 'page_unknown' : 'released' },
    );
    return;
  }
  await io.out.lines(evidenceLines(report, io.out.paint));
  if (report.ok && events.length <= EVENTS_SHOWN_MAX) {
    for (const event of events) await io.out.lines(eventLines(event, io.out.paint));
  }
  await io.out.line(verdictLine(report, io.out.paint));
  if (isForeignPage) {
    await io.out.line(
      show`${io.out.paint('red', 'page_unknown')}  The page around the data is none that was released: what it shows may differ from what was checked here.`,
    );
  }
}

/** Verifies a file of evidence. Throws `malformed_evidence` where a block of it is none. */
export function auditEvidence(file: EvidenceFile, options: EvidenceOptions = {}): EvidenceReport {
  const audit = new EvidenceAudit(file, options);
  for (const block of file.evidence.blocks) audit.add(readEvidenceRows(block, inflate(block)));
  return audit.conclude();
}

/** The time-stamps of a file as far as they go without its tree. The certificates in it complete chains, and are trusted by nobody. */
function stampsIn(
  { evidence }: EvidenceFile,
  trusted: readonly Uint8Array[] | undefined,
): Promise<Stamped[]> {
  const stamps = evidence.timestamps.map(({ authority, checkpoint, token }) => {
    const note = utf8Encode(checkpoint);
    return { authority, token, note, size: readHead(note)?.size ?? 0 };
  });
  const { certificates: intermediates } = evidence;
  return judgeStamps(stamps, { certificates: () => trusted, intermediates, now: systemClock.wall() });
}

/** A block never becomes larger than it says, and that is limited. */
function inflate({ data, bytes }: EvidenceBlock): Uint8Array {
  try {
    return inflateRawSync(data, { maxOutputLength: bytes + 1 });
  } catch (cause) {
    throw new VerificationError(
      'malformed_evidence',
      'This is not evidence. A block does not inflate.',
      {},
      { cause },
    );
  }
}
