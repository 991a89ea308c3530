import { type MessagePort, Worker } from 'node:worker_threads';
import type { ChunkReport, ChunkRequest, Discovery, Span } from '../verify/index.ts';
import { AuditFile } from './audit-file.ts';
import { Remote, serve } from './rpc.ts';

/** Audits spans of one file, on this thread or on another. */
export interface Auditor {
  chunk(span: Span): Promise<ChunkReport>;
  /** What the search index at `path` says that the log's `size` entries do not. */
  index(path: string, size: number): Promise<Discovery[]>;
  close(): Promise<void>;
}

/** An auditor on the caller's own thread. */
export function auditHere(path: string, request: ChunkRequest): Auditor {
  const file = new AuditFile(path);
  return {
    chunk: async (span) => file.chunk(span, request),
    index: async (index, size) => file.index(index, size),
    close: async () => file.close(),
  };
}

/** An auditor on a thread of its own. */
export async function auditOnThread(path: string, request: ChunkRequest): Promise<Auditor> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { role: 'auditor' } });
  const remote = new Remote(worker, () => {});
  try {
    await remote.call('open', path, request);
  } catch (error) {
    await remote.terminate();
    throw error;
  }
  return {
    chunk: (span) => remote.call('chunk', span),
    index: (index, size) => remote.call('index', index, size),
    close: () => remote.terminate(),
  };
}

/** The auditor's side of the thread. */
export function serveAuditor(port: MessagePort): void {
  let auditor: Auditor | undefined;
  serve(port, {
    open: (path: string, request: ChunkRequest) => {
      auditor = auditHere(path, request);
    },
    chunk: (span: Span) => auditor!.chunk(span),
    index: (index: string, size: number) => auditor!.index(index, size),
  });
}
