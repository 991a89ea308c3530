// What outside parties have signed travels in evidence: time-stamps with their chains, cosignatures, the policy; and what a verifier
// makes of it, true or not, with and without somebody to believe.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import {
  createLog,
  type EvidenceSelection,
  type EvidenceWriting,
  type Log,
  newSignerKey,
  openLog,
  rotateKey,
} from 'indelible';
import { AnchorStore, judgeStamps } from 'indelible/anchor';
import { base64Encode, type JsonObject, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  type Cosigner,
  cosignerKeyFromSeed,
  formatCheckpoint,
  keyTypes,
  type Policy,
  parseCheckpoint,
  parseCosignerKey,
  parseNote,
  parsePolicy,
  parseSignerKey,
  type Signer,
  signNote,
  withSignatures,
} from 'indelible/note';
import { type EvidenceReport, parseEvidence, readHead } from 'indelible/verify';
import { indelible } from '../cli/cli-process.ts';
import { signIn, temporaryFolder } from '../support/folders.ts';
import { pythonMissing, pythonVerdicts, pythonVerifier } from '../support/python.ts';
import {
  type Chain,
  caExtensions,
  forgeToken,
  type Identity,
  makeChain,
  makeIdentity,
  openssl,
  opensslMissing,
  tsaExtensions,
} from '../support/tsa.ts';
import { policyText } from '../support/witness-process.ts';
import { auditWith, inside, sealedBy, signerIn, writeAll } from './world.ts';

const origin = 'example.com/anchored';
const by = { type: 'user', id: 'u_1' };
/** When the witnesses sign, POSIX seconds: after all that is recorded here. */
const signedAt = Math.floor(Date.now() / 1000) + 60;
const root = parseSignerKey(newSignerKey(`${origin}/root`));
const witnesses: readonly Cosigner[] = [1, 2].map((seed) =>
  parseCosignerKey(
    cosignerKeyFromSeed(`w${seed}.example`, keyTypes.cosignatureV1, new Uint8Array(32).fill(seed)),
  ),
);

/** A log of ten entries, cosigned and stamped, and then of some more. */
interface World {
  readonly dir: string;
  readonly vkey: string;
  readonly signer: Signer;
  /** The note over the first ten. */
  readonly note: string;
  /** Its policy: one of two witnesses has to cosign. */
  readonly policy: string;
  opened(): Promise<Log>;
  evidence(selection: EvidenceSelection, writing?: Partial<EvidenceWriting>): Promise<string>;
  /** Writes into `anchors.db`. */
  keep(write: (store: AnchorStore) => void): void;
}

const textOf = (note: string): string => parseNote(utf8Encode(note)).text;
const cosigned = (note: string, by = witnesses.slice(0, 1)): string =>
  utf8Decode(
    withSignatures(
      utf8Encode(note),
      by.map((witness) => witness.cosign(textOf(note), BigInt(signedAt))),
    ),
  );

async function world(
  t: TestContext,
  { token }: { token?: (text: Uint8Array) => Uint8Array } = {},
): Promise<World> {
  const dir = path.join(temporaryFolder(t), 'log');
  const log = await createLog(dir, { origin, rootVkey: root.vkey, heartbeatMs: 0, warn: () => {} });
  const { vkey } = log;
  const record = (from: number, count: number) =>
    log.recordMany(Array.from({ length: count }, (_, n) => signIn(`e-${from + n}`, `u_${n % 3}`)));
  await record(0, 9);
  const { note, size } = await log.checkpoint();
  assert.equal(size, 10);
  await record(9, 5);
  await log.close();
  const keep = (write: (store: AnchorStore) => void): void => {
    const store = AnchorStore.open(path.join(dir, 'anchors.db'));
    write(store);
    store.close();
  };
  keep((store) => {
    const bytes = utf8Encode(note);
    const lines = [witnesses[0]!.cosign(textOf(note), BigInt(signedAt))];
    store.addSignatures({ size, note: bytes, at: 0 }, lines);
    if (token !== undefined)
      store.putTimestamp({
        size,
        authority: 'tsa',
        token: token(utf8Encode(textOf(note))),
        note: bytes,
        at: 0,
      });
  });
  const policy = policyText(
    vkey,
    witnesses.map(({ key }) => ({ vkey: key.text })),
    1,
  );
  const opened = async (): Promise<Log> => {
    const again = await openLog(dir, { witnesses: policy, heartbeatMs: 0, warn: () => {} });
    t.after(() => again.close());
    return again;
  };
  return {
    ...{ dir, vkey, note, policy, keep, opened },
    signer: signerIn(dir),
    evidence: async (selection, writing = {}) => {
      await using again = await opened();
      let text = '';
      for await (const piece of again.evidence(selection, { by, ...writing })) text += piece;
      return text;
    },
  };
}

