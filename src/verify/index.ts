/**
 * What an auditor needs, and nothing else of this package: proof files, checkpoints, disclosures, whole logs.
 *
 * Evidence is checked, never believed. What a verifier starts from is a key, or a policy, that it got from
 * somewhere else than the evidence; given that, one file shows that an entry is in a log, without asking
 * anybody:
 *
 * ```ts
 * const { index, size } = verifyProof({ proof, entry, policy: { vkey: 'log.example/audit+86617d36+AQOhB7/z…' } });
 * verifyDisclosure(entry, '["2GLC42sKQveCfGfryNRN9w","reason","asked by phone"]');
 * verifyCheckpoints({ older: receipt, newer: today, proof: hashes, policy });
 * ```
 *
 * These throw a `VerificationError` unless all is well; they never return a verdict that a caller could
 * forget to look at.
 *
 * A whole log is different: there, one wants to know everything that is wrong. `auditLog` reads every byte
 * that readers see, recomputes the tree, and returns a report of all findings with the entries that each
 * concerns. It keeps two verdicts apart. *Integrity*: is what is here what was signed? And, for sealed
 * values: is what is gone gone by a record in the log? A report without findings still says how much an
 * outsider vouches for: "consistent up to size 412; no outside anchor".
 *
 * The audit is made of pieces that threads can share: `auditChunk` takes a stretch of the log and is pure,
 * `Audit` puts the reports of all stretches together. See there for why it reads backwards.
 *
 * Formats: c2sp.org/tlog-proof; RFC 9162 §2.1 for the proofs in them; spec/ for entries and sealing.
 */

export { AUDIT_CHUNK_ENTRIES, Audit, HOLES_MAX } from './audit.ts';
export { auditChunk } from './audit-chunk.ts';
export {
  type AuditLogOptions,
  type AuditSource,
  auditLog,
  leafTiles,
  type StoredTiles,
} from './audit-log.ts';
export type {
  AuditChunk,
  AuditCounts,
  AuditDepth,
  AuditHead,
  AuditOptions,
  AuditRow,
  ChunkReport,
  ChunkRequest,
  Inspect,
  Inspected,
  MissingValues,
  Span,
} from './audit-model.ts';
export type { AuditReport } from './audit-report.ts';
export { judgeApplied, judgePruned, retentionUnreadable } from './audit-retention.ts';
export { RemovalRecords } from './audit-sealed.ts';
export {
  type Anchor,
  type Believed,
  demandsSecond,
  openBelieved,
  pinnedBy,
  type Strictness,
  seenByAnchors,
  withoutOwn,
} from './believed.ts';
export {
  type Arrival,
  type CosignatureApart,
  type CosignedNotes,
  cosignaturesApart,
  TIME_MS_MAX,
} from './cosigned.ts';
export type { EvidenceCosignature, EvidenceStamp, EvidenceWitnessed } from './evidence-anchors.ts';
export {
  EvidenceAudit,
  type EvidenceOptions,
  type EvidenceReport,
} from './evidence-audit.ts';
export {
  EVIDENCE_BLOCK_BYTES_MAX,
  EVIDENCE_BLOCK_ENTRIES_MAX,
  EVIDENCE_BYTES_MAX,
  EVIDENCE_CERTIFICATES_MAX,
  EVIDENCE_ENTRIES_MAX,
  EVIDENCE_FORMAT,
  EVIDENCE_INFLATED_BYTES_MAX,
  EVIDENCE_LIST_MAX,
  EVIDENCE_TIMESTAMPS_MAX,
  type Evidence,
  type EvidenceBlock,
  type EvidenceFile,
  type EvidenceMaking,
  type EvidenceRow,
  type EvidenceSource,
  type EvidenceTimestamp,
  evidenceFrame,
  evidenceSealText,
  formatEvidenceRows,
  parseEvidence,
  readEvidenceRows,
} from './evidence-file.ts';
export {
  EVIDENCE_PAGE_BYTES_MAX,
  type EvidencePage,
  escapeEvidence,
  isEvidencePage,
  parseEvidencePage,
  splitEvidencePage,
  unescapeEvidence,
} from './evidence-page.ts';
export {
  Discoveries,
  type Discovery,
  describe,
  FINDINGS_MAX,
  type Finding,
  type FindingCode,
  findingCodes,
} from './finding.ts';
export type { Held, HeldReceipt, HeldVerdict, MarkVerdict } from './held.ts';
export {
  type KeyEntry,
  type KeyProblem,
  type KeySpan,
  KeyTimeline,
  keyTimeline,
  openAuthorisation,
  type ReportedKey,
  reportedKeys,
  type SignedBy,
} from './key-timeline.ts';
export { PinnedKey, type PinnedKeyOptions } from './pinned-key.ts';
export { findingOfSignature, readHead } from './signed-head.ts';
export {
  CLOCKS_APART_MS_MAX,
  type EntryMoment,
  type Stamped,
  type StampedUpTo,
  type StampedVerdict,
  type StampVerdict,
} from './stamped.ts';
export { type TileData, TileSet, tilesOfLeaves } from './tile-set.ts';
export {
  formatProof,
  PROOF_BYTES_MAX,
  PROOF_EXTRA_BYTES_MAX,
  PROOF_HASHES_MAX,
  type Proof,
  parseProof,
} from './tlog-proof.ts';
export { policyOf, type Trust } from './trust.ts';
export { verifyCheckpoints } from './verify-checkpoints.ts';
export { type DisclosedField, verifyDisclosure } from './verify-disclosure.ts';
export { type ProofVerdict, verifyProof } from './verify-proof.ts';
export type { Vouching, WitnessedVerdict } from './witnessed.ts';
