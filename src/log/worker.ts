import { isMainThread, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { serveAuditor } from './audit-thread.ts';
import { serveReader } from './reader-thread.ts';
import { serveWriter } from './writer-thread.ts';

/** What a thread of a log is started with. */
export interface ThreadData {
  readonly role: 'writer' | 'reader' | 'auditor';
}

/**
 * The entry of the threads of a log: the disk is waited for here, never on the application's own event
 * loop. One thread writes; another reads, searches and indexes, so that no question delays a commit.
 */
function main(): void {
  const port = parentPort;
  if (isMainThread || port === null) return;
  const { role } = workerData as ThreadData;
  if (role === 'writer') {
    serveWriter(port, (take) => {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        take(next.message);
      }
    });
  } else if (role === 'reader') {
    serveReader(port);
  } else {
    serveAuditor(port);
  }
}

main();
