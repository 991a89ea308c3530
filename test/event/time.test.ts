// Times: which are taken, how they are written, and which are refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from 'indelible/event';
import { recordSample, refusalOf, sampleNow, sampleWith } from './sample.ts';

const late = Date.UTC(9999, 0, 1);
const written = (occurredAt: unknown, now = sampleNow): string =>
  recordSample(sampleWith({ occurredAt }), { now }).entry.occurredAt;
const refusedAs = (occurredAt: unknown): string => refusalOf(sampleWith({ occurredAt }), { now: late }).code;

test('any offset is taken, and written in UTC with milliseconds', () => {
  const cases = [
    ['2026-01-31T12:34:56.789Z', '2026-01-31T12:34:56.789Z'],
    ['2026-01-31T12:34:56Z', '2026-01-31T12:34:56.000Z'],
    ['2026-01-31t12:34:56.7z', '2026-01-31T12:34:56.700Z'],
    ['2026-01-31T12:34:56.78Z', '2026-01-31T12:34:56.780Z'],
    ['2026-01-31T12:34:56.789000000Z', '2026-01-31T12:34:56.789Z'],
    ['2026-01-01T00:30:00+01:00', '2025-12-31T23:30:00.000Z'],
    ['2025-12-31T23:30:00.5-01:00', '2026-01-01T00:30:00.500Z'],
    ['2026-01-31T12:34:56-00:00', '2026-01-31T12:34:56.000Z'],
    ['2026-01-31T12:34:56+23:59', '2026-01-30T12:35:56.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['0099-12-31T23:59:59.999Z', '0099-12-31T23:59:59.999Z'],
    ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
  ] as const;
  for (const [given, expected] of cases) assert.equal(written(given), expected);
  assert.equal(
    written('9999-12-31T23:59:59.999Z', Date.UTC(9999, 11, 31, 23, 59)),
    '9999-12-31T23:59:59.999Z',
  );
});

test('a Date is taken, of this realm or another', () => {
  assert.equal(written(new Date(0)), '1970-01-01T00:00:00.000Z');
  class LocalDate extends Date {}
  assert.equal(written(new LocalDate(86_400_000)), '1970-01-02T00:00:00.000Z');
});

test('what is no time, or does not exist, is refused', () => {
  const refused = [
    ...[
      '',
      'now',
      '2026',
      '2026-01-31',
      '2026-01-31T12:34:56',
      '2026-01-31 12:34:56Z',
      '2026-01-31T12:34Z',
      '2026-1-31T12:34:56Z',
    ],
    ...[
      '2026-01-31T12:34:56.Z',
      '2026-01-31T12:34:56,789Z',
      '2026-01-31T12:34:56+01',
      '2026-01-31T12:34:56+0100',
      '+02026-01-31T12:34:56Z',
    ],
    ...[
      '2026-01-31T12:34:56.789ZZ',
      ' 2026-01-31T12:34:56Z',
      '2026-01-31T12:34:56Z ',
      '2026-01-31T12:34:56Z\n',
      '２０２６-01-31T12:34:56Z',
    ],
    ...[
      '2026-00-31T12:34:56Z',
      '2026-13-01T12:34:56Z',
      '2026-01-00T12:34:56Z',
      '2026-01-32T12:34:56Z',
      '2026-04-31T12:34:56Z',
    ],
    ...[
      '2026-02-29T12:34:56Z',
      '1900-02-29T12:34:56Z',
      '2026-01-31T24:00:00Z',
      '2026-01-31T12:60:00Z',
      '2026-01-31T12:00:61Z',
    ],
    ...[
      '2016-12-31T23:59:60Z',
      '2016-12-31T23:59:60.5Z',
      '2026-01-31T12:34:56+24:00',
      '2026-01-31T12:34:56+01:60',
    ],
    ...[
      '2026-01-31T12:34:56.7891Z',
      '2026-01-31T12:34:56.0000001Z',
      '0000-01-01T00:00:00+00:01',
      `2026-01-31T12:34:56.${'0'.repeat(40)}Z`,
    ],
    ...[
      '2026-01-31T12:34:5xZ',
      '2026-01-31T1x:34:56Z',
      '2026-01-3xT12:34:56Z',
      '2026-01-31T12:34:56.7x9Z',
      '2026-01-31T12:34:56+0x:00',
    ],
  ];
  for (const text of refused) assert.equal(refusedAs(text), 'event_time_invalid', text);
  for (const value of [
    0,
    sampleNow,
    null,
    true,
    {},
    [],
    new Date(Number.NaN),
    new Date(8.64e15),
    new Date(-62_167_219_200_001),
  ]) {
    assert.equal(refusedAs(value), 'event_time_invalid', String(value));
  }
});

test('the refusal says what is wrong', () => {
  const says = (occurredAt: string) => refusalOf(sampleWith({ occurredAt })).message;
  assert.match(says('2016-12-31T23:59:60Z'), /leap second/);
  assert.match(says('2026-02-29T12:34:56Z'), /calendar/);
  assert.match(says('2026-01-31T12:34:56.7891Z'), /finer than a millisecond/);
  assert.match(says('2026-01-31T12:34:56'), /RFC 3339/);
  assert.equal(refusalOf(sampleWith({ occurredAt: '' })).pointer, '/occurredAt');
});

test('up to five minutes ahead of the log’s clock, and not a millisecond more', () => {
  const ahead = (ms: number) => new Date(sampleNow + ms);
  assert.equal(limits.futureMsMax, 5 * 60_000);
  assert.equal(written(ahead(limits.futureMsMax)), ahead(limits.futureMsMax).toISOString());
  const refused = refusalOf(sampleWith({ occurredAt: ahead(limits.futureMsMax + 1) }));
  assert.deepEqual([refused.code, refused.pointer], ['event_time_future', '/occurredAt']);
  // An offset does not help.
  assert.equal(refusalOf(sampleWith({ occurredAt: '2026-01-31T12:42:00-00:01' })).code, 'event_time_future');
  assert.equal(written('1066-10-14T09:00:00Z'), '1066-10-14T09:00:00.000Z');
});

test('times agree with the platform on every day of the calendar', () => {
  fc.assert(
    fc.property(
      fc.date({
        min: new Date('0000-01-02T00:00:00.000Z'),
        max: new Date('9999-12-30T00:00:00.000Z'),
        noInvalidDate: true,
      }),
      fc.integer({ min: -1439, max: 1439 }),
      (date, offset) => {
        assert.equal(written(date, late * 2), date.toISOString());
        const sign = offset < 0 ? '-' : '+';
        const pad = (value: number) => String(Math.floor(Math.abs(value))).padStart(2, '0');
        const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
        assert.equal(
          written(`${local}${sign}${pad(offset / 60)}:${pad(offset % 60)}`, late * 2),
          date.toISOString(),
        );
      },
    ),
  );
});
