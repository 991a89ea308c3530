// The worked example of the pages under spec/, made by our own code out of constants.

import { base64Encode, hexEncode, utf8Decode, utf8Encode } from 'indelible/bytes';
import {
  type AuditEvent,
  entryText,
  formatKeyStatement,
  genesisEvent,
  prepareEvent,
  sealDraft,
} from 'indelible/event';
import { EMPTY_ROOT, Frontier, type Hash, hashLeaf, planInclusion } from 'indelible/merkle';
import { formatCheckpoint, parseSignerKey, type Signer, signerKeyFromSeed, signNote } from 'indelible/note';
import { formatProof } from 'indelible/verify';

const origin = 'log.example/spec';
const rootOrigin = 'log.example/spec/root';
const time = '2026-01-31T12:00:00.000Z';
const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
const rootSeed = Uint8Array.from({ length: 32 }, (_, at) => 32 + at);

/** What the application hands in for the second entry. */
export const specEvent: AuditEvent = {
  action: 'invoice.approved',
  actor: { type: 'user', id: 'u_42', email: 'jane@example.com' },
  targets: [{ type: 'invoice', id: 'inv_7', customer: 'Ada Ltd' }],
  context: { ip: '192.0.2.7' },
  reason: 'checked against the order',
};

/** The example as the pages show it, by the language of the fenced block that shows it. */
export interface SpecExample {
  readonly seed: Uint8Array;
  readonly vkey: string;
  readonly entries: readonly Uint8Array[];
  readonly disclosures: readonly string[];
  readonly leaves: readonly Hash[];
  readonly root: Hash;
  readonly checkpoint: string;
  readonly proof: string;
  readonly blocks: Readonly<Record<string, string>>;
}

/** Builds the whole example. Deterministic. */
export function buildSpecExample(): SpecExample {
  const signer = parseSignerKey(signerKeyFromSeed(origin, seed));
  const rootKey = parseSignerKey(signerKeyFromSeed(rootOrigin, rootSeed)).vkey;
  const random = countingRandom();
  const genesis = genesisEvent({ origin, logKeys: [signer.vkey], rootKey, personalIds: 'refuse' });
  const quiet: AuditEvent = { action: 'report.opened', actor: { type: 'service', id: 'billing' } };
  const made = [genesis, specEvent, quiet].map((event, at) => makeEntry(event, at, random));

  const entries = made.map(({ entry }) => entry);
  const leaves = entries.map(hashLeaf);
  const frontier = Frontier.empty();
  const nodes = new Map<string, Hash>();
  for (const leaf of leaves) {
    frontier.append(leaf, (level, index, hash) => nodes.set(`${level}/${index}`, hash));
  }
  const root = frontier.root();
  const note = signNote(formatCheckpoint({ origin, size: leaves.length, root }), [signer]);
  const checkpoint = utf8Decode(note);
  const plan = planInclusion(1, leaves.length);
  const hashes = plan.assemble(
    plan.nodes.map(({ level, index }) => nodes.get(`${level}/${index}`) ?? EMPTY_ROOT),
  );
  const proof = formatProof({ index: 1, hashes, checkpoint });
  const disclosures = made[1]?.disclosures ?? [];
  const lines = made.map(({ text }) => `${text}\n`);
  const blocks = {
    json: `${JSON.stringify(specEvent, null, 2)}\n`,
    genesis: lines[0] ?? '',
    entry: lines[1] ?? '',
    third: lines[2] ?? '',
    leaf: `${leaves[1] === undefined ? '' : hexEncode(leaves[1])}\n`,
    disclosures: disclosures.map((text) => `${text}\n`).join(''),
    vkey: `${signer.vkey}\n`,
    leaves: leaves.map((leaf) => `${hexEncode(leaf)}\n`).join(''),
    root: `${hexEncode(root)}\n`,
    checkpoint,
    proof,
    rotation: rotationOf(signer, leaves[0]!),
  };
  return { seed, vkey: signer.vkey, entries, disclosures, leaves, root, checkpoint, proof, blocks };
}

/** The note that puts another key in the place of the example's. */
function rotationOf(signer: Signer, genesis: Hash): string {
  const root = parseSignerKey(signerKeyFromSeed(rootOrigin, rootSeed));
  const nextSeed = Uint8Array.from({ length: 32 }, (_, at) => 64 + at);
  const { vkey: newKey } = parseSignerKey(signerKeyFromSeed(origin, nextSeed));
  const place = { origin, genesis: base64Encode(genesis), change: 1 };
  const text = formatKeyStatement({ kind: 'rotation', ...place, oldKey: signer.vkey, newKey });
  return utf8Decode(signNote(text, [signer, root]));
}

function makeEntry(event: AuditEvent, at: number, random: (bytes: number) => Uint8Array) {
  const draft = prepareEvent(event, {
    id: `spec-${at}`,
    occurredAt: time,
    now: Date.parse(time),
    source: { service: 'spec', instance: '00000000-0000-4000-8000-000000000000', seq: at },
    personalIds: 'refuse',
    own: at === 0,
  });
  const sealed = sealDraft(draft, random);
  const text = entryText(sealed, time);
  return { text, entry: utf8Encode(text), disclosures: sealed.disclosures };
}

/** Sixteen bytes 01, then sixteen bytes 02, and so on. */
function countingRandom(): (bytes: number) => Uint8Array {
  let drawn = 0;
  return (bytes) => Uint8Array.from({ length: bytes }, () => 1 + Math.floor(drawn++ / 16));
}
