import { isMainThread, type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { serveAnchors } from './anchor-thread.ts';
import { serveAuditor } from './audit-thread.ts';
import { serveReader } from './reader-thread.ts';
import { serveWriter } from './writer-thread.ts';

/** What a place on a thread is for. */
export type ThreadRole = 'writer' | 'reader' | 'anchors' | 'auditor';

/** Asks a thread to serve one half of a log at a port. */
export interface SeatRequest {
  readonly role: ThreadRole;
  readonly port: MessagePort;
}

/**
 * The entry of the threads that logs share: the disk is waited for here, never on the application's own event loop. A
 * thread writes; another reads, searches and indexes, so that no question delays a commit.
 */
function main(): void {
  if (isMainThread || parentPort === null) return;
  let writers = 0;
  parentPort.on('message', ({ role, port }: SeatRequest) => {
    if (role === 'reader') serveReader(port);
    else if (role === 'anchors') serveAnchors(port);
    else if (role === 'auditor') serveAuditor(port);
    else {
      writers += 1;
      port.once('close', () => {
        writers -= 1;
      });
      serveWriter(port, (take) => gather(port, take, writers > 1));
    }
  });
}

/** Takes every message that already waits; where others share the thread, after their turn. */
function gather(
  port: MessagePort,
  take: (message: unknown) => void,
  isShared: boolean,
): Promise<void> | undefined {
  if (isShared) return new Promise((resolve) => setImmediate(() => resolve(gather(port, take, false))));
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    take(next.message);
  }
  return undefined;
}

main();
