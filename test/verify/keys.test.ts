import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64Encode, utf8Decode, utf8Encode } from 'indelible/bytes';
import { formatKeyStatement, type KeyStatement, parseKeyStatement, prepareEvent } from 'indelible/event';
import { hashLeaf, hashNode, planInclusion } from 'indelible/merkle';
import { formatCheckpoint, parseVerifierKey, policyOfKey, signNote } from 'indelible/note';
import { type AuditOptions, auditLog, formatProof, verifyProof } from 'indelible/verify';
import { keyOf, RotatingLog, root } from './rotating-log.ts';
import { createSigner, origin } from './small-log.ts';

const codes = async (log: RotatingLog, options: AuditOptions = {}): Promise<string[]> =>
  (await auditLog(log.source(), options)).findings.map(({ code }) => code);

const pinned = (vkey: string): AuditOptions => ({ trust: { vkey } });

test('a log that rotated by the rules is accepted by whoever pinned the first key, any later one, or the root key', async () => {
  const log = new RotatingLog().grow(5).rotate().grow(3).rotate().grow(2);
  for (const vkey of [keyOf(0).vkey, keyOf(1).vkey, keyOf(2).vkey, root.vkey])
    assert.deepEqual(await codes(log, pinned(vkey)), [], vkey);
  const report = await auditLog(log.source(), pinned(keyOf(0).vkey));
  assert.deepEqual(
    report.keys?.map(({ first, last, isHandedOver }) => [first, last, isHandedOver]),
    [
      [0, 6, undefined],
      [7, 10, true],
      [11, undefined, true],
    ],
  );
  assert.deepEqual(await codes(log, { ...pinned(root.vkey), depth: 'tree' }), []);
  const stranger = createSigner(origin, 99).vkey;
  assert.deepEqual((await codes(log, pinned(stranger))).sort(), ['key_unknown', 'key_unknown']);
});

test('each key signs for its sizes alone', async () => {
  const log = new RotatingLog().grow(5);
  const early = log.note;
  const rootOf = (note: string): string => note.split('\n')[2]!;
  log.rotate();
  const late = log.note;
  assert.deepEqual(await codes(log, { ...pinned(root.vkey), held: [early, late] }), []);
  const resigned = (note: string, signer = keyOf(0)): string =>
    utf8Decode(signNote(note.slice(0, note.indexOf('\n\n') + 1), [signer]));
  assert.deepEqual(await codes(log, { held: [resigned(late)] }), ['key_retired']);
  assert.deepEqual(await codes(log, { held: [resigned(early, keyOf(1))] }), ['key_retired']);
  assert.notEqual(rootOf(early), rootOf(late));
  // The log's own checkpoint, too.
  log.checkpoint = utf8Encode(resigned(late));
  assert.deepEqual(await codes(log), ['key_retired']);
});

test('attack-12: what a stolen key signs after it was revoked is not believed, unless it was anchored before', async () => {
  const log = new RotatingLog().grow(4);
  const honest = log.receipt(3);
  log.grow(4);
  const inWindow = log.receipt(7);
  const anchor = { size: log.size, root: log.note.split('\n')[2]!, time: Date.UTC(2026, 0, 1) };
  const thief = log.signer;
  log.rotate().revoke(thief.vkey, 5).grow(2);
  const trust = pinned(root.vkey);
  assert.deepEqual(await codes(log, { ...trust, held: [honest] }), []);
  assert.deepEqual(await codes(log, { ...trust, held: [inWindow] }), ['key_revoked']);
  // Somebody outside had seen that very state before the key was stolen.
  assert.deepEqual(await codes(log, { ...trust, held: [inWindow], anchors: [anchor] }), []);
  const after = { ...anchor, time: Date.UTC(2026, 0, 1) + 5000 };
  assert.deepEqual(await codes(log, { ...trust, held: [inWindow], anchors: [after] }), ['key_revoked']);
  // Of another history, which the thief signs for the same sizes, nothing is believed either.
  const forged = utf8Decode(
    signNote(formatCheckpoint({ origin, size: 7, root: new Uint8Array(32).fill(7) }), [thief]),
  );
  assert.deepEqual(await codes(log, { ...trust, held: [forged] }), ['key_revoked']);
  const foreign = { size: 7, root: base64Encode(new Uint8Array(32).fill(7)), time: 0 };
  assert.deepEqual(await codes(log, { ...trust, held: [forged], anchors: [foreign] }), ['forked']);
  const beyond = utf8Decode(
    signNote(formatCheckpoint({ origin, size: log.size, root: log.frontier().root() }), [thief]),
  );
  assert.deepEqual(await codes(log, { ...trust, held: [beyond], anchors: [foreign] }), ['key_retired']);
});

