import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBytes, utf8Encode } from 'indelible/bytes';
import {
  cosignatureV1Message,
  createVerifierKey,
  formatCheckpoint,
  formatSignatureLine,
  keyTypes,
  openWithPolicy,
  POLICY_LENGTH_MAX,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
  policyOfKey,
  satisfiesPolicy,
  signerKeyFromSeed,
  signNote,
} from 'indelible/note';
import { readVector, vectorsMissing } from '../support/vectors.ts';

const origin = 'log.example/policies';
const log = parseSignerKey(signerKeyFromSeed(origin, new Uint8Array(32).fill(1)));
const text = formatCheckpoint({ origin, size: 9, root: new Uint8Array(32).fill(5) });

/** A witness that can cosign: the room verifies such signatures and, for now, makes none. */
function createWitness(name: string, byte: number) {
  const signer = parseSignerKey(signerKeyFromSeed(name, new Uint8Array(32).fill(byte)));
  const { publicKey } = parseVerifierKey(signer.vkey);
  const key = createVerifierKey({ name, type: keyTypes.cosignatureV1, publicKey });
  const cosign = (body: string, timestamp = 1700000000n): string => {
    const time = new Uint8Array(8);
    new DataView(time.buffer).setBigUint64(0, timestamp);
    const signature = concatBytes(time, signer.sign(cosignatureV1Message(timestamp, body)));
    return `${formatSignatureLine({ name, keyId: key.keyId, signature })}\n`;
  };
  return { key, cosign };
}

const w1 = createWitness('w1.example', 11);
const w2 = createWitness('w2.example', 12);
const w3 = createWitness('w3.example', 13);

const lines = {
  log: `log ${log.vkey} https://log.example/\n`,
  w1: `witness W1 ${w1.key.text}\n`,
  w2: `witness W2 ${w2.key.text} https://w2.example/submit\n`,
  w3: `witness W3 ${w3.key.text}\n`,
};
const all = lines.log + lines.w1 + lines.w2 + lines.w3;

const noteWith = (...cosignatures: string[]): Uint8Array =>
  concatBytes(signNote(text, [log]), utf8Encode(cosignatures.join('')));

test('generated policies are read, and judge sets of cosigners as they should', {
  skip: vectorsMissing,
}, () => {
  const { accept } = JSON.parse(readVector('generated/policies.json'));
  for (const vector of accept) {
    const policy = parsePolicy(vector.policy);
    const judge = (names: string[]) => {
      const verified = policy.witnesses
        .filter(({ name }) => names.includes(name))
        .map(({ key }) => ({ key }));
      assert.equal(verified.length, names.length);
      return satisfiesPolicy(policy, { verified });
    };
    for (const names of vector.satisfied) assert.equal(judge(names), true, `${names} in ${vector.policy}`);
    for (const names of vector.unsatisfied) assert.equal(judge(names), false, `${names} in ${vector.policy}`);
  }
  assert.equal(accept.length, 4);
});

test('generated policies that break a rule are refused', { skip: vectorsMissing }, () => {
  const { reject } = JSON.parse(readVector('generated/policies.json'));
  for (const { why, policy } of reject) {
    assert.throws(() => parsePolicy(policy), { code: 'malformed_policy' }, why);
  }
  assert.equal(reject.length, 13);
});

test('a policy is read into its logs, witnesses, groups and quorum', () => {
  const policy = parsePolicy(`# who may say so\n\n${all}\tgroup  both\tall W1 W2  \n quorum both\n`);
  assert.deepEqual(policy.logs, [{ key: parseVerifierKey(log.vkey), url: 'https://log.example/' }]);
  assert.deepEqual(
    policy.witnesses.map(({ name, url }) => [name, url]),
    [
      ['W1', undefined],
      ['W2', 'https://w2.example/submit'],
      ['W3', undefined],
    ],
  );
  assert.deepEqual(policy.groups, [{ name: 'both', threshold: 2, members: ['W1', 'W2'] }]);
  assert.equal(policy.quorum, 'both');
});

test('a threshold may be one, all, or anything between', () => {
  for (const threshold of [1, 2, 3]) {
    const policy = parsePolicy(`${all}group g ${threshold} W1 W2 W3\nquorum g\n`);
    assert.equal(policy.groups[0]?.threshold, threshold);
  }
});

test(`a policy has at most ${POLICY_LENGTH_MAX} characters`, () => {
  const policy = 'quorum none\n';
  const padded = (length: number) => `${policy}#${'x'.repeat(length - policy.length - 2)}\n`;
  assert.equal(padded(POLICY_LENGTH_MAX).length, POLICY_LENGTH_MAX);
  assert.equal(parsePolicy(padded(POLICY_LENGTH_MAX)).quorum, undefined);
  assert.throws(() => parsePolicy(padded(POLICY_LENGTH_MAX + 1)), { code: 'malformed_policy' });
});

