// The invariants that every fault test ends with. A breach is a line of text that starts with the invariant's name, so
// that the negative controls can say which one must speak.
//
//   I1 every acknowledged event is present, byte-identical, at its acknowledged index
//   I2 each id has exactly one index; indexes are 0 to n - 1 without holes
//   I3 an independent verifier finds the log whole: tree, head, tiles, disclosures
//   I4 of two checkpoints ever shown, the later is no smaller, and continues the earlier; time never goes back
//   I5 never two roots for one size
//   I6 events that were not acknowledged are whole, or absent
//   I7 every receipt ever issued still verifies

import { isDeepStrictEqual } from 'node:util';
import { FAULT_ACTION, openPart, sealedPart } from './fault-events.ts';
import {
  digestsOf,
  disclosureDigest,
  type FoundEntry,
  type FoundLog,
  nodeHash,
  type OpenedCheckpoint,
  openCheckpoint,
  Roots,
  readLog,
} from './independent-verifier.ts';

/** A receipt as a caller keeps it. */
export interface KeptReceipt {
  readonly id: string;
  readonly index: number;
  readonly leafHash: string;
  readonly checkpoint: string;
}

/** What the world outside the log has seen of it. */
export interface Witnessed {
  readonly vkey: string;
  readonly receipts: readonly KeptReceipt[];
  /** Signed checkpoints in the order in which one observer saw them; an observer each. */
  readonly observers?: readonly (readonly string[])[];
}

/** Every breach of I1 to I7 in the log at `database`; empty where all of them hold. */
export function breaches(database: string, witnessed: Witnessed): string[] {
  let log: FoundLog;
  try {
    log = readLog(database);
  } catch (error) {
    return [`I3 the log cannot be read: ${(error as Error).message}`];
  }
  const roots = new Roots(log.entries.map(({ bytes }) => bytes));
  const notes = new Notes(witnessed.vkey);
  return [
    ...places(log),
    ...wholeTree(log, roots, notes),
    ...log.entries.flatMap(sealing),
    ...times(log),
    ...receipts(log, roots, notes, witnessed),
    ...checkpoints(log, roots, notes, witnessed),
    ...log.entries.flatMap(wholeEvent),
  ];
}

/** Opens checkpoints, each once: thousands of receipts share a few. */
class Notes {
  readonly #vkey: string;
  readonly #opened = new Map<string, OpenedCheckpoint | Error>();

  constructor(vkey: string) {
    this.#vkey = vkey;
  }

