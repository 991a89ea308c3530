// A TCP proxy that can break a connection at a moment of one's choosing: before, during or after what passes through it.

import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** What a proxy does with bytes that pass: `cut` breaks both sides at once, `drop` swallows and keeps the line open. */
export type Verdict = 'pass' | 'cut' | 'drop' | 'pass-then-cut' | 'pass-then-silence';

export interface Proxy {
  readonly port: number;
  /** Asked of every chunk on its way to the server. */
  onRequest: (bytes: Buffer) => Verdict;
  /** Asked of every chunk on its way back. */
  onReply: (bytes: Buffer) => Verdict;
  /** Leads new connections elsewhere, as a name does that is given to another server. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

/** Stands between a client and the port of a server on this machine. */
export async function startProxy(to: number): Promise<Proxy> {
  const open = new Set<Socket>();
  let target = to;
  const server: Server = createServer((client) => {
    const upstream = createConnection({ port: target, host: '127.0.0.1' });
    let silent = false;
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const wire = (from: Socket, into: Socket, ask: (bytes: Buffer) => Verdict): void => {
      open.add(from);
      from.on('data', (bytes: Buffer) => {
        const verdict = silent ? 'drop' : ask(bytes);
        if (verdict.startsWith('pass')) into.write(bytes);
        if (verdict === 'cut') cut();
        // What was passed on has to leave before the line breaks.
        if (verdict === 'pass-then-cut') setTimeout(cut, 30);
        if (verdict === 'pass-then-silence') silent = true;
      });
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        if (!silent) into.destroy();
      });
    };
    wire(client, upstream, (bytes) => proxy.onRequest(bytes));
    wire(upstream, client, (bytes) => proxy.onReply(bytes));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    port: (server.address() as { port: number }).port,
    onRequest: () => 'pass',
    onReply: () => 'pass',
    leadTo: (port) => {
      target = port;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
