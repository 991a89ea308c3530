import {
  base64Decode,
  base64Encode,
  canonicalize,
  type JsonObject,
  type JsonValue,
  parseCanonicalJson,
  sha256,
  utf8Decode,
  utf8Encode,
  VerificationError,
} from '../bytes/index.ts';
import { SIZE_MAX, TILE_WIDTH } from '../merkle/index.ts';
import type { TileData } from './tile-set.ts';

/** The format that this version writes and reads (spec/evidence.md). */
export const EVIDENCE_FORMAT = 1;

/** How large an evidence file may be, in bytes. */
export const EVIDENCE_BYTES_MAX = 256 * 1024 * 1024;

/** How many entries an evidence file may hold. */
export const EVIDENCE_ENTRIES_MAX = 1_000_000;

/** How large one block may be once it is inflated, in bytes. */
export const EVIDENCE_BLOCK_BYTES_MAX = 16 * 1024 * 1024;

/** How many entries one block may hold. */
export const EVIDENCE_BLOCK_ENTRIES_MAX = 4096;

/** How large all blocks may be once they are inflated, in bytes. */
export const EVIDENCE_INFLATED_BYTES_MAX = 2 * 1024 * 1024 * 1024;

/** How many of each of the other lists may stand in a file. */
export const EVIDENCE_LIST_MAX = 100_000;

/** How many time-stamp tokens a file may hold: each is verified by itself. */
export const EVIDENCE_TIMESTAMPS_MAX = 500;

/** How many certificates may stand beside them. */
export const EVIDENCE_CERTIFICATES_MAX = 200;

/** The first line of the note that binds an evidence file. */
const SEAL_HEADER = 'indelible/evidence@v1';

/** A stretch of rows, compressed: what {@link readEvidenceRows} reads once it is inflated. */
export interface EvidenceBlock {
  /** How many entries it holds. */
  readonly count: number;
  /** How many bytes it has once it is inflated. */
  readonly bytes: number;
  /** Raw DEFLATE (RFC 1951). */
  readonly data: Uint8Array;
}

/** A time-stamp token that travels with evidence. */
export interface EvidenceTimestamp {
  /** The name that the log's operator gave the authority. */
  readonly authority: string;
  /** The signed note whose text was stamped: a checkpoint of this log, at most as large as that of the file. */
  readonly checkpoint: string;
  /** The RFC 3161 token, DER. */
  readonly token: Uint8Array;
}

/** A source's events, without a gap from one number to another. */
export interface EvidenceSource {
  readonly service: string;
  readonly instance: string;
  /** The first number, and the last. */
  readonly from: number;
  readonly to: number;
}

/** Who made the file, when, and what was asked for: the author's word, bound by the signature. */
export interface EvidenceMaking {
  readonly at: string;
  readonly by: string;
  /** The query whose matches are here, or null where entries were named by their ids. */
  readonly query: string | null;
  /** The ids that were named, or null. */
  readonly ids: readonly string[] | null;
  /** Which sealed values were to be shown: `all`, `none`, or paths within the event. */
  readonly reveal: readonly string[];
  /** The program and its version. */
  readonly tool: string;
}

/** What an evidence file says, before any of it is believed. */
export interface Evidence {
  readonly origin: string;
  /** The signed checkpoint that all entries lead to. */
  readonly checkpoint: string;
  readonly blocks: readonly EvidenceBlock[];
  /** Certificates, DER, that complete the chains of the tokens. Being here makes none of them trusted. */
  readonly certificates: readonly Uint8Array[];
  readonly made: EvidenceMaking;
  /** The policy that the log's operator follows (c2sp.org/tlog-policy), or null: a statement of his own. Nobody has to follow it. */
  readonly policy: string | null;
  /** How many entries were selected; the others are there in support of them. */
  readonly selected: number;
  /** The stretch of the log of which every entry is here, or null. */
  readonly complete: { readonly from: number; readonly to: number } | null;
  readonly sources: readonly EvidenceSource[];
  /** The indexes of the entries that were not selected: the first of the log, records of keys and of what concerns those that were. */
  readonly support: readonly number[];
  /** What the file does not show, in the author's words. */
  readonly statements: readonly string[];
  readonly tiles: readonly TileData[];
  readonly timestamps: readonly EvidenceTimestamp[];
  /** The newest checkpoint that the quorum of this policy has cosigned, at most as large as `checkpoint`; or null. */
  readonly witnessed: string | null;
}

/** An evidence file taken apart, with what its signature is over. */
export interface EvidenceFile {
  readonly evidence: Evidence;
  /** The note that binds it, as it stands in the file. */
  readonly seal: string;
  /** The text that the note has to sign. */
  readonly sealText: string;
}

/** One entry in a block. */
export interface EvidenceRow {
  readonly index: number;
  /** The bytes of the entry. */
  readonly entry: Uint8Array;
  /** The disclosures that are shown. */
  readonly disclosures: readonly string[];
}

