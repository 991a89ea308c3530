// Every limit, at the limit and one past it. Nothing is ever cut off: what does not fit is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Length } from 'indelible/bytes';
import { type EventCode, limits } from 'indelible/event';
import { readBack, recordSample, refusalOf } from './sample.ts';

const user = { type: 'user', id: 'u_1' };
const event = (fields: object): Record<string, unknown> => ({ id: 'x', action: 'a', actor: user, ...fields });
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
const listed = (depth: number): unknown => (depth === 0 ? 1 : [listed(depth - 1)]);
const list = <T>(length: number, of: (index: number) => T): T[] =>
  Array.from({ length }, (_, index) => of(index));
const fields = (count: number): object => Object.fromEntries(list(count, (index) => [`f${index}`, 1]));

/** An emoji is one character, two UTF-16 units and four bytes. */
const EMOJI = '😀';

interface Limit {
  readonly name: string;
  readonly max: number;
  /** An event that has so many of what is limited. */
  readonly of: (count: number) => unknown;
  readonly pointer: string;
  readonly code?: EventCode;
}

const counted: Limit[] = [
  {
    name: 'characters of an id',
    max: limits.idCharactersMax,
    of: (n) => event({ id: 'i'.repeat(n) }),
    pointer: '/id',
  },
  {
    name: 'characters of a correlation',
    max: limits.idCharactersMax,
    of: (n) => event({ correlationId: 'i'.repeat(n) }),
    pointer: '/correlationId',
  },
  {
    name: 'characters of a cause',
    max: limits.idCharactersMax,
    of: (n) => event({ causationId: 'i'.repeat(n) }),
    pointer: '/causationId',
  },
  {
    name: 'characters of an action',
    max: limits.actionCharactersMax,
    of: (n) => event({ action: 'a'.repeat(n) }),
    pointer: '/action',
  },
  {
    name: 'characters of a type',
    max: limits.typeCharactersMax,
    of: (n) => event({ actor: { type: 't'.repeat(n), id: '1' } }),
    pointer: '/actor/type',
  },
  {
    name: 'characters of an actor’s id',
    max: limits.subjectIdCharactersMax,
    of: (n) => event({ actor: { type: 't', id: EMOJI.repeat(n) } }),
    pointer: '/actor/id',
  },
  {
    name: 'characters of a target’s id',
    max: limits.subjectIdCharactersMax,
    of: (n) => event({ targets: [{ type: 't', id: 'i'.repeat(n) }] }),
    pointer: '/targets/0/id',
  },
  {
    name: 'characters of a change’s path',
    max: limits.pathCharactersMax,
    of: (n) => event({ changes: [{ path: `/${'p'.repeat(n - 1)}` }] }),
    pointer: '/changes/0/path',
  },
  {
    name: 'targets',
    max: limits.targetsMax,
    of: (n) => event({ targets: list(n, (i) => ({ type: 't', id: `${i}` })) }),
    pointer: '/targets',
  },
  {
    name: 'changes',
    max: limits.changesMax,
    of: (n) => event({ changes: list(n, () => ({ path: '/a' })) }),
    pointer: '/changes',
  },
  {
    name: 'labels',
    max: limits.labelsMax,
    of: (n) => event({ labels: Object.fromEntries(list(n, (i) => [`l${i}`, ''])) }),
    pointer: '/labels',
  },
  {
    name: 'characters of a label',
    max: limits.labelValueCharactersMax,
    of: (n) => event({ labels: { a: EMOJI.repeat(n) } }),
    pointer: '/labels/a',
  },
  {
    name: 'fields of an object',
    max: limits.fieldsMax,
    of: (n) => event({ metadata: fields(n) }),
    pointer: '/metadata',
  },
  {
    name: 'seals',
    max: limits.sealsMax,
    of: (n) =>
      event({ metadata: fields(99), seals: list(n, (i) => ({ path: `/metadata/f${i}`, subjects: [] })) }),
    pointer: '/seals',
  },
  {
    name: 'paths in clear',
    max: limits.clearMax,
    of: (n) => event({ metadata: fields(99), clear: list(n, (i) => `/metadata/f${i}`) }),
    pointer: '/clear',
  },
  {
    name: 'subjects of a seal',
    max: limits.subjectsMax,
    of: (n) => event({ reason: 'r', seals: [{ path: '/reason', subjects: list(n, (i) => `user/${i}`) }] }),
    pointer: '/seals/0/subjects',
  },
  // The event itself is the first level.
  {
    name: 'objects inside one another',
    max: limits.depthMax - 1,
    of: (n) => event({ metadata: nested(n) }),
    pointer: `/metadata${'/a'.repeat(31)}`,
    code: 'event_too_deep',
  },
  {
    name: 'lists inside one another',
    max: limits.depthMax - 1,
    of: (n) => event({ metadata: listed(n) }),
    pointer: `/metadata${'/0'.repeat(31)}`,
    code: 'event_too_deep',
  },
  {
    name: 'levels inside an attribute',
    max: limits.depthMax - 2,
    of: (n) => event({ actor: { ...user, a: nested(n) } }),
    pointer: `/actor/a${'/a'.repeat(30)}`,
    code: 'event_too_deep',
  },
  {
    name: 'levels inside a target’s attribute',
    max: limits.depthMax - 3,
    of: (n) => event({ targets: [{ ...user, a: nested(n) }] }),
    pointer: `/targets/0/a${'/a'.repeat(29)}`,
    code: 'event_too_deep',
  },
  {
    name: 'levels inside a principal’s attribute',
    max: limits.depthMax - 3,
    of: (n) => event({ actor: { ...user, onBehalfOf: { ...user, a: nested(n) } } }),
    pointer: `/actor/onBehalfOf/a${'/a'.repeat(29)}`,
    code: 'event_too_deep',
  },
  {
    name: 'levels inside a change',
    max: limits.depthMax - 3,
    of: (n) => event({ changes: [{ path: '', to: nested(n) }] }),
    pointer: `/changes/0/to${'/a'.repeat(29)}`,
    code: 'event_too_deep',
  },
  {
    name: 'levels inside the context',
    max: limits.depthMax - 2,
    of: (n) => event({ context: { location: nested(n) } }),
    pointer: `/context/location${'/a'.repeat(30)}`,
    code: 'event_too_deep',
  },
];