test('what outside parties signed of a log stays good when the key under it is revoked, as long as it is of this history', async () => {
  const log = new RotatingLog().grow(8);
  const { note, size } = log;
  const thief = log.signer;
  log.rotate().revoke(thief.vkey, 5).grow(2);
  const stampOf = (one: string) => ({
    authority: 'tsa',
    note: one,
    // After the key was stolen: it shows nothing of who signed.
    verdict: { time: new Date(Date.UTC(2026, 0, 1) + 60_000).toISOString(), trust: 'inside' as const },
  });
  for (const trust of [{}, pinned(root.vkey), pinned(thief.vkey), pinned(keyOf(1).vkey)]) {
    const kept = { ...trust, published: [note, log.note], stamped: [stampOf(note)] };
    assert.deepEqual(await codes(log, kept), []);
  }
  const text = formatCheckpoint({ origin, size, root: new Uint8Array(32).fill(7) });
  const forged = utf8Decode(signNote(text, [thief]));
  for (const kept of [{ published: [forged] }, { stamped: [stampOf(forged)] }])
    assert.deepEqual(await codes(log, { ...pinned(root.vkey), ...kept }), ['forked']);
});

test('attack-12: a thief of the signing key cannot put another key in its place', async () => {
  const thief = keyOf(0);
  const own = createSigner(`${origin}/root`, 66);
  for (const by of [[thief], [thief, own], [own]]) {
    const log = new RotatingLog().grow(3).rotate({ by }).grow(2);
    for (const vkey of [thief.vkey, root.vkey]) {
      const found = await codes(log, pinned(vkey));
      assert.ok(found.includes('key_change_invalid'), `${vkey}: ${found}`);
      assert.ok(found.includes('key_unknown'), `${vkey}: ${found}`);
    }
    assert.ok((await codes(log)).includes('key_change_invalid'));
  }
});

test('attack-09: a log made anew, that names a known key or root key and rotates from it, is no log of theirs', async () => {
  const impostor = createSigner(origin, 77);
  const theirRoot = createSigner(`${origin}/root`, 78);
  const real = new RotatingLog().grow(3).rotate();
  const realNote = JSON.parse(Buffer.from(real.rows.at(-1)!.entry).toString()).metadata.authorisation;
  // Another genesis, which names the known log key and a root key of the impostor's.
  const anew = (rootKey: string): RotatingLog => {
    const log = new RotatingLog();
    log.rows = [];
    log.append({
      action: 'log.created',
      actor: { type: 'log', id: 'self' },
      clear: ['/metadata'],
      metadata: {
        format: 1,
        origin,
        logKeys: [keyOf(0).vkey, impostor.vkey],
        rootKey,
        sealing: 'rfc9901-sha256-128',
        personalIds: 'refuse',
      },
    });
    return log;
  };
  const rotated = anew(theirRoot.vkey);
  rotated.grow(2);
  rotated.rotate({ by: [theirRoot] });
  const named = anew(root.vkey);
  named.signer = impostor;
  named.grow(2);
  const replayed = anew(root.vkey);
  replayed.change(
    { kind: 'rotation', ...real.place, change: 1, oldKey: keyOf(0).vkey, newKey: keyOf(1).vkey },
    [root],
  );
  replayed.rows.at(-1)!.entry = utf8Encode(
    Buffer.from(replayed.rows.at(-1)!.entry)
      .toString()
      .replace(/"authorisation":"(?:[^"\\]|\\.)*"/, () => `"authorisation":${JSON.stringify(realNote)}`),
  );
  replayed.signer = impostor;
  replayed.sign();
  for (const [name, log] of Object.entries({ rotated, named, replayed })) {
    for (const vkey of [keyOf(0).vkey, root.vkey]) {
      const found = await codes(log, pinned(vkey));
      assert.ok(found.includes('key_unknown'), `${name}: ${found}`);
    }
  }
});

