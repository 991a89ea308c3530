// What every integration must do, over real HTTP, in the same words: each framework says how it starts the same application.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from 'indelible';
import type { AuditLog, CallRules } from 'indelible/express';
import { openRecorder } from 'indelible/recorder';
import { expectNotRecorded, expectRecorded, openMemoryLog, recordedEvents } from 'indelible/testing';
import { temporaryFolder } from '../support/folders.ts';

/** What an application under test is started with. */
export interface AppOptions {
  readonly log: AuditLog;
  readonly calls?: CallRules;
  readonly trustedProxies?: readonly string[];
  readonly warn?: (message: string) => void;
}

/** An application that listens on 127.0.0.1. */
export interface App {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the application of the suite. Its routes: `POST /orgs/:org/invoices/:id` records `invoice.voided` after a pause and
 * answers 201; `GET` of the same answers 200; `POST /denied` 403, `/broken` throws, `/moved` redirects, `/streamed` streams three
 * parts, `/slow` answers after a second. Who acts stands in the header `x-user`.
 */
export type StartApp = (options: AppOptions) => Promise<App>;

const json = { 'content-type': 'application/json' };
const rules: CallRules = { body: ['amount', 'customer', 'note'], query: ['dry'], skip: ['POST /healthy'] };

async function started(t: TestContext, start: StartApp, options: Partial<AppOptions> = {}) {
  const memory = await openMemoryLog();
  const app = await start({ log: memory, calls: rules, ...options });
  t.after(async () => {
    await app.close();
    await memory.close();
  });
  const post = (path: string, init: RequestInit = {}) =>
    fetch(`${app.url}${path}`, { method: 'POST', redirect: 'manual', ...init });
  return { app, post, log: memory };
}

const calls = async (log: Log) => (await recordedEvents(log)).filter(({ action }) => action === 'api.called');

/** The suite for one framework. */
export function frameworkSuite(name: string, start: StartApp): void {
  describe(name, () => {
    test('a call and what it records: who, from where, in which request, with which outcome', async (t) => {
      const { post, log } = await started(t, start);
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      const answer = await post('/orgs/acme/invoices/in_7?dry=yes&token=hidden', {
        headers: {
          ...json,
          'x-user': 'u_1',
          'user-agent': 'suite/1',
          authorization: 'Bearer secret-credential',
          cookie: 'session=secret-cookie',
          traceparent: `00-${trace}-00f067aa0ba902b7-01`,
        },
        body: JSON.stringify({
          amount: 5,
          customer: { id: 'c_1', password: 'secret-word' },
          other: 'unlisted',
        }),
      });
      assert.equal(answer.status, 201);
      const own = await expectRecorded(log, { action: 'invoice.voided', actor: 'user/u_1' });
      const call = await expectRecorded(log, {
        action: 'api.called',
        actor: 'user/u_1',
        outcome: 'success',
        targets: ['route/POST /orgs/:org/invoices/:id'],
        metadata: {
          method: 'POST',
          route: '/orgs/:org/invoices/:id',
          status: 201,
          query: { dry: 'yes' },
          body: { amount: 5, customer: { id: 'c_1' } },
        },
        context: {
          ip: '127.0.0.1',
          peer: '127.0.0.1',
          userAgent: 'suite/1',
          traceId: trace,
          spanId: '00f067aa0ba902b7',
        },
      });
      assert.deepEqual(own.context, call.context, 'both are of one request');
      assert.match(String(own.context?.['requestId']), /^[0-9a-f-]{36}$/);
      assert.ok(Number((call.metadata as { durationMs: number }).durationMs) >= 10);
      const all = JSON.stringify(await recordedEvents(log));
      assert.doesNotMatch(all, /secret|hidden|unlisted|acme|in_7/);
    });

    test('statuses become outcomes: success, denied, failure; what throws is what it was', async (t) => {
      const { post, log } = await started(t, start);
      assert.equal((await post('/denied')).status, 403);
      assert.equal((await post('/broken')).status, 500);
      assert.equal((await post('/moved')).status, 303);
      for (const [route, outcome, status] of [
        ['/denied', 'denied', 403],
        ['/broken', 'failure', 500],
        ['/moved', 'success', 303],
      ] as const) {
        const actor = 'anonymous/anonymous';
        await expectRecorded(
          log,
          { action: 'api.called', actor, outcome, metadata: { route, status } },
          { times: 1 },
        );
      }
    });

    test('a streamed answer is whole, and its call recorded once', async (t) => {
      const { post, log } = await started(t, start);
      assert.equal(await (await post('/streamed')).text(), 'one two three');
      await expectRecorded(log, { action: 'api.called', metadata: { route: '/streamed' } }, { times: 1 });
    });

    test('what is not a change, skipped, or nobody’s route is not recorded by default; HEAD and OPTIONS are answered', async (t) => {
      const { app, post, log } = await started(t, start);
      assert.equal((await fetch(`${app.url}/orgs/acme/invoices/in_7`)).status, 200);
      assert.equal((await fetch(`${app.url}/orgs/acme/invoices/in_7`, { method: 'HEAD' })).status, 200);
      await fetch(`${app.url}/orgs/acme/invoices/in_7`, { method: 'OPTIONS' });
      assert.equal((await post('/nowhere/at/all')).status, 404);
      await post('/healthy');
      await post('/denied');
      await expectRecorded(log, { action: 'api.called', metadata: { route: '/denied' } });
      await expectNotRecorded(log, { action: 'api.called', outcome: 'success' });
      assert.equal((await calls(log)).length, 1);
    });

    test('by other rules they are: all methods but OPTIONS, and no URL where there is no route', async (t) => {
      const { app, post, log } = await started(t, start, { calls: { record: 'all', unmatched: true } });
      await fetch(`${app.url}/orgs/acme/invoices/in_7`);
      await fetch(`${app.url}/orgs/acme/invoices/in_7`, { method: 'HEAD' });
      await fetch(`${app.url}/orgs/acme/invoices/in_7`, { method: 'OPTIONS' });
      await post('/nowhere/for/u_1@example.com');
      const route = '/orgs/:org/invoices/:id';
      await expectRecorded(log, { metadata: { method: 'GET', route } }, { times: 1 });
      await expectRecorded(log, { metadata: { method: 'HEAD', route } }, { times: 1 });
      await expectRecorded(log, {
        outcome: 'denied',
        metadata: { method: 'POST', route: null, status: 404 },
      });
      await expectNotRecorded(log, { metadata: { method: 'OPTIONS' } });
      assert.doesNotMatch(JSON.stringify(await recordedEvents(log)), /acme|nowhere|example\.com/);
    });

    test('a client that goes away: how it ended is unknown, and told', async (t) => {
      const { app, log } = await started(t, start);
      const request = httpRequest(`${app.url}/slow`, { method: 'POST', headers: { 'content-length': 0 } });
      request.on('error', () => {});
      request.end();
      await sleep(100);
      request.destroy();
      const expected = {
        action: 'api.called',
        outcome: 'unknown',
        metadata: { route: '/slow', isAborted: true },
      };
      await expectRecorded(log, expected, { times: 1, waitMs: 3000 });
    });

    test('attack 36: an address that a client writes itself is not believed', async (t) => {
      const { post, log } = await started(t, start);
      const headers = {
        'x-forwarded-for': '203.0.113.9',
        forwarded: 'for=203.0.113.9',
        'x-request-id': 'chosen',
      };
      await post('/denied', { headers });
      const { context } = await expectRecorded(log, { metadata: { route: '/denied' } });
      assert.equal(context?.['ip'], '127.0.0.1');
      assert.notEqual(context?.['requestId'], 'chosen');
    });

    test('attack 36: behind a trusted proxy the right-most address that is not one counts; the peer stays', async (t) => {
      const { post, log } = await started(t, start, { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
      const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9, 10.1.2.3', 'x-request-id': 'r-1' };
      await post('/denied', { headers });
      const context = { ip: '203.0.113.9', peer: '127.0.0.1', requestId: 'r-1' };
      await expectRecorded(log, { metadata: { route: '/denied' }, context });
    });

    test('headers that fit no rule make no record fail', async (t) => {
      const { app, log } = await started(t, start);
      const { hostname, port } = new URL(app.url);
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      const lines = [
        'POST /denied HTTP/1.1',
        `host: ${hostname}`,
        `user-agent: ${'x'.repeat(3000)}\xff`,
        'traceparent: 00-ABCDEF-1-01',
        'connection: close',
        'content-length: 0',
      ];
      socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
      socket.resume();
      await once(socket, 'close');
      const { context } = await expectRecorded(log, { metadata: { route: '/denied' } });
      assert.equal(String(context?.['userAgent']).length, 512);
      assert.equal(context?.['traceId'], undefined);
    });

    test('requests that run at once do not take each other for themselves', async (t) => {
      const { post, log } = await started(t, start);
      const users = Array.from({ length: 40 }, (_, n) => `u_${n}`);
      const posted = users.map((user) =>
        post(`/orgs/acme/invoices/${user}`, {
          headers: { ...json, 'x-user': user, 'user-agent': `agent-of-${user}` },
          body: JSON.stringify({ amount: 1 }),
        }),
      );
      for (const answer of await Promise.all(posted)) assert.equal(answer.status, 201);
      for (const user of users) {
        const actor = `user/${user}`;
        const context = { userAgent: `agent-of-${user}` };
        const own = await expectRecorded(log, { action: 'invoice.voided', actor, context }, { times: 1 });
        const call = await expectRecorded(log, { action: 'api.called', actor, context }, { times: 1 });
        assert.equal(own.context?.['requestId'], call.context?.['requestId']);
      }
    });

    test('an answer waits for its record, and is 503 where there is none', async (t) => {
      const failing: AuditLog = { record: async () => Promise.reject(new Error('the store is away')) };
      const { post } = await started(t, start, { log: failing, calls: {} });
      const answer = await post('/moved');
      assert.equal(answer.status, 503);
      assert.equal(((await answer.json()) as { code: string }).code, 'not_recorded');
      assert.equal(answer.headers.get('location'), null, 'nothing of the withheld answer is out');
    });

    test('with a recorder nothing waits: what fails goes to the spool, and from there into the log', async (t) => {
      const memory = await openMemoryLog();
      let isAway = true;
      const flaky: AuditLog = {
        record: (event) => (isAway ? Promise.reject(new Error('the store is away')) : memory.record(event)),
      };
      const recorder = await openRecorder(flaky, { spool: temporaryFolder(t), warn: () => {} });
      t.after(() => recorder.close());
      const { post } = await started(t, start, { log: recorder });
      assert.equal((await post('/moved', { headers: { 'x-user': 'u_9' } })).status, 303);
      while (recorder.spooled === 0) await sleep(5);
      isAway = false;
      const expected = { action: 'api.called', actor: 'user/u_9', context: { ip: '127.0.0.1' } };
      await expectRecorded(memory, expected, { times: 1, waitMs: 5000 });
    });
  });
}
