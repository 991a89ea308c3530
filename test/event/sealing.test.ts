// What is sealed, what stays open, whose it is, and what becomes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize, type JsonObject, parseJson, utf8Encode } from 'indelible/bytes';
import {
  type AuditEvent,
  digestDisclosure,
  erasedEvent,
  judge,
  openEntry,
  parseDisclosure,
  parseEntry,
  type SealedField,
  subjectOf,
} from 'indelible/event';
import { readBack, recordSample, refusalOf, sampleEvent, sampleRecordedAt } from './sample.ts';

const actor = { type: 'user', id: 'u_1' };
const target = { type: 'doc', id: 'd_1' };
const event = (fields: object): Record<string, unknown> => ({
  id: 'x',
  action: 'a',
  actor,
  targets: [target],
  ...fields,
});
const bySubject = (fields: readonly SealedField[]) =>
  Object.fromEntries(fields.map(({ path, subjects }) => [path, subjects.join(' ')]).sort());

test('an event reads back as it was handed in', () => {
  const { event: read, problems } = readBack(sampleEvent);
  const { withheld, source, recordedAt, index, ...rest } = read;
  assert.deepEqual(rest, { ...sampleEvent, outcome: 'success' });
  assert.deepEqual([withheld, problems, recordedAt, index], [[], [], sampleRecordedAt, 5]);
  assert.equal(source.service, 'web');
});

test('fields read in an order that people read in, attributes in the order of the caller', () => {
  const read = readBack(sampleEvent).event;
  assert.deepEqual(Object.keys(read).slice(0, 9), [
    'index',
    'id',
    'occurredAt',
    'recordedAt',
    'action',
    'outcome',
    'severity',
    'actor',
    'targets',
  ]);
  assert.deepEqual(Object.keys(read.actor), ['type', 'id', 'name', 'email', 'onBehalfOf']);
});

test('nothing that may describe a person or a secret is in the hashed bytes', () => {
  const { text, disclosures } = recordSample(sampleEvent);
  const sealed = [
    ...[
      'Jane Doe',
      'jane@example.com',
      'Max Power',
      'John Roe',
      'Platform',
      '/role',
      'member',
      'admin',
      '203.0.113.9',
    ],
    ...[
      'Mozilla',
      'req_8f3a2c',
      's_1',
      'Promoted',
      'E42',
      'first attempt',
      'production',
      'plan',
      'pro"',
      'seats',
      'INV-9',
      '12.5',
    ],
    ...['email', 'env', 'userAgent', 'invoice'],
  ];
  for (const value of sealed) {
    assert.equal(text.includes(value), false, `${value} is in the entry`);
    assert.equal(disclosures.join('').includes(value), true, `${value} is in no disclosure`);
  }
  // Five attributes of persons and things, and six whole fields.
  assert.equal(disclosures.length, 5 + 6);
});

test('names that the entry does tell are those of fields that every entry may have', () => {
  const { entry } = recordSample(sampleEvent);
  assert.deepEqual([...(entry.sealed ?? [])].sort(), [
    'changes',
    'context',
    'error',
    'labels',
    'metadata',
    'reason',
  ]);
});

test('whose a value is follows from the entry', () => {
  assert.deepEqual(bySubject(readBack(sampleEvent).fields), {
    '/actor/email': 'user/u_42',
    '/actor/name': 'user/u_42',
    '/actor/onBehalfOf/name': 'user/u_7',
    '/changes': 'user/u_77',
    '/context': 'user/u_42',
    '/error': 'user/u_42 user/u_77',
    '/labels': 'user/u_42 user/u_77',
    '/metadata': 'user/u_42 user/u_77',
    '/reason': 'user/u_42 user/u_77',
    '/targets/0/name': 'user/u_77',
    '/targets/1/name': 'team/t_3',
  });
});

