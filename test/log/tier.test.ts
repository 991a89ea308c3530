// What vouches for a log, and what each adversary could still do: the table for every combination, and the facts behind it.

import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createLog, type Exposure, type Tier } from 'indelible';
import { AnchorStore } from 'indelible/anchor';
import {
  cosignatureV1Message,
  createVerifierKey,
  formatSignatureLine,
  formatVerifierKey,
  keyTypes,
  parseNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
  signerKeyFromSeed,
  signNote,
} from 'indelible/note';
import { publishLog } from 'indelible/publish';
import { tierOf } from '#dist/log/tier.js';
import type { TierFacts } from '#dist/log/tier-model.js';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { forgeToken, makeChain, opensslMissing } from '../support/tsa.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const HOUR_MS = 3_600_000;
const bare: TierFacts = {
  origin: 'example.com/audit',
  size: 100,
  root: 'pipUvjMpT/1aXExjf9dUYwtxqJLoNW46Zmpcin/9FRg=',
  now,
  hasMark: false,
  rootKey: 'elsewhere',
  witnesses: { asked: undefined, unchecked: 0 },
  stamped: [],
  published: [],
  contradictions: [],
  warnings: [],
};

const witnessed = (size: number): Partial<TierFacts> => ({
  witnesses: {
    asked: 2,
    unchecked: 0,
    met: { size, names: ['w1.example', 'w2.example'], atMs: now - HOUR_MS },
  },
});
const stamped = (size: number, isVerified = true): Partial<TierFacts> => ({
  stamped: [{ authority: 'tsa', size, timeMs: now - 3 * HOUR_MS, isVerified }],
});
const locked = (size: number, retainUntil = now + HOUR_MS): Partial<TierFacts> => ({
  published: [
    {
      url: 's3://bucket/log',
      size,
      at: now - HOUR_MS,
      retainUntil: now + 2 * HOUR_MS,
      seen: { size, lockedUntil: retainUntil },
    },
  ],
});

const rowOf = ({ exposure }: Tier, part: string): Exposure => exposure.find(({ who }) => who.includes(part))!;
const layersOf = ({ layers }: Tier) =>
  layers
    .filter(({ holds }) => holds)
    .map(({ name }) => name)
    .join(' ');

