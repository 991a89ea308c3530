// Calls that JavaScript lets through and no type would: each is refused at the door, with a stable code.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, type Log, verifyLog } from 'indelible';
import { temporaryFolder } from '../support/folders.ts';

/** The log as untyped code sees it. */
type Untyped = Readonly<Record<string, (...given: unknown[]) => unknown>>;

async function all(iterable: unknown): Promise<unknown[]> {
  const found = [];
  for await (const item of iterable as AsyncIterable<unknown>) found.push(item);
  return found;
}

const deep = () => {
  let filter: object = { kind: 'all', filters: [] };
  for (let depth = 0; depth < 10_000; depth += 1) filter = { kind: 'not', filter };
  return filter;
};

const calls: Readonly<Record<string, readonly [code: string, call: (log: Untyped) => unknown]>> = {
  'record()': ['event_field_invalid', (log) => log['record']!()],
  'recordMany(null)': ['argument_invalid', (log) => log['recordMany']!(null)],
  'recordMany(5)': ['argument_invalid', (log) => log['recordMany']!(5)],
  'get()': ['argument_invalid', (log) => log['get']!()],
  'get(5)': ['argument_invalid', (log) => log['get']!(5)],
  'prove()': ['argument_invalid', (log) => log['prove']!()],
  'prove({})': ['argument_invalid', (log) => log['prove']!({})],
  'query(null)': ['query_invalid', (log) => all(log['query']!(null))],
  'query({bogus})': ['query_invalid', (log) => all(log['query']!({ bogus: 1 }))],
  'query(a field that is none)': [
    'query_invalid',
    (log) => all(log['query']!({ kind: 'word', field: 'x', value: '', prefix: true })),
  ],
  'query(a filter without end)': ['query_invalid', (log) => all(log['query']!(deep()))],
  "query('', null)": ['argument_invalid', (log) => all(log['query']!('', null))],
  'entries({from: -1})': ['argument_invalid', (log) => all(log['entries']!({ from: -1 }))],
  "entries({to: 'x'})": ['argument_invalid', (log) => all(log['entries']!({ to: 'x' }))],
  'verify(null)': ['argument_invalid', (log) => log['verify']!(null)],
  'verify({held: [null]})': ['argument_invalid', (log) => log['verify']!({ held: [null] })],
  "verify({depth: 'x'})": ['option_invalid', (log) => log['verify']!({ depth: 'x' })],
  'verify({threads: -1})': ['option_invalid', (log) => log['verify']!({ threads: -1 })],
  'backup()': ['argument_invalid', (log) => log['backup']!()],
  'verifyLog()': ['argument_invalid', () => (verifyLog as unknown as () => unknown)()],
};

test('calls with what no type allows are refused with a code, and the log goes on', async (t) => {
  const dir = join(temporaryFolder(t), 'log');
  await using log: Log = await createLog(dir, { origin: 'example.com/doors', thread: 'caller' });
  for (const [what, [code, call]] of Object.entries(calls)) {
    await assert.rejects(async () => call(log as unknown as Untyped), { code }, what);
  }
  await log.record({ action: 'door.opened', actor: { type: 'user', id: 'u_1' } });
  assert.equal((await log.verify()).ok, true);
});
