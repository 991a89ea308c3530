// The verifier in Python beside our own: proof files and published folders, changed in every way. The same verdict each time.

import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog } from 'indelible';
import { VerificationError } from 'indelible/bytes';
import { parseEntry } from 'indelible/event';
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
