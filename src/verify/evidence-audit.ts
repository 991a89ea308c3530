import { base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  type Entry,
  type Genesis,
  openEntry,
  parseEntry,
  parseGenesis,
  type RecordedEvent,
  removalActions,
  removalOf,
} from '../event/index.ts';
import { hashLeaf } from '../merkle/index.ts';
import {
  type OpenedCheckpoint,
  openNote,
  openWithPolicy,
  type Policy,
  parseVerifierKey,
} from '../note/index.ts';
import { MissingTally, RemovalRecords } from './audit-sealed.ts';
import { EvidenceClaims } from './evidence-claims.ts';
import type { EvidenceFile, EvidenceMaking, EvidenceRow, EvidenceSource } from './evidence-file.ts';
import { Discoveries, describe, type Finding, type FindingCode } from './finding.ts';
import { findingOfSignature, readHead, withoutStop } from './signed-head.ts';
import { TileSet } from './tile-set.ts';
import { policyOf, type Trust } from './trust.ts';

/** How an evidence file is judged. */
export interface EvidenceOptions {
  /** Whom to believe, known from elsewhere. Without it the key inside is used, and nothing is called verified. */
  readonly trust?: Trust;
  /** Sees every entry that is in the tree, with what is shown of it. `isSupport`: it was not selected. */
  readonly inspect?: (event: RecordedEvent, row: EvidenceRow, isSupport: boolean) => void;
}

/** What an evidence file has shown. Plain data, ready for JSON. */
export interface EvidenceReport {
  /** Whether nothing at all was found. */
  readonly ok: boolean;
  /** `verified` under a key that was known beforehand; otherwise no more than consistent in itself. */
  readonly verdict: 'verified' | 'consistent with the key inside' | 'does not hold';
  readonly key: 'pinned' | 'found inside';
  readonly origin: string;
  /** How large the log was, at least, when it signed. */
  readonly size: number;
  /** The root that all entries lead to, standard base64. */
  readonly root: string;
  /** The keys that have signed the checkpoint, as verifier keys; the log's first. */
  readonly signedBy: readonly string[];
  readonly made: EvidenceMaking;
  readonly counts: {
    /** Entries that were selected, and those in support of them. */
    readonly selected: number;
    readonly support: number;
    /** Sealed values that are shown, that the author left out, and that a record says were erased. */
    readonly shown: number;
    readonly withheld: number;
    readonly erased: number;
  };
  /** The stretch of which every entry is here, checked; null where none is claimed. */
  readonly complete: { readonly from: number; readonly to: number } | null;
  /** The sources whose numbers are here without a gap, checked. */
  readonly sources: readonly EvidenceSource[];
  /** How many time-stamp tokens travel with it. They are checked by `verifyTimestamp`, not here. */
  readonly timestamps: number;
  /** What the author says is not shown. */
  readonly statements: readonly string[];
  readonly findings: readonly Finding[];
  readonly omitted: number;
}

/**
 * Verifies an evidence file. Its blocks come one by one, inflated and read elsewhere, so that a large file needs no more memory than
 * a block: `add` each block's rows in their order, then `conclude`. It reports everything that is wrong; only what is no evidence
 * at all was refused before, by `parseEvidence`.
 */
export class EvidenceAudit {
  readonly #file: EvidenceFile;
  readonly #options: EvidenceOptions;
  readonly #discoveries = new Discoveries('first');
  readonly #tree: TileSet | undefined;
  readonly #size: number;
  readonly #claims: EvidenceClaims;
  readonly #missing = new MissingTally();
  readonly #removals = new RemovalRecords();
  #last = -1;
  #recordedAt = '';
  #shown = 0;
  #genesis: Genesis | undefined;

  constructor(file: EvidenceFile, options: EvidenceOptions = {}) {
    this.#file = file;
    this.#options = options;
    this.#claims = new EvidenceClaims(file.evidence);
    const head = readHead(utf8Encode(file.evidence.checkpoint));
    this.#size = head?.size ?? 0;
    if (head === undefined) this.#report('checkpoint_invalid', 'It holds no checkpoint');
    else this.#tree = this.#readTree(head);
  }

  /** Judges the rows of the next block. */
  add(rows: readonly EvidenceRow[]): void {
    for (const row of rows) this.#take(row);
  }

