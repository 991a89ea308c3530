// The wrappers as Next.js calls them: functions from Request to Response, and server actions that throw what `next/navigation`
// throws. No Next.js server runs here: building an application of it takes longer than all of these tests.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditNext } from 'indelible/next';
import { expectNotRecorded, expectRecorded, openMemoryLog } from 'indelible/testing';
import { redirect } from 'next/navigation.js';

const from = (headers: Record<string, string>) => new Headers(headers);

test('a route handler: context, call, and no address unless it is said how many proxies there are', async () => {
  const log = await openMemoryLog();
  const audit = auditNext({
    log,
    calls: { body: ['amount'] },
    actor: (headers) => {
      const user = headers.get('x-user');
      return user === null ? undefined : { type: 'user', id: user };
    },
  });
  const POST = audit.route(
    '/invoices/[id]',
    async (request: Request, { params }: { params: Promise<{ id: string }> }) => {
      const { amount } = (await request.json()) as { amount: number };
      await log.record({ action: 'invoice.voided', metadata: { amount } });
      return Response.json({ id: (await params).id }, { status: 201 });
    },
  );
  const request = new Request('http://localhost/invoices/in_7', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'content-length': '12',
      'x-user': 'u_1',
      'x-forwarded-for': '203.0.113.9',
    },
    body: '{"amount":5}',
  });
  const answer = await POST(request, { params: Promise.resolve({ id: 'in_7' }) });
  assert.deepEqual([answer.status, await answer.json()], [201, { id: 'in_7' }]);
  const own = await expectRecorded(log, { action: 'invoice.voided', actor: 'user/u_1' });
  const route = '/invoices/[id]';
  const call = await expectRecorded(log, {
    action: 'api.called',
    metadata: { route, status: 201, body: { amount: 5 } },
  });
  assert.deepEqual(own.context, call.context);
  assert.equal(own.context?.['ip'], undefined);
});

test('attack 36: behind one proxy the address that it has appended counts', async () => {
  const log = await openMemoryLog();
  const audit = auditNext({ log, calls: {}, trustedProxies: 1 });
  const POST = audit.route('/x', async () => new Response(null, { status: 204 }));
  const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' };
  await POST(new Request('http://localhost/x', { method: 'POST', headers }));
  await expectRecorded(log, { action: 'api.called', context: { ip: '203.0.113.9' } });
  assert.throws(() => auditNext({ log, trustedProxies: ['10.0.0.0/8'] as never }), {
    code: 'option_invalid',
  });
});

test('a server action: its name, its form by allow-list, and a redirect that is no failure', async () => {
  const log = await openMemoryLog();
  const headers = async () => from({ 'user-agent': 'suite/1' });
  const audit = auditNext({ log, headers, calls: { body: ['amount'] } });
  const voidInvoice = audit.action('voidInvoice', async (_form: FormData) => redirect('/done'));
  const form = new FormData();
  form.set('amount', '5');
  form.set('password', 'hidden');
  await assert.rejects(voidInvoice(form), /NEXT_REDIRECT/);
  const event = await expectRecorded(log, {
    action: 'api.called',
    outcome: 'success',
    targets: ['route/ACTION voidInvoice'],
    metadata: { status: 303, body: { amount: '5' } },
    context: { userAgent: 'suite/1' },
  });
  assert.doesNotMatch(JSON.stringify(event), /hidden/);
});

test('what throws is a failure, and thrown on; what cannot be recorded is 503', async () => {
  const log = await openMemoryLog();
  const audit = auditNext({ log, calls: {}, headers: () => from({}) });
  const broken = audit.action('broken', async () => {
    throw new RangeError('secret-detail');
  });
  await assert.rejects(broken(), /secret-detail/);
  const event = await expectRecorded(log, { outcome: 'failure', error: { code: 'RangeError' } });
  assert.doesNotMatch(JSON.stringify(event), /secret-detail/);
  await expectNotRecorded(log, { outcome: 'success' });
  await log.close();
  const POST = audit.route('/x', () => new Response('done'));
  const answer = await POST(new Request('http://localhost/x', { method: 'POST' }));
  assert.deepEqual([answer.status, (await answer.json()).code], [503, 'not_recorded']);
  await assert.rejects(audit.action('late', async () => 1)(), { code: 'closed' });
});
