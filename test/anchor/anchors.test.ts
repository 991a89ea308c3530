// anchors.db and the policy beside it: nobody's signature is lost, and what is kept stays small.

import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { isLogError } from 'indelible';
import {
  AnchorStore,
  addPolicyWitness,
  newPolicy,
  PUBLISHED_KEPT_MIN,
  readPublished,
  removePolicyWitness,
  witnessStates,
} from 'indelible/anchor';
import { utf8Encode } from 'indelible/bytes';
import {
  cosignerKeyFromSeed,
  formatSignatureLine,
  keyTypes,
  parseCosignerKey,
  parseNote,
  parsePolicy,
} from 'indelible/note';
import { temporaryFolder } from '../support/folders.ts';
import { TestLog } from '../witness/world.ts';

const log = new TestLog().grow(5);
const origin = log.signer.name;
const cosigners = [1, 2, 3].map((byte) =>
  parseCosignerKey(
    cosignerKeyFromSeed(`w${byte}.example`, keyTypes.cosignatureV1, new Uint8Array(32).fill(byte)),
  ),
);
const line = (at: number, size = 5, time = 1_700_000_000n) =>
  cosigners[at]!.cosign(parseNote(log.note(size)).text, time);

const now = 1_700_000_100_000;

function opened(t: { after(act: () => void): void }, path = ''): AnchorStore {
  const store = AnchorStore.open(path);
  t.after(() => store.close());
  return store;
}

describe('published checkpoints', () => {
  test('gather signatures from two handles of one file, each once', (t) => {
    const path = join(temporaryFolder(t as never), 'anchors.db');
    const [one, other] = [opened(t, path), opened(t, path)];
    const published = { size: 5, note: log.note(), at: 1 };
    one.addSignatures(published, [line(0)]);
    other.addSignatures(published, [line(1)]);
    one.addSignatures(published, [line(0)]);
    const [kept] = one.newestPublished();
    assert.equal(parseNote(kept!.note).signatures.length, 3);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(AnchorStore.openReadable(path)?.newestPublished(), [kept]);
  });

  test('of one size are one: another history is refused', (t) => {
    const store = opened(t);
    store.addSignatures({ size: 5, note: log.note(), at: 1 }, []);
    const other = log.fork(4).grow(1, 'forged');
    assert.throws(
      () => store.addSignatures({ size: 5, note: other.note(), at: 2 }, [line(0)]),
      (error) => isLogError(error, 'rolled_back'),
    );
    assert.equal(parseNote(store.newestPublished()[0]!.note).signatures.length, 1);
  });

  test('are thinned to one an hour behind the newest, and none whose signers have not all signed a newer one', (t) => {
    const store = opened(t);
    const many = PUBLISHED_KEPT_MIN + 100;
    const sign = (name: string, bytes: number): string =>
      formatSignatureLine({ name, keyId: 1, signature: new Uint8Array(bytes) });
    const lines = new Map([
      // Two Ed25519 lines are a quorum, and one of ML-DSA-44 is longer than both.
      [7, [sign('a.example', 72), sign('b.example', 72)]],
      [8, [sign('c.example', 2_428)]],
      [9, [sign('a.example', 72)]],
    ]);
    const text = parseNote(log.note(1)).text;
    for (let size = 1; size <= many; size++) {
      const signatures = [sign(origin, 64), ...(lines.get(size) ?? [])];
      const note = utf8Encode(`${text}\n${signatures.join('\n')}\n`);
      store.putPublished({ size, note, at: size < 50 ? 0 : 3_600_000 });
    }
    store.thinPublished();
    const sizes = store.publishedFrom(0, many).map(({ size }) => size);
    assert.deepEqual(sizes.slice(0, 5), [7, 8, 9, 49, 101]);
    assert.equal(sizes.length, PUBLISHED_KEPT_MIN + 4);
  });

  test('what a witness signed last is found behind any number that it did not sign', (t) => {
    const path = join(temporaryFolder(t as never), 'anchors.db');
    const store = opened(t, path);
    const policy = parsePolicy(
      addPolicyWitness(newPolicy([log.signer.vkey]), { name: 'W', vkey: cosigners[0]!.key.text }),
    );
    const grown = new TestLog().grow(400);
    const text = parseNote(grown.note(2)).text;
    store.addSignatures({ size: 2, note: grown.note(2), at: 1 }, [
      cosigners[0]!.cosign(text, 1_700_000_000n),
    ]);
    for (let size = 3; size <= 400; size++)
      store.addSignatures({ size, note: grown.note(size), at: size }, []);
    store.thinPublished();
    const { size, witnesses } = witnessStates(store, policy, { origin, now });
    assert.deepEqual([size, witnesses[0]?.size], [2, 2]);
    const { notes } = readPublished(path);
    assert.ok(notes.length <= PUBLISHED_KEPT_MIN + 1);
    assert.match(notes.at(-1)!, /^[^\n]+\n2\n/);
  });

  test('come by pages as they come at once', (t) => {
    const store = opened(t);
    const grown = new TestLog().grow(600);
    for (let size = 1; size <= 600; size++) store.putPublished({ size, note: grown.note(size), at: size });
    const again = cosigners[0]!;
    for (const time of [1n, 2n])
      store.addSignatures({ size: 344, note: grown.note(344), at: 1 }, [
        again.cosign(parseNote(grown.note(344)).text, time),
      ]);
    for (const most of [600, 400, 344, 343, 256, 1]) {
      assert.deepEqual(
        store.everyPublished((published) => [...published], most),
        store.newestPublished(1_000, most),
      );
    }
  });
});

