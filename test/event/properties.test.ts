// What holds for every event, not only for those that somebody thought of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalize,
  type JsonObject,
  type JsonValue,
  parseJson,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from 'indelible/bytes';
import {
  digestDisclosure,
  EventError,
  entryText,
  limits,
  openEntry,
  parseDisclosure,
  parseEntry,
  prepareEvent,
  sameEvent,
  sealDraft,
} from 'indelible/event';
import { readByPlatform } from '../support/platform-json.ts';
import { countingRandom, recordSample, sampleEvent, sampleOptions, sampleRecordedAt } from './sample.ts';

/** Names, among them those that objects inherit, and those that sort around `_sd`. */
const name = fc.oneof(
  { weight: 5, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '__proto__',
      'constructor',
      'toString',
      'A',
      '_',
      '_s',
      '_sdx',
      '..',
      '....',
      'id',
      'type',
      'zz',
      '',
      '"',
      '\\',
      '\u0000',
    ),
  },
);
const scalar = fc.oneof(
  fc.constantFrom(null, true, false, 0, -0, 1.5, -1e-7, 1e21, 2 ** 53 - 1, -(2 ** 53) + 1, ''),
  fc.integer(),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}));

const dictionary = (of: fc.Arbitrary<unknown>) => fc.dictionary(name, of, { maxKeys: 4 });
const option = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const identity = {
  type: fc.stringMatching(/^[a-z]{1,8}$/),
  id: fc.stringMatching(/^[^\u0000-\u001f\u007f-\u009f@\ud800-\udfff]{1,12}$/),
};
const party = fc
  .tuple(fc.record(identity), dictionary(value))
  .map(([who, attributes]) => mix(attributes, who, ['onBehalfOf']));
const actor = fc
  .tuple(party, option(party))
  .map(([who, onBehalfOf]) => (onBehalfOf === undefined ? who : { ...who, onBehalfOf }));