/** The verdict over a text, as the command line comes to it. */
async function judged(
  text: string,
  trust?: Policy | { vkey: string },
  certificates?: readonly Uint8Array[],
): Promise<EvidenceReport> {
  const { evidence } = parseEvidence(utf8Encode(text));
  const stamps = evidence.timestamps.map(({ authority, checkpoint, token }) => {
    const note = utf8Encode(checkpoint);
    return { authority, token, note, size: readHead(note)?.size ?? 0 };
  });
  const stamped = await judgeStamps(stamps, {
    certificates: () => certificates,
    intermediates: evidence.certificates,
    now: Date.now(),
  });
  return auditWith(text, { ...(trust !== undefined && { trust }), stamped });
}

const codes = ({ findings }: EvidenceReport): string[] => [...new Set(findings.map(({ code }) => code))];

describe('cosignatures in evidence', () => {
  test('the newest checkpoint with a quorum, and the policy: without one of ours it is told whose word that is', async (t) => {
    const { evidence, vkey, policy } = await world(t);
    const text = await evidence({ query: '' });
    const file = inside(text);
    assert.equal(file['policy'], policy);
    const report = auditWith(text, { trust: { vkey } });
    assert.deepEqual(report.findings, []);
    assert.deepEqual(report.witnessed, {
      size: 10,
      cosignatures: [{ witness: 'w1.example', vkey: witnesses[0]!.key.text, size: 10, timestamp: signedAt }],
      policy: 'inside',
      quorum: null,
      behind: report.counts.selected - 10,
    });
    assert.equal(report.policy, policy);
    assert.match(report.statements.join('\n'), /of its first 10 entries, by the witnesses/);
  });

  test('attack-46: a witness of ours had cosigned the entries before they were recorded, as they say', async (t) => {
    const { evidence, vkey, policy, note, signer } = await world(t);
    const file = inside(await evidence({ query: '' }));
    const at = (ms: number): string => {
      const seconds = BigInt(Math.floor((Date.now() + ms) / 1000));
      const line = witnesses[0]!.cosign(textOf(note), seconds);
      const witnessed = utf8Decode(withSignatures(utf8Encode(note), [line]));
      return sealedBy({ ...file, witnessed }, origin, signer);
    };
    const trust = parsePolicy(policy);
    assert.deepEqual(codes(auditWith(at(0), { trust })), ['not_witnessed']);
    // Whenever it signed later, it may have been asked late.
    assert.deepEqual(codes(auditWith(at(9_000_000), { trust })), ['not_witnessed']);
    const early = auditWith(at(-3_600_000), { trust });
    assert.deepEqual(codes(early).sort(), ['not_witnessed', 'time_contradicted']);
    const found = early.findings.find(({ code }) => code === 'time_contradicted')!;
    assert.match(found.message, /^Entry 9 says .* w1\.example has cosigned a checkpoint that covers it at /);
    // The witnesses of the policy inside are the operator's own.
    assert.deepEqual(codes(auditWith(at(-3_600_000), { trust: { vkey } })), []);
  });

  test('a policy of ours: its quorum is asked of that checkpoint, and every selected entry has to be among those', async (t) => {
    const made = await world(t);
    const old = await made.evidence({ ids: ['e-1', 'e-8'] });
    const one = auditWith(old, { trust: parsePolicy(made.policy) });
    assert.deepEqual([one.findings, one.verdict, one.witnessed?.quorum], [[], 'verified', true]);
    const both = policyText(
      made.vkey,
      witnesses.map(({ key }) => ({ vkey: key.text })),
      2,
    );
    const missing = auditWith(old, { trust: parsePolicy(both) });
    assert.deepEqual([codes(missing), missing.witnessed?.quorum], [['checkpoint_invalid'], false]);
    assert.match(missing.findings[0]!.message, /The quorum all has cosigned no checkpoint in this file/);

    const newer = auditWith(await made.evidence({ ids: ['e-1', 'e-9'] }), {
      trust: parsePolicy(made.policy),
    });
    assert.deepEqual(codes(newer), ['not_witnessed']);
    assert.match(newer.findings[0]!.message, /^1 of the selected entries is not among the 10/);
    await using log = await made.opened();
    const checkpoint = await log.checkpoint({ witnessed: true });
    let text = '';
    for await (const piece of log.evidence({ query: '' }, { by, checkpoint })) text += piece;
    const under = auditWith(text, { trust: parsePolicy(made.policy) });
    assert.deepEqual([under.findings, under.size, under.counts.selected], [[], 10, 10]);
  });

  test('without witnesses there is nothing of it, and a quorum that is asked for is not met', async (t) => {
    const dir = path.join(temporaryFolder(t), 'log');
    await using log = await createLog(dir, { origin, heartbeatMs: 0, warn: () => {} });
    let text = '';
    for await (const piece of log.evidence({ query: '' }, { by })) text += piece;
    const report = auditWith(text, { trust: { vkey: log.vkey } });
    assert.deepEqual([report.ok, report.witnessed, report.policy], [true, null, null]);
    const policy = policyText(log.vkey, [{ vkey: witnesses[0]!.key.text }], 1);
    assert.deepEqual(codes(auditWith(text, { trust: parsePolicy(policy) })), ['checkpoint_invalid']);
  });

  test('what the log’s key was replaced behind is the log’s all the same; under it nothing is made any more', async (t) => {
    const made = await world(t);
    await rotateKey(made.dir, root);
    const now = signerIn(made.dir).vkey;
    const text = await made.evidence({ ids: ['e-1'] });
    for (const vkey of [now, made.vkey, root.vkey]) {
      const report = auditWith(text, { trust: { vkey } });
      assert.deepEqual([report.findings, report.witnessed?.size], [[], 10], vkey);
      assert.deepEqual(
        report.keys.map((key) => key.vkey),
        [made.vkey, now],
      );
    }
    if (pythonMissing === false) {
      assert.deepEqual(await pythonVerdicts(writeAll(temporaryFolder(t), [text]), now), [true]);
    }
    await using log = await made.opened();
    const checkpoint = await log.checkpoint({ witnessed: true });
    const pieces = log.evidence({ query: '' }, { by, checkpoint });
    await assert.rejects(pieces.next(), { code: 'evidence_outdated', retryable: true });
  });

  test('a key that is replaced while the file is made: the file is refused, not wrong', async (t) => {
    const made = await world(t);
    await using log = await made.opened();
    const pieces = log.evidence({ query: '' }, { by });
    await pieces.next();
    // Another process replaces the key, and this one has it by its next entry.
    await rotateKey(made.dir, root);
    await log.record(signIn('behind'));
    await assert.rejects(
      async () => {
        for await (const _ of pieces);
      },
      { code: 'evidence_outdated' },
    );
  });

  test('the verifier in Python names the witnesses, ours or those of the policy inside', {
    skip: pythonMissing,
  }, async (t) => {
    const { evidence, vkey } = await world(t);
    const [file] = writeAll(temporaryFolder(t), [await evidence({ query: '' })]);
    const told = pythonVerifier(['evidence', file!, '--vkey', vkey]);
    assert.equal(told.status, 0, told.stdout);
    assert.match(
      told.stdout,
      /verified; 10 cosigned by w1\.example, whom the policy inside names; not looked at: whether they match the query\.$/m,
    );
    const ours = pythonVerifier(['evidence', file!, '--vkey', vkey, '--witness', witnesses[0]!.key.text]);
    assert.match(ours.stdout, /10 cosigned by w1\.example; not looked at/);
    const other = pythonVerifier(['evidence', file!, '--vkey', vkey, '--witness', witnesses[1]!.key.text]);
    assert.doesNotMatch(other.stdout, /cosigned/);
    assert.equal(pythonVerifier(['evidence', file!, '--witness', vkey]).status, 2);
  });
});