for (const { name, max, of, pointer, code = 'event_too_large' } of counted) {
  test(`at most ${max} ${name}`, () => {
    assert.equal(recordSample(of(max)).entry.v, 1);
    const refused = refusalOf(of(max + 1));
    assert.equal(refused.code, code, refused.message);
    assert.equal(refused.pointer, pointer);
  });
}

test('deep values that are in the open can be read back', () => {
  const deep = event({ metadata: nested(limits.depthMax - 1), clear: ['/metadata'] });
  assert.deepEqual(readBack(deep).event.metadata, nested(limits.depthMax - 1));
});

test(`a label's name has at most ${limits.labelNameCharactersMax} characters`, () => {
  const labels = (count: number) => event({ labels: { [EMOJI.repeat(count)]: 'x' } });
  assert.equal(recordSample(labels(limits.labelNameCharactersMax)).disclosures.length, 1);
  const refused = refusalOf(labels(limits.labelNameCharactersMax + 1));
  assert.equal(refused.code, 'event_too_large');
  assert.match(refused.pointer, /^\/labels\/😀/u);
});

/** A text whose JSON, quotes included, has that many bytes. */
const textOf = (bytes: number, unit = 'x'): string => unit.repeat((bytes - 2) / utf8Length(unit));

test(`one disclosure has at most ${limits.disclosureBytesMax} bytes, to the byte`, () => {
  for (const unit of ['x', 'ü', '😀']) {
    for (const [name, wrap] of [
      ['reason', (reason: string) => event({ reason })],
      ['metadata', (metadata: string) => event({ metadata })],
    ] as const) {
      const frame = utf8Length(`["${'s'.repeat(22)}","${name}",]`);
      const max = limits.disclosureBytesMax - frame;
      const size = max - ((max - 2) % utf8Length(unit));
      const { disclosures } = recordSample(wrap(textOf(size, unit)));
      assert.equal(utf8Length(disclosures[0]!), frame + size);
      const refused = refusalOf(wrap(textOf(size, unit) + 'x'.repeat(max - size + 1)));
      assert.equal(refused.code, 'event_too_large');
      assert.equal(refused.pointer, `/${name}`);
    }
  }
  const frame = `["${'s'.repeat(22)}","bio",]`.length;
  const attribute = (size: number) => event({ targets: [user, { ...user, bio: textOf(size) }] });
  assert.equal(
    recordSample(attribute(limits.disclosureBytesMax - frame)).disclosures[0]?.length,
    limits.disclosureBytesMax,
  );
  assert.equal(refusalOf(attribute(limits.disclosureBytesMax - frame + 1)).pointer, '/targets/1/bio');
});