describe('the table', () => {
  const answers: readonly (readonly [
    string,
    Partial<TierFacts>,
    string,
    disk: string,
    key: string,
    all: string,
  ])[] = [
    ['nothing', {}, 'chained signed', 'none', 'none', 'none'],
    ['a mark', { hasMark: true }, 'chained signed', 'part', 'none', 'none'],
    ['witnesses, behind', witnessed(90), 'chained signed witnessed', 'part', 'part', 'none'],
    ['witnesses', witnessed(100), 'chained signed witnessed', 'whole', 'whole', 'none'],
    ['a stamp, behind', stamped(90), 'chained signed time-stamped', 'part', 'part', 'part'],
    ['a stamp', stamped(100), 'chained signed time-stamped', 'whole', 'part', 'part'],
    ['a stamp that nobody vouches for', stamped(100, false), 'chained signed', 'none', 'none', 'none'],
    [
      'published, not locked',
      { published: [{ url: 'file:///a', size: 100, at: now, seen: { size: 100 } }] },
      'chained signed published',
      'none',
      'none',
      'none',
    ],
    [
      'published and locked by a note alone',
      { published: [{ url: 's3://no-such-bucket/x', size: 100, at: now, retainUntil: now + HOUR_MS }] },
      'chained signed',
      'none',
      'none',
      'none',
    ],
    [
      'a lock by a note, of which the place says nothing',
      {
        published: [{ url: 's3://b/x', size: 100, at: now, retainUntil: now + HOUR_MS, seen: { size: 100 } }],
      },
      'chained signed published',
      'none',
      'none',
      'none',
    ],
    [
      'a lock by the word of the place, longer than the note says',
      {
        published: [
          {
            url: 's3://b/x',
            size: 100,
            at: now,
            retainUntil: now - HOUR_MS,
            seen: { size: 100, lockedUntil: now + HOUR_MS },
          },
        ],
      },
      'chained signed published',
      'none',
      'none',
      'none',
    ],
    ['a lock', locked(100), 'chained signed published locked', 'whole', 'part', 'part'],
    ['a lock that has run out', locked(100, now), 'chained signed published', 'none', 'none', 'none'],
    [
      'witnesses and a stamp',
      { ...witnessed(100), ...stamped(90) },
      'chained signed witnessed time-stamped',
      'whole',
      'whole',
      'part',
    ],
    [
      'all',
      { hasMark: true, ...witnessed(100), ...stamped(100), ...locked(100) },
      'chained signed witnessed time-stamped published locked',
      'whole',
      'whole',
      'part',
    ],
  ];
  for (const [name, facts, layers, disk, key, all] of answers) {
    test(`${name}: ${layers}`, () => {
      const tier = tierOf({ ...bare, ...facts });
      assert.equal(layersOf(tier), layers);
      assert.deepEqual(
        [
          rowOf(tier, 'without the signing key').answered,
          rowOf(tier, 'holds the signing key').answered,
          rowOf(tier, 'every witness').answered,
        ],
        [disk, key, all],
      );
      for (const row of tier.exposure) {
        assert.equal(row.isAnswered, row.answered === 'whole');
        assert.ok(row.unseen.length > 0 && row.answeredBy.length > 0 && row.can.length > 0);
      }
    });
  }

  test('how much is left is counted', () => {
    const tier = tierOf({ ...bare, ...witnessed(90), ...stamped(93) });
    assert.equal(rowOf(tier, 'holds the signing key').unseen, 'rewrite the 7 entries after size 93');
    assert.match(rowOf(tier, 'without the signing key').unseen, /^cut off the 7 entries after size 93$/);
    assert.match(rowOf(tier, 'every witness').unseen, /^invent what comes after size 93/);
    const [, , witnessLayer, stampLayer] = tier.layers;
    assert.equal(
      witnessLayer!.says,
      'w1.example and w2.example cosigned, which the policy asks for, up to size 90 of 100, 60 minutes ago',
    );
    assert.equal(stampLayer!.says, 'tsa, 3 hours ago, up to size 93 of 100');
    assert.deepEqual(tier.stamped, [
      { authority: 'tsa', size: 93, time: '2026-06-01T09:00:00.000Z', ageMs: 3 * HOUR_MS, isVerified: true },
    ]);
    const alone = tierOf({ ...bare, ...stamped(100) });
    assert.match(
      rowOf(alone, 'holds the signing key').unseen,
      /^show another history to somebody who has none of this/,
    );
  });

  test('what is said without a policy, or with one that nothing satisfies, is no witness', () => {
    const said = (witnesses: TierFacts['witnesses']): string =>
      tierOf({ ...bare, witnesses }).layers[2]!.says;
    assert.match(said({ asked: undefined, unchecked: 0 }), /^no policy names a witness, and none cosigns$/);
    assert.match(said({ asked: undefined, unchecked: 2 }), /^2 others have signed, unchecked/);
    assert.match(
      said({ asked: 3, unchecked: 0 }),
      /^the policy names 3 witnesses, and no published checkpoint satisfies it$/,
    );
    assert.match(said({ asked: 0, unchecked: 0 }), /^the policy in the folder names no witness$/);
  });

  test('what a server knows beside it counts too', () => {
    const facts = { ...bare, hasMark: true };
    const whole = { finishedAt: '2026-06-01T11:00:00.000Z', isIntact: true };
    const served = tierOf(facts, { audit: whole, isPublic: true, gaps: 2 });
    assert.match(
      rowOf(served, 'without the signing key').answeredBy,
      /a whole audit at 2026-06-01T11:00:00\.000Z, which found nothing/,
    );
    assert.match(rowOf(served, 'holds the signing key').who, /lies on this server/);
    assert.match(rowOf(served, 'holds the signing key').answeredBy, /checkpoint and tiles are public/);
    assert.match(rowOf(served, 'application itself').answeredBy, /2 gaps are open now/);
    assert.equal(rowOf(served, 'reader of one log').answered, 'whole');
    assert.equal(rowOf(tierOf(facts), 'read the files').answered, 'none');
    const damaged = tierOf(
      { ...facts, ...witnessed(100) },
      { audit: { ...whole, isIntact: false }, isPublic: false, gaps: 0 },
    );
    assert.equal(rowOf(damaged, 'without the signing key').answered, 'none');
    assert.match(rowOf(damaged, 'without the signing key').unseen, /^damage was found already/);
  });

  test('where the root key lies is told', () => {
    const of = (rootKey: TierFacts['rootKey']): string =>
      rowOf(tierOf({ ...bare, rootKey }), 'copies the files').answered;
    assert.deepEqual([of('here'), of('elsewhere'), of('unknown')], ['none', 'part', 'none']);
  });
});