/** What the holder of the key signs of other people’s signatures, and what it amounts to. */
const lies: Record<string, { code: string; change: (file: JsonObject, made: World) => object }> = {
  'a cosignature over something else': {
    code: 'checkpoint_invalid',
    change: (_, { note }) => {
      const other = formatCheckpoint({ origin, size: 9, root: new Uint8Array(32) });
      const line = witnesses[0]!.cosign(other, BigInt(signedAt));
      return { witnessed: utf8Decode(withSignatures(utf8Encode(note), [line])) };
    },
  },
  'a cosigned checkpoint of another history': {
    code: 'root_mismatch',
    change: (_, { signer }) => ({ witnessed: cosigned(otherHistory(10, signer)) }),
  },
  'a cosigned checkpoint that is larger': {
    code: 'size_mismatch',
    change: (_, { signer }) => ({ witnessed: cosigned(otherHistory(1000, signer)) }),
  },
  'a cosigned checkpoint that the log has not signed': {
    code: 'checkpoint_invalid',
    change: (_, { note }) => ({ witnessed: cosigned(bySomebodyElse(note)) }),
  },
  'a stamped checkpoint that the log has not signed': {
    code: 'key_unknown',
    change: (_, { note }) => ({ timestamps: [stampOver(bySomebodyElse(note))] }),
  },
  'a cosigned checkpoint of another log': {
    code: 'origin_mismatch',
    change: (_, { note }) => {
      const other = parseSignerKey(newSignerKey('example.com/other'));
      const text = textOf(note).replace(origin, 'example.com/other');
      return { witnessed: cosigned(utf8Decode(signNote(text, [other]))) };
    },
  },
  'no checkpoint at all': { code: 'checkpoint_invalid', change: () => ({ witnessed: 'nothing' }) },
  'a stamped checkpoint of another history': {
    code: 'root_mismatch',
    change: (_, { signer }) => ({ timestamps: [stampOver(otherHistory(10, signer))] }),
  },
  'a stamped checkpoint that is larger': {
    code: 'size_mismatch',
    change: (_, { signer }) => ({ timestamps: [stampOver(otherHistory(1000, signer))] }),
  },
  'a stamp over no checkpoint': {
    code: 'checkpoint_invalid',
    change: () => ({ timestamps: [stampOver('x')] }),
  },
  'a stamped checkpoint without the tiles that lead to it': {
    code: 'tile_mismatch',
    change: ({ tiles }) => ({
      tiles: (tiles as unknown as { level: number }[]).filter(({ level }) => level > 0),
    }),
  },
};

