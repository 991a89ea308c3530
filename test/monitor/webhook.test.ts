// Findings that are sent: at least once, signed, and nowhere else than they were to go.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Found } from 'indelible/monitor';
import { StateFile, Webhook } from 'indelible/monitor';
import { urlOf } from '../publish/world.ts';
import { Watched } from './world.ts';

const secret = 'a secret of the test, long enough';

interface Received {
  readonly id: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly body: string;
}

/** A receiver that answers with each of the statuses in turn, and then with 204. */
async function receiver(
  t: TestContext,
  ...statuses: number[]
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { headers } = request;
      received.push({
        id: String(headers['webhook-id']),
        signature: String(headers['webhook-signature']),
        timestamp: String(headers['webhook-timestamp']),
        body: Buffer.concat(parts).toString(),
      });
      const status = statuses.shift() ?? 204;
      response.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

test('a finding is sent until it is taken, by monitors that come and go, under one id', async (t) => {
  const { url, received } = await receiver(t, 500, 302, 503);
  const world = await Watched.make(t, 3);
  const options = { webhook: { url, secret }, maxSilenceMs: 60_000 };
  world.ahead = 100_000;
  const report = await world.look(options);
  assert.equal(report.waiting, 2, 'that it began, and that the log stands still');
  for (const left of [2, 2, 2, 0]) {
    const monitor = world.monitor(options);
    assert.equal((await monitor.deliver()).left, left);
    // A refusal is not followed at once by another try.
    if (left > 0) assert.equal((await monitor.deliver()).left, left);
    world.ahead += 5_000;
  }
  assert.equal(received.length, 5);
  assert.equal(new Set(received.map(({ id }) => id)).size, 2);
  assert.equal((await world.look(options)).waiting, 0, 'what holds is not sent again');
  for (const { id, timestamp, signature, body } of received) {
    const mac = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
    assert.equal(signature, `v1,${mac}`);
    const found = JSON.parse(body) as Found;
    assert.equal(found.id, id);
    assert.ok(['monitor_began', 'log_stalled'].includes(found.code));
  }
});

/** A receiver that answers when it is told to. */
async function slowReceiver(t: TestContext) {
  const waiting: ServerResponse[] = [];
  let arrived = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      waiting.push(response);
      arrived.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    next: async (): Promise<ServerResponse> => {
      while (waiting.length === 0) {
        await arrived.promise;
        arrived = Promise.withResolvers<void>();
      }
      return waiting.shift()!;
    },
  };
}

test('a receiver that takes its time keeps no look waiting, and what it has taken is remembered at once', async (t) => {
  const hook = await slowReceiver(t);
  const world = await Watched.make(t, 3);
  const monitor = world.monitor({ webhook: { url: hook.url }, maxSilenceMs: 60_000 });
  assert.equal((await monitor.look()).waiting, 1);
  const delivering = monitor.deliver();
  const first = await hook.next();
  world.ahead = 100_000;
  assert.equal((await monitor.look()).waiting, 2, 'a look goes on beside it');
  first.writeHead(204).end();
  const second = await hook.next();
  const kept = new StateFile(world.state).load()!;
  assert.deepEqual(
    kept.waiting.map(({ found }) => found.code),
    ['log_stalled'],
  );
  world.ahead = 0;
  assert.equal((await monitor.look()).holds, 0);
  second.writeHead(204).end();
  assert.deepEqual(await delivering, { left: 0 });
  assert.deepEqual(new StateFile(world.state).load()!.waiting, []);
});

test('a clock that was ahead when a delivery failed keeps none back', async (t) => {
  const { url, received } = await receiver(t, 500);
  const world = await Watched.make(t, 3);
  const options = { webhook: { url } };
  world.ahead = 3650 * 86_400_000;
  const monitor = world.monitor(options);
  await monitor.look();
  await monitor.deliver();
  world.ahead = 0;
  assert.equal((await world.monitor(options).deliver()).left, 0);
  assert.equal(received.length, 2);
});

/** The command, with what it has printed so far. */
function command(t: TestContext, world: Watched, ...more: string[]) {
  const main = join(import.meta.dirname, '../../dist/cli/main.js');
  const words = ['monitor', urlOf(world.public), '--vkey', world.log.vkey, '--state', world.state, ...more];
  const child = spawn(process.execPath, [main, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (part) => {
    said.out += part;
  });
  child.stderr.on('data', (part) => {
    said.err += part;
  });
  const until = async (is: () => boolean): Promise<void> => {
    while (!is()) {
      assert.equal(child.exitCode, null, said.err);
      await sleep(20);
    }
  };
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  };
  return { said, until, stop };
}

const looksIn = (text: string): number => text.split('it continues what was seen').length - 1;

test('the command looks on while the webhook is asked', async (t) => {
  const hook = await slowReceiver(t);
  const world = await Watched.make(t, 3);
  const { said, until, stop } = command(t, world, '--interval', '1s', '--webhook', hook.url);
  const response = await hook.next();
  const before = looksIn(said.out);
  await until(() => looksIn(said.out) > before || response.destroyed);
  assert.equal(response.destroyed, false, 'it was asked first, and is asked still');
  response.writeHead(204).end();
  await stop();
});

test('the command waits for longer than a timer can', async (t) => {
  const world = await Watched.make(t, 3);
  const { said, until, stop } = command(t, world, '--interval', '30d');
  await until(() => looksIn(said.out) > 0);
  await sleep(300);
  await stop();
  assert.deepEqual([looksIn(said.out), said.err], [1, '']);
});

test('it goes to no private and no link-local address, whatever its name leads to', async (t) => {
  const { received } = await receiver(t);
  const found = {
    id: 'x',
    kind: 'finding',
    code: 'forked',
    origin: 'o',
    from: 0,
    to: 0,
    message: 'm',
    at: '',
  } as const;
  const to = (url: string, address: string, allowPrivate = false) =>
    new Webhook({
      url,
      allowPrivate,
      resolve: (_name, _options, callback) =>
        callback(null, [{ address, family: address.includes(':') ? 6 : 4 }]),
    }).deliver(found, 0);
  for (const address of [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '::1',
    '::ffff:10.0.0.1',
    'fe80::1',
    'fd00::1',
  ]) {
    await assert.rejects(to('https://hook.example/', address), /may not name/, address);
  }
  await assert.rejects(to('https://hook.example/', '169.254.169.254', true), /may not name/);
  await assert.rejects(to('https://10.0.0.7/', '10.0.0.7'), /may not name/);
  await assert.rejects(to('http://localhost:1/', '10.0.0.7', true), /may not name/);
  for (const url of [
    'http://hook.example/',
    'ftp://hook.example/',
    'https://user:pw@hook.example/',
    'nonsense',
  ]) {
    assert.throws(() => new Webhook({ url }), { code: 'option_invalid' }, url);
  }
  assert.throws(() => new Webhook({ url: 'https://hook.example/', secret: 'short' }), {
    code: 'option_invalid',
  });
  assert.deepEqual(received, []);
});