/** `who` with attributes of any other name. */
function mix(attributes: object, who: object, except: readonly string[]): Record<string, unknown> {
  const mixed: Record<string, unknown> = {};
  for (const [field, given] of Object.entries(attributes)) {
    if (!Object.hasOwn(who, field) && !except.includes(field))
      Object.defineProperty(mixed, field, {
        value: given,
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  return Object.assign(mixed, who);
}

const event = fc
  .record({
    id: fc.stringMatching(/^[A-Za-z0-9._:-]{1,20}$/),
    action: fc
      .stringMatching(/^[a-k][a-z_]{0,6}(\.[a-z_-]{1,6}){0,2}$/)
      .filter((action) => /^[a-z][a-z0-9_-]*(\.[a-z0-9][a-z0-9_-]*)*$/.test(action)),
    actor,
    targets: option(fc.array(party, { maxLength: 3 })),
    outcome: fc.constantFrom('success', 'failure', 'denied', 'unknown'),
    occurredAt: fc
      .date({ min: new Date(0), max: new Date('2026-01-01'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    severity: option(fc.constantFrom('info', 'critical')),
    correlationId: option(fc.constant('c-1')),
    changes: option(
      fc.array(fc.record({ path: fc.constantFrom('', '/a', '/a~1b'), from: value, to: value }), {
        maxLength: 3,
      }),
    ),
    context: option(dictionary(value)),
    reason: option(fc.string({ unit: 'grapheme' })),
    error: option(
      fc.record({ code: fc.string({ unit: 'grapheme' }), message: fc.string({ unit: 'grapheme' }) }),
    ),
    metadata: option(value),
  })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, given]) => given !== undefined)));

/** What an event means once it has been written: negative zero is zero, and undefined is absent. */
const written = (given: unknown): unknown => parseJson(canonicalize(given as JsonValue));

test('an event that is taken reads back as it was given', () => {
  fc.assert(
    fc.property(event, (given) => {
      const { text, entry, disclosures } = recordSample(given);
      assert.equal(canonicalize(readByPlatform(text) as JsonValue), text);
      const { event: read, fields, problems } = openEntry(entry, disclosures, 0);
      assert.deepEqual([problems, read.withheld], [[], []]);
      assert.equal(fields.length, disclosures.length);
      const expected = { targets: [], ...given };
      for (const [field, wanted] of Object.entries(expected)) {
        assert.deepEqual(written(read[field as 'metadata']), written(wanted), field);
      }
    }),
    { numRuns: 300 },
  );
});

test('an event repeats itself, and no other', () => {
  fc.assert(
    fc.property(event, event, fc.nat(), (given, other, seed) => {
      const { entry, disclosures } = recordSample(given);
      const draft = prepareEvent(given, sampleOptions);
      assert.equal(sameEvent(draft, entry, disclosures), true);
      const kept = disclosures.filter((_, index) => (seed >> (index % 30)) % 2 === 1);
      assert.equal(sameEvent(draft, entry, kept), true);
      const differs =
        canonicalize({ targets: [], ...(other as object), id: '' }) !==
        canonicalize({ targets: [], ...(given as object), id: '' });
      if (differs) assert.equal(sameEvent(prepareEvent(other, sampleOptions), entry, disclosures), false);
    }),
    { numRuns: 200 },
  );
});

test('clear and seals change where values stand, never what is read', () => {
  fc.assert(
    fc.property(event, fc.infiniteStream(fc.nat({ max: 5 })), (given, choices) => {
      const next = (): number => choices.next().value as number;
      const clear: string[] = [];
      const seals: { path: string; subjects: string[] }[] = [];
      const visit = (at: unknown, path: string): void => {
        const choice = next();
        if (choice === 0) clear.push(path);
        else if (choice === 1) seals.push({ path, subjects: ['user/u_9'] });
        if (choice === 1 || typeof at !== 'object' || at === null || Array.isArray(at)) return;
        for (const [step, inner] of Object.entries(at))
          if (next() < 2) visit(inner, `${path}/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      };
      for (const field of ['context', 'metadata', 'error', 'reason', 'changes'])
        if (given[field] !== undefined) visit(given[field], `/${field}`);
      fc.pre(clear.length <= limits.clearMax && seals.length <= limits.sealsMax);
      const planned = recordSample({ ...given, clear, seals });
      const plain = recordSample(given);
      const read = (of: typeof plain) => {
        const opened = openEntry(of.entry, of.disclosures, 0);
        assert.deepEqual(opened.problems, []);
        const { seals: _, ...rest } = opened.event;
        return rest;
      };
      assert.deepEqual(read(planned), read(plain));
      const { seals: named = [] } = planned.entry;
      assert.deepEqual(
        named.map(({ path }) => path),
        seals.map(({ path }) => path).sort(),
      );
    }),
    { numRuns: 200 },
  );
});

test('anything at all is taken, or refused by our error', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    withBoxedValues: true,
  });
  const check = (given: unknown): void => {
    try {
      recordSample(given);
    } catch (error) {
      assert.ok(error instanceof EventError, String((error as Error).stack));
    }
  };
  fc.assert(fc.property(anything, check), { numRuns: 500 });
  const field = fc.constantFrom(...Object.keys(sampleEvent), 'clear', 'seals', 'outcome');
  fc.assert(
    fc.property(field, anything, (name_, given) => check({ ...sampleEvent, [name_]: given })),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), anything, (name_, given) =>
      check({ ...sampleEvent, metadata: { [name_]: given } }),
    ),
    { numRuns: 500 },
  );
});

test('any bytes are an entry, or refused by our error', () => {
  const { bytes, disclosures } = recordSample(sampleEvent);
  const check = (given: Uint8Array): void => {
    try {
      const entry = parseEntry(given);
      assert.equal(canonicalize(entry), utf8Decode(given));
      openEntry(entry, disclosures, 0);
    } catch (error) {
      assert.ok(
        error instanceof VerificationError && error.code === 'malformed_entry',
        String((error as Error).stack),
      );
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check));
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (position, change) => {
      check(Uint8Array.from(bytes, (byte, index) => (index === position ? byte ^ change : byte)));
    }),
    { numRuns: 1000 },
  );
  const parsed = parseJson(utf8Decode(bytes)) as JsonObject;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(parsed), 'other'), value, (field, given) => {
      check(utf8Encode(canonicalize({ ...parsed, [field]: given })));
    }),
    { numRuns: 500 },
  );
});

test('any text is a disclosure, or refused by our error', () => {
  const piece = fc.constantFrom(
    '[',
    ']',
    '"',
    ',',
    'salt',
    'name',
    '{',
    '}',
    ':',
    '1',
    ' ',
    '_sd',
    '\ud800',
    '\\u0041',
    'null',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (text) => {
        try {
          parseDisclosure(text);
        } catch (error) {
          assert.ok(error instanceof VerificationError, String((error as Error).stack));
        }
        const { problems } = openEntry(recordSample(sampleEvent).entry, [text], 0);
        assert.equal(problems.length, 1);
      },
    ),
    { numRuns: 500 },
  );
});

test('whatever the randomness, digests are those of the disclosures and nothing else changes', () => {
  const draft = prepareEvent(sampleEvent, sampleOptions);
  fc.assert(
    fc.property(fc.nat(), (start) => {
      const sealed = sealDraft(draft, countingRandom(start));
      const text = entryText(sealed, sampleRecordedAt);
      for (const disclosure of sealed.disclosures)
        assert.ok(text.includes(`"${digestDisclosure(disclosure)}"`));
      const digests = text.match(/"[A-Za-z0-9_-]{43}"/g) ?? [];
      assert.equal(digests.length, sealed.disclosures.length);
    }),
    { numRuns: 50 },
  );
});