  /** The report, when every block has been added. */
  conclude(): EvidenceReport {
    const { evidence } = this.#file;
    const policy = this.#policy();
    const opened = policy && this.#open(policy);
    if (policy !== undefined) this.#checkSeal(policy);
    for (const what of this.#claims.unshown(this.#size)) this.#report('claim_unshown', what);
    let [withheld, erased] = [0, 0];
    for (const { subjects, action, places } of this.#missing.values) {
      for (let at = 0; at < places.length; at += 2) {
        const index = places[at]!;
        if (this.#removals.cover({ subjects, action, index })) erased += places[at + 1]!;
        else withheld += places[at + 1]!;
      }
    }
    const { selected, support } = this.#claims.counts;
    const findings = this.#discoveries.kept.map(describe);
    const ok = findings.length === 0;
    const isPinned = this.#options.trust !== undefined;
    return {
      ok,
      verdict: ok ? (isPinned ? 'verified' : 'consistent with the key inside') : 'does not hold',
      key: isPinned ? 'pinned' : 'found inside',
      origin: evidence.origin,
      size: this.#size,
      root: opened === undefined ? '' : base64Encode(opened.checkpoint.root),
      signedBy: opened?.verified.map(({ key }) => key.text) ?? [],
      made: evidence.made,
      counts: { selected, support, shown: this.#shown, withheld, erased },
      complete: evidence.complete,
      sources: evidence.sources,
      timestamps: evidence.timestamps.length,
      statements: evidence.statements,
      findings,
      omitted: this.#discoveries.omitted,
    };
  }

  #readTree(head: { readonly size: number; readonly root: Uint8Array }): TileSet | undefined {
    try {
      return new TileSet(head, this.#file.evidence.tiles);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report('tile_mismatch', withoutStop(error.message));
      return undefined;
    }
  }

  #take(row: EvidenceRow): void {
    const { index } = row;
    if (index <= this.#last) {
      this.#at(index, 'index_repeated', 'does not stand behind the one before it');
      return;
    }
    this.#last = index;
    const entry = this.#proven(row);
    if (entry !== undefined) this.#read(row, entry);
  }

  /** The entry of a row whose bytes are in the signed tree, at its index. */
  #proven({ index, entry }: EvidenceRow): Entry | undefined {
    const leaf = index < this.#size ? this.#tree?.leaf(index) : undefined;
    if (leaf === undefined || !equalBytes(leaf, hashLeaf(entry))) {
      this.#at(index, 'entry_unproven', 'these bytes are not what the signed tree holds here');
      return undefined;
    }
    try {
      return parseEntry(entry);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#at(index, 'entry_malformed', `not an entry: ${withoutStop(error.message)}`);
      return undefined;
    }
  }

  #read(row: EvidenceRow, entry: Entry): void {
    const { index } = row;
    const { event, fields, problems } = openEntry(entry, row.disclosures, index);
    for (const { message } of problems) this.#at(index, 'disclosure_altered', message);
    for (const field of fields) {
      if (field.disclosure === undefined) this.#missing.add(field);
      else this.#shown += 1;
    }
    if (entry.recordedAt < this.#recordedAt) {
      this.#at(index, 'time_backwards', 'recorded earlier than an entry before it');
    }
    this.#recordedAt = entry.recordedAt;
    if (index === 0) this.#readGenesis(entry);
    if (isRemoval(entry)) this.#readRemoval(entry, index);
    this.#claims.saw(index, entry.source);
    this.#options.inspect?.(event, row, this.#claims.isSupport(index));
  }

  #readGenesis(entry: Entry): void {
    try {
      this.#genesis = parseGenesis(entry);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#at(0, 'genesis_invalid', withoutStop(error.message));
    }
  }

  #readRemoval(entry: Entry, index: number): void {
    try {
      this.#removals.add(removalOf(entry, index));
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      const code = entry.action === 'log.erased' ? 'erasure_invalid' : 'retention_invalid';
      this.#at(index, code, withoutStop(error.message));
    }
  }

  /** Whom to believe: who was named beforehand, or else who the log's first entry names. */
  #policy(): Policy | undefined {
    const genesis = this.#genesis;
    if (genesis === undefined) {
      this.#report('genesis_invalid', 'The first entry, which says what log this is, is not among these');
    } else if (genesis.origin !== this.#file.evidence.origin) {
      this.#report('origin_mismatch', 'The log’s first entry bears another name than the file');
    }
    if (this.#options.trust !== undefined) return policyOf(this.#options.trust);
    if (genesis === undefined) return undefined;
    try {
      const logs = [...new Set(genesis.logKeys)].map((text) => ({ key: parseVerifierKey(text) }));
      return { logs, witnesses: [], groups: [], quorum: undefined };
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report(
        'key_unknown',
        `The log’s first entry names a key that is none: ${withoutStop(error.message)}`,
      );
      return undefined;
    }
  }

  #open(policy: Policy): OpenedCheckpoint | undefined {
    try {
      const opened = openWithPolicy(utf8Encode(this.#file.evidence.checkpoint), policy);
      if (opened.checkpoint.origin !== this.#file.evidence.origin) {
        this.#report('origin_mismatch', 'The checkpoint bears another name than the file');
      }
      return opened;
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report(
        findingOfSignature(error),
        `The checkpoint does not verify: ${withoutStop(error.message)}`,
      );
      return undefined;
    }
  }

  /** The note that binds the file: by a key of this log, over exactly these bytes. */
  #checkSeal(policy: Policy): void {
    const keys = policy.logs.map(({ key }) => key).filter(({ name }) => name === this.#file.evidence.origin);
    try {
      const { text } = openNote(utf8Encode(this.#file.seal), keys);
      if (text === this.#file.sealText) return;
      this.#report('evidence_altered', 'The file is not the one that the log’s key has signed');
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#report(
        'evidence_altered',
        `The signature under the file does not verify: ${withoutStop(error.message)}`,
      );
    }
  }

  #report(code: FindingCode, what: string): void {
    this.#discoveries.add({ code, from: 0, to: Math.max(this.#size - 1, 0), what, ofLog: true });
  }

  #at(index: number, code: FindingCode, what: string): void {
    this.#discoveries.add({ code, from: index, to: index, what });
  }
}

function isRemoval({ action }: Entry): boolean {
  return removalActions.some((one) => one === action);
}