  /** What the note says, or why it says nothing. */
  open(note: string): OpenedCheckpoint | Error {
    const known = this.#opened.get(note);
    if (known !== undefined) return known;
    let opened: OpenedCheckpoint | Error;
    try {
      opened = openCheckpoint(note, this.#vkey);
    } catch (error) {
      opened = error as Error;
    }
    this.#opened.set(note, opened);
    return opened;
  }
}

function places({ entries, ids }: FoundLog): string[] {
  const found: string[] = [];
  for (const [position, { index, json }] of entries.entries()) {
    if (index !== position) return [`I2 there is a hole before index ${index}`];
    if (json === undefined) found.push(`I3 entry ${index} is not JSON`);
  }
  const seen = new Map<string, number>();
  for (const { id, index } of ids) {
    if (seen.has(id)) found.push(`I2 the id ${id} has the indexes ${seen.get(id)} and ${index}`);
    seen.set(id, index);
    if (entries[index]?.json?.['id'] !== id)
      found.push(`I2 the id ${id} leads to index ${index}, which is another event`);
  }
  if (seen.size !== entries.length) found.push(`I2 ${entries.length} entries have ${seen.size} ids`);
  const own = new Set(entries.map(({ json }) => json?.['id']));
  if (own.size !== entries.length) found.push('I2 two entries carry one id');
  return found;
}

function wholeTree(log: FoundLog, roots: Roots, notes: Notes): string[] {
  const { head, tiles, integrity } = log;
  const found = integrity === 'ok' ? [] : [`I3 SQLite finds the file broken: ${integrity}`];
  if (head.size !== roots.size)
    found.push(`I3 the head says ${head.size} entries, the table holds ${roots.size}`);
  if (!head.root.equals(roots.at(roots.size)))
    found.push('I3 the root of the head is not the root of the entries');
  const opened = notes.open(head.checkpoint);
  if (opened instanceof Error) found.push(`I3 the checkpoint of the head: ${opened.message}`);
  else if (opened.size !== head.size || !opened.root.equals(head.root)) {
    found.push('I3 the checkpoint of the head is of another state');
  }
  const stored = new Map(tiles.map(({ level, index, hashes }) => [`${level}/${index}`, hashes]));
  for (const [name, hashes] of expectedTiles(roots)) {
    const actual = stored.get(name);
    stored.delete(name);
    if (actual === undefined || !actual.equals(hashes))
      found.push(`I3 tile ${name} is not what the entries give`);
  }
  for (const name of stored.keys()) found.push(`I3 tile ${name} does not belong to this size`);
  return found;
}

/** c2sp.org/tlog-tiles: full tiles of level 0, and all tiles above. */
function expectedTiles(roots: Roots): Map<string, Buffer> {
  const tiles = new Map<string, Buffer>();
  let hashes = Array.from({ length: roots.size }, (_, index) => roots.leaf(index));
  for (let level = 0; hashes.length > 0; level++) {
    const above: Buffer[] = [];
    for (let from = 0; from < hashes.length; from += 256) {
      const part = hashes.slice(from, from + 256);
      if (part.length === 256) above.push(subtreeRoot(part));
      if (part.length === 256 || level > 0) tiles.set(`${level}/${from / 256}`, Buffer.concat(part));
    }
    hashes = above;
  }
  return tiles;
}

function subtreeRoot(hashes: readonly Buffer[]): Buffer {
  // 256 hashes are a complete subtree: pair them up, eight times.
  let row = hashes;
  while (row.length > 1) {
    const above: Buffer[] = [];
    for (let at = 0; at < row.length; at += 2) above.push(nodeHash(row[at]!, row[at + 1]!));
    row = above;
  }
  return row[0]!;
}

function sealing({ index, json, disclosures }: FoundEntry): string[] {
  const digests = digestsOf(json).sort();
  const disclosed = disclosures.map(disclosureDigest).sort();
  return isDeepStrictEqual(digests, disclosed)
    ? []
    : [`I3 entry ${index}: its disclosures are not those it commits to`];
}

function times({ entries, head }: FoundLog): string[] {
  const found: string[] = [];
  let last = '';
  for (const { index, json } of entries) {
    const recordedAt = String(json?.['recordedAt']);
    if (recordedAt < last) found.push(`I4 time goes back at index ${index}: ${recordedAt} follows ${last}`);
    last = recordedAt;
  }
  if (Date.parse(last) !== head.recordedAt)
    found.push('I4 the time of the head is not that of its last entry');
  return found;
}

function receipts(log: FoundLog, roots: Roots, notes: Notes, { receipts: kept }: Witnessed): string[] {
  const found: string[] = [];
  const placesOf = new Map<string, number>();
  for (const { id, index, leafHash, checkpoint } of kept) {
    const known = placesOf.get(id);
    placesOf.set(id, index);
    if (known !== undefined && known !== index) {
      found.push(`I2 the id ${id} was acknowledged at ${known} and at ${index}`);
    }
    const opened = notes.open(checkpoint);
    if (opened instanceof Error || opened.size <= index || !isPrefix(opened, roots)) {
      found.push(`I7 the receipt of ${id} does not verify`);
    }
    const entry = log.entries[index];
    if (entry === undefined) {
      found.push(`I1 ${id} was acknowledged at index ${index} and is not there`);
      continue;
    }
    if (roots.leaf(index).toString('base64') !== leafHash) {
      found.push(`I1 the bytes at index ${index} are not those that were acknowledged`);
    }
    if (entry.json?.['id'] !== id) found.push(`I1 index ${index} holds another event than ${id}`);
  }
  return found;
}

/** Whether the log, when it had so many entries, had this root. All prefixes of one sequence are consistent with each other. */
function isPrefix({ size, root }: OpenedCheckpoint, roots: Roots): boolean {
  return size <= roots.size && root.equals(roots.at(size));
}

function checkpoints(log: FoundLog, roots: Roots, notes: Notes, witnessed: Witnessed): string[] {
  const { receipts: kept, observers = [] } = witnessed;
  const found: string[] = [];
  const rootsShown = new Map<number, string>();
  const shown = new Set([
    log.head.checkpoint,
    ...kept.map(({ checkpoint }) => checkpoint),
    ...observers.flat(),
  ]);
  for (const note of shown) {
    const opened = notes.open(note);
    if (opened instanceof Error) {
      found.push(`I4 a checkpoint that was shown does not open: ${opened.message}`);
      continue;
    }
    const { size } = opened;
    const root = opened.root.toString('base64');
    if ((rootsShown.get(size) ?? root) !== root) found.push(`I5 two roots were shown for ${size} entries`);
    rootsShown.set(size, root);
    if (!isPrefix(opened, roots))
      found.push(`I4 the checkpoint of ${size} entries is not continued by the log`);
  }
  for (const observer of observers) {
    let last = 0;
    for (const note of observer) {
      const opened = notes.open(note);
      const size = opened instanceof Error ? last : opened.size;
      if (size < last) found.push(`I4 an observer saw ${last} entries and then ${size}`);
      last = size;
    }
  }
  return found;
}

function wholeEvent({ index, json, disclosures }: FoundEntry): string[] {
  if (json?.['action'] !== FAULT_ACTION) return [];
  const id = String(json['id']);
  // Where no id was given the log gave one, and the content names another: it is told by the actor.
  const source = String((json['actor'] as { id?: unknown }).id).slice('u_'.length);
  const shown = strip(json, Object.keys(openPart(source)));
  const sealed = disclosures.map((text) => JSON.stringify(JSON.parse(text).slice(1))).sort();
  const whole =
    isDeepStrictEqual(shown, { ...openPart(source), id }) && isDeepStrictEqual(sealed, sealedPart(source));
  return whole ? [] : [`I6 the event ${id} at index ${index} is not whole`];
}

/** The named fields, without what sealing added to them. */
function strip(json: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  const bare = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(bare);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, inner]) => (name === '_sd' ? [] : [[name, bare(inner)]])),
    );
  };
  return Object.fromEntries(names.map((name) => [name, bare(json[name])]));
}