describe('the facts', () => {
  const origin = 'example.com/audit';

  /** A witness that cosigns whatever it is given: what counts here is who is counted. */
  function witness(name: string, byte: number) {
    const signer = parseSignerKey(signerKeyFromSeed(name, new Uint8Array(32).fill(byte)));
    const { publicKey } = parseVerifierKey(signer.vkey);
    const key = createVerifierKey({ name, type: keyTypes.cosignatureV1, publicKey });
    return { name, signer, key, vkey: formatVerifierKey(key) };
  }

  function cosign(
    note: string,
    witnesses: readonly ReturnType<typeof witness>[],
    seconds = Math.floor(Date.now() / 1000),
  ): string {
    const { text } = parseNote(Buffer.from(note));
    const lines = witnesses.map(({ name, signer, key }) => {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(seconds));
      const signature = Buffer.concat([time, signer.sign(cosignatureV1Message(BigInt(seconds), text))]);
      return `${formatSignatureLine({ name, keyId: key.keyId, signature })}\n`;
    });
    return note + lines.join('');
  }

  test('a new log is chained and signed, and the table says what that leaves open', async (t) => {
    await using log = await createLog(join(temporaryFolder(t), 'log'), { origin, thread: 'caller' });
    const tier = await log.tier();
    assert.equal(layersOf(tier), 'chained signed');
    assert.deepEqual([tier.origin, tier.size, tier.root], [origin, 1, (await log.checkpoint()).root]);
    assert.equal(rowOf(tier, 'copies the files').answered, 'none', 'the root key still lies here');
    assert.equal(rowOf(tier, 'holds the signing key').answered, 'none');
  });

  test('a policy that cannot be read, and rows that hold nothing, are told', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    writeFileSync(join(dir, 'policy'), 'nonsense\n');
    writeFileSync(join(dir, 'timestamps.json'), '{');
    const { note } = await log.checkpoint();
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    store.putTimestamp({
      size: 1,
      authority: 'tsa',
      token: new Uint8Array([1]),
      note: Buffer.from(note),
      at: 1,
    });
    store.putPublished({ size: 1, note: Buffer.from(`${note}\u2014 w.example AAAAAAAAAAAA\n`), at: 1 });
    store.close();
    const tier = await log.tier();
    assert.equal(layersOf(tier), 'chained signed');
    assert.match(
      tier.contradictions.join('\n'),
      /policy of the log cannot be read.*\n.*settings of its time-stamps cannot be read.*\n.*tsa does not hold/,
    );
    assert.match(tier.layers[2]!.says, /^1 others have signed, unchecked/);
  });

  test('time-stamps and publications count as far as they are there, verified and of this history', {
    skip: opensslMissing,
  }, async (t) => {
    const folder = temporaryFolder(t);
    const chain = makeChain(folder);
    const dir = join(folder, 'log');
    const authorities = [{ name: 'tsa', url: 'http://127.0.0.1:9/', certificates: chain.root.pem }];
    await using log = await createLog(dir, {
      origin,
      thread: 'caller',
      timestamps: { authorities, everyMs: 3_600_000 },
      warn: () => {},
    });
    await log.record(signIn('a'));
    const { note, size } = await log.checkpoint();
    const text = Buffer.from(`${note.split('\n\n')[0]}\n`);
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    const token = forgeToken({ text, signer: chain.tsa });
    store.putTimestamp({ size, authority: 'tsa', token, note: Buffer.from(note), at: Date.now() });
    store.putTimestamp({ size, authority: 'stranger', token, note: Buffer.from(note), at: Date.now() });
    store.putPublication({ url: 'file:///srv/tiles', size, at: Date.now() });
    store.putPublication({
      url: 's3://bucket/log',
      size: 1,
      at: Date.now(),
      retainUntil: Date.now() + 86_400_000,
    });
    await log.record(signIn('b'));
    const tier = await log.tier();
    assert.deepEqual(tier.contradictions, []);
    // Both places are notes alone: nothing lies in the one, and nobody has looked at the other.
    assert.equal(layersOf(tier), 'chained signed time-stamped');
    assert.deepEqual(
      tier.stamped.map(({ authority, isVerified, size: covered }) => [authority, isVerified, covered]).sort(),
      [
        ['stranger', false, size],
        ['tsa', true, size],
      ],
    );
    assert.match(rowOf(tier, 'holds the signing key').unseen, /^rewrite the 1 entry after size 2; /);
    assert.equal(tier.published[1]?.url, 's3://bucket/log');
    // Of another history, under a real time-stamp: signed by this log's key, it would be worse; it is told either way.
    const other = text.toString().replace(/\n\S+\n$/, `\n${'A'.repeat(43)}=\n`);
    store.putTimestamp({
      size,
      authority: 'tsa',
      token: forgeToken({ text: Buffer.from(other), signer: chain.tsa }),
      note: Buffer.from(note.replace(text.toString(), other)),
      at: Date.now(),
    });
    store.close();
    const contradicted = await log.tier();
    assert.match(
      contradicted.contradictions.join(),
      /tsa has time-stamped, at \S+Z, 2 entries of another history/,
    );
    assert.equal(contradicted.layers[3]!.holds, false);
  });

  test('witnesses count where the policy asks for them, and cosigned this history', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    await log.record(signIn('a'));
    const [one, two] = [witness('w1.example', 1), witness('w2.example', 2)];
    const { note, size } = await log.checkpoint();
    const cosigned = cosign(note, [one, two]);
    writeFileSync(
      join(dir, 'policy'),
      `log ${log.vkey}\nwitness w1 ${one.vkey}\nwitness w2 ${two.vkey}\ngroup both all w1 w2\nquorum both\n`,
    );
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    store.putPublished({ size, note: Buffer.from(cosign(note, [one])), at: Date.now() });
    assert.match(
      (await log.tier()).layers[2]!.says,
      /the policy names 2 witnesses, and no published checkpoint satisfies it/,
    );
    store.putPublished({ size, note: Buffer.from(cosigned), at: Date.now() });
    const tier = await log.tier();
    assert.deepEqual([tier.witnessed?.size, tier.witnessed?.names], [size, ['w1.example', 'w2.example']]);
    assert.equal(rowOf(tier, 'holds the signing key').answered, 'whole');
    // The same witnesses under another history of this log, signed with its key.
    const signer = parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim());
    const text = `${origin}\n${size}\n${'A'.repeat(43)}=\n`;
    const forged = Buffer.from(signNote(text, [signer])).toString();
    store.putPublished({ size, note: Buffer.from(cosign(forged, [one, two])), at: Date.now() });
    store.close();
    const contradicted = await log.tier();
    assert.match(contradicted.contradictions.join(), /Witnesses have cosigned 2 entries of another history/);
    assert.equal(contradicted.witnessed, undefined);
  });

  test('a policy counts as far as a verifier with it goes: its quorum, its log lines, witnesses who are somebody else', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    const one = witness('w1.example', 1);
    const { note, size } = await log.checkpoint();
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    t.after(() => store.close());
    const of = async (policy: string, cosigned: string) => {
      writeFileSync(join(dir, 'policy'), policy);
      store.putPublished({ size, note: Buffer.from(cosigned), at: Date.now() });
      const tier = await log.tier();
      const { answered, unseen } = rowOf(tier, 'holds the signing key');
      return { tier, says: tier.layers[2]!.says, answered, unseen };
    };
    const cosigned = cosign(note, [one]);
    const good = await of(`log ${log.vkey}\nwitness w ${one.vkey}\nquorum w\n`, cosigned);
    assert.deepEqual([good.answered, good.tier.witnessed?.names], ['whole', ['w1.example']]);

    const none = await of(`log ${log.vkey}\nwitness w ${one.vkey}\nquorum none\n`, cosigned);
    assert.match(
      none.says,
      /^the policy names 1 witness, and asks for the signature of none \(quorum none\)/,
    );
    assert.deepEqual([none.answered, none.tier.witnessed], ['none', undefined]);

    const elsewhere = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(7))).vkey;
    const another = await of(`log ${elsewhere}\nwitness w ${one.vkey}\nquorum w\n`, cosigned);
    assert.match(another.says, /no log line of it is a key of this log/);
    assert.deepEqual([another.answered, another.tier.witnessed], ['none', undefined]);

    // The log itself, under its own name, and under another one with the key that signs it.
    const { publicKey } = parseVerifierKey(log.vkey);
    const renamed = createVerifierKey({ name: 'w9.example', type: keyTypes.cosignatureV1, publicKey });
    const signer = parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim());
    const vkey = formatVerifierKey(renamed);
    const own = { name: renamed.name, signer, key: renamed, vkey };
    for (const self of [own, witness(origin, 3)]) {
      const said = await of(`log ${log.vkey}\nwitness w ${self.vkey}\nquorum w\n`, cosign(note, [self]));
      assert.deepEqual([said.answered, said.tier.witnessed], ['none', undefined]);
      assert.match(said.tier.warnings.join(), /The witness w is the log itself/);
      const report = await log.verify({ policy: parsePolicy(readFileSync(join(dir, 'policy'), 'utf8')) });
      assert.deepEqual(
        report.findings.map(({ detail }) => detail),
        [{ code: 'policy_unsatisfied' }],
      );
    }
  });

  test('a time counts that has come, and of a quorum the oldest that it needs', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    const [one, two, three] = [witness('w1.example', 1), witness('w2.example', 2), witness('w3.example', 3)];
    const { note, size } = await log.checkpoint();
    writeFileSync(
      join(dir, 'policy'),
      `log ${log.vkey}\nwitness w1 ${one.vkey}\nwitness w2 ${two.vkey}\nwitness w3 ${three.vkey}\ngroup g 2 w1 w2 w3\nquorum g\n`,
    );
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    t.after(() => store.close());
    const now = Math.floor(Date.now() / 1000);
    const of = async (...at: readonly (readonly [typeof one, number])[]) => {
      const signed = at.reduce((text, [who, seconds]) => cosign(text, [who], seconds), note);
      store.putPublished({ size, note: Buffer.from(signed), at: Date.now() });
      return log.tier();
    };
    const twoHours = await of([one, now], [two, now - 7_200], [three, now - 80_000]);
    assert.match(twoHours.layers[2]!.says, /, 2 hours ago$/);
    const ahead = await of([one, now], [two, now + 3_600]);
    assert.equal(ahead.layers[2]!.holds, false);
    assert.match(ahead.warnings.join(), /w2\.example has cosigned at a time that is ahead of the clock/);
    const timeless = await of([one, now], [two, 0]);
    assert.equal(timeless.layers[2]!.holds, false);
  });

  test('where it is published is looked at: what is gone, another log or another history counts for nothing', async (t) => {
    const folder = temporaryFolder(t);
    const dir = join(folder, 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    const { note: born } = await log.checkpoint();
    await log.record(signIn('a'));
    const there = join(folder, 'public');
    const to = pathToFileURL(there).href;
    const { size } = await publishLog(log, { to });
    await log.record(signIn('b'));
    const published = (tier: Tier) => tier.layers[4]!;
    const held = await log.tier();
    assert.deepEqual([held.published[0]?.seen, held.warnings], [{ size }, []]);
    assert.equal(published(held).holds, true);
    assert.match(published(held).says, /up to size 2 of 3; the checkpoint was looked at/);

    const file = join(there, 'checkpoint');
    const good = readFileSync(file);
    writeFileSync(file, born);
    const older = await log.tier();
    assert.deepEqual(older.published[0]?.seen, { size: 1 });
    assert.match(older.warnings.join(), /up to size 2, and what lies there ends at 1/);
    const signer = parseSignerKey(readFileSync(join(dir, 'log.key'), 'utf8').trim());
    writeFileSync(file, signNote(`${origin}\n${size}\n${'A'.repeat(43)}=\n`, [signer]));
    const forked = await log.tier();
    assert.equal(published(forked).holds, false);
    assert.match(
      forked.contradictions.join(),
      /lie 2 entries of another history.*signed by a key of this log/,
    );
    const stranger = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(9)));
    writeFileSync(file, signNote(parseNote(good).text, [stranger]));
    const unsigned = await log.tier();
    assert.equal(published(unsigned).holds, false);
    assert.match(
      published(unsigned).says,
      /noted up to size 2, .*, but what lies there is no checkpoint of this log/,
    );
    rmSync(there, { recursive: true });
    const gone = await log.tier();
    assert.equal(published(gone).holds, false);
    assert.match(published(gone).says, /noted up to size 2/);
    assert.match(gone.warnings.join(), /is noted to be published at/);
    assert.equal(gone.published[0]?.seen, undefined);
  });

  test('a lock that is noted and that nobody looked at improves no row', async (t) => {
    const dir = join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, thread: 'caller' });
    const before = await log.tier();
    const url = 's3://no-such-bucket/x';
    const store = AnchorStore.open(join(dir, 'anchors.db'));
    store.putPublication({ url, size: 1, at: Date.now(), retainUntil: Date.parse('2099-01-01') });
    store.close();
    const noted = await log.tier();
    assert.equal(layersOf(noted), 'chained signed');
    assert.deepEqual(noted.exposure, before.exposure);
    assert.match(noted.layers[4]!.says, /^s3:\S+: noted up to size 1, \S+, not looked at$/);
    assert.match(noted.layers[5]!.says, /^s3:\S+: noted until 2099-\S+, not looked at$/);
    const away = await log.tier(undefined, async () => {
      throw new Error('no such bucket');
    });
    assert.deepEqual(away.exposure, before.exposure);
    assert.match(away.warnings.join(), /cannot be read: no such bucket/);
    const { note } = await log.checkpoint();
    const lockedUntil = Date.parse('2050-01-01');
    const here = await log.tier(undefined, async () => ({ checkpoint: Buffer.from(note), lockedUntil }));
    assert.equal(layersOf(here), 'chained signed published locked');
    assert.match(here.layers[5]!.says, /until 2050-01-01T\S+, as it says itself$/);
    const replica = Buffer.from(note.replace(/\n\n.*$/s, '\n\n'));
    const torn = await log.tier(undefined, async () => ({ checkpoint: replica, lockedUntil }));
    assert.deepEqual(torn.exposure, before.exposure);
  });
});