test('without a target everything is the actor’s, and nobody is named twice', () => {
  const values = { changes: [{ path: '/a' }], reason: 'r', metadata: 1 };
  assert.deepEqual(bySubject(readBack(event({ targets: [], ...values })).fields), {
    '/changes': 'user/u_1',
    '/metadata': 'user/u_1',
    '/reason': 'user/u_1',
  });
  assert.deepEqual(bySubject(readBack(event({ targets: [actor], ...values })).fields), {
    '/changes': 'user/u_1',
    '/metadata': 'user/u_1',
    '/reason': 'user/u_1',
  });
});

test('the subjects of a missing value are known as well', () => {
  const { entry } = recordSample(sampleEvent);
  const { fields, event: read } = openEntry(entry, [], 0);
  assert.equal(read.withheld.length, fields.length);
  const known = fields
    .filter(({ name }) => name !== undefined)
    .map(({ path, subjects }) => `${path} ${subjects}`);
  assert.deepEqual(known.sort(), [
    '/changes user/u_77',
    '/context user/u_42',
    '/error user/u_42,user/u_77',
    '/labels user/u_42,user/u_77',
    '/metadata user/u_42,user/u_77',
    '/reason user/u_42,user/u_77',
  ]);
  const unnamed = fields
    .filter(({ name }) => name === undefined)
    .map(({ path, subjects }) => `${path} ${subjects}`);
  assert.deepEqual(unnamed.sort(), [
    '/actor user/u_42',
    '/actor user/u_42',
    '/actor/onBehalfOf user/u_7',
    '/targets/0 user/u_77',
    '/targets/1 team/t_3',
  ]);
  assert.deepEqual(read.actor, { type: 'user', id: 'u_42', onBehalfOf: { type: 'user', id: 'u_7' } });
});

test('clear leaves a value in the open, and only that one', () => {
  const { entry, text, disclosures } = recordSample({
    ...sampleEvent,
    clear: [
      '/actor/name',
      '/actor/onBehalfOf/name',
      '/targets/1/name',
      '/labels',
      '/reason',
      '/changes',
      '/error/code',
    ],
  });
  assert.equal(entry.actor['name'], 'Jane Doe');
  assert.equal((entry.actor['onBehalfOf'] as JsonObject)['name'], 'Max Power');
  assert.equal(entry.targets[1]?.['name'], 'Platform');
  assert.deepEqual(entry['labels'], { env: 'production' });
  assert.equal(entry['reason'], 'Promoted to team lead');
  assert.deepEqual(entry['changes'], sampleEvent.changes);
  assert.equal((entry['error'] as JsonObject)['code'], 'E42');
  assert.equal(text.includes('first attempt'), false);
  const sealed = disclosures.map((disclosure) => parseDisclosure(disclosure).name).sort();
  assert.deepEqual(sealed, ['context', 'email', 'message', 'metadata', 'name']);
  const { event: read } = openEntry(entry, disclosures, 5);
  assert.deepEqual({ ...(read.error as JsonObject) }, sampleEvent.error);
});