test(`metadata in the open has at most ${limits.metadataBytesMax} bytes`, () => {
  const open = (size: number) => event({ metadata: textOf(size), clear: ['/metadata'] });
  assert.equal(recordSample(open(limits.metadataBytesMax)).disclosures.length, 0);
  assert.equal(refusalOf(open(limits.metadataBytesMax + 1)).pointer, '/metadata');
  // Opened further it is still one value, although its parts are disclosures of their own.
  const parts = (size: number) =>
    event({ metadata: { a: textOf(16_000), b: textOf(size - 16_000 - 11) }, clear: ['/metadata/a'] });
  assert.equal(recordSample(parts(limits.metadataBytesMax)).disclosures.length, 1);
  assert.equal(refusalOf(parts(limits.metadataBytesMax + 1)).pointer, '/metadata');
});

test(`an entry has at most ${limits.entryBytesMax} bytes, to the byte`, () => {
  const open = (reason: string) =>
    event({ reason, metadata: textOf(limits.metadataBytesMax), clear: ['/metadata', '/reason'] });
  const rest = recordSample(open('')).bytes.length;
  assert.equal(
    recordSample(open('x'.repeat(limits.entryBytesMax - rest))).bytes.length,
    limits.entryBytesMax,
  );
  const refused = refusalOf(open('x'.repeat(limits.entryBytesMax - rest + 1)));
  assert.equal(refused.code, 'event_too_large');
  assert.equal(refused.pointer, '');
  assert.match(refused.message, /65535 bytes/);
  // Characters of several bytes count as those bytes.
  assert.equal(refusalOf(open('ü'.repeat((limits.entryBytesMax - rest) / 2 + 1))).code, 'event_too_large');
});

test(`an entry has at most ${limits.disclosuresBytesMax} bytes of disclosures, to the byte`, () => {
  const attributes = (sizes: readonly number[]) =>
    event({
      actor: { ...user, ...Object.fromEntries(sizes.map((size, index) => [`a${index}`, textOf(size)])) },
    });
  const frame = `["${'s'.repeat(22)}","a0",]`.length;
  const quarter = limits.disclosuresBytesMax / 4 - frame;
  const { disclosures } = recordSample(attributes([quarter, quarter, quarter, quarter]));
  assert.equal(disclosures.join('').length, limits.disclosuresBytesMax);
  const refused = refusalOf(attributes([quarter, quarter, quarter, quarter - 100, 100]));
  assert.equal(refused.code, 'event_too_large');
  assert.match(refused.message, /131072 bytes of sealed values/);
});

test('many small sealed fields fill the entry with digests and are refused too', () => {
  // Names of one letter: the draft is short, and the entry, with 46 bytes for each digest, is not.
  const small = (count: number): object =>
    Object.fromEntries(list(count, (index) => [String.fromCodePoint(0x4e00 + index), 1]));
  const attributes = (count: number) =>
    event({ targets: list(2, (index) => ({ ...small(count), type: 't', id: `${index}` })) });
  assert.equal(recordSample(attributes(690)).disclosures.length, 1380);
  assert.equal(refusalOf(attributes(725)).code, 'event_too_large');
});

test('what is small in memory and endless as text is refused before it is written out', () => {
  let bomb: unknown = 'x'.repeat(100);
  for (let level = 0; level < 25; level += 1) bomb = list(100, () => bomb);
  assert.equal(refusalOf(event({ metadata: bomb })).code, 'event_too_large');
  assert.equal(refusalOf(event({ metadata: new Array(2 ** 32 - 1) })).code, 'event_value_invalid');
  const huge = 'x'.repeat(100_000_000);
  assert.equal(refusalOf(event({ metadata: huge })).code, 'event_too_large');
  assert.equal(refusalOf(event({ reason: huge })).code, 'event_too_large');
  assert.equal(refusalOf(event({ id: huge })).code, 'event_too_large');
  assert.equal(refusalOf(event({ actor: { type: 'user', id: huge } })).code, 'event_too_large');
  assert.equal(refusalOf(event({ metadata: { [huge]: 1 } })).code, 'event_too_large');
});