const HEAD = '{"evidence":';
const MIDDLE = ',"signed":';

/**
 * The text of the note that binds an evidence file: the hash of the canonical bytes of its member `evidence`, under a header of its
 * own, so that it can never be taken for a checkpoint.
 */
export function evidenceSealText(origin: string, digest: Uint8Array): string {
  return `${SEAL_HEADER}\n${origin}\n${base64Encode(digest)}\n`;
}

/** How the file begins, and what stands between its two members. */
export const evidenceFrame: { readonly head: string; readonly middle: string } = Object.freeze({
  head: HEAD,
  middle: MIDDLE,
});

/**
 * Takes an evidence file apart. Strict: canonical JSON (RFC 8785) to the last byte, no member too many or too few, every list and
 * size within its limit. It believes nothing; `EvidenceAudit` does the checking. Throws `malformed_evidence`.
 */
export function parseEvidence(bytes: Uint8Array): EvidenceFile {
  if (bytes.length > EVIDENCE_BYTES_MAX) throw malformed(`It has more than ${EVIDENCE_BYTES_MAX} bytes.`);
  const text = within('It', () => utf8Decode(bytes));
  const file = object(
    within('It', () => parseCanonicalJson(text)),
    'the file',
    ['evidence', 'signed'],
  );
  const seal = string(file['signed'], 'signed');
  const evidence = readEvidence(object(file['evidence'], 'evidence', members));
  // Canonical bytes have one spelling: the member stands between the frame and the note.
  const end = text.length - 1 - canonicalize(seal).length - MIDDLE.length;
  const digest = sha256(utf8Encode(text.slice(HEAD.length, end)));
  return { evidence, seal, sealText: evidenceSealText(evidence.origin, digest) };
}

const members = [
  'blocks',
  'certificates',
  'checkpoint',
  'complete',
  'format',
  'made',
  'origin',
  'policy',
  'selected',
  'sources',
  'statements',
  'support',
  'tiles',
  'timestamps',
  'witnessed',
];

/** The members of the two smaller objects that span something. */
const stretchMembers = 'from to'.split(' ');
const sourceMembers = 'from instance service to'.split(' ');

function readEvidence(value: JsonObject): Evidence {
  if (value['format'] !== EVIDENCE_FORMAT) {
    throw malformed(`Its format is not ${EVIDENCE_FORMAT}, which this version reads.`);
  }
  const blocks = list(value['blocks'], 'blocks').map(readBlock);
  const entries = blocks.reduce((sum, { count }) => sum + count, 0);
  if (entries > EVIDENCE_ENTRIES_MAX) throw malformed(`It holds more than ${EVIDENCE_ENTRIES_MAX} entries.`);
  const inflated = blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  if (inflated > EVIDENCE_INFLATED_BYTES_MAX) {
    throw malformed(`Its blocks have more than ${EVIDENCE_INFLATED_BYTES_MAX} bytes.`);
  }
  return {
    origin: string(value['origin'], 'origin'),
    checkpoint: string(value['checkpoint'], 'checkpoint'),
    blocks,
    certificates: list(value['certificates'], 'certificates', EVIDENCE_CERTIFICATES_MAX).map((item) =>
      bytesOf(item, 'a certificate'),
    ),
    made: readMaking(object(value['made'], 'made', ['at', 'by', 'ids', 'query', 'reveal', 'tool'])),
    policy: textOrNull(value['policy'], 'policy'),
    selected: whole(value['selected'], 'selected', EVIDENCE_ENTRIES_MAX),
    complete: value['complete'] === null ? null : readStretch(value['complete']),
    sources: list(value['sources'], 'sources').map(readSource),
    support: readSupport(value['support']),
    statements: texts(value['statements'], 'statements'),
    tiles: list(value['tiles'], 'tiles').map(readTile),
    timestamps: list(value['timestamps'], 'timestamps', EVIDENCE_TIMESTAMPS_MAX).map(readTimestamp),
    witnessed: textOrNull(value['witnessed'], 'witnessed'),
  };
}

function readSupport(value: JsonValue | undefined): number[] {
  const support = list(value, 'support').map((item) => whole(item, 'support'));
  if (support.some((index, place) => place > 0 && index <= support[place - 1]!))
    throw malformed('The indexes in support do not ascend.');
  return support;
}

function readBlock(value: JsonValue): EvidenceBlock {
  const block = object(value, 'a block', ['bytes', 'count', 'data']);
  return {
    bytes: whole(block['bytes'], 'bytes', EVIDENCE_BLOCK_BYTES_MAX),
    count: whole(block['count'], 'count', EVIDENCE_BLOCK_ENTRIES_MAX),
    data: bytesOf(block['data'], 'a block'),
  };
}