test('seals split a value out of a larger one and say whose it is', () => {
  const split = {
    ...sampleEvent,
    seals: [
      { path: '/metadata/invoice/number', subjects: ['company/c_1', 'user/u_42'] },
      { path: '/actor/email', subjects: [] },
      { path: '/reason', subjects: ['user/u_9'] },
    ],
  };
  const { entry, text, disclosures } = recordSample(split);
  assert.equal(text.includes('INV-9') || text.includes('12.5') || text.includes('Promoted'), false);
  const { event: read, fields, problems } = openEntry(entry, disclosures, 5);
  assert.deepEqual(problems, []);
  assert.deepEqual(read.metadata, sampleEvent.metadata);
  assert.deepEqual(
    read.seals,
    [...split.seals].sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
  assert.deepEqual(
    Object.entries(bySubject(fields)).filter(([path]) => /^\/(metadata|reason|actor\/email)/.test(path)),
    [
      ['/actor/email', ''],
      ['/metadata/invoice/amount', 'user/u_42 user/u_77'],
      ['/metadata/invoice/number', 'company/c_1 user/u_42'],
      ['/metadata/plan', 'user/u_42 user/u_77'],
      ['/metadata/seats', 'user/u_42 user/u_77'],
      ['/reason', 'user/u_9'],
    ],
  );
  // Where the disclosure is gone, the entry still tells the path and the subjects.
  const gone = openEntry(entry, [], 5).fields.filter(({ path }) => path.startsWith('/metadata/invoice/'));
  assert.deepEqual(
    gone.map(({ path, subjects }) => [path, subjects.join(' ')]),
    [['/metadata/invoice/number', 'company/c_1 user/u_42']],
  );
});

test('clear and seals work inside one another', () => {
  const { entry, disclosures } = recordSample(
    event({
      metadata: { open: 1, 'a/b~': { kept: 2, secret: 3 }, Zeta: [4], deep: { er: { x: 5, y: 6 } } },
      clear: ['/metadata', '/metadata/deep/er/x'],
      seals: [{ path: '/metadata/a~1b~0/secret', subjects: ['user/u_9'] }],
    }),
  );
  const metadata = entry['metadata'] as Record<string, JsonObject>;
  assert.deepEqual(Object.keys(metadata), ['Zeta', 'a/b~', 'deep', 'open']);
  assert.deepEqual(metadata['deep'], { er: { x: 5, y: 6 } });
  assert.deepEqual(Object.keys(metadata['a/b~']!), ['_sd', 'kept']);
  assert.deepEqual(
    disclosures.map((text) => parseDisclosure(text).name),
    ['secret'],
  );
  assert.equal(openEntry(entry, disclosures, 0).fields[0]?.path, '/metadata/a~1b~0/secret');
});

test('siblings of what is cleared are sealed one by one, around names that sort before _sd too', () => {
  const attributes = { Alpha: { in: 1, out: 2 }, Beta: 3, zeta: 4 };
  const { entry, disclosures } = recordSample(
    event({
      actor: { ...actor, ...attributes },
      targets: [{ ...target, ...attributes }],
      clear: ['/actor/Alpha/in', '/targets/0/zeta'],
    }),
  );
  assert.deepEqual(Object.keys(entry.actor), ['Alpha', '_sd', 'id', 'type']);
  assert.deepEqual(Object.keys(entry.actor['Alpha'] as object), ['_sd', 'in']);
  const { event: read, problems } = openEntry(entry, disclosures, 0);
  assert.deepEqual(problems, []);
  assert.deepEqual(read.actor, { ...actor, ...attributes });
  assert.deepEqual(read.targets, [{ ...target, ...attributes }]);
});

const badPaths: readonly (readonly [clear: string, says: RegExp])[] = [
  ['', /never sealed/],
  ['/action', /never sealed/],
  ['/actor', /attribute/],
  ['/actor/id', /never sealed/],
  ['/actor/onBehalfOf', /attribute/],
  ['/actor/onBehalfOf/type', /never sealed/],
  ['/targets', /attribute/],
  ['/targets/0', /attribute/],
  ['/targets/0/type', /never sealed/],
  ['/targets/00/name', /attribute/],
  ['/targets/1/name', /does not have/],
  ['/actor/phone', /does not have/],
  ['/metadata/nothing', /does not have/],
  ['/metadata/plan/deeper', /through objects/],
  ['/metadata/list/0', /through objects/],
  ['/changes/0/from', /through objects/],
  ['/reason/x', /through objects/],
  ['/labels/none', /does not have/],
  ['/metadata/_sd', /sealing uses itself/],
  ['/nowhere', /never sealed/],
];

test('paths that lead to nothing that is sealed are refused', () => {
  const full = event({
    actor: { ...actor, name: 'A' },
    reason: 'r',
    changes: [{ path: '' }],
    labels: {},
    metadata: { plan: 1, list: [1] },
  });
  for (const [path, says] of badPaths) {
    for (const refused of [
      refusalOf({ ...full, clear: [path] }),
      refusalOf({ ...full, seals: [{ path, subjects: [] }] }),
    ]) {
      assert.equal(refused.code, 'seal_path_invalid', path);
      assert.match(refused.pointer, /^\/(clear\/0|seals\/0\/path)$/);
      assert.match(refused.message, says, path);
    }
  }
});

test('one value cannot be named twice, nor within another that is sealed whole', () => {
  const full = event({ reason: 'r', metadata: { a: { b: 1 } } });
  const seal = (path: string) => ({ path, subjects: [] });
  const cases: readonly (readonly [fields: object, pointer: string, says: RegExp])[] = [
    [{ clear: ['/reason', '/reason'] }, '/clear/1', /named twice/],
    [{ clear: ['/reason'], seals: [seal('/reason')] }, '/seals/0/path', /named twice/],
    [{ seals: [seal('/metadata/a'), seal('/metadata/a')] }, '/seals/1/path', /named twice/],
    [{ seals: [seal('/metadata/a'), seal('/metadata/a/b')] }, '/seals/1/path', /as a whole/],
    [{ seals: [seal('/metadata')], clear: ['/metadata/a'] }, '/clear/0', /as a whole/],
  ];
  for (const [fields, pointer, says] of cases) {
    const refused = refusalOf({ ...full, ...fields });
    assert.deepEqual([refused.code, refused.pointer], ['seal_path_invalid', pointer], JSON.stringify(fields));
    assert.match(refused.message, says);
  }
});

test('clear and seals are checked for their form', () => {
  const cases = [
    [{ clear: '/reason' }, 'event_field_invalid', '/clear'],
    [{ clear: [1] }, 'event_field_invalid', '/clear/0'],
    [{ clear: ['reason'] }, 'event_field_invalid', '/clear/0'],
    [{ seals: {} }, 'event_field_invalid', '/seals'],
    [{ seals: ['/reason'] }, 'event_field_invalid', '/seals/0'],
    [{ seals: [{ subjects: [] }] }, 'event_field_missing', '/seals/0/path'],
    [{ seals: [{ path: '/reason' }] }, 'event_field_missing', '/seals/0/subjects'],
    [{ seals: [{ path: '/reason', subjects: 'user/u' }] }, 'event_field_invalid', '/seals/0/subjects'],
    [{ seals: [{ path: '/reason', subjects: ['u'] }] }, 'event_field_invalid', '/seals/0/subjects/0'],
    [{ seals: [{ path: '/reason', subjects: ['/u'] }] }, 'event_field_invalid', '/seals/0/subjects/0'],
    [{ seals: [{ path: '/reason', subject: 'user/u' }] }, 'event_field_unknown', '/seals/0/subject'],
  ] as const;
  for (const [fields, code, pointer] of cases) {
    const refused = refusalOf(event({ reason: 'r', ...fields }));
    assert.deepEqual([refused.code, refused.pointer], [code, pointer], JSON.stringify(fields));
  }
});

test('a value is present, erased with a record, or missing without one', () => {
  const { entry, disclosures } = recordSample(sampleEvent);
  const kept = disclosures.filter((text) => parseDisclosure(text).name === 'reason');
  const { fields } = openEntry(entry, kept, 5);
  const verdicts = (erasures: { subject: string; below: number }[]) =>
    Object.fromEntries(fields.map((field) => [field.path, judge(field, erasures)]).sort());
  assert.deepEqual(new Set(Object.values(verdicts([]))), new Set(['present', 'missing']));

  const erased = verdicts([{ subject: 'user/u_77', below: 6 }]);
  assert.equal(erased['/reason'], 'present');
  assert.equal(erased['/changes'], 'erased');
  assert.equal(erased['/metadata'], 'erased');
  assert.equal(erased['/targets/0'], 'erased');
  assert.equal(erased['/context'], 'missing');
  assert.equal(erased['/targets/1'], 'missing');

  // A record covers entries below its index, and exactly its subject.
  assert.equal(verdicts([{ subject: 'user/u_77', below: 5 }])['/changes'], 'missing');
  assert.equal(verdicts([{ subject: 'user/u_7', below: 99 }])['/changes'], 'missing');
  assert.equal(verdicts([{ subject: 'user/u_7', below: 99 }])['/actor/onBehalfOf'], 'erased');
});

test('the log’s own entries belong to nobody, so no record erases them', () => {
  const own = erasedEvent({
    subject: 'user/u_1',
    below: 3,
    actor: { type: 'user', id: 'u_2', name: 'Ada' },
    reason: 'asked to',
  });
  const { entry, disclosures } = recordSample(own, { own: true });
  assert.equal(disclosures.length, 2);
  const all = ['user/u_1', 'user/u_2', 'log/self'].map((subject) => ({ subject, below: 99 }));
  for (const field of openEntry(entry, [], 5).fields) {
    assert.deepEqual(field.subjects, []);
    assert.equal(judge(field, all), 'missing');
  }
});

test('not even a seal makes a value of the log’s own somebody’s', () => {
  const own = erasedEvent({ subject: 'user/u_1', below: 3, reason: 'asked to' });
  const { entry } = recordSample(
    { ...own, seals: [{ path: '/reason', subjects: ['user/u_1'] }] },
    { own: true },
  );
  assert.deepEqual(entry.seals?.[0]?.subjects, ['user/u_1']);
  assert.deepEqual(openEntry(entry, [], 5).fields[0]?.subjects, []);
});

test('a seal for nobody is erased by nobody', () => {
  const { entry } = recordSample(event({ reason: 'r', seals: [{ path: '/reason', subjects: [] }] }));
  const [field] = openEntry(entry, [], 0).fields;
  assert.equal(judge(field!, [{ subject: subjectOf(actor), below: 9 }]), 'missing');
});

test('a disclosure that is altered, foreign, repeated or unreadable is reported and does not count', () => {
  const { entry, disclosures } = recordSample(event({ reason: 'r', metadata: { a: 1 } }));
  const [first, second] = disclosures as [string, string];
  const codes = (texts: string[]) => {
    const opened = openEntry(entry, texts, 0);
    return [
      opened.problems.map(({ code, disclosure }) => `${code} ${disclosure}`).join(),
      opened.event.withheld.length,
    ];
  };
  assert.deepEqual(codes([first, second]), ['', 0]);
  assert.deepEqual(codes([second, first]), ['', 0]);
  assert.deepEqual(codes([first, second.replace('"r"', '"s"')]), ['unmatched 1', 1]);
  assert.deepEqual(codes([first, first, second]), ['repeated 1', 0]);
  assert.deepEqual(codes([first, second, 'x']), ['unmatched 2', 0]);
  assert.deepEqual(codes([first, second, '\ud800']), ['malformed 2', 0]);
  const [problem] = openEntry(entry, ['x', first, second], 0).problems;
  assert.equal(problem?.message, 'disclosure 0 matches no digest of the entry');
});

test('many disclosures are matched as few are', () => {
  const attributes = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`a${index}`, index]));
  const { entry, disclosures } = recordSample(event({ actor: { ...actor, ...attributes } }));
  const shuffled = [...disclosures.slice(30), disclosures[3]!, 'x', '\ud800', ...disclosures.slice(0, 30)];
  const { problems, event: read } = openEntry(entry, shuffled, 0);
  assert.deepEqual(
    problems.map(({ code, disclosure }) => `${code} ${disclosure}`),
    ['malformed 32', 'repeated 36', 'unmatched 31'],
  );
  assert.deepEqual(read.actor, { ...actor, ...attributes });
  assert.equal(openEntry(entry, disclosures.slice(0, 50), 0).event.withheld.length, 10);
});

