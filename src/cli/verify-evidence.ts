import { inflateRawSync } from 'node:zlib';
import { VerificationError } from '../bytes/index.ts';
import type { RecordedEvent } from '../event/index.ts';
import { readBeginning } from '../platform/index.ts';
import {
  EVIDENCE_PAGE_BYTES_MAX,
  EvidenceAudit,
  type EvidenceBlock,
  type EvidenceOptions,
  type EvidenceReport,
  isEvidencePage,
  parseEvidence,
  parseEvidencePage,
  readEvidenceRows,
  type Trust,
} from '../verify/index.ts';
import { eventLines, readableTime } from './event-lines.ts';
import { isReleasedPage } from './evidence-page.ts';
import { exitStatus } from './exit.ts';
import type { Io } from './io.ts';
import { type Painter, type Shown, show } from './terminal.ts';

/** Up to so many selected events are shown in full: of more, the page is the place to read them. */
const EVENTS_SHOWN_MAX = 10;

/** Verifies an evidence file, JSON or a page, and says what it shows. Throws `VerificationError` `malformed_evidence`. */
export async function runVerifyEvidence(
  io: Io,
  path: string,
  { trust, json }: { readonly trust: Trust | undefined; readonly json?: boolean | undefined },
): Promise<void> {
  const bytes = readBeginning(path, EVIDENCE_PAGE_BYTES_MAX);
  const page = isEvidencePage(bytes) ? parseEvidencePage(bytes) : undefined;
  const events: RecordedEvent[] = [];
  const report = auditEvidence(page?.evidence ?? bytes, {
    ...(trust === undefined ? {} : { trust }),
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

/** Verifies the bytes of an evidence file. Throws `malformed_evidence` for what is none. */
export function auditEvidence(bytes: Uint8Array, options: EvidenceOptions = {}): EvidenceReport {
  const file = parseEvidence(bytes);
  const audit = new EvidenceAudit(file, options);
  for (const block of file.evidence.blocks) audit.add(readEvidenceRows(block, inflate(block)));
  return audit.conclude();
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

function evidenceLines(report: EvidenceReport, paint: Painter): Shown[] {
  const { counts, made, complete, sources, size, origin } = report;
  const asked = made.ids === null ? `query ${JSON.stringify(made.query)}` : `${made.ids.length} named by id`;
  const lines = [
    show`${origin} · ${many(counts.selected, 'entry', 'entries')} of ${size}${counts.support > 0 ? ` · ${counts.support} in support` : ''}`,
    show`  made      ${readableTime(made.at)} by ${made.by}, ${asked}`,
    show`  sealed    ${many(counts.shown, 'value', 'values')} shown, ${counts.withheld} left out, ${counts.erased} erased with a record of it`,
    show`  signed    ${report.signedBy.join(', ') || 'by nobody that is trusted'}`,
    complete === null
      ? show`  complete  not claimed`
      : show`  complete  every entry from ${complete.from} to ${complete.to - 1}`,
  ];
  if (sources.length > 0) lines.push(show`  sources   ${sources.length} without a gap in their numbers`);
  if (report.timestamps > 0)
    lines.push(show`  stamped   ${report.timestamps} time-stamp tokens inside, not checked here`);
  if (report.ok) for (const statement of report.statements) lines.push(show`  ${paint('dim', statement)}`);
  for (const { code, message } of report.findings) lines.push(show`${paint('red', code)}  ${message}`);
  if (report.omitted > 0) lines.push(show`and ${report.omitted} findings more`);
  return lines;
}

function verdictLine({ verdict, key }: EvidenceReport, paint: Painter): Shown {
  if (verdict === 'does not hold') return show`${paint('red', 'This evidence does not hold.')}`;
  if (key === 'found inside') {
    return show`${paint('yellow', 'Consistent with the key inside.')} Whoever makes such a file may put any key into it: pin yours with --vkey.`;
  }
  return show`${paint('green', 'Verified.')} What is here is what was signed.`;
}

function many(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`;
}
