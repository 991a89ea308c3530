// attack-47: evidence that was made to harm whoever verifies it, and evidence that was changed at random, before two verifiers.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import type { JsonObject } from 'indelible/bytes';
import { parseEvidencePage } from 'indelible/verify';
import { pythonMissing, pythonVerdicts } from '../support/python.ts';
import { mutate, seeded } from './mutations.ts';
import { accepts, blockOf, inside, rowsOf, type World, world, writeAll } from './world.ts';

const large = process.env['INDELIBLE_LARGE_FAULTS'] === '1';
/** Changes at random: ten thousand by our own verifier, of which so many go before the one in Python, too. */
const MUTATIONS = 10_000;
const IN_PYTHON = large ? 10_000 : 2_000;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'indelible-evidence-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe('evidence that was changed at random', () => {
  test(`${MUTATIONS} changes, none accepted; the verifier in Python says the same`, {
    skip: pythonMissing,
  }, async (t) => {
    const { evidence, vkey } = await world(t, 6);
    const honest = Buffer.from(await evidence({ query: '' }, { reveal: 'all' }), 'utf8');
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    const random = seeded(seed);
    const changed = Array.from({ length: MUTATIONS }, () => mutate(honest, random)).filter(
      (bytes) => !honest.equals(bytes),
    );
    assert.ok(changed.length > 0.95 * MUTATIONS);
    const verdicts = changed.map((bytes) => accepts(bytes, vkey));
    assert.equal(verdicts.filter(Boolean).length, 0, `seed ${seed}`);
    const files = writeAll(folderOf(t), [honest, ...changed.slice(0, IN_PYTHON)]);
    const theirs = await pythonVerdicts(files, vkey);
    assert.deepEqual([theirs[0], theirs.slice(1).filter(Boolean).length], [true, 0], `seed ${seed}`);
    assert.equal(theirs.length, files.length);
  });

  test('every value exchanged for every other kind, and signed again: both verifiers say the same', {
    skip: pythonMissing,
  }, async (t) => {
    const { evidence, vkey, sealAgain } = await world(t, 6);
    const text = await evidence({ query: '' }, { reveal: 'all' });
    const made = [...distorted(inside(text))].map(([name, changed]) => [name, sealAgain(changed)] as const);
    const ours = made.map(([, changed]) => accepts(changed, vkey));
    const files = made.map(([, changed]) => changed);
    const theirs = await pythonVerdicts(writeAll(folderOf(t), files), vkey);
    // What the query asks is not for the one in Python to judge, and it says so.
    assert.deepEqual(
      made.flatMap(([name], index) => (theirs[index] === ours[index] ? [] : [name])),
      ['made.query = "x"'],
    );
    const accepted = ours.filter(Boolean).length;
    assert.ok(
      made.length > 500 && accepted > 0 && accepted < made.length / 5,
      `${accepted} of ${made.length}`,
    );
  });
});

const kinds: readonly unknown[] = [
  ...[0, 1, 7, -1, 2 ** 53 - 1, 1.5, '', 'x', null, true, [], {}, ['x'], { from: 0, to: 1 }],
];

/** Evidence with one value exchanged, at every place and in every way; rows included. */
function* distorted(evidence: JsonObject): Generator<[string, JsonObject]> {
  for (const place of placesIn(evidence)) {
    for (const value of kinds) {
      const changed = structuredClone(evidence);
      exchange(changed, place, value);
      yield [`${place.join('.')} = ${JSON.stringify(value)}`, changed];
    }
  }
  const rows = rowsOf(evidence);
  for (const place of rows.flatMap((_, row) => [0, 1, 2].map((part) => [String(row), String(part)]))) {
    for (const value of kinds) {
      const changed = structuredClone(rows);
      exchange(changed, place, value);
      yield [
        `row ${place.join('.')} = ${JSON.stringify(value)}`,
        { ...evidence, blocks: [blockOf(changed)] },
      ];
    }
  }
}

function* placesIn(holder: object, at: readonly string[] = []): Generator<string[]> {
  for (const [name, held] of Object.entries(holder)) {
    yield [...at, name];
    if (typeof held === 'object' && held !== null) yield* placesIn(held, [...at, name]);
  }
}

