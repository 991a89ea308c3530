import { base64Encode, equalBytes, utf8Encode, VerificationError } from '../bytes/index.ts';
import {
  changeNumberOf,
  type Entry,
  type Genesis,
  isKeyChange,
  openEntry,
  parseEntry,
  parseGenesis,
  type RecordedEvent,
  removalActions,
  removalOf,
} from '../event/index.ts';
import { type Hash, hashLeaf } from '../merkle/index.ts';
import { type OpenedCheckpoint, openNote } from '../note/index.ts';
import { NO_CHANGE } from './audit-chunk.ts';
import { MissingTally, RemovalRecords } from './audit-sealed.ts';
import { type Believed, keysOf, openBelieved, withoutOwn } from './believed.ts';
import { believedBy, type KeyFacts } from './choose-believed.ts';
import {
  EvidenceAnchors,
  type EvidenceStamp,
  type EvidenceVouching,
  type EvidenceWitnessed,
} from './evidence-anchors.ts';
import { EvidenceClaims, EvidenceRequest } from './evidence-claims.ts';
import type { EvidenceFile, EvidenceMaking, EvidenceRow, EvidenceSource } from './evidence-file.ts';
import { Discoveries, describe, type Finding, type FindingCode } from './finding.ts';
import { type KeyEntry, type ReportedKey, reportedKeys } from './key-timeline.ts';
import { findingOfSignature, readHead, withoutStop } from './signed-head.ts';
import type { Stamped } from './stamped.ts';
import { TileSet } from './tile-set.ts';
import { policyOf, type Trust } from './trust.ts';

/** How an evidence file is judged. */
export interface EvidenceOptions {
  /** Whom to believe, known from elsewhere. Without it the key inside is used, and nothing is called verified. */
  readonly trust?: Trust;
  /**
   * The time-stamps in the file as whoever reads them has judged them: `judgeStamps` of `indelible/anchor`. Without it they are
   * carried, and not looked at.
   */
  readonly stamped?: readonly Stamped[];
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
  /** The log's keys and which sizes each of them signs, as its entries say; none where they do not lead to who signed. */
  readonly keys: readonly ReportedKey[];
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
  /** Of the selected entries, how many match the query or the ids, and of how many withheld values decide it. */
  readonly asked: { readonly matched: number; readonly unjudged: number };
  /** What witnesses have cosigned; null where the file has nothing of it, and nobody asked for a quorum. */
  readonly witnessed: EvidenceWitnessed | null;
  /** The time-stamp tokens that travel with it. */
  readonly timestamps: readonly EvidenceStamp[];
  /** The policy that the log's operator says he follows; null where he names none. Nobody has to follow it. */
  readonly policy: string | null;
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
  readonly #request: EvidenceRequest;
  readonly #anchors: EvidenceAnchors;
  readonly #missing = new MissingTally();
  readonly #removals = new RemovalRecords();
  #last = -1;
  #recordedAt = '';
  #shown = 0;
  #genesis: Genesis | undefined;
  #genesisHash: Hash | undefined;
  /** The entries that change keys, by their number: the first of several that bear one counts. */
  readonly #keyChanges = new Map<number, KeyEntry>();

  constructor(file: EvidenceFile, options: EvidenceOptions = {}) {
    this.#file = file;
    this.#options = options;
    this.#claims = new EvidenceClaims(file.evidence);
    this.#request = new EvidenceRequest(file.evidence.made);
    this.#anchors = new EvidenceAnchors(file.evidence, options.stamped);
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
    const believed = this.#believed();
    const opened = believed && this.#open(believed);
    if (believed !== undefined) this.#checkSeal(believed);
    const { witnessed, timestamps } = this.#vouching(believed, opened);
    for (const what of this.#claims.unshown(this.#size)) this.#report('claim_unshown', what);
    for (const what of this.#request.unmet()) this.#report('selection_mismatch', what);
    const { withheld, erased } = this.#judgeMissing();
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
      keys: believed?.timeline === undefined ? [] : reportedKeys(believed.timeline),
      made: evidence.made,
      counts: { selected, support, shown: this.#shown, withheld, erased },
      complete: evidence.complete,
      sources: evidence.sources,
      asked: this.#request.counts,
      witnessed,
      timestamps,
      policy: evidence.policy,
      statements: evidence.statements,
      findings,
      omitted: this.#discoveries.omitted,
    };
  }

  #vouching(believed: Believed | undefined, head: OpenedCheckpoint | undefined): EvidenceVouching {
    const { trust } = this.#options;
    const policy = trust === undefined ? undefined : policyOf(trust);
    const timeline = believed?.timeline;
    return this.#anchors.conclude({
      ...{ tree: this.#tree, size: this.#size, believed, head },
      given: policy && timeline ? withoutOwn(policy, timeline) : policy,
      report: (code, what) => this.#report(code, what),
    });
  }