test('a key whose holder did not sign the change is followed by the root key alone', async () => {
  const log = new RotatingLog()
    .grow(3)
    .rotate({ by: [root] })
    .grow(1);
  assert.deepEqual(await codes(log, pinned(root.vkey)), []);
  assert.deepEqual(await codes(log, pinned(keyOf(1).vkey)), []);
  assert.deepEqual(await codes(log, pinned(keyOf(0).vkey)), ['key_unknown', 'key_unknown']);
  const unrotated = new RotatingLog().grow(3);
  assert.ok((await codes(unrotated, pinned(root.vkey))).includes('key_unknown'));
});

test('changes that are not in order, not whole or not for here change nothing, and are findings', async () => {
  const other = createSigner(origin, 50);
  const bent: Record<string, (log: RotatingLog) => unknown> = {
    'an earlier number': (log) => log.rotate({ statement: { change: 1 } }),
    'a later number': (log) => log.rotate({ statement: { change: 9 } }),
    'another log of the name': (log) => log.rotate({ statement: { genesis: 'A'.repeat(43) } }),
    'another log': (log) => log.rotate({ statement: { origin: 'example.com/other' } }),
    'a key that never signed': (log) => log.rotate({ statement: { oldKey: other.vkey } }),
    'a retired key, once more': (log) => log.rotate({ statement: { oldKey: keyOf(0).vkey } }),
    'a key used before': (log) => log.rotate({ statement: { newKey: keyOf(0).vkey } }),
    'the root key as log key': (log) => log.rotate({ statement: { newKey: root.vkey } }),
    'a key of another name': (log) =>
      log.rotate({ statement: { newKey: createSigner('example.com/x', 3).vkey } }),
    'another key than was signed for': (log) => log.rotate({ entry: { newKey: other.vkey } }),
    'a revocation of the only key': (log) => log.revoke(log.signer.vkey, 1),
    'a revocation of a stranger': (log) => log.revoke(other.vkey, 1),
    'a revocation by the log key': (log) => log.revoke(keyOf(0).vkey, 1, { by: [log.signer] }),
    'a revocation from another size on': (log) =>
      log.revoke(keyOf(0).vkey, 1, {
        entry: { compromisedSince: { size: 2, time: '2026-01-01T00:00:00.000Z' } },
      }),
  };
  for (const [name, bend] of Object.entries(bent)) {
    const log = new RotatingLog().grow(2).rotate().grow(1);
    const honest = keyOf(1);
    bend(log);
    log.signer = honest;
    log.sign();
    for (const depth of ['full', 'tree'] as const) {
      const found = (await codes(log, { ...pinned(root.vkey), depth })).filter(
        (code) => code !== 'id_duplicate',
      );
      assert.deepEqual(found, ['key_change_invalid'], `${name}, ${depth}`);
    }
  }
});