/** An entry whose actor's one attribute is sealed with any text as its disclosure. */
function entryFor(
  text: string,
  change: (entry: Record<string, unknown>) => void = () => {},
): ReturnType<typeof parseEntry> {
  const { text: honest } = recordSample(event({ actor: { ...actor, name: 'A' } }));
  const entry = parseJson(honest) as Record<string, unknown>;
  entry['actor'] = { ...(entry['actor'] as object), _sd: [digestDisclosure(text)] };
  change(entry);
  return parseEntry(utf8Encode(canonicalize(entry as JsonObject)));
}

test('a disclosure that fits its digest but not its place is reported', () => {
  const cases = [
    ['["s","id","u_2"]', 'conflicting'],
    ['["s","_sd",[]]', 'malformed'],
    ['["s","name",{"_sd":["x"]}]', 'malformed'],
    ['["s","name",[{"...":"x"}]]', 'malformed'],
    ['["s","name"]', 'malformed'],
    ['["s","name",{"a":1,"a":2}]', 'malformed'],
    ['not json', 'malformed'],
  ] as const;
  for (const [text, code] of cases) {
    const { problems, event: read } = openEntry(entryFor(text), [text], 0);
    assert.deepEqual(
      problems.map((problem) => problem.code),
      [code],
      text,
    );
    assert.deepEqual(read.actor, actor);
    assert.equal(read.withheld.length, 1);
  }
});