test('witnesses are remembered, refusals with their entry, and forgotten', (t) => {
  const store = opened(t);
  const url = 'https://w.example';
  assert.equal(store.witness(url), undefined);
  store.putWitness({ url, size: 5, at: 1 });
  assert.deepEqual(store.witness(url), { url, size: 5, at: 1 });
  const refusal = { kind: 'fork', entry: 'e', note: log.note() } as const;
  store.putWitness({ url, size: 5, at: 2, refusal });
  assert.deepEqual(store.witness(url), { url, size: 5, at: 2, refusal });
  store.dropWitness(url);
  assert.equal(store.witness(url), undefined);
});

test('the states of witnesses are what they signed, whatever the file says', (t) => {
  const store = opened(t);
  const text = cosigners.reduce(
    (policy, { key }, at) => addPolicyWitness(policy, { name: `W${at}`, vkey: key.text }),
    newPolicy([log.signer.vkey]),
  );
  const policy = parsePolicy(text);
  assert.equal(witnessStates(undefined, policy, { origin, now }).size, 0);
  store.addSignatures({ size: 3, note: log.note(3), at: 1 }, [line(0, 3), line(1, 3), line(2, 3)]);
  store.addSignatures({ size: 5, note: log.note(5), at: 2 }, [line(0)]);
  // A line that is over another checkpoint spoils the note that it stands under.
  store.addSignatures({ size: 4, note: log.note(4), at: 2 }, [line(0, 4), line(1, 5)]);
  const { size, witnesses } = witnessStates(store, policy, { origin, now });
  assert.equal(size, 3);
  assert.deepEqual(
    witnesses.map((one) => one.size),
    [5, 3, 3],
  );
  assert.equal(witnessStates(store, policy, { origin: 'another', now }).size, 0);
});

test('a cosignature ahead of the clock, of no time, or by the log itself counts for nothing', (t) => {
  const policy = (vkey: string) => parsePolicy(`log ${log.signer.vkey}\nwitness W ${vkey}\nquorum W\n`);
  const own = parseCosignerKey(cosignerKeyFromSeed(origin, keyTypes.mldsa44, new Uint8Array(32).fill(9)));
  const of = (cosigner: typeof own, time: bigint) => {
    const store = opened(t);
    store.addSignatures({ size: 5, note: log.note(), at: 1 }, [
      cosigner.cosign(parseNote(log.note()).text, time),
    ]);
    const { size, witnesses } = witnessStates(store, policy(cosigner.key.text), { origin, now });
    return [size, witnesses[0]?.size, witnesses[0]?.isAhead];
  };
  assert.deepEqual(of(cosigners[0]!, 1_700_000_000n), [5, 5, undefined]);
  assert.deepEqual(of(cosigners[0]!, 1_700_000_400n), [5, 5, undefined]);
  assert.deepEqual(of(cosigners[0]!, 1_700_000_401n), [0, 0, true]);
  assert.deepEqual(of(cosigners[0]!, 2n ** 62n), [0, 0, true]);
  assert.deepEqual(of(own, 1_700_000_000n), [0, 0, undefined]);
});

