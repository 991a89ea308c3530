import type { Entry, ForkedFrom, Genesis, OpenedEntry, Removal } from '../event/index.ts';
import type { Hash, RangeParts } from '../merkle/index.ts';
import type { ChunkPruning } from './audit-pruning.ts';
import type { ChunkRetention } from './audit-retention.ts';
import type { Anchor } from './believed.ts';
import type { Arrival } from './cosigned.ts';
import type { Discovery, FindingCode } from './finding.ts';
import type { Held } from './held.ts';
import type { KeyEntry } from './key-timeline.ts';
import type { Stamped } from './stamped.ts';
import type { Trust } from './trust.ts';

/** Some entries of a log: from the index `begin` up to, not including, `end`. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** One entry as a store holds it: the very bytes that its readers see. */
export interface AuditRow {
  readonly index: number;
  readonly entry: Uint8Array;
  /** The disclosures kept beside the entry, as they are kept. */
  readonly disclosures: readonly string[];
  /**
   * The id under which the store finds this entry; null where it should and does not; absent where it keeps
   * no ids.
   */
  readonly id?: string | null;
  /** What the store itself noticed in reading the row: a column of the wrong type, bytes that are no text. */
  readonly problem?: { readonly code: FindingCode; readonly what: string };
}

/**
 * A span of a log to audit, with what the store holds of it. It begins at a multiple of 256, where a tile
 * does.
 */
export interface AuditChunk extends Span {
  /** The entries, by rising index. Holes and repetitions are found, not assumed away. */
  readonly rows: Iterable<AuditRow>;
  /**
   * The stored tiles of leaf hashes over the span, from the tile of `begin` on; undefined for one that the
   * store lacks, as it may the partial one at the end. Absent where the store keeps no tiles.
   */
  readonly tiles?: readonly (Uint8Array | undefined)[];
}

/**
 * How thoroughly to look: `tree` hashes every entry and compares the tree, `full` also reads entries and
 * disclosures.
 */
export type AuditDepth = 'full' | 'tree';

/** What a store says of itself before an audit begins. All of it is a claim. */
export interface AuditHead {
  /** The checkpoint that it serves: a signed note. */
  readonly checkpoint: Uint8Array;
  /** How many entries it has; absent where counting them costs as much as reading them, which the audit does anyway. */
  readonly entries?: number;
  /** The largest index among them; -1 if there are none. */
  readonly last: number;
  /** How many ids it lists, where it lists ids. */
  readonly ids?: number;
  /**
   * The right edge of the tree as the store keeps it, in the order of `Frontier.hashes`: it tells in which
   * part of the log the damage lies, where no tile does.
   */
  readonly frontier?: readonly Hash[];
}

/** How an audit is to be done. */
export interface AuditOptions {
  /**
   * Whom to believe, known from elsewhere. Without it the key found inside the log is used, and the report
   * says so.
   */
  readonly trust?: Trust;
  /** Checkpoints and receipts of this log that somebody outside holds, against which it is compared. */
  readonly held?: readonly Held[];
  /**
   * The checkpoint that the log's own writer keeps beside the log. It is compared like those that somebody
   * else holds, and not counted as one of them: whoever has the log may well have this, too.
   */
  readonly mark?: string;
  /** Time-stamps over checkpoints of this log, judged already as far as they go without it. */
  readonly stamped?: readonly Stamped[];
  /**
   * States of this log that outside parties had seen at a time: what a key signed before it was compromised is believed where one
   * of them shows that it was there before.
   */
  readonly anchors?: readonly Anchor[];
  /**
   * Checkpoints that were shown to witnesses, with what those signed, as they are kept beside the log. Each is compared with the
   * log; whom of the witnesses to believe, and how many have to have signed, is what `trust` says.
   */
  readonly published?: readonly string[];
  /** How large the log was once signature lines under those checkpoints were here, as far as it was noted. */
  readonly arrivals?: readonly Arrival[];
  /** `full` unless said otherwise. */
  readonly depth?: AuditDepth;
  /**
   * Whether disclosures are kept where the entries are (default), or elsewhere: then none is looked for, and none
   * is missed.
   */
  readonly sealed?: 'here' | 'elsewhere';
  /** Subjects of whom the keys were destroyed, for an archive that may not hold the records of it yet: what they cover is not missed. */
  readonly destroyed?: readonly Removal[];
}

