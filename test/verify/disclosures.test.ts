import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEntry, parseEntry } from 'indelible/event';
import { verifyDisclosure } from 'indelible/verify';
import { eventOf, SmallLog } from './small-log.ts';

const log = new SmallLog();
log.append(eventOf(1));
log.append(eventOf(2));
const { entry, disclosures } = log.rows[1]!;

test('each disclosure of an entry verifies, alone, and says what it discloses', () => {
  const fields = disclosures.map((text) => verifyDisclosure(entry, text));
  const values = Object.fromEntries(fields.map(({ path, value }) => [path, value]));
  assert.deepEqual(values, {
    '/actor/name': 'Name of u_1',
    '/actor/email': 'u_1@mail.example',
    '/targets/0/title': 'Title 1',
    '/reason': 'because 1',
    '/context': { ip: '192.0.2.7', requestId: 'r-1' },
  });
  const whose = Object.fromEntries(fields.map(({ path, subjects }) => [path, subjects]));
  assert.deepEqual(whose['/reason'], ['user/u_1', 'document/d_1']);
  assert.deepEqual(whose['/targets/0/title'], ['document/d_1']);
  const { event } = openEntry(parseEntry(entry), disclosures, 1);
  assert.equal(event.reason, values['/reason']);
});

test('a disclosure of another entry, or altered in any way, does not verify', () => {
  const [first = ''] = disclosures;
  const bad: Record<string, string> = {
    'another-entry': log.rows[2]!.disclosures[0]!,
    'other-value': first.replace('1"', '2"'),
    'other-salt': first.replace(/^\["./, '["_'),
    'a-space-more': first.replace(',', ', '),
    empty: '',
    'no-array': '{}',
    'half-a-pair': '\ud800',
  };
  for (const [mutation, text] of Object.entries(bad)) {
    assert.notEqual(text, first, mutation);
    assert.throws(
      () => verifyDisclosure(entry, text),
      { name: 'VerificationError', code: 'disclosure_unmatched' },
      mutation,
    );
  }
});

test('an entry that is none discloses nothing', () => {
  assert.throws(() => verifyDisclosure(new Uint8Array(3), disclosures[0]!), { code: 'malformed_entry' });
});