  /** Of the sealed values that are not shown, how many a record says were erased. */
  #judgeMissing(): { readonly withheld: number; readonly erased: number } {
    let [withheld, erased] = [0, 0];
    for (const { subjects, action, places, times } of this.#missing.values) {
      for (let at = 0; at < places.length; at += 2) {
        const [index, recordedAt] = [places[at]!, times[at / 2]!];
        if (this.#removals.cover({ subjects, action, index, recordedAt })) erased += places[at + 1]!;
        else withheld += places[at + 1]!;
      }
    }
    return { withheld, erased };
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
    this.#readOwn(row, entry);
    this.#claims.saw(index, entry);
    const isSupport = this.#claims.isSupport(index);
    const complaint = isSupport ? undefined : this.#request.saw(event);
    if (complaint !== undefined) this.#at(index, 'selection_mismatch', complaint);
    this.#anchors.saw(index, entry.recordedAt, !isSupport);
    this.#options.inspect?.(event, row, isSupport);
  }

  /** The log's own entries that mean something to a verifier. */
  #readOwn({ index, entry: bytes }: EvidenceRow, entry: Entry): void {
    if (index === 0) this.#readGenesis(entry, bytes);
    else if (entry.action === 'log.created')
      this.#at(index, 'genesis_invalid', 'the log is created once more');
    if (isRemoval(entry)) this.#readRemoval(entry, index);
    if (entry.action === 'log.key_rotated' || entry.action === 'log.key_revoked')
      this.#keepKeyChange(entry, { index, entry: bytes });
  }

  /** However many there are, no more are kept than can be changes. */
  #keepKeyChange({ id }: Entry, change: KeyEntry): void {
    const number = isKeyChange(change.entry) ? changeNumberOf(id) : undefined;
    if (number === undefined) this.#at(change.index, 'key_change_invalid', NO_CHANGE);
    else if (this.#keyChanges.has(number))
      this.#at(change.index, 'key_change_invalid', 'changes no key: an entry before it has its number');
    else this.#keyChanges.set(number, change);
  }

  #readGenesis(entry: Entry, bytes: Uint8Array): void {
    try {
      this.#genesis = parseGenesis(entry);
      this.#genesisHash = hashLeaf(bytes);
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      this.#at(0, 'genesis_invalid', withoutStop(error.message));
    }
  }

  #readRemoval(entry: Entry, index: number): void {
    try {
      const removal = removalOf(entry, index);
      if ('rules' in removal) {
        this.#removals.add(removal);
        return;
      }
      // A record speaks of what came before it: one that reaches ahead would excuse what was not yet written.
      if (removal.below > index)
        this.#at(index, 'erasure_invalid', 'the record of an erasure that reaches ahead of itself');
      this.#removals.add({ ...removal, below: Math.min(removal.below, index) });
    } catch (error) {
      if (!(error instanceof VerificationError)) throw error;
      const code = entry.action === 'log.erased' ? 'erasure_invalid' : 'retention_invalid';
      this.#at(index, code, withoutStop(error.message));
    }
  }

  /** Whom to believe: who was named beforehand and whoever follows from it, or else who the log says may sign. */
  #believed(): Believed | undefined {
    const { evidence } = this.#file;
    const genesis = this.#genesis;
    if (genesis === undefined) {
      this.#report('genesis_invalid', 'The first entry, which says what log this is, is not among these');
    } else if (genesis.origin !== evidence.origin) {
      this.#report('origin_mismatch', 'The log’s first entry bears another name than the file');
    }
    const facts: KeyFacts = {
      trust: this.#options.trust,
      genesis,
      genesisHash: this.#genesisHash,
      keyChanges: [...this.#keyChanges.values()],
      size: this.#size,
      discoveries: this.#discoveries,
    };
    return believedBy(facts, (code, what) => this.#report(code, what));
  }

  #open(believed: Believed): OpenedCheckpoint | undefined {
    try {
      // The quorum is asked of the checkpoint of witnesses, which is older.
      const opened = openBelieved(utf8Encode(this.#file.evidence.checkpoint), believed, { quorum: false });
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
  #checkSeal({ policy, timeline, pinned }: Believed): void {
    const signers =
      timeline === undefined
        ? policy.logs.map(({ key }) => key)
        : keysOf({ timeline, ...(pinned !== undefined && { pinned }) }, this.#size);
    const keys = signers.filter(({ name }) => name === this.#file.evidence.origin);
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