test('how large the log was when a signature came is kept of each line, and goes with its checkpoint', (t) => {
  const path = join(temporaryFolder(t), 'anchors.db');
  const store = opened(t, path);
  const kept = () =>
    store.arrivals(store.newestPublished(9)).map(({ line: text, logSize }) => [text, logSize]);
  const put = (size: number, lines: readonly string[], logSize?: number) =>
    void store.addSignatures({ size, note: log.note(size), at: 1 }, lines, logSize);
  put(3, [line(0, 3)], 3);
  put(3, [line(1, 3)]);
  put(3, [line(2, 3)], 9);
  assert.deepEqual(kept(), [
    [line(0, 3), 3],
    [line(2, 3), 9],
  ]);
  // One that comes again was here since the first time; a newer one of the same witness came later.
  put(3, [line(0, 3)], 12);
  put(3, [line(0, 3, 1_700_009_000n)], 12);
  assert.deepEqual(new Map(kept() as [string, number][]).get(line(0, 3)), 3);
  assert.deepEqual(new Map(kept() as [string, number][]).get(line(0, 3, 1_700_009_000n)), 12);
  store.thinPublished();
  assert.equal(new Set(kept().map(String)).size, 3);
  const db = new DatabaseSync(path);
  t.after(() => db.close());
  db.exec('DELETE FROM published');
  store.thinPublished();
  const count = () => db.prepare('SELECT count(*) AS count FROM arrivals').get()!['count'];
  assert.equal(count(), 3, 'the newest of each stand under the checkpoint that was signed again');
  db.exec('DELETE FROM refreshed');
  store.thinPublished();
  assert.equal(count(), 0);
  // A file of before there was such a table, and one with what is no note.
  db.exec('DROP TABLE arrivals');
  assert.deepEqual(AnchorStore.openReadable(path)?.arrivals([{ size: 3, note: log.note(3) }]), []);
  assert.deepEqual(AnchorStore.open(path).arrivals([{ size: 3, note: Buffer.from('none') }]), []);
});

