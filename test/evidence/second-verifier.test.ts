// The verifier in Python beside our own: proof files and published folders, changed in every way. The same verdict each time.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog } from 'indelible';
import { canonicalize, type JsonObject, utf8Encode, VerificationError } from 'indelible/bytes';
import { parseEntry, removalOf } from 'indelible/event';
import { parseSignerKey, type Signer, signNote } from 'indelible/note';
import { publishLog, verifyPublished } from 'indelible/publish';
import { verifyProof } from 'indelible/verify';
import { temporaryFolder } from '../support/folders.ts';
import { pythonMissing, pythonVerdictsOf } from '../support/python.ts';
import { mutate, seeded } from './mutations.ts';

const origin = 'example.com/second';
const PROOFS = 2000;
const FOLDERS = 40;

interface World {
  readonly folder: string;
  readonly vkey: string;
  readonly signer: Signer;
  readonly proof: Uint8Array;
  readonly entry: Uint8Array;
  /** Its published form. */
  readonly published: string;
}

async function world(t: TestContext): Promise<World> {
  const folder = temporaryFolder(t);
  const dir = path.join(folder, 'log');
  const log = await createLog(dir, { origin, thread: 'caller', heartbeatMs: 0 });
  t.after(() => log.close());
  const events = Array.from({ length: 300 }, (_, index) => ({
    id: `e-${index}`,
    action: 'user.signed_in',
    actor: { type: 'user', id: `u_${index % 3}` },
    reason: 'because',
  }));
  for (const result of await log.recordMany(events)) if (!result.ok) throw result.error;
  const { proof, entry } = await log.prove('e-7');
  const published = path.join(folder, 'published');
  await publishLog(log, { to: pathToFileURL(`${published}/`).href });
  return {
    folder,
    vkey: log.vkey,
    signer: parseSignerKey(readFileSync(path.join(dir, 'log.key'), 'utf8').trim()),
    proof: Buffer.from(proof),
    entry: Buffer.from(entry),
    published,
  };
}

/** What the command line says of a proof file: whether it exits with 0. */
function holds(proof: Uint8Array, entry: Uint8Array, vkey: string): boolean {
  try {
    verifyProof({ proof, entry, policy: { vkey } });
    parseEntry(entry);
    return true;
  } catch (error) {
    if (error instanceof VerificationError) return false;
    throw error;
  }
}

type Pair = readonly [proof: Uint8Array, entry: Uint8Array];

async function compareProofs(folder: string, pairs: readonly Pair[], vkey: string): Promise<boolean[]> {
  const ours = pairs.map(([proof, entry]) => holds(proof, entry, vkey));
  const files = pairs.map(([proof, entry], index) => {
    const names = [path.join(folder, `p-${index}`), path.join(folder, `e-${index}`)] as const;
    writeFileSync(names[0], proof);
    writeFileSync(names[1], entry);
    return names;
  });
  const theirs = await pythonVerdictsOf('proof', files, vkey);
  const apart = pairs.flatMap(([proof], index) =>
    ours[index] === theirs[index] ? [] : [{ ours: ours[index], proof: Buffer.from(proof).toString() }],
  );
  assert.deepEqual(apart.slice(0, 3), []);
  assert.equal(theirs.length, ours.length);
  return ours;
}

