import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, context as otel, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api';
import {
  asActor,
  currentActor,
  currentContext,
  onBehalfOf,
  parseTraceparent,
  runInContext,
  setActor,
  withoutContext,
} from 'indelible/context';
import { openMemoryLog, recordedEvents } from 'indelible/testing';

const ada = { type: 'user', id: 'u_1' };
const agent = { type: 'agent', id: 'a_1' };

test('an event takes from its context what it leaves out; what it says itself wins, field by field', async () => {
  const log = await openMemoryLog();
  const context = { ip: '192.0.2.7', userAgent: 'suite/1', requestId: 'r-1' };
  await runInContext({ actor: ada, context, source: { service: 'billing', version: '3' } }, async () => {
    await sleep(1);
    await log.record({ action: 'a.one' });
    await log.record({ action: 'a.two', actor: agent, context: { ip: '203.0.113.1', sessionId: 's-1' } });
    await log.recordMany([{ action: 'a.three' }]);
    await withoutContext(() => log.record({ action: 'a.four', actor: agent }));
  });
  const [one, two, three, four] = await recordedEvents(log);
  assert.deepEqual([one?.actor, one?.context], [ada, context]);
  assert.deepEqual([one?.source.service, one?.source.version], ['billing', '3']);
  assert.deepEqual(two?.context, { ...context, ip: '203.0.113.1', sessionId: 's-1' });
  assert.deepEqual(two?.actor, agent);
  assert.deepEqual(three?.context, context);
  assert.deepEqual([four?.context, four?.source.service], [undefined, 'app']);
  await log.close();
});

test('what a log was told when it was opened wins over the part of the application', async () => {
  const log = await openMemoryLog({ service: 'told', version: '1' });
  await runInContext({ actor: ada, source: { service: 'billing', version: '3' } }, () =>
    log.record({ action: 'a.b' }),
  );
  const [event] = await recordedEvents(log);
  assert.deepEqual([event?.source.service, event?.source.version], ['told', '1']);
});

test('without an actor, its own or around it, an event is refused', async () => {
  const log = await openMemoryLog();
  await assert.rejects(log.record({ action: 'a.b' }), { code: 'event_field_missing' });
  await assert.rejects(
    runInContext({ context: { ip: '192.0.2.7' }, actor: () => undefined }, () =>
      log.record({ action: 'a.b' }),
    ),
    { code: 'event_field_missing' },
  );
});

test('actors nest: jobs, agents, impersonation; outside, nothing is left', async () => {
  const log = await openMemoryLog();
  await runInContext({ actor: ada, context: { ip: '192.0.2.7' } }, async () => {
    await asActor(agent, async () => {
      await onBehalfOf(ada, () => log.record({ action: 'a.b' }));
      assert.deepEqual(currentActor(), agent);
    });
    assert.deepEqual(currentActor(), ada);
  });
  assert.equal(currentContext(), undefined);
  const [event] = await recordedEvents(log);
  assert.deepEqual(event?.actor, { ...agent, onBehalfOf: ada });
  assert.deepEqual(event?.context, { ip: '192.0.2.7' }, 'an agent acts in the request that called it');
  assert.throws(() => onBehalfOf(ada, () => {}), { code: 'argument_invalid' });
  const both = { ...agent, onBehalfOf: ada };
  assert.throws(() => asActor(both, () => onBehalfOf(ada, () => {})), { code: 'argument_invalid' });
});

test('who acts may become known while a request lasts, and in that request alone', async () => {
  await Promise.all([
    runInContext({}, async () => {
      await sleep(1);
      setActor(ada);
      await sleep(3);
      assert.deepEqual(currentActor(), ada);
    }),
    runInContext({}, async () => {
      await sleep(2);
      assert.equal(currentActor(), undefined);
    }),
  ]);
  assert.throws(() => setActor(ada), { code: 'argument_invalid' });
});

test('a thousand requests at once keep their actors, through timers, promises and streams of events', async () => {
  const log = await openMemoryLog();
  await Promise.all(
    Array.from({ length: 1000 }, (_, n) =>
      runInContext({ actor: { type: 'user', id: `u_${n}` }, context: { requestId: `r-${n}` } }, async () => {
        await sleep(n % 7);
        await new Promise((resolve) => setImmediate(resolve));
        await log.record({ action: 'a.b', metadata: n });
      }),
    ),
  );
  const events = await recordedEvents(log);
  assert.equal(events.length, 1000);
  for (const { actor, context, metadata } of events) {
    assert.deepEqual([actor.id, context?.['requestId']], [`u_${metadata}`, `r-${metadata}`]);
  }
});

