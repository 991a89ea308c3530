// examples/saas while its log is away: what is critical does not happen, and what is not waits on the disk.

import assert from 'node:assert/strict';
import test from 'node:test';
import { LogError } from 'indelible';
import type { AuditLog } from 'indelible/recorder';
import { openRecorder } from 'indelible/recorder';
import { expectRecorded, openMemoryLog } from 'indelible/testing';
import { openAccounts } from '../../examples/saas/accounts.ts';
import { createApp } from '../../examples/saas/app.ts';
import { type Audit, events } from '../../examples/saas/audit.ts';
import { openStore } from '../../examples/saas/store.ts';
import { temporaryFolder } from '../support/folders.ts';

test('an invoice is not voided while that cannot be recorded; signing in and out goes on', async (t) => {
  const memory = await openMemoryLog();
  t.after(() => memory.close());
  let isAway = false;
  const log: AuditLog = {
    record: async (event) => {
      if (isAway) throw new LogError('unreachable', 'the store is away', { retryable: true });
      return memory.record(event);
    },
  };
  const recorder = await openRecorder(log, {
    spool: temporaryFolder(t),
    actions: events.onFailure,
    warn: () => {},
  });
  t.after(() => recorder.close());
  const { db, close } = openStore(':memory:');
  t.after(close);
  const origin = 'http://127.0.0.1:4050';
  const accounts = openAccounts({ db, log: recorder, origin, secret: 'a secret of the test, long enough' });
  const audit = {
    log: recorder,
    record: events.bind<AuditLog>(recorder).record,
    createLog: async () => memory.vkey,
  } as unknown as Audit;
  const app = createApp({ db, accounts, audit, origin, auditOrigin: origin });
  let cookie = '';
  const post = async (path: string, form: Record<string, string>) => {
    const headers = { origin, cookie };
    const answer = await app.request(`${origin}${path}`, {
      method: 'POST',
      headers,
      body: new URLSearchParams(form),
    });
    const [set] = answer.headers.getSetCookie();
    cookie = set?.split(';')[0] ?? cookie;
    return answer.status;
  };
  const list = async () => (await app.request(`${origin}/`, { headers: { cookie } })).text();
  const ada = { email: 'ada@example.com', password: 'correct horse battery' };
  assert.equal(await post('/sign-up', { company: 'Acme', name: 'Ada', ...ada }), 303);
  const [id] = /\bin_[0-9a-f]{8}\b/.exec(await list())!;

  isAway = true;
  assert.equal(await post(`/invoices/${id}/void`, { reason: 'Sent twice.' }), 503);
  assert.equal((await list()).match(/class="state open"/g)?.length, 3);
  assert.equal(await post('/sign-out', {}), 303);
  assert.equal(await post('/sign-in', ada), 303);
  assert.ok(recorder.spooled >= 2);
  isAway = false;
  assert.equal(await post(`/invoices/${id}/void`, { reason: 'Sent twice.' }), 303);
  assert.equal((await list()).match(/class="state open"/g)?.length, 2);
  const voided = { action: 'invoice.voided', reason: 'Sent twice.', targets: [`invoice/${id}`] } as const;
  await expectRecorded(memory, voided, { times: 1 });
  await expectRecorded(memory, { action: 'user.signed_out' }, { waitMs: 8000 });
  assert.equal(await post(`/invoices/${id}/void`, { reason: 'Again.' }), 404, 'it is void already');
});