describe('two verifiers', { skip: pythonMissing }, () => {
  test(`${PROOFS} proof files, or their entries, changed at random`, async (t) => {
    const { folder, vkey, proof, entry } = await world(t);
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const random = seeded(seed);
    const changed = Array.from({ length: PROOFS }, (_, index): Pair => {
      return index % 4 === 0 ? [proof, mutate(entry, random)] : [mutate(proof, random), entry];
    }).filter(([one, other]) => Buffer.compare(one, proof) !== 0 || Buffer.compare(other, entry) !== 0);
    const verdicts = await compareProofs(folder, [[proof, entry], ...changed], vkey);
    assert.deepEqual([verdicts[0], verdicts.slice(1).filter(Boolean).length], [true, 0], `seed ${seed}`);
  });

  test('each line of a proof left out, doubled, exchanged or spelled otherwise', async (t) => {
    const { folder, vkey, proof, entry } = await world(t);
    const lines = Buffer.from(proof).toString('utf8').split('\n');
    const texts = lines.flatMap((line, at) => [
      lines.toSpliced(at, 1),
      lines.toSpliced(at, 0, line),
      lines.toSpliced(at, 0, ''),
      lines.with(at, `${line} `),
      lines.with(at, ` ${line}`),
      lines.with(at, `${line}\r`),
      lines.with(at, line.toUpperCase()),
      lines.with(at, line.replace(/[0-9]+$/, '0$&')),
      lines.with(at, line.replace(/=*$/, '')),
      lines.with(at, `${line}\u0000`),
      lines.with(at, lines[(at + 1) % lines.length]!),
    ]);
    // Lines that do no harm are in order for both: extra data, a signature by a key that nobody knows, an extension.
    texts.push(lines.toSpliced(1, 0, 'extra AAAA'), lines.toSpliced(1, 0, 'extra '));
    texts.push(lines.toSpliced(1, 0, 'extra AAAA', 'extra AAAA'));
    texts.push([...lines.slice(0, -1), '— somebody.example/else AAAAAAAA', '']);
    texts.push([...lines.slice(0, -1), '— somebody.example/else AAAA', '']);
    texts.push([...lines.slice(0, -1), `— ${origin} AAAAAAAA`, '']);
    const changed = texts.map((text) => Buffer.from(text.join('\n'))).filter((text) => !text.equals(proof));
    const pairs = changed.map((text): Pair => [text, entry]);
    const verdicts = await compareProofs(folder, pairs, vkey);
    const accepted = verdicts.filter(Boolean).length;
    assert.ok(accepted > 0 && accepted < 8, `${accepted}`);
  });

  test('checkpoints that the holder of the key writes otherwise', async (t) => {
    const { folder, vkey, signer, proof, entry } = await world(t);
    const text = Buffer.from(proof).toString('utf8');
    const at = text.indexOf('\n\n') + 2;
    const [name = '', size = '', root = ''] = text.slice(at).split('\n');
    const bodies = [
      [name, size, root],
      [name, size, root, 'an extension'],
      [name, size, root, ' '],
      [name, size, root, '', 'an extension'],
      [name, `0${size}`, root],
      [name, `+${size}`, root],
      [name, `${size} `, root],
      [name, '9007199254740992', root],
      [name, '9007199254740991', root],
      [name, size, root.slice(0, -1)],
      [name, size, `${root}=`],
      [name, size, 'AAAA'],
      [`${name}x`, size, root],
      ['', size, root],
      [name, size],
      [name],
    ];
    const pairs = bodies.map((body): Pair => {
      const note = Buffer.from(signNote(`${body.join('\n')}\n`, [signer]));
      return [Buffer.concat([Buffer.from(text.slice(0, at)), note]), entry];
    });
    const verdicts = await compareProofs(folder, pairs, vkey);
    assert.deepEqual(verdicts.slice(0, 2), [true, true]);
    assert.ok(verdicts.filter(Boolean).length <= 3);
  });

  test(`a published folder, changed in ${FOLDERS} ways`, async (t) => {
    const { folder, vkey, published } = await world(t);
    const random = seeded(Math.floor(Math.random() * 2 ** 32));
    const files = filesOf(published).filter((name) => name === 'checkpoint' || name.startsWith('tile'));
    assert.ok(files.length >= 6, files.join(' '));
    const made: { readonly at: string; readonly what: string }[] = [{ at: published, what: 'honest' }];
    for (let index = 0; index < FOLDERS; index += 1) {
      const at = path.join(folder, `changed-${index}`);
      const name = files[index % files.length]!;
      cpSync(published, at, { recursive: true });
      const file = path.join(at, name);
      const bytes = readFileSync(file);
      rmSync(file);
      // Every file once is not there, and once is empty.
      if (index >= 2 * files.length) writeFileSync(file, mutate(bytes, random));
      else if (index >= files.length) writeFileSync(file, '');
      made.push({ at, what: `${index}: ${name}` });
    }
    const theirs = await pythonVerdictsOf(
      'tiles',
      made.map(({ at }) => [at]),
      vkey,
    );
    for (const [index, { at, what }] of made.entries()) {
      const ours = await isWhole(at, vkey);
      const isHonest = index === 0 || filesOf(at).every((name) => isSame(at, published, name));
      assert.deepEqual([ours, theirs[index]], [isHonest, isHonest], what);
    }
  });
});