test('a change in the form of another entry is a finding too', async () => {
  const log = new RotatingLog().grow(2);
  const change = { action: 'log.key_rotated', actor: { type: 'log', id: 'self' } };
  log.append({ ...change, reason: 'hidden', metadata: { newKey: 'x' } });
  log.append({ ...change, id: 'log.key_change.1001', metadata: { change: 1001 }, clear: ['/metadata'] });
  log.append({ ...change, id: 'log.key_change.01', clear: ['/metadata'], metadata: {} });
  log.append({ ...change, id: 'log.key_change.1', clear: ['/metadata'], metadata: { change: 1 } });
  assert.deepEqual(await codes(log.sign()), ['key_change_invalid', 'key_change_invalid']);
  // A number that was wasted is wasted: the next change bears the next one.
  log.changes = 1;
  assert.deepEqual(await codes(log.rotate(), pinned(keyOf(0).vkey)), [
    'key_change_invalid',
    'key_change_invalid',
  ]);
});

test('ten thousand forged changes cost findings, and neither memory nor the real one', async () => {
  const log = new RotatingLog().grow(1).rotate();
  for (let number = 0; number < 10_000; number += 1) {
    const id = `log.key_change.${1 + (number % 2000)}`;
    log.append({
      id,
      action: 'log.key_rotated',
      actor: { type: 'log', id: 'self' },
      metadata: { change: 1 + (number % 2000) },
      clear: ['/metadata'],
    });
  }
  log.sign();
  const { findings, keys } = await auditLog(log.source(), pinned(root.vkey));
  assert.ok(findings.some(({ code }) => code === 'key_change_invalid'));
  assert.equal(keys?.length, 2);
});

test('nobody records a change of keys through the front door', () => {
  const options = {
    id: 'x',
    occurredAt: '2026-01-01T00:00:00.000Z',
    now: 0,
    source: { service: 's', instance: '00000000-0000-4000-8000-000000000000', seq: 0 },
    personalIds: 'allow' as const,
  };
  const event = { action: 'user.signed_in', actor: { type: 'user', id: 'u' } };
  assert.throws(() => prepareEvent({ ...event, action: 'log.key_rotated' }, options), {
    code: 'action_reserved',
  });
  assert.throws(() => prepareEvent({ ...event, id: 'log.key_change.1' }, options), {
    code: 'action_reserved',
    pointer: '/id',
  });
});

test('a statement is read back to the letter, or not at all', () => {
  const place = { origin, genesis: 'A'.repeat(43), change: 3 };
  const statements: KeyStatement[] = [
    { kind: 'rotation', ...place, oldKey: keyOf(0).vkey, newKey: keyOf(1).vkey },
    {
      kind: 'revocation',
      ...place,
      key: keyOf(0).vkey,
      compromisedSince: { size: 7, time: '2026-01-01T00:00:00.000Z' },
    },
  ];
  for (const statement of statements) {
    const text = formatKeyStatement(statement);
    assert.deepEqual(parseKeyStatement(text), statement);
    for (let at = 0; at < text.length; at += 1) {
      const cut = text.slice(0, at) + text.slice(at + 1);
      try {
        assert.notDeepEqual(parseKeyStatement(cut), statement);
      } catch (error) {
        assert.equal((error as { code: string }).code, 'malformed_key_change');
      }
    }
  }
  assert.throws(() => parseKeyStatement(formatKeyStatement(statements[0]!).replace('v1', 'v2')), {
    code: 'malformed_key_change',
  });
});

