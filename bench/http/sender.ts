/**
 * The load of the HTTP scenarios: so many connections, each with one request under way, over bare sockets, so that little of
 * the machine goes into the asking.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { LoadReport, LoadTask } from './served.ts';

const HEAD_END = Buffer.from('\r\n\r\n');

const [task] = (await once(process, 'message')) as [LoadTask];
const requests = task.requests.map((request) => Buffer.from(request));
const sockets = await Promise.all(Array.from({ length: task.connections }, open));
await send(Math.ceil(task.count / 8));
const cpu = process.cpuUsage();
const { latencies, elapsed } = await send(task.count);
const { user, system } = process.cpuUsage(cpu);
for (const socket of sockets) socket.destroy();
const report: LoadReport = { latencies, elapsed, cpuUs: (user + system) / task.count };
process.send!(report, () => process.disconnect());

async function open(): Promise<Socket> {
  const socket = connect(task.port, '127.0.0.1').setNoDelay();
  await once(socket, 'connect');
  return socket;
}

async function send(count: number): Promise<{ latencies: Float64Array; elapsed: number }> {
  const latencies = new Float64Array(count);
  let next = 0;
  const begin = performance.now();
  const talk = async (socket: Socket): Promise<void> => {
    while (next < count) {
      const at = next++;
      const asked = performance.now();
      const status = await exchange(socket, requests[at % requests.length]!);
      latencies[at] = performance.now() - asked;
      if (status !== task.status) throw new Error(`the server answered ${status}, not ${task.status}`);
    }
  };
  await Promise.all(sockets.map(talk));
  return { latencies, elapsed: performance.now() - begin };
}

/** One request and its answer, whose end is told by its length or its last chunk. */
function exchange(socket: Socket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let received: Buffer | undefined;
    const finish = (settle: () => void): void => {
      socket.off('data', take).off('close', lost).off('error', lost);
      settle();
    };
    const lost = (): void => finish(() => reject(new Error('the server closed a connection')));
    const take = (chunk: Buffer): void => {
      received = received === undefined ? chunk : Buffer.concat([received, chunk]);
      if (isWhole(received)) finish(() => resolve(Number(received!.toString('latin1', 9, 12))));
    };
    socket.on('data', take).on('close', lost).on('error', lost);
    socket.write(request);
  });
}

function isWhole(received: Buffer): boolean {
  const end = received.indexOf(HEAD_END);
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(received.toString('latin1', 0, end))?.[1];
  if (length === undefined) return received.subarray(-5).equals(Buffer.from('0\r\n\r\n'));
  return received.length >= end + HEAD_END.length + Number(length);
}