test('two disclosures cannot bear one name, nor another name than the entry tells', () => {
  const texts = ['["s","name",1]', '["t","name",2]'];
  const twice = entryFor('', (entry) => {
    entry['actor'] = { ...actor, _sd: texts.map(digestDisclosure).sort() };
  });
  assert.deepEqual(
    openEntry(twice, texts, 0).problems.map(({ code }) => code),
    ['conflicting'],
  );
  const renamed = entryFor('["s","name",1]', (entry) => {
    entry['_sd'] = [digestDisclosure('["s","reason","r"]')];
    entry['sealed'] = ['metadata'];
  });
  const { problems, event: read } = openEntry(renamed, ['["s","name",1]', '["s","reason","r"]'], 0);
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['conflicting'],
  );
  assert.equal(read.reason, undefined);
  assert.deepEqual(
    read.withheld.map(({ path }) => path),
    ['/metadata'],
  );
});

test('a top-level field reads back as what it is, or not at all', () => {
  const cases = [
    ['reason', '7'],
    ['changes', '{}'],
    ['context', '[]'],
    ['error', '"x"'],
    ['labels', 'null'],
  ] as const;
  for (const [name, value] of cases) {
    const text = `["s","${name}",${value}]`;
    const sealed = entryFor('["s","name",1]', (entry) => {
      entry['_sd'] = [digestDisclosure(text)];
      entry['sealed'] = [name];
    });
    const { problems, event: read } = openEntry(sealed, [text, '["s","name",1]'], 0);
    assert.deepEqual(
      problems.map(({ code, disclosure }) => [code, disclosure]),
      [['malformed', 0]],
    );
    assert.equal(Object.hasOwn(read, name), false);
    assert.deepEqual(
      read.withheld.map(({ path }) => path),
      [`/${name}`],
    );
  }
  // Metadata may be anything, and an attribute of that name is no field of the event.
  const anything = ['["s","metadata",7]', '["s","reason",7]'] as const;
  const free = entryFor(anything[1], (entry) => {
    entry['_sd'] = [digestDisclosure(anything[0])];
    entry['sealed'] = ['metadata'];
  });
  assert.deepEqual(openEntry(free, anything, 0).problems, []);
});

test('a field that a later writer seals is shown as unknown, and belongs to nobody known', () => {
  const text = '["s","zone","eu"]';
  const later = entryFor('["s","name",1]', (entry) => {
    entry['_sd'] = [digestDisclosure(text)];
    entry['sealed'] = ['zone'];
  });
  const { event: read, fields } = openEntry(later, [text], 0);
  assert.deepEqual(read.unknown, { zone: 'eu' });
  assert.deepEqual(fields.find(({ path }) => path === '/zone')?.subjects, []);
});

test('types let callers write what the code accepts', () => {
  const typed: AuditEvent = {
    action: 'a',
    actor: { ...actor, tags: ['x', { y: null }], age: 3, gone: undefined },
    metadata: [1, 'a'],
  };
  assert.deepEqual(readBack(typed).event.actor['tags'], ['x', { y: null }]);
});
