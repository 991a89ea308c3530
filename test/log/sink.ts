// A sink as somebody would write it: what it delivers is a file for each event and a line for each notice of an erasure.

import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Follower, StoredEntry } from 'indelible';
import { utf8Decode, utf8Encode } from 'indelible/bytes';
import { digestDisclosure, erasureOf, openEntry, parseEntry } from 'indelible/event';

/** What a sink was told of an erasure. */
export interface Notice {
  /** The entry that records it. */
  readonly index: number;
  readonly subject: string;
  readonly below: number;
  readonly values: number;
  readonly digest: string;
  /** What of the sink's own copies it speaks of: how many values, and the digest over theirs, as the record has it of the log's. */
  readonly mine: { readonly values: number; readonly digest: string };
}

/** Copies every event out, and removes from its copies what an erasure names. `told` hears how far it has come. */
export function copyingSink(out: string, told: (to: number) => void): Follower {
  mkdirSync(join(out, 'copies'), { recursive: true });
  return {
    name: 'sink',
    batchMax: 50,
    apply({ entries, to }) {
      for (const stored of entries) take(out, stored);
      told(to);
    },
  };
}

function take(out: string, stored: StoredEntry): void {
  const entry = parseEntry(stored.entry);
  write(out, stored);
  if (entry.action !== 'log.erased') return;
  const { subject, below } = erasureOf(entry);
  const { values, digest } = entry['metadata'] as unknown as Notice;
  const mine = removeFrom(out, subject, below);
  appendFileSync(
    join(out, 'notices'),
    `${JSON.stringify({ index: stored.index, subject, below, values, digest, mine })}\n`,
  );
}

/** Removes a subject's values from the copies of entries below an index: whose a value is follows from the entry itself. */
function removeFrom(out: string, subject: string, below: number): Notice['mine'] {
  const hash = createHash('sha256');
  let values = 0;
  for (const name of readdirSync(join(out, 'copies')).sort()) {
    const copy = read(out, name);
    if (copy.index >= below) continue;
    const { fields } = openEntry(parseEntry(copy.entry), copy.disclosures, copy.index);
    const owned = new Set(
      fields.filter(({ subjects }) => subjects.includes(subject)).map(({ digest }) => digest),
    );
    const kept = copy.disclosures.filter((text) => !owned.has(digestDisclosure(text)));
    for (const text of copy.disclosures)
      if (owned.has(digestDisclosure(text))) hash.update(`${digestDisclosure(text)}\n`);
    values += copy.disclosures.length - kept.length;
    write(out, { ...copy, disclosures: kept });
  }
  return { values, digest: hash.digest('base64url') };
}

function write(out: string, { index, entry, disclosures }: StoredEntry): void {
  const text = JSON.stringify({ index, entry: utf8Decode(entry), disclosures });
  writeFileSync(join(out, 'copies', `${String(index).padStart(9, '0')}.json`), text);
}

function read(out: string, name: string): StoredEntry {
  const copy = JSON.parse(readFileSync(join(out, 'copies', name), 'utf8')) as {
    index: number;
    entry: string;
    disclosures: string[];
  };
  return { ...copy, entry: utf8Encode(copy.entry) };
}

/** The notices that a sink was given, in their order. */
export function noticesIn(out: string): Notice[] {
  const path = join(out, 'notices');
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Notice);
}
