import { parentPort, workerData } from 'node:worker_threads';
import type { ChunkReport, ChunkRequest, Span } from '../verify/index.ts';
import { auditSpan } from './audit-span.ts';
import { type DisclosureReading, readDisclosures } from './disclosure-reading.ts';
import { readFilesOf, readNoting, readSpan, type SpanFiles } from './published-files.ts';

/** What an auditor's thread is started with; plain data. */
export interface AuditorData {
  readonly request: ChunkRequest;
  /** The folder to read from; absent where the files come with each question. */
  readonly root?: string;
  /** How disclosures are read; absent where they are not. */
  readonly reading?: DisclosureReading;
}

/** One span to audit. */
export interface AuditQuestion {
  readonly span: Span;
  readonly files?: SpanFiles;
  /** The files with the disclosures of each bundle, where they are read and come with the question. */
  readonly sealed?: readonly (Uint8Array | undefined)[];
}

/** What came of it. */
export type AuditAnswer = { readonly report: ChunkReport } | { readonly error: string };

/** Answers questions in their order. */
export function auditor({
  request,
  root,
  reading,
}: AuditorData): (question: AuditQuestion) => Promise<AuditAnswer> {
  const read = root === undefined ? undefined : readFilesOf(root);
  const disclosures = reading === undefined ? undefined : readDisclosures(reading);
  return async ({ span, files, sealed }) => {
    try {
      const found = files ?? (await readSpan(read!, span));
      const strange = [...found.strange];
      const noting = read && readNoting(read, strange);
      const disclosuresAt = await disclosures?.(span, { read: noting, sealed });
      return { report: auditSpan(span, { ...found, strange }, request, disclosuresAt) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
}

if (parentPort !== null) {
  const port = parentPort;
  const answer = auditor(workerData as AuditorData);
  let before: Promise<void> = Promise.resolve();
  port.on('message', (question: AuditQuestion) => {
    before = before.then(async () => port.postMessage(await answer(question)));
  });
}
