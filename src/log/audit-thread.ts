import type { MessagePort } from 'node:worker_threads';
import type { ChunkReport, ChunkRequest, Discovery, Span } from '../verify/index.ts';
import { AuditFile, type ComparedIndex, type LogTable } from './audit-file.ts';
import { Remote, serve } from './rpc.ts';
import { Thread } from './worker-pool.ts';

/**
 * Room for young objects on an auditor's thread, MiB: V8 takes more where it may, and memory then grows with the log. With 4, one
 * part in eight of an audit goes into collecting them; with 32, an audit is no faster than with 16.
 */
const YOUNG_MB = 16;

/** Audits spans of one file, on this thread or on another. */
export interface Auditor {
  chunk(span: Span): Promise<ChunkReport>;
  /** What SQLite itself finds wrong with a table. */
  structure(table: LogTable): Promise<readonly Discovery[]>;
  /** What the search index at `path` says that the log as it is now does not. */
  index(path: string): Promise<ComparedIndex>;
  close(): Promise<void>;
}

/** An auditor on the caller's own thread. */
export function auditHere(path: string, request: ChunkRequest): Auditor {
  const file = new AuditFile(path);
  return {
    chunk: async (span) => file.chunk(span, request),
    structure: async (table) => file.structure(table),
    index: async (index) => file.index(index),
    close: async () => file.close(),
  };
}

/** An auditor on a thread of its own. */
export async function auditOnThread(path: string, request: ChunkRequest): Promise<Auditor> {
  const thread = new Thread({ maxYoungGenerationSizeMb: YOUNG_MB });
  const remote = new Remote(thread.seat('auditor', path), () => {});
  try {
    await remote.call('open', path, request);
  } catch (error) {
    await remote.leave();
    throw error;
  }
  return {
    chunk: (span) => remote.call('chunk', span),
    structure: (table) => remote.call('structure', table),
    index: (index) => remote.call('index', index),
    close: () => remote.leave(),
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
    structure: (table: LogTable) => auditor!.structure(table),
    index: (index: string) => auditor!.index(index),
  });
}