async function isWhole(folder: string, vkey: string): Promise<boolean> {
  try {
    return (await verifyPublished(pathToFileURL(`${folder}/`).href, { vkey })).ok;
  } catch (error) {
    const { code } = error as { code?: string };
    if (error instanceof VerificationError || code === 'log_missing') return false;
    throw error;
  }
}

function filesOf(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    statSync(path.join(folder, name)).isFile(),
  );
}

function isSame(one: string, other: string, name: string): boolean {
  return (
    filesOf(one).length === filesOf(other).length &&
    readFileSync(path.join(one, name)).equals(readFileSync(path.join(other, name)))
  );
}

/** An entry that has everything an entry can have. */
const fullEntry: JsonObject = {
  _sd: [`${'A'.repeat(42)}A`, `${'B'.repeat(42)}E`],
  _sd_alg: 'sha-256',
  action: 'role.assigned',
  actor: {
    _sd: [`${'C'.repeat(42)}I`],
    id: 'u_1',
    onBehalfOf: { id: 'u_2', type: 'user' },
    type: 'service',
  },
  causationId: 'c-1',
  changes: [{ path: '/role', to: 'admin' }],
  context: { ip: '192.0.2.1', list: [{ _sd: [`${'D'.repeat(42)}M`] }] },
  correlationId: 'c-2',
  error: { code: 'x' },
  id: 'e-1',
  labels: { region: 'eu' },
  nonce: `${'A'.repeat(21)}g`,
  occurredAt: '2024-02-29T23:59:59.999Z',
  outcome: 'denied',
  recordedAt: '2026-06-01T09:00:00.000Z',
  sealed: ['metadata', 'reason'],
  seals: [{ digest: `${'A'.repeat(42)}A`, path: '/metadata/a~1b', subjects: ['user/u_1'] }],
  severity: 'high',
  source: { credential: 'k', instance: 'i-1', seq: 7, service: 's', version: '1' },
  targets: [{ id: 'd-1', type: 'doc' }],
  v: 1,
};

const month = '2026-06-01T09:00:00.000Z';
const removals: readonly [string, JsonObject][] = [
  ['log.erased', { below: 7, subject: 'user/u_1' }],
  [
    'log.retention_applied',
    {
      rules: [
        { before: '2026-05-01T00:00:00.000Z', below: 3, keep: '1mo', match: 'role.*' },
        { before: '1970-01-01T00:00:00.000Z', below: 7, keep: '100y', match: '*' },
      ],
    },
  ],
];

/** What may stand in the place of any value, its own and what is nearly right. */
const values: readonly unknown[] = [
  ...[
    undefined,
    null,
    true,
    0,
    1,
    7,
    8,
    -1,
    1.5,
    2 ** 53 - 1,
    '',
    'x',
    'X',
    'a b',
    'é',
    '😀',
    'log.a',
    '..',
    '/x~2',
  ],
  ...[
    '\u0000',
    '\u0085',
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(128),
    'x'.repeat(129),
    `${'A'.repeat(42)}B`,
  ],
  ...[
    '2023-02-29T00:00:00.000Z',
    '2024-02-29T24:00:00.000Z',
    '0000-02-29T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
  ],
  ...[
    '2026-06-01T09:00:00Z',
    month,
    '1mo',
    '0d',
    '101y',
    '36600d',
    '999999y',
    'role.*',
    '*',
    'log.*',
    'user/u_1',
  ],
  ...[
    [],
    {},
    ['x'],
    [null],
    ['x', 'x'],
    { _sd: [] },
    { '...': 1 },
    { _sd_alg: 'sha-256' },
    { id: 'x', type: 'y' },
  ],
];