/** A checkpoint of this log’s name and key, of entries that it never had. */
function otherHistory(size: number, signer: Signer): string {
  const text = formatCheckpoint({ origin, size, root: new Uint8Array(32).fill(7) });
  return utf8Decode(signNote(text, [signer]));
}

/** The text of a note under another key of the same name. */
function bySomebodyElse(note: string): string {
  return utf8Decode(signNote(textOf(note), [parseSignerKey(newSignerKey(origin))]));
}

function stampOver(checkpoint: string): object {
  return { authority: 'tsa', checkpoint, token: base64Encode(Uint8Array.of(0x30, 0)) };
}

describe('what the holder of the key says falsely of others: both verifiers refuse it', () => {
  for (const [name, { code, change }] of Object.entries(lies)) {
    test(name, async (t) => {
      const made = await world(t, { token: () => Uint8Array.of(0x30, 0) });
      const honest = await made.evidence({ ids: ['e-3'] });
      assert.deepEqual(auditWith(honest, { trust: { vkey: made.vkey } }).findings, []);
      const file = inside(honest);
      const lie = sealedBy({ ...file, ...change(file, made) }, origin, made.signer);
      const found = codes(auditWith(lie, { trust: { vkey: made.vkey } }));
      assert.ok(found.includes(code), found.join(' '));
      if (pythonMissing === false) {
        const theirs = await pythonVerdicts(writeAll(temporaryFolder(t), [honest, lie]), made.vkey);
        assert.deepEqual(theirs, [true, false]);
      }
    });
  }

  test('of a policy that cannot be read each line of a witness counts, and a cosignature that is forged refuses: in both verifiers', {
    skip: pythonMissing,
  }, async (t) => {
    const made = await world(t);
    const file = inside(await made.evidence({ ids: ['e-3'] }));
    const [one, two] = witnesses.map(({ key }) => key.text) as [string, string];
    const honest = file['witnessed'] as unknown as string;
    const forged = honest.replace(/(— w1.example .*)....\n/, '$1AAA=\n');
    assert.notEqual(forged, honest);
    const policies: Record<string, readonly [string, number]> = {
      'twice the same': [`log ${made.vkey}\nwitness a ${one}\nwitness b ${one}\nquorum a\n`, 1],
      'a line that is nonsense': [`nonsense here\nwitness a ${one}\nwitness b\nwitness c x+y+z\n`, 1],
      'lines that end as in Windows': [`witness a ${one}\r\nquorum a\r\n`, 0],
      'the same, with an address': [`witness a ${one} https://w1.example\r\n`, 1],
      'tabs, and no newline at the end': [`\twitness\ta\t${one}`, 1],
      'another space': [`witness\u00a0a\u00a0${one}\n`, 0],
      large: [`witness a ${one}\n${'#'.repeat(2_000_000)}\n`, 1],
      'a key of a log': [`witness a ${made.vkey}\n`, 0],
      'a name that is too long': [`witness a ${`x${'y'.repeat(5000)}${one.slice(one.indexOf('+'))}`}\n`, 0],
      'another witness': [`witness b ${two}\n`, 0],
    };
    const cases = Object.entries(policies).flatMap(([name, [policy, counts]]) =>
      [honest, forged].map((witnessed) => ({
        name,
        counts,
        isForged: witnessed === forged,
        text: sealedBy({ ...file, policy, witnessed }, origin, made.signer),
      })),
    );
    const theirs = await pythonVerdicts(
      writeAll(
        temporaryFolder(t),
        cases.map(({ text }) => text),
      ),
      made.vkey,
    );
    for (const [place, { name, counts, isForged, text }] of cases.entries()) {
      const { ok, witnessed } = auditWith(text, { trust: { vkey: made.vkey } });
      assert.deepEqual([ok, theirs[place]], [!isForged || counts === 0, ok], name);
      if (ok) assert.equal(witnessed?.cosignatures.length, counts, name);
    }
  });

  test('a policy that cannot be read is nobody’s word; more tokens than one file may hold are no evidence', async (t) => {
    const made = await world(t, { token: () => Uint8Array.of(0x30, 0) });
    const file = inside(await made.evidence({ ids: ['e-3'] }));
    const unread = auditWith(sealedBy({ ...file, policy: 'nonsense' }, origin, made.signer));
    assert.deepEqual(
      [unread.ok, unread.witnessed?.policy, unread.witnessed?.cosignatures],
      [true, 'none', []],
    );
    const [stamp] = file['timestamps'] as unknown as JsonObject[];
    const many = sealedBy(
      { ...file, timestamps: Array.from({ length: 501 }, () => stamp!) },
      origin,
      made.signer,
    );
    assert.throws(() => auditWith(many), { code: 'malformed_evidence' });
  });
});

