import assert from 'node:assert/strict';
import { utf8Encode } from 'indelible/bytes';
import {
  type AuditEvent,
  type Entry,
  EventError,
  entryText,
  type OpenedEntry,
  openEntry,
  type PrepareOptions,
  parseEntry,
  prepareEvent,
  sealDraft,
} from 'indelible/event';

/** An event with something of everything that is sealed. */
export const sampleEvent: AuditEvent = {
  id: 'evt-1',
  action: 'user.role_changed',
  actor: {
    type: 'user',
    id: 'u_42',
    name: 'Jane Doe',
    email: 'jane@example.com',
    onBehalfOf: { type: 'user', id: 'u_7', name: 'Max Power' },
  },
  targets: [
    { type: 'user', id: 'u_77', name: 'John Roe' },
    { type: 'team', id: 't_3', name: 'Platform' },
  ],
  occurredAt: '2026-01-31T12:34:56.789Z',
  severity: 'high',
  correlationId: 'req-8f3a2c',
  causationId: 'evt-0',
  changes: [{ path: '/role', from: 'member', to: 'admin' }],
  context: { ip: '203.0.113.9', userAgent: 'Mozilla/5.0', requestId: 'req_8f3a2c', sessionId: 's_1' },
  reason: 'Promoted to team lead',
  error: { code: 'E42', message: 'first attempt failed' },
  labels: { env: 'production' },
  metadata: { plan: 'pro', seats: 12, invoice: { number: 'INV-9', amount: 12.5 } },
};

/** A minute after the sample event. */
export const sampleNow = Date.parse('2026-01-31T12:35:56.789Z');

/** When a log took the sample. */
export const sampleRecordedAt = '2026-01-31T12:35:56.790Z';

export const sampleOptions: PrepareOptions = {
  id: '018f3a2c-0000-7000-8000-000000000000',
  occurredAt: '2026-01-31T12:35:56.789Z',
  now: sampleNow,
  source: { service: 'web', instance: '018f3a2c-0000-7000-8000-000000000001', seq: 12 },
  personalIds: 'refuse',
};

/** Bytes that differ from call to call and are the same in every run: 16 of them never come again. */
export function countingRandom(start = 0): (length: number) => Uint8Array {
  let next = start;
  return (length) => Uint8Array.from({ length }, () => (next++ * 167 + (next >> 8) * 31) & 0xff);
}

/** Everything that becomes of an event on its way into a log. */
export interface Recorded {
  readonly draft: string;
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly disclosures: readonly string[];
  readonly entry: Entry;
}

/** Records an event, as a log would. */
export function recordSample(event: unknown, options: Partial<PrepareOptions> = {}): Recorded {
  const draft = prepareEvent(event, { ...sampleOptions, ...options });
  const sealed = sealDraft(draft, countingRandom());
  const text = entryText(sealed, sampleRecordedAt);
  const bytes = utf8Encode(text);
  return { draft, text, bytes, disclosures: sealed.disclosures, entry: parseEntry(bytes) };
}

/** Records an event and reads it back. */
export function readBack(event: unknown, options: Partial<PrepareOptions> = {}): OpenedEntry {
  const { entry, disclosures } = recordSample(event, options);
  return openEntry(entry, disclosures, 5);
}

/** A copy of the sample with other fields; a field that is undefined is left out. */
export function sampleWith(fields: Record<string, unknown>): Record<string, unknown> {
  return { ...sampleEvent, ...fields };
}

/** The refusal of an event. Fails where the event is accepted, or refused by anything but an EventError. */
export function refusalOf(event: unknown, options: Partial<PrepareOptions> = {}): EventError {
  try {
    prepareEvent(event, { ...sampleOptions, ...options });
  } catch (error) {
    assert.ok(error instanceof EventError, `refused by ${error}`);
    return error;
  }
  return assert.fail('The event was accepted.');
}
