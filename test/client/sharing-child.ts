// One of several processes that share a client's state. It does what it is told, a line at a time, and says what came of it.

import { createInterface } from 'node:readline';
import { AuditClient } from 'indelible/client';
import { openStateFolder } from '#dist/platform/client-state.js';
import { signIn } from '../support/folders.ts';

const [url, vkey, state] = process.argv.slice(2) as [string, string, string];
let log: AuditClient | undefined;

// Here no time passes, however slow the machine is: the client writes its first checkpoint, and the last one when it is closed.
const now = Date.now();
Date.now = () => now;

async function obey(line: string): Promise<string> {
  const [command, argument] = line.split(' ');
  if (command === 'count') return count(Number(argument));
  log ??= new AuditClient({ url, key: 'ind_test_0123456789', vkey, state, heartbeatMs: 0, retryMs: 2000 });
  if (command === 'close') return log.close().then(() => 'closed');
  return `recorded ${(await log.record(signIn(argument))).index}`;
}

/** Adds one to the number that the state holds, so many times: none may be lost. */
function count(times: number): string {
  const { checkpoints } = openStateFolder(state);
  for (let done = 0; done < times; ) {
    const before = checkpoints.read() as string | undefined;
    if (checkpoints.write(String(Number(before ?? 0) + 1), before)) done += 1;
  }
  return 'counted';
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await obey(line).catch((error) => `${error.name} ${error.code}`));
}