describe('time-stamps in evidence', { skip: opensslMissing }, () => {
  let folder: string;
  let chain: Chain;
  /** A chain of three, of whose middle the tokens say nothing. */
  let long: { root: Identity; middle: Identity; tsa: Identity };
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'indelible-tsa-'));
    chain = makeChain(folder);
    const top = makeIdentity(folder, 'top', { extensions: caExtensions });
    const middle = makeIdentity(folder, 'middle', { extensions: caExtensions, issuer: top });
    const tsa = makeIdentity(folder, 'below', { extensions: tsaExtensions, issuer: middle });
    long = { root: top, middle, tsa };
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const token = (text: Uint8Array): Uint8Array => forgeToken({ text, signer: chain.tsa });

  test('it is verified to a certificate that was given, or else said that nobody vouches for it', async (t) => {
    const { evidence, vkey } = await world(t, { token });
    const text = await evidence({ ids: ['e-1'] });
    const report = await judged(text, { vkey }, [chain.root.der]);
    assert.deepEqual(report.findings, []);
    const [stamp] = report.timestamps;
    assert.deepEqual([stamp?.authority, stamp?.size], ['tsa', 10]);
    const { time, ...shown } = stamp!.verdict as { time: string };
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.deepEqual(shown, { trust: 'anchored', signer: 'O=Test, CN=tsa' });
    const alone = await judged(text, { vkey });
    assert.deepEqual([alone.ok, (alone.timestamps[0]!.verdict as { trust: string }).trust], [true, 'inside']);
    const other = await judged(text, { vkey }, [long.root.der]);
    assert.deepEqual(codes(other), ['timestamp_invalid']);
    assert.equal((other.timestamps[0]!.verdict as { code: string }).code, 'timestamp_untrusted');
    // Who cannot read tokens says that they were carried.
    assert.deepEqual(auditWith(text).timestamps, [{ authority: 'tsa', size: 10 }]);
  });

  test('a chain that the token leaves short is completed by the settings, whose certificates are trusted by nobody', async (t) => {
    const short = (text: Uint8Array): Uint8Array =>
      forgeToken({ text, signer: long.tsa, certificates: [long.tsa.der] });
    const made = await world(t, { token: short });
    const bare = await made.evidence({ ids: ['e-1'] });
    assert.deepEqual(codes(await judged(bare, { vkey: made.vkey }, [long.root.der])), ['timestamp_invalid']);
    writeFileSync(
      path.join(made.dir, 'timestamps.json'),
      JSON.stringify({
        authorities: [
          { name: 'tsa', url: 'http://127.0.0.1:9/', certificates: `${long.middle.pem}${long.root.pem}` },
          { name: 'other', url: 'http://127.0.0.1:9/', certificates: chain.root.pem },
        ],
      }),
    );
    const whole = await made.evidence({ ids: ['e-1'] });
    assert.deepEqual(inside(whole)['certificates'], [
      base64Encode(long.middle.der),
      base64Encode(long.root.der),
    ]);
    const report = await judged(whole, { vkey: made.vkey }, [long.root.der]);
    assert.deepEqual(
      [report.findings, (report.timestamps[0]!.verdict as { trust: string }).trust],
      [[], 'anchored'],
    );
    // That the root travels along says nothing for it.
    const alone = await judged(whole, { vkey: made.vkey });
    assert.equal((alone.timestamps[0]!.verdict as { trust: string }).trust, 'inside');
  });

  test('a token over another text, one that was changed, and one that contradicts the entries', async (t) => {
    const { evidence, vkey, signer, note } = await world(t, { token });
    const file = inside(await evidence({ query: '' }));
    const text = utf8Encode(textOf(note));
    const withToken = (other: Uint8Array): Promise<EvidenceReport> => {
      const timestamps = [{ authority: 'tsa', checkpoint: note, token: base64Encode(other) }];
      return judged(sealedBy({ ...file, timestamps }, origin, signer), { vkey }, [chain.root.der]);
    };
    assert.deepEqual(codes(await withToken(token(text))), []);
    assert.deepEqual(codes(await withToken(token(utf8Encode('another text\n')))), ['timestamp_invalid']);
    const changed = token(text);
    changed[changed.length - 1]! ^= 1;
    assert.deepEqual(codes(await withToken(changed)), ['timestamp_invalid']);
    assert.deepEqual(codes(await withToken(Uint8Array.of(0x30, 0))), ['timestamp_invalid']);
    const early = forgeToken({ text, signer: chain.tsa, genTime: new Date(Date.now() - 3_600_000) });
    assert.deepEqual(codes(await withToken(early)), ['time_contradicted']);
    const broken = sealedBy({ ...file, certificates: [base64Encode(Uint8Array.of(1))] }, origin, signer);
    assert.deepEqual(codes(await judged(broken, { vkey }, [chain.root.der])), ['timestamp_invalid']);
  });

  test('for each entry the first that covers it, and no more than 64', async (t) => {
    const made = await world(t);
    await using log = await made.opened();
    const notes = new Map<number, string>();
    for (let n = 0; n < 80; n += 1) {
      await log.record(signIn(`s-${n}`));
      const { size, note } = await log.checkpoint();
      notes.set(size, note);
    }
    made.keep((store) => {
      for (const [size, note] of notes)
        for (const authority of ['one', 'two'])
          store.putTimestamp({
            size,
            authority,
            token: token(utf8Encode(textOf(note))),
            note: utf8Encode(note),
            at: 0,
          });
    });
    const sizesIn = async (selection: EvidenceSelection) => {
      let text = '';
      for await (const piece of log.evidence(selection, { by })) text += piece;
      const report = await judged(text, { vkey: made.vkey }, [chain.root.der]);
      assert.deepEqual(report.findings, []);
      return report.timestamps.filter(({ authority }) => authority === 'one').map(({ size }) => size);
    };
    const { index } = await log.get('s-40').then((event) => event!);
    const [first = 0] = notes.keys();
    // The first entry of the log is always in the file.
    assert.deepEqual(await sizesIn({ ids: ['s-40'] }), [first, index + 1]);
    const all = await sizesIn({ query: '' });
    assert.equal(all.length, 32);
    assert.equal(all.at(-1), [...notes.keys()].at(-1));
  });

  test('what is stamped and is of another history, or no checkpoint: nothing is made', async (t) => {
    const made = await world(t, { token });
    const note = utf8Encode(otherHistory(5, made.signer));
    made.keep((store) => store.putTimestamp({ size: 5, authority: 'evil', token: token(note), note, at: 0 }));
    await assert.rejects(made.evidence({ query: '' }), { code: 'rolled_back' });
    made.keep((store) =>
      store.putTimestamp({ size: 5, authority: 'evil', token: token(note), note: utf8Encode('x'), at: 0 }),
    );
    await assert.rejects(made.evidence({ query: '' }), { code: 'log_damaged' });
  });

  test('the command line: as evidence, verified with a policy and a root, and by openssl out of the file', async (t) => {
    const made = await world(t, {
      token: (text) => {
        // What openssl asks of a token, ours has; it is signed by a chain of two.
        return forgeToken({ text, signer: chain.tsa, certificates: [chain.tsa.der, chain.root.der] });
      },
    });
    const base = temporaryFolder(t);
    const policy = path.join(base, 'policy');
    writeFileSync(policy, made.policy);
    writeFileSync(path.join(made.dir, 'policy'), made.policy);
    const file = path.join(base, 'case.html');
    const wrote = indelible(['evidence', '--log', made.dir, '--query', '', '--witnessed', '--out', file]);
    assert.equal(wrote.status, 0, wrote.stderr);
    const words = ['verify', file, '--policy', policy, '--tsa-ca', chain.root.cert];
    const { status, stdout } = indelible(words);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /asked {5}10 entries match the query/);
    assert.match(stdout, /key {7}example\.com\/anchored\S+ {2}from 0 entries on/);
    assert.match(stdout, /witnessed 10 entries, as the quorum of your policy asks/);
    assert.match(stdout, /cosigned {2}by w1\.example\+\S+ at 20/);
    assert.match(
      stdout,
      /stamped {3}10 entries by tsa at \S+Z, signed by O=Test, CN=tsa: its chain ends at a certificate that you gave/,
    );
    const alone = indelible(['verify', file, '--vkey', made.vkey]);
    assert.match(alone.stdout, /by a certificate that nobody vouches for; name yours with --tsa-ca/);
    assert.match(alone.stdout, /by witnesses of the policy inside, which is the operator’s own statement/);
    assert.equal(indelible(['verify', file, '--tsa-ca', long.root.cert]).status, 1);
    assert.equal(indelible(['verify', file, '--anchors', policy]).status, 2);
    const newer = path.join(base, 'newer.json');
    assert.equal(indelible(['evidence', '--log', made.dir, '--query', '', '--out', newer]).status, 0);
    const late = indelible(['verify', newer, '--policy', policy]);
    assert.equal(late.status, 1);
    assert.match(late.stdout, /not_witnessed/);

    const { evidence } = parseEvidence(
      utf8Encode(JSON.stringify(JSON.parse(await made.evidence({ ids: ['e-1'] })))),
    );
    const [{ checkpoint, token: der } = { checkpoint: '', token: new Uint8Array() }] = evidence.timestamps;
    const [data, answer] = [path.join(base, 'text'), path.join(base, 'token')];
    writeFileSync(data, textOf(checkpoint));
    writeFileSync(answer, der);
    const said = openssl([
      'ts',
      '-verify',
      '-in',
      answer,
      '-token_in',
      '-data',
      data,
      '-CAfile',
      chain.root.cert,
    ]);
    assert.match(said.toString(), /Verification: OK/);
    assert.equal(parseCheckpoint(textOf(checkpoint)).size, 10);
  });
});