/**
 * What an audit asks of every chunk. Plain data, the same for all chunks, so that it can be sent to other
 * threads once.
 */
export interface ChunkRequest {
  readonly depth: AuditDepth;
  /** Whether sealed values are judged; see `AuditOptions`. */
  readonly sealed?: 'here' | 'elsewhere';
  /** Sizes of the log at which a root will be asked for, rising. */
  readonly sizes: readonly number[];
  /** Indexes whose leaf hashes will be asked for. */
  readonly leaves: readonly number[];
  /** Indexes whose `recordedAt` will be asked for; where entries are read. */
  readonly moments: readonly number[];
}

/** One entry that has been read, for a check that this room cannot make. */
export interface Inspected {
  readonly entry: Entry;
  readonly row: AuditRow;
  /**
   * The entry with its disclosures joined; made when it is asked for, because it costs as much as all the
   * rest.
   */
  open(): OpenedEntry;
}

/**
 * A check of single entries that this room cannot make: of search columns, for one. It reports what it finds.
 */
export type Inspect = (inspected: Inspected, report: (code: FindingCode, what: string) => void) => void;

/** Values of one set of subjects, in entries of one action, that are sealed and whose disclosures are not there. */
export interface MissingValues {
  /** Whose values they are: `type/id`. */
  readonly subjects: readonly string[];
  readonly action: string;
  /** Where, and how many: index, count, index, count, and so on, by rising index. */
  readonly places: readonly number[];
  /** When the entry of each place was recorded. */
  readonly times: readonly string[];
}

/** How many of what an audit has seen. */
export interface AuditCounts {
  /** Entries read. */
  readonly entries: number;
  /** Disclosures kept beside them. */
  readonly disclosures: number;
  /** Sealed values whose disclosure is there and fits. */
  readonly present: number;
  /** Sealed values that are gone, as a record in the log says. */
  readonly erased: number;
  /** How many of those are gone with the keys of their subjects, and no record says so here yet; absent where none is. */
  readonly unrecorded?: number;
  /** Sealed values that are gone without a record. */
  readonly missing: number;
  /** Entries whose bytes are gone, as a record in the log says. */
  readonly pruned: number;
}

/** What the audit of one chunk has found. Plain data: it crosses threads. */
export interface ChunkReport extends Span {
  /** How many rows were handed in, repeated ones too. */
  readonly rows: number;
  /** The compact range of the chunk's leaves. */
  readonly hashes: RangeParts['hashes'];
  /** The compact range from `begin` up to each size of the request that lies within. */
  readonly prefixes: readonly RangeParts[];
  readonly leaves: readonly { readonly index: number; readonly hash: Uint8Array }[];
  /** The hashes over every 256 leaves, one after the other: what the tiles of the next level hold. */
  /** When the entries that were asked for were recorded, as they say. */
  readonly moments: readonly { readonly index: number; readonly recordedAt: string }[];
  readonly tileRoots: Uint8Array;
  readonly counts: Pick<AuditCounts, 'entries' | 'disclosures' | 'present'>;
  readonly missing: readonly MissingValues[];
  readonly removals: readonly Removal[];
  /** Changes of the policy of retention, and applications of it. */
  readonly retention: ChunkRetention;
  /** Prunings, and entries that are not there. */
  readonly pruning: ChunkPruning;
  /** When the first and the last entry of the chunk were recorded; absent where none could be read. */
  readonly times?: { readonly first: string; readonly firstIndex: number; readonly last: string };
  /** What the log says about itself, from the entry 0. */
  readonly genesis?: Genesis;
  /** The leaf hash of the entry 0. */
  readonly genesisHash?: Hash;
  /** The log that this one takes the place of, from the entry 1. */
  readonly forkedFrom?: ForkedFrom;
  /** The entries that change the log's keys, or claim to, by rising index. */
  readonly keyChanges: readonly KeyEntry[];
  readonly discoveries: readonly Discovery[];
  readonly omitted: number;
}