function readMaking(made: JsonObject): EvidenceMaking {
  return {
    at: string(made['at'], 'at'),
    by: string(made['by'], 'by'),
    query: textOrNull(made['query'], 'query'),
    ids: made['ids'] === null ? null : texts(made['ids'], 'ids'),
    reveal: texts(made['reveal'], 'reveal'),
    tool: string(made['tool'], 'tool'),
  };
}

function readStretch(value: JsonValue | undefined): { from: number; to: number } {
  const { from, to } = object(value, 'complete', stretchMembers);
  return { from: whole(from, 'a beginning'), to: whole(to, 'an end') };
}

function readSource(value: JsonValue): EvidenceSource {
  const { service, instance, from, to } = object(value, 'a source', sourceMembers);
  return {
    service: string(service, 'service'),
    instance: string(instance, 'instance'),
    from: whole(from, 'a beginning'),
    to: whole(to, 'an end'),
  };
}

function readTile(value: JsonValue): TileData {
  const tile = object(value, 'a tile', ['hashes', 'index', 'level']);
  return {
    level: whole(tile['level'], 'level', 63),
    index: whole(tile['index'], 'index', Math.floor(SIZE_MAX / TILE_WIDTH)),
    hashes: bytesOf(tile['hashes'], 'a tile'),
  };
}

function readTimestamp(value: JsonValue): EvidenceTimestamp {
  const stamp = object(value, 'a timestamp', ['authority', 'checkpoint', 'token']);
  return {
    authority: string(stamp['authority'], 'authority'),
    checkpoint: string(stamp['checkpoint'], 'checkpoint'),
    token: bytesOf(stamp['token'], 'a timestamp'),
  };
}

/**
 * The rows of a block, from its inflated bytes: canonical JSON, a list of `[index, entry, disclosures]`. Throws
 * `malformed_evidence`.
 */
export function readEvidenceRows(block: EvidenceBlock, inflated: Uint8Array): EvidenceRow[] {
  if (inflated.length !== block.bytes) throw malformed('A block has another length than it says.');
  const value = within('A block', () => parseCanonicalJson(utf8Decode(inflated)));
  const rows = list(value, 'a block', EVIDENCE_BLOCK_ENTRIES_MAX).map(readRow);
  if (rows.length !== block.count) throw malformed('A block has another count of entries than it says.');
  return rows;
}

function readRow(value: JsonValue): EvidenceRow {
  const [index, entry, disclosures, ...more] = list(value, 'a row');
  if (more.length > 0) throw malformed('A row has more than three parts.');
  return {
    index: whole(index, 'index'),
    entry: utf8Encode(string(entry, 'entry')),
    disclosures: texts(disclosures, 'disclosures'),
  };
}

/** The rows as the text that is deflated into a block; the inverse of {@link readEvidenceRows}. */
export function formatEvidenceRows(rows: readonly EvidenceRow[]): string {
  return canonicalize(rows.map(({ index, entry, disclosures }) => [index, utf8Decode(entry), disclosures]));
}

function object(value: JsonValue | undefined, what: string, names: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`What should be ${what} is no object.`);
  }
  const found = Object.keys(value);
  const isExact = found.length === names.length && names.every((name) => Object.hasOwn(value, name));
  if (!isExact) throw malformed(`In ${what} stand other members than ${names.join(', ')}.`);
  return value as JsonObject;
}

function list(value: JsonValue | undefined, what: string, most = EVIDENCE_LIST_MAX): readonly JsonValue[] {
  if (!Array.isArray(value)) throw malformed(`What should be ${what} is no list.`);
  if (value.length > most) throw malformed(`In ${what} stand more than ${most}.`);
  return value as readonly JsonValue[];
}

function texts(value: JsonValue | undefined, what: string): readonly string[] {
  return list(value, what).map((item) => string(item, what));
}

function string(value: JsonValue | undefined, what: string): string {
  if (typeof value !== 'string') throw malformed(`What should be ${what} is no text.`);
  return value;
}

function textOrNull(value: JsonValue | undefined, what: string): string | null {
  return value === null ? null : string(value, what);
}

function whole(value: JsonValue | undefined, what: string, most = SIZE_MAX): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most) return value;
  throw malformed(`What should be ${what} is no whole number up to ${most}.`);
}

function bytesOf(value: JsonValue | undefined, what: string): Uint8Array {
  return within(`In ${what}, the text`, () => base64Decode(string(value, what)));
}

/** Reports what a reader of a part complains about as a complaint about the evidence. */
function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof VerificationError) || cause.code === 'malformed_evidence') throw cause;
    const message = `This is not evidence. ${what} is not what it should be: ${cause.message}`;
    throw new VerificationError('malformed_evidence', message, cause.details, { cause });
  }
}

function malformed(message: string): VerificationError {
  return new VerificationError('malformed_evidence', `This is not evidence. ${message}`);
}