test('attack-51: no other algorithm, version or format takes the place of the one that was agreed', async () => {
  const vkey = keyOf(1).vkey;
  const [name, , material] = vkey.split('+') as [string, string, string];
  const bytes = Buffer.from(material, 'base64');
  for (const type of [0, 2, 3, 4, 5, 6, 255]) {
    bytes[0] = type;
    const swapped = `${name}+${vkey.split('+')[1]}+${bytes.toString('base64')}`;
    const log = new RotatingLog().grow(2).rotate({ statement: { newKey: swapped } });
    log.signer = keyOf(0);
    const found = await codes(log.sign(), pinned(root.vkey));
    assert.ok(
      found.includes('key_change_invalid') && found.includes('key_unknown'),
      `type ${type}: ${found}`,
    );
  }
  // A genesis of another format, or another way of sealing, is not read as if it were ours.
  for (const [from, to] of [
    ['"format":1', '"format":0'],
    ['"format":1', '"format":2'],
    ['rfc9901-sha256-128', 'rfc9901-sha1-128'],
  ] as const) {
    const log = new RotatingLog().grow(2);
    log.rows[0]!.entry = utf8Encode(Buffer.from(log.rows[0]!.entry).toString().replace(from, to));
    assert.ok((await codes(log.sign(), pinned(keyOf(0).vkey))).includes('genesis_invalid'), to);
  }
  // And so is an entry of another version.
  const log = new RotatingLog().grow(2);
  log.rows[1]!.entry = utf8Encode(Buffer.from(log.rows[1]!.entry).toString().replace('"v":1}', '"v":0}'));
  assert.deepEqual(await codes(log.sign(), pinned(keyOf(0).vkey)), ['entry_malformed']);
});

test('a proof under a retired key holds where the timeline is at hand, and not beyond its sizes', () => {
  const log = new RotatingLog().grow(4);
  const proofOf = (index: number): Uint8Array => {
    const leaves = log.rows.map(({ entry }) => hashLeaf(entry));
    const nodes = planInclusion(index, log.size);
    const hashAt = (level: number, at: number): Uint8Array => {
      const width = 2 ** level;
      return rootOf(leaves.slice(at * width, (at + 1) * width));
    };
    const hashes = nodes.assemble(nodes.nodes.map(({ level, index: at }) => hashAt(level, at)));
    return utf8Encode(formatProof({ index, hashes, checkpoint: log.note }));
  };
  const old = proofOf(2);
  const entry = log.rows[2]!.entry;
  log.rotate().grow(3);
  const policy = policyOfKey(parseVerifierKey(root.vkey));
  const { timeline } = log;
  assert.equal(verifyProof({ proof: old, entry, policy, timeline }).size, 5);
  assert.equal(verifyProof({ proof: proofOf(2), entry, policy, timeline }).size, log.size);
  assert.throws(() => verifyProof({ proof: old, entry, policy: { vkey: keyOf(1).vkey } }), {
    code: 'signature_unknown',
  });
  log.signer = keyOf(0);
  log.sign();
  assert.throws(() => verifyProof({ proof: proofOf(2), entry, policy, timeline }), { code: 'key_retired' });
  const revoked = new RotatingLog();
  revoked.rows = [...log.rows];
  revoked.changes = 1;
  revoked.signer = keyOf(1);
  revoked.revoke(keyOf(0).vkey, 1);
  assert.throws(() => verifyProof({ proof: old, entry, policy, timeline: revoked.timeline }), {
    code: 'key_revoked',
  });
});

/** The root over leaves, by the definition (RFC 6962, section 2.1). */
function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  const split = 2 ** Math.ceil(Math.log2(leaves.length) - 1);
  return hashNode(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

test('whatever the order of growing, rotating and revoking, each size has one key, and old checkpoints stay good', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant('rotate' as const), fc.integer({ min: 1, max: 5 })), { maxLength: 12 }),
      async (steps) => {
        const log = new RotatingLog().grow(1);
        const notes: string[] = [];
        for (const step of steps) {
          notes.push(log.note);
          if (step === 'rotate') log.rotate();
          else log.grow(step);
        }
        const { timeline } = log;
        for (let size = 0; size <= log.size; size += 1) assert.equal(timeline.keysAt(size).length, 1);
        for (let number = 0; number <= log.number; number += 1)
          assert.deepEqual(await codes(log, { ...pinned(keyOf(number).vkey), held: notes }), []);
        if (log.number > 0) assert.deepEqual(await codes(log, pinned(root.vkey)), []);
        assert.deepEqual(timeline.problems, []);
      },
    ),
    { numRuns: 30 },
  );
});