const mutations: Record<string, string> = {
  empty: '',
  'no-last-newline': `${all}quorum none`,
  'carriage-return': `${all}quorum none\r\n`,
  'delete-character': `${all}# \u007f\nquorum none\n`,
  'unknown-keyword': `${all}quorums none\n`,
  'upper-case-keyword': `${all}Quorum none\n`,
  'no-quorum': all,
  'two-quorums': `${all}quorum W1\nquorum W1\n`,
  'quorum-without-name': `${all}quorum\n`,
  'quorum-of-two': `${all}quorum W1 W2\n`,
  'quorum-above-its-group': `${all}quorum g\ngroup g any W1\n`,
  'log-with-extra': `log ${log.vkey} url more\nquorum none\n`,
  'log-without-key': `log\nquorum none\n`,
  'log-with-bad-key': `log ${log.vkey}x\nquorum none\n`,
  'log-with-witness-key': `log ${w1.key.text}\nquorum none\n`,
  'log-twice': `${lines.log}${lines.log}quorum none\n`,
  'witness-with-log-key': `witness W ${log.vkey}\nquorum none\n`,
  'witness-without-key': 'witness W\nquorum none\n',
  'witness-with-extra': `witness W ${w1.key.text} url more\nquorum none\n`,
  'witness-named-none': `witness none ${w1.key.text}\nquorum none\n`,
  'witness-key-twice': `${lines.w1}witness W9 ${w1.key.text}\nquorum none\n`,
  'witness-key-under-another-name': `${lines.w1}witness W9 ${createWitness('alias.example', 11).key.text}\nquorum none\n`,
  'name-twice': `${lines.w1}${lines.w2}group W1 any W2\nquorum none\n`,
  'group-of-itself': `${all}group g any g\nquorum g\n`,
  'group-without-members': `${all}group g any\nquorum none\n`,
  'group-with-member-twice': `${all}group g any W1 W1\nquorum g\n`,
  'member-of-two-groups': `${all}group g any W1\ngroup h any W1\nquorum h\n`,
  'threshold-zero': `${all}group g 0 W1\nquorum g\n`,
  'threshold-too-high': `${all}group g 3 W1 W2\nquorum g\n`,
  'threshold-with-leading-zero': `${all}group g 01 W1\nquorum g\n`,
  'threshold-hexadecimal': `${all}group g 0x1 W1\nquorum g\n`,
  'threshold-upper-case': `${all}group g ALL W1\nquorum g\n`,
};

for (const [mutation, policy] of Object.entries(mutations)) {
  test(`policy refused: ${mutation}`, () => {
    assert.throws(() => parsePolicy(policy), { code: 'malformed_policy' });
  });
}

test('a policy that is refused says in which line, and the whole says when no line is to blame', () => {
  const bad = '# a comment\n\nquorum nobody\n';
  assert.throws(() => parsePolicy(bad), {
    message: /Line 3: Nothing above is named nobody/,
    details: { line: 3 },
  });
  assert.throws(() => parsePolicy(all), { message: /^This is not a policy\. It has 0 quorum lines/ });
});

test('a checkpoint opens where the log and the quorum have signed', () => {
  const policy = parsePolicy(`${all}group g 2 W1 W2 W3\nquorum g\n`);
  const opened = openWithPolicy(noteWith(w3.cosign(text), w1.cosign(text)), policy);
  assert.equal(opened.checkpoint.size, 9);
  assert.deepEqual(
    opened.verified.map(({ key }) => key.name),
    [origin, 'w3.example', 'w1.example'],
  );
  assert.equal(opened.verified[1]?.timestamp, 1700000000n);
});

test('a quorum is not made of one witness said twice, nor of unknown ones', () => {
  const policy = parsePolicy(`${all}group g 2 W1 W2 W3\nquorum g\n`);
  const stranger = createWitness('stranger.example', 99);
  const notes = {
    none: noteWith(),
    one: noteWith(w1.cosign(text)),
    'one-twice': noteWith(w1.cosign(text), w1.cosign(text)),
    'one-at-two-times': noteWith(w1.cosign(text), w1.cosign(text, 1700000001n)),
    'one-and-a-stranger': noteWith(w1.cosign(text), stranger.cosign(text)),
  };
  for (const [name, note] of Object.entries(notes)) {
    assert.throws(() => openWithPolicy(note, policy), { code: 'policy_unsatisfied' }, name);
  }
});

test('witnesses alone do not open a checkpoint, and a witness that signed another one refuses it', () => {
  const policy = parsePolicy(`${all}quorum W1\n`);
  const withoutLog = utf8Encode(`${text}\n${w1.cosign(text)}`);
  assert.throws(() => openWithPolicy(withoutLog, policy), { code: 'policy_unsatisfied' });
  const elsewhere = w2.cosign(text.replace('9', '10'));
  assert.throws(() => openWithPolicy(noteWith(w1.cosign(text), elsewhere), policy), {
    code: 'signature_invalid',
  });
});

test('any one of several logs suffices, each for its own origin only', () => {
  const other = parseSignerKey(signerKeyFromSeed('other.example', new Uint8Array(32).fill(9)));
  const policy = parsePolicy(`${lines.log}log ${other.vkey}\nquorum none\n`);
  assert.equal(openWithPolicy(signNote(text, [log]), policy).checkpoint.origin, origin);
  const others = formatCheckpoint({ origin: 'other.example', size: 9, root: new Uint8Array(32) });
  assert.equal(openWithPolicy(signNote(others, [other]), policy).checkpoint.origin, 'other.example');
  // A trusted log that signs a checkpoint under another trusted log's name is not that log.
  assert.throws(() => openWithPolicy(signNote(text, [other]), policy), { code: 'policy_unsatisfied' });
});

test('a policy of one key, and a policy without logs', () => {
  const note = signNote(text, [log]);
  assert.equal(openWithPolicy(note, policyOfKey(parseVerifierKey(log.vkey))).checkpoint.size, 9);
  assert.throws(() => openWithPolicy(note, parsePolicy('quorum none\n')), { code: 'signature_unknown' });
  const foreign = signNote(text.replace(origin, 'foreign.example'), [log]);
  assert.throws(() => openWithPolicy(foreign, policyOfKey(parseVerifierKey(log.vkey))), {
    code: 'origin_mismatch',
  });
});