function exchange(whole: object, place: readonly string[], value: unknown): void {
  let holder = whole as Record<string, unknown>;
  for (const name of place.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
  holder[place.at(-1)!] = structuredClone(value);
}

/** The malicious files, each with how it is made from honest evidence. */
const corpus: Record<string, (world: World, honest: string) => string | Uint8Array> = {
  'a block that inflates to more than it says': ({ sealAgain }, honest) => {
    const evidence = inside(honest);
    const data = deflateRawSync(Buffer.alloc(512 * 1024 * 1024)).toString('base64');
    return sealAgain({ ...evidence, blocks: [{ bytes: 100, count: 1, data }] });
  },
  'a block that says it inflates to more than it may': ({ sealAgain }, honest) => {
    const data = deflateRawSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64');
    return sealAgain({ ...inside(honest), blocks: [{ bytes: 64 * 1024 * 1024, count: 1, data }] });
  },
  'many blocks that are small and say they are large': ({ sealAgain }, honest) => {
    const data = deflateRawSync(Buffer.alloc(16 * 1024 * 1024)).toString('base64');
    const blocks = Array.from({ length: 200 }, () => ({ bytes: 16 * 1024 * 1024, count: 1, data }));
    return sealAgain({ ...inside(honest), blocks });
  },
  'counts without entries': ({ sealAgain }, honest) => {
    const blocks = Array.from({ length: 3000 }, () => ({ bytes: 2, count: 4096, data: 'AwA=' }));
    return sealAgain({ ...inside(honest), blocks });
  },
  nesting: () => `{"evidence":${'['.repeat(200_000)}${']'.repeat(200_000)},"signed":""}`,
  'nesting in a block': ({ sealAgain }, honest) => {
    const bytes = Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const data = deflateRawSync(bytes).toString('base64');
    return sealAgain({ ...inside(honest), blocks: [{ bytes: bytes.length, count: 1, data }] });
  },
  'a name twice': (_, honest) => honest.replace('"format":1,', '"format":1,"format":1,'),
  'a name more': ({ sealAgain }, honest) => sealAgain({ ...inside(honest), more: 1 }),
  'white space': (_, honest) => honest.replace('"format":1', '"format": 1'),
  'a number in another spelling': (_, honest) => honest.replace('"format":1', '"format":1.0'),
  'a byte order mark': (_, honest) => `\ufeff${honest}`,
  'bytes that are no text': (_, honest) => {
    const bytes = Buffer.from(honest);
    bytes[40] = 0xff;
    return bytes;
  },
  'half a surrogate pair': (_, honest) => honest.replace('"origin":"', '"origin":"\\ud800'),
  'base64 in another spelling': (_, honest) =>
    honest.replace(/"data":"([^"]*)"/, (_all, data) => `"data":"${data}="`),
  'a list that is too long': ({ sealAgain }, honest) =>
    sealAgain({ ...inside(honest), statements: Array.from({ length: 100_001 }, () => '') }),
  'an index in support twice': ({ sealAgain }, honest) => sealAgain({ ...inside(honest), support: [0, 0] }),
  'something behind the end': (_, honest) => `${honest}\n`,
  nothing: () => '',
  'another kind of file': () => 'PK\u0003\u0004',
};

describe('attack-47: malicious evidence is refused, in little time and memory', () => {
  for (const [name, make] of Object.entries(corpus)) {
    test(name, { timeout: 60_000 }, async (t) => {
      const made = await world(t, 4);
      const honest = await made.evidence({ query: '' });
      const file = make(made, honest);
      const before = process.memoryUsage().rss;
      assert.equal(accepts(file, made.vkey), false);
      assert.ok(
        process.memoryUsage().rss - before < 512 * 1024 * 1024,
        'it took more memory than half a gigabyte',
      );
      if (pythonMissing === false) {
        assert.deepEqual(await pythonVerdicts(writeAll(folderOf(t), [file]), made.vkey), [false]);
      }
    });
  }

  test('a page without evidence, or escaped in another way', () => {
    const open = '<template id="indelible-evidence">';
    for (const page of [
      '<html>',
      `<p>${open}`,
      `${open}<b></template>`,
      `${open}&quot;</template>`,
      `${open}&amp</template>`,
    ]) {
      assert.throws(() => parseEvidencePage(Buffer.from(page)), { code: 'malformed_evidence' });
    }
    const noText = Buffer.concat([Buffer.from(`<p>${open}{}</template>`), Buffer.of(0xff)]);
    assert.throws(() => parseEvidencePage(noText), { code: 'malformed_evidence' });
  });
});