/** An object with one value exchanged, left out, or put in, at every place. */
function* varied(whole: JsonObject, within: readonly string[] = []): Generator<[string, JsonObject]> {
  const holderIn = (copy: JsonObject): Record<string, unknown> =>
    within.reduce((held: unknown, name) => (held as Record<string, unknown>)[name], copy) as Record<
      string,
      unknown
    >;
  const names = [
    ...Object.keys(holderIn(whole)),
    ...(Array.isArray(holderIn(whole)) ? [] : ['_sd', 'more', '...']),
  ];
  for (const name of names) {
    for (const value of values) {
      const copy = structuredClone(whole);
      const holder = holderIn(copy);
      if (value !== undefined) holder[name] = structuredClone(value);
      else if (Array.isArray(holder)) holder.splice(Number(name), 1);
      else delete holder[name];
      yield [`${[...within, name].join('.')} = ${JSON.stringify(value)}`, copy];
    }
    const inner = holderIn(whole)[name];
    if (typeof inner === 'object' && inner !== null) yield* varied(whole, [...within, name]);
  }
}

describe('two readers of entries', { skip: pythonMissing }, () => {
  const reads = (text: string): boolean => {
    try {
      return parseEntry(utf8Encode(text)) !== undefined;
    } catch (error) {
      if (error instanceof VerificationError) return false;
      throw error;
    }
  };

  test('every value of an entry exchanged for every other: both take it, or neither', async () => {
    const made = [['honest', fullEntry] as const, ...varied(fullEntry)];
    const texts = made.map(([, entry]) => canonicalize(entry));
    assert.ok(made.length > 3000, `${made.length}`);
    const ours = texts.map(reads);
    assert.equal(ours[0], true);
    const theirs = await pythonVerdictsOf(
      'entry',
      texts.map((text) => [text]),
      undefined,
    );
    assert.deepEqual(
      made.flatMap(([name], index) => (ours[index] === theirs[index] ? [] : [`${name}: ${ours[index]}`])),
      [],
    );
    const taken = ours.filter(Boolean).length;
    assert.ok(taken > 100 && taken < made.length / 2, `${taken} of ${made.length}`);
  });

  test('every value of a record of removal exchanged: both believe it, or neither', async () => {
    const made = removals.flatMap(([action, metadata]) =>
      [['honest', metadata] as const, ...varied(metadata)].map(
        ([name, told]) =>
          [
            `${action} ${name}`,
            canonicalize({ ...minimal, action, metadata: told, recordedAt: month } as JsonObject),
          ] as const,
      ),
    );
    const index = 7;
    const ours = made.map(([, text]) => {
      try {
        const removal = removalOf(parseEntry(utf8Encode(text)), index);
        return 'rules' in removal || removal.below <= index;
      } catch (error) {
        if (error instanceof VerificationError) return false;
        throw error;
      }
    });
    const theirs = await pythonVerdictsOf(
      'removal',
      made.map(([, text]) => [text, String(index)]),
      undefined,
    );
    assert.deepEqual(
      made.flatMap(([name], at) => (ours[at] === theirs[at] ? [] : [`${name}: ${ours[at]}`])),
      [],
    );
    assert.ok(made.length > 500 && ours.filter(Boolean).length > 20, `${made.length}`);
  });
});

const minimal: JsonObject = {
  actor: { id: 'self', type: 'log' },
  id: 'r-1',
  nonce: `${'A'.repeat(21)}g`,
  occurredAt: month,
  outcome: 'success',
  source: { instance: 'i', seq: null, service: 's' },
  targets: [],
  v: 1,
};