test('a repeat from another request is a repeat; what the caller wrote still tells one event from another', async () => {
  const log = await openMemoryLog();
  const inRequest = (requestId: string, event: object = {}) =>
    runInContext({ actor: ada, context: { requestId, ip: `192.0.2.${requestId.length}` } }, () =>
      log.record({ id: 'webhook-1', action: 'a.b', ...event }),
    );
  const first = await inRequest('r');
  const again = await inRequest('r-22');
  assert.deepEqual([again.index, again.leafHash], [first.index, first.leafHash]);
  await assert.rejects(inRequest('r', { context: { ip: '203.0.113.9' } }), { code: 'id_conflict' });
  await assert.rejects(inRequest('r', { reason: 'another' }), { code: 'id_conflict' });
  await assert.rejects(inRequest('r', { actor: agent }), { code: 'id_conflict' });
  const own = () => log.record({ id: 'own', action: 'a.b', actor: ada, context: { ip: '192.0.2.1' } });
  await own();
  await assert.rejects(log.record({ id: 'own', action: 'a.b', actor: ada, context: { ip: '192.0.2.2' } }), {
    code: 'id_conflict',
  });
});

test('a context that is none is refused', () => {
  assert.throws(() => runInContext({ user: ada } as never, () => {}), { code: 'argument_invalid' });
  assert.throws(() => runInContext(null as never, () => {}), { code: 'argument_invalid' });
  assert.throws(() => runInContext({ context: { 'a,b': 1 } }, () => {}), { code: 'argument_invalid' });
  const many = Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`f${n}`, n]));
  assert.throws(() => runInContext({ context: many }, () => {}), { code: 'argument_invalid' });
});

test('events that cannot be read are refused as ever', async () => {
  const log = await openMemoryLog();
  const trap = {
    action: 'a.b',
    get reason(): string {
      throw new Error('trap');
    },
  };
  await runInContext({ actor: ada, context: { ip: '192.0.2.7' } }, async () => {
    await assert.rejects(log.record(trap), { code: 'event_value_invalid' });
    await assert.rejects(log.record(null as never), { code: 'event_field_invalid' });
    await assert.rejects(log.record({ action: 'a.b', context: 'text' as never }), {
      code: 'event_field_invalid',
    });
  });
});

describe('traceparent (W3C Trace Context)', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const spanId = '00f067aa0ba902b7';
  test('is read as the specification has it', () => {
    assert.deepEqual(parseTraceparent(`00-${traceId}-${spanId}-01`), { traceId, spanId });
    assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-01-what-comes`), { traceId, spanId });
  });
  const wrong = {
    'in capitals': `00-${traceId.toUpperCase()}-${spanId}-01`,
    'version ff': `ff-${traceId}-${spanId}-01`,
    'no trace': `00-${'0'.repeat(32)}-${spanId}-01`,
    'no span': `00-${traceId}-${'0'.repeat(16)}-01`,
    'version 00 with more': `00-${traceId}-${spanId}-01-more`,
    short: `00-${traceId.slice(1)}-${spanId}-01`,
    'two of them': `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    spaces: ` 00-${traceId}-${spanId}-01`,
    empty: '',
  };
  for (const [name, header] of Object.entries(wrong)) {
    test(`${name}: there is no trace`, () => assert.equal(parseTraceparent(header), undefined));
  }
});

test('the active span of OpenTelemetry is the one that an event bears', async (t) => {
  const storage = new AsyncLocalStorage<Context>();
  otel.setGlobalContextManager({
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (context, work, self, ...rest) => storage.run(context, () => work.call(self as never, ...rest)),
    bind: (_context, target) => target,
    enable: () => otel as never,
    disable: () => otel as never,
  });
  t.after(() => otel.disable());
  const log = await openMemoryLog();
  const spanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
  const inSpan = <T>(span: Span, work: () => T): T => otel.with(trace.setSpan(ROOT_CONTEXT, span), work);
  await runInContext(
    { actor: ada, context: { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) } },
    async () => {
      await inSpan(trace.wrapSpanContext(spanContext), () => log.record({ action: 'a.one' }));
      await inSpan({ spanContext: () => ({ traceId: 'nonsense' }) } as never, () =>
        log.record({ action: 'a.two' }),
      );
    },
  );
  await inSpan(trace.wrapSpanContext(spanContext), () => log.record({ action: 'a.three', actor: ada }));
  const [one, two, three] = await recordedEvents(log);
  const active = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
  assert.deepEqual(one?.context, active);
  assert.deepEqual(two?.context, { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16) });
  assert.deepEqual(three?.context, active);
});

test('where the runtime carries no context there is none to read, and entering one throws', async () => {
  const { createContextStorage } = await import('#dist/context/storage-portable.js');
  const storage = createContextStorage<object>();
  assert.equal(storage.getStore(), undefined);
  assert.throws(() => storage.run({}, () => {}), { code: 'context_unavailable' });
});