describe('the policy of a log', () => {
  const vkeys = cosigners.map(({ key }) => key.text);
  const add = (text: string, at: number, more: object = {}) =>
    addPolicyWitness(text, { name: `W${at}`, vkey: vkeys[at]!, url: `https://w${at}.example`, ...more });
  const empty = newPolicy([log.signer.vkey]);

  test('grows by one witness at a time, more than half of whom have to cosign', () => {
    assert.equal(parsePolicy(empty).quorum, undefined);
    let text = `# ours\n${empty}`;
    const thresholds = [0, 1, 2].map((at) => {
      text = add(text, at);
      return parsePolicy(text).groups[0]!.threshold;
    });
    assert.deepEqual(thresholds, [1, 2, 2]);
    assert.match(text, /^# ours\n/);
    const fewer = removePolicyWitness(text, 'W1');
    assert.deepEqual(parsePolicy(fewer).groups[0]!.members, ['W0', 'W2']);
    const none = removePolicyWitness(removePolicyWitness(fewer, 'W0'), 'W2');
    assert.equal(none, `# ours\n${empty}`);
  });

  const quorumOf = (text: string): string => {
    const { threshold, members } = parsePolicy(text).groups[0]!;
    return `${threshold} of ${members.length}`;
  };

  test('keeps a quorum that was asked for: all stay all, and no number becomes less', () => {
    const three = add(add(empty, 0), 1, { quorum: 2 });
    assert.equal(quorumOf(add(three, 2)), '3 of 3');
    const all = add(add(add(empty, 0), 1), 2, { quorum: 3 });
    assert.equal(quorumOf(all), '3 of 3');
    assert.equal(quorumOf(removePolicyWitness(all, 'W1')), '2 of 2');
    assert.equal(quorumOf(add(removePolicyWitness(all, 'W2'), 2)), '3 of 3');
    // As earlier versions wrote it, in a number.
    const numbered = all.replace('group witnesses all', 'group witnesses 3');
    assert.notEqual(numbered, all);
    assert.equal(quorumOf(removePolicyWitness(numbered, 'W1')), '2 of 2');
    const one = add(add(empty, 0), 1, { quorum: 1 });
    assert.equal(quorumOf(add(one, 2)), '1 of 3');
    const usual = add(add(add(empty, 0), 1), 2);
    assert.equal(quorumOf(usual), '2 of 3');
    assert.equal(quorumOf(removePolicyWitness(usual, 'W1')), '2 of 2');
    assert.equal(quorumOf(removePolicyWitness(usual, 'W1', 1)), '1 of 2');
    assert.equal(quorumOf(removePolicyWitness(removePolicyWitness(usual, 'W1'), 'W0')), '1 of 1');
    assert.throws(() => removePolicyWitness(usual, 'W1', 3), { code: 'option_invalid' });
    // That one of two has to sign is no number of them.
    const depends = usual.replace(/group .*\nquorum .*\n/, 'quorum W0\n');
    assert.throws(() => removePolicyWitness(depends, 'W1'), { code: 'option_invalid' });
  });

  test('a number of many stays or grows, and never shrinks', () => {
    const members = [0, 1, 2, 3, 4, 5, 6];
    const vkeyOf = (at: number): string =>
      parseCosignerKey(
        cosignerKeyFromSeed(`m${at}.example`, keyTypes.cosignatureV1, new Uint8Array(32).fill(at + 40)),
      ).key.text;
    const many = (count: number, quorum: number): string =>
      members.slice(0, count).reduce(
        (text, at) =>
          addPolicyWitness(text, {
            name: `M${at}`,
            vkey: vkeyOf(at),
            ...(at === count - 1 && { quorum }),
          }),
        empty,
      );
    const next = (text: string, at: number): string =>
      quorumOf(addPolicyWitness(text, { name: `M${at}`, vkey: vkeyOf(at) }));
    assert.equal(next(many(4, 4), 4), '5 of 5');
    assert.equal(next(many(5, 4), 5), '4 of 6');
    assert.equal(next(many(5, 3), 5), '4 of 6');
    assert.equal(quorumOf(removePolicyWitness(many(4, 4), 'M0')), '3 of 3');
    assert.equal(quorumOf(removePolicyWitness(many(5, 3), 'M0')), '3 of 4');
  });

  test('takes a quorum that fits, and no other', () => {
    const text = add(add(empty, 0), 1, { quorum: 1 });
    assert.equal(parsePolicy(text).groups[0]!.threshold, 1);
    for (const quorum of [0, 4, 1.5]) {
      assert.throws(() => add(text, 2, { quorum }), { code: 'option_invalid' });
    }
  });

  test('refuses a name or key twice, one that is not there, and groups of somebody’s own', () => {
    const text = add(empty, 0);
    assert.throws(() => add(text, 0), { code: 'witness_exists' });
    assert.throws(() => add(text, 1, { name: 'W0' }), { code: 'witness_exists' });
    assert.throws(() => removePolicyWitness(text, 'W9'), { code: 'witness_missing' });
    const own = `witness A ${vkeys[0]}\ngroup g any A\nquorum g\n`;
    assert.throws(() => add(own, 1), { code: 'option_invalid' });
    assert.throws(() => add(empty, 1, { name: 'a b' }), { code: 'malformed_policy' });
    assert.throws(() => add(empty, 1, { name: 'a\nquorum none' }), { code: 'malformed_policy' });
  });
});
